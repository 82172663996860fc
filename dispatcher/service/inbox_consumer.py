"""The callback consumer: what lies in the inbox is settled, however often and in whatever order it came."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import structlog

from dispatcher.core.failpoints import Failpoint, FailpointHook
from dispatcher.core.job import JobId, Record
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.settlement.callbacks import (
    Callback,
    CallbackProof,
    Judgement,
    Trust,
    after_unknown_ms,
    confirmed,
    count_read,
    judge_callback,
    shown_labels,
    unconfirmed,
)
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.transition import Transition
from dispatcher.service.fax_builder import FaxBuilder, FaxInputsMissing
from dispatcher.service.permits import NoPermit, Stopping
from dispatcher.service.provider_reads import ProviderReads
from dispatcher.service.settling import Settler
from dispatcher.sinch.callbacks import CallbackEvent
from dispatcher.sinch.coerce import clean
from dispatcher.sinch.errors import SinchError
from dispatcher.store.errors import StoreError
from dispatcher.store.inbox import DEFERRED, Entry, FailedEvent
from dispatcher.store.store import Store

#: events taken at once
_MOST = 200
#: when a fax is read again that could not be read
_UNREAD_AGAIN_MS = 30_000
#: a deferred event that was taken comes again after so long, unless it was settled
_DEFERRED_AGAIN_MS = 60_000
#: characters of the reason for which one is set aside
_REASON = 300
#: what its labels showed, in an event
_LABELS = "labels"

#: the fields of an event and what their values are
_KINDS = {one.name: type(one.default) if isinstance(one.default, int) else str for one in fields(FaxUpdate)}

log = structlog.get_logger(__name__)


def encode(job: str, attempt: int, event: CallbackEvent) -> bytes:
    """An event for the inbox. Job and attempt come from the signed address, not from what the body claims; an epoch
    would come from the body alone."""
    news = event.news
    if news is None:
        return b"{}"
    claimed = {name: getattr(news, name) for name in FaxUpdate.__slots__}
    known = {"job": job, "attempt": attempt, "write_epoch": 0, _LABELS: shown_labels(news, job, attempt)}
    return json.dumps({**claimed, **known}, separators=(",", ":")).encode()


def decode(raw: bytes) -> tuple[FaxUpdate, CallbackProof]:
    """The news, and what its labels showed. Raises ValueError, KeyError or TypeError for no event of ours. What only
    newer processes write is left out."""
    event = json.loads(raw)
    fields = {name: value for name, value in event.items() if name in FaxUpdate.__slots__}
    read: dict[str, Any] = {name: clean(value) if isinstance(value, str) else value for name, value in fields.items()}
    for name, value in read.items():
        if type(value) is not _KINDS[name]:
            raise TypeError(f"{name} is {value!r}")
    return FaxUpdate(**{**read, "status": FaxStatus(read["status"])}), CallbackProof(
        event.get(_LABELS, CallbackProof.ABSENT)
    )


def _always(record: Record, case: DecisionContext) -> Judgement:
    """What the provider itself says needs no judgement."""
    return Judgement(trust=Trust.APPLY)


class InboxConsumer:
    """Settles the events of the inbox."""

    def __init__(
        self,
        store: Store,
        settler: Settler,
        fax_builder: FaxBuilder,
        reads: ProviderReads,
        *,
        consumer: str,
        idle_s: float,
        failpoint: FailpointHook | None = None,
    ) -> None:
        """``idle_s``: how long the events of a consumer that vanished lie before another takes them."""
        self._store = store
        self._settler = settler
        self._fax_builder = fax_builder
        self._reads = reads
        self._consumer = consumer
        self._idle_ms = round(idle_s * 1000)
        self._at = failpoint

    async def settle_events(self) -> int:
        """Settle what lies in the inbox until it is empty, or the process stops; returns how many events that were."""
        settled = await self._settle_deferred()
        while not self._reads.stopping:
            entries = await self._store.inbox.take(self._consumer, _MOST, self._idle_ms)
            if not entries:
                break
            await self._settle_all(entries)
            settled += len(entries)
        return settled

    async def _settle_deferred(self) -> int:
        """Those whose time has come."""
        events = await self._store.inbox.take_deferred(_MOST, _DEFERRED_AGAIN_MS)
        if events:
            await self._settle_all([(DEFERRED, raw) for raw in events])
        return len(events)

    async def _settle_all(self, entries: Sequence[Entry]) -> None:
        outcomes = await asyncio.gather(*(self._settle(raw) for _, raw in entries), return_exceptions=True)
        if self._at:
            await self._at(Failpoint.EVENTS_SETTLED)
        await self._acknowledge(entries, outcomes)

    async def _acknowledge(self, entries: Sequence[Entry], outcomes: Sequence[BaseException | bool]) -> None:
        """One event that cannot be settled keeps none of the others back. What the store could not do now is done when
        the event is taken again."""
        inbox, done, failed, later = self._store.inbox, list[Entry](), list[FailedEvent](), list[BaseException]()
        for (entry_id, raw), error in zip(entries, outcomes, strict=True):
            if isinstance(error, bool):
                done += [(entry_id, raw)] if error or entry_id != DEFERRED else []
            elif isinstance(error, Stopping):
                continue  # another process takes it
            elif isinstance(error, StoreError) or not isinstance(error, Exception):
                later.append(error)
            else:
                reason = clean(f"{type(error).__name__}: {error}", _REASON)
                log.error("a callback cannot be settled and is set aside", id=entry_id, reason=reason)
                failed.append(FailedEvent(id=entry_id, event=raw, reason=reason))
        await inbox.done(done)
        if failed:
            await inbox.set_aside(failed)
            await self._store.metric_totals.count("callbacks", ("failed",), len(failed))
        if later:
            raise later[0]

    async def _settle(self, raw: bytes) -> bool:
        """Settle one event, as far as it can be believed. False: it was deferred."""
        news, labels = decode(raw)
        job = JobId.parse(news.job)
        if self._at:
            await self._at(Failpoint.EVENT_TAKEN)
        callback = Callback(update=news, labels=labels, number=await self._number(job))
        judged = await self._apply(job, news, partial(judge_callback, callback))
        if self._at:
            await self._at(Failpoint.EVENT_SETTLED)
        match judged.trust:
            case Trust.DEFER:
                return not await self._defer(raw, judged.again_ms)
            case Trust.READ:
                return await self._confirm(job, callback, raw, judged.known_attempt)
            case Trust.ADOPT:
                await self._adopt(job, callback)
            case Trust.UNCONFIRMED:
                await self._give_up(job, news)
            case Trust.MISMATCHED:
                await self._count("mismatched")
        return True

    async def _number(self, job: JobId) -> str:
        """Empty for a job that is not there, which settling finds out."""
        try:
            return await self._fax_builder.number(job)
        except FaxInputsMissing:
            return ""

    async def _apply(
        self, job: JobId, news: FaxUpdate, judge: Callable[[Record, DecisionContext], Judgement] = _always
    ) -> Judgement:
        """Apply the news, if it is judged to be believed."""
        # nothing is right about a job that is not there
        judged = Judgement(trust=Trust.MISMATCHED)

        def decide(record: Record, case: DecisionContext) -> Transition | None:
            nonlocal judged
            judged = judge(record, case)
            return after_update(record, news, case) if judged.trust is Trust.APPLY else None

        step = await self._settler.settle(job, decide, news=news, totals={"callbacks|settled": 1})
        if step is None and judged.trust is Trust.APPLY:
            await self._count("repeated")
        return judged

    async def _confirm(self, job: JobId, callback: Callback, raw: bytes, known_attempt: int) -> bool:
        """Read the fax, and apply what was read. What the provider does not know is asked for again later."""
        try:
            read = await self._reads.fax(callback.update.fax_id)
        except Stopping:
            raise
        except (NoPermit, SinchError) as error:
            log.info("a callback cannot be confirmed now", error=str(error))
            return not await self._defer(raw, await self._store.clock.now_ms() + _UNREAD_AGAIN_MS)
        again_ms = await self._count_read(job)
        if read is None:
            return not await self._defer(raw, again_ms)
        news = confirmed(read, callback, known_attempt)
        if news:
            await self._apply(job, news)
        else:
            await self._count("mismatched")
        return True

    async def _count_read(self, job: JobId) -> int:
        """Returns when the fax is asked for again, if the provider does not know it (ms)."""
        again_ms = 0

        def count(record: Record, case: DecisionContext) -> Transition | None:
            nonlocal again_ms
            again_ms = after_unknown_ms(record.confirming_reads + 1, case)
            return count_read(record, case)

        await self._settler.settle(job, count)
        return again_ms

    async def _adopt(self, job: JobId, callback: Callback) -> None:
        """The store has lost the attempt. What cannot be read now is followed as a fax that has not ended."""
        try:
            read = await self._reads.fax(callback.update.fax_id)
        except Stopping:
            raise
        except (NoPermit, SinchError):
            read = None
        news = confirmed(read, callback, 0) if read else None
        await self._apply(job, news or replace(callback.update, status=FaxStatus.UNFINISHED, ended_ms=0))

    async def _defer(self, raw: bytes, again_ms: int) -> bool:
        await self._count("deferred")
        if await self._store.inbox.defer(raw, again_ms):
            return True
        log.error("too many callbacks wait to be confirmed: one is dropped, and its fax is read back in time")
        return False

    async def _give_up(self, job: JobId, news: FaxUpdate) -> None:
        await self._settler.settle(job, lambda record, case: unconfirmed(record, news, case))
        await self._count("unconfirmed")

    async def _count(self, result: str) -> None:
        await self._store.metric_totals.count("callbacks", (result,))
