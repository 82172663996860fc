"""The fault plan: which part is hit when and how, as data that follows from the seed alone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Victim(StrEnum):
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
    """When an act happens: not before so many jobs are final, and so long after the act before it."""

    #: share of all jobs
    progress: float
    #: seconds
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    victim: Victim
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


Deed = Kill | Freeze | ProviderAway


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    moment: Moment
    deed: Deed


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of what. A freeze lasts between two times in seconds: the lease, and the write-off with a margin."""

    kills: int
    freezes: int
    outages: int
    freeze_s: tuple[float, float]


#: acts lie in this part of the progress: before it little is running, behind it too little is left to be hurt
_FIRST, _LAST = 0.005, 0.93
#: seconds between two acts at least; parts are started again half a second after their death
_PAUSE_S = (1.0, 4.0)
_OUTAGE_S = (2.0, 5.0)


def amounts_for(jobs: int, *, freeze_s: tuple[float, float]) -> Amounts:
    """More than 50 kills for 20,000 jobs, and ten at the least."""
    kills = max(10, jobs // 350)
    return Amounts(kills=kills, freezes=max(1, kills // 10), outages=max(3, kills // 10), freeze_s=freeze_s)


def make_plan(seed: int, amounts: Amounts) -> tuple[Act, ...]:
    """The same seed and amounts give the same plan. Every victim and every kind of outage has its turn."""
    chance = random.Random(seed)
    deeds = list(_deeds(chance, amounts))
    chance.shuffle(deeds)
    width = (_LAST - _FIRST) / len(deeds)
    return tuple(
        Act(
            moment=Moment(
                progress=_FIRST + (place + chance.random()) * width,
                pause_s=chance.uniform(*_PAUSE_S),
            ),
            deed=deed,
        )
        for place, deed in enumerate(deeds)
    )


def _deeds(chance: random.Random, amounts: Amounts) -> Iterator[Deed]:
    victims, outages = list(Victim), list(Outage)
    for n in range(amounts.kills):
        yield Kill(victim=victims[n % len(victims)], place=chance.randrange(1000))
    for _ in range(amounts.freezes):
        yield Freeze(seconds=chance.uniform(*amounts.freeze_s), place=chance.randrange(1000))
    for n in range(amounts.outages):
        yield ProviderAway(how=outages[n % len(outages)], seconds=chance.uniform(*_OUTAGE_S))
