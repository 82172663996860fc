"""``batches ...``: lists, shows, watches, pauses, resumes, cancels and reruns batches; forecasts and reports."""

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dispatcher.cli.changes import change
from dispatcher.cli.fax_options import named_values
from dispatcher.cli.hold_lines import hold_lines
from dispatcher.cli.job_cancellation import cancel_jobs
from dispatcher.cli.job_options import JobOptions, ensure_states, with_job_options
from dispatcher.cli.output import (
    AllowRepeat,
    AllowWarnings,
    CommandFailed,
    JsonOption,
    YesOption,
    confirm,
    note,
    note_deleted,
    notes,
    print_json,
    results,
)
from dispatcher.cli.part_options import PartOptions, with_part_options
from dispatcher.cli.progress import lines_bar
from dispatcher.cli.reruns import rerun
from dispatcher.cli.tables import batch_facts, batches_table, counts_table, forecast_facts, reasons_table, when
from dispatcher.cli.times import in_range
from dispatcher.cli.watch import watch_to_end
from dispatcher.cli.why import diagnosis_lines
from dispatcher.client import BATCH_STATES, LIVE_STATES, Batch, BatchPage, CancelJobs, Client, CommandedBatch
from dispatcher.core.counted import counted

app = typer.Typer(help="Mailings: list, show, watch, pause, resume, cancel and rerun them.", no_args_is_help=True)

BatchArgument = Annotated[str, typer.Argument(metavar="BATCH", help="Id of the batch.")]


@app.command("list")
def list_(
    state: Annotated[
        list[str] | None, typer.Option(help="Only this state, such as running or held; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option(help="Only names that contain this.")] = "",
    metadata: Annotated[
        list[str] | None, typer.Option(help="Only batches with this KEY=VALUE; may be repeated.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only batches created at that time or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only batches created before that time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Maximum number of batches.")] = 20,
    after: Annotated[str, typer.Option(help="Only batches after this one in the list: the next page.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List batches, newest first."""
    ensure_states(state, BATCH_STATES)
    first, last = in_range(since, "--since"), in_range(until, "--until")
    filters: dict[str, Any] = {
        "states": tuple(state or ()),
        "name": name,
        "metadata": named_values(metadata or [], "--metadata"),
        "since": first.isoformat() if first else "",
        "until": last.isoformat() if last else "",
    }
    with Client.from_environment() as client:
        page = _matching(client, limit, after, filters)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    shown = page.batches if state else [batch for batch in page.batches if not _is_discarded(batch)]
    if not page.batches:
        note(
            "No batch matches."
            if any(filters.values())
            else "There are no batches. Send one: bulkfax send LETTER.pdf RECIPIENTS.csv"
        )
        return
    results.print(batches_table(shown))
    if discarded := len(page.batches) - len(shown):
        empty = counted(discarded, "cancelled draft without a job", "cancelled drafts without a job")
        note(f"{empty} left out; to see them: bulkfax batches list --state cancelled")
    if page.next:
        command = "the same command with" if any(filters.values()) else "bulkfax batches list"
        note(f"There are more: {command} --after {page.next}")


def _matching(client: Client, limit: int, after: str, filters: Mapping[str, Any]) -> BatchPage:
    """Return the first batches that match. The server looks at a limited number of batches in one request."""
    batches: tuple[Batch, ...] = ()
    while True:
        page = client.batches_page(limit=limit - len(batches), after=after, **filters)
        batches += page.batches
        if not page.next or len(batches) >= limit or not any(filters.values()):
            return page.model_copy(update={"batches": batches})
        after = page.next


def _is_discarded(batch: Batch) -> bool:
    """Return whether a batch is a draft that was cancelled before it had a recipient, as after a refused list."""
    return batch.state == "cancelled" and not batch.rows


@app.command()
def show(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Show one batch: its settings, its jobs by state, and why lines were refused."""
    with Client.from_environment() as client:
        _show(client.batch(batch), as_json=as_json)


@app.command()
def why(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Say in plain words what is wrong with a batch, and which command puts it right."""
    with Client.from_environment() as client:
        seen = client.diagnosis(batch)
    if as_json:
        print_json(seen.model_dump(mode="json"))
    else:
        results.print(diagnosis_lines(seen), soft_wrap=True)


@app.command()
def watch(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Show progress until the batch has ended. Ctrl-C stops watching; the batch continues."""
    with Client.from_environment() as client:
        _show(watch_to_end(client, batch), as_json=as_json)


@app.command()
def forecast(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Show what a batch will send, and when it will have sent it at today's rate."""
    with Client.from_environment() as client:
        seen = client.forecast(batch)
    if as_json:
        print_json(seen.model_dump(mode="json"))
    else:
        results.print(forecast_facts(seen))


@app.command()
@with_part_options
def start(
    *,
    batch: BatchArgument,
    part: PartOptions,
    allow_warnings: AllowWarnings = False,
    allow_repeat: AllowRepeat = False,
    now: Annotated[bool, typer.Option("--now", help="Begin now and not at the start time.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start a draft, or a part of it to begin with. One with a start time waits for it, unless --now is given."""
    allowed = {"allow_warnings": allow_warnings, "allow_repeat": allow_repeat}
    with Client.from_environment() as client:
        started = client.start(batch, now=now, **allowed, **part.fields())
        _commanded(started, as_json=as_json)


@app.command("continue")
def continue_(batch: BatchArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Let the rest begin of a batch of which only a part was started."""
    with Client.from_environment() as client:
        withheld = client.batch(batch).withheld
        if withheld:
            confirm(f"Let {counted(withheld, 'job')} begin?", yes=yes or not sys.stdin.isatty())
        _commanded(client.continue_batch(batch), as_json=as_json)
        if not as_json:
            note(f"{counted(withheld, 'job')} can begin now")


@app.command()
def pause(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Stop sending. Calls in progress finish."""
    with Client.from_environment() as client:
        _commanded(client.pause(batch), as_json=as_json)


@app.command()
def resume(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Continue sending after a pause."""
    with Client.from_environment() as client:
        _commanded(client.resume(batch), as_json=as_json)


@app.command()
@with_job_options
def cancel(
    *,
    batch: BatchArgument,
    jobs: JobOptions,
    state: Annotated[
        list[str] | None,
        typer.Option(help="State of the jobs to cancel; may be repeated. Default: all that are not final."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why these jobs are cancelled. Needed with the options below.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only say how many jobs that is.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End the batch permanently, or cancel only some of its jobs. Calls in progress finish.

    Jobs that have not ended become cancelled. With options that say which jobs, the others go on.
    """
    named = jobs.fields() | ({"states": tuple(state)} if state else {})
    ensure_states(state, LIVE_STATES)
    with Client.from_environment() as client:
        if named:
            cancel_jobs(client, {batch: CancelJobs(**named)}, reason, preview=preview, yes=yes, as_json=as_json)
            return
        live = counted(sum(client.batch(batch).counts.get(name, 0) for name in LIVE_STATES), "job")
        if preview:
            note(f"batch {batch} has {live} that have not ended")
            return
        confirm(f"Cancel batch {batch} permanently, with {live} that have not ended?", yes=yes)
        _commanded(client.cancel(batch), as_json=as_json)


app.command("rerun")(rerun)
app.command("change")(change)


@app.command()
def delete(
    batches: Annotated[list[str], typer.Argument(metavar="BATCH...", help="Ids of batches that have ended.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete batches that have ended, with their recipients, results and reports. Nothing brings them back."""
    with Client.from_environment() as client:
        if not yes:
            jobs = sum(client.batch(batch).rows for batch in batches)
            what = f"{counted(len(batches), 'batch', 'batches')} with {counted(jobs, 'job')}"
            confirm(f"Delete {what} for good? The results cannot be read any more.", yes=False)
        deleted = []
        for batch in batches:
            was_there = client.delete_batch(batch).removed > 0
            note_deleted(f"batch {batch}", was_there=was_there)
            deleted += [batch] if was_there else []
    if as_json:
        print_json({"deleted": deleted})


@app.command()
def report(
    batch: BatchArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: BATCH.csv.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite an existing file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the result of every line as CSV."""
    path = output or Path(f"{batch}.csv")
    if path.exists() and not force:
        raise CommandFailed(f"{path} exists already: name another file with --output, or overwrite it with --force")
    with Client.from_environment() as client:
        size = fetch_report(client, client.batch(batch), path)
    if as_json:
        print_json({"batch": batch, "file": str(path), "bytes": size})
    else:
        note(f"{path} written ({counted(size, 'byte')})")


def fetch_report(client: Client, batch: Batch, path: Path) -> int:
    """Fetch the report while showing a progress bar, and return its size in bytes."""
    with lines_bar("report", batch.lines + 1) as progress:
        return client.report(batch.id, path, progress=progress)


def _commanded(batch: CommandedBatch, *, as_json: bool) -> None:
    if as_json:
        print_json(batch.model_dump(mode="json"))
        return
    finishing = f"; {counted(batch.in_flight, 'call')} in progress will finish" if batch.in_flight else ""
    note(f"batch {batch.id} is {batch.state}{_begins(batch)}{finishing}")
    if batch.holds:
        notes.print(hold_lines(batch.holds), soft_wrap=True)


def _begins(batch: Batch) -> str:
    """Say when a batch begins that waits for its start time."""
    return f" and begins at {when(batch.start_at)}" if batch.state == "scheduled" else ""


def _show(batch: Batch, *, as_json: bool) -> None:
    if as_json:
        print_json(batch.model_dump(mode="json"))
        return
    results.print(batch_facts(batch))
    if batch.rows:
        results.print(counts_table(batch))
    if batch.refused_reasons or batch.duplicates or batch.opted_out or batch.suppressed:
        results.print(reasons_table(batch))
    if batch.holds:
        results.print(hold_lines(batch.holds), soft_wrap=True)
    if batch.held_jobs:
        note(f"Jobs wait until someone releases them: bulkfax holds list --batch {batch.id}")
