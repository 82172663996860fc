"""Durations as people write and read them: ``30s``, ``5m``, ``2h``, ``1d``."""

import re
from itertools import pairwise

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES_S = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_TEXT = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h|d)")


def parse_duration(value: object) -> float:
    """Return seconds from a number of seconds or from text with a unit. Raises ValueError for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{value!r} is not a duration; write seconds or text such as "30s", "5m", "2h", "1d"')
    return float(match[1]) * _UNITS_S[match[2]]


def duration_text(seconds: float, *, units: int = 2) -> str:
    """Return the largest one or two units, without the smaller one if it is zero: ``5 m``, ``1 h 30 m``, ``0.4 s``."""
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    (unit, size), (smaller_unit, smaller_size) = next(pair for pair in pairwise(_SIZES_S) if whole >= pair[0][1])
    rest = whole % size // smaller_size
    text = f"{whole // size} {unit}"
    return f"{text} {rest} {smaller_unit}" if rest and units > 1 else text
