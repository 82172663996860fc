"""Drills of docs/deploy.md with real processes: a rolling upgrade, and the restore of a backup that is too old.

Run them with ``./run upgrades``. Each ends with a comparison of the record with the emulator's ledger.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import redis

from dispatcher.client import Client, NewBatch
from dispatcher.local.cluster import LocalCluster, emulator_options
from dispatcher.local.fictional_numbers import fictional_numbers
from dispatcher.local.ledger import OurJob, compare
from dispatcher.local.services import PROGRAM, service_processes
from dispatcher.local.supervisor import Process
from tests.deploy.dockerfile import ROOT

RECIPIENTS, RATE = 2000, 40.0
#: seconds that a step may take
_PATIENCE_S = 120.0
EXAMPLES = ROOT / "examples"


class Drill:
    """A cluster whose processes nobody restarts, with a batch under way."""

    def __init__(self, cluster: LocalCluster, client: Client) -> None:
        self.cluster = cluster
        self.client = client
        self.running: dict[str, Process] = dict(cluster.processes)
        letter = client.upload_document(EXAMPLES / "letter.pdf")
        self.batch = client.create_batch(NewBatch(name="drill", documents=(letter.id,))).id
        rows = [{"fax": number} for number in islice(fictional_numbers(), RECIPIENTS)]
        client.upload_recipients(self.batch, rows)
        client.start(self.batch)

    def new(self, name: str) -> Process:
        """Start a process of a service, as another one beside those that run."""
        [process] = service_processes(self.cluster.env, names=[name], cwd=self.cluster.folder, logs=self.cluster.folder)
        process.start()
        return process

    def wait(self, what: str, condition: Callable[[], object]) -> None:
        """Wait for a condition. Raises SystemExit if it does not come true."""
        started_s = time.monotonic()
        while not condition():
            if time.monotonic() - started_s > _PATIENCE_S:
                print(_bulkfax(self, f"batches why {self.batch}"))
                raise SystemExit(f"not within {_PATIENCE_S:.0f} s: {what}")
            time.sleep(0.1)
        print(f"  {what}: after {time.monotonic() - started_s:.1f} s", flush=True)

    def accepted(self) -> int:
        """Return how many faxes the provider has accepted."""
        return len(self.cluster.emulator_api.ledger())

    def wait_for_faxes(self, before: int, what: str) -> None:
        """Wait until the provider has accepted those of about a second more than ``before``."""
        self.wait(what, lambda: self.accepted() > before + RATE)

    def verdict(self) -> bool:
        """Wait for the end of the batch, and compare it with the provider's ledger."""
        self.wait("the batch has ended", lambda: self.client.batch(self.batch).ended)
        jobs = [OurJob(id=job.id, number=job.number or "", state=job.state) for job in self.client.jobs(self.batch)]
        result = compare(jobs, self.cluster.emulator_api.ledger())
        print(
            f"  {len(jobs)} jobs, {result.faxes} faxes, lost {len(result.lost)}, doubled {len(result.doubled)}, "
            f"wrong state {len(result.wrong_state)}",
            flush=True,
        )
        return not (result.lost or result.doubled or result.wrong_state) and len(jobs) == RECIPIENTS


def rolling_upgrade(drill: Drill) -> None:
    """Replace every process while faxes are sent: workers and schedulers by a new one first, web in its place."""
    for name in ("web", "scheduler", "worker"):
        before, sent = drill.running[name], drill.accepted()
        if name == "web":
            before.stop()  # one address, one process; in a cluster the Service leads to another pod meanwhile
        drill.running[name] = drill.new(name)
        if name == "web":
            drill.wait("the new web is ready", lambda: drill.client.ready().ready)
        else:
            before.stop()
        drill.wait_for_faxes(sent, f"faxes are sent with the new {name}")


def restore(drill: Drill) -> None:
    """Take a backup, go on, lose everything, restore the backup, and let sending continue."""
    drill.wait("a part has been sent", lambda: drill.accepted() > 2 * RATE)
    backup = back_up(drill.cluster.server.url, drill.cluster.folder)
    in_backup = drill.accepted()
    drill.wait("faxes were sent after it", lambda: drill.accepted() > in_backup + RATE)
    for process in drill.running.values():
        process.stop()
    drill.cluster.server.stop()
    data = drill.cluster.folder / "redis" / "appendonlydir"
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    drill.cluster.server.start()
    drill.running = {name: drill.new(name) for name in ("web", "scheduler")}
    drill.wait("web is ready", lambda: drill.client.ready().ready)
    drill.wait("the loss is noticed and sending is held", lambda: "record_rolled_back" in _bulkfax(drill, "holds list"))
    drill.running["worker"] = drill.new("worker")
    print(_bulkfax(drill, "account resume --accept-rollback"), flush=True)


def back_up(url: str, folder: Path) -> Path:
    """Copy the append-only files of a running Redis, while it rewrites none of them."""
    with redis.Redis.from_url(url) as client:
        client.config_set("auto-aof-rewrite-percentage", 0)
        while client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.1)
        copy = folder / "backup"
        shutil.copytree(folder / "redis" / "appendonlydir", copy)
        client.config_set("auto-aof-rewrite-percentage", 100)
    return copy


def _bulkfax(drill: Drill, command: str) -> str:
    """Run a command of ``bulkfax`` as an operator would, and return what it prints."""
    environment = drill.cluster.env | {"BULKFAX_API_URL": drill.cluster.url, "BULKFAX_API_KEY": drill.cluster.api_key}
    ran = subprocess.run([*PROGRAM, *command.split()], env=environment, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


def main() -> int:
    """Run both drills, and return 0 if nothing was lost and nobody got two faxes."""
    settings = {
        "BULKFAX_SINCH__RATE_PER_SECOND": f"{RATE:g}",
        "BULKFAX_POLICY_FILE": str(EXAMPLES / "fast-policy.toml"),
    }
    options = emulator_options(EXAMPLES / "scenarios" / "all-well.toml", rate=RATE, speed=20)
    passed = True
    for steps in (rolling_upgrade, restore):
        print(f"{steps.__doc__}", flush=True)
        with tempfile.TemporaryDirectory(prefix="bulkfax-drill-") as folder:
            cluster = LocalCluster(Path(folder), emulator_options=options, settings=settings, restarts=False)
            with cluster, cluster.client() as client:
                drill = Drill(cluster, client)
                try:
                    steps(drill)
                    passed = drill.verdict() and passed
                finally:
                    for process in drill.running.values():
                        process.stop()
    print("passed" if passed else "FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
