"""Counts with their nouns, and no sentence of ours that writes "1 lines"."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.counted import counted, percent, share_of

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


@given(st.integers(1, 10**7), st.data())
def test_only_all_of_it_is_one(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.one_of(st.integers(0, whole), st.integers(max(0, whole - 2), whole)))
    share = share_of(part, whole)
    assert 0 <= share <= part / whole
    assert (share == 1) == (part == whole)
    assert part / whole - share < 0.0001
    for shown in (share, part / whole):
        assert (percent(shown), percent(shown, 1)).count("100 %") == (part == whole)
        assert (percent(shown, 1) == "100.0 %") == (part == whole)
    assert (percent(part / whole) == "0 %") == (part == 0)


@pytest.mark.parametrize(
    ("share", "text", "exact"),
    [
        (0.0, "0 %", "0.0 %"),
        (0.29, "29 %", "29.0 %"),
        (0.0001, "<1 %", "<0.1 %"),
        (0.5119, "51 %", "51.1 %"),
        (0.9999, "99 %", "99.9 %"),
        (1.0, "100 %", "100.0 %"),
    ],
)
def test_a_share_is_rounded_down(share: float, text: str, exact: str) -> None:
    assert (percent(share), percent(share, 1)) == (text, exact)
