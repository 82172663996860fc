"""``alive``: tells a probe whether the processes of this service move. It asks neither Redis nor the API.

It runs every few seconds, so it imports little: not even the settings, whose import takes longer than the rest.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dispatcher.core.visible import visible

#: seconds without a touch after which a process counts as stuck. A turn of the scheduler lasts up to ten seconds, and a
#: command that Redis does not answer takes up to seven more
MAX_AGE_S = 30.0


def main(arguments: Sequence[str]) -> int:
    """Print what does not move, and return 1; return 0 if all processes move."""
    parser = argparse.ArgumentParser(
        "bulkfax alive",
        description="Check that the processes of a service move: each touches a file in BULKFAX_ALIVE_DIR.",
    )
    parser.add_argument("--max-age", type=float, default=MAX_AGE_S, metavar="SECONDS", help="default: %(default)g")
    options = parser.parse_args(arguments)
    folder = _folder()
    faults = stuck(Path(folder), options.max_age) if folder else ["BULKFAX_ALIVE_DIR is not set, so no process is seen"]
    for fault in faults:
        print(visible(fault), file=sys.stderr)  # noqa: T201  # rich takes as long as everything else together
    return 1 if faults else 0


def stuck(folder: Path, max_age_s: float) -> list[str]:
    """Return a sentence for each process that has not touched its file for ``max_age_s`` seconds."""
    times = {path.name: path.stat().st_mtime for path in sorted(folder.iterdir())} if folder.is_dir() else {}
    if not times:
        return [f"no process has started: {folder} is empty"]
    now_s = time.time()
    return [_sentence(name, at_s, now_s) for name, at_s in times.items() if now_s - at_s > max_age_s]


def _sentence(name: str, at_s: float, now_s: float) -> str:
    """Say since when a process has not moved. A file with the time zero waits for its first touch."""
    return f"{name} has not moved for {now_s - at_s:.0f} s" if at_s else f"{name} has not started"


def _folder() -> str:
    """Return the folder from the environment, or else from the file that the settings are read from as well."""
    if folder := os.environ.get("BULKFAX_ALIVE_DIR"):
        return folder
    if not Path(".env").is_file():
        return ""
    from dotenv import dotenv_values

    return dotenv_values(".env").get("BULKFAX_ALIVE_DIR") or ""
