"""Urgent sends go first, no slot is used twice or lost, and no send leaves after its window."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.service.slots import SPARE_S, Slots

NOW_S = 100.0


@dataclass(slots=True, eq=False)
class Send:
    at_s: float
    window_s: float = 0.25
    send_by_s: float = 0.0

    def __post_init__(self) -> None:
        self.send_by_s = self.at_s + self.window_s


def slots() -> Slots:
    return Slots(lambda: NOW_S)


def waiting(slots: Slots, *away_s: float) -> list[Send]:
    sends = [Send(NOW_S + away) for away in away_s]
    for send in sends:
        slots.add(send, urgent=False)
    return sends


def away(*sends: Send) -> list[float]:
    return [round(send.at_s - NOW_S, 6) for send in sends]


def test_an_urgent_send_takes_the_next_slot_and_the_others_move_on_by_one() -> None:
    ours = slots()
    bulk = waiting(ours, 0.01, 0.02, 0.03)
    urgent = Send(NOW_S + 0.04)
    ours.add(urgent, urgent=True)
    assert away(urgent, *bulk) == [0.01, 0.02, 0.03, 0.04]


def test_one_whose_slot_has_come_or_that_has_left_keeps_it() -> None:
    ours = slots()
    come, left, later = waiting(ours, -0.01, 0.01, 0.02)
    ours.remove(left)
    urgent = Send(NOW_S + 0.04)
    ours.add(urgent, urgent=True)
    assert away(come, left, urgent, later) == [-0.01, 0.01, 0.02, 0.04]


def test_urgent_sends_do_not_overtake_each_other() -> None:
    ours = slots()
    (bulk,) = waiting(ours, 0.01)
    first, second = Send(NOW_S + 0.02), Send(NOW_S + 0.03)
    ours.add(first, urgent=True)
    ours.add(second, urgent=True)
    assert away(first, second, bulk) == [0.01, 0.02, 0.03]


def test_a_send_is_not_put_off_beyond_its_window() -> None:
    ours = slots()
    early, late = waiting(ours, 0.01, 0.30)
    urgent = Send(NOW_S + 0.31)
    ours.add(urgent, urgent=True)
    assert away(early, urgent, late) == [0.01, 0.30, 0.31]


@given(st.lists(st.tuples(st.floats(-0.1, 1), st.booleans()), min_size=1, max_size=30))
def test_every_slot_is_used_once_and_nobody_is_late(granted: list[tuple[float, bool]]) -> None:
    ours, sends = slots(), list[Send]()
    for away_s, urgent in granted:
        sends.append(Send(NOW_S + away_s))
        ours.add(sends[-1], urgent=urgent)
    assert sorted(away(*sends)) == sorted(round(away_s, 6) for away_s, _ in granted)
    moved = [send for send, (away_s, _) in zip(sends, granted, strict=True) if send.at_s > NOW_S + away_s + 1e-9]
    assert all(send.at_s + SPARE_S <= send.send_by_s for send in moved)
    for send, (away_s, urgent) in zip(sends, granted, strict=True):
        assert not urgent or send.at_s <= NOW_S + away_s + 1e-9
