"""Large answers: pages of jobs, batches and refused rows, and reports.

They are made and encoded outside the event loop. They are sent in pieces: how many of them are in memory is bounded by
turns, and a turn ends when nearly all of its answer has left.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import ParamSpec

from fastapi import Response
from fastapi.responses import StreamingResponse

from dispatcher.api.turns import turn_until_answered
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.schema import responses

P = ParamSpec("P")

#: pages in memory at the same time, each of some megabytes at most, and how many others wait
PAGES_AT_ONCE, PAGES_WAITING = 8, 64
PAGE_TURN = turn_until_answered("page_turns")
#: as much as a connection keeps for a client before it waits for it
_PIECE_BYTES = 64 * 1024


async def page_response(make: Callable[P, responses.Response], *args: P.args, **kwargs: P.kwargs) -> Response:
    """Return the JSON of a model that ``make`` returns. FastAPI validates and encodes no answer that is a response."""

    def encoded() -> bytes:
        return make(*args, **kwargs).model_dump_json(by_alias=True).encode()

    content = await on_cpu_thread(encoded)
    if len(content) <= _PIECE_BYTES:
        return Response(content, media_type="application/json")
    headers = {"Content-Length": str(len(content))}
    return StreamingResponse(_pieces(content), media_type="application/json", headers=headers)


async def in_pieces(blocks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield what is in blocks of any size in small pieces."""
    async for block in blocks:
        async for piece in _pieces(block):
            yield piece
        del block  # the next block is made meanwhile


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]
