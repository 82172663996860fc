"""Forms with one file in the field `file`."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException, Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartParser

FORM = "multipart/form-data"
#: a form would be decoded by any codec that its caller names
_OTHER_CHARSET = re.compile(r"charset(?!=\"?utf-8\"?\s*(;|$))", re.IGNORECASE)
#: larger files of forms are received into a file
_IN_MEMORY_BYTES = 64 * 1024
#: maximum bytes of a field that is no file
_FIELD_BYTES = 4 * 1024
MultiPartParser.spool_max_size = _IN_MEMORY_BYTES


def is_form(request: Request, alone: str) -> bool:
    """Return whether the body is a form. Raises HTTPException for other multipart types.

    ``alone`` says how to send the file without a form, for the answer: "the list alone as text/csv".
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()
    if media_type != FORM and media_type.startswith("multipart/"):
        raise HTTPException(415, f"Send a form as {FORM}, or {alone}.")
    return media_type == FORM


@asynccontextmanager
async def received_form(request: Request, max_fields: int) -> AsyncIterator[tuple[UploadFile, FormData]]:
    """Receive a form. Yields its file, and the form with all its fields.

    Raises HTTPException if it has no file, more than ``max_fields`` other fields, or another charset than UTF-8.
    """
    if _OTHER_CHARSET.search(request.headers.get("content-type", "")):
        raise HTTPException(415, "Send the form in UTF-8, without naming another charset.")
    async with request.form(max_files=1, max_fields=max_fields, max_part_size=_FIELD_BYTES) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "The form has no file in its field 'file'.")
        yield file, form
