"""``./run chaos [--jobs N] [--seed S] [--minutes M] [--long-search] [--json]``."""

import argparse
import json
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

from dispatcher.cli.output import Failure, note
from dispatcher.cli.processes import terminated_cleanly
from dispatcher.client import ClientError
from dispatcher.core.policy import policy_from
from tests.chaos.crew import POLICY
from tests.chaos.drill import Drill, Order


def main() -> int:
    """Exit status 0 when nothing was lost, doubled or wrong, 1 otherwise."""
    given = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-chaos-"))
    note(f"seed {given.seed}, everything runs in {folder}")
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
    except (Failure, ClientError) as error:
        note(f"error: {error}; the words of each process are in {folder}")
        return 1
    if clean:
        shutil.rmtree(folder)
    else:
        note(f"the words of each process are in {folder}")
    print(json.dumps(line) if given.json else "\n".join(f"{name}: {value}" for name, value in line.items()))
    return 0 if clean else 1


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
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    given = parser.parse_args()
    if given.jobs < 1:
        parser.error("--jobs must be 1 or more")
    return given


if __name__ == "__main__":
    sys.exit(main())
