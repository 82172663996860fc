"""``./run failover``: kills the master of replicated Redis servers while faxes are sent, and counts what was lost.

Each case runs with and without replicas that confirm each write.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from dispatcher.client import ClientError
from dispatcher.local.errors import LocalError
from dispatcher.local.signals import terminated_cleanly
from tests.chaos.errors import DrillFailed
from tests.chaos.say import say
from tests.failover.cases import Failover
from tests.failover.drill import DrillResult, run_drill

_HEAD = "| failover | confirmed by | standstill | adopted | lost | doubled | accepted twice | faxes of lost mailings |"


def main() -> int:
    """Run the drills. Return 0 if nothing was doubled, and what was lost may be lost and is reported, 1 otherwise."""
    arguments = _parse_arguments()
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-failover-"))
    say(f"files are in {folder}")
    results, failed = [], False
    with terminated_cleanly():
        for case in arguments.case or Failover:
            for wait_replicas in (0, 1):
                name = f"{case.name.lower()}-{wait_replicas}"
                say(f"{case}, confirmed by {wait_replicas} replicas")
                try:
                    result = run_drill(case, wait_replicas, arguments.jobs, folder / name)
                except (DrillFailed, LocalError, ClientError, TimeoutError) as error:
                    say(f"  error: {error}")
                    failed = True
                    continue
                for fault in result.faults:
                    say(f"  wrong: {fault}")
                results.append(result)
    if arguments.json:
        print(json.dumps([result.line() for result in results]))
    else:
        print("\n".join([_HEAD, "|---" * 8 + "|", *map(_row, results)]))
    if failed or any(result.faults for result in results):
        return 1
    shutil.rmtree(folder)
    return 0


def _row(result: DrillResult) -> str:
    cells = (
        *(result.case, f"{result.wait_replicas} replica" if result.wait_replicas else "the master"),
        *(f"{result.standstill_s} s", result.adopted, result.lost, result.doubled, result.twice, result.unknown),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run failover", description=__doc__)
    parser.add_argument(
        "--case",
        type=Failover,
        action="append",
        help=f"only these: {', '.join(Failover)} (default: all, each with both)",
    )
    parser.add_argument("--jobs", type=int, default=700, help="recipients of each drill (default: 700)")
    parser.add_argument("--json", action="store_true", help="print one JSON array as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
