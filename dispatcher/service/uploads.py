"""Uploads a list of recipients into a draft, in chunks. While a chunk is being stored, the next rows are read.

A chunk ends with its 1,000th recipient or its 1,000th refused row, or earlier when its rows are long. Only the rows
decide this, so the same list always gives the same chunks. For each chunk the fingerprint of the list so far is stored
under the upload's idempotency key. An upload that is repeated with the same key is compared chunk by chunk; stored
chunks are skipped, and the rest is stored. The end of the list is recorded in the same way, so a longer or shorter list
under a used key is a conflict.
"""

import asyncio
import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import accumulate
from operator import attrgetter
from types import MappingProxyType
from typing import Protocol, Self

from dispatcher.core.batch import Control, Definition
from dispatcher.core.failpoints import Failpoint, FailpointHook, no_failpoint
from dispatcher.core.job import Recipient, RefusedRow, size_of
from dispatcher.core.names import KeyUse, UploadName
from dispatcher.core.suppressions import SUPPRESSED, Suppression
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import ActionNotAllowed, Conflict, Missing
from dispatcher.service.views import find_batch
from dispatcher.store.batches import UploadChunk, UploadProgress
from dispatcher.store.codec import recipients_as_json
from dispatcher.store.protocol import ChunkStatus
from dispatcher.store.store import Store

#: number of recipients, or of refused rows, after which a chunk is stored
CHUNK_ROWS = 1000
#: size of its recipients after which a chunk is stored; rows of about thirty columns reach it with their 1,000th
CHUNK_SIZE = 4_000_000
#: maximum refused rows in the answer to an upload; all refused rows are stored
SAMPLE_ROWS = 20


class Rows(Protocol):
    """Consecutive rows of a list. Both sequences are sorted by line."""

    @property
    def accepted(self) -> Sequence[Recipient]: ...

    @property
    def refused(self) -> Sequence[RefusedRow]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadAnswer:
    """The result of an upload. ``lines`` counts the rows that were read, without headers and blank lines."""

    key: str
    lines: int
    accepted: int
    refused: int
    opted_out: int
    suppressed: int
    duplicates: int
    sample: tuple[RefusedRow, ...]


@dataclass(slots=True)
class _OpenChunk:
    """The chunk that is being filled."""

    #: the line after the previous chunk; blank lines before the first row belong to this chunk
    first_line: int = 1
    last_line: int = 0
    recipients: list[Recipient] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    #: what is compared with ``CHUNK_SIZE``
    size: int = 0

    def refuse(self, row: RefusedRow) -> None:
        """Add a refused row."""
        self.refused.append(row)
        self.last_line = row.line

    def fill(self, accepted: Sequence[Recipient]) -> int:
        """Add as many recipients as there is room for. Returns their number."""
        fitting = accepted[: CHUNK_ROWS - len(self.recipients)]
        size = size_of(fitting)
        if self.size + size >= CHUNK_SIZE:
            fitting = self._within_size(fitting)
            size = size_of(fitting)
        self.recipients += fitting
        self.size += size
        self.last_line = fitting[-1].line
        return len(fitting)

    def _within_size(self, accepted: Sequence[Recipient]) -> Sequence[Recipient]:
        """Return recipients up to the first that completes the chunk's size."""
        sizes = accumulate((size_of([row]) for row in accepted), initial=self.size)
        return accepted[: next(count for count, size in enumerate(sizes) if count and size >= CHUNK_SIZE)]

    @property
    def full(self) -> bool:
        """Whether the chunk has to be stored before another row is added."""
        return max(len(self.recipients), len(self.refused)) >= CHUNK_ROWS or self.size >= CHUNK_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadChunk:
    """A chunk that has been read, with the fingerprint of the list up to its end."""

    fingerprint: str
    content: _OpenChunk
    #: the packed rows; None if the chunk is stored already
    rows: UploadChunk | None


class Upload:
    """The upload of one list of recipients, under one idempotency key. Created by ``open_upload``.

    As a context manager it waits at its end, however the block ends, until nothing is being stored any more.
    """

    def __init__(
        self,
        store: Store,
        batch: Definition,
        key: str,
        lines_done: int,
        number_key: bytes,
        failpoint: FailpointHook = no_failpoint,
    ) -> None:
        #: country (two letters) of numbers in national form whose row names none
        self.default_country = batch.default_country
        #: whether dead numbers of the do-not-fax list do not count
        self.ignore_dead_numbers = batch.ignore_dead_numbers
        self._store = store
        self._batch = batch.id
        self._key = key
        self._name = UploadName.of_key(key)
        self._lines_done = lines_done
        self._number_key = number_key
        self._failpoint = failpoint
        self._chunk = _OpenChunk()
        self._chunks = 0
        self._hash = hashlib.sha256()
        self._sample: list[RefusedRow] = []
        #: whether there is a do-not-fax list, as far as is known: the store says so when it is asked to store a chunk
        self._any_suppressed = False
        #: stores the chunks that were read last
        self._storing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._storing:
            await asyncio.wait([self._storing])

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self._key

    @property
    def lines_done(self) -> int:
        """Number of the last line of the list that is stored."""
        return self._lines_done

    async def add(self, read: Callable[[], Rows]) -> None:
        """Read the next rows of the list, and begin to store each chunk that is full.

        ``read`` is called on the CPU thread. What it raises is raised, and no row of this call is stored. The chunks of
        the call before have been stored when this one returns; its own may not.

        Raises:
            Conflict: The key was used before with another list.
            ActionNotAllowed: The batch is not a draft any more.
        """
        chunks = await on_cpu_thread(self._full_chunks, read)
        await self._stored()
        if chunks:
            self._storing = asyncio.create_task(self._store_chunks(chunks))

    async def finish(self) -> UploadAnswer:
        """Store the last chunk and the end of the list. Raises the same errors as ``add``."""
        chunks = [await on_cpu_thread(self._end_chunk)] if self._chunk.last_line else []
        await self._stored()
        await self._store_chunks(chunks)
        await self._reserve("end", self._hash.hexdigest())
        await self._store.confirm()  # a repeat may have found all of it stored
        await self._failpoint(Failpoint.LIST_STORED)
        done = await self._store.batches.progress(self._batch, self._name) or UploadProgress()
        return UploadAnswer(
            key=self._key,
            lines=done.accepted + done.refused + done.opted_out + done.suppressed + done.duplicates,
            accepted=done.accepted,
            refused=done.refused,
            opted_out=done.opted_out,
            suppressed=done.suppressed,
            duplicates=done.duplicates,
            sample=tuple(self._sample),
        )

    def _full_chunks(self, read: Callable[[], Rows]) -> list[_ReadChunk]:
        """Read rows and return the chunks that they complete. CPU work: reading, fingerprints and packing."""
        rows = read()
        full: list[_ReadChunk] = []
        done = 0
        for row in rows.refused:
            before = bisect_left(rows.accepted, row.line, lo=done, key=attrgetter("line"))
            full += self._filled(rows.accepted[done:before])
            self._chunk.refuse(row)
            full += self._end_if_full()
            done = before
        return full + self._filled(rows.accepted[done:])

    def _filled(self, accepted: Sequence[Recipient]) -> list[_ReadChunk]:
        """Add recipients, many at once because that takes a third of the time, and return the chunks that are full."""
        full = []
        while accepted:
            accepted = accepted[self._chunk.fill(accepted) :]
            full += self._end_if_full()
        return full

    def _end_if_full(self) -> list[_ReadChunk]:
        return [self._end_chunk()] if self._chunk.full else []

    def _end_chunk(self) -> _ReadChunk:
        """End the open chunk and begin the next."""
        chunk, self._chunk = self._chunk, _OpenChunk(first_line=self._chunk.last_line + 1)
        recipients_json = recipients_as_json(chunk.recipients)
        self._hash.update(recipients_json)
        self._hash.update(repr(chunk.refused).encode())
        self._sample += chunk.refused[: SAMPLE_ROWS - len(self._sample)]
        stored = chunk.last_line <= self._lines_done
        rows = None if stored else self._packed(chunk, recipients_json=recipients_json)
        return _ReadChunk(fingerprint=self._hash.hexdigest(), content=chunk, rows=rows)

    def _packed(
        self,
        chunk: _OpenChunk,
        suppressed: Mapping[int, Suppression] = MappingProxyType({}),
        *,
        recipients_json: bytes = b"",
    ) -> UploadChunk:
        """Pack the rows of a chunk; rows whose numbers are on the do-not-fax list are refused."""
        recipients, refused = split_suppressed(chunk.recipients, suppressed)
        return UploadChunk(
            upload=self._name,
            first_line=chunk.first_line,
            last_line=chunk.last_line,
            recipients=recipients,
            recipients_json=recipients_json,
            refused=list(merge(chunk.refused, refused, key=lambda row: row.line)),
            number_key=self._number_key,
        )

    async def _checked(self, rows: UploadChunk, chunk: _OpenChunk) -> UploadChunk:
        """Return the packed rows without those whose numbers are on the do-not-fax list."""
        numbers = [recipient.number for recipient in chunk.recipients]
        ignore = self.ignore_dead_numbers
        suppressed = await self._store.suppressions.among(numbers, ignore_dead_numbers=ignore)
        if suppressed:
            room = SAMPLE_ROWS - len(self._sample)
            self._sample += split_suppressed(chunk.recipients, dict(list(suppressed.items())[:room]))[1]
            rows = await on_cpu_thread(self._packed, chunk, suppressed)
        rows.mark_checked()
        return rows

    async def _stored(self) -> None:
        """Wait until the chunks that were read last are stored, and raise what stopped it."""
        if self._storing:
            await self._storing

    async def _store_chunks(self, chunks: Sequence[_ReadChunk]) -> None:
        for chunk in chunks:
            await self._store_chunk(chunk)

    async def _store_chunk(self, chunk: _ReadChunk) -> None:
        if chunk.rows is None and not await self._store.idempotency_keys.is_kept(KeyUse.CHUNK, *self._position):
            # nothing is recorded: a repeat would find this list under the key, and its rows are not those stored
            raise Conflict(f"the idempotency key {self._key!r} was used more than seven days ago; use a new key")
        await self._reserve("part", chunk.fingerprint)
        self._chunks += 1
        if chunk.rows is not None:
            await self._failpoint(Failpoint.CHUNK_READ)
            await self._add_chunk(chunk.rows, chunk.content)
            await self._failpoint(Failpoint.CHUNK_STORED)

    @property
    def _position(self) -> tuple[str, int, str]:
        """The name under which the fingerprint of the present chunk is recorded."""
        return self._batch, self._chunks, self._key

    async def _reserve(self, kind: str, fingerprint: str) -> None:
        """Record the fingerprint of the list so far under this chunk number.

        ``kind`` is ``part`` for a chunk and ``end`` for the end of the list. Raises Conflict if another list was
        uploaded under the key.
        """
        content = f"{kind} {fingerprint}"
        reserved = await self._store.idempotency_keys.reserve(KeyUse.CHUNK, *self._position, fingerprint=content)
        if reserved.fingerprint != content:
            raise Conflict(f"the idempotency key {self._key!r} was used before with another list; use a new key")

    async def _add_chunk(self, rows: UploadChunk, content: _OpenChunk) -> None:
        if self._any_suppressed:
            rows = await self._checked(rows, content)
        answer = await self._store.batches.add_chunk(self._batch, rows)
        if answer.status is ChunkStatus.UNCHECKED:
            self._any_suppressed = True
            rows = await self._checked(rows, content)
            answer = await self._store.batches.add_chunk(self._batch, rows)
        if answer.status is ChunkStatus.CLOSED:
            raise ActionNotAllowed(f"batch {self._batch} is not a draft any more: it accepts no more recipients")
        if answer.status is ChunkStatus.MISSING:
            raise Missing(f"there is no batch {self._batch}")
        if answer.status is ChunkStatus.GAP:
            raise Conflict(f"line {answer.lines_done + 1} of the list under the key {self._key!r} is missing")
        self._lines_done = max(self._lines_done, rows.last_line)


async def open_upload(store: Store, batch: str, key: str, failpoint: FailpointHook = no_failpoint) -> Upload:
    """Begin an upload, or continue one that was interrupted.

    Raises:
        Missing: There is no such batch.
        ActionNotAllowed: The batch is not a draft, and the key is new to it.
    """
    overview = await find_batch(store, batch)
    progress = await store.batches.progress(batch, UploadName.of_key(key))
    if progress is None and overview.control is not Control.DRAFT:
        raise ActionNotAllowed(f"batch {batch} is {overview.control.value}: recipients can be added to a draft only")
    number_key = await store.secrets.number_key()
    return Upload(store, overview.definition, key, progress.lines_done if progress else 0, number_key, failpoint)


def split_suppressed(
    recipients: Sequence[Recipient], suppressed: Mapping[int, Suppression]
) -> tuple[Sequence[Recipient], list[RefusedRow]]:
    """Return the recipients that may be faxed, and a refused row for each of the others, by their positions."""
    if not suppressed:
        return recipients, []
    refused = [
        RefusedRow(
            line=recipients[position].line,
            number=recipients[position].number,
            reason=SUPPRESSED,
            detail=entry.sentence(),
        )
        for position, entry in sorted(suppressed.items())
    ]
    return [row for position, row in enumerate(recipients) if position not in suppressed], refused
