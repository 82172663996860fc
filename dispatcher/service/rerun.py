"""Copies final jobs of one batch into a new batch. The jobs of the first batch do not change."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.batch import Tally
from dispatcher.core.job import FINAL, Recipient, Record, RefusedRow, State
from dispatcher.core.names import UploadKind, UploadName
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.service.rows import block_recipients, block_records
from dispatcher.service.uploads import split_suppressed
from dispatcher.store.batches import Overview, UploadChunk
from dispatcher.store.keys import BLOCK
from dispatcher.store.protocol import ChunkStatus
from dispatcher.store.store import Store

#: name of a rerun's only upload. Its lines are the rows of the parent, counted from 1.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which final jobs to run again, by state and category. With ``categories`` None, every category matches."""

    states: frozenset[State]
    categories: frozenset[str] | None = None

    def matches(self, state: State, category: str) -> bool:
        """Return whether a job in this state and category is selected."""
        return state in FINAL and state in self.states and (self.categories is None or category in self.categories)

    def count(self, tally: Tally) -> int:
        """Return how many jobs of a batch are selected."""
        return sum(jobs for (state, category), jobs in tally.by_category.items() if self.matches(state, category))


async def copy_selected(
    store: Store, parent: Overview, child: str, selection: Selection, number_key: bytes, check: Check = unchecked
) -> None:
    """Copy the recipients of selected jobs into the draft ``child``; those that ``check`` refuses become refused rows.

    The selection is stored before the first recipient is copied, so jobs of the parent that end later do not change it.
    The copy may be repeated, even concurrently: each chunk covers complete blocks of the parent, and the copy continues
    after the last stored chunk.

    Raises:
        ActionNotAllowed: The child was started or has ended before all recipients were copied.
    """
    if await _blocks_done(store, child) == parent.blocks:
        return
    rows = await _selected_rows(store, parent, child, selection)
    if rows.keys() == set(range(parent.blocks)):
        await _copy(store, parent, child, rows, number_key, check)
    if await _blocks_done(store, child) < parent.blocks:
        name = parent.definition.id
        raise ActionNotAllowed(
            f"batch {child} was started or ended before all recipients were copied into it: rerun {name} again"
        )


async def ensure_copied(store: Store, child: str) -> None:
    """Raise ActionNotAllowed if not all recipients have been copied into the draft yet."""
    if await _blocks_done(store, child) < len(await store.batches.selection(child)):
        raise ActionNotAllowed(
            f"batch {child} does not have all its recipients yet: repeat the rerun with its Idempotency-Key to go on, "
            "or cancel the batch"
        )


async def _copy(
    store: Store, parent: Overview, child: str, rows: Mapping[int, bytes], number_key: bytes, check: Check
) -> None:
    for blocks in _chunk_blocks(rows, parent.blocks, await _blocks_done(store, child)):
        recipients = [
            recipient for block in blocks for recipient in await _recipients(store, parent, block, rows[block])
        ]
        permitted, forbidden = await on_cpu_thread(_checked, recipients, check)
        status = await _store_chunk(store, parent, child, blocks, permitted, forbidden, number_key)
        if status not in (ChunkStatus.STORED, ChunkStatus.REPEAT):
            return


def _checked(recipients: Sequence[Recipient], check: Check) -> tuple[list[Recipient], list[RefusedRow]]:
    """Return the recipients that pass the check, and a refused row for each of the others."""
    answers = [check(recipient) for recipient in recipients]
    permitted = [recipient for recipient, answer in zip(recipients, answers, strict=True) if answer is None]
    return permitted, [answer for answer in answers if answer is not None]


async def _selected_rows(store: Store, parent: Overview, child: str, selection: Selection) -> dict[int, bytes]:
    """Return the selected rows of each block of the parent. Stores the selection first, if it is not stored yet."""
    stored = await store.batches.selection(child)
    missing = [block for block in range(parent.blocks) if block not in stored]
    for first in range(0, len(missing), _BLOCKS_PER_CALL):
        blocks = missing[first : first + _BLOCKS_PER_CALL]
        rows = {block: await _select(store, parent.definition.id, block, selection) for block in blocks}
        if await store.batches.fix_selection(child, rows) is not ChunkStatus.STORED:
            return {}
    return await store.batches.selection(child) if missing else stored


async def _select(store: Store, batch: str, block: int, selection: Selection) -> bytes:
    """Return the selected rows of a block as a bit set."""
    records: list[Record] = await block_records(store, batch, block)
    bits = sum(
        1 << position
        for position, record in enumerate(records)
        if selection.matches(record.state, record.failure.category)
    )
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


async def _recipients(store: Store, parent: Overview, block: int, rows: bytes) -> list[Recipient]:
    if not rows:
        return []
    bits = int.from_bytes(rows, "little")
    recipients = await block_recipients(store, parent.definition.id, block)
    return [recipient for position, recipient in enumerate(recipients) if bits >> position & 1]


async def _blocks_done(store: Store, child: str) -> int:
    progress = await store.batches.progress(child, UPLOAD)
    return progress.lines_done // BLOCK if progress else 0


async def _store_chunk(
    store: Store,
    parent: Overview,
    child: str,
    blocks: range,
    recipients: Sequence[Recipient],
    refused: Sequence[RefusedRow],
    number_key: bytes,
) -> ChunkStatus:
    ignore = parent.definition.ignore_dead_numbers
    entries = await store.suppressions.among([row.number for row in recipients], ignore_dead_numbers=ignore)
    allowed, suppressed = split_suppressed(recipients, entries)
    chunk = await on_cpu_thread(
        UploadChunk,
        upload=UPLOAD,
        first_line=blocks.start * BLOCK + 1,
        last_line=blocks.stop * BLOCK,
        recipients=allowed,
        refused=(*refused, *suppressed),
        checked=True,
        number_key=number_key,
    )
    return (await store.batches.add_chunk(child, chunk)).status
