"""Requests that share a call: an error that one request causes is raised for that request only."""

import asyncio
from collections.abc import Sequence

import pytest

from dispatcher.service.batching import Batcher
from dispatcher.store.errors import StoreUnavailable

pytestmark = pytest.mark.anyio


class Doubler:
    """Doubles even numbers. Odd ones raise ValueError, and 100 raises StoreUnavailable."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        self.calls.append(list(numbers))
        if 100 in numbers:
            raise StoreUnavailable("away")
        if any(number % 2 for number in numbers):
            raise ValueError("odd")
        return [2 * number for number in numbers]


async def submit_all(doubler: Doubler, *numbers: int) -> list[object]:
    batcher = Batcher(doubler)
    results = await asyncio.gather(*map(batcher.submit, numbers), return_exceptions=True)
    return [type(result) if isinstance(result, BaseException) else result for result in results]


async def test_requests_share_a_call() -> None:
    doubler = Doubler()
    assert await submit_all(doubler, 2, 4, 6) == [4, 8, 12]
    assert doubler.calls == [[2, 4, 6]]


async def test_a_request_that_fails_does_not_fail_the_others_of_its_call() -> None:
    doubler = Doubler()
    assert await submit_all(doubler, 2, 3, 4) == [4, ValueError, 8]
    assert doubler.calls == [[2, 3, 4], [2], [3], [4]]


async def test_a_store_error_is_raised_for_all_and_the_requests_are_not_sent_one_by_one() -> None:
    doubler = Doubler()
    assert await submit_all(doubler, 2, 100, 4) == [StoreUnavailable] * 3
    assert len(doubler.calls) == 1


async def test_a_missing_result_is_an_error_and_nobody_waits_for_ever() -> None:
    async def forgetful(numbers: Sequence[int]) -> Sequence[int]:
        return numbers[1:]

    batcher = Batcher(forgetful)
    results = await asyncio.wait_for(asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True), 10)
    assert [type(result) for result in results] == [ValueError, ValueError]


async def test_requests_whose_sender_is_cancelled_are_cancelled_and_the_next_is_sent() -> None:
    """One is in the call, one waits for the next, and one comes while the sender is being cancelled: none hangs."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(numbers: Sequence[int]) -> Sequence[int]:
        begun.set()
        await may_end.wait()
        return numbers

    batcher, before = Batcher(slow), asyncio.all_tasks()
    in_call = asyncio.create_task(batcher.submit(1))
    await begun.wait()
    (sender,) = asyncio.all_tasks() - before - {in_call}
    queued = asyncio.create_task(batcher.submit(2))
    await asyncio.sleep(0)
    sender.cancel()
    late = asyncio.create_task(batcher.submit(3))
    cancelled, *_ = await asyncio.wait_for(asyncio.gather(in_call, return_exceptions=True), 10)
    assert isinstance(cancelled, asyncio.CancelledError)
    may_end.set()
    results = await asyncio.wait_for(asyncio.gather(queued, late, return_exceptions=True), 10)
    assert all(isinstance(result, asyncio.CancelledError) or result in (2, 3) for result in results)
    assert await asyncio.wait_for(batcher.submit(4), 10) == 4
