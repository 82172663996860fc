"""The figures that a benchmark produces, and the goals they are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound for a figure's value or ratio. Exactly one of ``min_value`` and ``max_value`` is set."""

    min_value: float | None = None
    max_value: float | None = None
    #: what the bound applies to
    of: Literal["value", "ratio"] = "value"

    def __post_init__(self) -> None:
        if (self.min_value is None) == (self.max_value is None):
            raise ValueError("a goal has either min_value or max_value")

    def met_by(self, value: float, ratio: float) -> bool:
        """Return whether a figure with this value and ratio meets the goal."""
        measured = value if self.of == "value" else ratio
        return measured >= self.min_value if self.min_value is not None else measured <= (self.max_value or 0.0)

    def text(self, unit: str) -> str:
        """Return the goal in words: ``at least 50,000 rows/s``, or ``at least 0.85 times it`` for a ratio."""
        word, bound = ("at least", self.min_value) if self.min_value is not None else ("at most", self.max_value)
        return f"{word} {number(bound or 0.0)} {unit if self.of == 'value' else 'times it'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure. Without a goal it is reported for information only."""

    bench: str
    figure: str
    value: float
    unit: str
    #: what the figure is compared with, measured in the same run
    against: str
    #: the value divided by that of ``against``
    ratio: float
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return self.goal.met_by(self.value, self.ratio) if self.goal else None


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return the figures that have a goal, as objects for ``--json``."""
    return [
        {
            "bench": figure.bench,
            "figure": figure.figure,
            "value": rounded(figure.value),
            "unit": figure.unit,
            "against": figure.against,
            "ratio": rounded(figure.ratio),
            "goal": figure.goal.text(figure.unit),
            "met": figure.met,
        }
        for figure in figures
        if figure.goal
    ]


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each quantity over all runs. Every run has the same quantities."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` (0 to 1) of the values do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * share) - 1)]


def rounded(value: float) -> float:
    """Round to four significant digits: a measurement is no more exact than that."""
    return float(f"{value:.4g}")


def number(value: float) -> str:
    """Format a number for people: 1,234, 56.7, 0.0123."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{rounded(value):g}"
