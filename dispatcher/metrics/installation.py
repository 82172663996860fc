"""Defines all metrics and exposes them to Prometheus.

All values come from Redis, where a script counts an event in the same step in which it changes the job. They are
therefore correct with any number of processes, survive restarts, and are the same in every web process. Aggregate them
over instances with ``max``, never with ``sum``.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher.core.durability import Answer
from dispatcher.core.histograms import CALLBACK_LAG, FINAL, FIRST_ATTEMPT, SUBMIT, Histogram
from dispatcher.core.job import JOB_STATES, State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.prices import UNITS
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES, HTTP
from dispatcher.core.settlement.endings import final_pairs, hold_pairs
from dispatcher.core.suppressions import SOURCES
from dispatcher.core.webhooks import DeliveryResult
from dispatcher.service.attempt_counts import OTHER_CODE, RESULTS
from dispatcher.service.running_batches import MAX_BATCHES, BatchFigures
from dispatcher.service.snapshot import Snapshot, Totals, snapshot
from dispatcher.store.codec import NO_COUNTRY_CODE, category_name, country_name, type_name
from dispatcher.store.store import Store

#: outcomes of an attempt
OUTCOMES = ("accepted", "refused", "rate_limited", "not_sent", "unclear", "missed_slot")
#: HTTP statuses that the provider documents; none: no answer came
_STATUSES = ("200", *sorted({str(code) for kind, code in RULES if kind == HTTP and code}), "none")
_CATEGORIES = tuple((category,) for category in CATEGORIES if category)
#: currencies that the provider charges in; others appear with the first fax that costs them
_CURRENCIES = ("EUR", "USD")


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter, stored in the totals under ``source``. It has one series for each combination of label values."""

    name: str
    help: str
    labels: tuple[str, ...]
    source: str
    #: series that exist from the start, so that ``increase()`` includes their first increment
    known: tuple[tuple[str, ...], ...] = ()
    #: the stored number of one unit of the metric
    per_unit: int = 1


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
    Counter(
        "bulkfax_retries_scheduled_total",
        "Failures after which a job waits for another attempt, or for the end of a hold, by category",
        ("category",),
        "retries_scheduled",
        _CATEGORIES,
    ),
    Counter(
        "bulkfax_retries_total",
        "Attempts after a failure that ended, by category of that failure and by result",
        ("category", "result"),
        "retries",
        tuple((*category, result) for category in _CATEGORIES for result in RESULTS),
    ),
    Counter(
        "bulkfax_failure_codes_total",
        "Failures by the provider's error type and code, or by HTTP status; other: a code that is not documented",
        ("error_type", "error_code"),
        "failure_codes",
        (*((kind, str(code)) for kind, code in RULES), *((kind, OTHER_CODE) for kind in ERROR_TYPES if kind)),
    ),
    Counter("bulkfax_pages_total", "Pages that arrived", (), "pages", ((),)),
    Counter(
        "bulkfax_cost_total",
        "What the provider charged for faxes, in units of the currency",
        ("currency",),
        "cost",
        tuple((currency,) for currency in _CURRENCIES),
        UNITS,
    ),
    Counter("bulkfax_drafts_expired_total", "Drafts that expired: nobody started them", (), "drafts_ended", ((),)),
    Counter("bulkfax_doubled_total", "Jobs for which the provider accepted two faxes", (), "doubled", ((),)),
)


#: with their help texts
_HISTOGRAMS = (
    (SUBMIT, "Duration of POST /faxes, until the answer"),
    (FIRST_ATTEMPT, "Time from the start of the batch to the first attempt of a job"),
    (FINAL, "Time from the start of the batch until a job is delivered or has failed for good"),
    (CALLBACK_LAG, "Time from the end of a fax, as the provider tells it, until its callback is settled"),
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
        return SnapshotCollector(replace(current, totals=self.forward(probes_apart(current.totals))))

    def forward(self, totals: Totals) -> Totals:
        """Return totals that never decrease: what one has lost is added. Gauges may decrease."""
        for field, before in self._last.items():
            back = before - totals.get(field, 0)
            if back > 0 and field[0] not in _GAUGES:
                self._lost[field] = self._lost.get(field, 0) + back
        self._last = totals
        return dict(totals) | {field: totals.get(field, 0) + lost for field, lost in self._lost.items()}


class SnapshotCollector(Collector):
    """The metrics of a snapshot."""

    def __init__(self, current: Snapshot) -> None:
        self._current = current

    def collect(self) -> Iterator[Metric]:
        totals = self._current.totals
        yield from (_counter(counter, totals) for counter in COUNTERS)
        yield from _finals(totals)
        yield _jobs(totals)
        yield _suppressions(totals)
        yield _countries(totals)
        yield from (_histogram(histogram, text, totals) for histogram, text in _HISTOGRAMS)
        yield from _gauges(self._current)


def _counter(counter: Counter, totals: Totals) -> Metric:
    values = dict.fromkeys(counter.known, 0)
    labels = len(counter.labels) + 1
    values |= {key[1:]: value for key, value in totals.items() if key[0] == counter.source and len(key) == labels}
    units = {key: value / counter.per_unit for key, value in values.items()}
    return _family(counter.name, counter.help, counter.labels, units)


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


def _family(name: str, text: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]) -> Metric:
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


def _countries(totals: Totals) -> Metric:
    """Return the ended attempts by country. Those of a country exist from the first upload with its numbers."""
    values: dict[tuple[str, ...], int] = {}
    for key, value in totals.items():
        if key[0] == "countries" and len(key) == 3 and key[1].isdecimal() and int(key[1]) <= NO_COUNTRY_CODE:
            values[country_name(int(key[1])) or "none", key[2]] = value
    text = "Attempts that delivered or failed, by country of the number; none: not known"
    return _family("bulkfax_country_attempts_total", text, ("country", "result"), values)


def _histogram(histogram: Histogram, text: str, totals: Totals) -> Metric:
    metric = HistogramMetricFamily(f"bulkfax_{histogram.name}", text)
    metric.add_metric((), histogram.buckets(totals), histogram.sum_s(totals))
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
    yield from _redis(current)
    yield from _batches(current.batches)
    yield GaugeMetricFamily(
        "bulkfax_webhook_lag_seconds",
        "Age of the oldest event that an enabled webhook endpoint has not got",
        current.webhooks.lag_s,
    )


def _redis(current: Snapshot) -> Iterable[Metric]:
    """Yield how Redis is. What it does not tell is not a number."""
    used, limit = (math.nan if n is None else n for n in (current.redis.memory, current.redis.memory_limit))
    yield GaugeMetricFamily("bulkfax_redis_memory_bytes", "Memory that Redis uses", used)
    yield GaugeMetricFamily("bulkfax_redis_memory_limit_bytes", "Memory that Redis may use (maxmemory); 0: any", limit)
    text = "1 for the answer to whether Redis is as durable as BULKFAX_REDIS_DURABILITY says"
    levels = {answer.value: int(answer is current.redis.durability) for answer in Answer}
    yield _by("level", "bulkfax_redis_durability", text, levels)
    text = "Duration of one command to Redis, from this web process"
    yield GaugeMetricFamily("bulkfax_redis_round_trip_seconds", text, current.round_trip_s)


#: states of jobs in the metrics of a batch: fewer than there are, because each is a series of each batch
_GROUPS: Mapping[str, Sequence[State]] = {
    "waiting": (State.WAITING, State.LEASED),
    "in_flight": (State.SENDING, State.ACCEPTED),
    "delivered": (State.DELIVERED, State.DELIVERED_UNCONFIRMED),
    "failed": (State.FAILED,),
    "stopped": (State.CANCELLED, State.EXPIRED),
}


def _batches(batches: Sequence[BatchFigures]) -> Iterable[Metric]:
    text = f"Running batches, up to {MAX_BATCHES}, which the metrics bulkfax_batch_... tell of"
    yield GaugeMetricFamily("bulkfax_batches_running", text, len(batches))
    jobs = GaugeMetricFamily("bulkfax_batch_jobs", "Jobs of a running batch, by state", labels=("batch", "state"))
    for batch in batches:
        for group, states in _GROUPS.items():
            jobs.add_metric((batch.batch, group), sum(batch.jobs.get(state, 0) for state in states))
    yield jobs
    text = "Jobs of a running batch that ended per second in the last minute"
    yield _by("batch", "bulkfax_batch_rate_per_second", text, {batch.batch: batch.rate for batch in batches})
    text = "Time until a running batch will have ended, without regard to its deadline; NaN: nobody can say"
    yield _by("batch", "bulkfax_batch_eta_seconds", text, {batch.batch: batch.end_s for batch in batches})
    text = "Time until the deadline of a running batch, +Inf without one"
    yield _by("batch", "bulkfax_batch_deadline_seconds", text, {batch.batch: batch.deadline_s for batch in batches})


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
