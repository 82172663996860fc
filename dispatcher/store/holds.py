"""Holds: sending stopped for a scope, with a reason, until a probe disproves it or someone releases it."""

import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from dispatcher.core.policy import Policy
from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts


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
        self._keys = scripts.keys

    async def open(self, scope: str, category: str, cause: str, *, probes_s: Sequence[float] = ()) -> bool:
        """Hold a scope. False when it was held already, or when what it names has ended.

        ``probes_s`` are the seconds to the first probe and between probes; none: it is released by hand only, and takes
        the place of one that is probed.
        """
        answer = await self._scripts.run(
            "open_hold",
            scope=scope,
            category=category,
            cause=cause,
            hold_id=_new_id(),
            probes_ms=_series_ms(probes_s),
        )
        return bool(answer)

    async def check_provider(self, policy: Policy) -> bool:
        """Hold the provider if too many of the last sends failed by its fault or ended unclear, or a few while it
        answered nobody. True when the hold is new."""
        answer = await self._scripts.run(
            "check_provider",
            sends=policy.breaker_sends,
            failures=policy.breaker_failures,
            unclear_sends=policy.unclear_sends,
            unclear=math.floor(policy.unclear_share * policy.unclear_sends) + 1,
            run=policy.breaker_run,
            quiet_ms=round(policy.breaker_quiet_s * 1000),
            hold_id=_new_id(),
            probes_ms=_series_ms(policy.probe_provider_s),
        )
        return bool(answer)

    async def note_answer(self, probed: str = "") -> None:
        """The provider answered a send, and no settlement says so. ``probed`` is the id of the provider's hold whose
        probe the send was."""
        await self._scripts.run("note_answer", hold_id=probed)

    async def count_send(self) -> None:
        """One more send whose end is known, and no settlement says so."""
        with translated():
            await self._client.incr(self._keys.sends)

    async def answered_ms(self) -> int:
        """When the provider last answered a send, milliseconds since 1970; 0 for never."""
        with translated():
            return int(await self._client.hget(self._keys.answered, "at_ms") or 0)

    async def note_list(self, policy: Policy, *, readable: bool) -> ListNote:
        """A list of the provider was read, or could not be. None can be for too long while attempts are unclear: the
        provider is held, until one is read again."""
        answer = await self._scripts.run(
            "note_list",
            readable=readable,
            limit_ms=round(policy.lists_fail_s * 1000),
            hold_id=_new_id(),
            probes_ms=_series_ms(policy.probe_provider_s),
        )
        return ListNote(answer)

    async def count_failure(self, scope: str, hold_after: int, *, attempt: str, within_s: float) -> bool:
        """One more failure of a scope. True when there were enough of them for a hold, in a row and within that time.

        ``attempt`` (``<job>/<attempt>``) is counted once, however often it is told.
        """
        answer = await self._scripts.run(
            "count_failure", scope=scope, hold_after=hold_after, attempt=attempt, within_ms=round(within_s * 1000)
        )
        return bool(answer)

    async def count_forbidden_country(self, scope: str, *, countries: int, sends: int) -> bool:
        """A country was refused. True when ``countries`` were within the last ``sends``: the account is the cause."""
        return bool(await self._scripts.run("count_forbidden_country", scope=scope, sends=sends, countries=countries))

    async def release(self, scope: str, hold_id: str = "") -> bool:
        """End a hold, or that one only whose id is given. False when there was none."""
        return bool(await self._scripts.run("release", scope=scope, hold_id=hold_id))

    async def all(self) -> list[Hold]:
        """All holds, the oldest first."""
        with translated():
            raw = await self._client.hvals(self._keys.holds)
        return sorted(map(_decoded, raw), key=lambda hold: hold.since_ms)


def _new_id() -> str:
    return secrets.token_hex(8)


def _series_ms(series_s: Sequence[float]) -> list[int]:
    return [round(seconds * 1000) for seconds in series_s]


def _decoded(raw: bytes) -> Hold:
    stored = json.loads(raw)
    return Hold(**{field: stored[field] for field in Hold.__slots__ if field in stored})
