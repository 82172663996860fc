"""Builds PromQL expressions.

Metrics of the installation are the same in every web process: aggregate them over instances with ``max``, after that
sum over other labels. Metrics of processes have a job of their own and may be added up.
"""

#: intervals that Grafana inserts; panels of counts have a minimum interval, so that it contains some scrapes
RATE, INTERVAL, RANGE = "$__rate_interval", "$__interval", "$__range"


def selected(metric: str, *filters: str) -> str:
    """Return a selector for the series of the installation that is selected at the top of the dashboard."""
    return metric + "{" + ", ".join(['job="$job"', *filters]) + "}"


def of_processes(metric: str, *filters: str) -> str:
    """Return a selector for the series of the processes of that installation."""
    return metric + "{" + ", ".join(['job="${job}-processes"', *filters]) + "}"


def level(metric: str, *filters: str, by: str = "") -> str:
    """Return the current value of a metric."""
    return _max(selected(metric, *filters), by)


def rate(metric: str, *filters: str, by: str = "") -> str:
    """Return the rate of a counter per second."""
    return _max(f"rate({selected(metric, *filters)}[{RATE}])", by)


def counts(metric: str, *filters: str, by: str = "") -> str:
    """Return how much a counter has grown in each interval of a panel."""
    return _max(f"increase({selected(metric, *filters)}[{INTERVAL}])", by)


def total(metric: str, *filters: str, by: str = "") -> str:
    """Return how much a counter has grown in the time range of the dashboard."""
    return _max(f"increase({selected(metric, *filters)}[{RANGE}])", by)


def added(expression: str, by: str = "") -> str:
    """Return the sum of an expression over all labels but ``by``."""
    return f"sum{_by(by)}({expression})"


def quantile(share: float, metric: str) -> str:
    """Return a quantile of a histogram of the installation."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', by='le')})"


def process_quantile(share: float, metric: str, *filters: str, by: str = "") -> str:
    """Return a quantile of a histogram of processes."""
    buckets = f"rate({of_processes(f'{metric}_bucket', *filters)}[{RATE}])"
    return f"histogram_quantile({share}, {added(buckets, f'{by}, le' if by else 'le')})"


def process_counts(metric: str, *filters: str, by: str = "") -> str:
    """Return how much a counter of processes has grown in each interval of a panel, in all of them together."""
    return added(f"increase({of_processes(metric, *filters)}[{INTERVAL}])", by)


def process_total(metric: str, *filters: str, by: str = "") -> str:
    """Return how much a counter of processes has grown in the time range of the dashboard."""
    return added(f"increase({of_processes(metric, *filters)}[{RANGE}])", by)


def live(expression: str) -> str:
    """Return only the series that are not zero."""
    return f"{expression} > 0"


def top(number: int, expression: str) -> str:
    """Return the largest series that are not zero, the largest first."""
    return f"sort_desc(topk({number}, {live(expression)}))"


def _max(expression: str, by: str) -> str:
    return f"max{_by(by)}({expression})"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
