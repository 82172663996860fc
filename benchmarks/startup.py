"""Processor time until a worker is ready: one that its supervisor starts again, and a whole service from nothing.

Ready is a worker that waits for messages of every queue.
"""

import os
import signal
import time
from collections.abc import Callable
from statistics import median

import redis

from benchmarks.cluster import bench_cluster, cluster_cpu_s
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, Goal
from benchmarks.processor import children, own_cpu_s
from benchmarks.setting import Setting
from dispatcher.local.cluster import LocalCluster

STARTS = 20
#: seconds of processor
MOST_S = 1.0
_WITHIN_S = 60.0
#: queues that a worker process waits for
_QUEUES = 4


def measure(setting: Setting) -> list[Figure]:
    starts = setting.size(STARTS, least=2)
    with bench_cluster(setting.new_folder("startup"), services=("worker",)) as cluster, _operator(cluster) as operator:
        service, process = [], []
        for _ in range(starts):
            _wait(lambda: _waits(operator) == _QUEUES)
            service.append(cluster_cpu_s(cluster, "worker"))
            process.append(_start_again(cluster, operator))
            cluster.processes["worker"].stop()
            _wait(lambda: _waits(operator) == 0)
            cluster.processes["worker"].start()
    return [
        _figure("a worker process that is started again", process),
        _figure("a worker service from nothing", service),
    ]


def _start_again(cluster: LocalCluster, operator: "redis.Redis") -> float:
    """Kill the worker process; the processor time that the next one has used when it is ready."""
    supervisor = cluster.pid("worker")
    (victim,) = children(supervisor)
    os.kill(victim, signal.SIGKILL)
    _wait(lambda: _waits(operator) == 0)
    _wait(lambda: _waits(operator) == _QUEUES)
    return own_cpu_s(max(children(supervisor), key=own_cpu_s))


def _operator(cluster: LocalCluster) -> "redis.Redis":
    return redis.Redis.from_url(cluster.server.url)


def _waits(operator: "redis.Redis") -> int:
    """Connections that wait for a message."""
    return int(operator.info("clients")["blocked_clients"])


def _wait(until: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _WITHIN_S
    while not until():
        if time.monotonic() > end_s:
            raise BenchFailed("a worker did not get ready")
        time.sleep(0.002)


def _figure(name: str, seconds: list[float]) -> Figure:
    return Figure(
        bench="startup",
        figure=f"{name}, until it is ready",
        value=median(seconds),
        unit="s of processor",
        against=f"{len(seconds)} starts: {min(seconds):.2f} to {max(seconds):.2f} s",
        ratio=median(seconds) / MOST_S,
        goal=Goal(most=MOST_S),
    )
