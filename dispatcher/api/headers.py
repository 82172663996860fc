"""Headers that several routes read."""

import re
import unicodedata
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Header, HTTPException

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]([ -~]*[!-~])?$",
        description=(
            "Makes a repeat of the same request harmless: it gets the same answer. 1 to 255 printable ASCII "
            "characters, kept until seven days after the last use. The same key on another route, or for the "
            "recipients of another batch, is another key."
        ),
    ),
]


#: one parameter of RFC 6266: a token or a quoted string after a name that may end with a star
_PARAMETER = re.compile(
    r'\s*;\s*(?P<name>[\w!#$&+.^`|~%-]+\*?)\s*=\s*("(?P<quoted>([^"\\]|\\.)*)"|(?P<token>[^\s";]+))'
)
#: RFC 8187; other encodings than UTF-8 would let a caller name any codec
_EXTENDED = re.compile(r"utf-8'[A-Za-z0-9-]*'(?P<encoded>(%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])*)", re.IGNORECASE)
_MAX_NAME = 200
#: a range header with one range (RFC 9110, section 14.1.2)
_RANGE = re.compile(r"bytes=[ \t]*(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})[ \t]*", re.IGNORECASE)


def file_name(disposition: str) -> str:
    """Return the file name of a Content-Disposition header, as of a request or of a part of a form; empty without one.

    Raises HTTPException with 422 for a name in another encoding than UTF-8, with a path, or with control characters.
    """
    parameters, position = {}, len(disposition.partition(";")[0])
    while match := _PARAMETER.match(disposition, position):
        quoted = match["quoted"]
        parameters[match["name"].lower()] = match["token"] if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted)
        position = match.end()
    if disposition[position:].strip(" \t;"):
        raise _bad_name("is not of the form attachment; filename*=UTF-8''NAME")
    if any(name.startswith("filename*") and name != "filename*" for name in parameters):
        raise _bad_name("has a name in pieces; send it as filename*=UTF-8''NAME")
    name = _decoded(parameters.get("filename*"), parameters.get("filename", ""))
    if len(name) > _MAX_NAME or any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name):
        raise _bad_name(f"has a name of more than {_MAX_NAME} characters, or with control characters")
    if "/" in name or "\\" in name:
        raise _bad_name("has a name with a path; send the name alone")
    return name


def byte_range(text: str, size: int) -> range | None:
    """Return the bytes that a Range header names, none if the file has none of them.

    Returns None for headers that a server may ignore: absent ones, invalid ones and those with several ranges.
    """
    match = _RANGE.fullmatch(text)
    if match is None or not (match["first"] or match["last"]):
        return None
    if not match["first"]:
        return range(max(size - int(match["last"]), 0), size)
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else size - 1
    if match["last"] and last < first:
        return None
    return range(first, min(last + 1, size))


def _decoded(extended: str | None, plain: str) -> str:
    match = _EXTENDED.fullmatch(extended) if extended is not None else None
    if extended is not None and match is None:
        raise _bad_name("names another encoding than UTF-8; send filename*=UTF-8''NAME")
    try:
        # ASGI headers are decoded as Latin-1
        return (unquote_to_bytes(match["encoded"]) if match else plain.encode("latin-1")).decode()
    except UnicodeDecodeError as error:
        raise _bad_name("has a name that is not UTF-8") from error


def _bad_name(what: str) -> HTTPException:
    return HTTPException(422, f"The Content-Disposition header {what}.")
