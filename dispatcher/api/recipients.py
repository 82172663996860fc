"""Routes of a batch's recipients: stream a list into a draft, and list the refused rows."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.forms import FORM
from dispatcher.api.headers import IdempotencyKey
from dispatcher.api.list_body import received_list
from dispatcher.api.pages import PAGE_TURN, page_response
from dispatcher.api.parameters import AfterLine, BatchPath, LimitOf1000, row_of
from dispatcher.api.problems import UploadBroken, raises
from dispatcher.api.turns import Turns
from dispatcher.api.workbooks import opened_list
from dispatcher.recipients.errors import RecipientListError
from dispatcher.recipients.read_rows import RowReader, pieces
from dispatcher.schema import requests, responses
from dispatcher.service import errors
from dispatcher.service.errors import ServiceError, StoreError
from dispatcher.service.jobs import list_refused
from dispatcher.service.trial import Trial
from dispatcher.service.uploads import open_upload

router = APIRouter(prefix="/v1", tags=["recipients"])

_BINARY = {"type": "string", "format": "binary"}
_LISTS = (
    *("text/csv", "text/tab-separated-values", "text/plain", "application/x-ndjson", "application/json"),
    "application/octet-stream",
)
_KEY_BYTES = 16
#: lists that are read at the same time, each with a part of some megabytes in memory, and how many others wait, each
#: with what its connection has received before it stops to read
LISTS_AT_ONCE, LISTS_WAITING = 16, 128
#: for the OpenAPI document: a list is the body, or a file in a form with its options
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **{kind: {"schema": _BINARY} for kind in _LISTS},
            FORM: {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}},
        },
    }
}


@router.post(
    "/batches/{batch}/recipients",
    openapi_extra=_BODY,
    responses=raises(
        errors.Missing,
        errors.Deleted,
        errors.ActionNotAllowed,
        errors.Conflict,
        errors.StoreFull,
        RecipientListError,
    ),
)
async def upload_recipients(
    batch: BatchPath,
    request: Request,
    runtime: RuntimeDep,
    options: Annotated[requests.UploadOptions, Query()],
    key: IdempotencyKey = None,
) -> responses.Upload:
    """Stream recipients into a draft: CSV, NDJSON or a JSON array, as the body or as the field `file` of a form.

    Columns are recognised by their headings or named by the options, which a form may have as fields; the answer says
    which ones were used. Rows are stored as they arrive. A repeat with the same `Idempotency-Key` continues after the
    stored rows.
    """
    async with _turn(request), received_list(request, options) as (body, chosen):
        upload = await open_upload(runtime.store, batch, key or secrets.token_hex(_KEY_BYTES), runtime.failpoint)
        try:
            country = upload.default_country
            async with upload, opened_list(request, runtime, body, country, chosen) as (rows, chunks):
                if chosen.dry_run:
                    return await _dry_run(
                        Trial(runtime.store, ignore_dead_numbers=upload.ignore_dead_numbers), rows, chunks
                    )
                async for piece, final in pieces(chunks):
                    await upload.add(partial(rows.read, piece, final))
                return convert.upload(await upload.finish(), rows)
        except (RecipientListError, ServiceError, StoreError, HTTPException) as error:
            raise UploadBroken(error, upload.key, upload.lines_done) from error


@router.post(
    "/recipients/dry-run",
    openapi_extra=_BODY,
    responses=raises(RecipientListError, errors.StoreFull),
)
async def try_recipients(
    request: Request, runtime: RuntimeDep, options: Annotated[requests.DryRunOptions, Query()]
) -> responses.Upload:
    """Read a list without a batch, and show the first rows as they would be dialled. Nothing is stored."""
    async with _turn(request), received_list(request, options) as (body, chosen):
        country = chosen.default_country or runtime.settings.default_country
        async with opened_list(request, runtime, body, country, chosen) as (rows, chunks):
            trial = Trial(runtime.store, ignore_dead_numbers=chosen.ignore_dead_numbers)
            return await _dry_run(trial, rows, chunks)


async def _dry_run(trial: Trial, rows: RowReader, chunks: AsyncIterator[bytes]) -> responses.Upload:
    async for piece, final in pieces(chunks):
        await trial.add(partial(rows.read, piece, final))
    return convert.dry_run(trial, rows)


def _turn(request: Request) -> AbstractAsyncContextManager[None]:
    turns: Turns = request.app.state.list_turns
    return turns.turn()


@router.get(
    "/batches/{batch}/refused",
    response_model=responses.RefusedPage,
    dependencies=[PAGE_TURN],
    responses=raises(errors.Missing, errors.Deleted),
)
async def list_refused_rows(
    batch: BatchPath, runtime: RuntimeDep, after: AfterLine = "", limit: LimitOf1000 = 100
) -> Response:
    """List the refused rows with the reasons."""
    page = await list_refused(runtime.store, batch, after=row_of(after), limit=limit)
    return await page_response(convert.refused_page, page)
