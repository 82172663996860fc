"""Holds: sending stopped for a scope, with a reason, until a probe disproves it or someone releases it."""

import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from dispatcher.core.policy import Policy
from dispatcher.store import keys
from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.lua import Argument, Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """``scope`` is account, provider, batch:<id>, document:<sha256>, country:<region> or job:<id>."""

    #: another one for each hold, of the same scope too
    id: str
    scope: str
    category: str
    cause: str
    since_ms: int
    #: 0: released by hand only
    probe_at_ms: int = 0
    #: probes that were sent
    probes: int = 0


class ListNote(IntEnum):
    """What followed from a list that was read, or could not be."""

    NOTHING = 0
    HELD = 1
    RELEASED = 2


class Holds:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts

    async def open(self, scope: str, category: str, cause: str, *, probes_s: Sequence[float] = ()) -> bool:
        """Hold a scope. False when it was held already, or when what it names has ended.

        ``probes_s`` are the seconds to the first probe and between probes; none: it is released by hand only, and takes
        the place of one that is probed.
        """
        arguments: list[Argument] = [scope, category, cause, _series_ms(probes_s), _new_id()]
        return bool(await self._scripts.run("hold", arguments))

    async def check_provider(self, policy: Policy) -> bool:
        """Hold the provider if too many of the last sends failed by its fault or ended unclear, or a few while it
        answered nobody. True when the hold is new."""
        series = _series_ms(policy.probe_provider_s)
        most_unclear = math.floor(policy.unclear_share * policy.unclear_sends) + 1
        arguments: list[Argument] = [policy.breaker_sends, policy.breaker_failures, series, _new_id()]
        arguments += [policy.unclear_sends, most_unclear, policy.breaker_run, round(policy.breaker_quiet_s * 1000)]
        return bool(await self._scripts.run("breaker", arguments))

    async def note_answer(self, probed: str = "") -> None:
        """The provider answered a send, and no settlement says so. ``probed`` is the id of the provider's hold whose
        probe the send was."""
        await self._scripts.run("note_answer", [probed])

    async def answered_ms(self) -> int:
        """When the provider last answered a send, milliseconds since 1970; 0 for never."""
        with translated():
            return int(await self._client.hget(keys.ANSWERED, "at_ms") or 0)

    async def note_list(self, policy: Policy, *, readable: bool) -> ListNote:
        """A list of the provider was read, or could not be. None can be for too long while attempts are unclear: the
        provider is held, until one is read again."""
        series, limit_ms = _series_ms(policy.probe_provider_s), round(policy.lists_fail_s * 1000)
        answer = await self._scripts.run("note_list", [int(readable), limit_ms, series, _new_id()])
        return ListNote(answer)

    async def count_failure(self, scope: str, hold_after: int, *, attempt: str, within_s: float) -> bool:
        """One more failure of a scope. True when there were enough of them for a hold, in a row and within that time.

        ``attempt`` (``<job>/<attempt>``) is counted once, however often it is told.
        """
        return bool(await self._scripts.run("strike", [scope, hold_after, attempt, round(within_s * 1000)]))

    async def count_forbidden_country(self, scope: str, *, countries: int, sends: int) -> bool:
        """A country was refused. True when ``countries`` were within the last ``sends``: the account is the cause."""
        return bool(await self._scripts.run("forbid", [scope, sends, countries]))

    async def release(self, scope: str, hold_id: str = "") -> bool:
        """End a hold, or that one only whose id is given. False when there was none."""
        return bool(await self._scripts.run("release", [scope, hold_id]))

    async def all(self) -> list[Hold]:
        """All holds, the oldest first."""
        with translated():
            raw = await self._client.hvals(keys.HOLDS)
        return sorted(map(_decoded, raw), key=lambda hold: hold.since_ms)


def _new_id() -> str:
    return secrets.token_hex(8)


def _series_ms(series_s: Sequence[float]) -> str:
    return json.dumps([round(seconds * 1000) for seconds in series_s])


def _decoded(raw: bytes) -> Hold:
    stored = json.loads(raw)
    return Hold(**{field: stored[field] for field in Hold.__slots__ if field in stored})
