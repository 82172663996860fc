"""Options that say which jobs of a batch are meant."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple

import typer

from dispatcher.cli.option_groups import with_options
from dispatcher.cli.times import in_range, time_option
from dispatcher.client import CATEGORIES, ERROR_TYPES
from dispatcher.core.closed_sets import unknown_word

_PANEL = "Which jobs"


def _option(help_text: str, *names: str) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=_PANEL)


def _time(help_text: str) -> Any:
    return time_option(help_text, panel=_PANEL)


class JobOptions(NamedTuple):
    """Which jobs are meant. Each option may be repeated where its type is a list; one of its values has to match."""

    category: Annotated[list[str] | None, _option("Only this category; may be repeated.")] = None
    error_type: Annotated[
        list[str] | None, _option("Only this error type, as in CALL_ERROR; may be repeated.", "--error-type")
    ] = None
    code: Annotated[list[int] | None, _option("Only this error code; may be repeated.", "--code")] = None
    country: Annotated[list[str] | None, _option("Only numbers of this country; may be repeated.")] = None
    prefix: Annotated[list[str] | None, _option("Only numbers that begin so, as in +4930; may be repeated.")] = None
    number: Annotated[list[str] | None, _option("Only this number; may be repeated.")] = None
    reference: Annotated[list[str] | None, _option("Only this reference, as in the list; may be repeated.")] = None
    since: Annotated[datetime | None, _time("Only jobs that failed, or changed last, at this time or later.")] = None
    until: Annotated[datetime | None, _time("Only jobs that failed, or changed last, before this time.")] = None
    attempts: Annotated[
        str, _option("Only jobs whose latest attempt has this number: 3, or 3-5, or 3- for 3 and more.", "--attempts")
    ] = ""

    def fields(self) -> dict[str, Any]:
        """Return the fields of a request. Raises typer.BadParameter (exit status 2) for a word that is none."""
        ensure_categories(self.category)
        _ensure_known("--error-type", self.error_type, ERROR_TYPES)
        low, high = _range(self.attempts)
        values = {
            "categories": self.category,
            "error_types": self.error_type,
            "error_codes": self.code,
            "countries": self.country,
            "prefixes": self.prefix,
            "numbers": self.number,
            "references": self.reference,
            "since": in_range(self.since, "--since"),
            "until": in_range(self.until, "--until"),
            "min_attempts": low,
            "max_attempts": high,
        }
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value}


#: gives a command the options of ``JobOptions``; it gets them as its parameter ``jobs``
with_job_options = with_options("jobs", JobOptions)


def ensure_states(states: list[str] | None, known: tuple[str, ...]) -> None:
    """Raise typer.BadParameter for a state that is none of these."""
    _ensure_known("--state", states, known)


def ensure_categories(categories: list[str] | None) -> None:
    """Raise typer.BadParameter for a category that is none."""
    _ensure_known("--category", categories, CATEGORIES)


def _ensure_known(option: str, words: list[str] | None, known: tuple[str, ...]) -> None:
    for word in words or ():
        if word not in known:
            raise typer.BadParameter(unknown_word(word, known), param_hint=option)


def _range(text: str) -> tuple[int, int | None]:
    """Return the lowest and the highest number of ``3``, ``3-5`` or ``3-``."""
    if not text:
        return 0, None
    low, dash, high = text.partition("-")
    if not low.isdecimal() or (high and not high.isdecimal()):
        raise typer.BadParameter("write it as 3, 3-5 or 3-", param_hint="--attempts")
    if not dash:
        return int(low), int(low)
    return int(low), int(high) if high else None
