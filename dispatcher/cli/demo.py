"""``demo``: sends a letter to a thousand example recipients, with the emulator as provider, and checks the result."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.batches import fetch_report
from dispatcher.cli.demo_list import write_list
from dispatcher.cli.demo_result import DemoResult
from dispatcher.cli.output import CommandFailed, JsonOption, note, print_json, results
from dispatcher.cli.send import prepare
from dispatcher.cli.server_packages import ensure_server_packages
from dispatcher.cli.watch import watch
from dispatcher.client import Batch, Client, NewBatch, new_key
from dispatcher.example_files import EXAMPLES
from dispatcher.local.cluster import scenario_cluster
from dispatcher.local.doctor import examine_store
from dispatcher.local.ledger import OurJob, compare
from dispatcher.local.signals import terminated_cleanly

#: requests per second that the emulated account allows, for lists up to 2,400 rows
RATE = 40.0
#: maximum rate of the emulated account for larger lists
MAX_RATE = 400.0
#: divides the duration of emulated calls: a call of nine seconds takes about one
SPEED = 8.0
#: time allowed for a batch in addition to what its rate requires, in seconds
SLACK_S = 80.0


def demo(
    recipients: Annotated[
        int | None, typer.Option(min=1, help="Number of rows to send to. Default: the 1,000 of the example.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a letter to 1,000 recipients through a local emulator of the provider. Nothing leaves this machine."""
    began_s = time.monotonic()
    ensure_server_packages()
    ensure_examples()
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-demo-"))
    with terminated_cleanly():
        try:
            result = _run(folder, recipients, began_s)
        finally:
            shutil.rmtree(folder / "redis", ignore_errors=True)
    if as_json:
        print_json(result.as_json())
    else:
        results.print(result.as_tables())
        note(_where_next(folder))
    for fault in result.faults():
        note(f"error: {fault}")
    if result.faults():
        note(f"The output of each process is in {folder}/*.log")
        raise typer.Exit(1)


def ensure_examples() -> None:
    """Raise CommandFailed if the example files are missing."""
    files = ("letter.pdf", "recipients.csv", "fast-policy.toml", "scenarios/messy.toml")
    missing = [name for name in files if not (EXAMPLES / name).is_file()]
    if missing:
        raise CommandFailed(
            f"{EXAMPLES} has no {', '.join(missing)}: install bulkfax again, or run ./run demo in a clone of the "
            f"repository"
        )


def _run(folder: Path, recipients: int | None, began_s: float) -> DemoResult:
    rows = write_list(EXAMPLES / "recipients.csv", folder / "recipients.csv", recipients)
    rate = min(MAX_RATE, max(RATE, rows / 60))
    note(f"starting Redis, the emulated provider, web, scheduler and worker in {folder}")
    policy, scenario = EXAMPLES / "fast-policy.toml", EXAMPLES / "scenarios" / "messy.toml"
    with (
        scenario_cluster(folder, scenario=scenario, policy=policy, rate=rate, speed=SPEED, say=note) as cluster,
        cluster.client() as client,
    ):
        batch = _send(client, folder / "recipients.csv", time_s=rows * 2 / rate + SLACK_S)
        fetch_report(client, batch, folder / "report.csv")
        jobs = [OurJob(id=job.id, number=job.number or "", state=job.state) for job in client.jobs(batch.id)]
        comparison = compare(jobs, cluster.emulator_api.ledger())
        note("examining the store with bulkfax doctor")
        healthy, findings = examine_store(cluster)
    return DemoResult(
        rows=rows,
        batch=batch,
        comparison=comparison,
        healthy=healthy,
        findings=findings,
        seconds=time.monotonic() - began_s,
    )


def _send(client: Client, recipients: Path, time_s: float) -> Batch:
    """Send, and watch until the end or for ``time_s`` seconds. Jobs that are not final by then count as lost."""
    batch, _ = prepare(client, NewBatch(name="demo"), [EXAMPLES / "letter.pdf"], recipients, new_key())
    client.start(batch.id)
    end_s = time.monotonic() + time_s
    return watch(client, batch.id, until=lambda batch: batch.ended or time.monotonic() > end_s)


def _where_next(folder: Path) -> str:
    return (
        f"\nWhat became of every line:              {folder}/report.csv\n"
        f"What each process said:                 {folder}/*.log\n"
        f"Why a failure ends as it does:          bulkfax policy explain CALL_ERROR 17\n"
        f"Run it yourself (BULKFAX_SINCH__* set): bulkfax up\n"
        f"Send a mailing of your own:             bulkfax send LETTER.pdf RECIPIENTS.csv --watch"
    )
