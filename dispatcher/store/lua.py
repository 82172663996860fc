"""Loads the scripts, one file per verb, and runs them by their names."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

from dispatcher.store.client import ACCEPT_WAIT_S, Client, leave
from dispatcher.store.epoch import WriteEpoch
from dispatcher.store.errors import StoreNotReplicated, StoreRolledBack, translated

_FOLDER = Path(__file__).parent / "scripts"
#: put in front of every script (two), of those that touch leases, the account's pace, holds, and rows of held countries
_RECORD, _WORKERS, _EPOCH = "record", "workers", "epoch"
_LEASES, _PACING, _HOLDING, _PARKING = "leases", "pacing", "holding", "parking"
_LEASED = frozenset({"begin", "claim", "fetch", "reap", "sign_off"})
_PACED = frozenset({"begin", "claim", "next_due", "set_limits", "slow_down", "take", "unblock"})
_PARKED = frozenset({"begin", "claim", "drain", "repair", "settle"})
_HELD = frozenset(
    {
        *("begin", "breaker", "claim", "forbid", "hold", "note_answer", "note_list", "reap", "release"),
        *("report_rollback", "resume", "settle"),
    }
)
#: those that move the account's write epoch, and those that only look whether it was lost
_MOVING = frozenset(
    {
        *("add_events", "add_part", "begin", "claim", "control", "create", "defer", "fix_selection", "move_epoch"),
        *("settle", "take_deferred"),
    }
)
_LOOKING = frozenset({"beat", "next_due"})

#: before and after what is put in front: the last arguments are not the verb's, and counts are written once
_ARGUMENTS = "local WORKER = table.remove(ARGV)"
_END = "local answer = run()\nwrite_counts()\nreturn answer\n"
_END_OF = dict.fromkeys(_MOVING, "return with_epoch(run, write_counts, true)\n") | dict.fromkeys(
    _LOOKING, "return with_epoch(run, write_counts, false)\n"
)

#: writes may be lost from so long before the last one that was seen to be kept
LOST_MARGIN_MS = 600_000

Argument = str | bytes | int | float


@cache
def source(verb: str) -> str:
    """The whole text of a script as the server sees it. The last argument names the worker that runs it; the one before
    is the highest epoch seen, for those that heed it."""
    some = {_EPOCH: _END_OF, _LEASES: _LEASED, _PACING: _PACED, _HOLDING: _HELD, _PARKING: _PARKED}
    shared = [_RECORD, _WORKERS, *(name for name, verbs in some.items() if verb in verbs)]
    parts = [_ARGUMENTS, *map(_part, shared), f"local function run()\n{_part(verb)}\nend", _END_OF.get(verb, _END)]
    return "\n".join(parts)


def digest(text: str) -> str:
    """What ``EVALSHA`` and the slow log know a script by."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _part(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


@dataclass(frozen=True, slots=True)
class WriteAnswer:
    """What a script answered that moves the account's write epoch."""

    answer: Any
    #: the epoch after it
    epoch: int
    #: as many replicas have it as were asked for
    replicated: bool


class Scripts:
    """Runs a verb by its hash; the text is sent only when the server does not know it (a restart, a new version)."""

    def __init__(self, client: Client, text: Callable[[str], str] = source, *, replicas: int = 0) -> None:
        """``text`` gives the whole text of a verb's script; ``replicas``: how many have to have what is waited for."""
        self._client = client
        self._text = text
        self._replicas = replicas
        self._hashes: dict[str, str] = {}
        self.epoch = WriteEpoch()
        #: "<name> <instance> <room>" of the worker process that this is; empty for any other (``workers.lua``)
        self.worker: Callable[[], str] = str
        #: when the server last answered, by the monotonic clock (seconds)
        self.answered_s = 0.0

    async def run(self, verb: str, arguments: Sequence[Argument]) -> Any:
        """The script's answer as redis-py gives it. Raises StoreError."""
        if verb in _END_OF:
            return (await self.move(verb, arguments)).answer
        with translated():
            return (await self._call(verb, arguments, 0))[0]

    async def accept(self, verb: str, arguments: Sequence[Argument]) -> Any:
        """The same for what is acknowledged to others. Raises StoreNotReplicated when too few replicas have it."""
        moved = await self.move(verb, arguments, wait_s=ACCEPT_WAIT_S)
        if not moved.replicated:
            raise StoreNotReplicated(f"fewer than {self._replicas} replicas of Redis have it: repeat the request")
        return moved.answer

    async def move(self, verb: str, arguments: Sequence[Argument], *, wait_s: float = 0.0) -> WriteAnswer:
        """Run a verb that heeds the epoch, and wait for replicas if there is time to. Raises StoreRolledBack."""
        for last in (False, True):
            given = self.epoch.highest
            with translated():
                (word, epoch, *more), replicated = await self._call(verb, [*arguments, given], wait_s)
            if word == b"done":
                raised_to, now_ms, answer = more
                self.epoch.answered(epoch, raised_to, now_ms)
                return WriteAnswer(answer, epoch, replicated)
            self.epoch.losses += 1
            # it may be a master that was, at the end of an old connection
            leave(self._client)
            if last:
                await self._report(given, epoch)
        raise StoreRolledBack(f"Redis has lost writes: its epoch is {epoch}, and {given} was seen before")

    async def _report(self, seen: int, found: int) -> None:
        cause = f"Redis has lost writes: its epoch was {found} when {seen} had been seen"
        arguments: list[Argument] = [seen, self.epoch.seen_ms(found), LOST_MARGIN_MS, cause]
        await self.run("report_rollback", arguments)

    async def _call(self, verb: str, arguments: Sequence[Argument], wait_s: float) -> tuple[Any, bool]:
        """The script's answer, and whether enough replicas have what it wrote."""
        given = [*arguments, self.worker()]
        try:
            answer = await self._send("EVALSHA", self._hash(verb), given, wait_s)
        except NoScriptError:
            # in one command: after a failover what comes next may go to another server, which does not know it
            answer = await self._send("EVAL", self._text(verb), given, wait_s)
        self.answered_s = time.monotonic()
        return answer

    async def _send(self, command: str, script: str, given: Sequence[Argument], wait_s: float) -> tuple[Any, bool]:
        if not (wait_s and self._replicas):
            return await self._client.execute_command(command, script, 0, *given), True
        # WAIT knows only of what its own connection has written
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command(command, script, 0, *given)
            pipe.execute_command("WAIT", self._replicas, round(wait_s * 1000))
            answer, have_it = await pipe.execute()
        return answer, have_it >= self._replicas

    def _hash(self, verb: str) -> str:
        if verb not in self._hashes:
            self._hashes[verb] = digest(self._text(verb))
        return self._hashes[verb]
