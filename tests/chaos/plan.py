"""The fault plan: which process is hit when and how, as data that depends on the seed alone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What is killed with SIGKILL. When a worker's supervisor dies, its processes stop by themselves."""

    WEB = "web"
    SCHEDULER = "scheduler"
    WORKER_SUPERVISOR = "worker supervisor"
    WORKER_PROCESS = "worker process"
    REDIS = "redis"


class Outage(StrEnum):
    """How the provider is away; the words are the emulator's."""

    UNAVAILABLE = "503"
    FAILING = "500"
    DROPPING = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a fault happens: not before this share of the jobs is final, and so long after the fault before it."""

    #: share of all jobs
    progress: float
    #: seconds
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    target: Target
    #: which one of several, from 0; taken modulo how many there are
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """SIGSTOP to a worker with all its children, and SIGCONT after so long."""

    seconds: float
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAway:
    how: Outage
    seconds: float


Fault = Kill | Freeze | ProviderAway


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    moment: Moment
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of what. A freeze lasts between two times in seconds: the lease, and the write-off with a margin."""

    kills: int
    freezes: int
    outages: int
    freeze_s: tuple[float, float]


#: faults happen in this part of the progress: before it little is running, after it little is left
_FIRST, _LAST = 0.005, 0.93
#: least seconds between two faults; processes are restarted half a second after their death
_PAUSE_S = (1.0, 4.0)
_OUTAGE_S = (2.0, 5.0)


def amounts_for(jobs: int, *, freeze_s: tuple[float, float]) -> Amounts:
    """More than 50 kills for 20,000 jobs, and ten at the least."""
    kills = max(10, jobs // 350)
    return Amounts(kills=kills, freezes=max(1, kills // 10), outages=max(3, kills // 10), freeze_s=freeze_s)


def make_plan(seed: int, amounts: Amounts) -> tuple[PlannedFault, ...]:
    """The same seed and amounts give the same plan. Every target and every kind of outage has its turn."""
    chance = random.Random(seed)
    faults = list(_faults(chance, amounts))
    chance.shuffle(faults)
    width = (_LAST - _FIRST) / len(faults)
    return tuple(
        PlannedFault(
            moment=Moment(
                progress=_FIRST + (place + chance.random()) * width,
                pause_s=chance.uniform(*_PAUSE_S),
            ),
            fault=fault,
        )
        for place, fault in enumerate(faults)
    )


def _faults(chance: random.Random, amounts: Amounts) -> Iterator[Fault]:
    targets, outages = list(Target), list(Outage)
    for n in range(amounts.kills):
        yield Kill(target=targets[n % len(targets)], place=chance.randrange(1000))
    for _ in range(amounts.freezes):
        yield Freeze(seconds=chance.uniform(*amounts.freeze_s), place=chance.randrange(1000))
    for n in range(amounts.outages):
        yield ProviderAway(how=outages[n % len(outages)], seconds=chance.uniform(*_OUTAGE_S))
