"""Reads the body of a send, JSON or multipart, into one shape: a map of canonical field names.

Accepts what other clients put on the wire: part names in any case, `True`/`False`, recipients
repeated or joined by `,` or `;`, content URLs joined by `,`, labels as `labels[key]`.
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

#: No source gives a limit for a whole request; this holds two of the largest files as base64.
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
    """One file part: its type by file name extension ("" if it has none), and its bytes."""

    file_type: str
    data: bytes


async def read_fields(request: Request) -> dict[str, Any]:
    """The fields of a send as sent; null and absent are the same.

    `files` holds `{file, fileType}` maps (JSON) or UploadedFile values (multipart).

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
    """A JSON object as body. Raises ApiError 400 for anything else."""
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
            kind = PurePosixPath(value.filename or "").suffix.lstrip(".").upper()
            fields.setdefault("files", []).append(UploadedFile(kind, await value.read()))
        elif name.lower() in ("file", "files"):
            # A part without a file name is a plain field; the provider wants a name with an extension.
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
    known = _BY_LOWER.get(name.lower())
    if known == "to":
        numbers = (number.strip() for number in re.split("[,;]", value))
        fields.setdefault("to", []).extend(number for number in numbers if number)
    elif known == "contentUrl":
        urls = (url.strip() for url in _URL_COMMA.split(value))
        fields.setdefault("contentUrl", []).extend(url for url in urls if url)
    elif known is not None:
        fields[known] = _typed(known, value)


def _typed(name: str, value: str) -> Any:
    """Multipart knows only text; what cannot be turned stays text and fails its check."""
    if name == "headerPageNumbers":
        return _BOOLEANS.get(value.strip().lower(), value)
    if name in ("maxRetries", "retryDelaySeconds"):
        return int(value) if re.fullmatch(r"\s*\d{1,9}\s*", value) else value
    return value
