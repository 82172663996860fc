"""Measures the CPU time until a worker is ready: for a restarted process, and for a whole service.

A worker is ready when it waits for messages of every queue.
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
#: CPU seconds
MAX_S = 1.0
_WITHIN_S = 60.0
#: number of queues that a worker process waits for
_QUEUES = 4


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    starts = setting.size(STARTS, minimum=2)
    with (
        bench_cluster(setting.new_folder("startup"), services=("worker",)) as cluster,
        _redis_client(cluster) as client,
    ):
        service, process = [], []
        for _ in range(starts):
            _wait(lambda: _waiting_connections(client) == _QUEUES)
            service.append(cluster_cpu_s(cluster, "worker"))
            process.append(_restart(cluster, client))
            cluster.processes["worker"].stop()
            _wait(lambda: _waiting_connections(client) == 0)
            cluster.processes["worker"].start()
    return [
        _figure("a worker process that is started again", process),
        _figure("a worker service from nothing", service),
    ]


def _restart(cluster: LocalCluster, client: "redis.Redis") -> float:
    """Kill the worker process, and return the CPU seconds that its successor has used when it is ready."""
    supervisor = cluster.pid("worker")
    (worker,) = children(supervisor)
    os.kill(worker, signal.SIGKILL)
    _wait(lambda: _waiting_connections(client) == 0)
    _wait(lambda: _waiting_connections(client) == _QUEUES)
    return own_cpu_s(max(children(supervisor), key=own_cpu_s))


def _redis_client(cluster: LocalCluster) -> "redis.Redis":
    return redis.Redis.from_url(cluster.server.url)


def _waiting_connections(client: "redis.Redis") -> int:
    """Return the number of connections that wait for a message."""
    return int(client.info("clients")["blocked_clients"])


def _wait(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _WITHIN_S
    while not condition():
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
        ratio=median(seconds) / MAX_S,
        goal=Goal(max_value=MAX_S),
    )
