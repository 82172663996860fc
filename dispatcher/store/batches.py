"""Stores batches: their definition, recipients, control state and totals."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from dispatcher.core.batch import (
    COMMAND_TRANSITIONS,
    FINAL_STATES,
    Command,
    CommandRefusal,
    Control,
    Definition,
    Priority,
    Tally,
)
from dispatcher.core.batch_filter import BatchLabels
from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import HistoryEntry, JobId, Recipient, Record, RefusedRow, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.lookup_index import pack_rows
from dispatcher.core.names import UploadName
from dispatcher.core.options import FaxOptions
from dispatcher.core.policy.policy import Policy
from dispatcher.core.progress import Lately
from dispatcher.core.repeats import pack_hashes
from dispatcher.core.retry_table.rule import CATEGORIES, Scope
from dispatcher.core.suppressions import COUNTED_APART
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.store import codec, keys
from dispatcher.store.batch_list import ListedBatch, ListPlace
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, left_out, readable, typed, whole
from dispatcher.store.errors import UnreadableData, translated
from dispatcher.store.holds import Hold, holds_among
from dispatcher.store.lua import Argument, Option, Scripts
from dispatcher.store.protocol import HELD_SCORE, ChunkStatus, CreateStatus
from dispatcher.store.repeats import StartNote

#: maximum refused rows that are stored together
_REFUSED = 1000


class UploadChunk:
    """The rows that one slice of an upload adds to a batch, at most 1,000 recipients.

    They are packed when the chunk is created, which takes some 10 ms of CPU time for 1,000 rows.
    """

    def __init__(
        self,
        *,
        upload: UploadName,
        first_line: int,
        last_line: int,
        recipients: Sequence[Recipient] = (),
        recipients_json: bytes = b"",
        refused: Sequence[RefusedRow] = (),
        checked: bool = False,
        number_key: bytes = b"",
    ) -> None:
        """Pack the rows. Lines count from 1 within the upload.

        ``recipients_json`` is what ``recipients_as_json`` makes of the recipients, if the caller has it already.
        ``checked`` says that the numbers were compared with the do-not-fax list. Otherwise the chunk is stored only if
        there is no such list. With a ``number_key``, hashes of the numbers are kept for the comparison with
        other mailings, and for the index of all jobs.
        """
        self.last_line = last_line
        hashes = pack_hashes((recipient.number for recipient in recipients), number_key) if number_key else b""
        #: arguments of the script ``add_chunk``
        self.values: tuple[Argument, ...] = (
            codec.pack_numbers(recipient.number for recipient in recipients),
            codec.pack_countries(recipient.region for recipient in recipients),
            codec.encode_recipients(recipients, recipients_json) if recipients else b"",
            hashes,
            pack_rows(hashes, [recipient.reference for recipient in recipients]) if hashes else b"",
            *(codec.encode_refused(refused[first : first + _REFUSED]) for first in range(0, len(refused), _REFUSED)),
        )
        self.options: dict[str, Option] = {
            "upload": str(upload),
            "first_line": first_line,
            "last_line": last_line,
            "recipients": len(recipients),
            "refused": len(refused),
            "reasons": Counter(row.reason for row in refused),
            "checked": checked,
        }

    def mark_checked(self) -> None:
        """Say that the numbers have been compared with the do-not-fax list since the rows were packed."""
        self.options["checked"] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkAnswer:
    status: ChunkStatus
    #: positions of recipients whose number is already in the batch
    duplicates: tuple[int, ...]
    lines_done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadProgress:
    lines_done: int = 0
    accepted: int = 0
    #: without rows whose recipients have opted out, or whose numbers are on the do-not-fax list
    refused: int = 0
    opted_out: int = 0
    suppressed: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswer:
    control: Control
    #: number of jobs that were being sent when the command was executed; they finish within the POST's total time
    in_flight: int
    #: None: the command was executed
    refusal: CommandRefusal | None = None

    @property
    def done(self) -> bool:
        return self.refusal is None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledJobs:
    """What became of jobs that were to be cancelled. The others had ended."""

    cancelled: int
    #: their calls are under way
    in_flight: int
    control: Control


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The facts about a batch that are known without reading its rows."""

    definition: Definition
    control: Control
    tally: Tally
    #: number of final jobs by (state, category, error type)
    finals: Mapping[tuple[State, str, str], int]
    #: holds that stop it, or its jobs to a country; account and provider included
    holds: tuple[Hold, ...]
    #: number of jobs that are held one by one, by category
    held_jobs: Mapping[str, int]
    #: number of jobs; lines = jobs + duplicates + refused + opted out + suppressed
    rows: int
    lines: int
    refused: int
    #: rows whose recipients have opted out, and whose numbers are on the do-not-fax list
    opted_out: int
    suppressed: int
    duplicates: int
    blocks: int
    cursor: int
    attempts: int
    doubled: int
    #: pages that have arrived, and what the faxes that have ended cost, in units by currency (``core.prices``)
    pages_sent: int
    costs: Mapping[str, int]
    #: the jobs that ended lately
    lately: Lately
    started_ms: int
    finished_ms: int
    #: when it expired as a draft that nobody had started; 0: it did not
    draft_ended_ms: int
    #: of the refused rows alone
    refused_reasons: Mapping[str, int]
    #: the newest batches that are reruns of it, without those that ended as drafts
    reruns: tuple[str, ...]
    #: jobs that wait for ``continue`` after a partial start
    withheld: int
    #: how many jobs its start let begin; 0: all
    started_first: int
    #: why jobs of it were cancelled last, as whoever did it said; empty: none was
    cancel_reason: str

    @property
    def held(self) -> bool:
        """Whether all of it is held."""
        return any(hold.scope in self.definition.scopes for hold in self.holds)


#: maximum rows in one call of ``cancel_jobs``
ROWS_PER_CALL = 100
#: maximum number of reruns of a batch that are named
_RERUNS = 100
#: maximum number of old drafts that are read at a time
_DRAFTS_PER_CALL = 100
#: totals in the hash of a batch; each starts at 0
_SUMS = ("blocks", "rows", "lines", "refused", "duplicates", "cursor", "attempts", "doubled")


#: begins the field of what faxes cost in a currency
_COST = b"cost:"
_DELETING = Control.DELETING.value.encode()
#: names that are read in addition, because batches may have been created in the millisecond of a place
_OF_ONE_TIME = 10


class Batches:
    def __init__(self, client: Client, scripts: Scripts, policy: Policy) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._lookup_ms = round(policy.lookup_life_s * 1000)
        self._event_rules = json.dumps(asdict(policy.event_rules))

    async def create(self, definition: Definition, *, max_drafts: int = 0) -> CreateStatus:
        """Store a draft, unless there are ``max_drafts`` open drafts already (0: any number)."""
        fields: dict[str, Argument] = dict.fromkeys((*_SUMS, "unstarted", "finals"), 0)
        fields |= {
            "control": Control.DRAFT,
            "format": codec.FORMAT,
            "parents": ",".join(definition.parents),
            "ignore_dead_numbers": int(definition.ignore_dead_numbers),
            "job_events": int(definition.job_events),
            "definition": encode_definition(definition),
            **changeable_fields(definition),
        }
        flat = [item for field in fields.items() for item in field]
        answer = await self._scripts.accept(
            "create",
            *flat,
            batch=definition.id,
            created_ms=definition.created_ms,
            max_drafts=max_drafts,
            parents=definition.parents,
            documents=definition.documents,
        )
        return CreateStatus(answer.decode())

    async def open_drafts(self) -> int:
        """Return the number of open drafts."""
        with translated():
            return int(await self._client.zcard(self._keys.drafts))

    async def drafts_unchanged_since(self, at_ms: int) -> list[str]:
        """Return some of the drafts that have not changed since then, oldest first."""
        with translated():
            raw = await self._client.zrangebyscore(self._keys.drafts, "-inf", at_ms, start=0, num=_DRAFTS_PER_CALL)
        return [name.decode(errors="replace") for name in raw]

    async def end_draft(self, batch: str, end: Control, *, unchanged_ms: int = 0) -> bool:
        """Cancel or expire a draft. A batch that is no draft, or has changed within ``unchanged_ms``, stays as it is.

        Returns:
            Whether the draft was ended."""
        answer, _, refused = await self._scripts.accept(
            "control",
            b"",
            batch=batch,
            expected=Control.DRAFT,
            new=end,
            unchanged_ms=unchanged_ms,
            overdue=False,
            at_once=False,
            quota=0,
            event_rules="",
            **StartNote().options,
        )
        return answer.decode() == end and not refused

    async def newest(
        self, limit: int, before: ListPlace | None = None, *, since_ms: int = 0, until_ms: int = 0
    ) -> list[ListedBatch]:
        """Return batches, newest first, that come after a place in the list (None: from its start).

        ``since_ms`` and ``until_ms`` bound the time of their creation; 0: no bound. The batch of the place may have
        been deleted since.
        """
        highest = f"({until_ms}" if until_ms else "+inf"
        if before and not (until_ms and until_ms <= before.score):
            highest = repr(before.score)
        listed, start, step = list[ListedBatch](), 0, limit + _OF_ONE_TIME
        while len(listed) < limit:
            with translated():
                pairs = await self._client.zrange(
                    self._keys.batches,
                    highest,
                    since_ms or "-inf",
                    desc=True,
                    byscore=True,
                    offset=start,
                    num=step,
                    withscores=True,
                )
            places = [ListPlace(score, name) for name, score in pairs]
            listed += [ListedBatch(place) for place in places if before is None or place < before]
            start += step
            if len(pairs) < step:
                break
        return listed[:limit]

    async def labels(self, batches: Sequence[str]) -> list[BatchLabels | None]:
        """Return what lists are filtered by; None for a batch of which that cannot be read."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for batch in batches:
                    pipe.hmget(self._keys.batch(batch), "control", "rows", "finals", "name", "metadata")
                answers = await pipe.execute(raise_on_error=False)
        return [_labels(self._keys.batch(batch), answer) for batch, answer in zip(batches, answers, strict=True)]

    async def definition(self, batch: str) -> Definition | None:
        """Return the definition of a batch; None if there is no such batch. Raises UnreadableData."""
        with translated():
            raw, control = await self._client.hmget(self._keys.batch(batch), "definition", "control")
            exists = raw is not None or await self._client.exists(self._keys.batch(batch))
        if not exists or control == _DELETING:
            return None
        with decoding(self._keys.batch(batch)):
            return decode_definition(raw)

    async def overview(self, batch: str) -> Overview | None:
        """Return the facts about a batch; None if there is no such batch. Raises UnreadableData."""
        with translated():
            # No transaction: a full server refuses them, and its content must stay readable. The counts are read before
            # the control state, so that a batch that ends between both is shown as running and not as finished.
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hgetall(self._keys.of_batch(batch, "counts"))
                pipe.hgetall(self._keys.of_batch(batch, "reasons"))
                pipe.hgetall(self._keys.of_batch(batch, "held_jobs"))
                pipe.smembers(self._keys.of_batch(batch, "parked"))
                pipe.zrevrange(self._keys.of_batch(batch, "reruns"), 0, _RERUNS - 1)
                pipe.hgetall(self._keys.batch(batch))
                counts, reasons, held_jobs, parked, reruns, meta = await pipe.execute()
        if not meta or meta.get(b"control") == _DELETING:
            return None
        with decoding(self._keys.batch(batch)):
            overview = _overview(meta, counts, reasons, held_jobs, tuple(name.decode() for name in reruns))
        countries = {str(HoldScope(Scope.COUNTRY, name.decode(errors="replace"))) for name in parked}
        holds = await holds_among(self._client, self._keys.holds, overview.definition.scopes | countries)
        return replace(overview, holds=tuple(holds))

    async def waits(self, batch: str) -> list[tuple[str, int, int]]:
        """Return category, minute in which they are due, and number of the jobs that wait after a failure."""
        key = self._keys.of_batch(batch, "waits")
        with translated():
            raw = await self._client.hgetall(key)
        return readable(key, raw.items(), _wait)

    async def add_chunk(self, batch: str, part: UploadChunk) -> ChunkAnswer:
        """Store one slice of an upload. The call can be repeated safely."""
        status, lines_done, *duplicates = await self._scripts.accept(
            "add_chunk", *part.values, batch=batch, lookup_ms=self._lookup_ms, **part.options
        )
        return ChunkAnswer(
            status=ChunkStatus(status.decode()), lines_done=int(lines_done), duplicates=tuple(duplicates)
        )

    async def fix_selection(self, batch: str, blocks: Mapping[int, bytes]) -> ChunkStatus:
        """Store which rows of its parent a rerun takes, by block. A block that is already stored is not changed.

        Returns:
            ``STORED``, ``CLOSED`` or ``MISSING``.
        """
        values: list[Argument] = [item for pair in blocks.items() for item in pair]
        return ChunkStatus((await self._scripts.accept("fix_selection", *values, batch=batch)).decode())

    async def selection(self, batch: str) -> dict[int, bytes]:
        """Return the stored selection by block of the parent; empty once the batch was started."""
        key = self._keys.of_batch(batch, "selection")
        with translated():
            raw = await self._client.hgetall(key)
        with decoding(key):
            return {whole(block): rows for block, rows in raw.items()}

    async def progress(self, batch: str, upload: UploadName) -> UploadProgress | None:
        key = self._keys.of_batch(batch, "uploads")
        with translated():
            raw, *apart = await self._client.hmget(key, str(upload), *(f"{upload}|{word}" for word in COUNTED_APART))
        if raw is None:
            return None
        with decoding(key):
            lines, accepted, refused, duplicates = map(whole, raw.split(b":"))
            counts = {word: whole(rows or 0) for word, rows in zip(COUNTED_APART, apart, strict=True)}
        refused -= sum(counts.values())
        return UploadProgress(lines_done=lines, accepted=accepted, refused=refused, duplicates=duplicates, **counts)

    async def command(
        self,
        batch: str,
        command: Command,
        start: StartNote | None = None,
        *,
        quota: int = 0,
        ended_for_ms: int = 0,
        overdue: bool = False,
    ) -> CommandAnswer | None:
        """Execute a command on a batch. Returns None if the batch does not exist.

        ``start`` is what the start of a draft was compared with. Without it, nothing is compared. ``quota`` is how many
        of a draft's jobs may begin before ``continue_batch``; 0: all. A batch that has not ended for ``ended_for_ms``
        is not deleted. An ``overdue`` command is carried out only if the deadline has passed by then.
        """
        start = start or StartNote()
        while True:
            with translated():
                raw = await self._client.hget(self._keys.batch(batch), "control")
            if raw is None:
                return None
            with decoding(self._keys.batch(batch)):
                expected = Control(raw.decode())
            target = COMMAND_TRANSITIONS.get((expected, command))
            answer, in_flight, refused = await self._scripts.accept(
                "control",
                start.sketch,
                batch=batch,
                expected=expected,
                new=target or expected,
                unchanged_ms=ended_for_ms,
                overdue=overdue,
                at_once=command is Command.START_NOW,
                quota=quota,
                event_rules=self._event_rules,
                **start.options,
            )
            now = Control(answer.decode())
            refusal = CommandRefusal(refused.decode()) if refused else None
            if refusal or now in _results(command, target or expected):
                refusal = refusal or (None if target else CommandRefusal.NOT_ALLOWED)
                return CommandAnswer(control=now, in_flight=in_flight, refusal=refusal)
            # another command was executed meanwhile: this one may have another effect now, or not be allowed

    async def cancel_jobs(self, batch: str, rows: Sequence[int], reason: str) -> CancelledJobs | None:
        """Cancel jobs whose call is not under way, at most ``ROWS_PER_CALL``. Returns None if there is no such batch.

        The control of the answer says whether the batch still ran: otherwise nothing was changed.
        """
        cancelled, in_flight, control = await self._scripts.accept("cancel_jobs", *rows, batch=batch, reason=reason)
        if not control:
            return None
        return CancelledJobs(cancelled=cancelled, in_flight=in_flight, control=Control(control.decode()))

    async def continue_batch(self, batch: str) -> int:
        """Let the rest of a batch begin of which only a part was started. Returns how many jobs that are."""
        _, jobs = await self._scripts.accept("continue", batch=batch)
        return int(jobs)

    async def recipients(self, batch: str, block: int) -> tuple[Recipient, ...]:
        """Return the recipients of one block; empty if the block does not exist. Raises UnreadableData."""
        key = self._keys.of_block(batch, "block", block)
        with translated():
            raw = await self._client.get(key)
        with decoding(key):
            return await on_cpu_thread(codec.decode_recipients, raw) if raw is not None else ()

    async def records(self, batch: str, block: int) -> list[Record]:
        """Return the records of one block as people should see them: unstarted rows of an ended batch are final too.

        A record that cannot be read is ``UNREADABLE_RECORD``. Raises UnreadableData if none of them can.
        """
        return await on_cpu_thread(_records, await self._stored_block(batch, block))

    async def matching_records(self, batch: str, block: int, job_filter: JobFilter) -> list[tuple[int, Record]]:
        """Return the positions and records of a block's jobs whose records match. Only these are decoded."""
        return await on_cpu_thread(_matching_records, await self._stored_block(batch, block), job_filter)

    async def matching_jobs(self, batch: str, block: int, job_filter: JobFilter) -> list[tuple[int, State]]:
        """Return the positions and states of a block's jobs whose records match a filter, as ``records`` shows them."""
        return await on_cpu_thread(_matching_jobs, await self._stored_block(batch, block), job_filter)

    async def _stored_block(self, batch: str, block: int) -> "_StoredBlock":
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.get(self._keys.of_block(batch, "records", block))
                pipe.hmget(self._keys.batch(batch), "control", "cursor")
                pipe.hgetall(self._keys.of_block(batch, "long_ids", block))
                raw, (control, cursor), long_ids = await pipe.execute()
        with decoding(self._keys.batch(batch)):
            ended = FINAL_STATES.get(Control(control.decode())) if control else None
            started = whole(cursor) if control else 0
        return _StoredBlock(raw or b"", block * keys.BLOCK, ended, started, long_ids)

    async def blocks_with(
        self, batch: str, blocks: Sequence[int], states: frozenset[State], categories: frozenset[str]
    ) -> Sequence[int]:
        """Return the blocks that may contain a job in one of the states and one of the categories (empty: any)."""
        if not states and not categories:
            return blocks
        stored = _stored_states(states)
        codes = {codec.category_code(category) for category in categories.intersection(CATEGORIES)}
        if categories and not codes:
            return []
        with translated():
            raw = await self._client.mget([self._keys.of_block(batch, "records", block) for block in blocks])
        return [
            block
            for block, block_records in zip(blocks, raw, strict=True)
            if codec.may_hold(block_records or b"", stored, codes)
        ]

    async def refused_chunks(self, batch: str) -> int:
        """Return the number of chunks of refused rows. Raises UnreadableData."""
        with translated():
            return int(await self._client.llen(self._keys.of_batch(batch, "refused")))

    async def refused(self, batch: str, chunk: int) -> list[RefusedRow]:
        """Return a chunk of the refused rows; chunks count from 0. Raises UnreadableData."""
        key = self._keys.of_batch(batch, "refused")
        with translated():
            raw = await self._client.lindex(key, chunk)
        with decoding(f"{key}[{chunk}]"):
            return await on_cpu_thread(codec.decode_refused, raw)

    async def histories(self, batch: str, block: int) -> dict[int, list[HistoryEntry] | None]:
        """Return the histories of a block by row, only of rows that have one; None for one that cannot be read."""
        key = self._keys.of_block(batch, "history", block)
        with translated():
            raw = await self._client.hgetall(key)
        return await on_cpu_thread(_histories, key, raw)

    async def due_times(self, batch: str, rows: Sequence[int]) -> list[int | None]:
        """Return the next due time of each row, in milliseconds since 1970; None for final, unstarted and held rows."""
        names = [str(JobId(batch, row)) for row in rows]
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.zmscore(self._keys.of_batch(batch, "due"), [str(row) for row in rows])
                for watch in self._keys.watch.values():
                    pipe.zmscore(watch, names)
                scores = await pipe.execute()
        return [
            next((int(score) for score in of_row if score not in (None, HELD_SCORE)), None)
            for of_row in zip(*scores, strict=True)
        ]

    async def countries(self, batch: str) -> dict[str, int]:
        """Return the number of jobs by country (two letters, ``001`` for numbers of no country; empty: not known)."""
        key = self._keys.of_batch(batch, "countries")
        with translated():
            raw = await self._client.hgetall(key)
        with decoding(key):
            return {codec.country_name(int.from_bytes(code, "little")): whole(jobs) for code, jobs in raw.items()}

    async def is_held(self, job: JobId) -> bool:
        """Return whether the job itself is held, and not only its batch or its country."""
        with translated():
            return bool(await self._client.hexists(self._keys.holds, str(HoldScope(Scope.JOB, str(job)))))


def _results(command: Command, target: Control) -> set[Control]:
    """Return what counts as the result of a command: a started batch may still wait for its start time."""
    waits = target is Control.RUNNING and command is not Command.START_NOW
    return {target, Control.SCHEDULED} if waits else {target}


class _StoredBlock(NamedTuple):
    """The records of a block as they are stored, and what completes them."""

    raw: bytes
    first_row: int
    #: state of the unstarted rows of an ended batch
    ended: State | None
    cursor: int
    long_ids: Mapping[bytes, bytes]

    def completed(self, position: int, record: Record) -> Record:
        if record.fax_id and record.state is not State.WAITING:
            return record  # nearly all of a batch that has ended
        row = self.first_row + position
        return complete_record(record, row, self.ended, self.cursor, self.long_ids.get(b"%d" % row, b""))


def _records(block: _StoredBlock) -> list[Record]:
    return [block.completed(position, record) for position, record in enumerate(codec.readable_records(block.raw))]


def _matching_jobs(block: _StoredBlock, job_filter: JobFilter) -> list[tuple[int, State]]:
    states = _stored_states(job_filter.states)
    if not codec.may_hold(block.raw, states, set()):
        return []
    facts = codec.job_facts(block.raw, block.first_row, block.ended or State.WAITING, block.cursor)
    return [(job.row - block.first_row, job.state) for job in facts if job_filter.matches_facts(job)]


def _matching_records(block: _StoredBlock, job_filter: JobFilter) -> list[tuple[int, Record]]:
    stored = codec.split_records(block.raw)
    return [
        (position, record)
        for position, _ in _matching_jobs(block, job_filter)
        # a fax id that is missing makes a record unreadable
        if (record := block.completed(position, codec.record_or_mark(stored[position]))).state is not State.UNREADABLE
    ]


def _stored_states(states: frozenset[State]) -> frozenset[State]:
    """Return the states in which these may be stored: unstarted rows of an ended batch are stored as waiting."""
    return states | {State.WAITING} if states.intersection(FINAL_STATES.values()) else states


def _histories(key: str, raw: Mapping[bytes, bytes]) -> dict[int, list[HistoryEntry] | None]:
    return dict(readable(key, raw.items(), lambda item: (whole(item[0]), _history(f"{key} {item[0]!r}", item[1]))))


def complete_record(record: Record, row: int, ended: State | None, cursor: int, long_id: bytes) -> Record:
    """Complete a stored record: an unstarted row of an ended batch is final, and a long fax id comes from its hash.

    The record of an accepted fax whose id is missing or cannot be read is unreadable: nothing else shows which fax.
    """
    if ended and record.state is State.WAITING and row >= cursor:
        return replace(record, state=ended)
    if record.fax_id or record.state is State.UNREADABLE:
        return record
    fax_id = long_id.decode(errors="replace")
    if (record.state is State.ACCEPTED and not fax_id) or "\ufffd" in fax_id:
        return codec.UNREADABLE_RECORD
    return replace(record, fax_id=fax_id) if fax_id else record


def _history(name: str, lines: bytes) -> list[HistoryEntry] | None:
    try:
        with decoding(name):
            return codec.decode_history(lines)
    except UnreadableData as error:
        left_out(error)
        return None


def encode_definition(definition: Definition) -> str:
    return json.dumps(asdict(definition))


def changeable_fields(definition: Definition) -> dict[str, Argument]:
    """Return the fields of a batch's hash beside the definition that a change may set."""
    return {
        # both also in the definition, which may be long; lists are filtered by them
        "name": definition.name,
        "metadata": json.dumps(dict(definition.metadata)) if definition.metadata else "",
        "class": definition.priority,
        "weight": definition.weight,
        "max_per_second": definition.max_per_second,
        "documents": ",".join(definition.documents),
        "start_at_ms": definition.start_at_ms,
        "deadline_ms": definition.deadline_ms,
    }


def decode_definition(raw: bytes) -> Definition:
    """Read a stored definition. Raises what decoders raise."""
    fields = json.loads(raw)
    options = fields["options"]
    fields |= {
        "documents": _texts(fields["documents"]),
        "parents": _texts(fields.get("parents", ())),
        "max_per_second": float(fields.get("max_per_second", 0.0)),
        "content_urls": _texts(fields["content_urls"]),
        "options": typed(FaxOptions, options | {"cover_page_data": dict(options["cover_page_data"])}),
        "priority": Priority(fields["priority"]),
        "metadata": _metadata(fields.get("metadata", {})),
    }
    _texts(fields["options"].cover_page_data.values())
    return typed(Definition, fields)


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    """Return stored texts. Raises TypeError if they are none."""
    texts = tuple(values)
    if isinstance(values, str) or not all(type(value) is str for value in texts):
        raise TypeError("a list of texts has other items")
    return texts


def _labels(key: str, answer: Sequence[bytes | None] | Exception) -> BatchLabels | None:
    try:
        with decoding(key):
            if isinstance(answer, Exception):
                raise TypeError("it is of another type")
            control, rows, finals, name, metadata = (value or b"" for value in answer)
            return BatchLabels(
                control=Control(control.decode()),
                ended=whole(finals) >= whole(rows),
                name=name.decode(),
                metadata=_metadata(json.loads(metadata or b"{}")),
            )
    except UnreadableData:
        return None


def _metadata(fields: Any) -> dict[str, str]:
    """Return stored metadata. Raises TypeError if it is none."""
    metadata = dict(fields)
    _texts((*metadata.keys(), *metadata.values()))
    return metadata


def _costs(meta: Mapping[bytes, bytes]) -> dict[str, int]:
    costs = {field.removeprefix(_COST).decode(): int(units) for field, units in meta.items() if field.startswith(_COST)}
    return {currency: units for currency, units in costs.items() if units}


def _wait(item: tuple[bytes, bytes]) -> tuple[str, int, int]:
    category, minute = map(whole, item[0].split(b":"))
    return codec.category_name(category), minute, whole(item[1])


def _withheld(meta: Mapping[bytes, bytes]) -> int:
    """Return the number of jobs that wait for ``continue`` after a partial start."""
    quota = meta.get(b"quota")
    if quota is None or Control(meta[b"control"].decode()) in FINAL_STATES:
        return 0
    return max(0, whole(meta[b"unstarted"]) - max(0, whole(quota)))


def _overview(
    meta: Mapping[bytes, bytes],
    counts: Mapping[bytes, bytes],
    reasons: Mapping[bytes, bytes],
    held_jobs: Mapping[bytes, bytes],
    reruns: tuple[str, ...],
) -> Overview:
    """Decode what is stored about a batch. Its holds are stored elsewhere."""
    by_state: dict[State, int] = {}
    by_category: dict[tuple[State, str], int] = {}
    finals: dict[tuple[State, str, str], int] = {}
    for field, jobs in counts.items():
        state_code, category_code, type_code = map(whole, field.split(b":"))
        state, category = State(state_code), codec.category_name(category_code)
        by_state[state] = by_state.get(state, 0) + whole(jobs)
        by_category[state, category] = by_category.get((state, category), 0) + whole(jobs)
        if state.final:
            ended = (state, category, codec.type_name(type_code))
            finals[ended] = finals.get(ended, 0) + whole(jobs)
    if whole(meta[b"format"]) != codec.FORMAT:
        raise ValueError(f"its format is not {codec.FORMAT}")
    definition = decode_definition(meta[b"definition"])
    # 0 once somebody has started it before its time
    definition = replace(definition, start_at_ms=whole(meta.get(b"start_at_ms", definition.start_at_ms)))
    sums = {name: whole(meta[name.encode()]) for name in _SUMS}
    if not 0 <= sums["blocks"] <= keys.MAX_BLOCKS:
        raise ValueError("its number of blocks is impossible")
    refused = {reason.decode(): whole(rows) for reason, rows in reasons.items()}
    apart = {word: refused.pop(word, 0) for word in COUNTED_APART}
    sums["refused"] -= sum(apart.values())
    return Overview(
        definition=definition,
        control=Control(meta[b"control"].decode()),
        tally=Tally(by_state=by_state, by_category=by_category),
        finals=finals,
        holds=(),
        held_jobs={category.decode(): whole(jobs) for category, jobs in held_jobs.items()},
        pages_sent=whole(meta.get(b"pages_sent", 0)),
        costs=_costs(meta),
        lately=Lately.parse(meta.get(b"lately", b"").decode()),
        refused_reasons=refused,
        reruns=reruns,
        withheld=_withheld(meta),
        started_first=whole(meta.get(b"started_first", 0)),
        cancel_reason=meta.get(b"cancel_reason", b"").decode(),
        started_ms=whole(meta.get(b"started_ms", 0)),
        finished_ms=whole(meta.get(b"finished_ms", 0)),
        draft_ended_ms=whole(meta.get(b"draft_ended_ms", 0)),
        **sums,
        **apart,
    )
