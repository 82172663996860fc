"""Defines all metrics and exposes them to Prometheus.

All values come from Redis, where a script counts an event in the same step in which it changes the job. They are
therefore correct with any number of processes, survive restarts, and are the same in every web process. Aggregate them
over instances with ``max``, never with ``sum``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher.core.job import JOB_STATES, State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES, HTTP
from dispatcher.core.settlement.endings import final_pairs, hold_pairs
from dispatcher.core.suppressions import SOURCES
from dispatcher.core.webhooks import DeliveryResult
from dispatcher.service.sending import SUBMIT_BUCKETS_S
from dispatcher.service.snapshot import Snapshot, Totals, snapshot
from dispatcher.store.codec import category_name, type_name
from dispatcher.store.store import Store

#: outcomes of an attempt
OUTCOMES = ("accepted", "refused", "rate_limited", "not_sent", "unclear", "missed_slot")
#: HTTP statuses that the provider documents; none: no answer came
_STATUSES = ("200", *sorted({str(code) for kind, code in RULES if kind == HTTP and code}), "none")
_CATEGORIES = tuple((category,) for category in CATEGORIES if category)


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter, stored in the totals under ``source``. It has one series for each combination of label values."""

    name: str
    help: str
    labels: tuple[str, ...]
    source: str
    #: series that exist from the start, so that ``increase()`` includes their first increment
    known: tuple[tuple[str, ...], ...] = ()


COUNTERS: Sequence[Counter] = (
    Counter(
        "bulkfax_attempts_total",
        "POST /faxes attempts by outcome, without probes of holds",
        ("outcome",),
        "attempts",
        tuple((outcome,) for outcome in OUTCOMES),
    ),
    Counter(
        "bulkfax_probes_total",
        "POST /faxes attempts that probed whether a hold may end, by outcome",
        ("outcome",),
        "probes",
        tuple((outcome,) for outcome in OUTCOMES),
    ),
    Counter(
        "bulkfax_attempts_unended_total",
        "Attempts whose send deadline passed without an outcome: the worker ended, or could not store it",
        (),
        "attempts_unended",
        ((),),
    ),
    Counter(
        "bulkfax_provider_responses_total",
        "Answers of the provider to POST /faxes, by HTTP status; none: no answer came",
        ("status",),
        "provider_responses",
        tuple((status,) for status in _STATUSES),
    ),
    Counter(
        "bulkfax_failures_total",
        "Failed, refused and vanished attempts, by category",
        ("category",),
        "failures",
        _CATEGORIES,
    ),
    Counter(
        "bulkfax_first_calls_total",
        "First calls to recipients that ended, by category of the failure; none: delivered",
        ("category",),
        "first_calls",
        (("none",), *_CATEGORIES),
    ),
    Counter(
        "bulkfax_callbacks_total",
        "Callbacks, by result",
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
    Counter("bulkfax_holds_opened_total", "Holds opened, by category", ("category",), "holds", _CATEGORIES),
    Counter(
        "bulkfax_lost_writes_faxes_total",
        "Faxes at the provider that Redis had lost: adopted by their job, or the second of an attempt (accepted_twice)",
        ("result",),
        "lost_writes",
        (("adopted",), ("accepted_twice",)),
    ),
    Counter(
        "bulkfax_dead_numbers_total",
        "Calls that proved a number dead: it is on the do-not-fax list now (added), or too many are dead (not_added)",
        ("result",),
        "dead_numbers",
        (("added",), ("not_added",)),
    ),
    Counter(
        "bulkfax_webhook_deliveries_total",
        "Attempts to deliver events to webhook endpoints, by result",
        ("result",),
        "webhook_deliveries",
        tuple((result.value,) for result in DeliveryResult),
    ),
    Counter("bulkfax_drafts_expired_total", "Drafts that expired: nobody started them", (), "drafts_ended", ((),)),
    Counter("bulkfax_doubled_total", "Jobs for which the provider accepted two faxes", (), "doubled", ((),)),
)


#: totals that may decrease: they count what there is, and not what happened
_GAUGES = frozenset({"jobs", "suppressions"})


class Exposition:
    """Renders the metrics as text for Prometheus. Create one per process: its counters never go back.

    The counters in Redis go back when Redis loses writes. ``increase()`` would treat that as a restart and count
    everything again.
    """

    def __init__(self) -> None:
        self._last: Totals = {}
        self._lost: dict[tuple[str, ...], int] = {}

    async def text(self, store: Store, max_in_flight: int) -> bytes:
        """Return the exposition. ``max_in_flight`` is the limit of the settings. Raises StoreError."""
        return generate_latest(await self.collector(store, max_in_flight))

    async def collector(self, store: Store, max_in_flight: int) -> Collector:
        """Return the same metrics, not yet as text. Raises StoreError."""
        current = await snapshot(store, max_in_flight)
        return _Snapshot(replace(current, totals=self.forward(probes_apart(current.totals))))

    def forward(self, totals: Totals) -> Totals:
        """Return totals that never decrease: what one has lost is added. Gauges may decrease."""
        for field, before in self._last.items():
            back = before - totals.get(field, 0)
            if back > 0 and field[0] not in _GAUGES:
                self._lost[field] = self._lost.get(field, 0) + back
        self._last = totals
        return dict(totals) | {field: totals.get(field, 0) + lost for field, lost in self._lost.items()}


class _Snapshot(Collector):
    def __init__(self, current: Snapshot) -> None:
        self._current = current

    def collect(self) -> Iterator[Metric]:
        totals = self._current.totals
        yield from (_counter(counter, totals) for counter in COUNTERS)
        yield from _finals(totals)
        yield _jobs(totals)
        yield _suppressions(totals)
        yield _submit_seconds(totals)
        yield from _gauges(self._current)


def _counter(counter: Counter, totals: Totals) -> Metric:
    values = dict.fromkeys(counter.known, 0)
    labels = len(counter.labels) + 1
    values |= {key[1:]: value for key, value in totals.items() if key[0] == counter.source and len(key) == labels}
    return _family(counter.name, counter.help, counter.labels, values)


def probes_apart(totals: Totals) -> Totals:
    """Return the totals with probes subtracted from the attempts."""
    return {
        key: value - totals.get(("probes", *key[1:]), 0) if key[0] == "attempts" else value
        for key, value in totals.items()
    }


def _finals(totals: Totals) -> Iterator[Metric]:
    """Yield the jobs that ended, by state and category, and by error type. All series exist from the start."""
    states: dict[tuple[str, ...], int] = {(state.label, category or "none"): 0 for state, category in final_pairs()}
    types: dict[tuple[str, ...], int] = {(kind or "none",): 0 for kind in ERROR_TYPES}
    for key, value in totals.items():
        if key[0] == "final" and (ended := _ended(key)):
            state, category, error_type = ended
            pair = state.label, category_name(category) or "none"
            states[pair] = states.get(pair, 0) + value
            types[(type_name(error_type) or "none",)] += value
    yield _family("bulkfax_jobs_final_total", "Jobs that ended", ("state", "category"), states)
    text = "Jobs that ended, by error type of the last failure; none: without a failure"
    yield _family("bulkfax_job_error_types_total", text, ("error_type",), types)


def _ended(key: tuple[str, ...]) -> tuple[State, int, int] | None:
    """Return state, category and error type of a total of jobs that ended; None if its field cannot be read."""
    try:
        state, category, error_type = map(int, key[1].split(":"))
        return State(state), category, error_type
    except (ValueError, IndexError):
        return None


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


def _suppressions(totals: Totals) -> Metric:
    text = "Entries of the do-not-fax list, by source; a dead number that expired is remembered for a year"
    counts = {source.value: totals.get(("suppressions", source.value), 0) for source in SOURCES}
    return _by("source", "bulkfax_suppressions", text, counts)


def _submit_seconds(totals: Totals) -> Metric:
    metric = HistogramMetricFamily("bulkfax_submit_seconds", "Duration of POST /faxes, until the answer")
    buckets, count = [], 0
    for bound in (*map(str, SUBMIT_BUCKETS_S), "+Inf"):
        count += totals.get(("submit_seconds", bound), 0)
        buckets.append((bound, float(count)))
    metric.add_metric((), buckets, totals.get(("submit_seconds", "sum_us"), 0) / 1e6)
    return metric


def _gauges(current: Snapshot) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "bulkfax_rate_used_ratio",
        "Share of the account's limit that was used in the last 10 s",
        current.used_ratio,
    )
    yield GaugeMetricFamily(
        "bulkfax_rate_limit_per_second", "The account's limit, in requests per second", current.ceiling
    )
    yield GaugeMetricFamily(
        "bulkfax_rate_per_second",
        "The current rate, which answers with 429 lower, in requests per second",
        current.rate,
    )
    yield _by(
        "period", "bulkfax_allowance_requests", "Maximum requests per minute and per day, if limited", current.limits
    )
    yield _by("period", "bulkfax_allowance_used_requests", "Requests that count against this limit now", current.used)
    yield GaugeMetricFamily(
        "bulkfax_next_permit_seconds", "Time until the next request may be sent", current.next_permit_s
    )
    reasons = {reason.value: int(reason is current.limited_by) for reason in LimitedBy}
    yield _by("reason", "bulkfax_limited_by", "1 for the reason that limits sending now", reasons)
    yield from _work(current)
    yield _holds(current)
    yield _by("state", "bulkfax_in_flight", "Jobs in flight, by watch set", current.in_flight)
    yield _by(
        "process",
        "bulkfax_last_seen_seconds",
        "Time since the last sign of life of any process of this kind",
        current.last_seen_s,
    )
    yield GaugeMetricFamily("bulkfax_worker_processes", "Live worker processes", current.workers_alive)
    text = "Webhook endpoints: enabled ones, those disabled because their deliveries failed, or by somebody"
    yield _by("state", "bulkfax_webhook_endpoints", text, current.webhooks.endpoints)
    yield GaugeMetricFamily(
        "bulkfax_webhook_lag_seconds",
        "Age of the oldest event that an enabled webhook endpoint has not got",
        current.webhooks.lag_s,
    )


def _work(current: Snapshot) -> Iterable[Metric]:
    """Yield how much work there is, and how long it has been waiting."""
    # counts the first 1,000 batches with work (snapshot.py)
    text = "Jobs that are due and not begun, without drafts, paused, scheduled and held batches and held jobs"
    yield GaugeMetricFamily("bulkfax_jobs_due", text, current.due)
    text = "Jobs that are due but stopped by a hold of the batch, document, country or job"
    yield GaugeMetricFamily("bulkfax_jobs_due_held", text, current.due_held)
    yield GaugeMetricFamily(
        "bulkfax_oldest_due_seconds", "How long the oldest due job has been due", current.oldest_due_s
    )
    yield GaugeMetricFamily("bulkfax_open_drafts", "Batches that nobody has started", current.drafts)
    yield GaugeMetricFamily("bulkfax_inbox_events", "Callbacks that are stored but not settled", current.inbox)
    yield GaugeMetricFamily(
        "bulkfax_oldest_inbox_event_seconds", "Age of the oldest callback in the inbox", current.oldest_event_s
    )
    yield GaugeMetricFamily(
        "bulkfax_unclear_attempts",
        "Unclear attempts that are searched for at the provider",
        current.in_flight["unclear"],
    )
    yield GaugeMetricFamily(
        "bulkfax_oldest_unclear_seconds",
        "How long ago the oldest attempt that is unclear now began",
        current.oldest_unclear_s,
    )


def _holds(current: Snapshot) -> Metric:
    metric = GaugeMetricFamily("bulkfax_holds", "Holds in force", labels=("kind", "category"))
    holds = dict.fromkeys(hold_pairs(), 0) | dict(current.holds)
    for pair in sorted(holds):
        metric.add_metric(pair, holds[pair])
    return metric


def _by(label: str, name: str, text: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in values.items():
        metric.add_metric((value,), number)
    return metric
