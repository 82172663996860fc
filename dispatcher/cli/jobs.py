"""``jobs ...``: lists the jobs of a batch, looks some up over all batches, and shows one with its history."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated

import typer

from dispatcher.cli.job_cancellation import cancel_jobs
from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import history_lines, job_facts, jobs_table, lookup_table, pairs
from dispatcher.cli.times import in_range, time_option
from dispatcher.client import CancelJobs, Client, Job

app = typer.Typer(help="Jobs of a batch: one for each recipient.", no_args_is_help=True)


@app.command("list")
def list_(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="Id of the batch.")],
    state: Annotated[str, typer.Option(help="Only this state.")] = "",
    category: Annotated[str, typer.Option(help="Only this category.")] = "",
    reference: Annotated[str, typer.Option(help="Only this reference, as in the uploaded list.")] = "",
    number: Annotated[str, typer.Option(help="Only this number.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the jobs of a batch that match all filters."""
    with Client.from_environment() as client:
        matching = client.jobs(batch, state=state, category=category, reference=reference, number=number)
        shown, more = _first(matching, limit)
    if as_json:
        _print_json(shown, more=more)
        return
    if not shown:
        note("No job matches.")
        return
    results.print(jobs_table(shown, f"Show one: bulkfax jobs show {batch}.ROW"))
    if more:
        note(f"There are more than {limit}: use --limit to show more, or `bulkfax batches report {batch}` to get all.")


@app.command()
def find(
    number: Annotated[str, typer.Option(help="Only this number, in any form.")] = "",
    reference: Annotated[str, typer.Option(help="Only this reference, as in the uploaded list.")] = "",
    state: Annotated[str, typer.Option(help="Only this state.")] = "",
    since: Annotated[datetime | None, time_option("Only jobs that have changed since then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Find jobs of all batches by number, by reference, or by both; the newest come first."""
    if not number and not reference:
        raise typer.BadParameter("give --number or --reference; the jobs of one batch: bulkfax jobs list BATCH")
    first = in_range(since, "--since")
    with Client.from_environment() as client:
        changed = first.isoformat() if first else ""
        matching = client.look_up(number=number, reference=reference, state=state, since=changed)
        shown, more = _first(matching, limit)
    if as_json:
        _print_json(shown, more=more)
        return
    if not shown:
        note("No job matches. Jobs can be found for 90 days, unless the policy (retention.lookup) says otherwise.")
        return
    results.print(lookup_table(shown, "Show one: bulkfax jobs show JOB"))
    if more:
        note(f"There are more than {limit}: use --limit to show more.")


def _first(matching: Iterator[Job], limit: int) -> tuple[list[Job], bool]:
    """Return the first jobs, and whether there are more."""
    jobs = list(islice(matching, limit + 1))
    return jobs[:limit], len(jobs) > limit


def _print_json(jobs: Iterable[Job], *, more: bool) -> None:
    print_json({"jobs": [job.model_dump(mode="json") for job in jobs], "more": more})


@app.command()
def cancel(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB", help="Ids of the jobs, such as BATCH.17.")],
    reason: Annotated[str, typer.Option(help="Why they are cancelled.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only say how many of them have not ended.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel single jobs. Calls in progress finish; jobs that have ended stay as they are."""
    named: dict[str, list[str]] = {}
    for job in jobs:
        batch, dot, row = job.rpartition(".")
        if not (dot and batch.isalnum() and row.isdecimal()):
            raise typer.BadParameter(f"{job} is no id of a job, such as BATCH.17", param_hint="JOB")
        named.setdefault(batch, []).append(job)
    asked = {batch: CancelJobs(jobs=tuple(ids)) for batch, ids in named.items()}
    with Client.from_environment() as client:
        cancel_jobs(client, asked, reason, preview=preview, yes=yes, as_json=as_json)


@app.command()
def show(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, such as BATCH.17.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Show the record as stored in Redis; needs BULKFAX_REDIS_URL.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one job: its state, its history, and what it waits for."""
    if raw:
        from dispatcher.cli.store_access import stored_record  # late: it costs other commands a second

        record = asyncio.run(stored_record(job))
        print_json(record) if as_json else results.print(pairs({name: str(value) for name, value in record.items()}))
        return
    with Client.from_environment() as client:
        details = client.job(job)
    if as_json:
        print_json(details.model_dump(mode="json"))
        return
    results.print(job_facts(details))
    if details.history:
        results.print(history_lines(details.history), soft_wrap=True)
