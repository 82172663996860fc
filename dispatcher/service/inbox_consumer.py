"""Settles the callbacks in the inbox. They may come several times and in any order.

A callback that cannot be trusted alone is confirmed by reading its fax, now or later (it is then *deferred*).
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import structlog

from dispatcher.core.failpoints import Failpoint, FailpointHook, no_failpoint
from dispatcher.core.histograms import CALLBACK_LAG
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
from dispatcher.store.errors import is_outage
from dispatcher.store.inbox import DEFERRED, Entry, FailedEvent, Taken
from dispatcher.store.store import Store

#: events taken from the inbox at a time
_MAX_EVENTS = 200
#: an event that was taken more often may be what ends the processes that take it: it is settled alone, and after
#: many more times not at all. Every take counts, whatever ended the one before, and two are at least half a lease
#: apart: a hundred are some 25 minutes. Restarts and a Redis that accepts no writes also repeat genuine events
_TAKEN_TOGETHER, _TAKEN_AT_ALL = 5, 100
#: milliseconds until a fax that could not be read is read again
_RETRY_READ_MS = 30_000
#: milliseconds until a deferred event that was taken comes again, unless it was settled
_RETRY_DEFERRED_MS = 60_000
#: maximum characters of the reason for which an event is set aside
_MAX_REASON = 300
#: key of an event under which the result of checking its labels is stored
_LABELS = "labels"

#: the fields of an event and the types of their values
_FIELD_TYPES = {
    field.name: type(field.default) if isinstance(field.default, int) else str for field in fields(FaxUpdate)
}

log = structlog.get_logger(__name__)


class TakenTooOften(Exception):
    """The reason for setting aside an event that no process could settle."""


def encode(job: str, attempt: int, event: CallbackEvent) -> bytes:
    """Encode an event for the inbox.

    Job and attempt number come from the signed URL, not from the body. The write epoch is 0, because only the body
    could tell it.
    """
    update = event.update
    if update is None:
        return b"{}"
    claimed = {name: getattr(update, name) for name in FaxUpdate.__slots__}
    known = {"job": job, "attempt": attempt, "write_epoch": 0, _LABELS: shown_labels(update, job, attempt)}
    return json.dumps({**claimed, **known}, separators=(",", ":")).encode()


def decode(raw: bytes) -> tuple[FaxUpdate, CallbackProof]:
    """Decode an event of the inbox into the fax update and the result of checking its labels.

    Fields that this version does not know are ignored. Raises ValueError, KeyError or TypeError for anything that is
    not an event.
    """
    event = json.loads(raw)
    fields = {name: value for name, value in event.items() if name in FaxUpdate.__slots__}
    read: dict[str, Any] = {name: clean(value) if isinstance(value, str) else value for name, value in fields.items()}
    for name, value in read.items():
        if type(value) is not _FIELD_TYPES[name]:
            raise TypeError(f"{name} is {value!r}")
    return FaxUpdate(**{**read, "status": FaxStatus(read["status"])}), CallbackProof(
        event.get(_LABELS, CallbackProof.ABSENT)
    )


def _always_apply(record: Record, context: DecisionContext) -> Judgement:
    """Apply without further checks: the update was read from the provider."""
    return Judgement(trust=Trust.APPLY)


class InboxConsumer:
    """Settles the events of the inbox. Several consumers may run, under different names."""

    def __init__(
        self,
        store: Store,
        settler: Settler,
        fax_builder: FaxBuilder,
        reads: ProviderReads,
        *,
        consumer: str,
        idle_s: float,
        failpoint: FailpointHook = no_failpoint,
    ) -> None:
        """Create a consumer.

        Args:
            store: The store.
            settler: Applies the updates.
            fax_builder: Knows the number of each job.
            reads: Reads faxes that have to be confirmed.
            consumer: Name of this consumer.
            idle_s: Seconds after which the events of a consumer that has ended are taken by another.
            failpoint: Called at named points; only tests set it.
        """
        self._store = store
        self._settler = settler
        self._fax_builder = fax_builder
        self._reads = reads
        self._consumer = consumer
        self._idle_ms = round(idle_s * 1000)
        self._failpoint = failpoint

    async def settle_events(self) -> int:
        """Settle events until the inbox is empty or the process stops. Returns the number of events."""
        settled = await self._settle_deferred()
        while not self._reads.stopping:
            taken = await self._store.inbox.take(self._consumer, _MAX_EVENTS, self._idle_ms)
            if not taken.entries:
                break
            await self._settle_taken(taken)
            settled += len(taken.entries)
        return settled

    async def _settle_taken(self, taken: Taken) -> None:
        """Settle events: those that were taken again and again one by one, in their order, and the others together.

        The event that ends its process is the first that remains, so the first is set aside in the end.
        """
        repeated = [entry for entry in taken.entries if taken.times.get(entry[0], 1) > _TAKEN_TOGETHER]
        together = [entry for entry in taken.entries if entry not in repeated] if repeated else taken.entries
        if repeated and (times := taken.times[repeated[0][0]]) > _TAKEN_AT_ALL:
            await self._acknowledge(repeated[:1], [TakenTooOften(f"taken {times} times")])
            repeated = repeated[1:]
        for entry in repeated:
            await self._settle_all([entry])
        if together:
            await self._settle_all(together)

    async def _settle_deferred(self) -> int:
        """Settle the deferred events that are due. Returns the number of events."""
        events = await self._store.inbox.take_deferred(_MAX_EVENTS, _RETRY_DEFERRED_MS)
        if events:
            await self._settle_all([(DEFERRED, raw) for raw in events])
        return len(events)

    async def _settle_all(self, entries: Sequence[Entry]) -> None:
        outcomes = await asyncio.gather(*(self._settle(raw) for _, raw in entries), return_exceptions=True)
        await self._failpoint(Failpoint.EVENTS_SETTLED)
        await self._acknowledge(entries, outcomes)

    async def _acknowledge(self, entries: Sequence[Entry], outcomes: Sequence[BaseException | bool]) -> None:
        """Remove settled events from the inbox and set those aside that cannot be settled.

        An event that failed because of the store stays in the inbox and is taken again. The first such error is raised
        after the others are dealt with.
        """
        inbox, done, failed, later = self._store.inbox, list[Entry](), list[FailedEvent](), list[BaseException]()
        for (entry_id, raw), outcome in zip(entries, outcomes, strict=True):
            if isinstance(outcome, bool):
                done += [(entry_id, raw)] if outcome or entry_id != DEFERRED else []
            elif isinstance(outcome, Stopping):
                continue  # another process takes it
            elif is_outage(outcome) or not isinstance(outcome, Exception):
                later.append(outcome)
            else:
                reason = clean(f"{type(outcome).__name__}: {outcome}", _MAX_REASON)
                log.error("a callback cannot be settled and is set aside", id=entry_id, reason=reason)
                failed.append(FailedEvent(id=entry_id, event=raw, reason=reason))
        await inbox.done(done)
        if failed:
            await inbox.set_aside(failed)
            await self._store.metric_totals.count("callbacks", ("failed",), len(failed))
        if later:
            raise later[0]

    async def _settle(self, raw: bytes) -> bool:
        """Settle one event as far as it can be trusted. Returns False if it was deferred."""
        update, labels = decode(raw)
        job = JobId.parse(update.job)
        await self._failpoint(Failpoint.EVENT_TAKEN)
        callback = Callback(update=update, labels=labels, number=await self._number(job))
        judgement = await self._apply(job, update, partial(judge_callback, callback))
        await self._failpoint(Failpoint.EVENT_SETTLED)
        match judgement.trust:
            case Trust.DEFER:
                return not await self._defer(raw, judgement.again_ms)
            case Trust.READ:
                return await self._confirm(job, callback, raw, judgement.known_attempt)
            case Trust.ADOPT:
                await self._adopt(job, callback)
            case Trust.UNCONFIRMED:
                await self._give_up(job, update)
            case Trust.MISMATCHED:
                await self._count("mismatched")
        return True

    async def _number(self, job: JobId) -> str:
        """Return the number of a job, or "" if there is no such job."""
        try:
            return await self._fax_builder.number(job)
        except FaxInputsMissing:
            return ""

    async def _apply(
        self, job: JobId, update: FaxUpdate, judge: Callable[[Record, DecisionContext], Judgement] = _always_apply
    ) -> Judgement:
        """Apply the update if ``judge`` trusts it. Returns the judgement."""
        # stays so for a job that does not exist
        judgement = Judgement(trust=Trust.MISMATCHED)

        def decide(record: Record, context: DecisionContext) -> Transition | None:
            nonlocal judgement
            judgement = judge(record, context)
            return after_update(record, update, context) if judgement.trust is Trust.APPLY else None

        totals = {"callbacks|settled": 1}
        if update.ended_ms:
            lag_ms = await self._store.clock.now_ms() - update.ended_ms
            totals |= CALLBACK_LAG.observation(lag_ms / 1000)
        transition = await self._settler.settle(job, decide, update=update, totals=totals)
        if transition is None and judgement.trust is Trust.APPLY:
            await self._count("repeated")
        return judgement

    async def _confirm(self, job: JobId, callback: Callback, raw: bytes, known_attempt: int) -> bool:
        """Read the callback's fax and apply the result. If the provider does not know the fax, defer the event.

        Returns False if the event was deferred.
        """
        try:
            read = await self._reads.fax(callback.update.fax_id)
        except Stopping:
            raise
        except (NoPermit, SinchError) as error:
            log.info("a callback cannot be confirmed now", error=str(error))
            return not await self._defer(raw, await self._store.clock.now_ms() + _RETRY_READ_MS)
        again_ms = await self._count_read(job)
        if read is None:
            return not await self._defer(raw, again_ms)
        update = confirmed(read, callback, known_attempt)
        if update:
            await self._apply(job, update)
        else:
            await self._count("mismatched")
        return True

    async def _count_read(self, job: JobId) -> int:
        """Count a read of the job's fax. Returns when to read it again if the provider does not know it (ms)."""
        again_ms = 0

        def count(record: Record, context: DecisionContext) -> Transition | None:
            nonlocal again_ms
            again_ms = after_unknown_ms(record.confirming_reads + 1, context)
            return count_read(record, context)

        await self._settler.settle(job, count)
        return again_ms

    async def _adopt(self, job: JobId, callback: Callback) -> None:
        """Take over the fax of an attempt that the store has lost.

        If the fax cannot be read now, the job is treated as accepted, and the fax is read back later.
        """
        try:
            read = await self._reads.fax(callback.update.fax_id)
        except Stopping:
            raise
        except (NoPermit, SinchError):
            read = None
        update = confirmed(read, callback, 0) if read else None
        await self._apply(job, update or replace(callback.update, status=FaxStatus.UNFINISHED, ended_ms=0))

    async def _defer(self, raw: bytes, again_ms: int) -> bool:
        """Keep the event until ``again_ms``. Returns False if too many are deferred already."""
        await self._count("deferred")
        if await self._store.inbox.defer(raw, again_ms):
            return True
        log.error("too many callbacks wait to be confirmed: dropped one, its fax is read back when it is overdue")
        return False

    async def _give_up(self, job: JobId, update: FaxUpdate) -> None:
        """Note in the job's history that the callback could not be confirmed."""
        await self._settler.settle(job, lambda record, context: unconfirmed(record, update, context))
        await self._count("unconfirmed")

    async def _count(self, result: str) -> None:
        await self._store.metric_totals.count("callbacks", (result,))
