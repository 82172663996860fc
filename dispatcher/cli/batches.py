"""``batches ...``: see what runs, stop it, let it go on, run it again, fetch its report."""

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.output import CommandFailed, JsonOption, note, print_json, results
from dispatcher.cli.progress import lines_bar
from dispatcher.cli.tables import batch_facts, batches_table, counts_table, reasons_table
from dispatcher.cli.watch import watch as watch_batch
from dispatcher.client import FINAL_STATES, Batch, Client, CommandedBatch

app = typer.Typer(help="Mailings: what runs, and what to do about it.", no_args_is_help=True)

BatchArgument = Annotated[str, typer.Argument(metavar="BATCH", help="Id of the batch.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    before: Annotated[str, typer.Option(help="Only batches older than this id: the next page.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Batches, newest first."""
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
    """One batch: what it is, what became of its jobs, why lines were refused."""
    with Client.from_environment() as client:
        _show(client.batch(batch), as_json=as_json)


@app.command()
def watch(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Show progress until the batch has ended. Ctrl-C leaves; the batch goes on."""
    with Client.from_environment() as client:
        try:
            _show(watch_batch(client, batch), as_json=as_json)
        except KeyboardInterrupt:
            note(f"The batch goes on. Watch it again: bulkfax batches watch {batch}")
            raise typer.Exit(130) from None


@app.command()
def start(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Start a draft."""
    with Client.from_environment() as client:
        _commanded(client.start(batch), as_json=as_json)


@app.command()
def pause(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Stop sending; calls under way run out."""
    with Client.from_environment() as client:
        _commanded(client.pause(batch), as_json=as_json)


@app.command()
def resume(batch: BatchArgument, as_json: JsonOption = False) -> None:
    """Go on sending."""
    with Client.from_environment() as client:
        _commanded(client.resume(batch), as_json=as_json)


@app.command()
def cancel(
    batch: BatchArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End the batch for good; what is not delivered becomes cancelled, calls under way run out."""
    if not yes:
        typer.confirm(f"Cancel batch {batch} for good?", abort=True, err=True)
    with Client.from_environment() as client:
        _commanded(client.cancel(batch), as_json=as_json)


@app.command()
def rerun(
    batch: BatchArgument,
    state: Annotated[
        list[str] | None, typer.Option(help="Final state to take; may repeat. failed if not given.")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only this category; may repeat.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Do not start it.")] = False,
    watching: Annotated[bool, typer.Option("--watch", help="Show progress until it has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send again to jobs that ended, as a new batch; the old one keeps its results."""
    states = state or ["failed"]
    for one in states:
        if one not in FINAL_STATES:
            raise typer.BadParameter(f"{one} is none of {', '.join(FINAL_STATES)}", param_hint="--state")
    with Client.from_environment() as client:
        new = client.rerun(batch, states, category, start=not draft)
        note(f"{new.rows:,} jobs of {batch} run again as batch {new.id}" + (", a draft" if draft else ""))
        if watching and not draft:
            new = watch_batch(client, new.id)
        _show(new, as_json=as_json)


@app.command()
def report(
    batch: BatchArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to; BATCH.csv if not given.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Write over a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what became of every line, as CSV."""
    path = output or Path(f"{batch}.csv")
    if path.exists() and not force:
        raise CommandFailed(f"{path} is there already: name another file with --output, or write over it with --force")
    with Client.from_environment() as client:
        size = fetch_report(client, client.batch(batch), path)
    if as_json:
        print_json({"batch": batch, "file": str(path), "bytes": size})
    else:
        note(f"{path} written ({size:,} bytes)")


def fetch_report(client: Client, batch: Batch, path: Path) -> int:
    """Fetch the report with a bar; returns its bytes."""
    with lines_bar("report", batch.lines + 1) as progress:
        return client.report(batch.id, path, progress=progress)


def _commanded(batch: CommandedBatch, *, as_json: bool) -> None:
    if as_json:
        print_json(batch.model_dump(mode="json"))
        return
    running_out = f"; {batch.in_flight:,} calls under way run out" if batch.in_flight else ""
    note(f"batch {batch.id} is {batch.state}{running_out}")


def _show(batch: Batch, *, as_json: bool) -> None:
    if as_json:
        print_json(batch.model_dump(mode="json"))
        return
    results.print(batch_facts(batch))
    if batch.rows:
        results.print(counts_table(batch))
    if batch.refused_reasons or batch.duplicates:
        results.print(reasons_table(batch))
