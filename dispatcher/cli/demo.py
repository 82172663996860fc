"""``demo``: a real letter to a thousand messy recipients, with the emulator as provider, from nothing to the result."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import dispatcher
from dispatcher.cli.batches import fetch_report
from dispatcher.cli.demo_list import write_list
from dispatcher.cli.demo_result import DemoResult
from dispatcher.cli.ledger import OurJob, compare
from dispatcher.cli.output import CommandFailed, JsonOption, note, print_json, results
from dispatcher.cli.processes import terminated_cleanly
from dispatcher.cli.send import prepare
from dispatcher.cli.watch import watch
from dispatcher.client import Batch, Client, NewBatch

if TYPE_CHECKING:
    from dispatcher.cli.site import LocalCluster

EXAMPLES = Path(dispatcher.__file__).resolve().parent.parent / "examples"
#: requests a second that the emulated account allows, for lists up to 2,400 rows
RATE = 40.0
#: larger lists get a larger account, up to this
MOST_RATE = 400.0
#: divides the lives of faxes: a call of nine seconds takes about one
SPEED = 8.0
#: time for a batch beyond what its rate explains, in seconds
SLACK_S = 80.0
DOCTOR_S = 120.0


def demo(
    recipients: Annotated[
        int | None, typer.Option(min=1, help="Rows to send to; the example's 1,000 if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """See it work: a letter to 1,000 recipients through a local double of the provider. Nothing leaves this machine."""
    began_s = time.monotonic()
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
        note(f"The words of each process are in {folder}/*.log")
        raise typer.Exit(1)


def ensure_examples() -> None:
    """Raises Failure when the demo's material is not there, as in an installation without the repository."""
    wanted = ("letter.pdf", "recipients.csv", "fast-policy.toml", "scenarios/messy.toml")
    missing = [name for name in wanted if not (EXAMPLES / name).is_file()]
    if missing:
        raise CommandFailed(
            f"{EXAMPLES} has no {', '.join(missing)}: the demo runs from a clone of the repository; "
            f"clone it and start ./run demo there"
        )


def _run(folder: Path, recipients: int | None, began_s: float) -> DemoResult:
    from dispatcher.cli.site import LocalCluster  # late: it costs other commands half a second

    rows = write_list(EXAMPLES / "recipients.csv", folder / "recipients.csv", recipients)
    rate = min(MOST_RATE, max(RATE, rows / 60))
    note(f"starting Redis, the emulated provider, web, scheduler and worker in {folder}")
    policy, scenario = EXAMPLES / "fast-policy.toml", EXAMPLES / "scenarios" / "messy.toml"
    with (
        LocalCluster(folder, scenario=scenario, policy=policy, rate=rate, speed=SPEED) as site,
        site.client() as client,
    ):
        batch = _send(client, folder / "recipients.csv", time_s=rows * 2 / rate + SLACK_S)
        fetch_report(client, batch, folder / "report.csv")
        jobs = [OurJob(id=job.id, number=job.number, state=job.state) for job in client.jobs(batch.id)]
        comparison = compare(jobs, site.ledger())
        note("examining the store with bulkfax doctor")
        healthy, findings = examine_store(site)
    return DemoResult(
        rows=rows,
        batch=batch,
        comparison=comparison,
        healthy=healthy,
        findings=findings,
        seconds=time.monotonic() - began_s,
    )


def _send(client: Client, recipients: Path, time_s: float) -> Batch:
    """Send, and watch until the end or until ``time_s`` have passed: what is not final then counts as lost."""
    batch, _ = prepare(client, NewBatch(name="demo"), [EXAMPLES / "letter.pdf"], recipients)
    client.start(batch.id)
    end_s = time.monotonic() + time_s
    return watch(client, batch.id, until=lambda batch: batch.ended or time.monotonic() > end_s)


def examine_store(site: "LocalCluster") -> tuple[bool, tuple[str, ...]]:
    """Run ``bulkfax doctor`` as people would; whether it is content, and what it found wrong."""
    command = [sys.executable, "-m", "dispatcher.cli", "doctor", "--json"]
    done = subprocess.run(  # noqa: S603  # our own command
        command, env=site.env, cwd=site.folder, capture_output=True, text=True, timeout=DOCTOR_S, check=False
    )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return False, (done.stderr.strip() or f"doctor ended with status {done.returncode} and said nothing",)
    return answer["ok"], tuple(finding["text"] for finding in answer["findings"] if not finding["ok"])


def _where_next(folder: Path) -> str:
    return (
        f"\nWhat became of every line:              {folder}/report.csv\n"
        f"What each process said:                 {folder}/*.log\n"
        f"Why a failure ends as it does:          bulkfax policy explain CALL_ERROR 17\n"
        f"Run it yourself (BULKFAX_SINCH__* set): bulkfax up\n"
        f"Send a mailing of your own:             bulkfax send LETTER.pdf RECIPIENTS.csv --watch"
    )
