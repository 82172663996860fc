"""``./run chaos``: kills processes while faxes are sent, and counts lost, doubled and wrong faxes.

With ``--simulated`` it runs random histories of the whole system in one process on a simulated clock instead.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher.client import ClientError
from dispatcher.core.policy.policy import policy_from
from dispatcher.local.errors import LocalError, ServerNotStarted
from dispatcher.local.signals import terminated_cleanly
from tests.chaos.cluster import POLICY
from tests.chaos.drill import Drill, DrillOptions
from tests.chaos.errors import DrillFailed
from tests.chaos.say import say
from tests.simulation.history import Report
from tests.simulation.many import ephemeral_server, run_histories


def main() -> int:
    """Run the drill or the histories. Return 0 if nothing was lost, doubled or wrong, 1 otherwise."""
    arguments = _parse_arguments()
    return _run_histories(arguments) if arguments.simulated else _run_drill(arguments)


def _run_histories(arguments: argparse.Namespace) -> int:
    def show_report(report: Report) -> None:
        say(str(report) if report.faults else report.summary)

    seeds = range(arguments.seed, arguments.seed + arguments.histories)
    with tempfile.TemporaryDirectory(prefix="bulkfax-simulated-") as folder:
        try:
            with terminated_cleanly(), ephemeral_server(Path(folder)) as url:
                total = run_histories(
                    url, seeds, until_s=time.monotonic() + arguments.minutes * 60, on_report=show_report
                )
        except ServerNotStarted as error:
            say(f"error: {error}")
            return 1
    _print(total.line, as_json=arguments.json)
    return 1 if total.wrong else 0


def _run_drill(arguments: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-chaos-"))
    say(f"seed {arguments.seed}, files are in {folder}")
    policy = policy_from(tomllib.loads(POLICY.read_text()))
    options = DrillOptions(
        jobs=arguments.jobs,
        seed=arguments.seed,
        seconds=arguments.minutes * 60,
        policy=policy,
        search_s=2 * arguments.minutes * 60 if arguments.long_search else None,
    )
    try:
        with terminated_cleanly():
            line, clean = Drill(options, folder).run()
    except (DrillFailed, LocalError, ClientError) as error:
        say(f"error: {error}; the logs of the processes are in {folder}")
        return 1
    if clean:
        shutil.rmtree(folder)
    else:
        say(f"the logs of the processes are in {folder}")
    _print(line, as_json=arguments.json)
    return 0 if clean else 1


def _print(line: Mapping[str, Any], *, as_json: bool) -> None:
    print(json.dumps(line) if as_json else "\n".join(f"{name}: {value}" for name, value in line.items()))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000, help="total number of recipients (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed repeats the same fault plan (default: 1)")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="time limit; jobs that are not final by then are lost (default: 30)"
    )
    parser.add_argument(
        "--long-search",
        action="store_true",
        help="search for unclear attempts longer than the drill lasts; jobs that are unclear at the end are not lost",
    )
    parser.add_argument(
        "--simulated", action="store_true", help="run random histories of the whole system on a simulated clock"
    )
    parser.add_argument(
        "--histories", type=int, default=300, help="number of histories, each with its own seed (default: 300)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs must be 1 or more")
    if arguments.histories < 1:
        parser.error("--histories must be 1 or more")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
