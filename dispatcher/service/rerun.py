"""Final jobs of one batch copied into a new one, so that what is final stays final."""

from dataclasses import dataclass

from dispatcher.core.batch import Tally
from dispatcher.core.job import FINAL, Recipient, Record, State
from dispatcher.store.batches import Overview, Part
from dispatcher.store.keys import BLOCK
from dispatcher.store.store import Store

#: name of the one upload of a rerun; its lines are the rows of the parent, from 1
UPLOAD = "rerun"


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
    """Copy recipients into the draft ``child``, in parts of whole blocks of the parent.

    Safe to repeat: it goes on behind the last part that was stored.
    """
    progress = await store.batches.progress(child, UPLOAD)
    first_block = progress.lines_done // BLOCK if progress else 0
    waiting: list[Recipient] = []
    for block in range(first_block, parent.blocks):
        found = await _selected(store, parent.definition.id, block, selection)
        if len(waiting) + len(found) > BLOCK:
            await _store(store, child, waiting, range(first_block, block))
            waiting, first_block = [], block
        waiting += found
    if waiting:
        await _store(store, child, waiting, range(first_block, parent.blocks))


async def _selected(store: Store, batch: str, block: int, selection: Selection) -> list[Recipient]:
    records: list[Record] = await store.batches.records(batch, block)
    if not any(selection.takes(record.state, record.category) for record in records):
        return []
    recipients = await store.batches.recipients(batch, block)
    return [
        recipient
        for recipient, record in zip(recipients, records, strict=True)
        if selection.takes(record.state, record.category)
    ]


async def _store(store: Store, child: str, recipients: list[Recipient], blocks: range) -> None:
    part = Part(
        upload=UPLOAD,
        first_line=blocks.start * BLOCK + 1,
        last_line=blocks.stop * BLOCK,
        recipients=recipients,
        refused=(),
    )
    await store.batches.add_part(child, part)
