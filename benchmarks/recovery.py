"""What a fault costs: seconds of the account's rate that are lost, and how soon it is used fully again."""

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
from benchmarks.pace import used
from benchmarks.recovery_cluster import RecoveryCluster, kill
from benchmarks.setting import Setting

#: the account's limit, faxes a second
RATE = 100
#: how often each fault happens; the median has to meet the goal, the worst may be twice as bad
TIMES = 5
#: before a fault, and after it
_LEAD_S, _AFTER_S = 4.0, 20.0
#: the rate is back when so much of it is used over a second
_BACK, _BACK_S = 0.9, 1.0
#: between two workers that are restarted in turn, and between two kills
_ROLLING_S, _KILL_EVERY_S = 3.0, 5.0
#: seconds of sending under kills; and with failing sends, in slices
KILLS_S, FAILING_S, _SLICE_S = 60.0, 600.0, 60.0
#: share of the rate that the product uses: the rest lets a strict bucket recover
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
    """What one fault cost, in seconds: of the rate, and until the rate was used again."""

    lost_s: float
    back_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, what it is done to, and what it may cost. ``back_s`` None: only what is lost has a goal."""

    name: str
    do: Callable[[RecoveryCluster], None]
    lost_s: float
    back_s: float | None = None
    schedulers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """Worker services of so many processes each, whose processes are killed; and the share of the rate to reach."""

    services: int
    processes: int
    share: float


def measure(setting: Setting) -> list[Figure]:
    setting.say(f"  load average {os.getloadavg()[0]:.1f}")
    figures = [figure for fault in FAULTS for figure in _fault(setting, fault)]
    figures += [figure for kills in KILLS for figure in _kills(setting, kills)]
    figures += _failing_sends(setting)
    setting.say(f"  load average {os.getloadavg()[0]:.1f}")
    return figures


def _kill_workers(cluster: RecoveryCluster) -> None:
    kill(cluster.workers)
    for worker in cluster.workers:
        cluster.wait_until_gone(worker)
        worker.start()


def _restart_workers_in_turn(cluster: RecoveryCluster) -> None:
    for place, worker in enumerate(cluster.workers):
        if place:
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
    Fault(name="all workers killed", do=_kill_workers, lost_s=4.0, back_s=5.0),
    Fault(name="Redis killed", do=RecoveryCluster.kill_redis, lost_s=4.0, back_s=5.0),
    Fault(name="workers restarted in turn", do=_restart_workers_in_turn, lost_s=1.0),
    Fault(name="the only scheduler killed", do=_kill_a_scheduler, lost_s=2.0),
    Fault(name="one of two schedulers killed", do=_kill_a_scheduler, lost_s=0.5, schedulers=2),
)
KILLS = (
    Kills(services=2, processes=1, share=0.9),
    Kills(services=1, processes=2, share=0.6),
    Kills(services=1, processes=1, share=0.4),
)


def _fault(setting: Setting, fault: Fault) -> list[Figure]:
    setting.say(f"  {fault.name}")
    costs = []
    times, lead_s, after_s = setting.size(TIMES), setting.seconds(_LEAD_S), setting.seconds(_AFTER_S, 3.0)
    jobs = round(RATE * (times + 1) * (lead_s + after_s + 2 * _ROLLING_S + 10))
    with RecoveryCluster(setting, rate=RATE, schedulers=fault.schedulers) as cluster:
        cluster.send(jobs)
        for _ in range(times):
            time.sleep(lead_s)
            began_s = time.time()
            fault.do(cluster)
            time.sleep(max(0.0, began_s + after_s - time.time()))
            costs.append(cost(accepted_at_s(cluster.local), began_s, after_s, RATE * _FULL))
            setting.say(f"    {costs[-1].lost_s:.2f} s of the rate lost, back after {costs[-1].back_s:.2f} s")
    return _cost_figures(fault, costs)


def cost(accepted_s: Sequence[float], fault_s: float, seconds: float, rate: float) -> Cost:
    """What a fault at ``fault_s`` cost within so many seconds. ``accepted_s`` rise."""
    count = bisect_left(accepted_s, fault_s + seconds) - bisect_left(accepted_s, fault_s)
    return Cost(lost_s=max(0.0, seconds - count / rate), back_s=_back_s(accepted_s, fault_s, seconds, rate))


def _back_s(accepted_s: Sequence[float], fault_s: float, seconds: float, rate: float) -> float:
    """From the fault until the rate is used, if the fault was felt at all."""
    steps = [step / 10 for step in range(round((seconds - _BACK_S) * 10) + 1)]
    full = [used(accepted_s, fault_s + step, _BACK_S, rate) >= _BACK for step in steps]
    if all(full):
        return 0.0
    felt = full.index(False)
    return next((steps[at] for at in range(felt, len(steps)) if full[at]), seconds)


def _cost_figures(fault: Fault, costs: Sequence[Cost]) -> list[Figure]:
    against = f"{len(costs)} times, {RATE} faxes/s"
    figures = _at_most(f"{fault.name}: of the rate lost", [cost.lost_s for cost in costs], fault.lost_s, against)
    if fault.back_s is not None:
        name = f"{fault.name}: until the rate is back"
        figures += _at_most(name, [cost.back_s for cost in costs], fault.back_s, against)
    return figures


def _at_most(name: str, values: Sequence[float], most: float, against: str) -> list[Figure]:
    """The median has the goal, the worst twice it."""
    return [
        _figure(name, median(values), "s", against, Goal(most=most), whole=most),
        _figure(f"{name}, worst", max(values), "s", against, Goal(most=2 * most), whole=most),
    ]


def _figure(name: str, value: float, unit: str, against: str, goal: Goal | None, *, whole: float) -> Figure:
    """``whole`` is what the ratio is to."""
    return Figure(
        bench="recovery", figure=name, value=value, unit=unit, against=against, ratio=value / whole, goal=goal
    )


def _kills(setting: Setting, kills: Kills) -> list[Figure]:
    name = (
        f"{kills.services} worker service{'s' * (kills.services > 1)} of {kills.processes}, a process killed every 5 s"
    )
    setting.say(f"  {name}")
    seconds = setting.seconds(KILLS_S, 2.0)
    shares = [_share_under_kills(setting, kills, seconds, seed) for seed in range(setting.size(TIMES))]
    setting.say(f"    shares of the rate: {', '.join(f'{share:.0%}' for share in shares)}")
    against, unit = f"{len(shares)} times, {RATE} faxes/s", "% of the rate"
    worst = max(0.0, 1 - 2 * (1 - kills.share))
    return [
        _figure(name, median(shares) * 100, unit, against, Goal(least=kills.share * 100), whole=100),
        _figure(f"{name}, worst", min(shares) * 100, unit, against, Goal(least=worst * 100), whole=100),
    ]


def _share_under_kills(setting: Setting, kills: Kills, seconds: float, seed: int) -> float:
    chance = random.Random(seed)
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
            cluster.kill_any_of_a_worker(chance)
            time.sleep(min(_KILL_EVERY_S, seconds))
        ended_s = time.time()
        return used(accepted_at_s(cluster.local), began_s, ended_s - began_s, RATE * _FULL)


def _failing_sends(setting: Setting) -> list[Figure]:
    """A tenth of the sends is answered with 500 and not taken. What is posted counts, accepted or not."""
    setting.say("  one send in ten is answered with 500")
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
        _figure(name, mean_of(counts), "sends/s", against, Goal(least=88), whole=RATE),
        _figure(f"{name}, slowest minute", min(slices), "sends/s", against, None, whole=RATE),
    ]


def mean_of(counts: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return sum(counts) / len(counts) if counts else 0.0
