"""Exports the metrics of a worker service at one port.

A process of its own answers for the worker processes: it asks each of them over a pair of sockets. The supervisor
creates the sockets before it forks, so a process that is started again answers in the place of the one before. Nothing
is written to disk, and a process that hangs costs a scrape two seconds and its own metrics.
"""

import asyncio
import itertools
import json
import mmap
import os
import select
import signal
import socket
import struct
import threading
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

import structlog
from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from dispatcher.metrics.process import MessageMetrics, ProcessMetrics, labelled
from dispatcher.metrics.server import serve_metrics
from dispatcher.runtime import Runtime
from dispatcher.service.errors import StoreError
from dispatcher.settings import Settings, SettingsError

log = structlog.get_logger(__name__)

#: seconds in which the processes have to answer
TIMEOUT_S = 2.0
#: maximum bytes of an answer; a real one has some 2 kB
_MAX_BYTES = 128 * 1024
#: the number of a scrape, in front of a question and its answer; and the number of starts of a process
_NUMBER = struct.Struct("<Q")


class Channels:
    """What exporter, supervisor and worker processes share: a pair of sockets and a number of starts for each process.

    Create it before the first fork.
    """

    def __init__(self, processes: int) -> None:
        self._pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(processes)]
        for end in itertools.chain.from_iterable(self._pairs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MAX_BYTES)
        # memory without a file, which forked processes share
        self._starts = mmap.mmap(-1, processes * _NUMBER.size)

    @property
    def processes(self) -> range:
        """The indexes of the processes."""
        return range(len(self._pairs))

    def exporter_end(self, process: int) -> socket.socket:
        """Return the socket at which the exporter asks a process."""
        return self._pairs[process][0]

    def process_end(self, process: int) -> socket.socket:
        """Return the socket at which a process answers."""
        return self._pairs[process][1]

    def count_start(self, process: int) -> None:
        """Count a start of a process; only the supervisor does."""
        _NUMBER.pack_into(self._starts, process * _NUMBER.size, self.starts(process) + 1)

    def starts(self, process: int) -> int:
        """Return how often a process was started."""
        starts: int = _NUMBER.unpack_from(self._starts, process * _NUMBER.size)[0]
        return starts

    def close(self) -> None:
        """Close everything."""
        for end in itertools.chain.from_iterable(self._pairs):
            end.close()
        self._starts.close()


def process_label(process: int) -> str:
    """Return the value of the label ``process`` of a worker process."""
    return f"worker-{process}"


class Door:
    """The place at which a worker process answers for its metrics."""

    def __init__(self, channels: Channels, process: int) -> None:
        self._channel = channels.process_end(process)
        self._metrics = ProcessMetrics("worker", process_label(process))

    @asynccontextmanager
    async def open(self, runtime: Runtime, queues: Iterable[str]) -> AsyncIterator[Middleware]:
        """Answer scrapes in the running event loop. Yields the middleware that counts messages of these queues."""
        loop = asyncio.get_running_loop()
        messages = MessageMetrics(self._metrics.registry, queues)
        async with self._metrics.watching(runtime.sinch, runtime.store, runtime.permits):
            loop.add_reader(self._channel, self._answer)
            try:
                yield MessageCounts(messages)
            finally:
                loop.remove_reader(self._channel)

    def _answer(self) -> None:
        # without an exporter, or with one that does not read, there is nobody to answer
        with suppress(OSError):
            number = self._channel.recv(_NUMBER.size)
            self._channel.send(number + encode(self._metrics))


class MessageCounts(Middleware):
    """Counts the messages that dramatiq processes."""

    def __init__(self, metrics: MessageMetrics) -> None:
        self._metrics = metrics
        #: each thread processes one message at a time
        self._thread = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Note when the processing began."""
        self._thread.began_s = time.perf_counter()

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: object = None, exception: BaseException | None = None
    ) -> None:
        """Count the message."""
        name = "done" if exception is None else "unavailable" if isinstance(exception, StoreError) else "failed"
        self._metrics.count(message.queue_name, name, time.perf_counter() - self._thread.began_s)


class ServiceMetrics(Collector):
    """The metrics of the processes of a worker service, and of its supervisor."""

    def __init__(self, channels: Channels, supervisor_pid: int, *, timeout_s: float = TIMEOUT_S) -> None:
        self._channels = channels
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)
        #: scrapes are made one after the other: each of them reads the answers of the others away
        self._scraping = threading.Lock()
        self._supervisor = CollectorRegistry()
        ProcessCollector(pid=lambda: supervisor_pid, registry=self._supervisor)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all processes that answer in time."""
        with self._scraping:
            answers = self._ask()
        yield from self._starts(answers)
        merged: dict[str, Metric] = {}
        supervisor = labelled(self._supervisor.collect(), "worker-supervisor")
        for metric in itertools.chain(supervisor, *answers.values()):
            if known := merged.get(metric.name):
                known.samples += metric.samples
            else:
                merged[metric.name] = metric
        yield from merged.values()

    def _starts(self, answers: Mapping[int, object]) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "bulkfax_worker_process_up", "1 if this worker process answers, 0 if not", labels=("process",)
        )
        starts = CounterMetricFamily(
            "bulkfax_worker_process_starts_total", "Starts of this worker process", labels=("process",)
        )
        for process in self._channels.processes:
            up.add_metric((process_label(process),), int(process in answers))
            starts.add_metric((process_label(process),), self._channels.starts(process))
        yield up
        yield starts

    def _ask(self) -> dict[int, list[Metric]]:
        """Ask all processes, and return the answers that come in time."""
        number = _NUMBER.pack(next(self._numbers))
        waiting = {}
        for process in self._channels.processes:
            channel = self._channels.exporter_end(process)
            with suppress(OSError):  # a process that has stopped reads none of the questions before
                channel.send(number)
                waiting[channel] = process
        answers: dict[int, list[Metric]] = {}
        end_s = time.monotonic() + self._timeout_s
        while waiting and (left_s := end_s - time.monotonic()) > 0:
            for channel in select.select([*waiting], [], [], left_s)[0]:
                answer = channel.recv(_MAX_BYTES)
                if answer.startswith(number):  # others answer a scrape that did not wait any longer
                    answers[waiting.pop(channel)] = _decode(answer[_NUMBER.size :])
        return answers


def encode(metrics: Collector) -> bytes:
    """Return the metrics as a process answers with them."""
    plain = [
        (metric.name, metric.documentation, metric.type, [sample[:3] for sample in metric.samples])
        for metric in metrics.collect()
    ]
    return zlib.compress(json.dumps(plain).encode(), 1)


def _decode(answer: bytes) -> list[Metric]:
    metrics = []
    for name, text, kind, samples in json.loads(zlib.decompress(answer)):
        metric = Metric(name, text, kind)
        metric.samples = [Sample(*sample) for sample in samples]
        metrics.append(metric)
    return metrics


def run(settings: Settings, channels: Channels, lifeline: int) -> int:
    """Export the metrics until SIGTERM or the end of the supervisor. Returns 1 if the port cannot be listened on."""
    # Ctrl-C also reaches this process, but the supervisor decides when it stops
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve_metrics(ServiceMetrics(channels, os.getppid()), settings)
    except SettingsError as error:
        log.error("metrics are not exported", error=str(error))
        return 1
    select.select([lifeline], [], [])
    return 0
