"""The figures as a table for people."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.figures import Figure, number

_MET = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}


def table(figures: Sequence[Figure]) -> Table:
    shown = Table("bench", "figure", box=None, header_style="bold", pad_edge=False)
    for name in ("value", "ratio"):
        shown.add_column(name, justify="right")
    for name in ("against", "goal", "met"):
        shown.add_column(name)
    for one in figures:
        goal = one.goal.text(one.unit) if one.goal else ""
        value = f"{number(one.value)} {one.unit}"
        shown.add_row(one.bench, one.figure, value, number(one.ratio), one.against, goal, _MET[one.met])
    return shown
