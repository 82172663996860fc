"""Measures the CPU time of scheduler and worker while there is nothing to do."""

import time

from benchmarks.cluster import DOCUMENT_URL, bench_cluster
from benchmarks.figures import Figure, Goal, medians
from benchmarks.processor import cpu_s
from benchmarks.setting import Setting
from dispatcher.client import NewFax
from dispatcher.local.cluster import LocalCluster

SECONDS = 30.0
#: percent of a core that scheduler and worker may use together
MAX_PERCENT = 0.5
#: time for the work of the start, and of the fax that proves that the system runs, to end
_SETTLE_S = 5.0
SERVICES = ("scheduler", "worker")


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    options = ("--speed", "100")
    with bench_cluster(setting.new_folder("idle"), emulator_options=options) as cluster, cluster.client() as client:
        job = client.send_fax(NewFax(to="+12025550123", content_urls=(DOCUMENT_URL,), allow_repeat=True))
        cluster.wait(lambda: client.job(job.id).state == "delivered", 60.0, "the fax was not delivered")
        time.sleep(setting.seconds(_SETTLE_S))
        runs = [_cpu_percent(cluster, setting.seconds(SECONDS)) for _ in range(setting.runs)]
    used = medians(runs)
    both = sum(used[service] for service in SERVICES)
    each = ", ".join(f"{service} {used[service]:.2f} %" for service in (*SERVICES, "web", "redis"))
    return [
        Figure(
            bench="idle",
            figure="scheduler and worker with nothing to do",
            value=both,
            unit="% of a core",
            against=each,
            ratio=both / MAX_PERCENT,
            goal=Goal(max_value=MAX_PERCENT),
        )
    ]


def _cpu_percent(cluster: LocalCluster, seconds: float) -> dict[str, float]:
    """Return the percentage of a core that each service used over ``seconds``."""
    services = (*SERVICES, "web", "redis")
    began_s, before = time.monotonic(), {service: cpu_s(cluster.pid(service)) for service in services}
    time.sleep(seconds)
    passed_s = time.monotonic() - began_s
    return {service: (cpu_s(cluster.pid(service)) - before[service]) / passed_s * 100 for service in services}
