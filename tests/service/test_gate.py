"""How many sends a process lets in at a time, who waits, and who goes first."""

import asyncio

import pytest

from dispatcher.service.gate import MOST_STARTING, URGENT_RESERVE, Gate, Pass

pytestmark = pytest.mark.anyio

#: longer than any turn of the event loop that a waiting task could need
_TURNS = 10


async def _waits(entering: "asyncio.Task[list[Pass]]") -> bool:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    return not entering.done()


async def test_a_lease_enters_whole_where_there_is_room() -> None:
    assert len(await Gate(64).enter(32, urgent=False)) == 32


async def test_a_lease_enters_in_pieces_as_calls_end() -> None:
    gate = Gate(48)
    inside = await gate.enter(32, urgent=False)
    for one in inside:
        one.leave()
    assert len(await gate.enter(32, urgent=False)) == 48 - URGENT_RESERVE - 32
    entering = asyncio.create_task(gate.enter(24, urgent=False))
    for one in inside[:7]:
        one.end()
    assert await _waits(entering), "room for seven is no piece"
    inside[7].end()
    assert len(await entering) == 8


async def test_bulk_work_leaves_room_that_urgent_work_takes() -> None:
    gate = Gate(32)
    assert len(await gate.enter(64, urgent=False)) == 32 - URGENT_RESERVE
    assert await _waits(asyncio.create_task(gate.enter(1, urgent=False)))
    assert len(await gate.enter(1, urgent=True)) == 1


async def test_no_more_begin_than_leave_in_time() -> None:
    gate = Gate(1000)
    inside = await gate.enter(MOST_STARTING, urgent=False)
    entering = asyncio.create_task(gate.enter(8, urgent=False))
    for one in inside[:7]:
        one.leave()
        one.leave()
    assert await _waits(entering), "a call that is said twice to have left counts once"
    inside[7].end()
    assert len(await entering) == 8


async def test_who_waits_longer_goes_first() -> None:
    gate = Gate(4)
    (one, *_) = await gate.enter(3, urgent=False)
    first = asyncio.create_task(gate.enter(2, urgent=False))
    assert await _waits(first)
    second = asyncio.create_task(gate.enter(1, urgent=False))
    one.end()
    assert await _waits(second), "there is room for one, but another waits for two"
    assert not first.done()


async def test_a_single_call_passes_a_gate_of_one() -> None:
    gate = Gate(1)
    (one,) = await gate.enter(1, urgent=False)
    entering = asyncio.create_task(gate.enter(5, urgent=False))
    assert await _waits(entering)
    one.end()
    assert len(await entering) >= 1
