"""What opens the provider's breaker, when a hold is probed, and what ends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.limits.holds import (
    ACCOUNT,
    ANSWERED,
    FOUND,
    LISTS_FAIL,
    PROBES_KEPT,
    PROVIDER,
    disproved_by_fax,
    disproved_by_refusal,
    is_providers_failure,
)
from dispatcher.core.outcome import Accepted, FaxStatus, FaxUpdate, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.core.reference.holding import (
    Answered,
    is_down,
    is_ended_by,
    is_probe_due,
    next_probe_ms,
    only_job_of,
    probes_kept,
    recent_failures,
    run_of_failures,
)

ACCEPTED = Accepted(update=FaxUpdate(fax_id="F", status=FaxStatus.UNFINISHED))
NOW = 1_795_000_000_000
SERIES = st.lists(st.integers(min_value=1, max_value=10**6), min_size=1, max_size=5).map(sorted)


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        (NotSent(reason="no connection"), True),
        (Unclear(reason="no answer"), True),
        *((Unclear(reason="", status=status), True) for status in (200, 204, 300, 302, 303, 408, 500, 502, 503, 504)),
        *((Refused(status=status), True) for status in (301, 307, 308, 405, 406, 409, 410, 423, 451, 499)),
        *((Refused(status=status), False) for status in (400, 401, 402, 403, 404, 413, 415, 422)),
        (RateLimited(), False),
        (ACCEPTED, False),
    ],
)
def test_only_sends_without_a_working_provider_behind_them_speak_against_it(
    outcome: SendOutcome, failure: bool
) -> None:
    """Refusals of a number, a document or a batch are answers, however many."""
    assert is_providers_failure(outcome) is failure


#: the outcomes of a probe, and the holds that stay
STAYS = [
    (frozenset(), {"provider", "auth", "funds"}),
    (ANSWERED, {"funds"}),
    (disproved_by_refusal("auth"), {"auth"}),
    (disproved_by_refusal("funds"), {"funds"}),
    (disproved_by_refusal("invalid_request"), {"funds"}),
    (disproved_by_refusal("not_permitted"), {"funds"}),
    (FOUND, {"provider", "funds"}),
    (disproved_by_fax(), {"provider"}),
    (disproved_by_fax("busy"), {"provider"}),
    (disproved_by_fax("document_convert", called=False), {"provider", "funds"}),
    (disproved_by_fax("funds", called=False), {"provider", "funds"}),
    (disproved_by_fax("funds", called=True), {"provider", "funds"}),
]


@pytest.mark.parametrize(("disproved", "stays"), STAYS)
def test_a_hold_ends_with_any_outcome_of_its_probe_but_the_failure_that_opened_it(
    disproved: frozenset[str], stays: set[str]
) -> None:
    holds = {"provider": (PROVIDER, "provider_unavailable"), "auth": (ACCOUNT, "auth"), "funds": (ACCOUNT, "funds")}
    assert {name for name, hold in holds.items() if not is_ended_by(*hold, disproved)} == stays


def test_that_sends_are_answered_says_nothing_of_a_list_that_cannot_be_read() -> None:
    assert not any(is_ended_by(PROVIDER, LISTS_FAIL, disproved) for disproved, _ in STAYS)


@pytest.mark.parametrize("category", ["config", "record_rolled_back"])
def test_a_hold_of_the_account_for_any_other_cause_is_ended_by_no_probe(category: str) -> None:
    assert not any(is_ended_by(ACCOUNT, category, disproved) for disproved, _ in STAYS)


@pytest.mark.parametrize(
    ("failed", "answered", "down"),
    [
        ({"a.0/1": 1, "a.1/1": 2}, Answered(), False),
        ({"a.0/1": 1, "a.1/1": 2, "b.0/1": 3}, Answered(), True),
        ({"a.0/1": 1, "a.0/2": 2}, Answered(), True),
        ({"a.0/1": 3, "a.0/2 503": 9}, Answered(at_ms=NOW - 60_000, sends=2), True),
        ({"a.0/1": 3, "a.0/2 503": 9}, Answered(at_ms=NOW - 60_000, sends=3), False),
        ({"a.0/1": 7, "a.1/1": 8, "a.2/1": 9}, Answered(at_ms=NOW - 60_000, sends=6), True),
        ({"a.0/1": 7, "a.1/1": 8, "a.2/1": 9}, Answered(at_ms=NOW - 59_999, sends=6), False),
        ({"a.0/1": 7, "a.1/1": 8, "a.2/1": 9}, Answered(at_ms=NOW, sends=6), False),
        ({"a.0/1": 7, "a.1/1": 8, "a.2/1": 9}, Answered(at_ms=NOW + 86_400_000, sends=6), True),
    ],
)
def test_few_failures_say_that_the_provider_is_down_when_it_answered_nobody_for_some_time(
    failed: dict[str, int], answered: Answered, down: bool
) -> None:
    assert is_down(failed, answered, NOW, 60_000, 3) is down


@given(
    times=st.lists(st.integers(0, 100), max_size=20),
    within_ms=st.integers(1, 50),
    hold_after=st.integers(1, 5),
)
def test_a_run_of_failures_is_none_that_is_too_old_and_no_more_than_are_needed(
    times: list[int], within_ms: int, hold_after: int
) -> None:
    failed = {str(name): ms for name, ms in enumerate(times)}
    run = run_of_failures(failed, 100, within_ms, hold_after)
    recent = sorted(ms for ms in times if ms > 100 - within_ms)
    assert sorted(run.values()) == recent[-hold_after:]
    assert (len(run) == hold_after) is (len(recent) >= hold_after)


@given(sent=st.lists(st.text(max_size=3), max_size=40))
def test_a_hold_remembers_its_last_probes(sent: list[str]) -> None:
    kept: tuple[str, ...] = ()
    for probe in sent:
        kept = probes_kept(kept, probe)
    assert kept == tuple(sent[-PROBES_KEPT:])


@given(series=SERIES, probes=st.integers(0, 9), sent_ms=st.integers(0, 10**13), sending_ms=st.integers(0, 10**5))
def test_probes_keep_to_the_series_and_never_overlap(
    series: list[int], probes: int, sent_ms: int, sending_ms: int
) -> None:
    next_ms = next_probe_ms(series, probes, sent_ms, sending_ms)
    assert next_ms - sent_ms == max(sending_ms, (series + [series[-1]] * 9)[probes])


@pytest.mark.parametrize(
    ("now_ms", "due"), [(99_999, False), (100_000, True), (98_000, False), (97_999, True), (-1, True), (10**15, True)]
)
def test_a_clock_that_was_set_back_puts_off_no_probe(now_ms: int, due: bool) -> None:
    assert is_probe_due(probe_at_ms=100_000, set_ms=100_000, now_ms=now_ms) is due


@pytest.mark.parametrize(
    ("failed", "only_job"), [([], ""), (["a.0/1", "a.0/2 503"], "a.0"), (["a.0/1", "a.0/2", "a.1/1"], "")]
)
def test_while_all_failures_are_one_jobs_another_may_try_as_soon_as_no_probe_is_under_way(
    failed: list[str], only_job: str
) -> None:
    assert only_job_of(failed) == only_job
    due = [is_probe_due(100_000, 0, now_ms, only_job=only_job, free_ms=20_000) for now_ms in (19_999, 20_000, 100_000)]
    assert due == [False, bool(only_job), True]


@given(failed=st.lists(st.booleans(), max_size=60), window=st.integers(1, 30))
def test_recent_failures_are_those_of_the_last_sends(failed: list[bool], window: int) -> None:
    """Kept step by step, it is what a look over the whole history says."""
    failures: tuple[int, ...] = ()
    for sends, is_failure in enumerate(failed, start=1):
        failures = recent_failures((*failures, sends) if is_failure else failures, sends, window)
    assert len(failures) == sum(failed[-window:])
