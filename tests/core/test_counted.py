"""Counts with their nouns, and no sentence of ours that writes "1 lines"."""

import re
from pathlib import Path

import pytest

from dispatcher.core.counted import counted

#: a count in a formatted text, followed by a noun in the plural
_PLURAL = re.compile(
    r"\{[^{}]*\} (?:other |of the |new )?(jobs|lines|rows|faxes|attempts|warnings|drafts|batches|callbacks|numbers|"
    r"entries|duplicates|recipients|documents|pages|calls|countries|replicas|workers|minutes)\b(?!/)"
)
#: limits that are never 1, and words that follow no count
_FINE = ("MAX_", "_MAX", "replace(")


@pytest.mark.parametrize(
    ("count", "nouns", "text"),
    [
        (0, ("line",), "0 lines"),
        (1, ("line",), "1 line"),
        (12_000, ("line",), "12,000 lines"),
        (1, ("country", "countries"), "1 country"),
        (2, ("country", "countries"), "2 countries"),
        (1.0, ("fax", "faxes"), "1 fax"),
        (0.5, ("fax", "faxes"), "0.5 faxes"),
    ],
)
def test_a_noun_agrees_with_its_count(count: int, nouns: tuple[str, ...], text: str) -> None:
    assert counted(count, *nouns) == text


def test_sentences_count_with_the_function(repository: Path) -> None:
    wrong = [
        f"{path.relative_to(repository)}: {line.strip()}"
        for path in sorted((repository / "dispatcher").rglob("*.py"))
        if "emulator" not in path.parts
        for line in path.read_text().splitlines()
        if _PLURAL.search(line) and not any(fine in line for fine in _FINE)
    ]
    assert not wrong, "\n".join(wrong)
