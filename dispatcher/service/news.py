"""The callback consumer: what lies in the inbox is settled, however often and in whatever order it came."""

import asyncio
import json

import structlog

from dispatcher.core.job import JobId
from dispatcher.core.outcome import FaxNews, FaxStatus
from dispatcher.core.points import At, Point
from dispatcher.core.settlement import after_news
from dispatcher.service.settling import Settler
from dispatcher.sinch.callbacks import CallbackEvent
from dispatcher.store.store import Store

#: events taken at once
_MOST = 200

log = structlog.get_logger(__name__)


def encode(job: str, attempt: int, event: CallbackEvent) -> bytes:
    """An event for the inbox. Job and attempt come from the signed address, not from what the body claims."""
    news = event.news
    if news is None:
        return b"{}"
    fields = {name: getattr(news, name) for name in FaxNews.__slots__}
    return json.dumps({**fields, "job": job, "attempt": attempt}, separators=(",", ":")).encode()


def decode(raw: bytes) -> FaxNews:
    """Raises ValueError, KeyError or TypeError for what is no event of ours."""
    fields = json.loads(raw)
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
            await asyncio.gather(*(self._settle(raw) for _, raw in entries))
            if self._at:
                await self._at(Point.EVENTS_SETTLED)
            await self._store.inbox.done([entry_id for entry_id, _ in entries])
            settled += len(entries)
        return settled

    async def _settle(self, raw: bytes) -> None:
        try:
            news = decode(raw)
            job = JobId.parse(news.job)
        except (ValueError, KeyError, TypeError) as error:
            log.error("an event of the inbox cannot be read and is dropped", error=str(error))
            await self._store.totals.count("callbacks", ("dropped",))
            return
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
