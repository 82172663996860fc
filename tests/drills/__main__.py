"""``./run drills``: provokes what can be wrong with a batch, asks why, and types the command that is printed."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from dispatcher.client import ClientError
from dispatcher.local.errors import LocalError
from dispatcher.local.signals import terminated_cleanly
from tests.chaos.say import say
from tests.drills.document import page
from tests.drills.drills import DRILLS
from tests.drills.run import Result, run_drill
from tests.drills.stage import DrillFailed, open_stage

PAGE = Path(__file__).parent.parent.parent / "docs" / "on-call.md"


def main() -> int:
    """Run the drills. Return 0 if every cause was named, and put right by the printed command."""
    arguments = _parse_arguments()
    chosen = [drill for drill in DRILLS if not arguments.names or drill.name in arguments.names]
    folder, results, failed = Path(tempfile.mkdtemp(prefix="bulkfax-drills-")), list[Result](), 0
    try:
        with terminated_cleanly(), open_stage(folder) as stage:
            for drill in chosen:
                try:
                    results.append(run_drill(drill, stage))
                    say(f"ok     {drill.name}: put right in {results[-1].seconds:.1f} s")
                except DrillFailed as error:
                    failed += 1
                    say(f"failed {error}")
                    stage.clear()
    except (LocalError, ClientError) as error:
        say(f"error: {error}; the logs of the processes are in {folder}")
        return 1
    if failed:
        say(f"the logs of the processes are in {folder}")
    else:
        shutil.rmtree(folder)
    if arguments.write and not failed:
        PAGE.write_text(page(results))
    if arguments.json:
        print(json.dumps({"drills": len(chosen), "failed": failed}))
    return 1 if failed else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run drills", description=__doc__)
    known = [drill.name for drill in DRILLS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"drills to run; default: all of {', '.join(known)}")
    parser.add_argument("--write", action="store_true", help="write docs/on-call.md, if all drills have gone well")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}: use {', '.join(known)}")
    if arguments.write and arguments.names:
        parser.error("--write needs all drills: leave the names out")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
