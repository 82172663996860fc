"""Loads the Lua scripts, one file for each verb, and runs them by name."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from dispatcher.core.counted import counted
from dispatcher.store.client import ACCEPT_WAIT_S, Client, leave
from dispatcher.store.epoch import WriteEpoch
from dispatcher.store.errors import StoreNotReplicated, StoreRolledBack, translated
from dispatcher.store.key_types import KeyTypes
from dispatcher.store.keys import Keys
from dispatcher.store.protocol import constants

_FOLDER = Path(__file__).parent / "scripts"
#: parts that are put in front of every script, in an order in which each one follows those that it needs
SHARED = (
    *("damage", "time", "keys", "records", "wakes", "events", "sums", "scopes", "counts", "waiting", "numbers"),
    "workers",
)
#: parts that are put in front of some scripts only
_LEASES = frozenset({"begin", "claim", "fetch", "reclaim", "sign_off"})
_PACING = frozenset({"begin", "claim", "next_due", "set_limits", "slow_down", "take_permit", "unblock"})
_PARKING = frozenset({"begin", "cancel_jobs", "claim", "finalize", "remove_rows", "repair", "settle"})
_HOLDS = frozenset(
    {
        *("begin", "check_provider", "claim", "count_forbidden_country", "note_answer", "note_list", "open_hold"),
        *("reclaim", "release", "report_rollback", "resume", "settle"),
    }
)
_SUPPRESSIONS = frozenset(
    {
        *("begin", "find_suppressed", "forget_suppressions", "reindex_suppressions", "settle", "suppress"),
        "unsuppress",
    }
)
_DEAD_NUMBERS = frozenset({"settle"})
_STARTS = frozenset({"change", "control"})
_VERSIONS = frozenset({"begin", "change", "count_failure", "open_hold"})
_WEBHOOKS = frozenset({"end_delivery", "plan_delivery", "put_endpoint", "take_delivery"})
#: scripts that increase the account's write epoch, and scripts that only check whether writes were lost
_MOVING = frozenset(
    {
        *("add_chunk", "add_events", "begin", "cancel_jobs", "change", "claim", "continue", "control", "create"),
        *("defer", "delete_document", "fix_selection", "move_epoch", "settle", "suppress", "take_deferred"),
        *("put_endpoint", "remove_endpoint", "touch_document", "unsuppress"),
    }
)
_LOOKING = frozenset({"beat", "next_due"})

#: what a part defines outside of blocks
_DEFINITION = re.compile(r"^local (?:function (\w+)|(\w+(?:, \w+)*))", re.MULTILINE)

#: text before and after these parts: it rejects misspelt options, and writes the counts once
_HEAD = """local OPTIONS = setmetatable(cjson.decode(ARGV[1]), {__index = function(_, name)
  error('the option ' .. name .. ' is missing')
end})
"""
_END = "local answer = run()\nwrite_counts()\nreturn answer\n"
_END_OF = dict.fromkeys(_MOVING, "return with_epoch(run, write_counts, true)\n") | dict.fromkeys(
    _LOOKING, "return with_epoch(run, write_counts, false)\n"
)
_SOME = {
    "epoch": frozenset(_END_OF),
    "leases": _LEASES,
    "pacing": _PACING,
    "holds": _HOLDS,
    "parking": _PARKING,
    "suppressions": _SUPPRESSIONS,
    "dead_numbers": _DEAD_NUMBERS,
    "webhooks": _WEBHOOKS,
    "starts": _STARTS,
    "versions": _VERSIONS,
}

#: a loss of writes is assumed to begin this long before the last write that is known to be kept
LOST_MARGIN_MS = 600_000

Argument = str | bytes | int | float
#: types of an option, which is passed as JSON
Option = str | int | float | Sequence[str] | Sequence[int] | Mapping[str, str] | Mapping[str, int] | Mapping[str, float]


@cache
def source(verb: str) -> str:
    """Return the whole text of a script as it is sent to the server."""
    parts = [*SHARED, *(name for name, verbs in _SOME.items() if verb in verbs)]
    run = f"local function run()\n{constants(verb)}{(_FOLDER / f'{verb}.lua').read_text()}\nend"
    text = f"{run}\n{_END_OF.get(verb, _END)}"
    for name in reversed(parts):
        part = f"{constants(name)}{(_FOLDER / 'prelude' / f'{name}.lua').read_text()}"
        text = f"{_in_function(part, text)}\n{text}"
    return f"{_HEAD}\n{text}"


def _in_function(part: str, rest: str) -> str:
    """Return a part in a function of its own, which returns what the rest of the script names.

    Lua allows 200 locals in a function. So a script has those of a part only as far as it uses them.
    """
    defined = [name for names in _DEFINITION.findall(part) for name in re.findall(r"\w+", "".join(names))]
    named = set(re.findall(r"\w+", rest))
    shared = ", ".join(dict.fromkeys(name for name in defined if name in named))
    return f"local {shared} = (function()\n{part}\nreturn {shared}\nend)()" if shared else f"do\n{part}\nend"


def digest(text: str) -> str:
    """Return the SHA-1 hash that identifies a script in ``EVALSHA`` and the slow log."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class WriteAnswer:
    """The answer of a script that increases the account's write epoch."""

    answer: Any
    #: the epoch after the script
    epoch: int
    #: whether enough replicas have the write
    replicated: bool


class Scripts:
    """Runs scripts by their hash; the text is sent only if the server does not know it yet."""

    def __init__(self, client: Client, keys: Keys, text: Callable[[str], str] = source, *, replicas: int = 0) -> None:
        """``text`` returns the whole text of a script; ``replicas`` is how many replicas an accepted write needs."""
        self._client = client
        self.keys = keys
        self._key_types = KeyTypes(client, keys)
        self._text = text
        self._replicas = replicas
        self._hashes: dict[str, str] = {}
        self.epoch = WriteEpoch()
        #: "<name> <instance> <room>" of this worker process; empty in other processes (``workers.lua``)
        self.worker: Callable[[], str] = str
        #: when the server last answered, by the monotonic clock (seconds)
        self.answered_s = 0.0

    async def run(self, verb: str, /, *values: Argument, **options: Option) -> Any:
        """Run a script and return its answer as decoded by redis-py.

        Args:
            verb: The name of the script.
            values: Positional arguments, for lists and binary values; the script's header comment describes them.
            options: Named arguments.

        Raises:
            StoreError: Redis cannot be used, or has lost writes.
        """
        if verb in _END_OF:
            return (await self.move(verb, values, options)).answer
        with translated():
            return (await self._call(verb, values, options, 0))[0]

    async def accept(self, verb: str, /, *values: Argument, **options: Option) -> Any:
        """Run a script whose effect is acknowledged to others, and wait until enough replicas have it.

        Raises:
            StoreNotReplicated: Too few replicas have the write.
            StoreError: Redis cannot be used, or has lost writes.
        """
        moved = await self.move(verb, values, options, wait_s=ACCEPT_WAIT_S)
        if not moved.replicated:
            raise StoreNotReplicated(
                f"fewer than {counted(self._replicas, 'replica')} of Redis confirmed it: repeat the request"
            )
        return moved.answer

    async def move(
        self, verb: str, values: Sequence[Argument], options: Mapping[str, Option], *, wait_s: float = 0.0
    ) -> WriteAnswer:
        """Run a script that checks the write epoch, and wait ``wait_s`` for replicas. Raises StoreRolledBack."""
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
            # an old connection may lead to a former master
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
        """Return the script's answer and whether enough replicas have what it wrote."""
        arguments = [json.dumps({**options, "worker": self.worker()}), *values]
        try:
            return await self._executed(verb, arguments, wait_s)
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                await self._key_types.check()  # raises an error that names the key
            raise

    async def _executed(self, verb: str, arguments: Sequence[Argument], wait_s: float) -> tuple[Any, bool]:
        try:
            answer = await self._send("EVALSHA", self._hash(verb), arguments, wait_s)
        except NoScriptError:
            # EVAL and not SCRIPT LOAD: after a failover the next command may reach a server without the script
            answer = await self._send("EVAL", self._text(verb), arguments, wait_s)
        self.answered_s = time.monotonic()
        return answer

    async def _send(self, command: str, script: str, arguments: Sequence[Argument], wait_s: float) -> tuple[Any, bool]:
        if not (wait_s and self._replicas):
            return await self._client.execute_command(command, script, 1, self.keys.epoch, *arguments), True
        # WAIT covers only the writes of its own connection
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command(command, script, 1, self.keys.epoch, *arguments)
            pipe.execute_command("WAIT", self._replicas, round(wait_s * 1000))
            answer, replicas = await pipe.execute()
        return answer, replicas >= self._replicas

    def _hash(self, verb: str) -> str:
        if verb not in self._hashes:
            self._hashes[verb] = digest(self._text(verb))
        return self._hashes[verb]
