from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.batch import Control
from dispatcher.core.limits.limited_by import AccountWork, BatchWork, LimitedBy, limits_account, limits_batch

SENDING = AccountWork(due=10, max_in_flight=512)
RUNNING = BatchWork(control=Control.RUNNING, live=10, waiting=10, due=10)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, LimitedBy.RATE),
        ({"writable": False}, LimitedBy.STORE),
        ({"scheduler_alive": False}, LimitedBy.NO_SCHEDULER),
        ({"workers_alive": 0}, LimitedBy.NO_WORKER),
        ({"replicas_short": True}, LimitedBy.REPLICAS),
        ({"held": True}, LimitedBy.HOLD),
        ({"due_held": 10}, LimitedBy.HOLD),
        ({"due_held": 9}, LimitedBy.RATE),
        ({"blocked_by_provider": True}, LimitedBy.PROVIDER_WAIT),
        ({"allowance_used_up": True}, LimitedBy.ALLOWANCE),
        ({"in_flight": 512}, LimitedBy.IN_FLIGHT),
        ({"due": 0}, None),
        ({"due": 0, "waiting_later": 3, "paused": 4}, LimitedBy.WAITING_FOR_RETRY),
        ({"due": 0, "waiting_later": 3, "number_busy": True}, LimitedBy.NUMBER_BUSY),
        ({"number_busy": True}, LimitedBy.RATE),
        ({"due": 0, "paused": 4, "not_started": 2}, LimitedBy.PAUSED),
        ({"due": 0, "not_started": 2}, LimitedBy.NOT_STARTED),
        # what ends first counts: a hold explains nothing while nobody would send
        ({"workers_alive": 0, "held": True, "blocked_by_provider": True}, LimitedBy.NO_WORKER),
    ],
)
def test_the_word_for_the_account(changes: dict[str, int], word: LimitedBy | None) -> None:
    assert limits_account(replace(SENDING, **changes)) == word  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "account", "word"),
    [
        ({}, SENDING, LimitedBy.RATE),
        ({"control": Control.DRAFT}, SENDING, LimitedBy.NOT_STARTED),
        ({"control": Control.SCHEDULED}, SENDING, LimitedBy.NOT_STARTED),
        ({"control": Control.PAUSED}, SENDING, LimitedBy.PAUSED),
        ({"control": Control.CANCELLED}, SENDING, None),
        ({"waiting": 0, "due": 0}, SENDING, None),
        ({"due": 0}, SENDING, LimitedBy.WAITING_FOR_RETRY),
        ({"held": True}, SENDING, LimitedBy.HOLD),
        ({"held": True}, replace(SENDING, workers_alive=0), LimitedBy.NO_WORKER),
        ({"due_held": 10}, SENDING, LimitedBy.HOLD),
        ({"due": 0, "number_busy": True}, SENDING, LimitedBy.NUMBER_BUSY),
        ({"number_busy": True}, SENDING, LimitedBy.RATE),
        ({}, replace(SENDING, blocked_by_provider=True), LimitedBy.PROVIDER_WAIT),
        ({}, replace(SENDING, held=True), LimitedBy.HOLD),
    ],
)
def test_the_word_for_a_batch(changes: dict[str, object], account: AccountWork, word: LimitedBy | None) -> None:
    assert limits_batch(replace(RUNNING, **changes), account) == word  # type: ignore[arg-type]


FACTS = st.builds(
    AccountWork,
    due=st.integers(0, 3),
    waiting_later=st.integers(0, 3),
    paused=st.integers(0, 3),
    not_started=st.integers(0, 3),
    due_held=st.integers(0, 3),
    number_busy=st.booleans(),
    held=st.booleans(),
    writable=st.booleans(),
    scheduler_alive=st.booleans(),
    workers_alive=st.integers(0, 2),
    replicas_short=st.booleans(),
    blocked_by_provider=st.booleans(),
    allowance_used_up=st.booleans(),
    in_flight=st.integers(0, 2),
    max_in_flight=st.integers(1, 2),
)


@given(FACTS)
def test_whenever_something_is_due_a_word_says_what_limits_it(facts: AccountWork) -> None:
    assert facts.due == 0 or limits_account(facts) is not None


def test_the_words_are_those_of_the_design() -> None:
    assert {word.value for word in LimitedBy} == {
        *("rate", "allowance", "provider_wait", "hold", "in_flight", "replicas", "no_worker", "no_scheduler", "store"),
        *("number_busy", "paused", "not_started", "partial_start", "batch_rate", "waiting_for_retry"),
    }
