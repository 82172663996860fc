"""The fault plan: which process fails when and how. The plan depends only on the seed and the amounts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """A process to kill with SIGKILL. When a worker's supervisor is killed, its processes stop by themselves."""

    WEB = "web"
    SCHEDULER = "scheduler"
    WORKER_SUPERVISOR = "worker supervisor"
    WORKER_PROCESS = "worker process"
    REDIS = "redis"


class OutageKind(StrEnum):
    """How the provider fails. The values are those of the emulator's API."""

    UNAVAILABLE = "503"
    FAILING = "500"
    DROPPING = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a fault is injected: at a progress of the drill, and some time after the fault before it."""

    #: share of all jobs that are final
    progress: float
    #: seconds after the fault before it
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """SIGKILL to a process."""

    target: Target
    #: which of several processes; taken modulo their number
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """SIGSTOP to a worker with all its children, and SIGCONT after some seconds."""

    seconds: float
    #: which worker; taken modulo their number
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOutage:
    """The provider is unavailable for some seconds."""

    kind: OutageKind
    seconds: float


Fault = Kill | Freeze | ProviderOutage


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault and the moment at which it is injected."""

    moment: Moment
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How many faults of each kind a plan has."""

    kills: int
    freezes: int
    outages: int
    #: shortest and longest freeze in seconds
    freeze_s: tuple[float, float]


#: first and last progress at which a fault is injected: earlier and later, too little is in progress
_FIRST, _LAST = 0.005, 0.93
#: range of pauses between two faults in seconds; processes restart half a second after they end
_PAUSE_S = (1.0, 4.0)
_OUTAGE_S = (2.0, 5.0)


def amounts_for(jobs: int, *, freeze_s: tuple[float, float]) -> Amounts:
    """Return the amounts for a number of jobs: at least ten kills, and more than 50 for 20,000 jobs."""
    kills = max(10, jobs // 350)
    return Amounts(kills=kills, freezes=max(1, kills // 10), outages=max(3, kills // 10), freeze_s=freeze_s)


def make_plan(seed: int, amounts: Amounts) -> tuple[PlannedFault, ...]:
    """Return the plan of a seed. It has every target and every kind of outage, as evenly as the amounts allow."""
    rng = random.Random(seed)
    faults = list(_faults(rng, amounts))
    rng.shuffle(faults)
    width = (_LAST - _FIRST) / len(faults)
    return tuple(
        PlannedFault(
            moment=Moment(
                progress=_FIRST + (index + rng.random()) * width,
                pause_s=rng.uniform(*_PAUSE_S),
            ),
            fault=fault,
        )
        for index, fault in enumerate(faults)
    )


def _faults(rng: random.Random, amounts: Amounts) -> Iterator[Fault]:
    targets, outages = list(Target), list(OutageKind)
    for n in range(amounts.kills):
        yield Kill(target=targets[n % len(targets)], index=rng.randrange(1000))
    for _ in range(amounts.freezes):
        yield Freeze(seconds=rng.uniform(*amounts.freeze_s), index=rng.randrange(1000))
    for n in range(amounts.outages):
        yield ProviderOutage(kind=outages[n % len(outages)], seconds=rng.uniform(*_OUTAGE_S))
