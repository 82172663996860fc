"""The body of a request, streamed in small views, and the record of whether any of it was asked for.

The head of a request leaves together with the first piece of the body, or before it. As long as the body was not
asked for, nothing that names a recipient has left the process, so the provider cannot have acted on the request.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from dispatcher.core.failpoints import Failpoint, FailpointHook
from dispatcher.sinch.errors import NotSentError

#: bodies up to this size go out in one write; larger ones in views of this size, so that nothing large is copied
PIECE_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A file that is read while it is sent. A file that changes its length meanwhile breaks the request off."""

    path: Path
    size: int

    @classmethod
    def of(cls, path: Path) -> "FileBytes":
        return cls(path, path.stat().st_size)

    def __len__(self) -> int:
        return self.size

    def chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(PIECE_BYTES):
                yield chunk


@dataclass(frozen=True, slots=True)
class Body:
    """Pieces in order, with their media type."""

    pieces: tuple[bytes | FileBytes, ...]
    content_type: str

    @property
    def length(self) -> int:
        return sum(map(len, self.pieces))

    def chunks(self) -> Iterator[bytes | memoryview]:
        if self.length <= PIECE_BYTES:
            yield b"".join(piece if isinstance(piece, bytes) else b"".join(piece.chunks()) for piece in self.pieces)
            return
        for piece in self.pieces:
            yield from _views(piece) if isinstance(piece, bytes) else piece.chunks()


def _views(piece: bytes) -> Iterator[memoryview]:
    view = memoryview(piece)
    for start in range(0, len(view), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]


#: why a body did not begin to leave
TOO_LATE = "the time in which this send may begin had passed"


class Departure:
    """Whether the body of the present try has begun to leave, and a last question before it does.

    ``may_send`` is asked once for each try, right before the first byte of the body. False raises NotSentError.
    ``at`` is called at the points before that and after the last byte.
    """

    __slots__ = ("at", "begun", "may_send", "over", "refused")

    def __init__(self, may_send: Callable[[], bool] | None = None, at: FailpointHook | None = None) -> None:
        self.begun = False
        #: the last question was answered with no; what carries the body may tell of it as an error of its own
        self.refused = False
        #: the caller has given the call up and was told whether the body had begun: it must not begin any more
        self.over = False
        self.may_send = may_send
        self.at = at

    def begin(self) -> None:
        if self.over or (self.may_send is not None and not self.may_send()):
            self.refused = True
            raise NotSentError(TOO_LATE)
        self.begun = True


class BodyStream(httpx.AsyncByteStream):
    """One try's reading of a body. Marks the departure when it is first asked for bytes."""

    def __init__(self, body: Body | None, departure: Departure) -> None:
        self._body = body
        self._departure = departure

    async def __aiter__(self) -> AsyncIterator[bytes]:
        at = self._departure.at
        if at:
            await at(Failpoint.FIRST_BYTE)
        self._departure.begin()
        if self._body is not None:
            for chunk in self._body.chunks():
                # aiohttp takes any buffer
                yield chunk  # type: ignore[misc]
        if at:
            await at(Failpoint.LAST_BYTE)
