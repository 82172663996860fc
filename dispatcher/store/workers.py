"""Which worker processes live. A lease of a process that has ended is taken back (``reclaim.lua``).

A process has a name, which it keeps over restarts, and an instance, which is new with each start. It has ended when its
end was reported, when another instance registered under its name, or when its last heartbeat lies more than 3 s behind.
Heartbeats are measured by a clock of the registry that stands still while nobody calls (``workers.lua``).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts
from dispatcher.store.protocol import DEAD_S
from dispatcher.store.server_clock import AHEAD_MS

#: seconds after which a process that has called no script writes a heartbeat
BEAT_S = 1.0

_NAME = re.compile(r"[^\s:]\S{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcess:
    """A process as the registry knows it."""

    name: str
    instance: str
    #: calls that it could begin, by its last heartbeat
    room: int
    #: seconds of the registry's clock since its last heartbeat
    silent_s: float

    @property
    def alive(self) -> bool:
        return self.silent_s <= DEAD_S


class WorkerRegistry:
    """The worker processes of all hosts."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def register(self, name: str, instance: str, *, room: int = 0) -> None:
        """A process starts: it lives from now on, and whoever had its name has ended.

        Raises ValueError for a name that the scripts could not read.
        """
        _check(name, instance)
        await self._scripts.run("register", name=name, instance=instance, room=room)

    async def beat(self, name: str, instance: str, *, room: int = 0) -> bool:
        """A heartbeat. False when another process has registered under this name: then it changes nothing.

        ``room``: calls that the process could begin.
        """
        _check(name, instance)
        return bool(await self._scripts.run("beat", name=name, instance=instance, room=room))

    async def report_end(self, name: str, instance: str = "") -> None:
        """The process has ended, however that came about. Does nothing when it was replaced already.

        Without an instance: whoever has the name has ended.
        """
        await self._scripts.run("report_end", name=name, instance=instance)

    async def sign_off(self, name: str, instance: str) -> None:
        """The process ends by its own will: what it fetched and has not begun goes to others at once."""
        self._scripts.worker = str
        await self._scripts.run("sign_off", name=name, instance=instance)

    def speak_as(self, name: str, instance: str, room: Callable[[], int]) -> None:
        """From now on every script that this store runs is a heartbeat of that process."""
        _check(name, instance)
        self._scripts.worker = lambda: f"{name} {instance} {max(0, room())}"

    @property
    def spoke_s(self) -> float:
        """When this process last reached the registry, by the monotonic clock (seconds)."""
        return self._scripts.answered_s

    async def all(self) -> list[WorkerProcess]:
        """Every process that is known, the dead ones that nobody has forgotten yet included."""
        return (await self.read()).processes

    async def read(self) -> "WorkerStatus":
        """All of it at once."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hgetall(self._keys.workers)
                pipe.get(self._keys.workers_ended)
                raw, ended_ms = await pipe.execute()
        clock_ms, moved_ms = map(int, raw.pop(_CLOCK, b"0 0").split())
        processes = [_worker(name.decode(), *value.decode().split(), clock_ms=clock_ms) for name, value in raw.items()]
        return WorkerStatus(processes=processes, moved_ms=moved_ms, ended_ms=int(ended_ms or 0))


class WorkerStatus(NamedTuple):
    """What is known of worker processes; times are the server's, in milliseconds since 1970: when the registry's clock
    moved, when a process ended."""

    processes: list[WorkerProcess]
    moved_ms: int
    ended_ms: int

    @property
    def alive(self) -> int:
        return sum(process.alive for process in self.processes)

    def seen_ms(self, now_ms: int) -> int:
        """When any process was heard of last; 0: none is known.

        A time that lies ahead of ``now_ms`` is of before the clock was set back, and no sign of life.
        """
        # while nobody calls, the registry's clock stands still and the server's goes on
        alive_ms = (min(self.moved_ms, now_ms) - round(process.silent_s * 1000) for process in self.processes)
        return max([self.ended_ms if self.ended_ms <= now_ms + AHEAD_MS else 0, *alive_ms])


_CLOCK = b":clock"


def _worker(name: str, instance: str, heartbeat_ms: str, room: str, *, clock_ms: int) -> WorkerProcess:
    silent_s = (clock_ms - int(heartbeat_ms)) / 1000
    return WorkerProcess(name=name, instance=instance, room=int(room), silent_s=silent_s)


def _check(name: str, instance: str) -> None:
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(instance)):
        raise ValueError("name and instance of a worker have no spaces and do not begin with a colon")
