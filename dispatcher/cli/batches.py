"""``batches ...``: lists, shows, watches, pauses, resumes, cancels and reruns batches; forecasts and reports."""

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.output import (
    AllowRepeat,
    AllowWarnings,
    CommandFailed,
    JsonOption,
    confirm,
    note,
    print_json,
    results,
)
from dispatcher.cli.progress import lines_bar
from dispatcher.cli.reruns import rerun
from dispatcher.cli.tables import batch_facts, batches_table, counts_table, forecast_facts, reasons_table
from dispatcher.cli.watch import watch as watch_batch
from dispatcher.client import Batch, Client, CommandedBatch
from dispatcher.core.counted import counted

app = typer.Typer(help="Mailings: list, show, watch, pause, resume, cancel and rerun them.", no_args_is_help=True)

BatchArgument = Annotated[str, typer.Argument(metavar="BATCH", help="Id of the batch.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100, help="Maximum number of batches.")] = 20,
    before: Annotated[str, typer.Option(help="Only batches older than this id: the next page.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List batches, newest first."""
    with Client.from_environment() as client:
        page = client.batches(limit=limit, before=before)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.batches:
        note("There are no batches. Send one: bulkfax send LETTER.pdf RECIPIENTS.csv")
        return
    results.print(batches_table(page.batches))
    if page.next:
        note(f"There are more: bulkfax batches list --before {page.next}")


@app.command()
def show(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Show one batch: its settings, its jobs by state, and why lines were refused."""
    with Client.from_environment() as client:
        _show(client.batch(batch), as_json=as_json)


@app.command()
def watch(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Show progress until the batch has ended. Ctrl-C stops watching; the batch continues."""
    with Client.from_environment() as client:
        try:
            _show(watch_batch(client, batch), as_json=as_json)
        except KeyboardInterrupt:
            note(f"The batch continues. To watch it again: bulkfax batches watch {batch}")
            raise typer.Exit(130) from None


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
def start(
    batch: BatchArgument,
    allow_warnings: AllowWarnings = False,
    allow_repeat: AllowRepeat = False,
    as_json: JsonOption = False,
) -> None:
    """Start a draft."""
    with Client.from_environment() as client:
        started = client.start(batch, allow_warnings=allow_warnings, allow_repeat=allow_repeat)
        _commanded(started, as_json=as_json)


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
def cancel(
    batch: BatchArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End the batch permanently. Jobs that have not ended become cancelled; calls in progress finish."""
    confirm(f"Cancel batch {batch} permanently?", yes=yes)
    with Client.from_environment() as client:
        _commanded(client.cancel(batch), as_json=as_json)


app.command("rerun")(rerun)


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
    note(f"batch {batch.id} is {batch.state}{finishing}")


def _show(batch: Batch, *, as_json: bool) -> None:
    if as_json:
        print_json(batch.model_dump(mode="json"))
        return
    results.print(batch_facts(batch))
    if batch.rows:
        results.print(counts_table(batch))
    if batch.refused_reasons or batch.duplicates or batch.opted_out or batch.suppressed:
        results.print(reasons_table(batch))
