"""How deep a decoded JSON value is. Recursive code, such as ``json.dumps``, fails at depths that none of ours has."""


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
