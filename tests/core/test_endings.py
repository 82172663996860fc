"""Final states and holds that metrics show from the start: what a job can come to is among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import FINAL, FailureCounters, State
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide, decide_absent
from dispatcher.core.retry.decision import FailedAttempt, FailureHistory, GiveUp, LookUp, OpenHold
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import ERROR_TYPES, Rule, Scope, Verdict
from dispatcher.core.settlement.endings import all_rules, final_pairs, hold_pairs

POLICY = Policy()
CODES = st.sampled_from([code for _, code in RULES]) | st.integers(0, 999)


def ends_of(rule: Rule, *, on_partial: str = "", **pages: int) -> set[State]:
    """What a failure ends its job as, asked once for its first and once for its last attempt."""
    ends = set[State]()
    for many in (0, 1_000):
        counters = FailureCounters(dials=many, tries=many, server_errors=many)
        history = FailureHistory(failures={rule.category: many}, counters=counters)
        context = DecisionContext(policy=POLICY, now_ms=1_772_532_000_000, chance=0.5, on_partial=on_partial)
        decision = decide(FailedAttempt(rule=rule, history=history, **pages), context)
        if isinstance(decision, LookUp):
            decision = decide_absent(FailedAttempt(rule=rule, history=history), context)
        if isinstance(decision, GiveUp):
            ends.add(decision.state)
    return ends


@given(st.sampled_from(ERROR_TYPES[1:-2]), CODES, st.integers(0, 3), st.sampled_from(["stop", "resend", "resume", ""]))
def test_a_fax_that_fails_ends_its_job_in_a_pair_that_is_known(
    error_type: str, error_code: int, sent: int, on_partial: str
) -> None:
    rule = classify(error_type, error_code, policy=POLICY)
    ends = ends_of(rule, pages_sent=sent, pages_total=3, on_partial=on_partial)
    assert {(state, str(rule.category)) for state in ends} <= final_pairs()


@given(st.integers(300, 599))
def test_an_answer_that_ends_a_job_ends_it_in_a_pair_that_is_known(status: int) -> None:
    rule = classify("http", status, policy=POLICY)
    assert {(state, str(rule.category)) for state in ends_of(rule)} <= final_pairs()


def test_every_final_state_is_there_and_no_other() -> None:
    assert {state for state, _ in final_pairs()} == set(FINAL)
    assert (State.DELIVERED, "") in final_pairs()
    assert not {(State.DELIVERED, "busy"), (State.FAILED, ""), (State.FAILED, "auth")} & final_pairs()


@pytest.mark.parametrize(
    "pair",
    [
        *(("account", category) for category in ("auth", "funds", "config", "record_rolled_back")),
        *(("provider", category) for category in ("provider_unavailable", "submit_unknown")),
        *(("job", category) for category in ("internal", "submit_unknown")),
        ("country", "not_permitted"),
        ("batch", "config"),
        ("document", "document_invalid"),
    ],
)
def test_holds_that_are_opened_are_known(pair: tuple[str, str]) -> None:
    assert pair in hold_pairs()


def test_every_rule_that_holds_is_among_them() -> None:
    held = {rule for rule in all_rules() if rule.verdict is Verdict.HOLD}
    assert {(str(rule.scope or Scope.JOB), str(rule.category)) for rule in held} <= hold_pairs()
    assert isinstance(
        decide(
            FailedAttempt(rule=next(iter(held))), DecisionContext(policy=POLICY, now_ms=1_772_532_000_000, chance=0.5)
        ),
        OpenHold,
    )


def test_pages_that_arrived_count_whatever_the_fax_failed_with() -> None:
    rule = classify("DOCUMENT_CONVERSION_ERROR", 4, policy=POLICY)
    assert ends_of(rule, pages_sent=3, pages_total=3) == {State.DELIVERED_UNCONFIRMED}
    assert (State.DELIVERED_UNCONFIRMED, "document_convert") in final_pairs()
