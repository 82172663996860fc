"""Watches a batch until it ends: shows a bar with rate and time left, and the counts below it."""

import time
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.live import Live

from dispatcher.cli.output import CommandFailed, note, notes
from dispatcher.cli.progress import counting
from dispatcher.cli.tables import counts_table, holds_table
from dispatcher.client import Batch, Client

#: seconds between two requests for the batch
LOOK_S = 0.5
#: seconds between two lines if the output is not a terminal
LINE_S = 10.0


def watch(client: Client, batch: str, *, until: Callable[[Batch], bool] = lambda batch: batch.ended) -> Batch:
    """Show the batch until it has ended, and return it. Raises CommandFailed if it is a draft, and ClientError."""
    now = client.batch(batch)
    if now.state == "draft":
        raise CommandFailed(f"batch {batch} is a draft: it was never started")
    return _live(client, now, until) if notes.is_terminal else _lines(client, now, until)


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
    return Group(bar, counts_table(batch), *([holds_table(batch.holds)] if batch.holds else []))


def _lines(client: Client, batch: Batch, until: Callable[[Batch], bool]) -> Batch:
    began_s, first, last_line_s = time.monotonic(), batch.final, float("-inf")
    while not until(batch):
        now_s = time.monotonic()
        if now_s - last_line_s >= LINE_S:
            note(progress_line(batch, batch.final - first, now_s - began_s))
            last_line_s = now_s
        time.sleep(LOOK_S)
        batch = client.batch(batch.id)
    note(progress_line(batch, batch.final - first, time.monotonic() - began_s))
    return batch


def progress_line(batch: Batch, done: int, seconds: float) -> str:
    """Describe the progress of a batch in one line: ``done`` jobs became final in the last ``seconds``."""
    rate = done / seconds if seconds > 0 else 0.0
    left = f", {(batch.rows - batch.final) / rate:.0f} s left" if rate and not batch.ended else ""
    counts = " ".join(f"{state}={count}" for state, count in batch.counts.items() if count)
    return f"{batch.id} {batch.state}: {batch.final} of {batch.rows} done, {rate:.1f} jobs/s{left} ({counts})"
