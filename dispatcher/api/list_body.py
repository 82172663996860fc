"""Receives a list of recipients: as the body, or as the field `file` of a form whose other fields are options."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from dispatcher.schema.requests import ListOptions

Options = TypeVar("Options", bound=ListOptions)

FORM = "multipart/form-data"
#: a form would be decoded by any codec that its caller names
_OTHER_CHARSET = re.compile(r"charset(?!=\"?utf-8\"?\s*(;|$))", re.IGNORECASE)
#: maximum bytes of a field that is no file, and number of such fields
_FIELD_BYTES, _FIELDS = 4 * 1024, 20
_CHUNK_BYTES = 64 * 1024


class ListBody(NamedTuple):
    """A list as it arrives; ``content_type`` is that of the list, also in a form."""

    content_type: str
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def received_list(request: Request, options: Options) -> AsyncIterator[tuple[ListBody, Options]]:
    """Receive a list, with the options of the query and of the form; the form's replace the query's."""
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip(" \t").lower()
    if media_type != FORM:
        if media_type.startswith("multipart/"):
            raise HTTPException(415, f"Send a form as {FORM}, or the list alone as text/csv.")
        yield ListBody(content_type, request.stream()), options
        return
    if _OTHER_CHARSET.search(content_type):
        raise HTTPException(415, "Send the form in UTF-8, without naming another charset.")
    async with request.form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "The form has no file in its field 'file'.")
        yield ListBody(file.content_type or "", _chunks(file)), _with_fields(options, form)


def _with_fields(options: Options, form: FormData) -> Options:
    fields = {name: value for name, value in form.items() if name != "file"}
    try:
        return type(options).model_validate({**options.model_dump(exclude_unset=True), **fields})
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from error


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK_BYTES):
        yield chunk
