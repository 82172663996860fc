"""Opens a list for reading: text as it is, and a workbook through a child process that writes its rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import IO

from fastapi import HTTPException, Request

from dispatcher.api.convert import column_options
from dispatcher.api.disconnects import while_connected
from dispatcher.api.full_disk import full_disk_refuses
from dispatcher.api.list_body import ListBody
from dispatcher.child_process.runner import ChildFailed, ChildLimits, Ending
from dispatcher.recipients.errors import UnusableWorkbook
from dispatcher.recipients.read_rows import PIECE_BYTES, RowReader
from dispatcher.runtime import Runtime
from dispatcher.schema.requests import ListOptions

#: how ZIP files (.xlsx, .ods) and old Excel files (.xls) begin
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_BEGINNING_BYTES = 4
MAX_WORKBOOK_BYTES = 20_000_000
_TASK = "dispatcher.recipients.workbook_rows"
_LIMITS = ChildLimits(output_bytes=256_000_000)
_SAVE_AS_CSV = "Save the sheet as CSV in UTF-8 and send that file."
_FAILURES = {
    Ending.TIME: f"Reading the workbook takes more than {_LIMITS.seconds} seconds.",
    Ending.MEMORY: "The workbook needs more memory than a list may have.",
    Ending.OUTPUT: "The workbook has more text than a list may have.",
    Ending.CRASH: "The workbook cannot be read.",
}

Opened = tuple[RowReader, AsyncIterator[bytes]]


@asynccontextmanager
async def opened_list(
    request: Request, runtime: Runtime, body: ListBody, country: str, options: ListOptions
) -> AsyncIterator[Opened]:
    """Yield the reader of a list and its bytes. The first bytes tell a workbook, whatever its type says.

    Raises:
        RecipientListError: The list is of no known type, or it is a workbook that cannot be read.
    """
    beginning, chunks = await _beginning(body.chunks)
    rules, columns = runtime.policy.destinations, column_options(options)
    if not beginning.startswith(_WORKBOOKS):
        yield RowReader(body.content_type, country, rules, columns), chunks
        return
    with TemporaryFile(buffering=0) as workbook, TemporaryFile(buffering=0) as rows:
        with full_disk_refuses():
            await _save(chunks, workbook)
        # a zero byte cannot be an argument, and is in no name
        names = (name.replace("\0", "") for name in (options.sheet, options.number_column))
        reading = runtime.child_processes.run(_TASK, workbook, rows, *names, limits=_LIMITS)
        try:
            await while_connected(request, reading)
        except ChildFailed as failed:
            raise UnusableWorkbook(_FAILURES[failed.ending], _SAVE_AS_CSV) from failed
        rows.seek(0)
        yield RowReader("", country, rules, columns, workbook=True), _chunks(rows)


async def _beginning(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """Return the first bytes, and all bytes."""
    first = b""
    async for chunk in chunks:
        first += chunk
        if len(first) >= _BEGINNING_BYTES:
            break

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return first, whole()


async def _save(chunks: AsyncIterator[bytes], file: IO[bytes]) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > MAX_WORKBOOK_BYTES:
            raise HTTPException(413, f"A workbook may have {MAX_WORKBOOK_BYTES:,} bytes. {_SAVE_AS_CSV}")
        file.write(chunk)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := file.read(PIECE_BYTES):
        yield chunk
