"""What may be asked of a batch when, and the state that people see."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.batch import COMMAND_TRANSITIONS, BatchState, Command, Control, Tally, batch_state
from dispatcher.core.job import FINAL, JOB_STATES, LIVE, State

STARTED = [control for control in Control if control not in (Control.DRAFT, Control.DELETING)]
#: a batch that is being deleted is shown to nobody
SHOWN = [control for control in Control if control is not Control.DELETING]
ENDED = [Control.CANCELLED, Control.EXPIRED]
#: what each command leads to
RESULTS = {
    Command.START: Control.RUNNING,
    Command.START_NOW: Control.RUNNING,
    Command.PAUSE: Control.PAUSED,
    Command.RESUME: Control.RUNNING,
    Command.CANCEL: Control.CANCELLED,
    Command.EXPIRE: Control.EXPIRED,
    Command.DELETE: Control.DELETING,
}
#: what has been asked of a batch that waits for its start time: again, it changes nothing
REPEATS = {(Control.SCHEDULED, Command.START), (Control.SCHEDULED, Command.RESUME)}
ALLOWED = {
    Control.DRAFT: {Command.START, Command.START_NOW, Command.CANCEL, Command.EXPIRE},
    Control.SCHEDULED: set(Command),
    Control.RUNNING: set(Command),
    Control.PAUSED: {Command.PAUSE, Command.RESUME, Command.CANCEL, Command.EXPIRE, Command.DELETE},
    Control.CANCELLED: {Command.CANCEL, Command.DELETE},
    Control.EXPIRED: {Command.EXPIRE, Command.DELETE},
    Control.DELETING: {Command.DELETE},
}
TALLIES = st.builds(
    lambda counts: tally(**counts),
    st.dictionaries(st.sampled_from([state.label for state in JOB_STATES]), st.integers(min_value=0, max_value=9)),
)


def tally(**counts: int) -> Tally:
    by_state = {State[label.upper()]: count for label, count in counts.items()}
    return Tally(by_state=by_state, by_category={(state, ""): count for state, count in by_state.items()})


@pytest.mark.parametrize(("control", "command"), list(product(Control, Command)))
def test_a_command_leads_to_its_one_result_or_is_refused(control: Control, command: Command) -> None:
    expected = RESULTS[command] if command in ALLOWED[control] else None
    expected = control if (control, command) in REPEATS else expected
    assert COMMAND_TRANSITIONS.get((control, command)) is expected


@pytest.mark.parametrize(("control", "command"), list(COMMAND_TRANSITIONS), ids=lambda value: value)
def test_a_command_that_was_carried_out_may_be_repeated(control: Control, command: Command) -> None:
    """A client whose answer was lost asks again and comes to the same."""
    result = COMMAND_TRANSITIONS[control, command]
    waits = command in (Command.START, Command.RESUME) and result is Control.RUNNING
    for after in (result, Control.SCHEDULED) if waits else (result,):
        assert COMMAND_TRANSITIONS[after, command] is after


@pytest.mark.parametrize("control", ENDED)
def test_an_ended_batch_stays_ended_until_it_is_deleted(control: Control) -> None:
    results = {to for (before, _), to in COMMAND_TRANSITIONS.items() if before is control}
    assert results == {control, Control.DELETING}


@pytest.mark.parametrize(
    ("control", "counts", "held", "state"),
    [
        (Control.DRAFT, {}, False, BatchState.DRAFT),
        (Control.DRAFT, {"waiting": 2}, True, BatchState.DRAFT),
        (Control.SCHEDULED, {"waiting": 2}, True, BatchState.SCHEDULED),
        (Control.RUNNING, {"waiting": 2}, False, BatchState.RUNNING),
        (Control.RUNNING, {"waiting": 2}, True, BatchState.HELD),
        (Control.RUNNING, {"accepted": 1, "delivered": 9}, False, BatchState.RUNNING),
        (Control.RUNNING, {"delivered": 9, "failed": 1}, True, BatchState.FINISHED),
        (Control.PAUSED, {"leased": 1}, True, BatchState.PAUSED),
        (Control.PAUSED, {"failed": 1}, False, BatchState.FINISHED),
        (Control.CANCELLED, {"sending": 1, "cancelled": 8}, False, BatchState.ENDING),
        (Control.CANCELLED, {"cancelled": 8, "delivered": 1}, True, BatchState.CANCELLED),
        (Control.EXPIRED, {"accepted": 1}, True, BatchState.ENDING),
        (Control.EXPIRED, {"expired": 3}, False, BatchState.EXPIRED),
    ],
)
def test_what_people_see(control: Control, counts: dict[str, int], held: bool, state: BatchState) -> None:
    assert batch_state(control, tally(**counts), held=held) is state


@given(st.sampled_from(STARTED), TALLIES, st.booleans())
def test_a_started_batch_is_over_exactly_if_no_job_is_live(control: Control, counts: Tally, held: bool) -> None:
    over = {BatchState.FINISHED, BatchState.CANCELLED, BatchState.EXPIRED}
    assert (batch_state(control, counts, held=held) in over) == (counts.live == 0)


@given(st.sampled_from(SHOWN), TALLIES)
def test_a_hold_shows_only_on_a_running_batch(control: Control, counts: Tally) -> None:
    free, held = (batch_state(control, counts, held=held) for held in (False, True))
    assert free == held or (free, held) == (BatchState.RUNNING, BatchState.HELD)


@given(st.sampled_from(SHOWN), st.lists(st.sampled_from(FINAL), min_size=1), st.data())
def test_the_order_in_which_jobs_end_does_not_matter(control: Control, ends: list[State], data: st.DataObject) -> None:
    """And a batch is over once: when the last live job ends, never before, and from then on."""
    order = data.draw(st.permutations(ends))
    seen = []
    for done in range(len(order) + 1):
        finals = {state.label: order[:done].count(state) for state in FINAL}
        seen.append(batch_state(control, tally(waiting=len(order) - done, **finals), held=False))
    assert len(set(seen[:-1])) == 1
    assert seen[-1] is batch_state(control, tally(**{s.label: ends.count(s) for s in FINAL}), held=False)


@given(TALLIES)
def test_every_job_is_live_or_final(counts: Tally) -> None:
    assert counts.live + counts.final == sum(counts.by_state.values())
    assert set(LIVE) | set(FINAL) == set(JOB_STATES)
