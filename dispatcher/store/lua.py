"""Loads the scripts, one file per verb, and runs them by their names."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

from dispatcher.store.client import ACCEPT_WAIT_S, Client, leave
from dispatcher.store.epoch import WriteEpoch
from dispatcher.store.errors import StoreNotReplicated, StoreRolledBack, translated
from dispatcher.store.keys import Keys
from dispatcher.store.protocol import constants

_FOLDER = Path(__file__).parent / "scripts"
#: what is put in front of every script, in an order in which each part finds those that it needs
SHARED = ("time", "keys", "records", "wakes", "scopes", "counts", "waiting", "numbers", "workers")
#: what is put in front of some scripts only
_LEASES = frozenset({"begin", "claim", "fetch", "reclaim", "sign_off"})
_PACING = frozenset({"begin", "claim", "next_due", "set_limits", "slow_down", "take_permit", "unblock"})
_PARKING = frozenset({"begin", "claim", "finalize", "repair", "settle"})
_HOLDS = frozenset(
    {
        *("begin", "check_provider", "claim", "count_forbidden_country", "note_answer", "note_list", "open_hold"),
        *("reclaim", "release", "report_rollback", "resume", "settle"),
    }
)
#: those that move the account's write epoch, and those that only look whether it was lost
_MOVING = frozenset(
    {
        *("add_chunk", "add_events", "begin", "claim", "control", "create", "defer", "fix_selection", "move_epoch"),
        *("settle", "take_deferred"),
    }
)
_LOOKING = frozenset({"beat", "next_due"})

#: before and after what is put in front: a misspelt option is an error, and counts are written once
_HEAD = """local OPTIONS = setmetatable(cjson.decode(ARGV[1]), {__index = function(_, name)
  error('the option ' .. name .. ' is missing')
end})
"""
_END = "local answer = run()\nwrite_counts()\nreturn answer\n"
_END_OF = dict.fromkeys(_MOVING, "return with_epoch(run, write_counts, true)\n") | dict.fromkeys(
    _LOOKING, "return with_epoch(run, write_counts, false)\n"
)
_SOME = {"epoch": frozenset(_END_OF), "leases": _LEASES, "pacing": _PACING, "holds": _HOLDS, "parking": _PARKING}

#: writes may be lost from so long before the last one that was seen to be kept
LOST_MARGIN_MS = 600_000

Argument = str | bytes | int | float
#: what JSON can carry
Option = str | int | float | Sequence[str] | Sequence[int] | Mapping[str, str] | Mapping[str, int] | Mapping[str, float]


@cache
def source(verb: str) -> str:
    """The whole text of a script as the server sees it."""
    parts = [*SHARED, *(name for name, verbs in _SOME.items() if verb in verbs)]
    shared = [f"{constants(name)}{(_FOLDER / 'prelude' / f'{name}.lua').read_text()}" for name in parts]
    run = f"local function run()\n{constants(verb)}{(_FOLDER / f'{verb}.lua').read_text()}\nend"
    return "\n".join([_HEAD, *shared, run, _END_OF.get(verb, _END)])


def digest(text: str) -> str:
    """What ``EVALSHA`` and the slow log know a script by."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


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

    def __init__(self, client: Client, keys: Keys, text: Callable[[str], str] = source, *, replicas: int = 0) -> None:
        """``text`` gives the whole text of a verb's script; ``replicas``: how many have to have what is waited for."""
        self._client = client
        self.keys = keys
        self._text = text
        self._replicas = replicas
        self._hashes: dict[str, str] = {}
        self.epoch = WriteEpoch()
        #: "<name> <instance> <room>" of the worker process that this is; empty for any other (``workers.lua``)
        self.worker: Callable[[], str] = str
        #: when the server last answered, by the monotonic clock (seconds)
        self.answered_s = 0.0

    async def run(self, verb: str, /, *values: Argument, **options: Option) -> Any:
        """Run a script, and return its answer as redis-py gives it.

        Args:
            verb: The name of the script.
            values: What comes in numbers or is binary; the head of the script says what it is.
            options: The arguments that the script knows by name.

        Raises:
            StoreError: Redis cannot be used, or has lost writes.
        """
        if verb in _END_OF:
            return (await self.move(verb, values, options)).answer
        with translated():
            return (await self._call(verb, values, options, 0))[0]

    async def accept(self, verb: str, /, *values: Argument, **options: Option) -> Any:
        """Run a script whose effect is acknowledged to others.

        Raises:
            StoreNotReplicated: Too few replicas have it.
            StoreError: Redis cannot be used, or has lost writes.
        """
        moved = await self.move(verb, values, options, wait_s=ACCEPT_WAIT_S)
        if not moved.replicated:
            raise StoreNotReplicated(f"fewer than {self._replicas} replicas of Redis have it: repeat the request")
        return moved.answer

    async def move(
        self, verb: str, values: Sequence[Argument], options: Mapping[str, Option], *, wait_s: float = 0.0
    ) -> WriteAnswer:
        """Run a script that heeds the write epoch, and wait ``wait_s`` for replicas. Raises StoreRolledBack."""
        for last in (False, True):
            seen = self.epoch.highest
            with translated():
                called = await self._call(verb, values, {**options, "seen_epoch": seen}, wait_s)
            (word, epoch, *more), replicated = called
            if word == b"done":
                raised_to, now_ms, answer = more
                self.epoch.answered(epoch, raised_to, now_ms)
                return WriteAnswer(answer, epoch, replicated)
            self.epoch.losses += 1
            # it may be a master that was, at the end of an old connection
            leave(self._client)
            if last:
                await self._report(seen, epoch)
        raise StoreRolledBack(f"Redis has lost writes: its epoch is {epoch}, and {seen} was seen before")

    async def _report(self, seen: int, stored: int) -> None:
        await self.run(
            "report_rollback",
            seen_before=seen,
            since_ms=self.epoch.seen_ms(stored),
            margin_ms=LOST_MARGIN_MS,
            cause=f"Redis has lost writes: its epoch was {stored} when {seen} had been seen",
        )

    async def _call(
        self, verb: str, values: Sequence[Argument], options: Mapping[str, Option], wait_s: float
    ) -> tuple[Any, bool]:
        """The script's answer, and whether enough replicas have what it wrote."""
        arguments = [json.dumps({**options, "worker": self.worker()}), *values]
        try:
            answer = await self._send("EVALSHA", self._hash(verb), arguments, wait_s)
        except NoScriptError:
            # in one command: after a failover what comes next may go to another server, which does not know it
            answer = await self._send("EVAL", self._text(verb), arguments, wait_s)
        self.answered_s = time.monotonic()
        return answer

    async def _send(self, command: str, script: str, arguments: Sequence[Argument], wait_s: float) -> tuple[Any, bool]:
        if not (wait_s and self._replicas):
            return await self._client.execute_command(command, script, 1, self.keys.epoch, *arguments), True
        # WAIT knows only of what its own connection has written
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command(command, script, 1, self.keys.epoch, *arguments)
            pipe.execute_command("WAIT", self._replicas, round(wait_s * 1000))
            answer, replicas = await pipe.execute()
        return answer, replicas >= self._replicas

    def _hash(self, verb: str) -> str:
        if verb not in self._hashes:
            self._hashes[verb] = digest(self._text(verb))
        return self._hashes[verb]
