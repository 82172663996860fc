"""How a worker notices that its machine stood still: the clock that decides about a send did not count that."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.store.server_clock import SuspensionMeter


class Machine:
    """Two clocks: one is set by people, the other does not count the time in which the machine stood still."""

    def __init__(self) -> None:
        self.steady_s, self.wall_s = 100.0, 1_700_000_000.0
        #: seconds that pass after the next reading of a clock
        self.pause_s = 0.0
        self.stood_still = SuspensionMeter(lambda: self._read("steady_s"), lambda: self._read("wall_s"))

    def passes(self, seconds: float) -> None:
        self.steady_s += seconds
        self.wall_s += seconds

    def _read(self, clock: str) -> float:
        shown: float = getattr(self, clock)
        seconds, self.pause_s = self.pause_s, 0.0
        self.passes(seconds)
        return shown


def test_time_that_both_clocks_count_is_none() -> None:
    machine = Machine()
    machine.passes(86_400.0)
    assert machine.stood_still() == 0.0


def test_a_wall_clock_that_is_set_forward_counts_at_once_and_for_good() -> None:
    machine = Machine()
    machine.wall_s += 300.0
    assert machine.stood_still() == 300.0
    machine.passes(1.0)
    assert machine.stood_still() == 300.0


def test_a_wall_clock_that_is_set_back_changes_nothing_and_a_later_pause_still_counts() -> None:
    machine = Machine()
    machine.wall_s -= 3600.0
    assert machine.stood_still() == 0.0
    machine.wall_s += 60.0
    assert machine.stood_still() == 60.0


def test_two_readings_that_lie_apart_add_up_to_nothing() -> None:
    machine = Machine()
    for turn in range(1000):
        machine.wall_s += 0.04 if turn % 2 else -0.04
        machine.stood_still()
    assert machine.stood_still() == 0.0


def test_a_pause_of_the_process_between_two_readings_is_none() -> None:
    machine = Machine()
    for _ in range(10):
        machine.pause_s = 0.3
        machine.stood_still()
    assert machine.stood_still() == 0.0


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(-5, 5), st.floats(0, 1)), max_size=20))
def test_it_never_falls_and_is_at_most_what_was_set_forward(steps: list[tuple[float, float, float]]) -> None:
    machine = Machine()
    last, forward_s = 0.0, 0.0
    for passed_s, set_s, machine.pause_s in steps:
        machine.passes(passed_s)
        machine.wall_s += set_s
        forward_s += max(0.0, set_s)
        seconds = machine.stood_still()
        assert last <= seconds <= forward_s + 1e-3
        last = seconds
