"""Whole lives of jobs under the default policy, on a simulated clock."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

from dispatcher.core.job import FailureCounters, State
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide, decide_absent
from dispatcher.core.retry.decision import FailedAttempt, FailureHistory, GiveUp, LookUp, OpenHold, RetryAt
from dispatcher.core.retry.waits import next_lookup_ms
from dispatcher.core.retry_table.requests import SUBMIT_UNKNOWN

#: Tuesday, 3 March 2026, 10:00 UTC
START_MS = 1_772_532_000_000
M = 60
H = 3600


@dataclass(kw_only=True)
class Life:
    """What one job lived through: seconds between its calls, and its end."""

    policy: Policy = field(default_factory=Policy)
    now_ms: int = START_MS
    waits_s: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    counts: FailureCounters = field(default_factory=lambda: FailureCounters(dials=0, tries=0, server_errors=0))
    best_pages: int = 0
    end: GiveUp | OpenHold | None = None

    def run(self, failures: Iterable[tuple[str, int, int, int]]) -> "Life":
        """Each failure is a type, a code, the pages sent and all pages."""
        for error_type, code, sent, total in failures:
            self._fail(error_type, code, sent, total)
            if self.end is not None:
                break
        return self

    def _fail(self, error_type: str, code: int, sent: int, total: int) -> None:
        rule = classify(error_type, code, policy=self.policy)
        history = self._history()
        decision = decide(
            FailedAttempt(rule=rule, pages_sent=sent, pages_total=total, history=history),
            DecisionContext(policy=self.policy, now_ms=self.now_ms, chance=0.5),
        )
        if isinstance(decision, LookUp):
            settled_ms = next_lookup_ms(
                deadline_ms=self.now_ms, lookups=len(self.policy.lookups_s) - 1, policy=self.policy
            )
            assert settled_ms is not None
            self.now_ms = settled_ms
            decision = decide_absent(
                FailedAttempt(rule=rule, history=history),
                DecisionContext(policy=self.policy, now_ms=self.now_ms, chance=0.5),
            )
        self.failures[rule.category] = self.failures.get(rule.category, 0) + 1
        self.best_pages = max(self.best_pages, sent)
        if isinstance(decision, RetryAt):
            self.waits_s.append((decision.at_ms - self.now_ms) / 1000)
            self.now_ms, self.counts = decision.at_ms, decision.counters
        else:
            self.end = decision

    def _history(self) -> FailureHistory:
        return FailureHistory(
            failures=self.failures,
            counters=FailureCounters(
                dials=self.counts.dials, tries=self.counts.tries, server_errors=self.counts.server_errors
            ),
            best_pages=self.best_pages,
        )


def always(error_type: str, code: int, sent: int = 0, total: int = 0) -> Iterator[tuple[str, int, int, int]]:
    return repeat((error_type, code, sent, total))


def test_a_line_that_is_always_busy_is_called_eight_times() -> None:
    """Eight calls over four hours and eight minutes, then the job has failed as busy."""
    life = Life().run(always("CALL_ERROR", 17))
    assert life.waits_s == [3 * M, 5 * M, 10 * M, 20 * M, 30 * M, 60 * M, 120 * M]
    assert isinstance(life.end, GiveUp)
    assert (life.end.state, life.end.counters.dials) == (State.FAILED, 8)
    assert life.end.why == "busy, attempt 8 of 8: no attempt is left"


def test_a_silent_unproven_number_is_called_four_times() -> None:
    """Calls that nobody answers stay few for numbers that never took a fax."""
    life = Life().run(always("CALL_ERROR", 16))
    assert life.waits_s == [5 * M, 15 * M, 1 * H]


def test_a_voice_line_is_called_twice_today_and_once_in_the_morning() -> None:
    """Without a fax tone the third and last call waits for the next business morning."""
    life = Life().run(always("CALL_ERROR", 30))
    assert len(life.waits_s) == 2
    assert life.waits_s[0] == 15 * M
    # Wednesday from 09:00 on, spread over an hour of which the middle is taken here
    assert life.now_ms == START_MS + (23 * H + 30 * M) * 1000


def test_busy_then_no_answer_then_congestion_ends_at_the_limit_of_one_of_them() -> None:
    """Mixed failures walk their own lists until one category is used up."""
    kinds = chain.from_iterable(repeat([("CALL_ERROR", code, 0, 0) for code in (17, 16, 15)]))
    life = Life().run(kinds)
    assert life.waits_s == [180, 300, 60, 300, 900, 180, 600, 3600, 600, 1200]
    assert isinstance(life.end, GiveUp)
    assert life.failures == {"busy": 4, "no_answer": 4, "congestion": 3}


def test_a_machine_that_always_breaks_the_protocol_gets_four_tries() -> None:
    """The job fails after 36 minutes with all four tries spent."""
    life = Life().run(always("FAX_ERROR", 6))
    assert life.waits_s == [1 * M, 5 * M, 30 * M]
    assert isinstance(life.end, GiveUp)
    assert life.end.counters.tries == 4


def test_a_fax_that_breaks_after_its_second_page_is_stopped() -> None:
    """By default paper at the far side ends the job as unconfirmed at once."""
    life = Life().run(always("FAX_ERROR", 8, sent=2, total=5))
    assert life.waits_s == []
    assert isinstance(life.end, GiveUp)
    assert life.end.state is State.DELIVERED_UNCONFIRMED


def test_a_provider_that_answers_500_all_day_is_asked_six_times() -> None:
    """Each answer is looked up for five minutes, then waits by the row; no dial and no try is spent."""
    life = Life().run(always("http", 500))
    assert life.waits_s == [5, 30, 2 * M, 10 * M, 30 * M]
    assert life.now_ms - START_MS == (6 * 300 + 5 + 30 + 120 + 600 + 1800) * 1000
    assert isinstance(life.end, GiveUp)
    assert life.end.counters == FailureCounters(dials=0, tries=0, server_errors=6)


def test_sends_that_vanish_are_repeated_only_after_the_search_period() -> None:
    """Six vanished sends take at least six search periods, then the job has failed."""
    life = Life().run(always("http", SUBMIT_UNKNOWN.error_code))
    assert life.waits_s == [0] * 5
    assert life.now_ms - START_MS == 6 * 300_000


def test_an_empty_account_holds_the_job_unspent() -> None:
    """A fax that failed for lack of funds waits with its counters as they were."""
    life = Life().run([("CALL_ERROR", 17, 0, 0), ("FAX_ERROR", 46, 0, 0)])
    assert isinstance(life.end, OpenHold)
    assert life.counts == FailureCounters(dials=1, tries=0, server_errors=0)


def test_a_life_under_an_hour_of_429_spends_nothing() -> None:
    """Refusals by rate leave the job as it was, however many come."""
    life = Life().run([("http", 429, 0, 0)] * 50)
    assert life.end is None
    assert life.counts == FailureCounters(dials=0, tries=0, server_errors=0)
    assert max(life.waits_s) == 30
