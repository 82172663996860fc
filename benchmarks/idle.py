"""Processor time of scheduler and worker while there is nothing to do, from ``/proc``."""

import time

from benchmarks.cluster import DOCUMENT_URL, bench_cluster
from benchmarks.figures import Figure, Goal, medians
from benchmarks.processor import cpu_s
from benchmarks.setting import Setting
from dispatcher.client import NewFax
from dispatcher.local.cluster import LocalCluster

SECONDS = 30.0
#: percent of one core that scheduler and worker may use together
MOST = 0.5
#: what is left of the start, and of the fax that shows that all runs, is over by then
_REST_S = 5.0
PARTS = ("scheduler", "worker")


def measure(setting: Setting) -> list[Figure]:
    options = ("--speed", "100")
    with bench_cluster(setting.new_folder("idle"), emulator_options=options) as cluster, cluster.client() as client:
        job = client.send_fax(NewFax(to="+12025550123", content_urls=(DOCUMENT_URL,)))
        cluster.wait(lambda: client.job(job.id).state == "delivered", 60.0, "the fax was not delivered")
        time.sleep(setting.seconds(_REST_S))
        runs = [_used(cluster, setting.seconds(SECONDS)) for _ in range(setting.runs)]
    used = medians(runs)
    both = sum(used[part] for part in PARTS)
    each = ", ".join(f"{part} {used[part]:.2f} %" for part in (*PARTS, "web", "redis"))
    return [
        Figure(
            bench="idle",
            figure="scheduler and worker with nothing to do",
            value=both,
            unit="% of a core",
            against=each,
            ratio=both / MOST,
            goal=Goal(most=MOST),
        )
    ]


def _used(cluster: LocalCluster, seconds: float) -> dict[str, float]:
    """Percent of one core that each part used over so many seconds."""
    parts = (*PARTS, "web", "redis")
    began_s, before = time.monotonic(), {part: cpu_s(cluster.pid(part)) for part in parts}
    time.sleep(seconds)
    passed_s = time.monotonic() - began_s
    return {part: (cpu_s(cluster.pid(part)) - before[part]) / passed_s * 100 for part in parts}
