"""The clock that decides whether a send may still leave."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.store.clock import SendingClock


class Machine:
    """Two clocks: one is set by people, the other does not count the time in which the machine stood still."""

    def __init__(self) -> None:
        self.steady_s, self.wall_s = 100.0, 1_700_000_000.0
        self.clock = SendingClock(lambda: self.steady_s, lambda: self.wall_s)

    def passes(self, seconds: float) -> None:
        self.steady_s += seconds
        self.wall_s += seconds


def test_it_runs_like_the_steady_clock() -> None:
    machine = Machine()
    first = machine.clock()
    machine.passes(5.0)
    assert machine.clock() == first + 5.0


def test_a_wall_clock_that_is_set_forward_counts_at_once_and_for_good() -> None:
    machine = Machine()
    first = machine.clock()
    machine.wall_s += 300.0
    assert machine.clock() == first + 300.0
    machine.passes(1.0)
    assert machine.clock() == first + 301.0


def test_a_wall_clock_that_is_set_back_changes_nothing_and_a_later_pause_still_counts() -> None:
    machine = Machine()
    first = machine.clock()
    machine.wall_s -= 3600.0
    assert machine.clock() == first
    machine.wall_s += 60.0
    assert machine.clock() == first + 60.0


def test_two_readings_that_lie_apart_add_up_to_nothing() -> None:
    machine = Machine()
    first = machine.clock()
    for turn in range(1000):
        machine.wall_s += 0.04 if turn % 2 else -0.04
        machine.clock()
    assert machine.clock() == first


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(-5, 5)), max_size=20))
def test_it_never_goes_back_and_is_never_behind_the_steady_clock(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    last = machine.clock()
    for passed_s, set_s in steps:
        machine.passes(passed_s)
        machine.wall_s += set_s
        now = machine.clock()
        assert now >= last
        assert now >= machine.steady_s
        last = now
