"""The report of a batch: a CSV file with one line for every uploaded row. It is streamed block by block."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from dispatcher.core.job import HistoryEntry, Recipient, Record, RefusedRow, State, attempts_made
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.times import rfc3339
from dispatcher.service.views import find_batch
from dispatcher.store.keys import BLOCK
from dispatcher.store.store import Store

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
)


async def report(store: Store, batch: str) -> AsyncIterator[bytes]:
    """Return the report as pieces of CSV in UTF-8: a header, jobs and duplicates in row order, then refused rows.

    Raises Missing for an unknown batch, before the first piece is read.
    """
    overview = await find_batch(store, batch)
    return _pieces(store, batch, overview.blocks)


async def _pieces(store: Store, batch: str, blocks: int) -> AsyncIterator[bytes]:
    yield _csv([COLUMNS])
    for block in range(blocks):
        # not a variable: a slow reader would keep the decoded block in memory
        yield await _block(store, batch, block)
    chunk = 0
    while (rows := await store.batches.refused(batch, chunk)) is not None:
        yield await on_cpu_thread(_csv, map(_refused_line, rows))
        chunk += 1


async def _block(store: Store, batch: str, block: int) -> bytes:
    recipients = await store.batches.recipients(batch, block)
    records = await store.batches.records(batch, block)
    histories = await store.batches.histories(batch, block)
    return await on_cpu_thread(_csv, _job_lines(block * BLOCK, recipients, records, histories))


def _job_lines(
    first_row: int,
    recipients: Sequence[Recipient],
    records: Sequence[Record],
    histories: Mapping[int, Sequence[HistoryEntry]],
) -> Iterable[Sequence[object]]:
    for row, (recipient, record) in enumerate(zip(recipients, records, strict=True), start=first_row):
        yield _job_line(recipient, record, histories.get(row, ()))


def _job_line(recipient: Recipient, record: Record, history: Sequence[HistoryEntry]) -> Sequence[object]:
    duplicate = record.state is State.VOID
    reason = "the number is already in the batch" if duplicate else history[-1].why if history else ""
    return (
        recipient.line,
        recipient.reference,
        recipient.number,
        "duplicate" if duplicate else record.state.label,
        record.failure.category,
        record.failure.error_type,
        record.failure.error_code or "",
        attempts_made(record, history),
        record.pages_sent,
        record.pages_total,
        record.fax_id,
        rfc3339(record.changed_ms),
        reason,
    )


def _refused_line(row: RefusedRow) -> Sequence[object]:
    return (row.line, "", row.number, "refused", row.reason, "", "", 0, 0, 0, "", "", row.detail)


def _csv(lines: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()
