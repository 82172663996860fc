"""Asking the provider: unclear sends are looked for by our label, accepted faxes without news are read back.

A look that failed is no look: the job comes due again, and nothing is concluded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from dispatcher.core.job import JobId, State
from dispatcher.core.outcome import FaxNews
from dispatcher.core.policy import Policy
from dispatcher.core.reading import Overdue, Window, plan
from dispatcher.core.settlement import after_empty_look, after_news, after_read, send_deadline_ms
from dispatcher.service.material import Library
from dispatcher.service.permits import NoPermit, Permits
from dispatcher.service.settling import Decide, Settler
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import RateLimitedError, SinchError
from dispatcher.sinch.wire import FaxQuery
from dispatcher.store.dispatch import Stored
from dispatcher.store.store import Store

#: Added on both sides when one number is listed. There are few faxes to it, and a fax that is outside of the range is
#: sent twice: the provider's clock may differ by more than a list of everything could allow for.
_WIDE_MS = 3_600_000

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class Follower:
    """Looks at jobs that came due while they were in flight."""

    def __init__(
        self, store: Store, sinch: FaxClient, library: Library, settler: Settler, permits: Permits, policy: Policy
    ) -> None:
        self._store = store
        self._sinch = sinch
        self._library = library
        self._settler = settler
        self._permits = permits
        self._policy = policy

    async def look_at(self, jobs: Sequence[JobId]) -> None:
        """Take each job's step: look up what may have been sent, read back what was accepted."""
        stored = [one for one in await self._store.dispatch.stored(jobs) if one]
        sending = [one for one in stored if one.record.state is State.SENDING]
        accepted = [one for one in stored if one.record.state is State.ACCEPTED]
        await asyncio.gather(
            self._read_back(accepted), *(self._careful(partial(self._look_up, one)) for one in sending)
        )

    async def _careful(self, ask: Callable[[], Awaitable[None]]) -> None:
        """A question that brings no answer leaves everything as it is."""
        try:
            await ask()
        except NoPermit:
            log.info("no permit for a read in time, it is made later")
        except SinchError as error:
            log.warning("the provider could not be asked", error=str(error))
        except Exception:  # what one job brings up must not end the look at others
            log.exception("a look at the provider broke off; it is made again")

    async def _look_up(self, stored: Stored) -> None:
        record, job = stored.record, stored.job
        asked_ms = await self._store.clock.now_ms()
        if asked_ms < send_deadline_ms(record, self._policy):
            return
        material = (await self._library.material([job]))[0]
        query = FaxQuery(
            to=material.recipient.number,
            created_from_ms=record.began_ms - _WIDE_MS,
            created_to_ms=send_deadline_ms(record, self._policy) + _WIDE_MS,
        )
        listed = await self._listed(query)
        ours = [news for news in listed.faxes if news.job == str(job)]
        for news in ours:
            await self._settler.settle(job, _telling(news), news=news)
        if not listed.may_hide(str(job)) and not any(news.attempt == record.attempt for news in ours):
            decide = partial(after_empty_look, attempt=record.attempt, asked_ms=asked_ms)
            await self._settler.settle(job, decide)

    async def _read_back(self, accepted: Sequence[Stored]) -> None:
        if not accepted:
            return
        pace = await self._store.limiter.pace()
        # A list may lag. A fax that was missing once is asked for by its id: that answer alone may end in a hold.
        missing = [_overdue(one) for one in accepted if one.record.unclear]
        others = (_overdue(one) for one in accepted if not one.record.unclear)
        asked = plan(others, rate_per_second=pace.ceiling, margin_s=self._policy.clock_skew_s)
        windows = (self._careful(partial(self._read_window, window)) for window in asked.windows)
        single = (self._careful(partial(self._read_one, fax)) for fax in (*missing, *asked.single))
        await asyncio.gather(*windows, *single)

    async def _read_window(self, window: Window) -> None:
        margin_ms = round(self._policy.clock_skew_s * 1000)
        query = FaxQuery(created_from_ms=window.from_ms - margin_ms, created_to_ms=window.to_ms + margin_ms)
        listed = await self._listed(query)
        told = {news.fax_id: news for news in listed.faxes}
        hidden = [fax for fax in window.faxes if fax.fax_id not in told and listed.may_hide(str(fax.job))]
        shown = [fax for fax in window.faxes if fax not in hidden]
        await asyncio.gather(
            *(self._settle_read(fax, told.get(fax.fax_id)) for fax in shown),
            *(self._careful(partial(self._read_one, fax)) for fax in hidden),
        )

    async def _read_one(self, fax: Overdue) -> None:
        news = await self._paid(partial(self._sinch.fax, fax.fax_id, total_s=self._policy.read_total_s))
        await self._settle_read(fax, news)

    async def _settle_read(self, fax: Overdue, news: FaxNews | None) -> None:
        await self._settler.settle(fax.job, lambda record, case: after_read(record, news, case), news=news)

    async def _listed(self, query: FaxQuery) -> "_Listed":
        """All pages of a list, each paid with a permit. Raises SinchError or NoPermit: half a list is no answer."""
        page, last, faxes, unusable = 1, 1, list[FaxNews](), list[str]()
        while page <= last:
            listed = await self._paid(partial(self._sinch.list_page, query, page, total_s=self._policy.read_total_s))
            faxes += listed.faxes
            unusable += listed.unusable
            page, last = page + 1, listed.total_pages
        return _Listed(faxes=tuple(faxes), unusable=frozenset(unusable))

    async def _paid(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        epoch = await self._permits.take()
        try:
            return await ask()
        except RateLimitedError as error:
            await self._permits.slow_down(epoch, error.retry_after_s)
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A whole list."""

    faxes: tuple[FaxNews, ...]
    #: jobs of faxes that cannot be used, and empty text for one that may be any job's
    unusable: frozenset[str]

    def may_hide(self, job: str) -> bool:
        """Whether a fax of the job can be in it that was not read: then the list proves no absence."""
        return not self.unusable.isdisjoint({"", job})


def _overdue(stored: Stored) -> Overdue:
    return Overdue(job=stored.job, fax_id=stored.record.fax_id, began_ms=stored.record.began_ms)


def _telling(news: FaxNews) -> Decide:
    return lambda record, case: after_news(record, news, case)
