"""A supervisor process for tests: ``python -m tests.workers.supervised FOLDER WORK STOP_S NAME...``.

WORK names what its processes do. They write files with their identity to FOLDER; the supervisor logs JSON.
"""

import os
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dispatcher.logs import configure_logs
from dispatcher.settings import Settings
from workers.identity import Identity
from workers.supervisor import Supervisor, SupervisorPlan


def write_identity(folder: Path, name: str, who: Identity) -> None:
    """Write an identity to a file, which appears only when it is complete."""
    draft = folder / f"{name}.draft"
    draft.write_text(f"{who.name} {who.instance}")
    draft.rename(folder / name)


def wait(folder: Path, who: Identity, lifeline: int) -> int:
    """Wait for SIGTERM or the end of the supervisor."""
    stop_reader, stop_writer = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(stop_writer, b"x"))
    write_identity(folder, f"{os.getpid()}", who)
    select.select([stop_reader, lifeline], [], [])
    return 0


def hang(folder: Path, who: Identity, lifeline: int) -> int:
    """Ignore SIGTERM and wait for the end of the supervisor."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    write_identity(folder, f"{os.getpid()}", who)
    select.select([lifeline], [], [])
    return 0


def fail(folder: Path, who: Identity, lifeline: int) -> int:
    """Exit with status 3."""
    return 3


def raise_error(folder: Path, who: Identity, lifeline: int) -> int:
    """Raise an unexpected exception."""
    raise LookupError("an unexpected error")


def report(folder: Path, who: Identity) -> None:
    """Write the identity of an ended process."""
    write_identity(folder, f"end-{os.getpid()}", who)


WORK: dict[str, Callable[[Path, Identity, int], int]] = {
    "wait": wait,
    "hang": hang,
    "fail": fail,
    "raise_error": raise_error,
}


def main() -> None:
    configure_logs(Settings.model_validate({"log_format": "json"}), "worker-supervisor")
    folder_name, work, stop_s, *names = sys.argv[1:]
    folder = Path(folder_name)
    plan = SupervisorPlan(
        names=names, work=partial(WORK[work], folder), report_end=partial(report, folder), stop_s=float(stop_s)
    )
    Supervisor(plan).run()


if __name__ == "__main__":
    main()
