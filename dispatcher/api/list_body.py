"""Receives a list of recipients: as the body, or as the field `file` of a form whose other fields are options."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from dispatcher.api.forms import is_form, received_form
from dispatcher.schema.requests import ListOptions

Options = TypeVar("Options", bound=ListOptions)

#: maximum fields beside the file
_FIELDS = 20
_CHUNK_BYTES = 64 * 1024


class ListBody(NamedTuple):
    """A list as it arrives; ``content_type`` is that of the list, also in a form."""

    content_type: str
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def received_list(request: Request, options: Options) -> AsyncIterator[tuple[ListBody, Options]]:
    """Receive a list, with the options of the query and of the form; the form's replace the query's."""
    if not is_form(request, "the list alone as text/csv"):
        yield ListBody(request.headers.get("content-type", ""), request.stream()), options
        return
    async with received_form(request, _FIELDS) as (file, form):
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
