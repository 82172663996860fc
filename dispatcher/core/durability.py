"""Whether a Redis server keeps what it acknowledged: decided from what the server says about itself.

Pure. ``INFO`` is always asked, and ``CONFIG`` where it is allowed: managed servers often hide it. ``INFO`` does not say
how often the append-only file is synced, so without ``CONFIG`` nobody can tell whether every write is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Durability(StrEnum):
    """What has happened to a write when Redis acknowledges it (``BULKFAX_REDIS_DURABILITY``)."""

    #: it is synced to the append-only file: no crash of the server loses it
    ALWAYS = "always"
    #: it is in the append-only file, which is synced every second: a crash may lose the last two seconds
    EVERYSEC = "everysec"
    #: replicas have it in memory; a file is not required
    REPLICATED = "replicated"


class Answer(StrEnum):
    """Whether a server is as durable as it must be."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    #: what the server says allows it, but it does not say enough
    UNVERIFIED = "unverified"


_EVICTION = {"maxmemory-policy": ("noeviction",)}
_FILE = {"appendonly": ("yes",), "no-appendfsync-on-rewrite": ("no",)}
#: the settings that each needs, with the values that are good enough, the advised one first
_REQUIRED: Mapping[Durability, Mapping[str, tuple[str, ...]]] = {
    Durability.ALWAYS: {**_FILE, "appendfsync": ("always",), **_EVICTION},
    Durability.EVERYSEC: {**_FILE, "appendfsync": ("everysec", "always"), **_EVICTION},
    Durability.REPLICATED: _EVICTION,
}
#: the settings that are read, by their name in ``CONFIG``
SETTINGS = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy")

_SAFE: Mapping[Durability, str] = {
    Durability.ALWAYS: "Redis keeps what it acknowledged",
    Durability.EVERYSEC: "Redis keeps what it acknowledged, but for the last two seconds before a crash",
    Durability.REPLICATED: "Redis keeps what it acknowledged as long as a replica that confirmed it lives on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DurabilityJudgement:
    """How durable a server is, compared with how durable it must be."""

    level: Durability
    #: settings that allow the server to lose data, each as ``name is value, must be value``
    faults: tuple[str, ...] = ()
    #: settings that the server does not tell
    unknown: tuple[str, ...] = ()
    #: whether the server may remove keys when it is full
    evicts: bool = False

    @property
    def answer(self) -> Answer:
        if self.faults:
            return Answer.UNSAFE
        return Answer.UNVERIFIED if self.unknown else Answer.SAFE

    @property
    def sentence(self) -> str:
        """The judgement in a sentence for people, without a full stop."""
        match self.answer:
            case Answer.UNSAFE:
                return f"Redis can lose accepted faxes: {', '.join(self.faults)}"
            case Answer.UNVERIFIED:
                return (
                    "it cannot be verified that Redis keeps what it acknowledged: "
                    f"it does not tell {' and '.join(self.unknown)}"
                )
        return _SAFE[self.level]


def judge(level: Durability, info: Mapping[str, object], config: Mapping[str, str]) -> DurabilityJudgement:
    """Judge a server.

    Args:
        level: How durable it must be.
        info: The fields of its answer to ``INFO``; empty if it refuses the command.
        config: Those of ``SETTINGS`` that ``CONFIG GET`` returned; empty if it refuses the command.
    """
    values = {**config, **_from_info(info)}
    required = _REQUIRED[level]
    return DurabilityJudgement(
        level=level,
        faults=tuple(
            f"{name} is {values[name]}, must be {good[0]}"
            for name, good in required.items()
            if name in values and values[name] not in good
        ),
        unknown=tuple(name for name in required if name not in values),
        evicts=values.get("maxmemory-policy", "noeviction") != "noeviction",
    )


def _from_info(info: Mapping[str, object]) -> dict[str, str]:
    """Return the settings that ``INFO`` tells. It shows what is in force, so it counts more than ``CONFIG``."""
    values = {}
    if "aof_enabled" in info:
        values["appendonly"] = "yes" if str(info["aof_enabled"]) == "1" else "no"
    if "maxmemory_policy" in info:
        values["maxmemory-policy"] = str(info["maxmemory_policy"])
    return values
