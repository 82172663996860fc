"""Times given to commands. A time without an offset is local time."""

from datetime import datetime

import typer

from dispatcher.core.times import to_ms


def option_ms(time: datetime | None, option: str) -> int | None:
    """Return the time of an option in milliseconds since 1970. Raises typer.BadParameter if it is out of range."""
    try:
        return to_ms(time) if time else None
    except ValueError as error:
        raise typer.BadParameter(f"{time} is out of range: {error}", param_hint=option) from error


def in_range(time: datetime | None, option: str) -> datetime | None:
    """Return the time of an option with its offset. Raises typer.BadParameter if it is out of range."""
    return time.astimezone() if time and option_ms(time, option) is not None else None
