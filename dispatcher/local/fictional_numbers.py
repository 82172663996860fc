"""Fax numbers that are reserved for fiction, for demonstrations and drills."""

from collections.abc import Iterator

#: prefix of numbers that are reserved for fiction, and how many digits follow; none of them ever rings
_FICTIONAL = (
    *((f"+1{area}55501", 2) for area in ("202", "212", "303", "312", "404", "415", "503", "512", "617", "702")),
    *((f"+44{city}4960", 3) for city in ("113", "114", "116", "117", "118", "121", "131", "141", "151", "161")),
    ("+442079460", 3),
    ("+493023125", 3),
    ("+3319900", 4),
    *((f"+61{area}5550", 4) for area in ("2", "3", "7", "8")),
)


def fictional_numbers() -> Iterator[str]:
    """Yield each fictional number once, as E.164."""
    for prefix, digits in _FICTIONAL:
        for number in range(10**digits):
            yield f"{prefix}{number:0{digits}}"
