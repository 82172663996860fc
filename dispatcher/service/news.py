"""The callback consumer: what lies in the inbox is settled, however often and in whatever order it came."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import structlog

from dispatcher.core.job import JobId
from dispatcher.core.outcome import FaxNews, FaxStatus
from dispatcher.core.points import At, Point
from dispatcher.core.settlement import after_news
from dispatcher.service.settling import Settler
from dispatcher.sinch.callbacks import CallbackEvent
from dispatcher.sinch.reading import clean
from dispatcher.store.errors import StoreError
from dispatcher.store.inbox import FailedEvent
from dispatcher.store.store import Store

#: events taken at once
_MOST = 200
#: characters of the reason for which one is set aside
_REASON = 300

log = structlog.get_logger(__name__)


def encode(job: str, attempt: int, event: CallbackEvent) -> bytes:
    """An event for the inbox. Job and attempt come from the signed address, not from what the body claims; an epoch
    would come from the body alone."""
    news = event.news
    if news is None:
        return b"{}"
    fields = {name: getattr(news, name) for name in FaxNews.__slots__}
    known = {"job": job, "attempt": attempt, "write_epoch": 0}
    return json.dumps({**fields, **known}, separators=(",", ":")).encode()


def decode(raw: bytes) -> FaxNews:
    """Raises ValueError, KeyError or TypeError for no event of ours. What only newer processes write is left out."""
    told = {name: value for name, value in json.loads(raw).items() if name in FaxNews.__slots__}
    fields: dict[str, Any] = {name: clean(value) if isinstance(value, str) else value for name, value in told.items()}
    return FaxNews(**{**fields, "status": FaxStatus(fields["status"])})


class News:
    """Settles the events of the inbox."""

    def __init__(self, store: Store, settler: Settler, *, consumer: str, idle_s: float, at: At | None = None) -> None:
        """``idle_s``: how long the events of a consumer that vanished lie before another takes them."""
        self._store = store
        self._settler = settler
        self._consumer = consumer
        self._idle_ms = round(idle_s * 1000)
        self._at = at

    async def settle_events(self) -> int:
        """Settle what lies in the inbox until it is empty; returns how many events that were."""
        settled = 0
        while entries := await self._store.inbox.take(self._consumer, _MOST, self._idle_ms):
            outcomes = await asyncio.gather(*(self._settle(raw) for _, raw in entries), return_exceptions=True)
            if self._at:
                await self._at(Point.EVENTS_SETTLED)
            await self._acknowledge(entries, outcomes)
            settled += len(entries)
        return settled

    async def _acknowledge(
        self, entries: Sequence[tuple[str, bytes]], outcomes: Sequence[BaseException | None]
    ) -> None:
        """One event that cannot be settled keeps none of the others back. What the store could not do now is done when
        the event is taken again."""
        inbox, failed, later = self._store.inbox, list[FailedEvent](), list[BaseException]()
        for (entry_id, raw), error in zip(entries, outcomes, strict=True):
            if error is None:
                continue
            if isinstance(error, StoreError) or not isinstance(error, Exception):
                later.append(error)
            else:
                reason = clean(f"{type(error).__name__}: {error}", _REASON)
                log.error("an event of the inbox cannot be settled and is set aside", id=entry_id, reason=reason)
                failed.append(FailedEvent(id=entry_id, event=raw, reason=reason))
        await inbox.done([entry_id for (entry_id, _), error in zip(entries, outcomes, strict=True) if error is None])
        if failed:
            await inbox.set_aside(failed)
            await self._store.totals.count("callbacks", ("failed",), len(failed))
        if later:
            raise later[0]

    async def _settle(self, raw: bytes) -> None:
        news = decode(raw)
        job = JobId.parse(news.job)
        if self._at:
            await self._at(Point.EVENT_TAKEN)
        counted = {"callbacks|settled": 1}
        step = await self._settler.settle(
            job, lambda record, case: after_news(record, news, case), news=news, totals=counted
        )
        if self._at:
            await self._at(Point.EVENT_SETTLED)
        if step is None:
            await self._store.totals.count("callbacks", ("repeated",))
