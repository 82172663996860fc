"""Malformed response bodies and fax fields, by name, for tests of clients.

Examples are the HTML page of a gateway, a time in the year 1, and a text that ends in the middle of a character.
"""

from collections.abc import Mapping
from typing import Any

_LONG_TEXT = "x" * 100_000
_LONE_SURROGATE = "\ud83d"

#: response body and media type by name
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

#: values that replace the fields of a fax wherever it is shown, by name
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "zero_time": {"createTime": "0001-01-01T00:00:00Z", "completedTime": "0001-01-01T00:00:00Z"},
    "far_time": {"createTime": "9999-12-31T23:59:59Z", "completedTime": "9999-12-31T23:59:59Z"},
    "no_time": {"createTime": "soon", "completedTime": None},
    "huge_numbers": {"numberOfPages": 10**30, "pagesSentSuccessfully": 10**30, "errorCode": 10**30},
    "negative_numbers": {"numberOfPages": -1, "pagesSentSuccessfully": -(10**9), "errorCode": -17},
    "half_a_character": {"errorMessage": f"cut {_LONE_SURROGATE}", "errorType": f"CALL_ERROR{_LONE_SURROGATE}"},
    "control_characters": {"errorMessage": "\x1b[2J\x00\r\nnext", "errorType": "CALL\x00ERROR"},
    "long_texts": {"errorMessage": _LONG_TEXT, "errorType": _LONG_TEXT},
    "wrong_types": {"numberOfPages": [1], "errorCode": {}, "createTime": 7, "labels": ["a"], "status": None},
    "unknown_status": {"status": "TELEPORTED"},
    "http_error": {"errorType": "http", "errorCode": 301},
}


def make_odd(shown: dict[str, Any], name: str) -> None:
    """Replace fields of a Fax object.

    Fields that only a final fax has are replaced only if the fax is final.
    """
    final = "completedTime" in shown
    shown.update({field: value for field, value in FIELDS[name].items() if final or field not in _FINAL_FIELDS})


_FINAL_FIELDS = frozenset({"completedTime", "errorType", "errorCode", "errorMessage"})
