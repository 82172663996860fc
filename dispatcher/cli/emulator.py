"""``emulator``: the double of the provider alone, with its own options."""

import os
import sys
from typing import Any

import typer

#: every option goes on to the emulator, which also explains them itself
PASS_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}


def emulator(context: typer.Context) -> None:
    """Run a local double of the Sinch Fax API; [bold]--help[/bold] shows its options."""
    os.execv(sys.executable, emulator_command(context.args))  # noqa: S606  # our own command, no shell


def emulator_command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "dispatcher.emulator", *arguments]
