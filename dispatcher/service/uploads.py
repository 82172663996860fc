"""Recipients on their way into a draft: cut into parts as they come, each part stored before the next is read.

A part ends with its 1,000th accepted recipient or refused row, so the same list always gives the same parts. Each
part leaves the fingerprint of the list up to there; a repeat with the same key is compared part by part, skips what is
stored and goes on with the rest. The end of the list is kept in the same way, so a longer or shorter list under a used
key is a conflict before anything of it is stored.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge

from dispatcher.core.batch import Control, Definition
from dispatcher.core.failpoints import Failpoint, FailpointHook
from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.service.errors import ActionNotAllowed, Conflict, Missing
from dispatcher.service.views import find_batch
from dispatcher.store.batches import UploadChunk
from dispatcher.store.protocol import ChunkStatus
from dispatcher.store.store import Store

#: accepted recipients, and refused rows, after which a part is stored
PART_ROWS = 1000
#: refused rows shown in the answer to an upload; all of them are kept
SAMPLE_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadAnswer:
    """What became of an upload. ``lines`` are rows read, without headers and blank lines."""

    key: str
    lines: int
    accepted: int
    refused: int
    duplicates: int
    sample: tuple[RefusedRow, ...]


@dataclass(slots=True)
class _Growing:
    """The part that is being filled."""

    #: blank lines before its first row belong to it: each part begins behind the one before
    first_line: int = 1
    last_line: int = 0
    recipients: list[Recipient] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)

    def add(self, row: Recipient | RefusedRow) -> None:
        self.last_line = row.line
        if isinstance(row, Recipient):
            self.recipients.append(row)
        else:
            self.refused.append(row)

    def fill(self, accepted: Sequence[Recipient]) -> int:
        """Take recipients from the first on, as many as there is room for; returns how many."""
        taken = accepted[: PART_ROWS - len(self.recipients)]
        self.recipients += taken
        self.last_line = taken[-1].line
        return len(taken)

    @property
    def content(self) -> bytes:
        """All that was taken. As tuples: to write out the rows themselves would be a tenth of an upload's cost."""
        recipients = [(r.line, r.number, r.region, r.reference, r.fields) for r in self.recipients]
        refused = [(r.line, r.number, r.reason, r.detail) for r in self.refused]
        return repr((recipients, refused)).encode()

    @property
    def full(self) -> bool:
        return max(len(self.recipients), len(self.refused)) >= PART_ROWS


class Upload:
    """One list of recipients for one batch, under one key. Made by ``open_upload``."""

    def __init__(
        self, store: Store, batch: Definition, key: str, lines_done: int, failpoint: FailpointHook | None = None
    ) -> None:
        #: country (two letters) of numbers in national form whose row names none
        self.default_country = batch.default_country
        self._store = store
        self._batch = batch.id
        self._key = key
        self._lines_done = lines_done
        self._at = failpoint
        self._part = _Growing()
        self._parts = 0
        self._hash = hashlib.sha256()
        self._sample: list[RefusedRow] = []

    @property
    def key(self) -> str:
        return self._key

    @property
    def lines_done(self) -> int:
        """Lines of the list that are stored for good."""
        return self._lines_done

    async def add(self, accepted: Sequence[Recipient], refused: Sequence[RefusedRow]) -> None:
        """Take rows that follow those taken before, each sequence by rising line; stores each part that gets full.

        Raises Conflict when the key was used with another list, NotAllowed when the batch is no draft any more.
        """
        if refused:
            for row in _by_line(accepted, refused):
                self._part.add(row)
                await self._store_if_full()
            return
        while accepted:
            accepted = accepted[self._part.fill(accepted) :]
            await self._store_if_full()

    async def finish(self) -> UploadAnswer:
        """Store what is left. Raises as ``add``."""
        if self._part.last_line:
            await self._store_part()
        await self._claim("end")
        if self._at:
            await self._at(Failpoint.LIST_STORED)
        done = await self._store.batches.progress(self._batch, self._key)
        accepted, refused, duplicates = (done.accepted, done.refused, done.duplicates) if done else (0, 0, 0)
        return UploadAnswer(
            key=self._key,
            lines=accepted + refused + duplicates,
            accepted=accepted,
            refused=refused,
            duplicates=duplicates,
            sample=tuple(self._sample),
        )

    async def _store_if_full(self) -> None:
        if self._part.full:
            await self._store_part()

    async def _store_part(self) -> None:
        part, self._part = self._part, _Growing(first_line=self._part.last_line + 1)
        self._hash.update(part.content)
        self._sample += part.refused[: SAMPLE_ROWS - len(self._sample)]
        await self._claim("part")
        self._parts += 1
        if part.last_line > self._lines_done:
            if self._at:
                await self._at(Failpoint.PART_READ)
            await self._add_part(part)
            if self._at:
                await self._at(Failpoint.PART_STORED)

    async def _claim(self, kind: str) -> None:
        """Note what comes at this place of the list, or find that it was something else before."""
        place = f"{self._batch} {self._parts} {self._key}"
        content = f"{kind} {self._hash.hexdigest()}"
        if (await self._store.idempotency_keys.reserve("upload", place, content, "")).fingerprint != content:
            raise Conflict(f"the idempotency key {self._key!r} was used before with another list; take a new key")

    async def _add_part(self, part: _Growing) -> None:
        answer = await self._store.batches.add_chunk(
            self._batch,
            UploadChunk(
                upload=self._key,
                first_line=part.first_line,
                last_line=part.last_line,
                recipients=part.recipients,
                refused=part.refused,
            ),
        )
        if answer.status is ChunkStatus.CLOSED:
            raise ActionNotAllowed(f"batch {self._batch} is no draft any more, so it takes no more recipients")
        if answer.status is ChunkStatus.MISSING:
            raise Missing(f"there is no batch {self._batch}")
        if answer.status is ChunkStatus.GAP:
            raise Conflict(f"line {answer.lines_done + 1} of the list under the key {self._key!r} is missing")
        self._lines_done = max(self._lines_done, part.last_line)


async def open_upload(store: Store, batch: str, key: str, failpoint: FailpointHook | None = None) -> Upload:
    """Begin an upload, or go on with one that broke off.

    Raises Missing for an unknown batch and NotAllowed when it is no draft and the key is new to it.
    """
    overview = await find_batch(store, batch)
    progress = await store.batches.progress(batch, key)
    if progress is None and overview.control is not Control.DRAFT:
        raise ActionNotAllowed(f"batch {batch} is {overview.control.value}: recipients can be added to a draft only")
    return Upload(store, overview.definition, key, progress.lines_done if progress else 0, failpoint)


def _by_line(accepted: Sequence[Recipient], refused: Sequence[RefusedRow]) -> Iterator[Recipient | RefusedRow]:
    return merge(accepted, refused, key=lambda row: row.line)
