"""The account's rate: used to the last percent, not overrun, and regained. Against the emulator's own token bucket."""

import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cluster import bench_cluster, draft, module, read_json
from benchmarks.figures import Figure, Goal
from benchmarks.recipients import write_csv
from benchmarks.setting import Setting
from dispatcher.local.cluster import LocalCluster

#: limits in faxes a second; the last one is reported without a goal
RATES = (10, 100, 500)
_WITH_GOALS = (10, 100)
#: the one at which the limit is halved and restored
_CHANGED = 100
#: the bucket of the emulator, in seconds of its rate
_BURST_S = 0.25
WORKERS = 4
STEADY_S, HALVED_S, REGAIN_S = 60.0, 20.0, 120.0
_WARM_UP_S, _SPARE_S = 5.0, 5.0
_WINDOW_S, _REGAIN_WINDOW_S = 10.0, 3.0
_LOOK_S = 0.25
_TAKEN = 200
_TOO_MANY = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One ``POST /faxes``: seconds since 1970, and the answer's status."""

    at_s: float
    status: int


def measure(setting: Setting) -> list[Figure]:
    return [figure for rate in RATES for figure in _measure(setting, rate)]


def _measure(setting: Setting, rate: int) -> list[Figure]:
    steady_s = setting.seconds(STEADY_S, 2.0)
    warm_up_s = min(_WARM_UP_S, steady_s)
    with _cluster(setting, rate) as cluster, cluster.client() as client:
        path = cluster.folder / "recipients.csv"
        seconds = steady_s + warm_up_s + (_seconds_of_change(setting) if rate == _CHANGED else _SPARE_S)
        write_csv(path, round(rate * seconds) + 100)
        client.start(draft(client, f"pace {rate}", path).id)
        cluster.wait(lambda: bool(_arrivals(cluster)), 30.0, "no fax was sent")
        time.sleep(warm_up_s + steady_s)
        arrivals = _arrivals(cluster)
        regained_s = _halve_and_restore(setting, cluster, rate) if rate == _CHANGED else None
    begin_s = arrivals[0].at_s + warm_up_s
    steady = [one for one in arrivals if begin_s <= one.at_s < begin_s + steady_s]
    return _figures(rate, steady, steady_s) + ([] if regained_s is None else [_regained(regained_s)])


def _seconds_of_change(setting: Setting) -> float:
    return setting.seconds(HALVED_S + REGAIN_S, 5.0) + _SPARE_S


def _cluster(setting: Setting, rate: int) -> LocalCluster:
    options = ("--rate", str(rate), "--burst-s", str(_BURST_S))
    return bench_cluster(
        setting.new_folder("pace"),
        emulator=module("benchmarks.provider", *options),
        settings={"BULKFAX_SINCH__RATE_PER_SECOND": str(rate), "BULKFAX_WORKER_PROCESSES": str(WORKERS)},
    )


def _arrivals(cluster: LocalCluster) -> list[Arrival]:
    return [Arrival(at_s=at_s, status=status) for at_s, status in read_json(f"{cluster.emulator_url}/bench/arrivals")]


def _halve_and_restore(setting: Setting, cluster: LocalCluster, rate: int) -> float:
    """Seconds from the moment when the old limit is back until nine tenths of it are used again."""
    url = f"{cluster.emulator_url}/bench/rate"
    read_json(url, {"rate": rate / 2})
    time.sleep(setting.seconds(HALVED_S, 2.0))
    read_json(url, {"rate": rate})
    began_s, within_s = time.time(), setting.seconds(REGAIN_S, 2.0)
    while time.time() < began_s + within_s:
        time.sleep(_LOOK_S)
        taken = [one.at_s for one in _arrivals(cluster) if one.status == _TAKEN]
        if used(taken, time.time() - _REGAIN_WINDOW_S, _REGAIN_WINDOW_S, rate) >= 0.9:
            return time.time() - began_s
    return within_s


def used(times: Sequence[float], begin_s: float, seconds: float, rate: float) -> float:
    """Share of a rate that a stretch of time saw; ``times`` rise."""
    count = bisect_left(times, begin_s + seconds) - bisect_left(times, begin_s)
    return count / (rate * seconds)


def most_in_any(times: Sequence[float], seconds: float) -> int:
    """The most that came in any stretch of so many seconds; ``times`` rise."""
    most = first = 0
    for last, at_s in enumerate(times):
        while at_s - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _figures(rate: int, steady: Sequence[Arrival], steady_s: float) -> list[Figure]:
    window_s = min(_WINDOW_S, steady_s)
    allowed = rate * window_s
    taken = sum(one.status == _TAKEN for one in steady)
    refused = sum(one.status == _TOO_MANY for one in steady)
    most = most_in_any([one.at_s for one in steady], window_s)
    goals = rate in _WITH_GOALS
    bucket = f"the emulator's bucket: {rate}/s, burst {_BURST_S} s"

    def figure(name: str, value: float, unit: str, ratio: float, goal: Goal) -> Figure:
        return Figure(
            bench="pace",
            figure=f"{rate}/s: {name}",
            value=value,
            unit=unit,
            against=bucket,
            ratio=ratio,
            goal=goal if goals else None,
        )

    share, over = taken / (rate * steady_s), Goal(most=allowed * 1.01 + 1)
    refusals = refused / max(1, len(steady))
    return [
        figure(f"limit used over {steady_s:.0f} s", share * 100, "%", share, Goal(least=97)),
        figure(f"most in any {window_s:.0f} s", most, "faxes", most / allowed, over),
        figure("answered with 429", refusals * 100, "%", refusals, Goal(most=0.2)),
    ]


def _regained(seconds: float) -> Figure:
    return Figure(
        bench="pace",
        figure=f"{_CHANGED}/s: until 90 % is used again after the limit was halved",
        value=seconds,
        unit="s",
        against=f"the emulator's bucket: halved for {HALVED_S:.0f} s, then {_CHANGED}/s",
        ratio=seconds / HALVED_S,
        goal=Goal(most=30),
    )
