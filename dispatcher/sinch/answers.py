"""What an HTTP answer means: one pure function from status, headers and body to an error, or to none."""

import email.utils
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice

from dispatcher.sinch.coerce import clean, json_object, mapping, text
from dispatcher.sinch.errors import (
    NotFoundError,
    RateLimitedError,
    RefusedError,
    SinchError,
    UnclearError,
)

#: longest text of the provider's that is passed on, longest address and name of a field, and most fields
_MESSAGE_CHARS, _ADDRESS_CHARS, _NAME_CHARS, _MOST_FIELDS = 500, 200, 100, 20

#: addresses that moved: the request was not handled here. 302 and 303 are also how a handled POST may answer.
_MOVED = {301, 307, 308}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, read to its end. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def error_of(answer: Answer, *, now_s: float | None = None) -> SinchError | None:
    """The error that an answer stands for; None for 2xx. ``now_s`` is the time since 1970, for dates."""
    status = answer.status
    if 200 <= status < 300:
        return None
    if status == 429:
        return RateLimitedError(_retry_after_s(answer, now_s))
    if status in _MOVED:
        target = clean(answer.headers.get("location", "another address"), _ADDRESS_CHARS)
        return RefusedError(status=status, message=f"the address has moved to {target}; set the base URL to it")
    if status < 400 or status == 408 or status >= 500:
        return UnclearError(_reason(answer), status=status, retry_after_s=_retry_after_s(answer, now_s))
    return _refusal(answer)


def retry_after_s(value: str, now_s: float) -> float | None:
    """``Retry-After`` in seconds from now, from a number or an HTTP date; None when it is neither."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = _http_date_s(value) - now_s
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _retry_after_s(answer: Answer, now_s: float | None) -> float | None:
    value = answer.headers.get("retry-after")
    if value is None:
        return None
    # a date is meant on the clock of the one who wrote it
    sent_s = _http_date_s(answer.headers.get("date", ""))
    here_s = time.time() if now_s is None else now_s
    return retry_after_s(value, sent_s if math.isfinite(sent_s) else here_s)


def _http_date_s(value: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return math.nan


def _reason(answer: Answer) -> str:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "unknown status"
    return f"answered {answer.status} ({phrase})"


def _refusal(answer: Answer) -> RefusedError:
    kind = NotFoundError if answer.status == 404 else RefusedError
    told = json_object(answer.body) or {}
    # some gateways wrap the whole error in a field of that name
    told = mapping(told.get("error")) or told
    violations = list(islice(_violations(told.get("details")), _MOST_FIELDS))
    parts = [_first_text(told, "message", "detail", "title", "error")]
    parts += [f"{name}: {why}" for name, why in violations if why]
    return kind(
        status=answer.status,
        code=text(told.get("code"), _NAME_CHARS),
        message="; ".join(part for part in parts if part)[:_MESSAGE_CHARS],
        fields=tuple(name for name, _ in violations if name),
    )


def _first_text(told: Mapping[str, object], *names: str) -> str:
    return next((found for name in names if (found := text(told.get(name), _MESSAGE_CHARS))), "")


def _violations(details: object) -> Iterator[tuple[str, str]]:
    for detail in details if isinstance(details, list) else [details]:
        listed = mapping(detail).get("fieldViolations")
        for item in listed if isinstance(listed, list) else []:
            found = mapping(item)
            yield text(found.get("field"), _NAME_CHARS), text(found.get("description"), _MESSAGE_CHARS)
