"""Times given to commands. A time without an offset is local time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from dispatcher.core.times import to_ms

#: a start time that lies further back is a typing error, and not that of a command that is repeated
_PAST = timedelta(days=1)


def parse_time(text: str) -> datetime:
    """Read a time. Raises typer.BadParameter, with an example."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text[:100]!r} is no time: write 2026-12-01T09:00, or with an offset 2026-12-01T09:00+01:00"
        ) from None


#: what makes an option one of a time
TIME: Mapping[str, Any] = {"parser": parse_time, "metavar": "TIME"}


def time_option(help_text: str, *, panel: str | None = None) -> Any:
    """Return the option of a time."""
    return typer.Option(help=help_text, rich_help_panel=panel, **TIME)


def start_time(time: datetime | None) -> datetime | None:
    """Return the time of --start-at with its offset. Raises typer.BadParameter if it is out of range, or long past."""
    start_at = in_range(time, "--start-at")
    if start_at and start_at < datetime.now(UTC) - _PAST:
        text = f"{start_at:%Y-%m-%d %H:%M} has passed: leave it out to start now"
        raise typer.BadParameter(text, param_hint="--start-at")
    return start_at


def option_ms(time: datetime | None, option: str) -> int | None:
    """Return the time of an option in milliseconds since 1970. Raises typer.BadParameter if it is out of range."""
    try:
        return to_ms(time) if time else None
    except ValueError as error:
        raise typer.BadParameter(f"{time} is out of range: {error}", param_hint=option) from error


def in_range(time: datetime | None, option: str) -> datetime | None:
    """Return the time of an option with its offset. Raises typer.BadParameter if it is out of range."""
    return time.astimezone() if time and option_ms(time, option) is not None else None
