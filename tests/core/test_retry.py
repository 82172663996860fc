"""The retry decision by example: failure and history in, decision out."""

import pytest

from dispatcher.core.job import FailureCounters, State
from dispatcher.core.policy.policy import OnPartial, Policy
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide, decide_absent
from dispatcher.core.retry.decision import (
    Decision,
    FailedAttempt,
    FailureHistory,
    GiveUp,
    GiveUpReason,
    LookUp,
    OpenHold,
    RetryAt,
)
from dispatcher.core.retry.waits import (
    backoff_429,
    backoff_transport,
    capped_retry_after_s,
    next_lookup_ms,
    poll_delay_s,
    probes_s,
    readback_delay_s,
)
from dispatcher.core.retry_table.requests import CALLBACK_MISSING, INTERNAL, READBACK_MISSING, SUBMIT_UNKNOWN, TRANSPORT
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import Category, Rule, Scope

POLICY = Policy()
NOW = 1_772_000_000_000
#: the chance at which jitter moves nothing
MIDDLE = 0.5


def rule(error_type: str, code: int, policy: Policy = POLICY) -> Rule:
    return classify(error_type, code, policy=policy)


def after(
    failure: Rule,
    history: FailureHistory | None = None,
    *,
    pages: tuple[int, int] = (0, 0),
    on_partial: str = "",
    policy: Policy = POLICY,
    deadline_ms: int = 0,
) -> Decision:
    return decide(
        FailedAttempt(
            rule=failure,
            pages_sent=pages[0],
            pages_total=pages[1],
            history=history or FailureHistory(),
            deadline_ms=deadline_ms,
        ),
        DecisionContext(on_partial=on_partial, policy=policy, now_ms=NOW, chance=MIDDLE),
    )


def wait_s(decision: Decision) -> float:
    assert isinstance(decision, RetryAt)
    return (decision.at_ms - NOW) / 1000


@pytest.mark.parametrize(("before", "seconds"), [(0, 180), (1, 300), (2, 600), (6, 7200)])
def test_busy_walks_down_its_list(before: int, seconds: int) -> None:
    """Each failure of a category takes the next delay of its list."""
    decision = after(
        rule("CALL_ERROR", 17), FailureHistory(failures={"busy": before}, counters=FailureCounters(dials=before))
    )
    assert wait_s(decision) == seconds


def test_each_category_walks_its_own_list() -> None:
    """Busy lines before it do not lengthen the wait after the first unanswered call."""
    history = FailureHistory(failures={"busy": 5}, counters=FailureCounters(dials=5))
    assert wait_s(after(rule("CALL_ERROR", 16), history)) == 300


def test_a_retry_says_which_attempt_it_was_and_when_the_next_comes() -> None:
    """The sentence for people names category, attempt, limit and wait."""
    decision = after(rule("CALL_ERROR", 17), FailureHistory(failures={"busy": 1}, counters=FailureCounters(dials=1)))
    assert decision.why == "busy, attempt 2 of 8: next call in 5 m"


def test_the_last_attempt_of_a_category_ends_the_job() -> None:
    """After eight busy lines the job fails, with its dials counted."""
    decision = after(rule("CALL_ERROR", 17), FailureHistory(failures={"busy": 7}, counters=FailureCounters(dials=7)))
    assert decision == GiveUp(
        counters=FailureCounters(dials=8, tries=0, server_errors=0),
        reason=GiveUpReason.ATTEMPTS,
        why="busy, attempt 8 of 8: no attempt is left",
    )
    assert decision.state is State.FAILED


def test_twelve_dials_end_a_job_whatever_their_categories() -> None:
    """The cap over all failed calls holds although no category is exhausted."""
    decision = after(
        rule("CALL_ERROR", 17),
        FailureHistory(failures={"no_answer": 3, "congestion": 5, "call_setup": 3}, counters=FailureCounters(dials=11)),
    )
    assert isinstance(decision, GiveUp)
    assert (decision.state, decision.reason, decision.counters.dials) == (State.FAILED, GiveUpReason.DIALS, 12)


def test_four_tries_without_progress_end_a_job() -> None:
    """Answered calls have a smaller cap of their own."""
    decision = after(
        rule("FAX_ERROR", 12), FailureHistory(failures={"fax_protocol": 3}, counters=FailureCounters(tries=3))
    )
    assert isinstance(decision, GiveUp)
    assert decision.reason is GiveUpReason.TRIES


def test_a_page_more_than_ever_starts_the_count_of_tries_anew() -> None:
    """A call that got further than all before it does not count against the cap."""
    policy = Policy(on_partial="resend")
    history = FailureHistory(failures={"training": 3}, counters=FailureCounters(tries=3), best_pages=1)
    further = after(rule("FAX_ERROR", 6, policy), history, pages=(2, 5), policy=policy)
    no_further = after(rule("FAX_ERROR", 6, policy), history, pages=(1, 5), policy=policy)
    assert isinstance(further, RetryAt)
    assert further.counters.tries == 0
    assert isinstance(no_further, GiveUp)


def test_permanent_is_never_tried_again() -> None:
    """A number out of operation ends the job at its first failure."""
    decision = after(rule("CALL_ERROR", 34))
    assert isinstance(decision, GiveUp)
    assert (decision.state, decision.reason) == (State.FAILED, GiveUpReason.PERMANENT)


@pytest.mark.parametrize(("proven", "seconds", "limit"), [(True, 300, 5), (False, 900, 3)])
def test_unproven_numbers_get_the_shorter_list(proven: bool, seconds: int, limit: int) -> None:
    """Without a success in memory a number that gives no fax tone is called less."""
    tone = rule("CALL_ERROR", 30)
    assert wait_s(after(tone, FailureHistory(proven=proven))) == seconds
    last = after(
        tone,
        FailureHistory(failures={"no_fax_tone": limit - 1}, counters=FailureCounters(dials=limit - 1), proven=proven),
    )
    assert isinstance(last, GiveUp)


def test_a_retry_at_once_still_keeps_the_distance_between_calls() -> None:
    """After a call the next one to the number comes no earlier than the least distance."""
    assert wait_s(after(rule("FAX_ERROR", 25))) == 60


def test_a_failure_without_a_call_has_no_distance_to_keep() -> None:
    """A delay under the least distance holds where the number was not called."""
    assert wait_s(after(rule("DOCUMENT_CONVERSION_ERROR", 54))) == 30


def test_a_failed_fetch_spends_no_counter() -> None:
    """Faults of documents and of the provider's storage leave dials and tries as they are."""
    decision = after(rule("DOCUMENT_CONVERSION_ERROR", 57), FailureHistory(counters=FailureCounters(dials=2, tries=1)))
    assert isinstance(decision, RetryAt)
    assert decision.counters == FailureCounters(dials=2, tries=1, server_errors=0)


@pytest.mark.parametrize(
    ("code", "before", "fine"), [(6, 0, False), (6, 1, True), (10, 0, True), (25, 0, True), (18, 0, False)]
)
def test_fine_is_forced_where_the_row_says(code: int, before: int, fine: bool) -> None:
    """The second retry after a protocol error is in FINE, the first after some others."""
    failure = rule("FAX_ERROR", code)
    decision = after(
        failure, FailureHistory(failures={failure.category: before}, counters=FailureCounters(tries=before))
    )
    assert isinstance(decision, RetryAt)
    assert decision.force_fine is fine


def test_fine_stays_forced_when_the_next_failure_is_another() -> None:
    """A machine that could not take the resolution gets FINE after a busy line as well."""
    decision = after(
        rule("CALL_ERROR", 17), FailureHistory(failures={"capability": 1}, counters=FailureCounters(tries=1))
    )
    assert isinstance(decision, RetryAt)
    assert decision.force_fine


def test_a_refused_size_fails_when_the_fax_was_in_fine_already() -> None:
    """Without anything to change the same pages are not sent again."""
    decision = after(rule("FAX_ERROR", 7), FailureHistory(already_fine=True))
    assert isinstance(decision, GiveUp)
    assert decision.reason is GiveUpReason.NOTHING_TO_CHANGE


@pytest.mark.parametrize("code", [128, 129, 133])
def test_a_missing_remedy_takes_its_fallback(code: int) -> None:
    """Documents that would have to be changed first fail, as long as nothing here can change them."""
    assert isinstance(after(rule("DOCUMENT_CONVERSION_ERROR", code)), GiveUp)


#: with and without a documented row, marked and not, held and for good
PAIRS = [
    ("FAX_ERROR", 8),
    ("FAX_ERROR", 13),
    ("FAX_ERROR", 20),
    ("FAX_ERROR", 46),
    ("FAX_ERROR", 48),
    ("FAX_ERROR", 76),
    ("FAX_ERROR", 999),
    ("CALL_ERROR", 17),
    ("CALL_ERROR", 34),
    ("LINE_ERROR", 89),
    ("FATAL_ERROR", 9),
    ("GENERAL_ERROR", 3),
    ("GENERAL_ERROR", 105),
    ("MOON_ERROR", 4),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
@pytest.mark.parametrize("on_partial", ["stop", "resend", "resume"])
def test_all_pages_sent_is_never_sent_again(on_partial: OnPartial, pair: tuple[str, int]) -> None:
    """When every page arrived the job ends unconfirmed, whatever failed and whatever is done with partly sent faxes."""
    decision = after(rule(*pair), pages=(3, 3), policy=Policy(on_partial=on_partial), on_partial=on_partial)
    assert isinstance(decision, GiveUp)
    assert (decision.state, decision.reason) == (State.DELIVERED_UNCONFIRMED, GiveUpReason.PAGES_CONFIRMED)


#: marked, or without a documented row
PARTIAL = [pair for pair in PAIRS if pair[1] == 8 or pair not in RULES]


@pytest.mark.parametrize("pair", PARTIAL, ids=lambda pair: f"{pair[0]}-{pair[1]}")
@pytest.mark.parametrize("pages", [(2, 5), (2, 0)])
def test_a_partly_sent_fax_stops_by_default(pages: tuple[int, int], pair: tuple[str, int]) -> None:
    """Some pages arrived: the job ends unconfirmed, also when the number of pages is not known."""
    decision = after(rule(*pair), pages=pages)
    assert isinstance(decision, GiveUp)
    assert (decision.state, decision.reason) == (State.DELIVERED_UNCONFIRMED, GiveUpReason.PARTIAL)


@pytest.mark.parametrize("on_partial", ["resend", "resume"])
def test_a_partly_sent_fax_is_sent_again_if_the_policy_says_so(on_partial: OnPartial) -> None:
    """Resuming is not built, so it sends the whole fax like resending."""
    policy = Policy(on_partial=on_partial)
    assert wait_s(after(rule("FAX_ERROR", 21), pages=(2, 5), policy=policy)) == 600


@pytest.mark.parametrize("policy", [Policy(on_partial="stop"), Policy(on_partial="resend")])
def test_the_choice_of_the_batch_comes_before_that_of_the_policy(policy: Policy) -> None:
    stopped = after(rule("FAX_ERROR", 8), pages=(3, 10), policy=policy, on_partial="stop")
    again = after(rule("FAX_ERROR", 8), pages=(3, 10), policy=policy, on_partial="resend")
    assert isinstance(stopped, GiveUp)
    assert wait_s(again) == 120


def test_some_pages_do_not_matter_on_documented_rows_without_the_mark() -> None:
    """They are retried by their list."""
    assert wait_s(after(rule("FAX_ERROR", 20), pages=(2, 5))) == 120


@pytest.mark.parametrize(
    ("status", "scope", "category", "series"),
    [
        (401, Scope.ACCOUNT, Category.AUTH, (60.0, 300.0)),
        (402, Scope.ACCOUNT, Category.FUNDS, (900.0,)),
        (403, Scope.COUNTRY, Category.NOT_PERMITTED, ()),
        (404, Scope.BATCH, Category.CONFIG, ()),
    ],
)
def test_refusals_that_are_not_the_jobs_fault_hold_their_scope(
    status: int, scope: Scope, category: Category, series: tuple[float, ...]
) -> None:
    """The job waits unspent; a probe or a person ends the hold."""
    decision = after(rule("http", status))
    assert isinstance(decision, OpenHold)
    assert (decision.scope, decision.category, decision.probes_s) == (scope, category, series)
    assert decision.at_ms == NOW + 60_000


def test_work_that_keeps_failing_here_is_held_for_a_person() -> None:
    """A job whose workers vanish again and again is held alone and by hand."""
    decision = after(INTERNAL)
    assert isinstance(decision, OpenHold)
    assert (decision.scope, decision.category, decision.probes_s) == (Scope.JOB, Category.INTERNAL, ())


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_refusals_of_the_request_end_the_job(status: int) -> None:
    """The same request would be refused again."""
    assert isinstance(after(rule("http", status)), GiveUp)


@pytest.mark.parametrize("status", [0, 408, 500, 502, 503, 504])
def test_an_unclear_send_is_looked_up_before_anything_else(status: int) -> None:
    """The first look-up comes after the send deadline, even when the answer came early."""
    decision = after(rule("http", status), deadline_ms=NOW + 12_000)
    assert isinstance(decision, LookUp)
    assert decision.first_lookup_ms == NOW + 12_000 + 15_000


def test_looks_count_from_now_when_the_deadline_has_passed() -> None:
    """A deadline in the past does not make the first look-up come at once."""
    decision = after(SUBMIT_UNKNOWN, deadline_ms=NOW - 60_000)
    assert isinstance(decision, LookUp)
    assert decision.first_lookup_ms == NOW + 15_000


def test_a_send_that_was_never_found_is_sent_again() -> None:
    """Once believed absent it goes out again without a further wait and counts as a server error."""
    decision = decide_absent(
        FailedAttempt(rule=SUBMIT_UNKNOWN, history=FailureHistory()),
        DecisionContext(policy=POLICY, now_ms=NOW, chance=MIDDLE),
    )
    assert wait_s(decision) == 0
    assert isinstance(decision, RetryAt)
    assert decision.counters == FailureCounters(dials=0, tries=0, server_errors=1)


def test_a_server_error_that_was_never_accepted_follows_its_list() -> None:
    """After the look-ups of a 500 the delays of the row hold."""
    decision = decide_absent(
        FailedAttempt(
            rule=rule("http", 500),
            history=FailureHistory(failures={"provider_error": 2}, counters=FailureCounters(server_errors=2)),
        ),
        DecisionContext(policy=POLICY, now_ms=NOW, chance=MIDDLE),
    )
    assert wait_s(decision) == 120


@pytest.mark.parametrize("server_errors", [0, 5, 200])
def test_failures_of_a_provider_that_answers_nobody_spend_nothing_and_end_nothing(server_errors: int) -> None:
    """The job goes when the hold of the provider lets it go, and not after a delay that grows."""
    decision = decide_absent(
        FailedAttempt(
            rule=rule("http", 500),
            history=FailureHistory(
                failures={"provider_error": server_errors}, counters=FailureCounters(server_errors=server_errors)
            ),
        ),
        DecisionContext(policy=POLICY, now_ms=NOW, chance=MIDDLE),
        answered=False,
    )
    assert wait_s(decision) == 5
    assert isinstance(decision, RetryAt)
    assert decision.counters == FailureCounters(dials=0, tries=0, server_errors=server_errors)
    assert "nothing is spent" in decision.why


def test_server_errors_have_a_cap_of_their_own() -> None:
    """The sixth failure of the provider's servers ends the job, though their kinds differ."""
    decision = decide_absent(
        FailedAttempt(
            rule=SUBMIT_UNKNOWN,
            history=FailureHistory(failures={"provider_error": 5}, counters=FailureCounters(server_errors=5)),
        ),
        DecisionContext(policy=POLICY, now_ms=NOW, chance=MIDDLE),
    )
    assert isinstance(decision, GiveUp)
    assert decision.reason is GiveUpReason.SERVER_ERRORS


@pytest.mark.parametrize(("lookups", "seconds"), [(0, 120), (1, 300), (2, 600), (9, 600)])
def test_an_overdue_fax_is_read_back_for_as_long_as_it_takes(lookups: int, seconds: int) -> None:
    """The last delay between read-backs repeats."""
    decision = after(CALLBACK_MISSING, FailureHistory(lookups=lookups))
    assert isinstance(decision, LookUp)
    assert decision.first_lookup_ms == NOW + seconds * 1000


def test_an_accepted_fax_that_cannot_be_read_ends_in_a_persons_hands() -> None:
    """404 on a read-back is looked at three times more, then the job is held, neither failed nor resent."""
    waits = []
    for lookups in range(3):
        decision = after(READBACK_MISSING, FailureHistory(lookups=lookups))
        assert isinstance(decision, LookUp)
        waits.append((decision.first_lookup_ms - NOW) / 1000)
    assert waits == [30, 120, 600]
    last = after(READBACK_MISSING, FailureHistory(lookups=3))
    assert isinstance(last, OpenHold)
    assert last.scope is Scope.JOB


def test_an_unreachable_callback_is_no_failure_of_the_job() -> None:
    """The news is fetched every two minutes instead."""
    decision = after(rule("http", 800), FailureHistory(lookups=7))
    assert isinstance(decision, LookUp)
    assert decision.first_lookup_ms == NOW + 120_000


@pytest.mark.parametrize("failure", [rule("http", 429), TRANSPORT])
def test_a_job_that_was_not_taken_waits_without_spending_or_ending(failure: Rule) -> None:
    """A hundred refusals by rate, or lost connections, leave the job where it was."""
    decision = after(failure, FailureHistory(failures={failure.category: 100}, counters=FailureCounters(dials=3)))
    assert isinstance(decision, RetryAt)
    assert decision.counters == FailureCounters(dials=3, tries=0, server_errors=0)
    assert wait_s(decision) == 30


def test_backoff_is_full_jitter_up_to_its_cap() -> None:
    """The bound doubles from one second to sixty; the wait lies anywhere below it."""
    assert [backoff_429(n, POLICY, 0.5) for n in (0, 1, 5, 6, 10_000)] == [0.5, 1, 16, 30, 30]
    assert backoff_transport(3, POLICY, 0.25) == 2
    assert backoff_429(3, POLICY, 0.0) == 0


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        *[(7.5, 7.5), (0.0, 0.0), (-1.0, 0.0), (3600.0, 3600.0), (86_400.0, 3600.0), (1_795_000_000.0, 3600.0)],
        *[(1e300, 3600.0), (float("inf"), 3600.0), (float("-inf"), 0.0)],
    ],
)
def test_a_named_time_after_429_is_kept_within_reason(named: float, seconds: float) -> None:
    """Retry-After takes the place of the jitter, up to an hour."""
    assert capped_retry_after_s(named) == seconds
    assert backoff_429(4, POLICY, 0.9, retry_after_s=named) == seconds


def test_what_is_no_time_is_not_waited_for() -> None:
    assert capped_retry_after_s(float("nan")) is None
    assert backoff_429(0, POLICY, 0.5, retry_after_s=float("nan")) == backoff_429(0, POLICY, 0.5)


def test_looks_follow_the_send_deadline_and_end() -> None:
    """The last look-up comes at the end of the search period; after it the send is believed not to exist."""
    times = [next_lookup_ms(deadline_ms=NOW, lookups=n, policy=POLICY) for n in range(5)]
    assert times == [NOW + 15_000, NOW + 45_000, NOW + 120_000, NOW + 300_000, None]
    assert POLICY.search_period_s == 300


def test_polls_and_read_backs_repeat_their_last_delay() -> None:
    """Without callbacks the first poll has a time of its own."""
    assert [poll_delay_s(n, POLICY) for n in range(5)] == [20, 20, 30, 60, 60]
    assert [readback_delay_s(n, POLICY) for n in range(4)] == [120, 300, 600, 600]


def test_probes_repeat_by_cause() -> None:
    """Refused credentials are tried sooner than an empty balance; a missing permission never is."""
    assert probes_s(Category.AUTH, POLICY) == (60, 300)
    assert probes_s(Category.FUNDS, POLICY) == (900,)
    assert probes_s(Category.NOT_PERMITTED, POLICY) == ()
