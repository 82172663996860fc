"""Final jobs of one batch copied into a new one, so that what is final stays final."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.batch import Tally
from dispatcher.core.job import FINAL, Recipient, Record, State
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.store.batches import Overview, UploadChunk
from dispatcher.store.keys import BLOCK
from dispatcher.store.protocol import ChunkStatus
from dispatcher.store.store import Store

#: name of the one upload of a rerun, which no request can give; its lines are the rows of the parent, from 1
UPLOAD = "\nrerun"
#: recipients in one part
_PART_ROWS = BLOCK
#: blocks whose selection is fixed in one call
_FIXED_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs to run again: those in one of the final states and, unless None, in one of the categories."""

    states: frozenset[State]
    categories: frozenset[str] | None = None

    def takes(self, state: State, category: str) -> bool:
        return state in FINAL and state in self.states and (self.categories is None or category in self.categories)

    def count(self, tally: Tally) -> int:
        """How many jobs of a batch it takes."""
        return sum(jobs for (state, category), jobs in tally.by_category.items() if self.takes(state, category))


async def copy_selected(store: Store, parent: Overview, child: str, selection: Selection) -> None:
    """Copy recipients into the draft ``child``.

    Which ones is fixed before the first is stored: jobs of the parent that end meanwhile change nothing. Safe to
    repeat, also at the same time: each part is whole blocks of the parent, and goes on behind the last one that was
    stored. Raises NotAllowed when the child was started or cancelled before all were copied.
    """
    if await _blocks_done(store, child) == parent.blocks:
        return
    rows = await _fixed(store, parent, child, selection)
    if len(rows) == parent.blocks:
        await _copy(store, parent, child, rows)
    if await _blocks_done(store, child) < parent.blocks:
        name = parent.definition.id
        raise ActionNotAllowed(
            f"batch {child} was started or cancelled before all was copied into it: run {name} again"
        )


async def ensure_copied(store: Store, child: str) -> None:
    """Raises NotAllowed for a draft into which not all recipients were copied yet."""
    if await _blocks_done(store, child) < len(await store.batches.selection(child)):
        raise ActionNotAllowed(
            f"batch {child} does not have all its recipients yet: repeat the rerun with its Idempotency-Key to go on, "
            "or cancel the batch"
        )


async def _copy(store: Store, parent: Overview, child: str, rows: Mapping[int, bytes]) -> None:
    for part in _parts(rows, parent.blocks, await _blocks_done(store, child)):
        recipients = [recipient for block in part for recipient in await _chosen(store, parent, block, rows[block])]
        if await _store(store, child, part, recipients) not in (ChunkStatus.STORED, ChunkStatus.REPEAT):
            return


async def _fixed(store: Store, parent: Overview, child: str, selection: Selection) -> dict[int, bytes]:
    """The selected rows by block of the parent, as they were fixed first."""
    fixed = await store.batches.selection(child)
    missing = [block for block in range(parent.blocks) if block not in fixed]
    for first in range(0, len(missing), _FIXED_AT_ONCE):
        blocks = missing[first : first + _FIXED_AT_ONCE]
        rows = {block: await _selected(store, parent.definition.id, block, selection) for block in blocks}
        if await store.batches.fix_selection(child, rows) is not ChunkStatus.STORED:
            return {}
    return await store.batches.selection(child) if missing else fixed


async def _selected(store: Store, batch: str, block: int, selection: Selection) -> bytes:
    records: list[Record] = await store.batches.records(batch, block)
    bits = sum(1 << at for at, record in enumerate(records) if selection.takes(record.state, record.failure.category))
    return bits.to_bytes(-(-bits.bit_length() // 8), "little")


def _parts(rows: Mapping[int, bytes], blocks: int, done: int) -> Iterator[range]:
    """Blocks of the parent from ``done`` on, as many together as one part has room for."""
    first, room = done, _PART_ROWS
    for block in range(done, blocks):
        jobs = int.from_bytes(rows[block], "little").bit_count()
        if jobs > room:
            yield range(first, block)
            first, room = block, _PART_ROWS
        room -= jobs
    if first < blocks:
        yield range(first, blocks)


async def _chosen(store: Store, parent: Overview, block: int, rows: bytes) -> list[Recipient]:
    if not rows:
        return []
    bits = int.from_bytes(rows, "little")
    recipients = await store.batches.recipients(parent.definition.id, block)
    return [recipient for at, recipient in enumerate(recipients) if bits >> at & 1]


async def _blocks_done(store: Store, child: str) -> int:
    progress = await store.batches.progress(child, UPLOAD)
    return progress.lines_done // BLOCK if progress else 0


async def _store(store: Store, child: str, blocks: range, recipients: Sequence[Recipient]) -> ChunkStatus:
    part = UploadChunk(
        upload=UPLOAD,
        first_line=blocks.start * BLOCK + 1,
        last_line=blocks.stop * BLOCK,
        recipients=recipients,
        refused=(),
    )
    return (await store.batches.add_chunk(child, part)).status
