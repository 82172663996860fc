"""Reads the body of a ``POST /faxes``, JSON or multipart, into a dictionary of fields.

A multipart body may have what other clients send: names in any case, ``True`` and ``False``, recipients that are
repeated or separated by ``,`` or ``;``, content URLs that are separated by ``,``, and labels as ``labels[key]``.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dispatcher.emulator.documents import MAX_FILE_BYTES
from dispatcher.emulator.responses import ApiError

#: the provider documents no limit for a request; this is enough for two files of maximum size in base64
MAX_BODY_BYTES = 3 * MAX_FILE_BYTES
_FIELDS = (
    "to", "from", "contentUrl", "serviceId", "headerText", "headerPageNumbers", "headerTimeZone",
    "maxRetries", "retryDelaySeconds", "imageConversionMethod", "resolution", "callbackUrl",
    "callbackUrlContentType", "coverPageId",
)  # fmt: skip
_BY_LOWER = {name.lower(): name for name in _FIELDS}
_BOOLEANS = {"true": True, "false": False}
_MAP_ENTRY = re.compile(r"(labels|coverpagedata)\[([^\]]*)\]", re.IGNORECASE)
_URL_COMMA = re.compile(r"\s*,\s*(?=https?://)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of a multipart body.

    Its type is the file name extension, or an empty string if there is none.
    """

    file_type: str
    data: bytes


async def read_fields(request: Request) -> dict[str, Any]:
    """Read the fields of a ``POST /faxes``, without those that are null.

    Returns:
        The unchecked fields. ``files`` contains ``{file, fileType}`` dictionaries (JSON) or ``UploadedFile`` objects.

    Raises:
        ApiError: 400 if the body cannot be read, 413 if it is too large, 415 for other content types.
    """
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        raise ApiError(413, f"The request is larger than {MAX_BODY_BYTES} bytes")
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if content_type == "application/json":
        fields = await read_json(request)
        return {name: value for name, value in fields.items() if value is not None}
    if content_type == "multipart/form-data":
        return await _multipart_fields(request)
    raise ApiError(415, "The content type must be application/json or multipart/form-data")


async def read_json(request: Request) -> dict[str, Any]:
    """Read a request body that is a JSON object.

    Raises:
        ApiError: 400 if the body is anything else.
    """
    try:
        fields = from_json(await request.body())
    except ValueError:
        raise ApiError(400, "The body is not valid JSON") from None
    if not isinstance(fields, dict):
        raise ApiError(400, "The body must be a JSON object")
    return fields


async def _multipart_fields(request: Request) -> dict[str, Any]:
    try:
        async with request.form(max_part_size=MAX_FILE_BYTES) as form:
            return await _form_fields(form)
    except HTTPException as error:
        raise ApiError(400, error.detail) from error
    except (KeyError, ValueError) as error:
        raise ApiError(400, "The multipart body cannot be read") from error


async def _form_fields(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            file_type = PurePosixPath(value.filename or "").suffix.lstrip(".").upper()
            fields.setdefault("files", []).append(UploadedFile(file_type, await value.read()))
        elif name.lower() in ("file", "files"):
            # A part without a file name is a plain field. The provider requires a name with an extension.
            fields.setdefault("files", []).append(UploadedFile("", value.encode()))
        else:
            _add_text(fields, name, value)
    return fields


def _add_text(fields: dict[str, Any], name: str, value: str) -> None:
    entry = _MAP_ENTRY.fullmatch(name)
    if entry:
        group = "labels" if entry[1].lower() == "labels" else "coverPageData"
        fields.setdefault(group, {})[entry[2]] = value
        return
    field = _BY_LOWER.get(name.lower())
    if field == "to":
        numbers = (number.strip() for number in re.split("[,;]", value))
        fields.setdefault("to", []).extend(number for number in numbers if number)
    elif field == "contentUrl":
        urls = (url.strip() for url in _URL_COMMA.split(value))
        fields.setdefault("contentUrl", []).extend(url for url in urls if url)
    elif field is not None:
        fields[field] = _typed(field, value)


def _typed(name: str, value: str) -> Any:
    """Convert the text of a multipart field to the type of the field.

    Text that cannot be converted fails its check later.
    """
    if name == "headerPageNumbers":
        return _BOOLEANS.get(value.strip().lower(), value)
    if name in ("maxRetries", "retryDelaySeconds"):
        return int(value) if re.fullmatch(r"\s*\d{1,9}\s*", value) else value
    return value
