"""Routes of documents: they are uploaded once, and served to the provider under signed URLs."""

import asyncio
import errno
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.headers import file_name
from dispatcher.core.times import END_MS
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.schema import responses
from dispatcher.service.documents import DOCUMENT_PATH, find_document, open_document, take_document
from dispatcher.service.errors import StoreFull

router = APIRouter(prefix="/v1/documents", tags=["documents"])
#: routes for the provider, which has no API key
signed = APIRouter(prefix=DOCUMENT_PATH, tags=["documents"])

_BINARY = {"type": "string", "format": "binary"}
_FORM = "multipart/form-data"
#: a form would be decoded by any codec that its caller names
_OTHER_CHARSET = re.compile(r"charset(?!=\"?utf-8\"?\s*(;|$))", re.IGNORECASE)
#: the beginning of a form: a boundary and the headers of a part. A PDF would be recognised in the middle of it
_BEGINNING_OF_FORM = re.compile(
    rb"(?:^|\n)--[^\r\n]+\r?\n(?:[^\r\n]+\r?\n)*?content-disposition[ \t]*:[ \t]*form-data", re.IGNORECASE
)
_BEGINNING_BYTES = 2048
#: documents that are in memory at the same time, to be checked and stored; each takes up to 60 MB
DOCUMENTS_AT_ONCE = 1
#: larger bodies, and larger files of forms, are received into a file
_IN_MEMORY_BYTES = 64 * 1024
#: maximum bytes of another field of a form; all of them are ignored
_FIELD_BYTES = 4 * 1024
MultiPartParser.spool_max_size = _IN_MEMORY_BYTES


@router.post(
    "",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/pdf": {"schema": _BINARY},
                _FORM: {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}},
            },
        }
    },
)
async def upload_document(request: Request, runtime: RuntimeDep) -> responses.Document:
    """Upload a PDF as the body or as the form field `file`. Uploading the same bytes again returns the same id."""
    checking: asyncio.Semaphore = request.app.state.checking_documents
    with _full_disk_refuses():
        async with _received(request) as (file, name), checking:
            if await request.is_disconnected():  # nobody waits for it, but others wait for their turn
                raise ClientDisconnect
            content = await on_cpu_thread(file.read)
            return convert.document(await take_document(runtime.store, content, name))


@contextmanager
def _full_disk_refuses() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFull("the folder for temporary files of web is full: make room there, then send it again") from error


@asynccontextmanager
async def _received(request: Request) -> AsyncIterator[tuple[IO[bytes], str]]:
    """Receive a document into a file: only a document whose turn it is takes memory. Yields the file and its name."""
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip(" \t").lower()
    if media_type != _FORM:
        if media_type.startswith("multipart/"):
            raise HTTPException(415, f"Send a form as {_FORM}, or the document alone as application/pdf.")
        name = file_name(request.headers.get("content-disposition", ""))
        with SpooledTemporaryFile(_IN_MEMORY_BYTES) as body:
            async for piece in request.stream():
                body.write(piece)
            body.seek(0)
            if _BEGINNING_OF_FORM.search(body.read(_BEGINNING_BYTES).partition(b"%PDF-")[0]):
                raise HTTPException(415, f"The body is a form: send it as Content-Type: {_FORM}, with its boundary.")
            body.seek(0)
            yield body, name
        return
    if _OTHER_CHARSET.search(content_type):
        raise HTTPException(415, "Send the form in UTF-8, without naming another charset.")
    async with request.form(max_files=1, max_fields=10, max_part_size=_FIELD_BYTES) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "The form has no file in its field 'file'.")
        yield file.file, file_name(file.headers.get("content-disposition", ""))


@router.get("/{sha256}")
async def show_document(sha256: str, runtime: RuntimeDep) -> responses.Document:
    """Show the size, number of pages and name of a document."""
    return convert.document(await find_document(runtime.store, sha256))


@signed.get(
    "/{sha256}",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/pdf": {"schema": _BINARY}}}},
)
async def fetch_document(
    sha256: str,
    runtime: RuntimeDep,
    expires: Annotated[
        int, Query(ge=0, lt=END_MS // 1000, description="Second since 1970 until which the address holds.")
    ],
    signature: str,
) -> StreamingResponse:
    """Return a document if the signed URL is valid and has not expired."""
    info, chunks = await open_document(
        runtime.store, runtime.callback_keys, sha256, expires_s=expires, signature=signature, now_s=time.time()
    )
    headers = {"Content-Length": str(info.size), "Content-Disposition": f'inline; filename="{sha256[:12]}.pdf"'}
    return StreamingResponse(chunks, media_type="application/pdf", headers=headers)
