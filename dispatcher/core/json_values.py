"""What a decoded JSON value may be, so that it can be written again.

Recursive code, such as ``json.dumps``, fails at depths that none of ours has.
"""

import json


def is_deeper(value: object, levels: int) -> bool:
    """Return whether objects and arrays are nested in more than this many levels."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            item
            for outer in layer
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not layer:
            return False
    return True


def is_encodable(value: object) -> bool:
    """Return whether a value that is not too deep can be written as UTF-8: JSON can escape half a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
