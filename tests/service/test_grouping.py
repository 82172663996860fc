"""Questions that share a call: what one of them brings up is that one's alone."""

import asyncio
from collections.abc import Sequence

import pytest

from dispatcher.service.batching import Batcher
from dispatcher.store.errors import StoreUnavailable

pytestmark = pytest.mark.anyio


class Asked:
    """Answers numbers with their doubles. Odd ones cannot be answered, and 100 when the store is away."""

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


async def answers(asked: Asked, *numbers: int) -> list[object]:
    grouped = Batcher(asked)
    found = await asyncio.gather(*map(grouped.submit, numbers), return_exceptions=True)
    return [type(one) if isinstance(one, BaseException) else one for one in found]


async def test_questions_share_a_call() -> None:
    asked = Asked()
    assert await answers(asked, 2, 4, 6) == [4, 8, 12]
    assert asked.calls == [[2, 4, 6]]


async def test_a_question_that_cannot_be_answered_harms_no_other_of_its_call() -> None:
    asked = Asked()
    assert await answers(asked, 2, 3, 4) == [4, ValueError, 8]
    assert asked.calls == [[2, 3, 4], [2], [3], [4]]


async def test_a_store_that_is_away_is_away_for_all_and_is_not_asked_for_each() -> None:
    asked = Asked()
    assert await answers(asked, 2, 100, 4) == [StoreUnavailable] * 3
    assert len(asked.calls) == 1


async def test_an_answer_too_few_is_an_error_and_nobody_waits_for_ever() -> None:
    async def forgetful(numbers: Sequence[int]) -> Sequence[int]:
        return numbers[1:]

    grouped = Batcher(forgetful)
    found = await asyncio.wait_for(asyncio.gather(grouped.submit(1), grouped.submit(2), return_exceptions=True), 10)
    assert [type(one) for one in found] == [ValueError, ValueError]
