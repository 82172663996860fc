"""What holds of every retry decision, whatever the failure, the history and the policy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.job import FailureCounters, State
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide, decide_absent
from dispatcher.core.retry.decision import Decision, FailedAttempt, FailureHistory, GiveUp, LookUp, OpenHold, RetryAt
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import ERROR_TYPES, CalendarDelay, Category, Rule, Verdict

#: a machine under load is no failure of these tests
UNHURRIED = settings(deadline=None)

#: until the year 2100
NOWS = st.integers(min_value=1_700_000_000_000, max_value=4_100_000_000_000)
CHANCES = st.floats(min_value=0, max_value=1, exclude_max=True)
SMALL = st.integers(min_value=0, max_value=20)
POLICIES = st.builds(
    Policy,
    number_distance_s=st.floats(min_value=0, max_value=600),
    jitter=st.floats(min_value=0, max_value=0.5),
    delay_scale=st.sampled_from([1.0, 0.5, 0.002]),
    max_delay_s=st.none() | st.floats(min_value=0.1, max_value=7200),
    max_dials=st.integers(min_value=1, max_value=15),
    max_tries=st.integers(min_value=1, max_value=6),
    max_server_errors=st.integers(min_value=1, max_value=8),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Sydney", "America/New_York"]),
    business_morning=st.sampled_from(["00:00", "02:30", "09:00", "23:59"]),
    on_partial=st.sampled_from(["stop", "resend", "resume"]),
)
HISTORIES = st.builds(
    FailureHistory,
    failures=st.dictionaries(st.sampled_from([str(category) for category in Category]), SMALL),
    counters=st.builds(FailureCounters, dials=SMALL, tries=SMALL, server_errors=SMALL),
    best_pages=SMALL,
    proven=st.booleans(),
    already_fine=st.booleans(),
    lookups=SMALL,
)
PAGES = st.tuples(SMALL, SMALL)
#: documented pairs, and anything that a provider may make up
PAIRS = st.sampled_from(sorted(RULES)) | st.tuples(
    st.sampled_from(ERROR_TYPES) | st.text(max_size=8), st.integers(min_value=-5, max_value=2000)
)


def outcome(
    rule: Rule, pages: tuple[int, int], history: FailureHistory, policy: Policy, now_ms: int, chance: float
) -> Decision:
    return decide(
        FailedAttempt(rule=rule, pages_sent=pages[0], pages_total=pages[1], history=history),
        DecisionContext(policy=policy, now_ms=now_ms, chance=chance),
    )


@UNHURRIED
@given(PAIRS, PAGES, HISTORIES, POLICIES, NOWS, CHANCES)
def test_every_failure_gets_a_decision_that_is_not_in_the_past(
    pair: tuple[str, int], pages: tuple[int, int], history: FailureHistory, policy: Policy, now_ms: int, chance: float
) -> None:
    """Nothing is due before now, and a number that was called is not called again within the distance."""
    rule = classify(*pair, policy=policy)
    decision = outcome(rule, pages, history, policy, now_ms, chance)
    assert decision.why
    match decision:
        case RetryAt(at_ms=at_ms):
            distance_ms = round(policy.number_distance_s * 1000) if rule.called else 0
            assert at_ms >= now_ms + distance_ms
        case OpenHold(at_ms=at_ms) | LookUp(first_lookup_ms=at_ms):
            assert at_ms > now_ms
        case GiveUp(state=state):
            assert state in (State.FAILED, State.DELIVERED_UNCONFIRMED)


@UNHURRIED
@given(PAIRS, PAGES, HISTORIES, POLICIES, NOWS, CHANCES)
def test_no_retry_is_past_a_cap(
    pair: tuple[str, int], pages: tuple[int, int], history: FailureHistory, policy: Policy, now_ms: int, chance: float
) -> None:
    """A retry leaves every counter below its cap and the category below its limit, unless it is free."""
    rule = classify(*pair, policy=policy)
    decision = outcome(rule, pages, history, policy, now_ms, chance)
    if isinstance(decision, RetryAt) and rule.category not in (Category.RATE_LIMITED, Category.TRANSPORT):
        counts = decision.counters
        assert counts.dials < policy.max_dials
        assert counts.tries < policy.max_tries
        assert counts.server_errors < policy.max_server_errors
        limit = rule.max_for(history.proven)
        assert limit == 0 or history.failures.get(rule.category, 0) + 1 < limit


@UNHURRIED
@given(st.sampled_from(sorted(RULES)), HISTORIES, POLICIES, NOWS, CHANCES)
def test_a_retry_lies_within_the_jitter_of_its_delay(
    pair: tuple[str, int], history: FailureHistory, policy: Policy, now_ms: int, chance: float
) -> None:
    """The wait is the row's delay moved by at most the jitter, or the least distance if that is longer."""
    rule = classify(*pair, policy=policy)
    decision = outcome(rule, (0, 0), history, policy, now_ms, chance)
    if not isinstance(decision, RetryAt) or not rule.delays:
        return
    delays = rule.delays_for(history.proven)
    delay = delays[min(history.failures.get(rule.category, 0), len(delays) - 1)]
    if isinstance(delay, CalendarDelay):
        return
    nominal_s = min(delay * policy.delay_scale, policy.max_delay_s or delay)
    distance_s = policy.number_distance_s if rule.called else 0
    waited_s = (decision.at_ms - now_ms) / 1000
    assert waited_s >= nominal_s * (1 - policy.jitter) - 0.001
    assert waited_s <= max(nominal_s * (1 + policy.jitter), distance_s) + 0.002


@UNHURRIED
@given(PAIRS, PAGES, HISTORIES, POLICIES, NOWS, CHANCES)
def test_a_verdict_allows_only_its_decisions(
    pair: tuple[str, int], pages: tuple[int, int], history: FailureHistory, policy: Policy, now_ms: int, chance: float
) -> None:
    """Permanent never retries, a hold spends nothing, and what is uncertain is never sent before a look-up.

    Whatever the verdict, pages that arrived may end the job.
    """
    rule = classify(*pair, policy=policy)
    decision = outcome(rule, pages, history, policy, now_ms, chance)
    if isinstance(decision, GiveUp) and decision.state is State.DELIVERED_UNCONFIRMED:
        assert pages[0] > 0
        return
    allowed = {
        Verdict.PERMANENT: (GiveUp,),
        Verdict.HOLD: (OpenHold,),
        Verdict.UNCERTAIN: (LookUp, OpenHold),
        Verdict.RETRY: (RetryAt, GiveUp),
    }
    assert isinstance(decision, allowed[rule.verdict_now])


@UNHURRIED
@given(PAIRS, st.integers(min_value=1, max_value=20), HISTORIES, POLICIES, NOWS, CHANCES)
def test_a_fax_whose_pages_all_arrived_is_not_sent_again(
    pair: tuple[str, int], pages: int, history: FailureHistory, policy: Policy, now_ms: int, chance: float
) -> None:
    """Whatever failed after it, and whatever the policy says of faxes that were sent in part."""
    rule = classify(*pair, policy=policy)
    decision = outcome(rule, (pages, pages), history, policy, now_ms, chance)
    assert isinstance(decision, GiveUp)
    assert decision.state is State.DELIVERED_UNCONFIRMED


@UNHURRIED
@given(PAIRS, HISTORIES, POLICIES, NOWS, CHANCES)
def test_an_absent_send_is_repeated_within_the_cap_of_server_errors(
    pair: tuple[str, int], history: FailureHistory, policy: Policy, now_ms: int, chance: float
) -> None:
    """Whatever the unclear answer was, its repeats end."""
    rule = classify(*pair, policy=policy)
    if rule.verdict is not Verdict.UNCERTAIN:
        return
    decision = decide_absent(
        FailedAttempt(rule=rule, history=history), DecisionContext(policy=policy, now_ms=now_ms, chance=chance)
    )
    if isinstance(decision, RetryAt):
        assert now_ms <= decision.at_ms
        assert decision.counters.server_errors < policy.max_server_errors


#: the failures of a fax that are tried again
RETRIED = [pair for pair, rule in RULES.items() if rule.verdict_now is Verdict.RETRY and rule.error_type != "http"]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(RETRIED), PAGES), min_size=75, max_size=75),
    POLICIES,
    st.booleans(),
    CHANCES,
)
def test_every_life_of_failed_faxes_ends(
    failures: list[tuple[tuple[str, int], tuple[int, int]]], policy: Policy, proven: bool, chance: float
) -> None:
    """No order of failures and pages keeps a job alive: the limits of the categories add up to less than 75."""
    history = FailureHistory(proven=proven)
    for pair, pages in failures:
        rule = classify(*pair, policy=policy)
        decision = outcome(rule, pages, history, policy, 1_772_000_000_000, chance)
        if isinstance(decision, GiveUp):
            return
        assert isinstance(decision, RetryAt)
        history = FailureHistory(
            failures={**history.failures, rule.category: history.failures.get(rule.category, 0) + 1},
            counters=FailureCounters(dials=decision.counters.dials, tries=decision.counters.tries),
            best_pages=max(history.best_pages, pages[0]),
            proven=proven,
        )
    pytest.fail("the job is still alive")
