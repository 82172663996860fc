"""docs/retry.md shows the table as it is."""

from pathlib import Path

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.explain import Explanation, explain
from dispatcher.core.retry_table.rows import RULES

DOCUMENT = Path(__file__).parents[2] / "docs" / "retry.md"


def section(error_type: str) -> str:
    heading = "### Requests (`http`)" if error_type == "http" else f"### {error_type}\n"
    _, text = DOCUMENT.read_text(encoding="utf-8").split(heading)
    return text.split("\n###")[0]


def _with_brackets(first: str, second: str) -> str:
    return f"{first} ({second})" if second else first


def line(explanation: Explanation) -> str:
    """The line that the document has to have for a row."""
    verdict = explanation.verdict
    if verdict != explanation.table_verdict:
        verdict += f", {explanation.table_verdict} with the remedy"
    cells = (
        f"{explanation.error_code}{' ◆' if explanation.partial else ''}",
        f"`{explanation.category}`",
        verdict,
        explanation.spends.replace("_", " "),
        _with_brackets(", ".join(explanation.delays) or "–", ", ".join(explanation.unproven_delays)),
        _with_brackets(str(explanation.max_attempts or "–"), str(explanation.unproven_max or "")),
        f"{explanation.scope} after {explanation.hold_after}" if explanation.scope else "–",
        ", ".join(f"{remedy.name}{'' if remedy.implemented else '*'}" for remedy in explanation.remedies) or "–",
        explanation.why,
    )
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("key", RULES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_each_row_stands_in_the_document(key: tuple[str, int]) -> None:
    """A row that changes has to change in the document too."""
    assert line(explain(*key, Policy())) in section(key[0]).splitlines()
