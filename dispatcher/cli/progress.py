"""Progress bars with rate and time left, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from dispatcher.cli.output import notes, styled


class RateColumn(ProgressColumn):
    """Shows the current number of items per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        rate = f"{speed:,.1f}" if speed is not None else "–"
        return styled(f"{rate} {self._unit}/s", "progress.data.speed")


class _Description(ProgressColumn):
    """Shows what the bar is about, such as the name of a file."""

    def render(self, task: Task) -> Text:
        return styled(task.description)


def counting(unit: str = "") -> Progress:
    """Return a bar for countable items: how many are done, and with a unit the rate and the time left."""
    speed = [RateColumn(unit), TimeRemainingColumn(compact=True)] if unit else []
    return Progress(
        _Description(),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        *speed,
        TimeElapsedColumn(),
        console=notes,
        speed_estimate_period=20,
    )


@contextmanager
def bytes_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for an upload; the value is the progress callback for the client."""
    bar = Progress(
        _Description(),
        BarColumn(bar_width=30),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=notes,
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def lines_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar for a file that is received line by line."""
    with counting("lines") as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=min(done, total))
