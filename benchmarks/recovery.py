"""Measures what a fault costs: lost seconds of the account's rate, and the time until the rate is used again."""

import os
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.cluster import accepted_at_s
from benchmarks.figures import Figure, Goal
from benchmarks.pace import used_share
from benchmarks.recovery_cluster import RecoveryCluster, kill
from benchmarks.setting import Setting

#: the account's limit in faxes per second
RATE = 100
#: repetitions of each fault; the median has to meet the goal, the worst may be twice as bad
REPETITIONS = 5
#: seconds of sending before a fault and after it
_LEAD_S, _AFTER_S = 4.0, 20.0
#: the rate has recovered when this share of it is used over this many seconds
_RECOVERED_SHARE, _RECOVERED_WINDOW_S = 0.9, 1.0
#: seconds between two restarts of workers in turn, and between two kills
_ROLLING_S, _KILL_EVERY_S = 3.0, 5.0
#: seconds of sending under kills and with failing sends, and the length of a slice of the latter
KILLS_S, FAILING_S, _SLICE_S = 60.0, 600.0, 60.0
#: share of the rate that bulkfax uses; the rest lets a strict token bucket recover
_FULL = 0.99

_CHAOS_POLICY = Path(__file__).parent.parent / "tests" / "chaos" / "policy.toml"
_KILLS_SCENARIO = """
[requests]
500_before = 0.005
500_after = 0.005
drop_after = 0.005
"422 field to" = 0.01

[callbacks]
lost = 0.01
"""
_FAILING_SCENARIO = """
[requests]
500_before = 0.1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one fault: seconds of the rate that were lost, and seconds until the rate was used again."""

    lost_s: float
    recovery_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, how it is injected, and what it may cost."""

    name: str
    inject: Callable[[RecoveryCluster], None]
    #: goal for the lost seconds of the rate
    lost_s: float
    #: goal for the seconds until the rate is used again; None: no goal
    recovery_s: float | None = None
    schedulers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """Worker services whose processes are killed, and the share of the rate that they have to reach."""

    services: int
    #: processes of each service
    processes: int
    share: float


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    setting.say(f"  load average {os.getloadavg()[0]:.1f}")
    figures = [figure for fault in FAULTS for figure in _measure_fault(setting, fault)]
    figures += [figure for kills in KILLS for figure in _measure_kills(setting, kills)]
    figures += _measure_failing_sends(setting)
    setting.say(f"  load average {os.getloadavg()[0]:.1f}")
    return figures


def _kill_workers(cluster: RecoveryCluster) -> None:
    kill(cluster.workers)
    for worker in cluster.workers:
        cluster.wait_until_gone(worker)
        worker.start()


def _restart_workers_in_turn(cluster: RecoveryCluster) -> None:
    for index, worker in enumerate(cluster.workers):
        if index:
            time.sleep(_ROLLING_S)
        worker.ask_to_stop()
        cluster.wait_until_gone(worker)
        worker.start()


def _kill_a_scheduler(cluster: RecoveryCluster) -> None:
    scheduler = cluster.schedulers[0]
    kill([scheduler])
    cluster.wait_until_gone(scheduler)
    scheduler.start()


FAULTS = (
    Fault(name="all workers killed", inject=_kill_workers, lost_s=4.0, recovery_s=5.0),
    Fault(name="Redis killed", inject=RecoveryCluster.kill_redis, lost_s=4.0, recovery_s=5.0),
    Fault(name="workers restarted in turn", inject=_restart_workers_in_turn, lost_s=1.0),
    Fault(name="the only scheduler killed", inject=_kill_a_scheduler, lost_s=2.0),
    Fault(name="one of two schedulers killed", inject=_kill_a_scheduler, lost_s=0.5, schedulers=2),
)
KILLS = (
    Kills(services=2, processes=1, share=0.9),
    Kills(services=1, processes=2, share=0.6),
    Kills(services=1, processes=1, share=0.4),
)


def _measure_fault(setting: Setting, fault: Fault) -> list[Figure]:
    setting.say(f"  {fault.name}")
    costs = []
    repetitions, lead_s, after_s = setting.size(REPETITIONS), setting.seconds(_LEAD_S), setting.seconds(_AFTER_S, 3.0)
    jobs = round(RATE * (repetitions + 1) * (lead_s + after_s + 2 * _ROLLING_S + 10))
    with RecoveryCluster(setting, rate=RATE, schedulers=fault.schedulers) as cluster:
        cluster.send(jobs)
        for _ in range(repetitions):
            time.sleep(lead_s)
            began_s = time.time()
            fault.inject(cluster)
            time.sleep(max(0.0, began_s + after_s - time.time()))
            costs.append(cost(accepted_at_s(cluster.local), began_s, after_s, RATE * _FULL))
            setting.say(f"    {costs[-1].lost_s:.2f} s of the rate lost, recovered after {costs[-1].recovery_s:.2f} s")
    return _cost_figures(fault, costs)


def cost(accepted_s: Sequence[float], fault_s: float, seconds: float, rate: float) -> Cost:
    """Return the cost of a fault.

    Args:
        accepted_s: Times at which faxes were accepted, in ascending order.
        fault_s: Time of the fault.
        seconds: Length of the time window that is looked at.
        rate: Faxes per second that are expected.
    """
    count = bisect_left(accepted_s, fault_s + seconds) - bisect_left(accepted_s, fault_s)
    return Cost(lost_s=max(0.0, seconds - count / rate), recovery_s=_recovery_s(accepted_s, fault_s, seconds, rate))


def _recovery_s(accepted_s: Sequence[float], fault_s: float, seconds: float, rate: float) -> float:
    """Return the seconds from the fault until the rate is used again; 0 if its use never dropped."""
    steps = [step / 10 for step in range(round((seconds - _RECOVERED_WINDOW_S) * 10) + 1)]
    full = [used_share(accepted_s, fault_s + step, _RECOVERED_WINDOW_S, rate) >= _RECOVERED_SHARE for step in steps]
    if all(full):
        return 0.0
    drop = full.index(False)
    return next((steps[index] for index in range(drop, len(steps)) if full[index]), seconds)


def _cost_figures(fault: Fault, costs: Sequence[Cost]) -> list[Figure]:
    against = f"{len(costs)} times, {RATE} faxes/s"
    figures = _bounded_figures(
        f"{fault.name}: of the rate lost", [cost.lost_s for cost in costs], fault.lost_s, against
    )
    if fault.recovery_s is not None:
        name = f"{fault.name}: until the rate is back"
        figures += _bounded_figures(name, [cost.recovery_s for cost in costs], fault.recovery_s, against)
    return figures


def _bounded_figures(name: str, values: Sequence[float], maximum: float, against: str) -> list[Figure]:
    """Return figures for the median, whose goal is ``maximum``, and for the worst value, which may be twice that."""
    return [
        _figure(name, median(values), "s", against, Goal(max_value=maximum), reference=maximum),
        _figure(f"{name}, worst", max(values), "s", against, Goal(max_value=2 * maximum), reference=maximum),
    ]


def _figure(name: str, value: float, unit: str, against: str, goal: Goal | None, *, reference: float) -> Figure:
    """Return a figure whose ratio is that of the value to ``reference``."""
    return Figure(
        bench="recovery", figure=name, value=value, unit=unit, against=against, ratio=value / reference, goal=goal
    )


def _measure_kills(setting: Setting, kills: Kills) -> list[Figure]:
    name = (
        f"{kills.services} worker service{'s' * (kills.services > 1)} of {kills.processes}, a process killed every 5 s"
    )
    setting.say(f"  {name}")
    seconds = setting.seconds(KILLS_S, 2.0)
    shares = [_share_under_kills(setting, kills, seconds, seed) for seed in range(setting.size(REPETITIONS))]
    setting.say(f"    shares of the rate: {', '.join(f'{share:.0%}' for share in shares)}")
    against, unit = f"{len(shares)} times, {RATE} faxes/s", "% of the rate"
    worst = max(0.0, 1 - 2 * (1 - kills.share))
    return [
        _figure(name, median(shares) * 100, unit, against, Goal(min_value=kills.share * 100), reference=100),
        _figure(f"{name}, worst", min(shares) * 100, unit, against, Goal(min_value=worst * 100), reference=100),
    ]


def _share_under_kills(setting: Setting, kills: Kills, seconds: float, seed: int) -> float:
    rng = random.Random(seed)
    with RecoveryCluster(
        setting,
        rate=RATE,
        services=kills.services,
        processes=kills.processes,
        scenario=_KILLS_SCENARIO,
        policy=_CHAOS_POLICY,
    ) as cluster:
        cluster.send(round(RATE * (seconds + _LEAD_S + 30)))
        time.sleep(_LEAD_S)
        began_s = time.time()
        while time.time() < began_s + seconds:
            cluster.kill_any_of_a_worker(rng)
            time.sleep(min(_KILL_EVERY_S, seconds))
        ended_s = time.time()
        return used_share(accepted_at_s(cluster.local), began_s, ended_s - began_s, RATE * _FULL)


def _measure_failing_sends(setting: Setting) -> list[Figure]:
    """Measure sends per second while a tenth of them is rejected with 500. Rejected sends count as well."""
    setting.say("  10 % of sends are rejected with 500")
    seconds = setting.seconds(FAILING_S, 4.0)
    with RecoveryCluster(setting, rate=RATE, scenario=_FAILING_SCENARIO) as cluster:
        cluster.send(round(RATE * (seconds + 60)))
        time.sleep(_LEAD_S)
        began = time.time()
        time.sleep(seconds)
        posts = {int(second): count for second, count in cluster.local.emulator_api.stats()["postsPerSecond"].items()}
    counts = [posts.get(second, 0) for second in range(int(began) + 1, int(began + seconds))]
    slices = [mean_of(counts[start : start + int(_SLICE_S)]) for start in range(0, len(counts), int(_SLICE_S))]
    setting.say(f"    sends a second, by the minute: {', '.join(f'{value:.0f}' for value in slices)}")
    against, name = f"10 % answered with 500 for {seconds:.0f} s", "sends while one in ten fails"
    return [
        _figure(name, mean_of(counts), "sends/s", against, Goal(min_value=88), reference=RATE),
        _figure(f"{name}, slowest minute", min(slices), "sends/s", against, None, reference=RATE),
    ]


def mean_of(counts: Sequence[float]) -> float:
    """Return the mean; 0 for an empty sequence."""
    return sum(counts) / len(counts) if counts else 0.0
