"""Maps an HTTP response, by status, headers and body, to an error or to success."""

import email.utils
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice

from dispatcher.sinch.coerce import MAX_ITEMS, explanation, json_object, mapping, objects
from dispatcher.sinch.errors import (
    NotFoundError,
    RateLimitedError,
    RefusedError,
    SinchError,
    UnclearError,
)

#: maximum characters of a message, of an address and of a field name, and maximum number of fields, that are kept
_MESSAGE_CHARS, _ADDRESS_CHARS, _NAME_CHARS, _MAX_FIELDS = 500, 200, 100, 20

#: the resource has moved and the request was not processed; 302 and 303 may also follow a processed POST
_MOVED = {301, 307, 308}


@dataclass(frozen=True, slots=True, kw_only=True)
class SinchResponse:
    """A complete HTTP response.

    Header names are lower case.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def error_from_response(response: SinchResponse, *, now_s: float | None = None) -> SinchError | None:
    """Return the error that a response stands for; None for 2xx.

    Args:
        response: The response.
        now_s: The current time in seconds since 1970, for dates in ``Retry-After``; None: the system clock.
    """
    status = response.status
    if 200 <= status < 300:
        return None
    if status == 429:
        return RateLimitedError(_retry_after_s(response, now_s))
    if status in _MOVED:
        target = explanation(response.headers.get("location", "another address"), _ADDRESS_CHARS)
        return RefusedError(status=status, message=f"the address has moved to {target}; set the base URL to it")
    if status < 400 or status == 408 or status >= 500:
        return UnclearError(_reason(response), status=status, retry_after_s=_retry_after_s(response, now_s))
    return _refusal(response)


def retry_after_s(value: str, now_s: float) -> float | None:
    """Return a ``Retry-After`` value in seconds from now; None if it is neither a number nor an HTTP date."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = _http_date_s(value) - now_s
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _retry_after_s(response: SinchResponse, now_s: float | None) -> float | None:
    value = response.headers.get("retry-after")
    if value is None:
        return None
    # a date is relative to the clock of the server that sent it
    sent_s = _http_date_s(response.headers.get("date", ""))
    local_s = time.time() if now_s is None else now_s
    return retry_after_s(value, sent_s if math.isfinite(sent_s) else local_s)


def _http_date_s(value: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return math.nan


def _reason(response: SinchResponse) -> str:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "unknown status"
    return f"answered {response.status} ({phrase})"


def _refusal(response: SinchResponse) -> RefusedError:
    kind = NotFoundError if response.status == 404 else RefusedError
    fields = json_object(response.body) or {}
    # some gateways wrap the error object in a field named ``error``
    fields = mapping(fields.get("error")) or fields
    violations = list(islice(_violations(fields.get("details")), _MAX_FIELDS))
    parts = [_first_text(fields, "message", "detail", "title", "error")]
    parts += [f"{name}: {description}" for name, description in violations if description]
    return kind(
        status=response.status,
        code=explanation(fields.get("code"), _NAME_CHARS),
        message="; ".join(part for part in parts if part)[:_MESSAGE_CHARS],
        fields=tuple(name for name, _ in violations if name),
    )


def _first_text(fields: Mapping[str, object], *names: str) -> str:
    return next((value for name in names if (value := explanation(fields.get(name), _MESSAGE_CHARS))), "")


def _violations(details: object) -> Iterator[tuple[str, str]]:
    for detail in details[:MAX_ITEMS] if isinstance(details, list) else [details]:
        for violation in objects(mapping(detail).get("fieldViolations")):
            yield (
                explanation(violation.get("field"), _NAME_CHARS),
                explanation(violation.get("description"), _MESSAGE_CHARS),
            )
