"""The ``bulkfax`` command: its entry point, which prints errors as one sentence.

Exit status: 0 success, 1 failure, 2 wrong usage.
"""

import os
import sys
from typing import Any

from dispatcher.cli import alive, services

#: commands that have no options; they are started again and again, and need nothing of the command line's own parts
_SERVICES = {"web": services.web, "scheduler": services.scheduler, "worker": services.worker}

USAGE = 2
FAILURE = 1


def run() -> None:
    """Entry point. Errors go to standard error as one sentence, never as a stack trace."""
    try:
        _command()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # the top: nothing reaches people as a stack trace
        sys.exit(_report_as_json(error) if _is_service_in_json() else _report(error))


def _command() -> None:
    match sys.argv[1:]:
        case [name] if name in _SERVICES:
            _SERVICES[name]()
        case ["alive", *arguments]:
            sys.exit(alive.main(arguments))
        case _:
            from dispatcher.cli.app import app  # late: it takes a second
            from dispatcher.cli.output import note_warnings

            note_warnings("bulkfax.client")
            # not standalone: it would print errors itself, which repeat what was typed
            sys.exit(app(standalone_mode=False, prog_name="bulkfax") or 0)


def _report(error: Exception) -> int:
    import typer

    from dispatcher.cli.output import note, note_trace
    from dispatcher.cli.server_packages import missing_package

    if hasattr(error, "format_message"):
        return _report_wrong_usage(error)
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("dispatcher."):
        note(f"error: {missing_package(error.name.partition('.')[0])}")
        return FAILURE
    if isinstance(error, typer.Abort):
        note("Aborted.")
        return FAILURE
    if os.environ.get("BULKFAX_LOG_LEVEL", "").lower() == "debug":
        note_trace(error)
    status = _known(error)
    if status is None:
        note(f"error: unexpected {type(error).__name__}: {error}")
        note("Run it again with BULKFAX_LOG_LEVEL=debug to see where.")
        return FAILURE
    from dispatcher.cli.api_errors import sentence_of

    note("error: " + sentence_of(error).replace("\n", "\n  "))  # no text from outside begins a line
    return status


def _is_service_in_json() -> bool:
    """Return whether this is a service whose lines are read by programs, also before and after it serves."""
    if len(sys.argv) != 2 or sys.argv[1] not in _SERVICES:
        return False
    from dispatcher.settings import log_format  # late, as all of the command line's parts

    return log_format() == "json"


def _report_as_json(error: Exception) -> int:
    from dispatcher.cli.api_errors import sentence_of
    from dispatcher.logs import report_failure

    status = _known(error)
    sentence = f"{type(error).__name__}: {error}" if status is None else sentence_of(error)
    report_failure(sys.argv[1], sentence, None if status else error)
    return status or FAILURE


def _report_wrong_usage(error: Any) -> int:
    """Print an error of typer about arguments, whose class it does not publish."""
    from dispatcher.cli.output import note

    if message := error.format_message():  # empty after the help that a command without arguments shows
        if error.ctx is not None:
            note(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.")
        note(f"error: {message}")
    status: int = error.exit_code
    return status


def _known(error: Exception) -> int | None:
    """Return the exit status of an error that bulkfax raises on purpose, with a text for people; None for others."""
    from dispatcher.core.policy.policy import PolicyError
    from dispatcher.settings import SettingsError

    if isinstance(error, SettingsError | PolicyError):
        return USAGE
    return FAILURE if type(error).__module__.startswith("dispatcher.") else None
