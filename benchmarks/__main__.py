"""``./run bench [NAME ...] [--scale S] [--runs N] [--json]``: run benchmarks and report which goals are met.

Exit status: 0 when every requested benchmark ran, whether or not its goals are met; 1 when one could not run.
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
#: exit status of a program ended by SIGINT, as shells report it
_INTERRUPTED = 130


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    lines = (f"  {bench.name:<11} {bench.description}" for bench in BENCHES.values())
    parser = argparse.ArgumentParser(
        prog="./run bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures bulkfax beside the alternatives that a user has.",
        epilog="benchmarks:\n" + "\n".join(lines),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run; default: all")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the workload; 1 is full size, 0.05 a quick trial"
    )
    parser.add_argument("--runs", type=int, default=3, help="number of runs; the median is reported")
    parser.add_argument(
        "--suppressions",
        type=int,
        default=0,
        help="entries of the do-not-fax list while accept and accept_raw upload; none of them is in their lists",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the figures that have goals as JSON on the last line"
    )
    parsed = parser.parse_args(arguments)
    if unknown := [name for name in parsed.names if name not in BENCHES]:
        parser.error(f"unknown benchmark {', '.join(unknown)}; choose from {', '.join(BENCHES)}")
    if not 0 < parsed.scale <= 10 or not 1 <= parsed.runs <= 99:
        parser.error("--scale must be above 0 and at most 10, --runs between 1 and 99")
    if not 0 <= parsed.suppressions <= 10_000_000:
        parser.error("--suppressions must be between 0 and 10,000,000")
    return parsed


def main(command_line: Sequence[str] | None = None) -> int:
    """Run the benchmarks that the command line names, and return the exit status."""
    arguments = _parse_arguments(command_line)
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-bench-"))
    setting = Setting(
        folder=folder,
        say=_say,
        scale=arguments.scale,
        runs=arguments.runs,
        suppressions=arguments.suppressions,
    )
    try:
        with terminated_cleanly():
            figures, failed = _measure_all(arguments.names or BENCHES, setting)
    except KeyboardInterrupt:
        _say(f"stopped; the logs of the processes are in {folder}")
        return _INTERRUPTED
    Console(width=None if sys.stdout.isatty() else _TABLE_WIDTH).print(table(figures))
    if arguments.json:
        print(json.dumps(as_json(figures)), flush=True)
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return int(failed)


def _measure_all(names: Iterable[str], setting: Setting) -> tuple[list[Figure], bool]:
    """Return all figures, and whether a benchmark could not run."""
    figures: list[Figure] = []
    failed = False
    for name in names:
        _say(f"{name}: {BENCHES[name].description}")
        try:
            figures += BENCHES[name].measure(setting)
        except (ClientError, BenchFailed, LocalError, StoreError, OSError, TimeoutError) as error:
            _say(f"{name} could not run: {error}; the logs of its processes are in {setting.folder}")
            failed = True
    return figures, failed


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
