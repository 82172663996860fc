"""Copies final jobs of batches into a new batch. The jobs of the first batches do not change."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.names import UploadKind, UploadName
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.service.rows import block_recipients, ensure_not_deleted, matching_jobs
from dispatcher.service.uploads import split_suppressed
from dispatcher.store.batches import Overview, UploadChunk
from dispatcher.store.keys import BLOCK
from dispatcher.store.protocol import ChunkStatus
from dispatcher.store.store import Store

#: name of a rerun's only upload. Its lines are the rows of the parents, one parent after the other, counted from 1.
UPLOAD = UploadName(UploadKind.RERUN)
#: maximum recipients in one chunk
_CHUNK_ROWS = BLOCK
#: blocks whose selection is stored in one call
_BLOCKS_PER_CALL = 100

#: returns a refused row for a recipient that may not be faxed any more, or None
Check = Callable[[Recipient], RefusedRow | None]


def unchecked(recipient: Recipient) -> RefusedRow | None:
    """Refuse no recipient."""
    return None


@dataclass(frozen=True, slots=True)
class ParentBlock:
    """A block of one of the parents."""

    batch: str
    number: int


class Parents:
    """The batches that are run again, as a sequence of blocks."""

    def __init__(self, overviews: Sequence[Overview]) -> None:
        """Name the parents in the order of their jobs in the new batch."""
        self.overviews = tuple(overviews)
        self._ends = tuple(accumulate(overview.blocks for overview in overviews))

    @property
    def blocks(self) -> int:
        """Number of blocks of all of them."""
        return self._ends[-1]

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [overview.definition.id for overview in self.overviews]

    @property
    def names(self) -> str:
        """Their ids, for sentences."""
        return ", ".join(self.ids)

    def block(self, index: int) -> ParentBlock:
        """Return a block by its place in the sequence."""
        parent = next(parent for parent, end in enumerate(self._ends) if index < end)
        overview = self.overviews[parent]
        return ParentBlock(overview.definition.id, index - self._ends[parent] + overview.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What is copied into a draft."""

    parents: Parents
    child: str
    selected: JobFilter
    number_key: bytes
    check: Check = unchecked
    ignore_dead_numbers: bool = False


async def copy_selected(store: Store, copy: Copy) -> None:
    """Copy the recipients of selected jobs into a draft; those that the check refuses become refused rows.

    The selection is stored before the first recipient is copied, so jobs of the parents that end later do not change
    it. The copy may be repeated, even concurrently: each chunk covers complete blocks of the parents, and the copy
    continues after the last stored chunk.

    Raises:
        ActionNotAllowed: The child was started or has ended before all recipients were copied.
        Deleted: A parent was deleted meanwhile.
    """
    blocks = copy.parents.blocks
    if await _blocks_done(store, copy.child) == blocks:
        return
    rows = await _selected_rows(store, copy)
    if rows.keys() == set(range(blocks)):
        await _copy(store, copy, rows)
    if await _blocks_done(store, copy.child) < blocks:
        raise ActionNotAllowed(
            f"batch {copy.child} was started or ended before all recipients were copied into it: rerun "
            f"{copy.parents.names} again"
        )


async def ensure_copied(store: Store, child: str) -> None:
    """Raise ActionNotAllowed if not all recipients have been copied into the draft yet."""
    if await _blocks_done(store, child) < len(await store.batches.selection(child)):
        raise ActionNotAllowed(
            f"batch {child} does not have all its recipients yet: repeat the rerun with its Idempotency-Key to go on, "
            "or cancel the batch"
        )


async def _copy(store: Store, copy: Copy, rows: Mapping[int, bytes]) -> None:
    for blocks in _chunk_blocks(rows, copy.parents.blocks, await _blocks_done(store, copy.child)):
        recipients = [
            recipient
            for block in blocks
            for recipient in await _recipients(store, copy.parents.block(block), rows[block])
        ]
        await ensure_not_deleted(store, *copy.parents.ids)
        if await _store_chunk(store, copy, blocks, recipients) not in (ChunkStatus.STORED, ChunkStatus.REPEAT):
            return


def checked(recipients: Sequence[Recipient], check: Check) -> tuple[list[Recipient], list[RefusedRow]]:
    """Return the recipients that pass the check, and a refused row for each of the others."""
    answers = [check(recipient) for recipient in recipients]
    permitted = [recipient for recipient, answer in zip(recipients, answers, strict=True) if answer is None]
    return permitted, [answer for answer in answers if answer is not None]


async def _selected_rows(store: Store, copy: Copy) -> dict[int, bytes]:
    """Return the selected rows of each block of the parents. Stores the selection first, if it is not stored yet."""
    stored = await store.batches.selection(copy.child)
    missing = [block for block in range(copy.parents.blocks) if block not in stored]
    for first in range(0, len(missing), _BLOCKS_PER_CALL):
        blocks = missing[first : first + _BLOCKS_PER_CALL]
        rows = {block: await _select(store, copy.parents.block(block), copy.selected) for block in blocks}
        await ensure_not_deleted(store, *copy.parents.ids)
        if await store.batches.fix_selection(copy.child, rows) is not ChunkStatus.STORED:
            return {}
    return await store.batches.selection(copy.child) if missing else stored


async def _select(store: Store, block: ParentBlock, selected: JobFilter) -> bytes:
    """Return the selected rows of a block as a bit set."""
    positions = [position for position, _ in await matching_jobs(store, block.batch, block.number, selected)]
    if positions and selected.needs_recipient:
        recipients = await block_recipients(store, block.batch, block.number)
        known = (position for position in positions if position < len(recipients))
        positions = [position for position in known if selected.matches_recipient(recipients[position])]
    bits = sum(1 << position for position in positions)
    return bits.to_bytes(-(-bits.bit_length() // 8), "little")


def _chunk_blocks(rows: Mapping[int, bytes], blocks: int, done: int) -> Iterator[range]:
    """Yield the blocks of each chunk, from block ``done`` on: as many as fit into one chunk."""
    first, room = done, _CHUNK_ROWS
    for block in range(done, blocks):
        jobs = int.from_bytes(rows[block], "little").bit_count()
        if jobs > room:
            yield range(first, block)
            first, room = block, _CHUNK_ROWS
        room -= jobs
    if first < blocks:
        yield range(first, blocks)


async def _recipients(store: Store, block: ParentBlock, rows: bytes) -> list[Recipient]:
    if not rows:
        return []
    bits = int.from_bytes(rows, "little")
    recipients = await block_recipients(store, block.batch, block.number)
    return [recipient for position, recipient in enumerate(recipients) if bits >> position & 1]


async def _blocks_done(store: Store, child: str) -> int:
    progress = await store.batches.progress(child, UPLOAD)
    return progress.lines_done // BLOCK if progress else 0


async def _store_chunk(store: Store, copy: Copy, blocks: range, recipients: Sequence[Recipient]) -> ChunkStatus:
    permitted, refused = await on_cpu_thread(checked, recipients, copy.check)
    entries = await store.suppressions.among(
        [row.number for row in permitted], ignore_dead_numbers=copy.ignore_dead_numbers
    )
    allowed, suppressed = split_suppressed(permitted, entries)
    chunk = await on_cpu_thread(
        UploadChunk,
        upload=UPLOAD,
        first_line=blocks.start * BLOCK + 1,
        last_line=blocks.stop * BLOCK,
        recipients=allowed,
        refused=(*refused, *suppressed),
        checked=True,
        number_key=copy.number_key,
    )
    return (await store.batches.add_chunk(copy.child, chunk)).status
