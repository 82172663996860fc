"""Batches concurrent store calls: requests that arrive during one call are sent together in the next.

For reads this is a data loader, for writes a group commit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import structlog

from dispatcher.store.errors import StoreError, is_outage

#: requests in one call
_MAX_REQUESTS = 64
#: first and longest pause (seconds) between two tries while Redis is away; the request is kept until Redis is back
_PAUSE_S, _MAX_PAUSE_S = 0.05, 1.0

Request = TypeVar("Request")
Result = TypeVar("Result")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _PendingRequest(Generic[Request, Result]):
    request: Request
    result: asyncio.Future[Result]


class Batcher(Generic[Request, Result]):
    """Sends requests in batches, one call at a time.

    A store error is raised for every request of its call. Any other error belongs to a single request: the requests
    are then sent one by one, and only the one that causes the error gets it.
    """

    def __init__(self, call: Callable[[Sequence[Request]], Awaitable[Sequence[Result]]]) -> None:
        """Create a batcher for one kind of call.

        Args:
            call: Takes a list of requests and returns their results in the same order. Must be safe to repeat.
        """
        self._call = call
        self._queue: list[_PendingRequest[Request, Result]] = []
        #: the requests of the present call
        self._batch: list[_PendingRequest[Request, Result]] = []
        self._sending: asyncio.Task[None] | None = None

    async def submit(self, request: Request) -> Result:
        """Send a request with the next call and return its result. Raises what the call raises."""
        pending = _PendingRequest(request, asyncio.get_running_loop().create_future())
        self._queue.append(pending)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
            self._sending.add_done_callback(self._ended)
        result: Result = await pending.result
        return result

    async def _send_all(self) -> None:
        while self._queue:
            self._batch, self._queue = self._queue[:_MAX_REQUESTS], self._queue[_MAX_REQUESTS:]
            await self._send(self._batch)

    def _ended(self, sending: "asyncio.Task[None]") -> None:
        """Cancel the requests of a task that was cancelled: nothing else would end them."""
        if not sending.cancelled():
            return
        requests = self._batch
        if self._sending is sending:  # otherwise a new task sends the queue
            requests, self._queue = [*self._batch, *self._queue], []
        for pending in requests:
            pending.result.cancel()

    async def _send(self, batch: Sequence[_PendingRequest[Request, Result]]) -> None:
        try:
            results = await self._call([pending.request for pending in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception as error:  # raised in the tasks that submitted the requests
            if len(batch) == 1 or is_outage(error):
                _fail(batch, error)
                return
            log.exception("a request of a batch failed; its requests are sent one by one")
            for pending in batch:
                await self._send([pending])
            return
        for pending, result in pairs:
            if not pending.result.done():
                pending.result.set_result(result)


def _fail(batch: Sequence[_PendingRequest[Request, Result]], error: Exception) -> None:
    for pending in batch:
        if not pending.result.done():
            pending.result.set_exception(error)


def retrying(
    call: Callable[[Sequence[Request]], Awaitable[Sequence[Result]]],
) -> Callable[[Sequence[Request]], Awaitable[Sequence[Result]]]:
    """Wrap ``call`` so that it is retried until the store answers. It must be safe to repeat."""

    async def retried(requests: Sequence[Request]) -> Sequence[Result]:
        return await retry_forever(partial(call, requests))

    return retried


async def retry_forever(call: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat ``call`` until it raises no StoreError, with growing pauses. It must be safe to repeat.

    Raises UnreadableData at once: repeating would not help.
    """
    pause_s = _PAUSE_S
    while True:
        try:
            return await call()
        except StoreError as error:
            if not is_outage(error):
                raise
            log.warning("the store does not answer, trying again", error=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)
