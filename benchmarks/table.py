"""Shows figures as a table."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.figures import Figure, number

_MET = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}


def table(figures: Sequence[Figure]) -> Table:
    """Return a table with one row for each figure."""
    result = Table("bench", "figure", box=None, header_style="bold", pad_edge=False)
    for name in ("value", "ratio"):
        result.add_column(name, justify="right")
    for name in ("against", "goal", "met"):
        result.add_column(name)
    for figure in figures:
        goal = figure.goal.text(figure.unit) if figure.goal else ""
        value = f"{number(figure.value)} {figure.unit}"
        result.add_row(figure.bench, figure.figure, value, number(figure.ratio), figure.against, goal, _MET[figure.met])
    return result
