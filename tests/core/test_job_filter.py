"""Which jobs a filter means."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.batch import Tally
from dispatcher.core.job import JOB_STATES, FailureCode, Recipient, Record, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES

RECIPIENT = Recipient(line=1, number="+493023125001", region="DE", reference="A1")
RECORD = Record(
    state=State.FAILED,
    country="DE",
    attempt=3,
    failure=FailureCode(category="busy", error_type="CALL_ERROR", error_code=17),
    changed_ms=1_000,
)


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ({}, True),
        ({"states": {State.FAILED, State.EXPIRED}}, True),
        ({"states": {State.EXPIRED}}, False),
        ({"categories": {"busy", "no_answer"}}, True),
        ({"categories": {"no_answer"}}, False),
        ({"error_types": {"CALL_ERROR"}}, True),
        ({"error_types": {"FAX_ERROR"}}, False),
        ({"error_codes": {17, 18}}, True),
        ({"error_codes": {18}}, False),
        ({"countries": {"DE"}}, True),
        ({"countries": {"AT"}}, False),
        ({"prefixes": ("+4940", "+4930")}, True),
        ({"prefixes": ("+4940",)}, False),
        ({"numbers": {"+493023125001"}}, True),
        ({"numbers": {"+493023125002"}}, False),
        ({"references": {"A1", "A2"}}, True),
        ({"references": {"a1"}}, False),
        ({"since_ms": 1_000}, True),
        ({"since_ms": 1_001}, False),
        ({"until_ms": 1_001}, True),
        ({"until_ms": 1_000}, False),
        ({"min_attempts": 3, "max_attempts": 3}, True),
        ({"min_attempts": 4}, False),
        ({"max_attempts": 2}, False),
        ({"max_attempts": 0}, False),
        ({"rows": {6, 7}}, True),
        ({"rows": set()}, False),
        ({"categories": {"busy"}, "prefixes": ("+4930",), "since_ms": 1}, True),
        ({"categories": {"busy"}, "prefixes": ("+4940",)}, False),
    ],
)
def test_a_job_matches_if_it_matches_every_field(asked: dict[str, Any], matches: bool) -> None:
    sets: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, set) else value for name, value in asked.items()
    }
    assert JobFilter(**sets).matches(7, RECIPIENT, RECORD) is matches


def test_a_job_whose_state_never_changed_has_no_time() -> None:
    new = replace(RECORD, changed_ms=0)
    assert not JobFilter(until_ms=10**12).matches(7, RECIPIENT, new)
    assert JobFilter().matches(7, RECIPIENT, new)


def test_a_row_without_a_job_never_matches() -> None:
    assert not JobFilter().matches(7, RECIPIENT, replace(RECORD, state=State.VOID))


states = st.sampled_from(JOB_STATES)
categories = st.sampled_from(CATEGORIES)
records = st.builds(
    Record,
    state=states,
    country=st.sampled_from(["", "DE", "US", "001"]),
    attempt=st.integers(0, 5),
    failure=st.builds(
        FailureCode,
        category=categories,
        error_type=st.sampled_from(ERROR_TYPES),
        error_code=st.integers(0, 3),
    ),
    changed_ms=st.integers(0, 5),
)
filters = st.builds(
    JobFilter,
    states=st.frozensets(states, max_size=2),
    categories=st.frozensets(categories, max_size=2),
    error_types=st.frozensets(st.sampled_from(ERROR_TYPES[1:]), max_size=2),
    error_codes=st.frozensets(st.integers(0, 3), max_size=2),
    countries=st.frozensets(st.sampled_from(["DE", "US", "001"]), max_size=2),
    prefixes=st.lists(st.sampled_from(["+49", "+4930", "+1"]), max_size=2).map(tuple),
    numbers=st.frozensets(st.sampled_from(["+493023125001", "+12025550101"]), max_size=2),
    references=st.frozensets(st.sampled_from(["A1", "A2"]), max_size=2),
    since_ms=st.integers(0, 5),
    until_ms=st.integers(0, 5),
    min_attempts=st.integers(0, 5),
    max_attempts=st.none() | st.integers(0, 5),
    rows=st.none() | st.frozensets(st.integers(0, 9), max_size=5),
)


@given(filters, st.lists(records, max_size=10))
def test_no_more_jobs_match_than_the_counts_of_the_batch_allow(asked: JobFilter, jobs: list[Record]) -> None:
    by_category: dict[tuple[State, str], int] = {}
    for record in jobs:
        outcome = (record.state, record.failure.category)
        by_category[outcome] = by_category.get(outcome, 0) + 1
    matching = sum(asked.matches(row, RECIPIENT, record) for row, record in enumerate(jobs))
    assert matching <= asked.limit_of(Tally(by_state={}, by_category=by_category))


@given(filters, filters, records)
def test_a_filter_with_more_fields_means_fewer_jobs(first: JobFilter, second: JobFilter, record: Record) -> None:
    names = ("states", "categories", "error_types", "error_codes", "countries", "numbers", "references")
    both = JobFilter(**{name: getattr(first, name) or getattr(second, name) for name in names})
    alone = JobFilter(**{name: getattr(first, name) for name in names})
    assert not both.matches(0, RECIPIENT, record) or alone.matches(0, RECIPIENT, record)


@given(filters)
def test_a_filter_survives_being_stored(asked: JobFilter) -> None:
    assert JobFilter.from_plain(asked.plain()) == asked
