"""What a decoded JSON value may be, so that it can be written again.

Recursive code, such as ``json.dumps``, fails at depths that none of ours has.
"""

import json
import sys
from enum import Enum, auto
from typing import Any


class Excess(Enum):
    """What a value has too many of."""

    LEVELS = auto()
    VALUES = auto()


def excess_of(value: object, *, max_levels: int, max_values: int = sys.maxsize) -> Excess | None:
    """Return what a value has too many of: levels of objects and arrays, or values in all of them; None if nothing."""
    layer, count = [value] if isinstance(value, dict | list) else [], 0
    for _ in range(max_levels):
        nested = list[Any]()
        for outer in layer:
            items = outer.values() if isinstance(outer, dict) else outer
            count += len(items)
            if count > max_values:
                return Excess.VALUES
            nested += [item for item in items if isinstance(item, dict | list)]
        layer = nested
    return Excess.LEVELS if layer else None


def is_encodable(value: object) -> bool:
    """Return whether a value that is not too deep can be written as UTF-8: JSON can escape half a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
