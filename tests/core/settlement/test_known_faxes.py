"""What is known of the faxes of a job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import FaxFate, State
from dispatcher.core.settlement.known_faxes import KnownFax, deciding_entry, is_doubled, known_faxes
from tests.core.settlement.samples import accepted, entry, sending, waiting

FATES = list(FaxFate)


def test_the_record_s_fax_and_those_of_the_history_are_known() -> None:
    history = [
        entry(None),
        entry(FaxFate.UNFINISHED, "F1"),
        entry(FaxFate.FAILED, "F1"),
        entry(FaxFate.FAILED, "F2", attempt=2),
    ]
    faxes = known_faxes(accepted("F3", attempt=3, began_ms=50), history)
    assert faxes == {
        "F1": KnownFax(attempt=1, fate=FaxFate.FAILED),
        "F2": KnownFax(attempt=2, fate=FaxFate.FAILED),
        "F3": KnownFax(attempt=3, fate=FaxFate.UNFINISHED, created_ms=50),
    }


@pytest.mark.parametrize("state", [State.WAITING, State.LEASED, State.SENDING, State.FAILED, State.CANCELLED])
def test_only_an_accepted_or_delivered_job_shows_a_fax(state: State) -> None:
    """In other states the id in the record is that of a fax that ended; a sending job has none that counts yet."""
    assert known_faxes(waiting(state=state, fax_id="F1"), []) == {}


def test_an_end_that_is_told_counts_over_what_was_told_before() -> None:
    record = waiting(state=State.DELIVERED, fax_id="F1", began_ms=9)
    assert known_faxes(record, [entry(FaxFate.UNFINISHED, "F1")])["F1"].fate is FaxFate.DELIVERED


@pytest.mark.parametrize(
    ("fate", "ended_ms", "doubled"),
    [
        (FaxFate.UNFINISHED, 0, True),
        (FaxFate.DELIVERED, 100, True),
        (FaxFate.DELIVERED, 300, True),
        (FaxFate.PAGES_ARRIVED, 100, True),
        (FaxFate.FAILED, 100, False),
        (FaxFate.FAILED, 200, False),
        (FaxFate.FAILED, 201, True),
        (FaxFate.FAILED, 0, False),
    ],
)
@pytest.mark.parametrize("later_fate", FATES)
def test_a_second_fax_is_a_double_while_the_first_stands(
    fate: FaxFate, ended_ms: int, doubled: bool, later_fate: FaxFate
) -> None:
    """The later fax is accepted at 200; what becomes of it does not matter."""
    earlier = KnownFax(attempt=1, fate=fate, created_ms=50, ended_ms=ended_ms)
    later = KnownFax(attempt=2, fate=later_fate, created_ms=200, ended_ms=900)
    assert is_doubled([earlier, later]) is doubled
    assert is_doubled([later, earlier]) is doubled


def test_the_provider_s_times_say_which_fax_was_first() -> None:
    """A worker that slept can send an earlier attempt after a later one."""
    slept = KnownFax(attempt=1, fate=FaxFate.DELIVERED, created_ms=500, ended_ms=600)
    assert not is_doubled([slept, KnownFax(attempt=2, fate=FaxFate.FAILED, created_ms=100, ended_ms=400)])


def test_without_times_the_attempts_say_which_fax_was_first() -> None:
    assert is_doubled([KnownFax(attempt=1, fate=FaxFate.DELIVERED), KnownFax(attempt=2, fate=FaxFate.FAILED)])
    assert not is_doubled([KnownFax(attempt=2, fate=FaxFate.DELIVERED), KnownFax(attempt=1, fate=FaxFate.FAILED)])


def test_one_fax_alone_is_never_doubled() -> None:
    assert not is_doubled([])
    assert not any(is_doubled([KnownFax(attempt=1, fate=fate)]) for fate in FATES)


@given(
    st.permutations([FaxFate.DELIVERED, FaxFate.UNFINISHED, FaxFate.PAGES_ARRIVED, FaxFate.FAILED]), st.integers(1, 4)
)
def test_a_delivered_fax_decides_before_one_under_way_before_an_unconfirmed_one(
    fates: list[FaxFate], heard: int
) -> None:
    """Whatever was heard of first; failed faxes and attempts without a fax never decide."""
    history = [entry(None), *(entry(fate, f"F{fate}") for fate in fates[:heard])]
    best = min(fates[:heard], key=[FaxFate.DELIVERED, FaxFate.UNFINISHED, FaxFate.PAGES_ARRIVED, FaxFate.FAILED].index)
    fax = deciding_entry(history)
    assert (fax.fate if fax else FaxFate.FAILED) is best


def test_only_what_was_heard_last_of_a_fax_decides() -> None:
    assert deciding_entry([entry(FaxFate.UNFINISHED), entry(FaxFate.FAILED)]) is None


def test_a_sending_job_with_an_id_left_over_shows_no_fax() -> None:
    """Long ids are kept beside the record and may be those of the attempt before."""
    assert known_faxes(sending(fax_id="F1", attempt=2), []) == {}
