"""Sentences for errors of the API that name the options of the command line in place of the API's fields."""

import re
from collections.abc import Mapping

from dispatcher.client import AccessDenied, ApiError, Invalid

#: what the API says about an upload that broke off, to callers who choose its key
_STORED = re.compile(r" The lines up to [0-9]+ are stored; send the whole list again with [^.]*\.")
_AGAIN = re.compile(r"send the whole list again with Idempotency-Key [^ ]+")
#: HTTP status of a request without a right key
_NO_KEY = 401
_POSITION = re.compile(r"\[[0-9]+\]")
#: the options that set fields of another name; the others are named like their field, without its last word if that
#: says what kind of value it is
_OPTIONS: Mapping[str, str] = {
    "from": "--sender",
    "header_page_numbers": "--page-numbers",
    "header_time_zone": "--time-zone",
    "cover_page_data": "--cover-field",
    "content_urls": "--document-url",
    "documents": "LETTER.pdf",
    "default_country": "--country",
}
_KINDS = ("_id", "_method")
#: fields that options set; those in containers stand behind it
_CONTAINERS = ("options", "overrides")
_NAMED = frozenset({"start_at", "deadline", "on_partial", "weight", "max_per_second", "name", *_OPTIONS})


def sentence_of(error: Exception) -> str:
    """Return the sentence of an error; errors of the API name options and variables instead of fields and headers."""
    text = str(error)
    if not isinstance(error, ApiError):
        return text
    if isinstance(error, AccessDenied) and error.problem.status == _NO_KEY:
        return f"{text} The commands send the key in BULKFAX_API_KEY."
    # the draft of a refused list is cancelled; of other lists the same command continues the upload
    text = _STORED.sub("", text) if isinstance(error, Invalid) else _AGAIN.sub("repeat the command", text)
    for fault in error.problem.errors:
        if fault.field and (option := option_of(fault.field)):
            text = text.replace(f"{fault.field}: ", f"{option}: ")
    return text


def option_of(field: str) -> str:
    """Return the option that sets a field of a request; empty if there is none."""
    containers, names = [], _POSITION.sub("", field).split(".")
    while names and names[0] in _CONTAINERS:
        containers.append(names.pop(0))
    if not names or not (containers or names[0] in _NAMED):
        return ""
    plain = next((names[0].removesuffix(kind) for kind in _KINDS if names[0].endswith(kind)), names[0])
    return _OPTIONS.get(names[0]) or "--" + plain.replace("_", "-")
