"""Content that no provider should send, by name: bodies of answers, and fields of a fax.

For tests of clients: a gateway answers in the provider's place, a clock starts at year 1, a text is cut in the middle
of a character.
"""

from collections.abc import Mapping
from typing import Any

_FAR_TEXT = "x" * 100_000
_HALF_OF_A_PAIR = "\ud83d"

#: body of an answer and its media type
BODIES: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "application/json"),
    "html": (b"<!doctype html><title>Maintenance</title><p>We will be back soon.</p>", "text/html"),
    "text": (b"OK", "text/plain"),
    "null": (b"null", "application/json"),
    "list": (b"[]", "application/json"),
    "no_id": (b'{"status": "QUEUED"}', "application/json"),
    "cut_off": (b'{"id": "01JD00000000', "application/json"),
    "deep": (b"[" * 100_000, "application/json"),
}

#: what a fax looks like wherever it is shown
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "zero_time": {"createTime": "0001-01-01T00:00:00Z", "completedTime": "0001-01-01T00:00:00Z"},
    "far_time": {"createTime": "9999-12-31T23:59:59Z", "completedTime": "9999-12-31T23:59:59Z"},
    "no_time": {"createTime": "soon", "completedTime": None},
    "huge_numbers": {"numberOfPages": 10**30, "pagesSentSuccessfully": 10**30, "errorCode": 10**30},
    "negative_numbers": {"numberOfPages": -1, "pagesSentSuccessfully": -(10**9), "errorCode": -17},
    "half_a_character": {"errorMessage": f"cut {_HALF_OF_A_PAIR}", "errorType": f"CALL_ERROR{_HALF_OF_A_PAIR}"},
    "control_characters": {"errorMessage": "\x1b[2J\x00\r\nnext", "errorType": "CALL\x00ERROR"},
    "long_texts": {"errorMessage": _FAR_TEXT, "errorType": _FAR_TEXT},
    "wrong_types": {"numberOfPages": [1], "errorCode": {}, "createTime": 7, "labels": ["a"], "status": None},
    "unknown_status": {"status": "TELEPORTED"},
    "http_error": {"errorType": "http", "errorCode": 301},
}


def make_odd(shown: dict[str, Any], name: str) -> None:
    """Change a fax as it is shown. Fields of an end appear only where the fax has ended."""
    ended = "completedTime" in shown
    shown.update({field: value for field, value in FIELDS[name].items() if ended or field not in _OF_AN_END})


_OF_AN_END = frozenset({"completedTime", "errorType", "errorCode", "errorMessage"})
