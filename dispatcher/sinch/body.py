"""The body of a request, streamed in chunks, and the guard that records whether the body has started.

The recipient is named in the body only. As long as no chunk of the body has been read, the provider cannot have acted
on the request, even if its headers have been sent.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from dispatcher.core.failpoints import Failpoint, FailpointHook, no_failpoint
from dispatcher.sinch.errors import NotSentError

#: bodies up to this size are sent in one chunk; larger ones in chunks of this size, without copying
PIECE_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class FileBytes:
    """The content of a file, read while it is sent.

    If the file changes its length meanwhile, the request fails.
    """

    path: Path
    size: int

    @classmethod
    def of(cls, path: Path) -> "FileBytes":
        """Create it with the current size of the file.

        Raises:
            OSError: the file cannot be accessed.
        """
        return cls(path, path.stat().st_size)

    def __len__(self) -> int:
        return self.size

    def chunks(self) -> Iterator[bytes]:
        """Read the file in chunks."""
        with self.path.open("rb") as file:
            while chunk := file.read(PIECE_BYTES):
                yield chunk


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: its pieces in order, and its content type."""

    pieces: tuple[bytes | FileBytes, ...]
    content_type: str

    @property
    def length(self) -> int:
        """Number of bytes."""
        return sum(map(len, self.pieces))

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Iterate over the body in chunks of at most ``PIECE_BYTES``."""
        if self.length <= PIECE_BYTES:
            yield b"".join(piece if isinstance(piece, bytes) else b"".join(piece.chunks()) for piece in self.pieces)
            return
        for piece in self.pieces:
            yield from _views(piece) if isinstance(piece, bytes) else piece.chunks()


def _views(piece: bytes) -> Iterator[memoryview]:
    view = memoryview(piece)
    for start in range(0, len(view), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]


#: reason of the error for a body that was not sent
TOO_LATE = "the time in which this send may begin had passed"


class SendGuard:
    """Records whether the body of the current attempt has started, and checks before that whether it may start.

    Args:
        may_send: Called once per attempt, right before the first byte of the body. If it returns False, the body is not
            sent.
        failpoint: Called before the first and after the last byte of the body.
    """

    __slots__ = ("closed", "failpoint", "may_send", "refused", "started")

    def __init__(self, may_send: Callable[[], bool] | None = None, failpoint: FailpointHook = no_failpoint) -> None:
        self.started = False
        #: the body was not allowed to start; recorded here because the transport may wrap the exception
        self.refused = False
        #: the call has ended and its outcome was reported: the body must not start any more
        self.closed = False
        self.may_send = may_send
        self.failpoint = failpoint

    def start(self) -> None:
        """Record that the body starts.

        Raises:
            NotSentError: the body may not start.
        """
        if self.closed or (self.may_send is not None and not self.may_send()):
            self.refused = True
            raise NotSentError(TOO_LATE)
        self.started = True


class BodyStream(httpx.AsyncByteStream):
    """The body of one attempt, as a stream for httpx.

    It calls ``guard.start`` before the first chunk.
    """

    def __init__(self, body: Body | None, guard: SendGuard) -> None:
        self._body = body
        self._guard = guard

    async def __aiter__(self) -> AsyncIterator[bytes]:
        failpoint = self._guard.failpoint
        await failpoint(Failpoint.FIRST_BYTE)
        self._guard.start()
        if self._body is not None:
            for chunk in self._body.chunks():
                # aiohttp accepts any buffer
                yield chunk  # type: ignore[misc]
        await failpoint(Failpoint.LAST_BYTE)
