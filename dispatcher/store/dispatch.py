"""The way of a job through the store: claim, fetch, begin, settle, reclaim. One method for each script."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dispatcher.core.batch import Priority
from dispatcher.core.job import HistoryEntry, JobId, Record, State
from dispatcher.core.policy import Policy
from dispatcher.core.recovery.places import Place
from dispatcher.core.retry.waits import look_apart_ms
from dispatcher.store import codec, keys
from dispatcher.store.batches import seen
from dispatcher.store.client import BEGIN_WAIT_S, Client
from dispatcher.store.errors import translated
from dispatcher.store.lua import Argument, Option, Scripts
from dispatcher.store.protocol import BeginWord

_LEASE_NUMBERS = 2**32 - 1
#: jobs of one kind that one run of a script gives another state: Redis serves nobody else meanwhile
_STEP = 50
#: how far ahead of now slots are granted
HORIZON_US = 1_000_000
#: a lock that nothing frees is gone after this time; an attempt's end frees it long before
NUMBER_LOCK_MS = 6 * 3_600_000
#: what claim answers when it has only passed over rows of held countries, and how often in a row it is asked again
_MORE, _MAX_PASSES = b"more", 32

#: without the spaces that the default puts in, which Lua would only skip
_COMPACT = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one worker process to begin a few jobs, until a deadline or its end."""

    id: str
    number: int
    jobs: tuple[JobId, ...]
    #: holds that this lease may pass and whose probe it is, by scope: their ids. Empty for ordinary work
    probes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A leased job on its way into begin."""

    job: JobId
    number_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What begin said of one job."""

    job: JobId
    word: BeginWord
    record: Record
    #: microseconds from the server's time in the same answer; may be slightly negative
    slot_in_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginAnswer:
    epoch: int
    #: which of the tries of one call it was that did this
    tried: int
    jobs: tuple[Begun, ...]
    #: of the account, after this
    write_epoch: int
    #: enough replicas have it; otherwise nothing of it may be sent
    replicated: bool
    #: whether it still counts: no longer when Redis has lost writes since, and maybe this one
    stands: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHold:
    """Why one job is held."""

    category: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReport:
    """What the end of a send says of the provider: its breaker goes by this."""

    #: it is one of the last sends. A missed slot and a 429 are none: they say nothing of how the provider works
    counts: bool = True
    #: a usable answer came
    answered: bool = False
    #: no usable answer came, by the provider's fault
    failed: bool = False
    unclear: bool = False
    #: the status that came with a failure, as people should see it
    status: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransition:
    """One job's step, decided from ``old``. Its new place follows from the new state."""

    job: JobId
    old: Record
    new: Record
    #: milliseconds since 1970 of the next look at a job that stays live; None leaves the job in its place
    next_ms: int | None = 0
    #: why a job that waits is held until someone releases it; ``next_ms`` means nothing then
    hold: JobHold | None = None
    history: HistoryEntry | None = None
    #: seconds that the number rests after the attempt ended; None keeps its lock
    rest_s: float | None = None
    #: attempt that holds the number's lock
    attempt: int = 0
    #: hash of the number that the job locks now; empty for none
    number_hash: str = ""
    #: attempts that were made and count
    spent: int = 0
    #: causes of holds that end when the attempt is a probe of theirs
    disproves: frozenset[str] = frozenset()
    #: how a send ended, for the breaker of the provider
    send: SendReport | None = None
    #: counters for metrics; nothing is decided by them
    totals: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncodedTransition:
    """A change as the script takes it. Whatever cannot be encoded has been found out by then."""

    values: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class JobGone:
    """There is no such job any more: its batch was deleted, or the server lost it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaimed:
    given_back: int
    held: int
    #: sends whose deadline passed without an answer
    unclear: int
    #: worker processes that live
    workers: int
    #: leases that nobody has fetched, by the priority of their jobs: their message may be lost
    announce: tuple[tuple[Priority, str], ...]
    look_at: tuple[JobId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A job as the store has it: its record, what became of earlier attempts, when it is looked at next."""

    job: JobId
    record: Record
    history: tuple[HistoryEntry, ...]


class Dispatch:
    def __init__(self, client: Client, scripts: Scripts, policy: Policy) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._policy = policy

    async def claim(self, priority: str, *, max_jobs: int, max_ahead: int, max_in_flight: int) -> Lease | None:
        """Lease up to ``max_jobs`` jobs of a priority class.

        At most ``max_ahead`` jobs are leased within a second, four times as many at a time, and ``max_in_flight`` are
        leased or being sent, over all processes.

        Returns:
            None when nothing is due, everything is held, enough work is ahead, or no worker is alive.
        """
        lease_id, raw = secrets.token_hex(8), _MORE
        options: dict[str, Option] = {
            "lease_id": lease_id,
            "lease_number": 1 + secrets.randbelow(_LEASE_NUMBERS),
            "class": priority,
            "max_jobs": max_jobs,
            "max_ahead": max_ahead,
            "max_in_flight": max_in_flight,
            "lease_ms": int(self._policy.lease_s * 1000),
            "retry_floor": self._policy.retry_floor,
            "horizon_us": HORIZON_US,
        }
        for _ in range(_MAX_PASSES):
            if raw == _MORE:
                raw = await self._scripts.run("claim", **options)
        return _lease(lease_id, raw) if raw and raw != _MORE else None

    async def fetch(self, lease_id: str) -> Lease | None:
        """Take a lease by its id; None when it is over, or another process has it.

        From now on it ends with this worker process. Whoever is no worker only reads.
        """
        raw = await self._scripts.run("fetch", lease_id=lease_id)
        return _lease(lease_id, raw) if raw else None

    async def begin(
        self, lease: Lease, candidates: Sequence[Candidate], *, max_in_flight: int, call: str = "", tried: int = 0
    ) -> BeginAnswer:
        """Mark those jobs ``sending`` that may be sent now and were granted a slot; the others go back unspent.

        Whoever begins a lease that was begun before is granted nothing. A call that is tried again has the id of the
        first try (``new_call``) and a number of its own in ``tried``. Jobs that it began earlier, and whose slots were
        not heard of, are ``unheard``.
        """
        call = call or new_call()
        policy = self._policy
        values = [value for candidate in candidates for value in (str(candidate.job), candidate.number_hash)]
        seen, losses = self._scripts.epoch, self._scripts.epoch.losses
        options: dict[str, Option] = {
            "call_id": call,
            "tried": tried,
            "lease_id": lease.id,
            "lease_number": lease.number,
            "probes": lease.probes,
            "horizon_us": HORIZON_US,
            "sending_ms": round((policy.send_window_s + policy.post_total_s) * 1000),
            "busy_ms": int(policy.number_busy_s * 1000),
            "lock_ms": NUMBER_LOCK_MS,
            "cut": policy.rate_cut,
            "regain_us": int(policy.rate_regain_s * 1_000_000),
            "max_in_flight": max_in_flight,
        }
        begun = await self._scripts.move("begin", values, options, wait_s=BEGIN_WAIT_S)
        now_us, epoch, tried_then, *flat = begun.answer
        rows = zip(flat[0::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        jobs = tuple(
            Begun(
                job=candidate.job,
                word=_word(BeginWord(word.decode()), record, call),
                record=record,
                slot_in_us=int(slot) - int(now_us),
            )
            for candidate, (word, _, slot, raw) in zip(candidates, rows, strict=True)
            for record in [codec.decode_record(raw) if raw else Record()]
        )
        return BeginAnswer(
            epoch=int(epoch),
            tried=int(tried_then),
            jobs=jobs,
            write_epoch=begun.epoch,
            replicated=begun.replicated,
            stands=lambda: seen.losses == losses,
        )

    async def settle(self, changes: Sequence[StoredTransition]) -> list[Record | JobGone | None]:
        """Apply changes by compare-and-set. None for each that stands, else the record that was found instead."""
        return await self.apply([prepare(change) for change in changes])

    async def apply(self, changes: Sequence[EncodedTransition]) -> list[Record | JobGone | None]:
        """The same for changes that were encoded before."""
        values = [value for change in changes for value in change.values]
        return [_settled(answer) for answer in await self._scripts.run("settle", *values, lock_ms=NUMBER_LOCK_MS)]

    async def reclaim(self, *, max_jobs: int, again_s: float, look: bool = True) -> Reclaimed:
        """Give back the jobs of leases that nobody will begin, let sends without an answer become unclear, and name the
        jobs in flight that are to be looked at.

        At most about ``most`` of each, and none in flight without ``look``; a named job comes due again after
        ``again_s``. Has to be called once a second at least while leases are open.
        """
        given_back, held, unclear, living = 0, 0, 0, 0
        announce, look_at = list[tuple[Priority, str]](), list[JobId]()
        options = self._reclaim_options(min(max_jobs, _STEP), again_s, look=look)
        for _ in range(0, max_jobs, _STEP):
            back, more_held, late, living, leases, jobs = await self._scripts.run("reclaim", **options)
            given_back, held, unclear = given_back + back, held + more_held, unclear + late
            names = [name.decode() for name in leases]
            announce += [(Priority(name), lease_id) for name, lease_id in zip(names[0::2], names[1::2], strict=True)]
            look_at += [JobId.parse(job.decode()) for job in jobs]
            if max(back, late, len(jobs)) < _STEP:
                break
        return Reclaimed(
            given_back=given_back,
            held=held,
            unclear=unclear,
            workers=living,
            announce=tuple(announce),
            look_at=tuple(look_at),
        )

    def _reclaim_options(self, step: int, again_s: float, *, look: bool) -> dict[str, Option]:
        policy = self._policy
        return {
            "max_jobs": step,
            "max_looks": step if look else 0,
            "again_ms": int(again_s * 1000),
            "max_strikes": policy.max_strikes,
            "lease_ms": int(policy.lease_s * 1000),
            "look_ms": round(policy.looks_s[0] * 1000),
            "apart_ms": look_apart_ms(0, policy),
        }

    async def finalize(self, max_jobs: int = 500) -> int:
        """Give waiting jobs of ended batches their final state; returns how many."""
        finalized = 0
        while finalized < max_jobs:
            step = min(_STEP, max_jobs - finalized)
            done = int(await self._scripts.run("finalize", max_jobs=step))
            finalized += done
            if done < step:
                break
        return finalized

    async def overdue_batches(self, now_ms: int) -> list[str]:
        """Batches whose deadline has passed."""
        with translated():
            raw = await self._client.zrangebyscore(self._keys.deadlines, "-inf", now_ms, start=0, num=100)
        return [name.decode() for name in raw]

    async def stored(self, jobs: Sequence[JobId]) -> list[Stored | None]:
        """Records and histories of several jobs in one round trip; None for one that does not exist."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for job in jobs:
                    block, at = keys.locate(job)
                    start = at * codec.WIDTH
                    pipe.getrange(self._keys.block_part(job.batch, "records", block), start, start + codec.WIDTH - 1)
                    pipe.hget(self._keys.block_part(job.batch, "history", block), str(job.row))
                    pipe.hget(self._keys.block_part(job.batch, "long_ids", block), str(job.row))
                flat = await pipe.execute()
        return [_stored(job, *flat[at * 3 : at * 3 + 3]) for at, job in enumerate(jobs)]

    async def sizes(self) -> dict[str, int]:
        """How many jobs are in flight, by the place they are in."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for watch in self._keys.watch.values():
                    pipe.zcard(watch)
                sizes = await pipe.execute()
        return {place.value: size for place, size in zip(self._keys.watch, sizes, strict=True)}

    async def unclear_since_ms(self, max_jobs: int = 500) -> int:
        """Since when the oldest unclear attempt is looked for, milliseconds since 1970; 0: none is.

        Of more than ``most`` those count that are looked for next.
        """
        with translated():
            names = await self._client.zrange(self._keys.watch[Place.UNCLEAR], 0, max_jobs - 1)
            async with self._client.pipeline(transaction=False) as pipe:
                for block, at, batch in ((*keys.locate(job), job.batch) for job in map(_job, names)):
                    start = at * codec.WIDTH
                    pipe.getrange(self._keys.block_part(batch, "records", block), start, start + codec.WIDTH - 1)
                raw = await pipe.execute()
        records = (codec.decode_record(record) for record in raw if len(record) == codec.WIDTH)
        return min((record.began_ms for record in records if record.state is State.SENDING), default=0)


def _job(name: bytes) -> JobId:
    return JobId.parse(name.decode())


def new_call() -> str:
    """An id under which a call of begin and its repetitions are one."""
    return secrets.token_hex(8)


def _word(word: BeginWord, record: Record, call: str) -> BeginWord:
    """A job that is gone, but by this very call, was begun without the caller's hearing of it."""
    begun = record.state is State.SENDING and record.lease == int(call[:8], 16)
    return BeginWord.UNHEARD if word is BeginWord.GONE and begun else word


def _lease(lease_id: str, raw: bytes) -> Lease:
    fields = json.loads(raw)
    jobs = tuple(JobId.parse(job) for job in fields["jobs"])
    return Lease(id=lease_id, number=fields["number"], jobs=jobs, probes=fields["probes"])


def prepare(change: StoredTransition) -> EncodedTransition:
    """Raises ValueError or struct.error for what has no place in a record."""
    return EncodedTransition(_values(change))


def _settled(answer: bytes) -> Record | JobGone | None:
    if answer == b"gone":
        return JobGone()
    return None if answer in (b"done", b"repeat") else codec.decode_record(answer)


def _values(change: StoredTransition) -> tuple[Argument, ...]:
    """What settle takes for one job, in its order."""
    return (
        _COMPACT.encode(_fields(change)),
        codec.encode_record(change.old),
        codec.encode_record(change.new),
        codec.encode_entry(change.history) if change.history else b"",
    )


def _fields(change: StoredTransition) -> dict[str, object]:
    """The fields of a change as ``settle.lua`` names them; those that say nothing are left out."""
    job, fax_id = str(change.job), change.new.fax_id
    fields: dict[str, object] = {
        "batch": change.job.batch,
        "row": change.job.row,
        "attempt": f"{job}/{change.attempt}",
    }
    if change.next_ms is not None:
        fields["next_ms"] = change.next_ms
    if change.rest_s is not None:
        fields["rest_ms"] = int(change.rest_s * 1000)
    if change.hold is not None:
        fields["hold"] = {"category": change.hold.category, "cause": change.hold.cause}
    if change.number_hash:
        fields["number_hash"] = change.number_hash
    if len(fax_id) > codec.ID_WIDTH or len(fax_id.encode()) > codec.ID_WIDTH:
        fields["long_id"] = fax_id
    if change.spent:
        fields["spent"] = change.spent
    if change.disproves:
        fields["disproves"] = sorted(change.disproves)
    if change.send is not None:
        fields["send"] = _send_fields(change.send)
    if change.totals:
        fields["totals"] = dict(change.totals)
    return fields


def _send_fields(send: SendReport) -> dict[str, object]:
    flags = {"counts": send.counts, "answered": send.answered, "failed": send.failed, "unclear": send.unclear}
    fields: dict[str, object] = {name: True for name, is_set in flags.items() if is_set}
    if send.failed:
        fields["status"] = send.status
    return fields


def _stored(job: JobId, raw: bytes, history: bytes | None, long_id: bytes | None) -> Stored | None:
    if len(raw) != codec.WIDTH:
        return None
    record = seen(codec.decode_record(raw), job.row, None, 0, (long_id or b"").decode())
    return Stored(job=job, record=record, history=tuple(codec.decode_history(history)) if history else ())
