"""What is known of the faxes of a job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import Fate, State
from dispatcher.core.settlement.faxes import Fax, foremost, is_doubled, known_faxes
from tests.core.settlement.samples import accepted, entry, sending, waiting

FATES = list(Fate)


def test_the_record_s_fax_and_those_of_the_history_are_known() -> None:
    history = [entry(None), entry(Fate.UNFINISHED, "F1"), entry(Fate.FAILED, "F1"), entry(Fate.FAILED, "F2", attempt=2)]
    faxes = known_faxes(accepted("F3", attempt=3, began_ms=50), history)
    assert faxes == {
        "F1": Fax(attempt=1, fate=Fate.FAILED),
        "F2": Fax(attempt=2, fate=Fate.FAILED),
        "F3": Fax(attempt=3, fate=Fate.UNFINISHED, created_ms=50),
    }


@pytest.mark.parametrize("state", [State.WAITING, State.LEASED, State.SENDING, State.FAILED, State.CANCELLED])
def test_only_an_accepted_or_delivered_job_shows_a_fax(state: State) -> None:
    """In other states the id in the record is that of a fax that ended; a sending job has none that counts yet."""
    assert known_faxes(waiting(state=state, fax_id="F1"), []) == {}


def test_an_end_that_is_told_counts_over_what_was_told_before() -> None:
    record = waiting(state=State.DELIVERED, fax_id="F1", began_ms=9)
    assert known_faxes(record, [entry(Fate.UNFINISHED, "F1")])["F1"].fate is Fate.DELIVERED


@pytest.mark.parametrize(
    ("fate", "ended_ms", "doubled"),
    [
        (Fate.UNFINISHED, 0, True),
        (Fate.DELIVERED, 100, True),
        (Fate.DELIVERED, 300, True),
        (Fate.UNCONFIRMED, 100, True),
        (Fate.FAILED, 100, False),
        (Fate.FAILED, 200, False),
        (Fate.FAILED, 201, True),
        (Fate.FAILED, 0, False),
    ],
)
@pytest.mark.parametrize("later_fate", FATES)
def test_a_second_fax_is_a_double_while_the_first_stands(
    fate: Fate, ended_ms: int, doubled: bool, later_fate: Fate
) -> None:
    """The later fax is accepted at 200; what becomes of it does not matter."""
    earlier = Fax(attempt=1, fate=fate, created_ms=50, ended_ms=ended_ms)
    later = Fax(attempt=2, fate=later_fate, created_ms=200, ended_ms=900)
    assert is_doubled([earlier, later]) is doubled
    assert is_doubled([later, earlier]) is doubled


def test_the_provider_s_times_say_which_fax_was_first() -> None:
    """A worker that slept can send an earlier attempt after a later one."""
    slept = Fax(attempt=1, fate=Fate.DELIVERED, created_ms=500, ended_ms=600)
    assert not is_doubled([slept, Fax(attempt=2, fate=Fate.FAILED, created_ms=100, ended_ms=400)])


def test_without_times_the_attempts_say_which_fax_was_first() -> None:
    assert is_doubled([Fax(attempt=1, fate=Fate.DELIVERED), Fax(attempt=2, fate=Fate.FAILED)])
    assert not is_doubled([Fax(attempt=2, fate=Fate.DELIVERED), Fax(attempt=1, fate=Fate.FAILED)])


def test_one_fax_alone_is_never_doubled() -> None:
    assert not is_doubled([])
    assert not any(is_doubled([Fax(attempt=1, fate=fate)]) for fate in FATES)


@given(st.permutations([Fate.DELIVERED, Fate.UNFINISHED, Fate.UNCONFIRMED, Fate.FAILED]), st.integers(1, 4))
def test_a_delivered_fax_decides_before_one_under_way_before_an_unconfirmed_one(fates: list[Fate], heard: int) -> None:
    """Whatever was heard of first; failed faxes and attempts without a fax never decide."""
    history = [entry(None), *(entry(fate, f"F{fate}") for fate in fates[:heard])]
    best = min(fates[:heard], key=[Fate.DELIVERED, Fate.UNFINISHED, Fate.UNCONFIRMED, Fate.FAILED].index)
    found = foremost(history)
    assert (found.fate if found else Fate.FAILED) is best


def test_only_what_was_heard_last_of_a_fax_decides() -> None:
    assert foremost([entry(Fate.UNFINISHED), entry(Fate.FAILED)]) is None


def test_a_sending_job_with_an_id_left_over_shows_no_fax() -> None:
    """Long ids are kept beside the record and may be those of the attempt before."""
    assert known_faxes(sending(fax_id="F1", attempt=2), []) == {}
