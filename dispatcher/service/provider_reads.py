"""Reads from the provider: one fax by its id, and complete lists. Each request takes a permit."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from dispatcher.core.limits.holds import PROVIDER
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.service.permits import ReadKind, ReadPermits
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import RateLimitedError, SinchError, TooLargeError, UnreadableError
from dispatcher.sinch.paging import ListProgress
from dispatcher.sinch.wire import MAX_LIST_PAGES, FaxQuery
from dispatcher.store.holds import Holds, ListNote

Answer = TypeVar("Answer")

#: parts of a list's time that are asked for, of which each half may be too large
_MAX_PARTS = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A complete list of faxes."""

    faxes: tuple[FaxUpdate, ...]
    #: jobs of listed faxes that could not be parsed; "" for a fax that may belong to any job
    unusable: frozenset[str]

    def may_hide(self, job: str) -> bool:
        """Return whether an unusable fax of the list may be the job's. The list then does not prove its absence."""
        return not self.unusable.isdisjoint({"", job})


def _joined(parts: Sequence[Listed]) -> Listed:
    by_id = {update.fax_id: update for part in parts for update in part.faxes}
    return Listed(faxes=tuple(by_id.values()), unusable=frozenset().union(*(part.unusable for part in parts)))


class ProviderReads:
    """Reads faxes and lists. All reads raise SinchError, NoPermit and StoreError."""

    def __init__(self, sinch: FaxClient, permits: ReadPermits, holds: Holds, policy: Policy) -> None:
        self._sinch = sinch
        self._holds = holds
        self._permits = permits
        self._policy = policy

    @property
    def stopping(self) -> bool:
        """Whether the process stops and makes no more reads."""
        return self._permits.closed

    async def fax(self, fax_id: str) -> FaxUpdate | None:
        """Read one fax. Returns None when the provider does not know it."""
        return await self._paid(ReadKind.FAX, partial(self._sinch.fax, fax_id, total_s=self._policy.read_total_s))

    async def listed(self, query: FaxQuery, kind: ReadKind) -> Listed:
        """Read all pages of a list. Raises UnreadableError when the list is incomplete."""
        try:
            listed = _joined([part async for part in _in_readable_parts(query, partial(self._listed, kind=kind))])
        except RateLimitedError:
            raise  # a rate limit does not mean that lists cannot be read
        except SinchError:
            await self._note(readable=False)
            raise
        await self._note(readable=True)
        return listed

    async def newest(self, query: FaxQuery, kind: ReadKind) -> Sequence[FaxUpdate]:
        """Read the first page of a list, which has the newest faxes."""

        async def first_page(query: FaxQuery) -> Sequence[FaxUpdate]:
            page = partial(self._sinch.list_page, query, 1, total_s=self._policy.read_total_s)
            return (await self._paid(kind, page)).faxes

        async with aclosing(_in_readable_parts(query, first_page)) as parts:
            # anext with a default ends with SystemError here (Python 3.11)
            async for faxes in parts:
                if faxes:
                    return faxes
        return ()

    async def _note(self, *, readable: bool) -> None:
        """Note whether a list could be read. Sending is held while unclear attempts cannot be searched for."""
        match await self._holds.note_list(self._policy, readable=readable):
            case ListNote.HELD:
                log.error("hold opened: fax lists cannot be read and there are unclear attempts", scope=PROVIDER)
            case ListNote.RELEASED:
                log.info("hold released: a fax list was read", scope=PROVIDER)

    async def _listed(self, query: FaxQuery, kind: ReadKind) -> Listed:
        progress, page, more = ListProgress(), 1, True
        faxes, unusable = dict[str, FaxUpdate](), list[str]()
        while more and progress.complete and page <= MAX_LIST_PAGES:
            ask = partial(self._sinch.list_page, query, page, total_s=self._policy.read_total_s)
            listed = await self._paid(kind, ask)
            faxes |= {update.fax_id: update for update in listed.faxes}
            unusable += listed.unusable
            keys = [
                *(update.fax_id for update in listed.faxes),
                *((page, index) for index in range(len(listed.unusable))),
            ]
            more, page = progress.add(keys, listed.total_pages), page + 1
        if more or not progress.complete:
            raise UnreadableError("the list of faxes breaks off before its end")
        return Listed(faxes=tuple(faxes.values()), unusable=frozenset(unusable))

    async def _paid(self, kind: ReadKind, read: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make one read with a permit."""
        async with self._permits.read(kind) as epoch:
            try:
                return await read()
            except RateLimitedError as error:
                await self._permits.slow_down(epoch, error.retry_after_s)
                raise


async def _in_readable_parts(
    query: FaxQuery, read: Callable[[FaxQuery], Awaitable[Answer]]
) -> AsyncGenerator[Answer, None]:
    """Read a list in smaller pages if one is too large, and in parts of its time if the smallest are: newest first.

    A provider that ignores the page size answers with all faxes of the time.
    """
    try:
        yield await _in_readable_pages(query, read)
        return
    except TooLargeError as error:
        pending = _halves(query, error)
    for _ in range(_MAX_PARTS):
        query = pending.pop()
        try:
            yield await read(query)
        except TooLargeError as error:
            pending += _halves(query, error)
        if not pending:
            return
    raise TooLargeError(f"the list of faxes is too large: {_MAX_PARTS} parts of its time were asked for")


def _halves(query: FaxQuery, error: TooLargeError) -> list[FaxQuery]:
    halves = query.in_halves()
    if halves is None:
        raise error
    return [*halves]


async def _in_readable_pages(query: FaxQuery, read: Callable[[FaxQuery], Awaitable[Answer]]) -> Answer:
    """Read a list from its beginning, in ever smaller pages as long as one is too large to be read."""
    while True:
        try:
            return await read(query)
        except TooLargeError:
            smaller = query.in_smaller_pages()
            if smaller is None:
                raise
            query = smaller
