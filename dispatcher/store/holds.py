"""Stores holds: they stop sending for a scope until a probe succeeds or someone releases them."""

import json
import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from dispatcher.core.batch import Definition
from dispatcher.core.hold_scope import batch_of_job
from dispatcher.core.limits.holds import ACCOUNT
from dispatcher.core.policy.policy import Policy
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, left_out, typed, whole, whole_or_0
from dispatcher.store.errors import UnreadableData, translated
from dispatcher.store.lua import Scripts

#: category of a hold that cannot be read
UNREADABLE = "unreadable"
#: searches for a hold of a batch and a category, and holds that each one looks at
_SEARCHES, _SEARCHED = 5, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A stored hold. ``scope`` is account, provider, batch:<id>, document:<sha256>, country:<region> or job:<id>."""

    #: unique for each hold, also among holds of the same scope
    id: str
    scope: str
    category: str
    cause: str
    since_ms: int
    #: when the next probe may be sent; 0: there is no probe, and someone has to release the hold
    probe_at_ms: int = 0
    #: number of probes that were sent
    probes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldJobs:
    """The jobs of a batch that are held one by one for one category."""

    batch: str
    category: str
    jobs: int
    #: one of their holds, as a rule the one that has lasted longest; of very many, it may have ended
    first: Hold

    @classmethod
    def parse(cls, field: bytes, first: bytes, jobs: int) -> "HeldJobs":
        """Read a field of the index, and the first hold. Raises what decoders raise."""
        batch, _, category = field.decode().partition(" ")
        return cls(batch=batch, category=category, jobs=jobs, first=_hold(first))


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSummary:
    """All holds: those of wider scopes, the oldest first, and those of single jobs together."""

    wide: tuple[Hold, ...]
    jobs: tuple[HeldJobs, ...]


class ListNote(IntEnum):
    """The effect of noting that a list of the provider could or could not be read."""

    NOTHING = 0
    HELD = 1
    RELEASED = 2


class Holds:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def open(
        self, scope: str, category: str, cause: str, *, probes_s: Sequence[float] = (), source: Definition | None = None
    ) -> bool:
        """Hold a scope. Returns False if it is held already, or if the batch or job that it names has ended.

        Nothing is held either for a failure whose ``source``, what its batch sent, was changed meanwhile.

        ``probes_s`` are the seconds to the first probe and between probes. If it is empty, the hold lasts until someone
        releases it, and it replaces a hold that is probed.
        """
        answer = await self._scripts.run(
            "open_hold",
            scope=scope,
            category=category,
            cause=cause,
            hold_id=_new_id(),
            probes_ms=_series_ms(probes_s),
            batch=source.id if source else "",
            tag=source.tag if source else "",
        )
        return bool(answer)

    async def check_provider(self, policy: Policy) -> bool:
        """Hold the provider if too many of the last sends failed or ended unclear, or if it answers none at all.

        Returns:
            Whether a new hold was opened."""
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
        """Note that the provider answered a send that is not settled.

        ``probed`` is the id of the provider's hold if the send was its probe.
        """
        await self._scripts.run("note_answer", hold_id=probed)

    async def count_send(self) -> None:
        """Count a send whose end is known and that is not settled."""
        with translated():
            await self._client.incr(self._keys.sends)

    async def answered_ms(self) -> int:
        """Return when the provider last answered a send, in milliseconds since 1970; 0 for never."""
        with translated():
            return whole_or_0(await self._client.hget(self._keys.answered, "at_ms"))

    async def note_list(self, policy: Policy, *, readable: bool) -> ListNote:
        """Note whether a list of the provider could be read.

        If none can be read for too long while attempts are unclear, the provider is held until a list is read again.
        """
        answer = await self._scripts.run(
            "note_list",
            readable=readable,
            limit_ms=round(policy.lists_fail_s * 1000),
            hold_id=_new_id(),
            probes_ms=_series_ms(policy.probe_provider_s),
        )
        return ListNote(answer)

    async def count_failure(
        self, scope: str, hold_after: int, *, attempt: str, within_s: float, source: Definition | None = None
    ) -> bool:
        """Count a failure of a scope. Returns True if enough failed in a row, within the time, to open a hold.

        ``attempt`` (``<job>/<attempt>``) counts once, however often it is reported. It does not count if its
        ``source``, what its batch sent, was changed meanwhile.
        """
        answer = await self._scripts.run(
            "count_failure",
            scope=scope,
            hold_after=hold_after,
            attempt=attempt,
            within_ms=round(within_s * 1000),
            batch=source.id if source else "",
            tag=source.tag if source else "",
        )
        return bool(answer)

    async def count_forbidden_country(self, scope: str, *, countries: int, sends: int) -> bool:
        """Count a refused country. Returns True if ``countries`` were refused within the last ``sends`` sends."""
        return bool(await self._scripts.run("count_forbidden_country", scope=scope, sends=sends, countries=countries))

    async def release(self, scope: str, hold_id: str = "") -> bool:
        """End the hold of a scope, or only the one with this id. Returns False if there is none."""
        return bool(await self._scripts.run("release", scope=scope, hold_id=hold_id))

    async def all(self) -> list[Hold]:
        """Return all holds, the oldest first. One that cannot be read still holds; its category is UNREADABLE."""
        try:
            with translated():
                raw = await self._client.hgetall(self._keys.holds)
        except UnreadableData as error:
            return [_of_another_type(self._keys.holds, error)]
        holds = [_decoded(self._keys.holds, scope, stored) for scope, stored in raw.items()]
        return sorted(holds, key=lambda hold: (hold.since_ms, hold.scope))

    async def summary(self) -> "HoldSummary":
        """Return all holds, those of single jobs as one for each batch and category. It takes no longer for more jobs.

        If the indexes do not agree with the holds, all of these are read.
        """
        try:
            indexed = await self._indexed()
        except UnreadableData:
            indexed = None
        return indexed or _summed(await self.all())

    async def _indexed(self) -> "HoldSummary | None":
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hlen(self._keys.holds)
                pipe.smembers(self._keys.wide_holds)
                pipe.hgetall(self._keys.holds_of_jobs)
                pipe.hgetall(self._keys.first_holds)
                total, wide, counted, first = await pipe.execute()
        with decoding(self._keys.holds_of_jobs):
            jobs = {field: whole(count) for field, count in counted.items()}
            named = {field: HeldJobs.parse(field, first[field], jobs[field]) for field in jobs}
        if len(wide) + sum(jobs.values()) != total:
            return None
        scopes = [scope.decode(errors="backslashreplace") for scope in wide]
        stored = await self.among([*scopes, *(held.first.scope for held in named.values())])
        by_scope = {hold.scope: hold for hold in stored}
        groups = [await self._with_present(held, by_scope.get(held.first.scope)) for held in named.values()]
        if any(group is None for group in groups) or not by_scope.keys() >= set(scopes):
            return None
        return HoldSummary(
            wide=tuple(hold for hold in stored if hold.scope in set(scopes)),
            jobs=tuple(group for group in groups if group),
        )

    async def _with_present(self, held: "HeldJobs", first: Hold | None) -> "HeldJobs | None":
        """Return the group with a hold that it still has, if a short search finds one; None if it has none."""
        if first and first.category == held.category:
            return replace(held, first=first)
        cursor = 0
        for _ in range(_SEARCHES):
            with translated():
                cursor, some = await self._client.hscan(
                    self._keys.holds, cursor, match=f"job:{held.batch}.*", count=_SEARCHED
                )
            holds = [_decoded(self._keys.holds, scope, stored) for scope, stored in some.items()]
            present = [hold for hold in holds if hold.category == held.category]
            if present:
                return replace(held, first=min(present, key=lambda hold: (hold.since_ms, hold.scope)))
            if not cursor:
                return None
        return held

    async def among(self, scopes: Iterable[str]) -> list[Hold]:
        """Return the holds of these scopes, as ``all`` does."""
        return await holds_among(self._client, self._keys.holds, scopes)


async def holds_among(client: Client, key: str, scopes: Iterable[str]) -> list[Hold]:
    """Return the holds of some scopes, the oldest first. Others are not read: thousands of jobs may be held."""
    names = sorted(scopes)
    try:
        with translated():
            raw = await client.hmget(key, names) if names else []
    except UnreadableData as error:
        return [_of_another_type(key, error)]
    stored = zip(names, raw, strict=True)
    holds = [_decoded(key, scope.encode(), value) for scope, value in stored if value is not None]
    return sorted(holds, key=lambda hold: (hold.since_ms, hold.scope))


def _of_another_type(key: str, error: UnreadableData) -> Hold:
    left_out(UnreadableData(key, error.reason))
    cause = f"The holds cannot be read, so nothing is sent: {key} is of another type than a hash."
    return Hold(id="", scope=ACCOUNT, category=UNREADABLE, cause=cause, since_ms=0)


def _new_id() -> str:
    return secrets.token_hex(8)


def _series_ms(series_s: Sequence[float]) -> list[int]:
    return [round(seconds * 1000) for seconds in series_s]


def _summed(holds: Sequence[Hold]) -> HoldSummary:
    """Return the summary of holds, which are given with the oldest first."""
    groups: dict[tuple[str, str], HeldJobs] = {}
    for hold in holds:
        if batch := batch_of_job(hold.scope):
            group = HeldJobs(batch=batch, category=hold.category, jobs=0, first=hold)
            before = groups.get((batch, hold.category), group)
            groups[batch, hold.category] = replace(before, jobs=before.jobs + 1)
    return HoldSummary(wide=tuple(hold for hold in holds if not batch_of_job(hold.scope)), jobs=tuple(groups.values()))


def _hold(raw: bytes) -> Hold:
    stored = json.loads(raw)
    return typed(Hold, {field: stored[field] for field in Hold.__slots__ if field in stored})


def _decoded(key: str, scope: bytes, raw: bytes) -> Hold:
    name = scope.decode(errors="backslashreplace")
    try:
        with decoding(f"{key} {name}"):
            hold = _hold(raw)
            if hold.scope != name:
                raise ValueError("it names another scope")
            return hold
    except UnreadableData as error:
        left_out(error)
        cause = (
            f"What is stored about this hold cannot be read: check why it may be, and `bulkfax holds release {name}`."
        )
        return Hold(id="", scope=name, category=UNREADABLE, cause=cause, since_ms=0)
