"""Every metric, in one table, and their exposition.

All of them come from Redis, where the scripts count in the same step in which they change a job. So they are right
with any number of processes, survive restarts, and are the same from whichever web process they are read: aggregate
them over instances with ``max``, never with ``sum``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher.core.job import JOB_STATES, State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES
from dispatcher.core.settlement.endings import final_pairs, hold_pairs
from dispatcher.service.sending import SUBMIT_BUCKETS_S
from dispatcher.service.snapshot import Snapshot, Totals, snapshot
from dispatcher.store.codec import category_name, type_name
from dispatcher.store.store import Store

#: what may become of an attempt
OUTCOMES = ("accepted", "refused", "rate_limited", "not_sent", "unclear", "missed_slot")
#: statuses that the provider documents; none: no answer came
_STATUSES = ("200", *sorted({str(code) for kind, code in RULES if kind == "http" and code}), "none")
_CATEGORIES = tuple((category,) for category in CATEGORIES if category)


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter kept under ``source`` in the totals, one series for each combination of its labels."""

    name: str
    help: str
    labels: tuple[str, ...]
    source: str
    #: series that exist from the start, so that their first increment is seen
    known: tuple[tuple[str, ...], ...] = ()


COUNTERS: Sequence[Counter] = (
    Counter(
        "bulkfax_attempts_total",
        "Ends of POST /faxes by what they mean, those of probes left out",
        ("outcome",),
        "attempts",
        tuple((outcome,) for outcome in OUTCOMES),
    ),
    Counter(
        "bulkfax_probes_total",
        "Ends of POST /faxes that were to find out whether a hold may end",
        ("outcome",),
        "probes",
        tuple((outcome,) for outcome in OUTCOMES),
    ),
    Counter(
        "bulkfax_attempts_unended_total",
        "Attempts whose send deadline passed without an end: their worker ended, or could not write it down",
        (),
        "attempts_unended",
        ((),),
    ),
    Counter(
        "bulkfax_provider_responses_total",
        "Answers of the provider to POST /faxes by HTTP status; none: no answer came",
        ("status",),
        "provider_responses",
        tuple((status,) for status in _STATUSES),
    ),
    Counter(
        "bulkfax_failures_total",
        "Failed, refused and vanished attempts",
        ("category",),
        "failures",
        _CATEGORIES,
    ),
    Counter(
        "bulkfax_first_calls_total",
        "First calls to recipients that ended, by the category of their failure; none: delivered",
        ("category",),
        "first_calls",
        (("none",), *_CATEGORIES),
    ),
    Counter(
        "bulkfax_callbacks_total",
        "Callbacks and what became of them",
        ("result",),
        "callbacks",
        tuple(
            (result,)
            for result in (
                *("settled", "repeated", "forged", "unreadable", "incoming", "other", "failed"),
                *("mismatched", "deferred", "unconfirmed"),
            )
        ),
    ),
    Counter("bulkfax_holds_opened_total", "Holds opened", ("category",), "holds", _CATEGORIES),
    Counter(
        "bulkfax_lost_writes_faxes_total",
        "Faxes at the provider that Redis had lost: adopted, or a second one of an attempt (accepted_twice)",
        ("result",),
        "lost_writes",
        (("adopted",), ("accepted_twice",)),
    ),
    Counter("bulkfax_doubled_total", "Jobs for which the provider accepted two faxes", (), "doubled", ((),)),
)


class Exposition:
    """The metrics as text for Prometheus. One for each process: its counters never go back.

    Those in Redis do when Redis loses writes, and ``increase()`` would take that for a restart and count all of them
    once more.
    """

    def __init__(self) -> None:
        self._last: Totals = {}
        self._lost: dict[tuple[str, ...], int] = {}

    async def text(self, store: Store, max_in_flight: int) -> bytes:
        """``max_in_flight`` is the settings' limit. Raises StoreError."""
        taken = await snapshot(store, max_in_flight)
        registry = CollectorRegistry()
        registry.register(_Snapshot(replace(taken, totals=self.forward(probes_apart(taken.totals)))))
        return generate_latest(registry)

    def forward(self, totals: Totals) -> Totals:
        """Totals with what they were higher before. Jobs by state are no counter."""
        for field, before in self._last.items():
            back = before - totals.get(field, 0)
            if back > 0 and field[0] != "jobs":
                self._lost[field] = self._lost.get(field, 0) + back
        self._last = totals
        return dict(totals) | {field: totals.get(field, 0) + lost for field, lost in self._lost.items()}


class _Snapshot(Collector):
    def __init__(self, taken: Snapshot) -> None:
        self._taken = taken

    def collect(self) -> Iterator[Metric]:
        totals = self._taken.totals
        yield from (_counter(counter, totals) for counter in COUNTERS)
        yield from _finals(totals)
        yield _jobs(totals)
        yield _submit_seconds(totals)
        yield from _gauges(self._taken)


def _counter(counter: Counter, totals: Totals) -> Metric:
    values = dict.fromkeys(counter.known, 0)
    values |= {key[1:]: value for key, value in totals.items() if key[0] == counter.source}
    return _family(counter.name, counter.help, counter.labels, values)


def probes_apart(totals: Totals) -> Totals:
    """Attempts without those that are counted as probes."""
    return {
        key: value - totals.get(("probes", *key[1:]), 0) if key[0] == "attempts" else value
        for key, value in totals.items()
    }


def _finals(totals: Totals) -> Iterator[Metric]:
    """Jobs that ended, by state and category, and by the error type of their last failure. Every one of both is there
    from the start."""
    states: dict[tuple[str, ...], int] = {(state.label, category or "none"): 0 for state, category in final_pairs()}
    types: dict[tuple[str, ...], int] = {(kind or "none",): 0 for kind in ERROR_TYPES}
    for key, value in totals.items():
        if key[0] == "final":
            state, category, error_type = map(int, key[1].split(":"))
            pair = State(state).label, category_name(category) or "none"
            states[pair] = states.get(pair, 0) + value
            types[(type_name(error_type) or "none",)] += value
    yield _family("bulkfax_jobs_final_total", "Jobs that ended", ("state", "category"), states)
    text = "Jobs that ended, by the error type of their last failure; none: without a failure"
    yield _family("bulkfax_job_error_types_total", text, ("error_type",), types)


def _family(name: str, text: str, labels: Sequence[str], values: Mapping[tuple[str, ...], int]) -> Metric:
    metric = CounterMetricFamily(name, text, labels=labels)
    for value in sorted(values):
        metric.add_metric(value, values[value])
    return metric


def _jobs(totals: Totals) -> Metric:
    metric = GaugeMetricFamily("bulkfax_jobs", "Jobs by state", labels=("state",))
    for state in JOB_STATES:
        metric.add_metric((state.label,), totals.get(("jobs", str(int(state))), 0))
    return metric


def _submit_seconds(totals: Totals) -> Metric:
    metric = HistogramMetricFamily("bulkfax_submit_seconds", "Time of POST /faxes, from the slot to the answer")
    buckets, count = [], 0
    for bound in (*map(str, SUBMIT_BUCKETS_S), "+Inf"):
        count += totals.get(("submit_seconds", bound), 0)
        buckets.append((bound, float(count)))
    metric.add_metric((), buckets, totals.get(("submit_seconds", "sum_us"), 0) / 1e6)
    return metric


def _gauges(taken: Snapshot) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "bulkfax_rate_used_ratio",
        "Slots of the last 10 s that were granted, against the account's limit",
        taken.used_ratio,
    )
    yield GaugeMetricFamily("bulkfax_rate_limit", "The account's limit, faxes per second", taken.ceiling)
    yield GaugeMetricFamily("bulkfax_rate", "The rate now, after cuts by 429, faxes per second", taken.rate)
    yield _by("period", "bulkfax_allowance", "Most requests in a minute, in a day, if limited", taken.limits)
    yield _by("period", "bulkfax_allowance_used", "Requests that count against that limit now", taken.used)
    yield GaugeMetricFamily(
        "bulkfax_next_permit_seconds", "Time until the next request may be sent", taken.next_permit_s
    )
    words = {word.value: int(word is taken.limited_by) for word in LimitedBy}
    yield _by("reason", "bulkfax_limited_by", "1 for what limits sending now", words)
    yield from _work(taken)
    yield _holds(taken)
    yield _by("state", "bulkfax_in_flight", "Jobs under a deadline in the watch sets", taken.in_flight)
    yield _by(
        "process", "bulkfax_last_seen_seconds", "Time since the last sign of life of any of them", taken.last_seen_s
    )
    yield GaugeMetricFamily("bulkfax_worker_processes", "Worker processes that live", taken.workers_alive)


def _work(taken: Snapshot) -> Iterable[Metric]:
    """What there is to do, and for how long."""
    # of the first 1,000 batches with work (snapshot.py)
    text = "Jobs that are due and not begun; not those of drafts, pauses, later starts and holds of their own"
    yield GaugeMetricFamily("bulkfax_jobs_due", text, taken.due)
    text = "Jobs that are due but for a hold of their batch, document, country or own"
    yield GaugeMetricFamily("bulkfax_jobs_due_held", text, taken.due_held)
    yield GaugeMetricFamily("bulkfax_oldest_due_seconds", "For how long the oldest due job is due", taken.oldest_due_s)
    yield GaugeMetricFamily("bulkfax_inbox_events", "Callbacks stored and not yet settled", taken.inbox)
    yield GaugeMetricFamily("bulkfax_oldest_inbox_event_seconds", "Age of the oldest of them", taken.oldest_event_s)
    yield GaugeMetricFamily(
        "bulkfax_unclear_attempts", "Attempts of unclear end that are looked for", taken.in_flight["unclear"]
    )
    yield GaugeMetricFamily(
        "bulkfax_oldest_unclear_seconds", "For how long the oldest of them is looked for", taken.oldest_unclear_s
    )


def _holds(taken: Snapshot) -> Metric:
    metric = GaugeMetricFamily("bulkfax_holds", "Holds in force", labels=("kind", "category"))
    holds = dict.fromkeys(hold_pairs(), 0) | dict(taken.holds)
    for pair in sorted(holds):
        metric.add_metric(pair, holds[pair])
    return metric


def _by(label: str, name: str, text: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in values.items():
        metric.add_metric((value,), number)
    return metric
