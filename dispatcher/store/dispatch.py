"""Moves jobs through the store with the scripts claim, fetch, begin, settle, reclaim and finalize, and reads them."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dispatcher.core.batch import Priority
from dispatcher.core.dead_numbers import CallEnd, area_of
from dispatcher.core.job import HistoryEntry, JobId, Record, State
from dispatcher.core.policy.policy import Policy
from dispatcher.core.recovery.places import Place
from dispatcher.core.retry.waits import lookup_spacing_ms
from dispatcher.store import codec, keys
from dispatcher.store.batches import complete_record
from dispatcher.store.client import BEGIN_WAIT_S, Client
from dispatcher.store.decoding import decoding, left_out, readable, whole
from dispatcher.store.errors import UnreadableData, translated
from dispatcher.store.lua import Argument, Option, Scripts
from dispatcher.store.protocol import BeginWord

_LEASE_NUMBERS = 2**32 - 1
#: maximum number of jobs that one run of a script changes, because Redis serves no other command meanwhile
_STEP = 50
#: how far in the future slots may be granted (microseconds)
HORIZON_US = 1_000_000
#: lifetime of a number's lock that is not released; usually the end of the attempt releases it much earlier
NUMBER_LOCK_MS = 6 * 3_600_000
#: answer of the claim script if it only skipped rows of held countries, and maximum number of repetitions then
_MORE, _MAX_PASSES = b"more", 32

#: writes JSON without spaces, which Lua would have to skip
_COMPACT = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one worker process to begin a few jobs, until a deadline or the end of the process."""

    id: str
    number: int
    jobs: tuple[JobId, ...]
    #: ids of the holds whose probe this lease is and which it may pass, by scope. Empty for ordinary leases
    probes: Mapping[str, str] = field(default_factory=dict)
    #: tags of the definitions that its faxes are to be built from, by batch; empty for batches that were not changed
    tags: Mapping[str, str] = field(default_factory=dict)
    #: jobs whose record or history cannot be read; known of a lease that was fetched
    unreadable: Mapping[JobId, UnreadableData] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A leased job that is passed to begin."""

    job: JobId
    number_hash: str
    #: E.164
    number: str
    #: of the definition that its fax is built from
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCall:
    """How a call ended, and to which number."""

    end: CallEnd
    #: E.164; empty if it does not matter, or is not known
    number: str = ""
    #: of the policy on dead numbers
    figures: Mapping[str, int] = field(default_factory=dict)
    #: how a dead number was proved
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginResult:
    """What begin did with one job."""

    job: JobId
    word: BeginWord
    record: Record
    #: microseconds from the server's time in the same answer to the slot; may be slightly negative
    slot_in_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginAnswer:
    #: epoch of the rate limiter when the slots were granted; a 429 is reported with it
    rate_epoch: int
    #: which try of the call was executed
    answered_try: int
    jobs: tuple[BeginResult, ...]
    #: write epoch of the account after this call
    write_epoch: int
    #: whether enough replicas have the write; otherwise none of the jobs may be sent
    replicated: bool
    #: returns whether the answer is still valid; it is not if Redis has lost writes since, possibly this one
    still_valid: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHold:
    """The reason why one job is held."""

    category: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReport:
    """What the end of a send says about the provider; the provider's circuit breaker counts these reports."""

    #: whether it counts as a send. A missed slot and a 429 do not: they say nothing about the provider's health
    counts: bool = True
    #: whether the provider gave a usable answer
    answered: bool = False
    #: whether the provider failed to give a usable answer
    failed: bool = False
    unclear: bool = False
    #: the status of a failure, as shown to people
    status: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransition:
    """A transition of one job, decided from the record ``old``. The new state determines the new place of the job."""

    job: JobId
    old: Record
    new: Record
    #: when a live job is due again, in milliseconds since 1970; None leaves the job in its place
    next_ms: int | None = 0
    #: why a waiting job is held until someone releases it; ``next_ms`` is ignored then
    hold: JobHold | None = None
    history: HistoryEntry | None = None
    #: seconds for which the number may not be called after the attempt; None: the number stays locked
    rest_s: float | None = None
    #: attempt that holds the number's lock
    attempt: int = 0
    #: hash of the number that the job locks now; empty if it locks none
    number_hash: str = ""
    #: number of attempts, pages that have arrived, and costs by currency, to add to the batch's totals
    spent: int = 0
    pages: int = 0
    costs: Mapping[str, int] = field(default_factory=dict)
    #: what the attempt, if it is a hold's probe, shows to be over: ``provider``, or a category of a hold of the account
    disproves: frozenset[str] = frozenset()
    #: how a send ended, for the provider's circuit breaker
    send: SendReport | None = None
    #: the call that has ended; None if none has
    call: EndedCall | None = None
    #: counters for metrics; they influence no decision
    totals: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncodedTransition:
    """A transition encoded for the script, so that encoding errors occur before the call."""

    values: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class JobGone:
    """The answer for a job that does not exist: its batch was deleted, or the server lost it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaimed:
    given_back: int
    #: jobs held because their worker ended too often before it began them
    held: int
    #: number of sends whose deadline passed without an answer
    unclear: int
    #: number of living worker processes
    workers: int
    #: leases that no worker has fetched, with their priority: their messages may be lost
    announce: tuple[tuple[Priority, str], ...]
    look_at: tuple[JobId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A job as it is stored: its record and its history. ``error`` says why they cannot be read."""

    job: JobId
    record: Record
    history: tuple[HistoryEntry, ...]
    error: UnreadableData | None = None


class Dispatch:
    """Runs the scripts that move jobs between states, and reads the jobs in flight."""

    def __init__(self, client: Client, scripts: Scripts, policy: Policy) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._policy = policy

    async def claim(self, priority: str, *, max_jobs: int, max_ahead: int, max_in_flight: int) -> Lease | None:
        """Lease up to ``max_jobs`` jobs of a priority class.

        Over all processes, at most ``max_ahead`` of the leased jobs are younger than a second, at most four times
        ``max_ahead`` are leased at once, and at most ``max_in_flight`` are leased or being sent.

        Returns:
            None if nothing is due, everything is held, enough jobs are leased, or no worker is alive.
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
            raw = await self._scripts.run("claim", **options)
            if raw != _MORE:
                break
        return _lease(self._keys.lease(lease_id), lease_id, raw) if raw and raw != _MORE else None

    async def fetch(self, lease_id: str) -> Lease | None:
        """Take a lease by its id. Returns None if it has ended or another process has it.

        From now on the lease ends with this worker process. A process that is not a worker only reads it.
        """
        answer = await self._scripts.run("fetch", lease_id=lease_id)
        if not answer or not answer[0]:
            return None
        raw, *flat = answer
        lease = _lease(self._keys.lease(lease_id), lease_id, raw)
        return replace(lease, unreadable=_unreadable(_all_stored(self._keys, lease.jobs, flat)))

    async def begin(
        self, lease: Lease, candidates: Sequence[Candidate], *, max_in_flight: int, call: str = "", try_number: int = 0
    ) -> BeginAnswer:
        """Mark jobs that may be sent and are granted a slot as ``sending``; the others wait again.

        A lease can be begun once: later calls are granted nothing. The tries of one call share the id of ``new_call``
        and differ in ``try_number``. Jobs that an earlier try began, and whose slots were lost with its answer, are
        ``unheard``.
        """
        call = call or new_call()
        policy = self._policy
        values = [value for candidate in candidates for value in _begin_values(candidate)]
        write_epoch, losses_before = self._scripts.epoch, self._scripts.epoch.losses
        options: dict[str, Option] = {
            "call_id": call,
            "tried": try_number,
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
        now_us, rate_epoch, answered_try, *flat = begun.answer
        rows = zip(flat[0::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        jobs = tuple(
            BeginResult(
                job=candidate.job,
                word=_word(BeginWord(word.decode()), record, call),
                record=record,
                slot_in_us=int(slot) - int(now_us),
            )
            for candidate, (word, _, slot, raw) in zip(candidates, rows, strict=True)
            for record in [codec.record_or_mark(raw) if raw else Record()]
        )
        return BeginAnswer(
            rate_epoch=int(rate_epoch),
            answered_try=int(answered_try),
            jobs=jobs,
            write_epoch=begun.epoch,
            replicated=begun.replicated,
            still_valid=lambda: write_epoch.losses == losses_before,
        )

    async def settle(self, changes: Sequence[StoredTransition]) -> list[Record | JobGone | None]:
        """Apply transitions by compare-and-set.

        Returns:
            For each transition, None if it was applied, otherwise the current record or ``JobGone``.
        """
        return await self.apply([prepare(change) for change in changes])

    async def apply(self, changes: Sequence[EncodedTransition]) -> list[Record | JobGone | None]:
        """Apply encoded transitions; like ``settle``."""
        values = [value for change in changes for value in change.values]
        return [_settled(answer) for answer in await self._scripts.run("settle", *values, lock_ms=NUMBER_LOCK_MS)]

    async def reclaim(self, *, max_jobs: int, again_s: float, in_flight: bool = True) -> Reclaimed:
        """Take back jobs of ended leases, mark overdue sends as unclear, and return the jobs in flight that are due.

        It has to be called at least once a second while leases are open.

        Args:
            max_jobs: Approximate maximum number of jobs of each kind.
            again_s: Seconds after which a returned job in flight is due again.
            in_flight: Whether to return jobs in flight.
        """
        given_back, held, unclear, living = 0, 0, 0, 0
        announce, look_at = list[tuple[Priority, str]](), list[JobId]()
        options = self._reclaim_options(min(max_jobs, _STEP), again_s, in_flight=in_flight)
        for _ in range(0, max_jobs, _STEP):
            back, more_held, late, living, leases, jobs = await self._scripts.run("reclaim", **options)
            given_back, held, unclear = given_back + back, held + more_held, unclear + late
            names = [name.decode() for name in leases]
            announce += [(Priority(name), lease_id) for name, lease_id in zip(names[0::2], names[1::2], strict=True)]
            look_at += readable("watch", jobs, keys.job_of)
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

    def _reclaim_options(self, step: int, again_s: float, *, in_flight: bool) -> dict[str, Option]:
        policy = self._policy
        return {
            "max_jobs": step,
            "max_lookups": step if in_flight else 0,
            "again_ms": int(again_s * 1000),
            "max_strikes": policy.max_strikes,
            "lease_ms": int(policy.lease_s * 1000),
            "look_ms": round(policy.lookups_s[0] * 1000),
            "apart_ms": lookup_spacing_ms(0, policy),
        }

    async def finalize(self, max_jobs: int = 500) -> int:
        """Give waiting jobs of ended batches their final state. Returns their number."""
        finalized = 0
        while finalized < max_jobs:
            step = min(_STEP, max_jobs - finalized)
            done = int(await self._scripts.run("finalize", max_jobs=step))
            finalized += done
            if done < step:
                break
        return finalized

    async def overdue_batches(self, now_ms: int) -> list[str]:
        """Return the batches whose deadline has passed."""
        with translated():
            raw = await self._client.zrangebyscore(self._keys.deadlines, "-inf", now_ms, start=0, num=100)
        return [name.decode(errors="replace") for name in raw]

    async def stored(self, jobs: Sequence[JobId]) -> list[Stored | None]:
        """Return the records and histories of several jobs in one round trip.

        A job that does not exist is None. One whose record or history cannot be read has the state UNREADABLE.
        """
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for job in jobs:
                    block, offset = keys.locate(job)
                    start = offset * codec.WIDTH
                    pipe.getrange(self._keys.of_block(job.batch, "records", block), start, start + codec.WIDTH - 1)
                    pipe.hget(self._keys.of_block(job.batch, "history", block), str(job.row))
                    pipe.hget(self._keys.of_block(job.batch, "long_ids", block), str(job.row))
                flat = await pipe.execute(raise_on_error=False)
            _raise_refusal(flat)
        return _all_stored(self._keys, jobs, flat)

    async def sizes(self) -> dict[str, int]:
        """Return the number of jobs in flight, by place."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for watch in self._keys.watch.values():
                    pipe.zcard(watch)
                sizes = await pipe.execute()
        return {place.value: size for place, size in zip(self._keys.watch, sizes, strict=True)}

    async def unclear_since_ms(self, max_jobs: int = 500) -> int:
        """Return when the oldest unclear attempt began, in milliseconds since 1970; 0 if there is none.

        Only the ``max_jobs`` unclear jobs that are searched for next are read.
        """
        with translated():
            names = await self._client.zrange(self._keys.watch[Place.UNCLEAR], 0, max_jobs - 1)
            jobs = readable(self._keys.watch[Place.UNCLEAR], names, keys.job_of)
            async with self._client.pipeline(transaction=False) as pipe:
                for block, offset, batch in ((*keys.locate(job), job.batch) for job in jobs):
                    start = offset * codec.WIDTH
                    pipe.getrange(self._keys.of_block(batch, "records", block), start, start + codec.WIDTH - 1)
                raw = await pipe.execute()
        records = codec.readable_records(b"".join(record for record in raw if len(record) == codec.WIDTH))
        return min((record.began_ms for record in records if record.state is State.SENDING), default=0)


def _begin_values(candidate: Candidate) -> tuple[str, str, str, str]:
    return str(candidate.job), candidate.number_hash, candidate.number.removeprefix("+"), candidate.tag


def new_call() -> str:
    """Return a new id for a call of begin, which its repetitions share."""
    return secrets.token_hex(8)


def _word(word: BeginWord, record: Record, call: str) -> BeginWord:
    """Return UNHEARD for a job that an earlier try of this call began, so that it is no longer in the lease."""
    begun = record.state is State.SENDING and record.lease == int(call[:8], 16)
    return BeginWord.UNHEARD if word is BeginWord.GONE and begun else word


def _lease(key: str, lease_id: str, raw: bytes) -> Lease:
    with decoding(key):
        fields = json.loads(raw)
        jobs = tuple(JobId.parse(job) for job in fields["jobs"])
        return Lease(
            id=lease_id,
            number=whole(fields["number"]),
            jobs=jobs,
            probes=dict(fields["probes"]),
            tags=dict(fields.get("tags", {})),
        )


def prepare(change: StoredTransition) -> EncodedTransition:
    """Encode a transition for ``apply``. Raises ValueError or struct.error if a value does not fit into a record."""
    return EncodedTransition(_values(change))


def _settled(answer: bytes) -> Record | JobGone | None:
    if answer == b"gone":
        return JobGone()
    with decoding("what settle has met of a job"):
        return None if answer in (b"done", b"repeat") else codec.decode_record(answer)


def _values(change: StoredTransition) -> tuple[Argument, ...]:
    """Return the arguments of the settle script for one job, in order."""
    return (
        _COMPACT.encode(_fields(change)),
        codec.encode_record(change.old),
        codec.encode_record(change.new),
        codec.encode_entry(change.history) if change.history else b"",
    )


def _fields(change: StoredTransition) -> dict[str, object]:
    """Return the fields of a transition by their names in ``settle.lua``, without empty ones."""
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
    if not codec.fits(fax_id):
        fields["long_id"] = fax_id
    if change.spent:
        fields["spent"] = change.spent
    if change.pages:
        fields["pages"] = change.pages
    if change.costs:
        fields["costs"] = dict(change.costs)
    if change.disproves:
        fields["disproves"] = sorted(change.disproves)
    if change.send is not None:
        fields["send"] = _send_fields(change.send)
    if change.call is not None:
        fields["call"] = _call_fields(change.call)
    ones = [field for field, by in change.totals.items() if by == 1 and " " not in field]
    if ones:
        fields["ones"] = " ".join(ones)
    if len(ones) < len(change.totals):
        fields["totals"] = {field: by for field, by in change.totals.items() if field not in ones}
    return fields


def _call_fields(call: EndedCall) -> dict[str, object]:
    digits = call.number.removeprefix("+")
    if not digits:
        return {"ended": True}
    if call.end is CallEnd.DELIVERED:
        return {"delivered": digits}
    return {"dead": {"number": digits, "area": area_of(call.number), "reason": call.reason, **call.figures}}


def _send_fields(send: SendReport) -> dict[str, object]:
    flags = {"counts": send.counts, "answered": send.answered, "failed": send.failed, "unclear": send.unclear}
    fields: dict[str, object] = {name: True for name, is_set in flags.items() if is_set}
    if send.failed:
        fields["status"] = send.status
    return fields


def _raise_refusal(answers: Sequence[bytes | Exception | None]) -> None:
    """Raise an error that says nothing of stored data: the server is busy, or denies a command."""
    for answer in answers:
        if isinstance(answer, Exception) and "WRONGTYPE" not in str(answer):
            raise answer


def _all_stored(
    names: keys.Keys, jobs: Sequence[JobId], flat: Sequence[bytes | Exception | int | None]
) -> list[Stored | None]:
    """Decode record, history and long fax id of each job."""
    return [_stored(names, job, *flat[index * 3 : index * 3 + 3]) for index, job in enumerate(jobs)]


def _unreadable(stored: Iterable[Stored | None]) -> dict[JobId, UnreadableData]:
    return {entry.job: entry.error for entry in stored if entry and entry.error}


def _stored(names: keys.Keys, job: JobId, *answers: bytes | Exception | int | None) -> Stored | None:
    """Decode the answers to the commands for one job: its record, its history, its long fax id."""
    name = f"{names.of_block(job.batch, 'records', keys.locate(job)[0])} or history, job {job}"
    raw, history, long_id = (answer or b"" for answer in answers)
    if raw == b"":
        return None
    try:
        with decoding(name):
            if not (isinstance(raw, bytes) and isinstance(history, bytes) and isinstance(long_id, bytes)):
                raise ValueError("a key is of another type")
            record = complete_record(codec.decode_record(raw), job.row, None, 0, long_id)
            if record.state is State.UNREADABLE:
                raise ValueError("its fax id is missing or cannot be read")
            return Stored(job=job, record=record, history=tuple(codec.decode_history(history)) if history else ())
    except UnreadableData as error:
        left_out(error)
        return Stored(job=job, record=codec.UNREADABLE_RECORD, history=(), error=error)
