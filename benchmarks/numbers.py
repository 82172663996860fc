"""Measures how many valid numbers are taken, in six notations, and that nothing is dialled that was not meant."""

from benchmarks.figures import Figure, Goal
from benchmarks.notations import COUNTRIES, NOTATIONS, Written, pairs, written
from benchmarks.setting import Setting
from benchmarks.stopwatch import Stopwatch
from dispatcher.recipients.numbers import AcceptedNumber, normalize_number

COUNT = 2000
_GOALS = {"national": 99.0, "national with brackets": 99.0}
_GOAL = 99.5


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures. The numbers are always the same, so that one run is enough."""
    count = setting.size(COUNT, minimum=20)
    figures: list[Figure] = []
    wrong = 0
    for notation in NOTATIONS:
        clock = Stopwatch()
        rows = list(written(notation, count))
        taken, different = read(rows)
        wrong += different
        setting.say(
            f"  {notation}: {taken:,} of {len(rows):,} taken, {different} differently, in {clock.seconds:.0f} s"
        )
        goal = Goal(min_value=_GOALS.get(notation, _GOAL))
        figures.append(_figure(f"{notation}: taken", 100 * taken / len(rows), "%", f"{len(rows):,} numbers", goal))
    cells = list(pairs(count))
    dialled, _ = read(cells)
    kinds = f"{len(COUNTRIES)} countries, {len(NOTATIONS)} notations"
    return [
        *figures,
        _figure("dialled differently from what was meant", wrong, "numbers", kinds, Goal(max_value=0)),
        _figure("cells with two numbers: dialled", dialled, "cells", f"{len(cells):,} cells", Goal(max_value=0)),
    ]


def _figure(name: str, value: float, unit: str, against: str, goal: Goal) -> Figure:
    return Figure(bench="numbers", figure=name, value=value, unit=unit, against=against, ratio=1.0, goal=goal)


def read(rows: list[Written]) -> tuple[int, int]:
    """Return how many numbers are taken, and how many of these are not the number that is meant."""
    taken = different = 0
    for row in rows:
        result = normalize_number(row.text, row.country)
        if isinstance(result, AcceptedNumber):
            taken += 1
            different += result.number != row.number
    return taken, different
