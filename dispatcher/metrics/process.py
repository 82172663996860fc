"""The metrics of a process: what it uses, what it does, and how long that takes.

Every sample has the label ``process``, because a worker service answers for several processes. Series exist at 0 from
the start, so that ``increase()`` includes their first increment. Labels never contain numbers, names, hosts or URLs.
"""

import asyncio
import platform
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher.logs import LEVELS, lines_logged
from dispatcher.service.callbacks import CallbackResult
from dispatcher.service.permits import ReadKind, ReadPermits, ReadResult
from dispatcher.sinch.auth import TokenResult
from dispatcher.sinch.client import FaxClient
from dispatcher.store.store import Store

#: seconds between two measurements of the event loop
_LAG_INTERVAL_S = 0.5
#: upper bounds of the histograms, in seconds; few, because every bucket of every label value is a series
_LAG_BUCKETS_S = (0.005, 0.025, 0.1, 0.5, 2.5)
_REQUEST_BUCKETS_S = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
_CALLBACK_BUCKETS_S = (0.002, 0.01, 0.05, 0.25, 1.0, 5.0)
_WORK_BUCKETS_S = (0.01, 0.1, 0.5, 2.5, 10.0, 30.0)
_TURN_BUCKETS_S = (0.005, 0.025, 0.1, 0.5, 2.5)
#: classes of HTTP statuses: exact ones would be series that do not exist before their first increment
_STATUSES = ("2xx", "3xx", "4xx", "5xx")
#: stands for the route of requests that were refused before they had one
NO_ROUTE = "none"

# the times at which counters were created are of no use, and would be a third of all lines
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class ProcessMetrics(Collector):
    """The metrics of this process. Create one per process.

    Args:
        component: ``web``, ``scheduler`` or ``worker``.
        process: The value of the label ``process``; the component by default.
    """

    def __init__(self, component: str, process: str = "") -> None:
        self._process = process or component
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        build = Info(
            "bulkfax_build", "Version of bulkfax and Python; component: web, scheduler or worker", registry=registry
        )
        build.info({"version": version("bulkfax"), "python": platform.python_version(), "component": component})
        self._lag = Histogram(
            "bulkfax_event_loop_lag_seconds",
            f"How late the event loop runs what is due, measured every {_LAG_INTERVAL_S:g} s",
            buckets=_LAG_BUCKETS_S,
            registry=registry,
        )
        registry.register(_LogLines())

    def collect(self) -> Iterator[Metric]:
        """Return the metrics, with the label ``process``."""
        return labelled(self.registry.collect(), self._process)

    @asynccontextmanager
    async def watching(self, sinch: FaxClient, store: Store, reads: ReadPermits) -> AsyncIterator[None]:
        """Measure the event loop and export the connections and requests of a runtime during the block."""
        self.registry.register(_Connections(sinch, store, reads))
        lag = asyncio.create_task(self._measure_lag())
        try:
            yield
        finally:
            lag.cancel()

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _LAG_INTERVAL_S
            await asyncio.sleep(_LAG_INTERVAL_S)
            self._lag.observe(max(0.0, loop.time() - due_s))


def labelled(metrics: Iterable[Metric], process: str) -> Iterator[Metric]:
    """Yield metrics with the label ``process``."""
    for metric in metrics:
        metric.samples = [sample._replace(labels={**sample.labels, "process": process}) for sample in metric.samples]
        yield metric


class RequestMetrics:
    """The requests that web answers, and the callbacks among them.

    Args:
        registry: Where they are registered.
        routes: Method and path of every route.
    """

    def __init__(self, registry: CollectorRegistry, routes: Iterable[tuple[str, str]]) -> None:
        self._requests = Counter(
            "bulkfax_http_requests_total",
            "Requests that web answered, by route and class of the status; none: it was refused before it had a route",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "bulkfax_http_request_seconds",
            "Time until the first byte of an answer",
            ("method", "route"),
            buckets=_REQUEST_BUCKETS_S,
            registry=registry,
        )
        self._callbacks = Histogram(
            "bulkfax_callback_seconds",
            "Time until a callback was answered, by result; unavailable: it could not be stored, and is sent again",
            ("result",),
            buckets=_CALLBACK_BUCKETS_S,
            registry=registry,
        )
        self._known = frozenset(routes)
        for method, route in (*sorted(self._known), ("", NO_ROUTE)):
            self._seconds.labels(method, route)
            for status in _STATUSES:
                self._requests.labels(method, route, status)
        for result in CallbackResult:
            self._callbacks.labels(result.value)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        if (method, route) not in self._known:
            method, route = "", NO_ROUTE  # also a method of the client's own invention
        self._requests.labels(method, route, f"{status // 100}xx").inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_callback(self, result: CallbackResult, seconds: float) -> None:
        """Count an answered callback."""
        self._callbacks.labels(result.value).observe(seconds)


class MessageMetrics:
    """The messages that a worker process has processed."""

    #: ``failed``: an error that nobody foresaw; ``unavailable``: Redis did not answer. Both are done again later
    RESULTS = ("done", "unavailable", "failed")

    def __init__(self, registry: CollectorRegistry, queues: Iterable[str]) -> None:
        self._messages = Counter(
            "bulkfax_messages_total",
            "Messages processed, by queue and result; failed: an unforeseen error; unavailable: Redis did not answer",
            ("queue", "result"),
            registry=registry,
        )
        self._seconds = Histogram(
            "bulkfax_message_seconds",
            "Duration of the processing of a message",
            ("queue",),
            buckets=_WORK_BUCKETS_S,
            registry=registry,
        )
        for queue in queues:
            self._seconds.labels(queue)
            for result in self.RESULTS:
                self._messages.labels(queue, result)

    def count(self, queue: str, result: str, seconds: float) -> None:
        """Count a message."""
        self._messages.labels(queue, result).inc()
        self._seconds.labels(queue).observe(seconds)


class TurnMetrics:
    """The turns of a scheduler."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "bulkfax_scheduler_turn_seconds",
            "Duration of the scheduler's turns, in which it leases due jobs and sends messages",
            buckets=_TURN_BUCKETS_S,
            registry=registry,
        )

    def count(self, seconds: float) -> None:
        """Count a turn."""
        self._seconds.observe(seconds)


class _LogLines(Collector):
    def collect(self) -> Iterator[Metric]:
        counts = lines_logged()
        yield _counters(
            "bulkfax_log_lines_total",
            "Lines logged, by level, also those that are left out because they repeat others",
            ("level",),
            {(level,): counts[level] for level in LEVELS},
        )


class _Connections(Collector):
    """The connections and requests of a runtime, read when they are asked for."""

    def __init__(self, sinch: FaxClient, store: Store, reads: ReadPermits) -> None:
        self._sinch = sinch
        self._store = store
        self._reads = reads

    def collect(self) -> Iterator[Metric]:
        pools = self._sinch.pools()
        yield _gauges(
            "bulkfax_provider_requests_running",
            "Requests to the provider that are running or wait for a connection, by pool",
            ("pool",),
            {(name,): pool.running for name, pool in pools.items()},
        )
        yield _gauges(
            "bulkfax_provider_connections_limit",
            "Maximum connections to the provider, by pool",
            ("pool",),
            {(name,): pool.connections for name, pool in pools.items()},
        )
        tokens = self._sinch.token_requests()
        yield _counters(
            "bulkfax_token_requests_total",
            "Requests for an access token, by result",
            ("result",),
            {(result.value,): tokens[result] for result in TokenResult},
        )
        reads = dict(self._reads.results)
        yield _counters(
            "bulkfax_provider_reads_total",
            "Reads of faxes and lists of faxes, by kind and result; no_permit: the account's rate left no room in time",
            ("kind", "result"),
            {(kind, result): reads.get((kind, result), 0) for kind in ReadKind for result in ReadResult},
        )
        connections = self._store.connections()
        yield _gauges(
            "bulkfax_redis_connections",
            "Connections to Redis, by pool and state",
            ("pool", "state"),
            {
                (pool, state): count
                for pool, (used, idle) in connections.items()
                for state, count in (("used", used), ("idle", idle))
            },
        )


def _counters(name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]) -> Metric:
    metric = CounterMetricFamily(name, text, labels=labels)
    for value, count in values.items():
        metric.add_metric(value, count)
    return metric


def _gauges(name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=labels)
    for value, number in values.items():
        metric.add_metric(value, number)
    return metric
