"""A supervisor for tests, as a process of its own: ``python -m tests.workers.supervised FOLDER WORK STOP_S NAME...``.

What its processes do is named by WORK. They leave notes in the folder, and the supervisor's log is JSON.
"""

import os
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from workers.identity import Identity
from workers.supervisor import Supervisor, SupervisorPlan


def note(folder: Path, name: str, who: Identity) -> None:
    draft = folder / f"{name}.draft"
    draft.write_text(f"{who.name} {who.instance}")
    draft.rename(folder / name)


def wait(folder: Path, who: Identity, lifeline: int) -> int:
    """Until it is asked to stop, or the supervisor is gone."""
    asked, ask = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(ask, b"x"))
    note(folder, f"{os.getpid()}", who)
    select.select([asked, lifeline], [], [])
    return 0


def hang(folder: Path, who: Identity, lifeline: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(folder, f"{os.getpid()}", who)
    select.select([lifeline], [], [])
    return 0


def fail(folder: Path, who: Identity, lifeline: int) -> int:
    return 3


def break_off(folder: Path, who: Identity, lifeline: int) -> int:
    raise LookupError("nobody expected this")


def report(folder: Path, who: Identity) -> None:
    note(folder, f"end-{os.getpid()}", who)


WORK: dict[str, Callable[[Path, Identity, int], int]] = {
    "wait": wait,
    "hang": hang,
    "fail": fail,
    "break_off": break_off,
}


def main() -> None:
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    folder, work, stop_s, *names = sys.argv[1:]
    place = Path(folder)
    plan = SupervisorPlan(
        names=names, work=partial(WORK[work], place), report_end=partial(report, place), stop_s=float(stop_s)
    )
    Supervisor(plan).run()


if __name__ == "__main__":
    main()
