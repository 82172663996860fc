"""The registry of living worker processes. Leases of a process that has ended are taken back (``reclaim.lua``).

A process has a name, which it keeps when it is restarted, and an instance, which is new with each start. It counts as
ended if its end was reported, if another instance registered under its name, or if its last heartbeat is more than 3 s
old. The age of heartbeats is measured by a clock of the registry that stops while no process calls (``workers.lua``).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.store.client import Client
from dispatcher.store.decoding import readable, whole, whole_or_0
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts
from dispatcher.store.protocol import DEAD_S
from dispatcher.store.server_clock import AHEAD_MS

#: seconds without a script call after which a process sends a heartbeat
BEAT_S = 1.0

_NAME = re.compile(r"[^\s:]\S{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcess:
    """An entry of the registry."""

    name: str
    instance: str
    #: number of requests to the provider that it could begin, according to its last heartbeat
    room: int
    #: seconds of the registry's clock since its last heartbeat
    silent_s: float

    @property
    def alive(self) -> bool:
        return self.silent_s <= DEAD_S


class WorkerRegistry:
    """Registers the worker processes of all hosts and their heartbeats."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def register(self, name: str, instance: str, *, room: int = 0) -> None:
        """Register a process that starts. An earlier process with this name counts as ended.

        Raises ValueError if the scripts could not parse the name.
        """
        _check(name, instance)
        await self._scripts.run("register", name=name, instance=instance, room=room)

    async def beat(self, name: str, instance: str, *, room: int = 0) -> bool:
        """Send a heartbeat. Returns False, and changes nothing, if another process has registered under this name.

        ``room`` is the number of requests to the provider that the process could begin.
        """
        _check(name, instance)
        return bool(await self._scripts.run("beat", name=name, instance=instance, room=room))

    async def report_end(self, name: str, instance: str = "") -> None:
        """Report that a process has ended. It does nothing if another process has its name already.

        Without an instance, the process that has the name has ended.
        """
        await self._scripts.run("report_end", name=name, instance=instance)

    async def sign_off(self, name: str, instance: str) -> None:
        """Sign off a process that stops: leases that it fetched and has not begun go to others at once."""
        self._scripts.worker = str
        await self._scripts.run("sign_off", name=name, instance=instance)

    def speak_as(self, name: str, instance: str, room: Callable[[], int]) -> None:
        """Make every script that this store runs from now on a heartbeat of a process."""
        _check(name, instance)
        self._scripts.worker = lambda: f"{name} {instance} {max(0, room())}"

    @property
    def spoke_s(self) -> float:
        """Return when this process last reached the registry, by the monotonic clock (seconds)."""
        return self._scripts.answered_s

    async def all(self) -> list[WorkerProcess]:
        """Return every known process, including dead ones that are not removed yet."""
        return (await self.read()).processes

    async def read(self) -> "WorkerStatus":
        """Read the whole registry in one call."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hgetall(self._keys.workers)
                pipe.get(self._keys.workers_ended)
                raw, ended_ms = await pipe.execute()
        clocks = readable(self._keys.workers, [raw.pop(_CLOCK, b"0 0")], _clock)
        clock_ms, moved_ms = clocks[0] if clocks else (0, 0)
        processes = readable(
            self._keys.workers,
            raw.items(),
            lambda item: _worker(item[0].decode(), *item[1].decode().split(), clock_ms=clock_ms),
        )
        return WorkerStatus(processes=processes, moved_ms=moved_ms, ended_ms=whole_or_0(ended_ms))


class WorkerStatus(NamedTuple):
    """The content of the registry.

    ``moved_ms`` is when the registry's clock last advanced, ``ended_ms`` when a process last ended, both by the
    server's clock in milliseconds since 1970.
    """

    processes: list[WorkerProcess]
    moved_ms: int
    ended_ms: int

    @property
    def alive(self) -> int:
        return sum(process.alive for process in self.processes)

    def seen_ms(self, now_ms: int) -> int:
        """Return when the last sign of life of any process was received; 0 if no process is known.

        A time later than ``now_ms`` was stored before the clock was set back; it is ignored.
        """
        # while no process calls, the registry's clock stops and the server's continues
        alive_ms = (min(self.moved_ms, now_ms) - round(process.silent_s * 1000) for process in self.processes)
        return max([self.ended_ms if self.ended_ms <= now_ms + AHEAD_MS else 0, *alive_ms])


_CLOCK = b":clock"


def _clock(raw: bytes) -> tuple[int, int]:
    clock_ms, moved_ms = map(whole, raw.split())
    return clock_ms, moved_ms


def _worker(name: str, instance: str, heartbeat_ms: str, room: str, *, clock_ms: int) -> WorkerProcess:
    silent_s = (clock_ms - whole(heartbeat_ms)) / 1000
    return WorkerProcess(name=name, instance=instance, room=whole(room), silent_s=silent_s)


def _check(name: str, instance: str) -> None:
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(instance)):
        raise ValueError("name and instance of a worker have no spaces and do not begin with a colon")
