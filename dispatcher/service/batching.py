"""Many small questions to the store become few large ones: what comes while a call is under way shares the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import structlog

from dispatcher.store.errors import StoreError

#: questions in one call
_MOST = 64
#: pauses while Redis is away: what is to be written is kept and written when it is back
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0

Question = TypeVar("Question")
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _PendingCall(Generic[Question, Answer]):
    question: Question
    answered: asyncio.Future[Answer]


class Batcher(Generic[Question, Answer]):
    """Asks in groups, one call at a time.

    An error of the store belongs to all who share the call. Any other is that of one question: each is asked by itself
    then, and only the one that brings the error up gets it.
    """

    def __init__(self, ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]) -> None:
        """``ask`` answers a list of questions in their order, and is safe to repeat."""
        self._ask = ask
        self._queue: list[_PendingCall[Question, Answer]] = []
        self._asking: asyncio.Task[None] | None = None

    async def submit(self, question: Question) -> Answer:
        waiting = _PendingCall(question, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())
        answer: Answer = await waiting.answered
        return answer

    async def _ask_all(self) -> None:
        while self._queue:
            group, self._queue = self._queue[:_MOST], self._queue[_MOST:]
            await self._ask_group(group)

    async def _ask_group(self, group: Sequence[_PendingCall[Question, Answer]]) -> None:
        try:
            answers = await self._ask([one.question for one in group])
            pairs = list(zip(group, answers, strict=True))
        except Exception as error:  # it belongs to those who asked
            if len(group) == 1 or isinstance(error, StoreError):
                _fail(group, error)
                return
            log.exception("one question of a group cannot be answered, each is asked by itself")
            for one in group:
                await self._ask_group([one])
            return
        for waiting, answer in pairs:
            if not waiting.answered.done():
                waiting.answered.set_result(answer)


def _fail(group: Sequence[_PendingCall[Question, Answer]], error: Exception) -> None:
    for waiting in group:
        if not waiting.answered.done():
            waiting.answered.set_exception(error)


def retrying(
    ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
) -> Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]:
    """The same, asked for as long as it takes. ``ask`` must be safe to repeat."""

    async def asked(questions: Sequence[Question]) -> Sequence[Answer]:
        return await retry_forever(partial(ask, questions))

    return asked


async def retry_forever(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeat a call while the store is away or refuses."""
    pause_s = _PAUSE_S
    while True:
        try:
            return await call()
        except StoreError as error:
            log.warning("the store does not answer, trying again", error=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
