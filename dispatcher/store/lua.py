"""Loads the scripts, one file per verb, and runs them by their names."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

from dispatcher.store.client import Client
from dispatcher.store.errors import translated

_FOLDER = Path(__file__).parent / "scripts"
#: put in front of every script, of those that touch the account's pace, and of those that touch holds
_RECORD, _WORKERS, _PACING, _HOLDING = "record", "workers", "pacing", "holding"
_PACED = frozenset({"begin", "claim", "take", "slow_down", "set_limits", "unblock"})
_HELD = frozenset({"begin", "breaker", "claim", "forbid", "hold", "release", "settle"})

#: before and after what is put in front: the last argument is not the verb's, and counts are written once
_ARGUMENTS = "local WORKER = table.remove(ARGV)"
_END = "local answer = run()\nwrite_counts()\nreturn answer\n"

Argument = str | bytes | int | float


@cache
def source(verb: str) -> str:
    """The whole text of a script as the server sees it. The last argument names the worker that runs it."""
    shared = [_RECORD, _WORKERS, *([_PACING] if verb in _PACED else []), *([_HOLDING] if verb in _HELD else [])]
    parts = [_ARGUMENTS, *map(_part, shared), f"local function run()\n{_part(verb)}\nend", _END]
    return "\n".join(parts)


def _part(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


class Scripts:
    """Runs a verb by its hash; the text is sent only when the server does not know it (a restart, a new version)."""

    def __init__(self, client: Client, text: Callable[[str], str] = source) -> None:
        """``text`` gives the whole text of a verb's script."""
        self._client = client
        self._text = text
        self._hashes: dict[str, str] = {}
        #: "<name> <instance> <room>" of the worker process that this is; empty for any other (``workers.lua``)
        self.worker: Callable[[], str] = str

    async def run(self, verb: str, arguments: Sequence[Argument]) -> Any:
        """The script's answer as redis-py gives it. Raises StoreError."""
        with translated():
            given = [*arguments, self.worker()]
            try:
                return await self._client.evalsha(self._hash(verb), 0, *given)
            except NoScriptError:
                # in one command: after a failover what comes next may go to another server, which does not know it
                return await self._client.eval(self._text(verb), 0, *given)

    def _hash(self, verb: str) -> str:
        if verb not in self._hashes:
            self._hashes[verb] = hashlib.sha1(self._text(verb).encode(), usedforsecurity=False).hexdigest()
        return self._hashes[verb]
