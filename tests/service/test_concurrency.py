"""How many sends one process makes at a time, which of them wait, and which go first."""

import asyncio

import pytest

from dispatcher.service.concurrency import (
    INITIAL_STARTING,
    MAX_STARTING,
    MIN_STARTING,
    NEAR_S,
    URGENT_RESERVE,
    ConcurrencyLimiter,
    ConcurrencyToken,
)

pytestmark = pytest.mark.anyio

#: more turns of the event loop than a task that does not wait needs
_TURNS = 10


async def _waits(acquiring: "asyncio.Task[list[ConcurrencyToken]]") -> bool:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    return not acquiring.done()


async def _acquire_and_send(limiter: ConcurrencyLimiter, jobs: int, *, late: bool = False) -> list[ConcurrencyToken]:
    tokens: list[ConcurrencyToken] = []
    while len(tokens) < jobs:
        granted = await limiter.acquire(jobs - len(tokens), urgent=False)
        for token in granted:
            token.mark_sent(late=late)
        tokens += granted
    return tokens


async def _startable(limiter: ConcurrencyLimiter) -> int:
    """Return how many sends may start now, without changing anything."""
    granted = await limiter.acquire(1000, urgent=False)
    for token in granted:
        token.end()
    return len(granted)


async def test_all_jobs_of_a_lease_get_tokens_while_there_is_room() -> None:
    assert len(await ConcurrencyLimiter(64).acquire(INITIAL_STARTING, urgent=False)) == INITIAL_STARTING


async def test_jobs_of_a_lease_get_tokens_in_pieces_as_calls_end() -> None:
    limiter = ConcurrencyLimiter(48)
    tokens = await _acquire_and_send(limiter, 32)
    assert len(await limiter.acquire(32, urgent=False)) == 48 - URGENT_RESERVE - 32
    acquiring = asyncio.create_task(limiter.acquire(24, urgent=False))
    for token in tokens[:7]:
        token.end()
    assert await _waits(acquiring), "room for seven is no piece"
    tokens[7].end()
    assert len(await acquiring) == 8


async def test_bulk_work_leaves_room_that_urgent_work_takes() -> None:
    limiter = ConcurrencyLimiter(32)
    await _acquire_and_send(limiter, 32 - URGENT_RESERVE)
    assert await _waits(asyncio.create_task(limiter.acquire(1, urgent=False)))
    assert len(await limiter.acquire(1, urgent=True)) == 1


async def test_no_more_start_than_leave_in_time() -> None:
    limiter = ConcurrencyLimiter(1000)
    tokens = await limiter.acquire(INITIAL_STARTING, urgent=False)
    acquiring = asyncio.create_task(limiter.acquire(8, urgent=False))
    for token in tokens[:7]:
        token.end()
        token.end()
    assert await _waits(acquiring), "a token that is ended twice counts once"
    tokens[7].end()
    assert len(await acquiring) == 8


async def test_sends_that_leave_early_raise_the_start_limit_slowly_up_to_a_maximum() -> None:
    limiter = ConcurrencyLimiter(100_000)
    await _acquire_and_send(limiter, INITIAL_STARTING + 1)
    assert await _startable(limiter) == INITIAL_STARTING + 1
    await _acquire_and_send(limiter, MAX_STARTING * MAX_STARTING)
    assert await _startable(limiter) == MAX_STARTING


async def test_a_late_send_halves_the_start_limit_once_for_all_tokens_of_its_epoch() -> None:
    limiter = ConcurrencyLimiter(100_000)
    await _acquire_and_send(limiter, MAX_STARTING * MAX_STARTING)
    tokens = await limiter.acquire(MAX_STARTING, urgent=False)
    for token in tokens:
        token.mark_sent(late=True)
    assert await _startable(limiter) == MAX_STARTING // 2
    for _ in range(10):
        await _acquire_and_send(limiter, 8, late=True)
    assert await _startable(limiter) == MIN_STARTING


async def test_bulk_work_waits_until_the_last_slot_is_near_and_urgent_work_does_not() -> None:
    limiter = ConcurrencyLimiter(64)
    limiter.delay_bulk(NEAR_S + 30)
    assert await _waits(asyncio.create_task(limiter.acquire(1, urgent=False)))
    assert len(await limiter.acquire(1, urgent=True)) == 1


async def test_slots_that_are_near_let_more_begin() -> None:
    limiter = ConcurrencyLimiter(64)
    limiter.delay_bulk(NEAR_S)
    assert not await _waits(asyncio.create_task(limiter.acquire(1, urgent=False)))


async def test_the_lease_that_has_waited_longest_goes_first() -> None:
    limiter = ConcurrencyLimiter(4)
    (first_token, second_token, _) = await limiter.acquire(3, urgent=False)
    first = asyncio.create_task(limiter.acquire(2, urgent=False))
    assert await _waits(first)
    second = asyncio.create_task(limiter.acquire(1, urgent=False))
    first_token.end()
    assert await _waits(second)
    assert len(first.result()) == 1
    second_token.end()
    assert len(await second) == 1


@pytest.mark.parametrize("calls", [2, 4, 8, 32, 64])
async def test_a_call_that_hangs_keeps_no_other_waiting(calls: int) -> None:
    limiter = ConcurrencyLimiter(calls)
    for_bulk = calls - min(URGENT_RESERVE, calls // 4)
    (_hangs, *others) = await _acquire_and_send(limiter, for_bulk)
    for token in others:
        token.end()
    assert len(await limiter.acquire(30, urgent=False)) > 0


async def test_a_limiter_of_one_call_lets_one_call_through() -> None:
    limiter = ConcurrencyLimiter(1)
    (token,) = await limiter.acquire(1, urgent=False)
    acquiring = asyncio.create_task(limiter.acquire(5, urgent=False))
    assert await _waits(acquiring)
    token.end()
    assert len(await acquiring) >= 1


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 7, 8, 9, 64])
@pytest.mark.parametrize("urgent", [False, True])
async def test_no_more_tokens_are_out_than_there_are_calls(calls: int, urgent: bool) -> None:
    """However large the lease is: a job that began without a free call would miss its slot."""
    limiter, running, total = ConcurrencyLimiter(calls), 0, 0
    for _ in range(20):
        granted = await limiter.acquire(32, urgent=urgent)
        running, total = running + len(granted), total + len(granted)
        assert 0 < running <= calls
        for token in granted:
            token.mark_sent(late=False)
            token.end()
        running -= len(granted)


@pytest.mark.parametrize("calls", [1, 4, 8, 32])
async def test_a_small_limiter_is_used_fully(calls: int) -> None:
    """Except for the share that is reserved for urgent jobs."""
    for_bulk = calls - min(URGENT_RESERVE, calls // 4)
    assert len(await ConcurrencyLimiter(calls).acquire(32, urgent=False)) == min(INITIAL_STARTING, for_bulk)
