"""Tests of the export of a worker service's metrics: killed and hanging processes, and what they leave behind."""

import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from dispatcher.local.cluster import LocalCluster
from dispatcher.metrics.process import ProcessMetrics
from tests.local.watching import descendants, until
from workers.exporter import Channels, ServiceMetrics, encode

TIMEOUT_S = 0.2


@pytest.fixture
def channels() -> Iterator[Channels]:
    channels = Channels(2)
    yield channels
    channels.close()


@contextmanager
def answering(channel: socket.socket, *, times: int = 100) -> Iterator[None]:
    """Answer like a worker process, in a thread."""
    stop = threading.Event()
    metrics = ProcessMetrics("worker", "worker-0")

    def answer() -> None:
        for _ in range(times):
            while not stop.is_set():
                try:
                    question = channel.recv(8)
                except BlockingIOError:
                    stop.wait(0.001)
                    continue
                channel.send(question + encode(metrics))
                break

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def up(metrics: ServiceMetrics) -> list[float]:
    """Return which processes have answered a scrape."""
    return [sample.value for sample in next(metrics.collect()).samples]


def test_a_process_that_does_not_answer_is_down_and_the_others_are_told_of(channels: Channels) -> None:
    metrics = ServiceMetrics(channels, os.getpid(), timeout_s=TIMEOUT_S)
    with answering(channels.process_end(0)):
        assert up(metrics) == [1, 0]
        samples = [sample for metric in metrics.collect() for sample in metric.samples]
    assert {sample.labels["process"] for sample in samples} == {"worker-0", "worker-1", "worker-supervisor"}
    names = [metric.name for metric in metrics.collect()]
    assert len(names) == len(set(names))


def test_a_process_that_takes_the_place_of_a_dead_one_does_not_answer_for_it(channels: Channels) -> None:
    """The questions that the dead one has not read are still there."""
    metrics = ServiceMetrics(channels, os.getpid(), timeout_s=TIMEOUT_S)
    for _ in range(20):  # more than the socket holds
        next(metrics.collect())
    with answering(channels.process_end(0)):
        until(lambda: up(metrics)[0] == 1, 10)
        assert up(metrics) == [1, 0]


def test_starts_are_counted_by_a_forked_process_too(channels: Channels) -> None:
    channels.count_start(1)
    pid = os.fork()
    if not pid:
        channels.count_start(1)
        os._exit(0)
    os.waitpid(pid, 0)
    assert (channels.starts(0), channels.starts(1)) == (0, 2)


def scrape(port: int) -> dict[tuple[str, str], float]:
    """Return the values of the metrics at a port by name and process."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, sample.labels.get("process", "")): sample.value
        for family in families(text)
        for sample in family.samples
    }


def open_files(pid: int) -> int:
    """Return how many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.story
def test_scheduler_and_worker_export_metrics_and_killed_processes_come_back(tmp_path: Path) -> None:
    settings = {"BULKFAX_WORKER_PROCESSES": "2"}
    with LocalCluster(tmp_path, services=("web", "scheduler", "worker"), settings=settings, metrics=True) as cluster:
        scheduler, worker = (cluster.metrics_ports[name] for name in ("scheduler", "worker"))
        until(lambda: ("bulkfax_scheduler_turn_seconds_count", "scheduler") in scrape(scheduler), 20)
        both = [("bulkfax_worker_process_up", f"worker-{process}") for process in range(2)]
        until(lambda: all(scrape(worker)[series] for series in both), 20)
        before = scrape(worker)
        service = cluster.pid("worker")
        assert before["process_resident_memory_bytes", "worker-0"] > 1e6
        assert before["process_resident_memory_bytes", "worker-supervisor"] > 1e6
        files, children = open_files(service), descendants(service)
        for pid in children:  # the exporter, which answers for the others, is one of them
            os.kill(pid, signal.SIGKILL)
        until(lambda: not set(children) & set(descendants(service)), 20)

        def is_back() -> bool:
            try:
                after = scrape(worker)
            except OSError:
                return False
            return all(
                after["bulkfax_worker_process_starts_total", process] == 2 and after[name, process]
                for name, process in both
            )

        until(is_back, 20)
        assert open_files(service) == files
