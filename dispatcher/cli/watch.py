"""Watches a batch until it ends: shows a bar with rate and time left, and the counts below it."""

import time
from collections.abc import Callable

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from dispatcher.cli.hold_lines import hold_lines
from dispatcher.cli.output import CommandFailed, note, notes
from dispatcher.cli.progress import counting
from dispatcher.cli.tables import counts_table, progress_facts, wait_text
from dispatcher.client import Batch, Client

#: seconds between two requests for the batch
LOOK_S = 0.5
#: seconds between two lines if the output is not a terminal
LINE_S = 10.0


def watch(client: Client, batch_id: str, *, until: Callable[[Batch], bool] = lambda batch: batch.at_rest) -> Batch:
    """Show the batch until ``until`` is true of it (default: nothing more of it is sent), and return it.

    Raises:
        CommandFailed: The batch is a draft.
        ClientError: A request failed.
    """
    batch = client.batch(batch_id)
    if batch.state == "draft":
        raise CommandFailed(
            f"batch {batch_id} is a draft and sends nothing: start it with bulkfax batches start {batch_id}"
        )
    return _live(client, batch, until) if notes.is_terminal else _lines(client, batch, until)


def watch_to_end(client: Client, batch_id: str) -> Batch:
    """Watch a batch. Ctrl-C ends only the command, with status 130, and says what goes on and how to stop it."""
    try:
        return watch(client, batch_id)
    except KeyboardInterrupt:
        note(
            f"The batch goes on.\n"
            f"Watch it: bulkfax batches watch {batch_id}\n"
            f"Stop it:  bulkfax batches pause {batch_id}   (for good: bulkfax batches cancel {batch_id})"
        )
        raise typer.Exit(130) from None


def _live(client: Client, batch: Batch, until: Callable[[Batch], bool]) -> Batch:
    # rate and end come from the server, which has seen more than this command
    bar = counting()
    task = bar.add_task(batch.state, total=batch.rows, completed=batch.final)
    with Live(_picture(bar, batch), console=notes, refresh_per_second=4, transient=True) as live:
        while not until(batch):
            time.sleep(LOOK_S)
            batch = client.batch(batch.id)
            bar.update(task, description=batch.state, completed=batch.final, total=batch.rows)
            live.update(_picture(bar, batch))
    return batch


def _picture(bar: RenderableType, batch: Batch) -> Group:
    holds = [hold_lines(batch.holds)] if batch.holds else []
    return Group(bar, counts_table(batch), progress_facts(batch), *holds)


def _lines(client: Client, batch: Batch, until: Callable[[Batch], bool]) -> Batch:
    last_line_s = float("-inf")
    while not until(batch):
        now_s = time.monotonic()
        if now_s - last_line_s >= LINE_S:
            note(progress_line(batch))
            last_line_s = now_s
        time.sleep(LOOK_S)
        batch = client.batch(batch.id)
    note(progress_line(batch))
    return batch


def progress_line(batch: Batch) -> str:
    """Describe the progress in one line."""
    rate = f", {batch.rate_now:g} jobs/s" if batch.rate_now and not batch.ended else ""
    end = f", ends about {batch.eta.astimezone():%Y-%m-%d %H:%M:%S}" if batch.eta else ""
    waits = f", waiting: {'; '.join(map(wait_text, batch.waits))}" if batch.waits else ""
    counts = " ".join(f"{state}={count}" for state, count in batch.counts.items() if count)
    return f"{batch.id} {batch.state}: {batch.final} of {batch.rows} done{rate}{end}{waits} ({counts})"
