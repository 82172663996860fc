"""Generate the dashboard ``dashboards/bulkfax.json``: run ``.venv/bin/python grafana/generate.py`` after a change.

Every web process exports the totals of the whole system, which it reads from Redis. Queries therefore aggregate
instances with ``max``, never with ``sum``. After that they may sum over other labels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models

TARGET = Path(__file__).parent / "dashboards" / "bulkfax.json"
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
#: heights of the panels of a row, in units of the grid, which is 24 wide
_STAT_HEIGHT, _GRAPH_HEIGHT = 4, 8
_NOT_DUE = "jobs of drafts, of paused batches and of batches with a later start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A query: a PromQL expression, and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """A panel with one number."""

    title: str
    description: str
    unit: str
    expr: str
    #: the value from which the number is red; None: never
    red_from: float | None = None
    width: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A panel with lines over time."""

    title: str
    description: str
    unit: str
    lines: Sequence[Line]
    #: whether the lines are parts of a whole
    stacked: bool = False
    width: int = 8


def selected(metric: str, *filters: str) -> str:
    """Return a selector for the series of the system that is selected at the top of the dashboard."""
    return metric + "{" + ", ".join(['job="$job"', *filters]) + "}"


def level(metric: str, *filters: str, by: str = "") -> str:
    """Return an expression for the current value of a metric."""
    return f"max{f' by ({by}) ' if by else ''}({selected(metric, *filters)})"


def rate(metric: str, *filters: str, by: str = "") -> str:
    """Return an expression for the rate of a counter per second."""
    return f"max{f' by ({by}) ' if by else ''}(rate({selected(metric, *filters)}[$__rate_interval]))"


def in_range(metric: str, *filters: str, by: str = "") -> str:
    """Return an expression for the increase of a counter in the time range of the dashboard."""
    return f"max{f' by ({by}) ' if by else ''}(increase({selected(metric, *filters)}[$__range]))"


def quantile(share: float) -> str:
    """Return an expression for a quantile of the duration of sends."""
    return f"histogram_quantile({share}, {rate('bulkfax_submit_seconds_bucket', by='le')})"


_ALL_ATTEMPTS = f"sum({rate('bulkfax_attempts_total', by='outcome')})"
_REFUSED_BY_RATE = rate("bulkfax_attempts_total", 'outcome="rate_limited"')
_ALLOWANCE = level("bulkfax_allowance_requests", by="period")
_ALLOWANCE_USED = f"{level('bulkfax_allowance_used_requests', by='period')} / {_ALLOWANCE}"
_WITH_ERROR = 'error_type!="none"'
_LIVE = 'state=~"waiting|leased|sending|accepted"'
_ENDED = {"by": "state, category"}
_PROBES = f"sum({rate('bulkfax_probes_total', by='outcome')})"
#: the age of a process that was never seen is infinite, which no panel can draw
_SEEN = f"{level('bulkfax_last_seen_seconds', by='process')} < +Inf"
_DELIVERED = in_range("bulkfax_jobs_final_total", 'state=~"delivered.*"', **_ENDED)
_FAILED = rate("bulkfax_jobs_final_total", 'state="failed"', **_ENDED)

NOW = (
    Stat(
        title="Due",
        description=f"Jobs that may be sent now. Excludes {_NOT_DUE}, and jobs under a hold of their own.",
        unit="short",
        expr=level("bulkfax_jobs_due"),
    ),
    Stat(
        title="In flight",
        description="Jobs that are leased, being sent, unclear, or accepted by the provider and not ended.",
        unit="short",
        expr=f"sum({level('bulkfax_in_flight', by='state')})",
    ),
    Stat(
        title="Rate used",
        description="Slots granted in the last full 10 s, as a share of the account's limit.",
        unit="percentunit",
        expr=level("bulkfax_rate_used_ratio"),
    ),
    Stat(
        title="Refused by 429",
        description="Share of the sends that the provider answered with 429. Each cuts the shared rate for seconds.",
        unit="percentunit",
        expr=f"{_REFUSED_BY_RATE} / ({_ALL_ATTEMPTS} > 0) or vector(0)",
        red_from=0.05,
    ),
    Stat(
        title="Delivered",
        description="Share of delivered and delivered_unconfirmed among all jobs that ended in this time range.",
        unit="percentunit",
        expr=f"sum({_DELIVERED}) / sum({in_range('bulkfax_jobs_final_total', **_ENDED)})",
    ),
    Stat(
        title="Holds",
        description="Number of open holds. List them with: bulkfax holds list.",
        unit="short",
        expr=f"sum({level('bulkfax_holds', by='kind, category')})",
        red_from=1,
    ),
    Stat(
        title="Inbox",
        description="Age of the oldest callback that is stored but not settled.",
        unit="s",
        expr=level("bulkfax_oldest_inbox_event_seconds"),
        red_from=60,
    ),
    Stat(
        title="Doubled",
        description="Jobs for which the provider accepted a fax while an earlier one was unfinished or delivered.",
        unit="short",
        expr=in_range("bulkfax_doubled_total"),
        red_from=1,
    ),
)

THROUGHPUT = (
    Graph(
        title="Attempts by outcome",
        description="POST /faxes attempts per second, by outcome. missed_slot: not sent, a worker was too late.",
        unit="cps",
        lines=[
            Line(expr=rate("bulkfax_attempts_total", by="outcome"), legend="{{outcome}}"),
            Line(expr=_PROBES, legend="probes of a hold"),
        ],
        stacked=True,
    ),
    Graph(
        title="Rate: limit, now, sent",
        description="The account's limit, the current rate after 429s, and attempts. Faxes per second.",
        unit="cps",
        lines=[
            Line(expr=level("bulkfax_rate_limit_per_second"), legend="limit"),
            Line(expr=level("bulkfax_rate_per_second"), legend="rate now"),
            Line(expr=_ALL_ATTEMPTS, legend="attempts"),
        ],
    ),
    Graph(
        title="Rate used",
        description="Granted slots as a share of the account's limit: 99 % while enough is due, never over 100 %.",
        unit="percentunit",
        lines=[Line(expr=level("bulkfax_rate_used_ratio"), legend="used")],
    ),
    Graph(
        title="Limits of a minute and a day",
        description="Used share of the limits, if there are any. At 100 % nothing is sent until some is free.",
        unit="percentunit",
        lines=[Line(expr=_ALLOWANCE_USED, legend="{{period}}")],
        width=12,
    ),
    Graph(
        title="Next permit",
        description="Time until the next request may be sent. Long after a 429 or when a limit is used up.",
        unit="s",
        lines=[Line(expr=level("bulkfax_next_permit_seconds"), legend="next permit")],
        width=12,
    ),
)

JOBS = (
    Graph(
        title="Due jobs",
        description=f"Jobs that may be sent now, and due jobs under a hold. Excludes {_NOT_DUE}.",
        unit="short",
        lines=[
            Line(expr=level("bulkfax_jobs_due"), legend="due"),
            Line(expr=level("bulkfax_jobs_due_held"), legend="held"),
        ],
        width=12,
    ),
    Graph(
        title="Oldest due job",
        description="How long the oldest due job has been due. In a large mailing this is the time since its start.",
        unit="s",
        lines=[Line(expr=level("bulkfax_oldest_due_seconds"), legend="oldest")],
        width=12,
    ),
    Graph(
        title="Live jobs by state",
        description=f"Jobs that have not ended. waiting includes {_NOT_DUE}.",
        unit="short",
        lines=[Line(expr=level("bulkfax_jobs", _LIVE, by="state"), legend="{{state}}")],
        stacked=True,
    ),
    Graph(
        title="Jobs in flight by state",
        description="Jobs in the watch sets. Each has a deadline at which it is checked.",
        unit="short",
        lines=[Line(expr=level("bulkfax_in_flight", by="state"), legend="{{state}}")],
    ),
    Graph(
        title="Jobs that ended, by state",
        description="Final states per second.",
        unit="cps",
        lines=[
            Line(expr=f"sum by (state) ({rate('bulkfax_jobs_final_total', **_ENDED)})", legend="{{state}}"),
        ],
        stacked=True,
    ),
    Graph(
        title="Drafts",
        description="Batches that nobody has started. They expire after times.draft_life without a change.",
        unit="short",
        lines=[
            Line(expr=level("bulkfax_open_drafts"), legend="open"),
            Line(expr=in_range("bulkfax_drafts_expired_total"), legend="expired, in this time range"),
        ],
        width=12,
    ),
    Graph(
        title="Do-not-fax list",
        description="Entries by source. Dead numbers that have expired are remembered for a year.",
        unit="short",
        lines=[Line(expr=level("bulkfax_suppressions", by="source"), legend="{{source}}")],
        stacked=True,
        width=12,
    ),
)

FAILURES = (
    Graph(
        title="First calls by their end",
        description="First calls to recipients per second, by category; none: delivered. Retries are not counted.",
        unit="cps",
        lines=[Line(expr=rate("bulkfax_first_calls_total", by="category"), legend="{{category}}")],
        stacked=True,
        width=12,
    ),
    Graph(
        title="Jobs that ended, by error type",
        description="Jobs that ended per minute, by the error type of the last failure. Excludes jobs without failure.",
        unit="cpm",
        lines=[
            Line(
                expr=f"60 * {rate('bulkfax_job_error_types_total', _WITH_ERROR, by='error_type')}",
                legend="{{error_type}}",
            )
        ],
        stacked=True,
        width=12,
    ),
    Graph(
        title="Failed attempts by category",
        description="Attempts per second that failed, were refused or were not found. Most are retried.",
        unit="cps",
        lines=[Line(expr=rate("bulkfax_failures_total", by="category"), legend="{{category}}")],
        stacked=True,
        width=12,
    ),
    Graph(
        title="Jobs that failed for good, by category",
        description="Jobs per minute that ended as failed, by the category of their last failure.",
        unit="cpm",
        lines=[Line(expr=f"60 * sum by (category) ({_FAILED})", legend="{{category}}")],
        stacked=True,
        width=12,
    ),
)

PROVIDER = (
    Graph(
        title="Time of POST /faxes",
        description="Time from the slot to the answer. The default policy gives up after 20 s.",
        unit="s",
        lines=[Line(expr=quantile(share), legend=f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)],
        width=12,
    ),
    Graph(
        title="Answers of the provider by status",
        description="Answers to POST /faxes per second, by HTTP status; none: no answer.",
        unit="cps",
        lines=[Line(expr=rate("bulkfax_provider_responses_total", by="status"), legend="{{status}}")],
        stacked=True,
        width=12,
    ),
)

CALLBACKS = (
    Graph(
        title="Callbacks by result",
        description="Callbacks per second, by result. Without a public URL there are none.",
        unit="cps",
        lines=[Line(expr=rate("bulkfax_callbacks_total", by="result"), legend="{{result}}")],
        stacked=True,
    ),
    Graph(
        title="Inbox",
        description="Callbacks that are stored but not settled. If it grows, there are too few workers.",
        unit="short",
        lines=[Line(expr=level("bulkfax_inbox_events"), legend="callbacks")],
    ),
    Graph(
        title="Unclear attempts",
        description="Attempts that the provider may have accepted. Each is searched for during a few minutes.",
        unit="short",
        lines=[
            Line(expr=level("bulkfax_unclear_attempts"), legend="looked for"),
            Line(expr=in_range("bulkfax_attempts_unended_total"), legend="without an end, in this time range"),
        ],
    ),
)

WEBHOOKS = (
    Graph(
        title="Deliveries to webhook endpoints",
        description="Attempts per second, by result. A failed one is repeated for three days.",
        unit="cps",
        lines=[Line(expr=rate("bulkfax_webhook_deliveries_total", by="result"), legend="{{result}}")],
        stacked=True,
        width=12,
    ),
    Graph(
        title="Webhooks: age of the oldest event that waits",
        description="How late the slowest enabled endpoint is.",
        unit="s",
        lines=[Line(expr=level("bulkfax_webhook_lag_seconds"), legend="oldest")],
        width=12,
    ),
)

HOLDS = (
    Graph(
        title="Holds in force",
        description="Open holds by kind and category. Holds of account or provider stop everything.",
        unit="short",
        lines=[Line(expr=f"{level('bulkfax_holds', by='kind, category')} > 0", legend="{{kind}}: {{category}}")],
    ),
    Graph(
        title="Holds opened, and doubled",
        description="In this time range: opened holds by category, and jobs for which two faxes were accepted.",
        unit="short",
        lines=[
            Line(expr=f"{in_range('bulkfax_holds_opened_total', by='category')} > 0", legend="opened: {{category}}"),
            Line(expr=in_range("bulkfax_doubled_total"), legend="doubled"),
        ],
    ),
    Graph(
        title="Last seen",
        description="Time since any scheduler, and any worker, was last active.",
        unit="s",
        lines=[Line(expr=_SEEN, legend="{{process}}")],
    ),
)

ROWS: Mapping[str, Sequence[Stat | Graph]] = {
    "Now": NOW,
    "Throughput": THROUGHPUT,
    "Jobs": JOBS,
    "Failures": FAILURES,
    "Provider": PROVIDER,
    "Callbacks": CALLBACKS,
    "Holds, processes": HOLDS,
    "Webhooks": WEBHOOKS,
}


def dashboard_text() -> str:
    """Return the dashboard as JSON with sorted keys, so that equal panels give equal text."""
    builder = _empty()
    number = 0
    for title, panels in ROWS.items():
        number += 1
        builder.with_row(dashboard.Row(title).id(number))
        for panel in panels:
            number += 1
            builder.with_panel((_stat(panel) if isinstance(panel, Stat) else _graph(panel)).id(number))
    return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _empty() -> dashboard.Dashboard:
    """Return a dashboard without panels, with selectors for data source and system at the top."""
    job = (
        dashboard.QueryVariable("job")
        .label("Installation")
        .datasource(_SOURCE)
        .query("label_values(bulkfax_rate_limit_per_second, job)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
    return (
        dashboard.Dashboard("bulkfax")
        .uid("bulkfax")
        .description("Queue-backed bulk fax dispatch: throughput, jobs, failures, provider, callbacks and holds.")
        .tags(["bulkfax"])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(job)
    )


def _query(line: Line, number: int) -> prometheus.Dataquery:
    letter = chr(ord("A") + number)
    return prometheus.Dataquery().expr(line.expr).legend_format(line.legend).ref_id(letter).datasource(_SOURCE)


def _stat(panel: Stat) -> stat.Panel:
    steps = [models.Threshold(value=None, color="green")]
    if panel.red_from is not None:
        steps.append(models.Threshold(value=panel.red_from, color="red"))
    return (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(Line(expr=panel.expr, legend=panel.title), 0))
        .span(panel.width)
        .height(_STAT_HEIGHT)
    )


def _graph(graph: Graph) -> timeseries.Panel:
    stacking = shapes.StackingMode.NORMAL if graph.stacked else shapes.StackingMode.NONE
    panel = (
        timeseries.Panel()
        .title(graph.title)
        .description(graph.description)
        .datasource(_SOURCE)
        .unit(graph.unit)
        .min(0)
        .fill_opacity(30 if graph.stacked else 0)
        .stacking(common.StackingConfig().mode(stacking))
        .legend(common.VizLegendOptions().show_legend(True).display_mode(shapes.LegendDisplayMode.LIST))
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .span(graph.width)
        .height(_GRAPH_HEIGHT)
    )
    for number, line in enumerate(graph.lines):
        panel.with_target(_query(line, number))
    return panel


if __name__ == "__main__":
    TARGET.write_text(dashboard_text(), encoding="utf-8")
