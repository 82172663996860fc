"""``emulator``: runs the emulator alone, with its own options."""

import os
from typing import Any

import typer

from dispatcher.cli.server_packages import ensure_server_packages
from dispatcher.local.services import emulator_command

#: every option is passed on to the emulator, which also documents them
PASS_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}


def emulator(context: typer.Context) -> None:
    """Run a local emulator of the Sinch Fax API; [bold]--help[/bold] shows its options."""
    ensure_server_packages()
    command = emulator_command(context.args)
    os.execv(command[0], command)  # noqa: S606  # our own command, no shell
