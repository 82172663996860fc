"""Reads stored values. Whatever a value is, its reader returns what it is declared to, or raises UnreadableData.

A reader of one thing raises the error. A reader of many leaves the unreadable one out, or marks it, and goes on.
"""

import struct
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

import structlog

from dispatcher.store.errors import UnreadableData

#: larger numbers are none of ours: they are exact neither in Lua nor in most readers of JSON
MAX_NUMBER = 2**53
#: maximum number of characters of a reason
_SHOWN = 200
#: maximum number of keys that are remembered as logged
_LOGGED = 10_000
#: what decoders raise for a value that was not stored by them
_FAULTS = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError),
    *(struct.error, zlib.error),
)

Value = TypeVar("Value")
Read = TypeVar("Read")

log = structlog.get_logger(__name__)
_logged: set[str] = set()


@contextmanager
def decoding(key: str) -> Iterator[None]:
    """Translate what decoders raise into UnreadableData that names the key."""
    try:
        yield
    except _FAULTS as error:
        raise UnreadableData(key, ascii(f"{type(error).__name__}: {error}")[1:_SHOWN]) from error


def readable(key: str, values: Iterable[Value], decode: Callable[[Value], Read]) -> list[Read]:
    """Decode many values, without those that cannot be decoded."""
    decoded = list[Read]()
    for value in values:
        try:
            with decoding(key):
                decoded.append(decode(value))
        except UnreadableData as error:
            left_out(error)
    return decoded


def left_out(error: UnreadableData) -> None:
    """Log that a value is left out, once for each key."""
    if error.key not in _logged and len(_logged) < _LOGGED:
        _logged.add(error.key)
        log.error("stored data cannot be read and is left out", key=error.key, reason=error.reason)


def whole(value: bytes | str | float | None) -> int:
    """Return a stored whole number. Raises ValueError for anything else, and for a number that is none of ours."""
    if value is None:
        raise ValueError("a number is missing")
    if type(value) is int and -MAX_NUMBER <= value <= MAX_NUMBER:
        return value
    if isinstance(value, bytes | str) and len(value) > 20:
        raise ValueError("a number is too long")
    number = int(value)
    if abs(number) > MAX_NUMBER or (isinstance(value, float) and number != value):
        raise ValueError("a number is out of range")
    return number


def finite(value: bytes) -> float:
    """Return a stored number. Raises ValueError for anything else, and for a number that is none of ours."""
    number = float(value)
    if not abs(number) <= MAX_NUMBER:  # nor is a NaN
        raise ValueError("a number is out of range")
    return number


def whole_or_0(value: bytes | None) -> int:
    """Return a stored whole number; 0 if there is none, or if it cannot be read."""
    try:
        return whole(value or 0)
    except ValueError:
        return 0


@cache
def _plain_fields(model: Any) -> Mapping[str, type]:
    return {field.name: field.type for field in fields(model) if field.type in (str, int, bool)}


def typed(model: type[Value], values: Mapping[str, Any]) -> Value:
    """Return a dataclass made of decoded JSON. Raises TypeError or ValueError if a field is of another type."""
    kinds = _plain_fields(cast(Hashable, model))
    for name, value in values.items():
        kind = kinds.get(name)
        if kind is not None and type(value) is not kind:
            raise TypeError(f"{name} is of type {type(value).__name__}")
        if kind is int:
            whole(value)
    return model(**values)
