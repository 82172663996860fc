"""The ``bulkfax`` command: its entry point, which prints errors as one sentence.

Exit status: 0 success, 1 failure, 2 wrong usage.
"""

import os
import sys

from dispatcher.cli import services

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
        sys.exit(_report(error))


def _command() -> None:
    match sys.argv[1:]:
        case [name] if name in _SERVICES:
            _SERVICES[name]()
        case _:
            from dispatcher.cli.app import app  # late: it takes a second

            app()


def _report(error: Exception) -> int:
    from dispatcher.cli.output import note, notes

    if os.environ.get("BULKFAX_LOG_LEVEL", "").lower() == "debug":
        notes.print_exception()
    status = _known(error)
    if status is None:
        note(f"error: unexpected {type(error).__name__}: {error}")
        note("Run it again with BULKFAX_LOG_LEVEL=debug to see where.")
        return FAILURE
    note(f"error: {error}")
    return status


def _known(error: Exception) -> int | None:
    """Return the exit status of an error that bulkfax raises on purpose, with a text for people; None for others."""
    from dispatcher.core.policy.policy import PolicyError
    from dispatcher.settings import SettingsError

    if isinstance(error, SettingsError | PolicyError):
        return USAGE
    return FAILURE if type(error).__module__.startswith("dispatcher.") else None
