"""Routes of a batch's recipients: stream a list into a draft, and list the refused rows."""

import asyncio
import secrets
from collections.abc import AsyncIterable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.headers import IdempotencyKey
from dispatcher.api.pages import page_response
from dispatcher.api.problems import UploadBroken
from dispatcher.recipients.errors import RecipientListError
from dispatcher.recipients.read_rows import RowReader, pieces
from dispatcher.runtime import Runtime
from dispatcher.schema import responses
from dispatcher.service.errors import ServiceError, StoreError
from dispatcher.service.jobs import list_refused
from dispatcher.service.uploads import Upload, UploadAnswer, open_upload

router = APIRouter(prefix="/v1/batches/{batch}", tags=["recipients"])

_LISTS = ("text/csv", "application/x-ndjson", "application/json")
_KEY_BYTES = 16
#: lists that are read at the same time; each may keep a part of some megabytes in memory
LISTS_AT_ONCE = 16


@router.post(
    "/recipients",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _LISTS},
        }
    },
)
async def upload_recipients(
    batch: str, request: Request, runtime: RuntimeDep, key: IdempotencyKey = None
) -> responses.Upload:
    """Stream recipients into a draft: CSV, NDJSON or a JSON array, by `Content-Type`.

    Rows are stored as they arrive. A repeat with the same `Idempotency-Key` continues after the stored rows.
    """
    reading: asyncio.Semaphore = request.app.state.reading_lists
    if reading.locked():
        raise HTTPException(503, f"{LISTS_AT_ONCE} lists are being read; send this one again later.")
    async with reading:
        return await _upload(batch, request, runtime, key)


async def _upload(batch: str, request: Request, runtime: Runtime, key: str | None) -> responses.Upload:
    upload = await open_upload(runtime.store, batch, key or secrets.token_hex(_KEY_BYTES), runtime.failpoint)
    try:
        rows = RowReader(request.headers.get("content-type", ""), upload.default_country, runtime.policy.destinations)
        answer = await _store(upload, request.stream(), rows)
    except (RecipientListError, ServiceError, StoreError, HTTPException) as error:
        raise UploadBroken(error, upload.key, upload.lines_done) from error
    return convert.upload(answer)


async def _store(upload: Upload, body: AsyncIterable[bytes], rows: RowReader) -> UploadAnswer:
    async for piece, final in pieces(body):
        await upload.add(partial(rows.read, piece, final))
    return await upload.finish()


@router.get("/refused", response_model=responses.RefusedPage)
async def list_refused_rows(
    batch: str,
    runtime: RuntimeDep,
    after: Annotated[int, Query(ge=-1, le=10**12)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List the refused rows with the reasons. Pass `next` as `after` to get the next page."""
    page = await list_refused(runtime.store, batch, after=after, limit=limit)
    return await page_response(convert.refused_page, page)
