"""Shows holds as lines instead of a table, so that scopes and commands can be copied from a narrow terminal."""

from collections.abc import Iterable

from rich.text import Text

from dispatcher.cli.output import styled
from dispatcher.cli.tables import age
from dispatcher.client import Hold
from dispatcher.core.counted import counted


def hold_lines(holds: Iterable[Hold]) -> Text:
    """Return what is held, why, until when, and the command that ends the hold now."""
    shown = styled("")
    for hold in holds:
        shown.append_text(styled(_what(hold), "bold"))
        for line in (
            f"{hold.category or 'unknown'}, since {age(hold.since) or 'an unknown time'}, {_until(hold)}",
            hold.cause or "",
        ):
            shown.append("\n    ").append_text(styled(line))
        shown.append("\n    ").append_text(styled(release_command(hold))).append("\n")
    shown.rstrip()
    return shown


def hold_line(hold: Hold) -> Text:
    """Return what is held, why, and until when, on one line."""
    what = f"{counted(hold.jobs or 0, 'job')} of {hold.batch}" if hold.batch else hold.scope
    return styled(what, "bold").append_text(styled(f"  {hold.category}, since {age(hold.since)}, {_until(hold)}"))


def release_command(hold: Hold) -> str:
    """Return the command that ends a hold, or those of several jobs."""
    if hold.batch and (hold.jobs or 0) > 1:
        return f"bulkfax holds release --batch {hold.batch} --category {hold.category}"
    return f"bulkfax holds release {hold.scope}"


def _what(hold: Hold) -> str:
    return f"{counted(hold.jobs or 0, 'job')} of batch {hold.batch}" if hold.batch else hold.scope


def _until(hold: Hold) -> str:
    return f"next probe {age(hold.probe_at)}" if hold.probe_at else "until released"
