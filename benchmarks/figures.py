"""What a bench measured, as data, and what was wanted of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound for a figure's value, or for its ratio to what it stands against. Exactly one bound is given."""

    least: float | None = None
    most: float | None = None
    of: Literal["value", "ratio"] = "value"

    def __post_init__(self) -> None:
        if (self.least is None) == (self.most is None):
            raise ValueError("a goal has either a least or a most")

    def met_by(self, value: float, ratio: float) -> bool:
        measured = value if self.of == "value" else ratio
        return measured >= self.least if self.least is not None else measured <= (self.most or 0.0)

    def text(self, unit: str) -> str:
        """``at least 50,000 rows/s``, or ``at least 0.85 times it`` for a ratio."""
        word, bound = ("at least", self.least) if self.least is not None else ("at most", self.most)
        return f"{word} {number(bound or 0.0)} {unit if self.of == 'value' else 'times it'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. ``ratio`` is to what ``against`` names, from the same run; without a goal it is for information."""

    bench: str
    figure: str
    value: float
    unit: str
    against: str
    ratio: float
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """None where nothing was wanted."""
        return self.goal.met_by(self.value, self.ratio) if self.goal else None


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Those that have a goal, one object each."""
    return [
        {
            "bench": one.bench,
            "figure": one.figure,
            "value": rounded(one.value),
            "unit": one.unit,
            "against": one.against,
            "ratio": rounded(one.ratio),
            "goal": one.goal.text(one.unit),
            "met": one.met,
        }
        for one in figures
        if one.goal
    ]


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each quantity over all runs, which all name the same quantities."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of them do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * share) - 1)]


def rounded(value: float) -> float:
    """Four significant digits: more would claim what was not measured."""
    return float(f"{value:.4g}")


def number(value: float) -> str:
    """For people: 1,234, 56.7, 0.0123."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{rounded(value):g}"
