"""``./run chaos [--jobs N] [--seed S] [--minutes M] [--long-search] [--json]``, with processes that are killed, or
``./run chaos --simulated [--histories N] [--seed S] [--minutes M] [--json]``, in one process on a simulated clock."""

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
from dispatcher.core.policy import policy_from
from dispatcher.local.errors import LocalError, ServerNotStarted
from dispatcher.local.signals import terminated_cleanly
from tests.chaos.cluster import POLICY
from tests.chaos.drill import Drill, Order
from tests.chaos.errors import DrillFailed
from tests.chaos.say import say
from tests.simulation.history import Report
from tests.simulation.many import forgetful_server, run_histories


def main() -> int:
    """Exit status 0 when nothing was lost, doubled or wrong, 1 otherwise."""
    given = _arguments()
    return _simulated(given) if given.simulated else _drill(given)


def _simulated(given: argparse.Namespace) -> int:
    def told(report: Report) -> None:
        say(str(report) if report.faults else report.summary)

    seeds = range(given.seed, given.seed + given.histories)
    with tempfile.TemporaryDirectory(prefix="bulkfax-simulated-") as folder:
        try:
            with terminated_cleanly(), forgetful_server(Path(folder)) as url:
                found = run_histories(url, seeds, until_s=time.monotonic() + given.minutes * 60, told=told)
        except ServerNotStarted as error:
            say(f"error: {error}")
            return 1
    _print(found.line, json_wanted=given.json)
    return 1 if found.wrong else 0


def _drill(given: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-chaos-"))
    say(f"seed {given.seed}, everything runs in {folder}")
    policy = policy_from(tomllib.loads(POLICY.read_text()))
    order = Order(
        jobs=given.jobs,
        seed=given.seed,
        seconds=given.minutes * 60,
        policy=policy,
        search_s=2 * given.minutes * 60 if given.long_search else None,
    )
    try:
        with terminated_cleanly():
            line, clean = Drill(order, folder).run()
    except (DrillFailed, LocalError, ClientError) as error:
        say(f"error: {error}; the words of each process are in {folder}")
        return 1
    if clean:
        shutil.rmtree(folder)
    else:
        say(f"the words of each process are in {folder}")
    _print(line, json_wanted=given.json)
    return 0 if clean else 1


def _print(line: Mapping[str, Any], *, json_wanted: bool) -> None:
    print(json.dumps(line) if json_wanted else "\n".join(f"{name}: {value}" for name, value in line.items()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000, help="recipients in all (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed repeats the same fault plan (default: 1)")
    parser.add_argument("--minutes", type=float, default=30.0, help="total time; what is not final then is lost")
    parser.add_argument(
        "--long-search",
        action="store_true",
        help="unclear sends are searched for longer than the drill lasts: what is unclear at the end is not lost",
    )
    parser.add_argument("--simulated", action="store_true", help="histories of the whole engine on a simulated clock")
    parser.add_argument("--histories", type=int, default=300, help="how many, one seed each (default: 300)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    given = parser.parse_args()
    if given.jobs < 1:
        parser.error("--jobs must be 1 or more")
    if given.histories < 1:
        parser.error("--histories must be 1 or more")
    return given


if __name__ == "__main__":
    sys.exit(main())
