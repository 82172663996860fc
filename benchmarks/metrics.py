"""Measures scrapes with a million waiting jobs, and what counting and logging cost of the processor time of a fax."""

import subprocess
import time

import httpx

from benchmarks.cluster import clean_environment, module
from benchmarks.dispatch import IN_FLIGHT, Load, ours
from benchmarks.figures import Figure, Goal, medians
from benchmarks.million import large_batches
from benchmarks.recipients import write_csv
from benchmarks.setting import Setting

ROWS, FAXES = 1_000_000, 8_000
MAX_MS, MAX_SHARE = 20, 0.03
_PATHS = ("/metrics", "/metrics/installation")
_SCRAPES = 21


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    return [*_scrapes(setting), _share(setting)]


def _scrapes(setting: Setting) -> list[Figure]:
    path = setting.folder / "metrics.csv"
    write_csv(path, setting.size(ROWS, minimum=3000))
    with large_batches(setting, "metrics") as batches, httpx.Client(base_url=batches.cluster.url) as client:
        empty = medians([_times_ms(client) for _ in range(_SCRAPES)])
        batches.start("metrics", path)
        full = medians([_times_ms(client) for _ in range(_SCRAPES)])
    return [
        Figure(
            bench="metrics",
            figure=f"scrape of {path}",
            value=full[path],
            unit="ms",
            against=f"without a job: {empty[path]:.2f} ms",
            ratio=full[path] / empty[path],
            goal=Goal(max_value=MAX_MS),
        )
        for path in _PATHS
    ]


def _times_ms(client: httpx.Client) -> dict[str, float]:
    times = {}
    for path in _PATHS:
        began_s = time.perf_counter()
        client.get(path).raise_for_status()
        times[path] = (time.perf_counter() - began_s) * 1000
    return times


def _share(setting: Setting) -> Figure:
    in_flight = setting.size(IN_FLIGHT, minimum=32)
    load = Load(faxes=setting.size(FAXES, minimum=in_flight * 3), peer_faxes=0, in_flight=in_flight, letter=None)
    fax_ms = medians([ours(setting, load) for _ in range(setting.runs)])["ours cpu"]
    env, command = clean_environment(), module("benchmarks.observing")
    runs = [
        {"us": float(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)}
        for _ in range(setting.runs)
    ]
    used_us = medians(runs)["us"]
    return Figure(
        bench="metrics",
        figure="counts and a log line of a fax",
        value=used_us,
        unit="us/fax",
        against=f"a fax: {fax_ms:.2f} ms",
        ratio=used_us / 1000 / fax_ms,
        goal=Goal(max_value=MAX_SHARE, of="ratio"),
    )
