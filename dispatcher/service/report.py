"""The report of a batch: a CSV file with one line for every uploaded row. It is streamed block by block."""

import codecs
import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from dispatcher.core.job import HistoryEntry, JobId, Recipient, Record, RefusedRow, State, attempts_made, last_reason
from dispatcher.core.prices import cost_of
from dispatcher.core.suppressions import COUNTED_APART
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.rows import (
    ADVICE,
    Row,
    block_recipients,
    block_records,
    ensure_not_deleted,
    paired,
    refused_chunks,
)
from dispatcher.service.times import rfc3339
from dispatcher.service.views import find_batch
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData
from dispatcher.store.keys import BLOCK
from dispatcher.store.store import Store

#: the beginning of a formula, which is no number in international form
_FORMULA = re.compile(r"(?!\+[\d ]+\Z)[=+\-@\t\r\n]")
#: the characters that it begins with; most cells begin with another, and need no expression
_FIRST_CHARACTERS = frozenset("=+-@\t\r\n")

COLUMNS = (
    "line",
    "reference",
    "number",
    "state",
    "category",
    "error_type",
    "error_code",
    "attempts",
    "pages_sent",
    "pages_total",
    "fax_id",
    "changed_at",
    "reason",
    "cost",
    "currency",
)


async def report(store: Store, batch: str) -> AsyncIterator[bytes]:
    """Return the report as pieces of CSV in UTF-8 with its signature: a header, jobs and duplicates in row order, then
    refused rows. Spreadsheets read it as UTF-8, and compute nothing that stands in it.

    A row, block or chunk that cannot be read has a line that says so. Raises Missing for an unknown batch and
    UnreadableData for one that cannot be read, before the first piece is read. If the batch is deleted
    meanwhile, it breaks off with Deleted: whoever reads it has no complete report.
    """
    overview = await find_batch(store, batch)
    return _pieces(store, batch, overview.blocks)


async def _pieces(store: Store, batch: str, blocks: int) -> AsyncIterator[bytes]:
    yield codecs.BOM_UTF8 + csv_of([COLUMNS])
    for block in range(blocks):
        # not a variable: a slow reader would keep the decoded block in memory
        yield await _block(store, batch, block)
    async for _, refused in refused_chunks(store, batch):
        yield await on_cpu_thread(csv_of, map(_refused_line, refused))
    await ensure_not_deleted(store, batch)


async def _histories(store: Store, batch: str, block: int) -> Mapping[int, Sequence[HistoryEntry] | None]:
    try:
        return await store.batches.histories(batch, block)
    except UnreadableData as error:
        left_out(error)
        return dict.fromkeys(range(block * BLOCK, (block + 1) * BLOCK))


async def _block(store: Store, batch: str, block: int) -> bytes:
    rows = paired(await block_recipients(store, batch, block), await block_records(store, batch, block))
    histories = await _histories(store, batch, block)
    await ensure_not_deleted(store, batch)
    return await on_cpu_thread(_csv, _job_lines(JobId(batch, block * BLOCK), rows, histories))


def _job_lines(
    first: JobId, rows: Sequence[Row], histories: Mapping[int, Sequence[HistoryEntry] | None]
) -> Iterable[Sequence[object]]:
    """Yield the lines of a block. Cells that others have written are made harmless here: most cells are ours."""
    for row, (recipient, record) in enumerate(rows, start=first.row):
        if record.state is State.UNREADABLE:
            yield _unreadable_line(JobId(first.batch, row), recipient)
        else:
            yield _job_line(recipient, record, histories.get(row, ()))


def _unreadable_line(job: JobId, recipient: Recipient) -> Sequence[object]:
    line, reason = recipient.line or "", f"job {job}: {ADVICE}"
    return (
        *(line, _harmless(recipient.reference), _harmless(recipient.number)),
        *("unreadable", *[""] * 8, reason, "", ""),
    )


def _reason(record: Record, history: Sequence[HistoryEntry] | None) -> str:
    if record.state is State.VOID:
        return "the number is already in the batch"
    if history is None:
        return f"the history of this job: {ADVICE}"
    return last_reason(history) if history else ""


def _job_line(recipient: Recipient, record: Record, history: Sequence[HistoryEntry] | None) -> Sequence[object]:
    # a history that cannot be read leaves the whole cost unknown
    costs = cost_of(record, history) if history is not None else {}
    failure = record.failure
    return (
        recipient.line,
        _harmless(recipient.reference),
        _harmless(recipient.number),
        "duplicate" if record.state is State.VOID else record.state.label,
        failure.category,
        failure.error_type,
        failure.error_code or "",
        "" if history is None else attempts_made(record, history),
        record.pages_sent,
        record.pages_total,
        _harmless(record.fax_id),
        rfc3339(record.changed_ms),
        _harmless(_reason(record, history)),
        " + ".join(costs.values()),
        " + ".join(costs),
    )


def _refused_line(row: RefusedRow) -> Sequence[object]:
    state = row.reason if row.reason in COUNTED_APART else "refused"
    return (row.line, "", row.number, state, row.reason, "", "", 0, 0, 0, "", "", row.detail, "", "")


def csv_of(lines: Iterable[Sequence[object]]) -> bytes:
    """Return lines as CSV in UTF-8, whose cells no spreadsheet takes for formulas."""
    return _csv([_harmless(cell) if type(cell) is str else cell for cell in line] for line in lines)


def _csv(lines: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    """Return a cell with an apostrophe before it if a spreadsheet would take it for a formula.

    Numbers keep their plus sign.
    """
    if cell[:1] not in _FIRST_CHARACTERS or (cell[0] == "+" and cell[1:].isdigit()):
        return cell
    return f"'{cell}" if _FORMULA.match(cell) else cell
