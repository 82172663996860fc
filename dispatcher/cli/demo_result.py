"""The result of a demo: compares the figures of bulkfax with those of the provider and lists the differences."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.console import Group

from dispatcher.cli.output import styled
from dispatcher.cli.tables import counts_table, pairs, reasons_table
from dispatcher.client import FINAL_STATES, Batch
from dispatcher.core.counted import counted
from dispatcher.core.durations import duration_text
from dispatcher.local.ledger import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """``rows`` are the data lines of the list, counted in the file and not by us."""

    rows: int
    batch: Batch
    comparison: Comparison
    healthy: bool
    #: problems that ``doctor`` reported
    findings: tuple[str, ...]
    seconds: float

    @property
    def refused(self) -> int:
        """Lines that became no job; a number that was there already is one of them."""
        return self.batch.refused + self.batch.duplicates

    @property
    def by_category(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for categories in self.batch.categories.values():
            counts.update(categories)
        return dict(counts.most_common())

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "accepted": self.batch.rows,
            "refused": self.refused,
            **{state: self.batch.counts.get(state, 0) for state in FINAL_STATES},
            "by_category": self.by_category,
            "faxes_at_provider": self.comparison.faxes,
            "doubled": len(self.comparison.doubled),
            "lost": len(self.comparison.lost),
            "seconds": round(self.seconds, 1),
        }

    def as_tables(self) -> Group:
        comparison = self.comparison
        provider = {
            "faxes at the provider": f"{comparison.faxes:,}",
            "delivered by a retry": counted(comparison.retried_to_delivery, "job"),
            "lost": str(len(comparison.lost)),
            "doubled": str(len(comparison.doubled)),
            "wrong state": str(len(comparison.wrong_state)),
            "doctor": "all checks passed" if self.healthy else "found problems",
            "time": duration_text(round(self.seconds)),
        }
        return Group(
            reasons_table(
                self.batch, f"{counted(self.rows, 'row')}: {self.batch.rows:,} accepted, {self.refused:,} refused"
            ),
            counts_table(self.batch, "What became of the jobs"),
            styled("What the provider's own ledger says\n", "bold"),
            pairs(provider),
        )

    def faults(self) -> list[str]:
        """Return one sentence for each difference; empty if everything is accounted for."""
        comparison, batch = self.comparison, self.batch
        lost, doubled, wrong = comparison.lost, comparison.doubled, comparison.wrong_state
        strays = comparison.strays
        checks = {
            f"{batch.rows} accepted and {self.refused} refused are not {counted(self.rows, 'row')}": (
                batch.rows + self.refused == self.rows
            ),
            f"{batch.final} of {counted(batch.rows, 'job')} in a final state": batch.final == batch.rows,
            f"{counted(len(lost), 'job')} lost: {_some(lost)}": not lost,
            f"{counted(len(doubled), 'job')} faxed twice: {_some(doubled)}": not doubled,
            f"{counted(len(wrong), 'job')} in a wrong state: {_some(wrong)}": not wrong,
            f"{counted(len(strays), 'fax', 'faxes')} of no job: {_some(strays)}": not strays,
            f"doctor found: {'; '.join(self.findings)}": self.healthy,
        }
        return [sentence for sentence, holds in checks.items() if not holds]


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
