"""Checks and converts the values of a parsed policy file; errors name the key and what is allowed there."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from dispatcher.core.durations import parse_duration

T = TypeVar("T")


class PolicyError(ValueError):
    """A policy cannot be used. The text names the key and what is allowed."""


def checked_table(path: str, value: object) -> Mapping[str, object]:
    """Return the value if it is a table. Raises PolicyError otherwise."""
    if not isinstance(value, Mapping):
        raise PolicyError(f"{path} must be a table, written [{path}], not {value!r}")
    return value


def check_keys(path: str, keys: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise PolicyError if a key is not among the allowed ones."""
    names = tuple(allowed)
    unknown = [key for key in keys if key not in names]
    if unknown:
        where = f"{path}." if path else ""
        raise PolicyError(f"{where}{unknown[0]} is not known; allowed there: {', '.join(names)}")


def convert(path: str, converter: Callable[[object], T], value: object) -> T:
    """Convert the value of a key. Raises PolicyError, naming the key, if the converter refuses the value."""
    try:
        return converter(value)
    except (ValueError, OverflowError) as error:
        raise PolicyError(f"{path}: {error}") from None


def durations(value: object) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f'{value!r} is not a list of durations such as ["30s", "5m"]')
    return tuple(parse_duration(item) for item in value)


def two_durations(value: object) -> tuple[float, float]:
    values = durations(value)
    if len(values) != 2:
        raise ValueError(f'{value!r} is not a list of two durations, such as ["1s", "60s"]')
    return values[0], values[1]


def count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def percents(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list of whole percents such as [25, 50, 75]")
    return tuple(count(item) for item in value)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value
