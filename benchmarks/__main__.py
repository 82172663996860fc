"""``./run bench [NAME ...] [--scale S] [--runs N] [--json]``: measure, and say which goals are met.

Exit status 0 when everything asked for was measured, whether or not goals are met; 1 when a bench could not run.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.catalog import BENCHES
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, as_json
from benchmarks.setting import Setting
from benchmarks.table import table
from dispatcher.client import ClientError
from dispatcher.local.errors import LocalError
from dispatcher.local.signals import terminated_cleanly
from dispatcher.store.errors import StoreError

_TABLE_WIDTH = 180
#: exit status of a program that SIGINT ended, as shells have it
_INTERRUPTED = 130


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    lines = (f"  {bench.name:<11} {bench.what}" for bench in BENCHES.values())
    parser = argparse.ArgumentParser(
        prog="./run bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures bulkfax side by side with what one would take instead.",
        epilog="benches:\n" + "\n".join(lines),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run; all if none is named")
    parser.add_argument("--scale", type=float, default=1.0, help="size; 0.05 tries out what 1 measures")
    parser.add_argument("--runs", type=int, default=3, help="repetitions of which the median counts")
    parser.add_argument("--json", action="store_true", help="print a list of figures with their goals as the last line")
    parsed = parser.parse_args(given)
    if unknown := [name for name in parsed.names if name not in BENCHES]:
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    if not 0 < parsed.scale <= 10 or not 1 <= parsed.runs <= 99:
        parser.error("--scale is above 0 and at most 10, --runs from 1 to 99")
    return parsed


def main(given: Sequence[str] | None = None) -> int:
    arguments = _arguments(given)
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-bench-"))
    setting = Setting(folder=folder, say=_say, scale=arguments.scale, runs=arguments.runs)
    try:
        with terminated_cleanly():
            figures, failed = _measure_all(arguments.names or BENCHES, setting)
    except KeyboardInterrupt:
        _say(f"stopped; what the processes said is in {folder}")
        return _INTERRUPTED
    Console(width=None if sys.stdout.isatty() else _TABLE_WIDTH).print(table(figures))
    if arguments.json:
        print(json.dumps(as_json(figures)), flush=True)
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return int(failed)


def _measure_all(names: Iterable[str], setting: Setting) -> tuple[list[Figure], bool]:
    """All figures, and whether a bench could not run."""
    figures: list[Figure] = []
    failed = False
    for name in names:
        _say(f"{name}: {BENCHES[name].what}")
        try:
            figures += BENCHES[name].measure(setting)
        except (ClientError, BenchFailed, LocalError, StoreError, OSError, TimeoutError) as error:
            _say(f"{name} could not be measured: {error}; what its processes said is in {setting.folder}")
            failed = True
    return figures, failed


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
