"""Routes of documents: they are uploaded once, and served to the provider under signed URLs."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import IO, Annotated

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.disconnects import while_connected
from dispatcher.api.forms import FORM, is_form, received_form
from dispatcher.api.full_disk import full_disk_refuses
from dispatcher.api.headers import byte_range, file_name
from dispatcher.api.parameters import DocumentPath
from dispatcher.api.problems import answers, raises
from dispatcher.api.turns import turn_until_answered
from dispatcher.core.times import END_MS
from dispatcher.runtime import Runtime
from dispatcher.schema import responses
from dispatcher.service import deletions, errors
from dispatcher.service.documents import DOCUMENT_PATH, DocumentInfo, find_document, open_document, open_part

router = APIRouter(prefix="/v1/documents", tags=["documents"])
#: routes for the provider, which has no API key
signed = APIRouter(prefix=DOCUMENT_PATH, tags=["documents"])

_BINARY = {"type": "string", "format": "binary"}
_PDF = "application/pdf"
#: the beginning of a form: a boundary and the headers of a part. A PDF would be recognised in the middle of it
_BEGINNING_OF_FORM = re.compile(
    rb"(?:^|\n)--[^\r\n]+\r?\n(?:[^\r\n]+\r?\n)*?content-disposition[ \t]*:[ \t]*form-data", re.IGNORECASE
)
_BEGINNING_BYTES = 2048
#: documents that are received and checked at the same time, each in a temporary file, and how many others wait
UPLOADS_AT_ONCE, UPLOADS_WAITING = 64, 128
#: documents that are served at the same time, each with half a megabyte in memory, and how many others wait
FETCHES_AT_ONCE, FETCHES_WAITING = 100, 200
#: maximum fields of a form beside the file; all of them are ignored
_FIELDS = 10


@router.post(
    "",
    status_code=201,
    dependencies=[turn_until_answered("upload_turns")],
    responses=raises(errors.StoreFull),
    openapi_extra={
        "parameters": [
            {
                "name": "Content-Disposition",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "pattern": '^attachment; filename="[A-Za-z0-9._-]{1,100}"$'},
                "description": "Name of the file, if the body is the document. For other characters: "
                "`attachment; filename*=UTF-8''NAME`.",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/pdf": {"schema": _BINARY},
                FORM: {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}},
            },
        },
    },
)
async def upload_document(request: Request, runtime: RuntimeDep) -> responses.Document:
    """Upload a PDF as the body or as the form field `file`. Uploading the same bytes again returns the same id.

    The document is checked, which takes up to 10 s. `warnings` name what the recipients may not want to see or cannot
    read.
    """
    with full_disk_refuses():
        async with _received(request) as (file, name):
            taken = runtime.document_intake.take(file, name)
            return convert.document(await while_connected(request, taken))


@asynccontextmanager
async def _received(request: Request) -> AsyncIterator[tuple[IO[bytes], str]]:
    """Receive a document into a file, which only this process can open. Yields the file and its name."""
    if not is_form(request, "the document alone as application/pdf"):
        name = file_name(request.headers.get("content-disposition", ""))
        with TemporaryFile() as body:
            async for piece in request.stream():
                body.write(piece)
            body.seek(0)
            if _BEGINNING_OF_FORM.search(body.read(_BEGINNING_BYTES).partition(b"%PDF-")[0]):
                raise HTTPException(415, f"The body is a form: send it as Content-Type: {FORM}, with its boundary.")
            yield body, name
        return
    async with received_form(request, _FIELDS) as (file, _):
        yield file.file, file_name(file.headers.get("content-disposition", ""))


@router.get("/{sha256}", responses=raises(errors.Missing))
async def get_document(sha256: DocumentPath, runtime: RuntimeDep) -> responses.Document:
    """Show the size, number of pages and name of a document."""
    return convert.document(await find_document(runtime.store, sha256))


@router.delete("/{sha256}", responses=raises(errors.ActionNotAllowed))
async def delete_document(sha256: DocumentPath, runtime: RuntimeDep) -> responses.Removed:
    """Delete a document, unless batches that have not ended need it. Ended ones can only be rerun with another."""
    return responses.Removed(removed=await deletions.delete_document(runtime.store, sha256))


_Expires = Annotated[
    int, Query(ge=0, lt=END_MS // 1000, description="Second since 1970 until which the address holds.")
]
_Signature = Annotated[str, Query(description="Signature of the address.")]
_FETCH = raises(errors.Missing, errors.Forged)


@signed.get(
    "/{sha256}",
    response_class=StreamingResponse,
    dependencies=[turn_until_answered("fetch_turns")],
    responses={
        200: {"content": {"application/pdf": {"schema": _BINARY}}},
        206: {"description": "The bytes that `Range` names.", "content": {"application/pdf": {"schema": _BINARY}}},
        **_FETCH,
        **answers(["no-such-part"]),
    },
)
async def fetch_document(
    sha256: DocumentPath,
    runtime: RuntimeDep,
    expires: _Expires,
    signature: _Signature,
    range_: Annotated[str, Header(alias="Range", description="One range of bytes.")] = "",
    if_range: Annotated[str, Header(description="`ETag` of the document that `Range` is meant for.")] = "",
) -> StreamingResponse:
    """Return a document, or a part of it, if the signed URL is valid and has not expired."""
    info, chunks = await _opened(runtime, sha256, expires, signature)
    headers = _headers(info)
    part = byte_range(range_, info.size) if if_range in ("", headers["ETag"]) else None
    if part is None:
        return StreamingResponse(chunks, media_type=_PDF, headers=headers)
    if not part:
        raise HTTPException(416, f"The document has {info.size} bytes.", {"Content-Range": f"bytes */{info.size}"})
    headers["Content-Length"] = str(len(part))
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{info.size}"
    return StreamingResponse(
        await open_part(runtime.store, sha256, part), status_code=206, media_type=_PDF, headers=headers
    )


@signed.head(
    "/{sha256}", response_class=Response, responses={200: {"description": "The headers of the document."}, **_FETCH}
)
async def fetch_document_headers(
    sha256: DocumentPath, runtime: RuntimeDep, expires: _Expires, signature: _Signature
) -> Response:
    """Return the headers of a document without its content."""
    info, _ = await _opened(runtime, sha256, expires, signature)
    return Response(media_type=_PDF, headers=_headers(info))


async def _opened(
    runtime: Runtime, sha256: str, expires: int, signature: str
) -> tuple[DocumentInfo, AsyncIterator[bytes]]:
    return await open_document(
        runtime.store, runtime.callback_keys, sha256, expires_s=expires, signature=signature, now_s=time.time()
    )


def _headers(info: DocumentInfo) -> dict[str, str]:
    return {
        "Content-Length": str(info.size),
        "Content-Disposition": f'inline; filename="{info.sha256[:12]}.pdf"',
        "Accept-Ranges": "bytes",
        "ETag": f'"{info.sha256}"',
    }
