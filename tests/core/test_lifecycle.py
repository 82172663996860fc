"""The table of states."""

import pytest

from dispatcher.core.job import FINAL, JOB_STATES, LIVE, State
from dispatcher.core.lifecycle import TRANSITIONS, Event, IllegalTransition, next_state


def after(state: State) -> set[State]:
    return {target for (source, _), target in TRANSITIONS.items() if source is state}


def test_every_state_is_live_final_or_no_job() -> None:
    assert sorted((State.VOID, *LIVE, *FINAL, State.UNREADABLE)) == sorted(State)
    assert all(state.final == (state in FINAL) for state in State)


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State, ids=lambda state: state.label)
def test_a_transition_is_allowed_exactly_if_the_table_has_it(state: State, event: Event) -> None:
    """Whatever is not in the table raises, so the table is closed."""
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"{event} cannot happen to a job that is {state.label}"):
            next_state(state, event)


@pytest.mark.parametrize("event", Event)
def test_an_event_leads_to_one_state_or_leaves_the_job_where_it_is(event: Event) -> None:
    """Each pair has one target, and the same event never leads to different ends."""
    targets = {target for (state, other), target in TRANSITIONS.items() if other is event and target is not state}
    assert len(targets) <= 1


@pytest.mark.parametrize("state", [State.VOID, *FINAL], ids=lambda state: state.label)
def test_nothing_follows_a_final_state_or_a_row_that_is_no_job(state: State) -> None:
    assert after(state) == set()


def test_every_state_of_a_job_is_reached_from_waiting() -> None:
    reached = {State.WAITING}
    while more := {target for state in reached for target in after(state)} - reached:
        reached |= more
    assert reached == set(JOB_STATES)


@pytest.mark.parametrize("state", LIVE, ids=lambda state: state.label)
def test_every_live_state_leads_to_delivery(state: State) -> None:
    """No state is a dead end, and good news is good in each of them."""
    assert State.DELIVERED in after(state)


def test_every_event_can_happen() -> None:
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_a_job_is_sent_only_after_begin() -> None:
    """There is one way into sending, and it is written ahead."""
    ways = {key for key, target in TRANSITIONS.items() if target is State.SENDING and key[0] is not State.SENDING}
    assert ways == {(State.LEASED, Event.BEGUN)}


def test_within_an_attempt_states_only_move_forward() -> None:
    """From accepted there is no way back to sending or leased but by way of waiting."""
    assert after(State.ACCEPTED) & {State.LEASED, State.SENDING} == set()
    assert after(State.SENDING) & {State.LEASED} == set()


def test_an_attempt_in_flight_is_not_ended_by_its_batch() -> None:
    in_flight = {State.SENDING, State.ACCEPTED}
    assert {state for state, event in TRANSITIONS if event in (Event.CANCELLED, Event.EXPIRED)} & in_flight == set()
