"""Measures how fully the account's rate limit is used, whether it is exceeded, and how fast a raised limit is used.

The emulator enforces the limit with a token bucket of its own, with which the sends are compared.
"""

import math
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cluster import bench_cluster, draft, module, read_json
from benchmarks.figures import Figure, Goal
from benchmarks.recipients import write_csv
from benchmarks.setting import Setting
from dispatcher.local.cluster import LocalCluster

#: limits in faxes per second; the last is reported without a goal
RATES = (10, 100, 500)
_WITH_GOALS = (10, 100)
#: the limit that is halved and restored
_CHANGED = 100
#: size of the emulator's token bucket, in seconds of its rate
_BURST_S = 0.25
WORKERS = 4
MEASURED_S, HALVED_S, REGAIN_S = 60.0, 20.0, 120.0
_WARM_UP_S = 5.0
#: recipients are added for this many seconds, so that the batch does not run out during the measurement
_SPARE_S = 5.0
_WINDOW_S, _REGAIN_WINDOW_S = 10.0, 3.0
_POLL_S = 0.25
_ACCEPTED = 200
_TOO_MANY = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A ``POST /faxes`` at the provider."""

    #: seconds since 1970
    time_s: float
    #: status of the response
    status: int


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    return [figure for rate in RATES for figure in _measure(setting, rate)]


def _measure(setting: Setting, rate: int) -> list[Figure]:
    measured_s = setting.seconds(MEASURED_S, 2.0)
    warm_up_s = min(_WARM_UP_S, measured_s)
    with _cluster(setting, rate) as cluster, cluster.client() as client:
        path = cluster.folder / "recipients.csv"
        seconds = measured_s + warm_up_s + (_halving_test_s(setting) if rate == _CHANGED else 0.0) + _SPARE_S
        write_csv(path, round(rate * seconds) + 100)
        client.start(draft(client, f"pace {rate}", path).id, allow_repeat=True)
        cluster.wait(lambda: bool(_arrivals(cluster)), 30.0, "no fax was sent")
        time.sleep(warm_up_s + measured_s)
        arrivals = _arrivals(cluster)
        regained_s = _halve_and_restore(setting, cluster, rate) if rate == _CHANGED else None
    begin_s = arrivals[0].time_s + warm_up_s
    steady = [arrival for arrival in arrivals if begin_s <= arrival.time_s < begin_s + measured_s]
    return _figures(rate, steady, measured_s) + (
        [] if regained_s is None else [_regained(regained_s, setting.seconds(HALVED_S, 2.0))]
    )


def _halving_test_s(setting: Setting) -> float:
    return setting.seconds(HALVED_S + REGAIN_S, 5.0)


def _cluster(setting: Setting, rate: int) -> LocalCluster:
    options = ("--rate", str(rate), "--burst-s", str(_BURST_S))
    return bench_cluster(
        setting.new_folder("pace"),
        emulator=module("benchmarks.provider", *options),
        settings={"BULKFAX_SINCH__RATE_PER_SECOND": str(rate), "BULKFAX_WORKER_PROCESSES": str(WORKERS)},
    )


def _arrivals(cluster: LocalCluster) -> list[Arrival]:
    return [
        Arrival(time_s=time_s, status=status) for time_s, status in read_json(f"{cluster.emulator_url}/bench/arrivals")
    ]


def _halve_and_restore(setting: Setting, cluster: LocalCluster, rate: int) -> float:
    """Halve the limit, restore it, and return the seconds from then until 90 % of it is used; infinite if never."""
    url = f"{cluster.emulator_url}/bench/rate"
    read_json(url, {"rate": rate / 2})
    time.sleep(setting.seconds(HALVED_S, 2.0))
    read_json(url, {"rate": rate})
    restored_s, within_s = time.time(), setting.seconds(REGAIN_S, 2.0)
    while time.time() < restored_s + within_s:
        time.sleep(_POLL_S)
        accepted = [arrival.time_s for arrival in _arrivals(cluster) if arrival.status == _ACCEPTED]
        if used_share(accepted, time.time() - _REGAIN_WINDOW_S, _REGAIN_WINDOW_S, rate) >= 0.9:
            return time.time() - restored_s
    return math.inf


def used_share(times: Sequence[float], begin_s: float, seconds: float, rate: float) -> float:
    """Return the share of a rate that is used in a time window. ``times`` are in ascending order."""
    count = bisect_left(times, begin_s + seconds) - bisect_left(times, begin_s)
    return count / (rate * seconds)


def max_in_any_window(times: Sequence[float], seconds: float) -> int:
    """Return the largest number of times in any window of ``seconds``. ``times`` are in ascending order."""
    max_count = first = 0
    for last, time_s in enumerate(times):
        while time_s - times[first] >= seconds:
            first += 1
        max_count = max(max_count, last - first + 1)
    return max_count


def _figures(rate: int, steady: Sequence[Arrival], measured_s: float) -> list[Figure]:
    window_s = min(_WINDOW_S, measured_s)
    allowed = rate * window_s
    accepted = sum(arrival.status == _ACCEPTED for arrival in steady)
    refused = sum(arrival.status == _TOO_MANY for arrival in steady)
    max_count = max_in_any_window([arrival.time_s for arrival in steady], window_s)
    has_goals = rate in _WITH_GOALS
    bucket = f"the emulator's bucket: {rate}/s, burst {_BURST_S} s"

    def figure(name: str, value: float, unit: str, ratio: float, goal: Goal) -> Figure:
        return Figure(
            bench="pace",
            figure=f"{rate}/s: {name}",
            value=value,
            unit=unit,
            against=bucket,
            ratio=ratio,
            goal=goal if has_goals else None,
        )

    share = accepted / (rate * measured_s)
    not_exceeded = Goal(max_value=allowed * 1.01 + 1)
    refusals = refused / max(1, len(steady))
    return [
        figure(f"limit used over {measured_s:.0f} s", share * 100, "%", share, Goal(min_value=97)),
        figure(f"most requests in any {window_s:.0f} s", max_count, "requests", max_count / allowed, not_exceeded),
        figure("answered with 429", refusals * 100, "%", refusals, Goal(max_value=0.2)),
    ]


def _regained(seconds: float, halved_s: float) -> Figure:
    return Figure(
        bench="pace",
        figure=f"{_CHANGED}/s: until 90 % is used again after the halved limit was restored",
        value=seconds,
        unit="s",
        against=f"the emulator's bucket: halved for {halved_s:.0f} s, then {_CHANGED}/s",
        ratio=seconds / halved_s,
        goal=Goal(max_value=30),
    )
