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

from dispatcher.core.allowance import used
from dispatcher.core.failures import CATEGORIES, Category
from dispatcher.core.job import JOB_STATES, State
from dispatcher.core.limits import LimitedBy
from dispatcher.core.pacing import next_us, used_ratio
from dispatcher.service.limits import what_limits
from dispatcher.service.sending import SUBMIT_BUCKETS_S
from dispatcher.store.codec import category_name, type_name
from dispatcher.store.store import Store

Totals = Mapping[tuple[str, ...], int]


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
        "Ends of POST /faxes by what they mean",
        ("outcome",),
        "attempts",
        tuple((o,) for o in ("accepted", "refused", "rate_limited", "not_sent", "unclear", "missed_slot")),
    ),
    Counter(
        "bulkfax_provider_responses_total",
        "Answers of the provider to POST /faxes by HTTP status; none: no answer came",
        ("status",),
        "provider_responses",
        (("200",), ("429",), ("500",), ("none",)),
    ),
    Counter(
        "bulkfax_failures_total",
        "Failed, refused and vanished attempts",
        ("category",),
        "failures",
        tuple((category,) for category in CATEGORIES if category),
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
    Counter(
        "bulkfax_holds_total",
        "Holds opened",
        ("category",),
        "holds",
        tuple((category,) for category in CATEGORIES if category),
    ),
    Counter(
        "bulkfax_lost_writes_faxes_total",
        "Faxes at the provider that Redis had lost: adopted, or a second one of an attempt (accepted_twice)",
        ("result",),
        "lost_writes",
        (("adopted",), ("accepted_twice",)),
    ),
    Counter("bulkfax_doubled_total", "Jobs for which the provider accepted two faxes", (), "doubled", ((),)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that the metrics are made of, read at one moment."""

    totals: Totals
    in_flight: Mapping[str, int]
    inbox: int
    holds: int
    rolled_back: bool
    rate: float
    ceiling: float
    used_ratio: float
    #: limits of longer times by period, and what is used of them
    limits: Mapping[str, int]
    used: Mapping[str, int]
    next_permit_s: float
    limited_by: LimitedBy | None


async def snapshot(store: Store, max_in_flight: int) -> Snapshot:
    """Raises StoreError."""
    pace = await store.limiter.pace()
    now_us = await store.clock.now_ms() * 1000
    holds = await store.holds.all()
    return Snapshot(
        totals=await store.totals.all(),
        in_flight=await store.dispatch.sizes(),
        inbox=await store.inbox.depth(),
        holds=len(holds),
        rolled_back=any(hold.category == Category.RECORD_ROLLED_BACK for hold in holds),
        rate=pace.rate,
        ceiling=pace.ceiling,
        used_ratio=used_ratio(pace, now_us) if pace.ceiling else 0.0,
        limits={one.period: one.limit for one in pace.allowances},
        used={one.period: used(one, now_us) for one in pace.allowances},
        next_permit_s=max(0, next_us(pace, now_us) - now_us) / 1_000_000,
        limited_by=(await what_limits(store, max_in_flight=max_in_flight)).account,
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
        registry.register(_Snapshot(replace(taken, totals=self.forward(taken.totals))))
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
        yield _finals(totals)
        yield _jobs(totals)
        yield _submit_seconds(totals)
        yield from _gauges(self._taken)


def _counter(counter: Counter, totals: Totals) -> Metric:
    metric = CounterMetricFamily(counter.name, counter.help, labels=counter.labels)
    values = dict.fromkeys(counter.known, 0)
    values |= {key[1:]: value for key, value in totals.items() if key[0] == counter.source}
    for labels, value in sorted(values.items()):
        metric.add_metric(labels, value)
    return metric


def _finals(totals: Totals) -> Metric:
    labels = ("state", "category", "error_type")
    metric = CounterMetricFamily("bulkfax_jobs_final_total", "Jobs that ended", labels=labels)
    sums: dict[tuple[str, str, str], int] = {}
    for key, value in totals.items():
        if key[0] == "final":
            state, category, error_type = map(int, key[1].split(":"))
            names = (State(state).label, category_name(category) or "none", type_name(error_type) or "none")
            sums[names] = sums.get(names, 0) + value
    for names, value in sums.items():
        metric.add_metric(names, value)
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
    yield GaugeMetricFamily("bulkfax_rate_used_ratio", "Permits granted against the account's limit", taken.used_ratio)
    yield GaugeMetricFamily("bulkfax_rate_limit", "The account's limit, faxes per second", taken.ceiling)
    yield GaugeMetricFamily("bulkfax_rate", "The rate now, after cuts by 429, faxes per second", taken.rate)
    yield _by("period", "bulkfax_allowance", "Most requests in a minute, in a day, if limited", taken.limits)
    yield _by("period", "bulkfax_allowance_used", "Requests that count against that limit now", taken.used)
    yield GaugeMetricFamily(
        "bulkfax_next_permit_seconds", "Time until the next request may be sent", taken.next_permit_s
    )
    words = {word.value: int(word is taken.limited_by) for word in LimitedBy}
    yield _by("reason", "bulkfax_limited_by", "1 for what limits sending now", words)
    yield GaugeMetricFamily("bulkfax_inbox_events", "Callbacks stored and not yet settled", taken.inbox)
    yield GaugeMetricFamily("bulkfax_holds", "Holds in force", taken.holds)
    yield GaugeMetricFamily(
        "bulkfax_record_rolled_back", "1 while sending is held because Redis has lost writes", int(taken.rolled_back)
    )
    yield _by("state", "bulkfax_in_flight", "Jobs under a deadline in the watch sets", taken.in_flight)


def _by(label: str, name: str, text: str, values: Mapping[str, int]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in values.items():
        metric.add_metric((value,), number)
    return metric
