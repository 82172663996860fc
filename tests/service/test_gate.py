"""How many sends a process lets in at a time, who waits, and who goes first."""

import asyncio

import pytest

from dispatcher.service.concurrency import (
    FIRST_STARTING,
    LEAST_STARTING,
    MOST_STARTING,
    NEAR_S,
    URGENT_RESERVE,
    ConcurrencyLimiter,
    ConcurrencyToken,
)

pytestmark = pytest.mark.anyio

#: longer than any turn of the event loop that a waiting task could need
_TURNS = 10


async def _waits(entering: "asyncio.Task[list[ConcurrencyToken]]") -> bool:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    return not entering.done()


async def _enters_and_leaves(gate: ConcurrencyLimiter, jobs: int, *, late: bool = False) -> list[ConcurrencyToken]:
    inside: list[ConcurrencyToken] = []
    while len(inside) < jobs:
        granted = await gate.enter(jobs - len(inside), urgent=False)
        for one in granted:
            one.mark_sent(late=late)
        inside += granted
    return inside


async def _starting_at_once(gate: ConcurrencyLimiter) -> int:
    """How many it lets start now; nothing has changed afterwards."""
    granted = await gate.enter(1000, urgent=False)
    for one in granted:
        one.end()
    return len(granted)


async def test_a_lease_enters_whole_where_there_is_room() -> None:
    assert len(await ConcurrencyLimiter(64).enter(FIRST_STARTING, urgent=False)) == FIRST_STARTING


async def test_a_lease_enters_in_pieces_as_calls_end() -> None:
    gate = ConcurrencyLimiter(48)
    inside = await _enters_and_leaves(gate, 32)
    assert len(await gate.enter(32, urgent=False)) == 48 - URGENT_RESERVE - 32
    entering = asyncio.create_task(gate.enter(24, urgent=False))
    for one in inside[:7]:
        one.end()
    assert await _waits(entering), "room for seven is no piece"
    inside[7].end()
    assert len(await entering) == 8


async def test_bulk_work_leaves_room_that_urgent_work_takes() -> None:
    gate = ConcurrencyLimiter(32)
    await _enters_and_leaves(gate, 32 - URGENT_RESERVE)
    assert await _waits(asyncio.create_task(gate.enter(1, urgent=False)))
    assert len(await gate.enter(1, urgent=True)) == 1


async def test_no_more_begin_than_leave_in_time() -> None:
    gate = ConcurrencyLimiter(1000)
    inside = await gate.enter(FIRST_STARTING, urgent=False)
    entering = asyncio.create_task(gate.enter(8, urgent=False))
    for one in inside[:7]:
        one.end()
        one.end()
    assert await _waits(entering), "a call that is said twice to be over counts once"
    inside[7].end()
    assert len(await entering) == 8


async def test_those_who_leave_early_let_more_start_by_and_by_up_to_a_limit() -> None:
    gate = ConcurrencyLimiter(100_000)
    await _enters_and_leaves(gate, FIRST_STARTING + 1)
    assert await _starting_at_once(gate) == FIRST_STARTING + 1
    await _enters_and_leaves(gate, MOST_STARTING * MOST_STARTING)
    assert await _starting_at_once(gate) == MOST_STARTING


async def test_one_who_leaves_late_halves_how_many_start_and_those_beside_it_do_not_again() -> None:
    gate = ConcurrencyLimiter(100_000)
    await _enters_and_leaves(gate, MOST_STARTING * MOST_STARTING)
    inside = await gate.enter(MOST_STARTING, urgent=False)
    for one in inside:
        one.mark_sent(late=True)
    assert await _starting_at_once(gate) == MOST_STARTING // 2
    for _ in range(10):
        await _enters_and_leaves(gate, 8, late=True)
    assert await _starting_at_once(gate) == LEAST_STARTING


async def test_bulk_work_waits_until_the_last_slot_is_near_and_urgent_work_does_not() -> None:
    gate = ConcurrencyLimiter(64)
    gate.granted(NEAR_S + 30)
    assert await _waits(asyncio.create_task(gate.enter(1, urgent=False)))
    assert len(await gate.enter(1, urgent=True)) == 1


async def test_slots_that_are_near_let_more_begin() -> None:
    gate = ConcurrencyLimiter(64)
    gate.granted(NEAR_S)
    assert not await _waits(asyncio.create_task(gate.enter(1, urgent=False)))


async def test_who_waits_longer_goes_first() -> None:
    gate = ConcurrencyLimiter(4)
    (one, two, _) = await gate.enter(3, urgent=False)
    first = asyncio.create_task(gate.enter(2, urgent=False))
    assert await _waits(first)
    second = asyncio.create_task(gate.enter(1, urgent=False))
    one.end()
    assert await _waits(second)
    assert len(first.result()) == 1
    two.end()
    assert len(await second) == 1


@pytest.mark.parametrize("calls", [2, 4, 8, 32, 64])
async def test_a_call_that_hangs_keeps_no_other_waiting(calls: int) -> None:
    gate = ConcurrencyLimiter(calls)
    for_bulk = calls - min(URGENT_RESERVE, calls // 4)
    (_hangs, *others) = await _enters_and_leaves(gate, for_bulk)
    for one in others:
        one.end()
    assert len(await gate.enter(30, urgent=False)) > 0


async def test_a_single_call_passes_a_gate_of_one() -> None:
    gate = ConcurrencyLimiter(1)
    (one,) = await gate.enter(1, urgent=False)
    entering = asyncio.create_task(gate.enter(5, urgent=False))
    assert await _waits(entering)
    one.end()
    assert len(await entering) >= 1


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 7, 8, 9, 64])
@pytest.mark.parametrize("urgent", [False, True])
async def test_no_more_pass_at_once_than_there_are_calls(calls: int, urgent: bool) -> None:
    """However large the lease: a job that began and finds no call would miss its slot."""
    gate, under_way, let_in = ConcurrencyLimiter(calls), 0, 0
    for _ in range(20):
        granted = await gate.enter(32, urgent=urgent)
        under_way, let_in = under_way + len(granted), let_in + len(granted)
        assert 0 < under_way <= calls
        for one in granted:
            one.mark_sent(late=False)
            one.end()
        under_way -= len(granted)


@pytest.mark.parametrize("calls", [1, 4, 8, 32])
async def test_a_small_gate_is_used_to_the_full(calls: int) -> None:
    """But for the share that urgent jobs keep."""
    for_bulk = calls - min(URGENT_RESERVE, calls // 4)
    assert len(await ConcurrencyLimiter(calls).enter(32, urgent=False)) == min(FIRST_STARTING, for_bulk)
