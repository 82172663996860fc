"""Watches a batch until it ends: shows a bar with rate and time left, and the counts below it."""

import time
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.live import Live

from dispatcher.cli.hold_lines import hold_lines
from dispatcher.cli.output import CommandFailed, note, notes
from dispatcher.cli.progress import counting
from dispatcher.cli.tables import counts_table
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


def _live(client: Client, batch: Batch, until: Callable[[Batch], bool]) -> Batch:
    bar = counting("jobs")
    task = bar.add_task(batch.state, total=batch.rows, completed=batch.final)
    with Live(_picture(bar, batch), console=notes, refresh_per_second=4, transient=True) as live:
        while not until(batch):
            time.sleep(LOOK_S)
            batch = client.batch(batch.id)
            bar.update(task, description=batch.state, completed=batch.final, total=batch.rows)
            live.update(_picture(bar, batch))
    return batch


def _picture(bar: RenderableType, batch: Batch) -> Group:
    return Group(bar, counts_table(batch), *([hold_lines(batch.holds)] if batch.holds else []))


def _lines(client: Client, batch: Batch, until: Callable[[Batch], bool]) -> Batch:
    began_s, final_at_start, last_line_s = time.monotonic(), batch.final, float("-inf")
    while not until(batch):
        now_s = time.monotonic()
        if now_s - last_line_s >= LINE_S:
            note(progress_line(batch, batch.final - final_at_start, now_s - began_s))
            last_line_s = now_s
        time.sleep(LOOK_S)
        batch = client.batch(batch.id)
    note(progress_line(batch, batch.final - final_at_start, time.monotonic() - began_s))
    return batch


def progress_line(batch: Batch, newly_final: int, seconds: float) -> str:
    """Describe the progress in one line: ``newly_final`` jobs became final in the ``seconds`` since watching began."""
    rate = newly_final / seconds if seconds > 0 else 0.0
    left = f", {(batch.rows - batch.final) / rate:.0f} s left" if rate and not batch.ended else ""
    counts = " ".join(f"{state}={count}" for state, count in batch.counts.items() if count)
    return f"{batch.id} {batch.state}: {batch.final} of {batch.rows} done, {rate:.1f} jobs/s{left} ({counts})"
