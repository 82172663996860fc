"""The worker's part of a fax's way: a lease becomes POSTs, each no later than its slot allows."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from dispatcher.core.failpoints import Failpoint, FailpointHook
from dispatcher.core.job import JobId, Record
from dispatcher.core.limits.holds import PROVIDER, is_providers_failure
from dispatcher.core.outcome import Accepted, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.core.policy import Policy
from dispatcher.core.settlement.send_result import after_send, missed_slot, unsendable
from dispatcher.service.batching import retry_forever
from dispatcher.service.concurrency import ConcurrencyLimiter, ConcurrencyToken
from dispatcher.service.fax_builder import FaxBuilder, FaxInputs, FaxInputsMissing
from dispatcher.service.permits import ReadPermits
from dispatcher.service.settling import Settler
from dispatcher.service.slots import Slots
from dispatcher.sinch.client import FaxClient
from dispatcher.store.dispatch import BeginAnswer, Begun, Candidate, Lease, SendReport, new_call
from dispatcher.store.protocol import BeginWord
from dispatcher.store.store import Store

#: seconds; upper bounds of the histogram of POST times
SUBMIT_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: seconds that the record of the last calls may take when a worker stops
_RECORD_S = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """By this machine's clock (seconds), and how much of the time that clock had not counted."""

    own_s: float
    stood_still_s: float


@dataclass(slots=True, kw_only=True)
class _SendSlot:
    """When one job may be sent, by this machine's own clock (seconds)."""

    clock: Callable[[], float]
    at_s: float
    send_by_s: float
    one: ConcurrencyToken
    #: whether the begin that granted it still counts
    stands: Callable[[], bool]
    #: seconds that the clock has not counted so far, and that it had not before the begin
    stood_still: Callable[[], float]
    stood_still_s: float
    #: the last question whether it may be sent was answered with no
    missed: bool = False

    def may_send(self) -> bool:
        uncounted_s = self.stood_still() - self.stood_still_s
        late = self.clock() + uncounted_s >= self.send_by_s
        self.missed = late or not self.stands()
        if late:
            self.one.mark_sent(late=True)
        return not self.missed

    def leaves(self) -> bool:
        """Whether the first byte, which is about to leave, may."""
        self.one.mark_sent(late=self.clock() > (self.at_s + self.send_by_s) / 2)
        return self.may_send()


class Sender:
    """Submits leases."""

    def __init__(
        self,
        store: Store,
        sinch: FaxClient,
        fax_builder: FaxBuilder,
        settler: Settler,
        permits: ReadPermits,
        policy: Policy,
        *,
        clock: Callable[[], float],
        stood_still: Callable[[], float],
        max_in_flight: int,
        calls: int,
        failpoint: FailpointHook | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``clock`` gives seconds and counts the time that the machine was suspended; ``stood_still`` gives the seconds
        so far that it did not count.

        ``max_in_flight`` faxes may be sent at a time by all processes, ``calls`` of them by this one.
        """
        self._store = store
        self._sinch = sinch
        self._fax_builder = fax_builder
        self._settler = settler
        self._permits = permits
        self._policy = policy
        self._clock = clock
        self._stood_still = stood_still
        self._max_in_flight = max_in_flight
        self._at = failpoint
        self._sleep = sleep
        self._limiter = ConcurrencyLimiter(calls)
        self._slots = Slots(clock)
        self._calls = set[asyncio.Task[None]]()

    @property
    def room(self) -> int:
        """Calls that this process could begin now."""
        return self._limiter.room

    async def submit(self, lease_id: str, *, urgent: bool = False) -> None:
        """Begin the jobs of a lease; their calls go on after this has returned.

        A lease that is over, or that another process has, is left alone. While the store is away this waits: a lease
        that was fetched is this process's to begin.
        """
        lease = await retry_forever(partial(self._store.dispatch.fetch, lease_id))
        if lease is None:
            return
        material = {job: one for job in lease.jobs if (one := await self._material(lease, job))}
        candidates = [self._candidate(one) for one in material.values()]
        while candidates:
            passes = await self._limiter.enter(len(candidates), urgent=urgent)
            piece, candidates = candidates[: len(passes)], candidates[len(passes) :]
            slot_in_s = await self._begin(lease, piece, material, passes, urgent=urgent)
            if not urgent:
                self._limiter.granted(slot_in_s)

    async def finish(self) -> None:
        """Wait for the calls that were begun, as long as a call may take and its record some seconds more."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._policy.post_total_s + _RECORD_S)

    async def _material(self, lease: Lease, job: JobId) -> FaxInputs | None:
        """None when something of it is missing: that job alone is held, and its neighbours go on."""
        try:
            return (await retry_forever(partial(self._fax_builder.inputs, [job])))[0]
        except FaxInputsMissing as error:
            why = f"It cannot be sent: {error}."
        except Exception as error:  # a block or document that cannot be read
            log.exception("the material of a job cannot be read", job=str(job))
            why = f"It cannot be sent: its batch or document cannot be read ({type(error).__name__})."
        await self._settler.settle(job, partial(unsendable, lease=lease.number, why=why))
        return None

    async def _begin(
        self,
        lease: Lease,
        candidates: Sequence[Candidate],
        material: Mapping[JobId, FaxInputs],
        passes: Sequence[ConcurrencyToken],
        *,
        urgent: bool,
    ) -> float:
        """Returns the seconds until the last slot that was granted."""
        granted = list[Begun]()
        try:
            answer, before = await self._ask_to_begin(lease, candidates)
            after_s = self._clock()
            if self._at:
                await self._at(Failpoint.BEGUN)
            granted = [begun for begun in answer.jobs if begun.word is BeginWord.GO]
        finally:
            for unused in passes[len(granted) :]:
                unused.end()
        for unheard in (begun for begun in answer.jobs if begun.word is BeginWord.UNHEARD):
            await self._too_late(unheard.job, unheard.record, lease)
        for begun, one in zip(granted, passes, strict=False):
            slot = self._slot(answer, begun, before, after_s, one)
            if answer.replicated:
                self._slots.add(slot, urgent=urgent)
            self._start(self._send(lease, answer, begun, material[begun.job], slot), one)
        return max((begun.slot_in_us for begun in granted), default=0) / 1_000_000

    async def _ask_to_begin(self, lease: Lease, candidates: Sequence[Candidate]) -> tuple[BeginAnswer, _Moment]:
        """The answer, and a moment before the try that it comes from.

        Whatever delays the answer only makes send_by come sooner, never later. One call is tried until it is answered:
        what it began without an answer has missed its slots, and goes back at once.
        """
        call, tries = new_call(), list[_Moment]()

        async def ask() -> BeginAnswer:
            tries.append(_Moment(own_s=self._clock(), stood_still_s=self._stood_still()))
            return await self._store.dispatch.begin(
                lease, candidates, max_in_flight=self._max_in_flight, call=call, tried=len(tries) - 1
            )

        answer = await retry_forever(ask)
        return answer, tries[answer.tried]

    def _start(self, call: Coroutine[Any, Any, None], one: ConcurrencyToken) -> None:
        task = asyncio.create_task(call)
        self._calls.add(task)
        task.add_done_callback(partial(self._done, one))

    def _done(self, one: ConcurrencyToken, task: "asyncio.Task[None]") -> None:
        self._calls.discard(task)
        one.end()
        if not task.cancelled() and task.exception():
            log.error("a send broke off; its job is looked up", exc_info=task.exception())

    def _candidate(self, material: FaxInputs) -> Candidate:
        return Candidate(job=material.job, number_hash=self._fax_builder.number_hash(material.recipient.number))

    def _slot(
        self, answer: BeginAnswer, begun: Begun, before: _Moment, after_s: float, one: ConcurrencyToken
    ) -> _SendSlot:
        away_s = begun.slot_in_us / 1_000_000
        window_s = self._policy.send_window_s
        # The slot lies somewhere between these two by our clock. The later one is never early, but after a slow begin
        # half the window must be left, or a busy machine would miss slot after slot and send nothing.
        at_s = min(after_s, before.own_s + window_s / 2) + away_s
        return _SendSlot(
            clock=self._clock,
            at_s=at_s,
            send_by_s=before.own_s + away_s + window_s,
            one=one,
            stands=answer.stands,
            stood_still=self._stood_still,
            stood_still_s=before.stood_still_s,
        )

    async def _send(
        self, lease: Lease, answer: BeginAnswer, begun: Begun, material: FaxInputs, slot: _SendSlot
    ) -> None:
        if not answer.replicated:
            await self._too_late(begun.job, begun.record, lease)
            return
        fax = self._fax_builder.fax(material, begun.record, answer.write_epoch)
        await self._wait_for(slot)
        if not slot.may_send():  # asked again before the first byte; a worker that is late spares itself the rest
            await self._too_late(begun.job, begun.record, lease)
            return
        started_s = self._clock()
        total_s = self._policy.post_total_s
        outcome = await self._sinch.send(fax, total_s=total_s, may_send=slot.leaves, failpoint=self._at)
        slot.one.end()  # the next call need not wait until the record of this one is written
        if self._at:
            await self._at(Failpoint.ANSWERED)
        if slot.missed and isinstance(outcome, NotSent):
            await self._too_late(begun.job, begun.record, lease)
            return
        await self._settle(begun, outcome, lease, self._clock() - started_s)
        await self._heed(answer, outcome)
        if is_providers_failure(outcome):
            await self._check_provider()

    async def _wait_for(self, slot: _SendSlot) -> None:
        """Until its time comes, which moves when an urgent send goes first."""
        waited_for_s = None
        try:
            while waited_for_s != slot.at_s:
                waited_for_s = slot.at_s
                await self._sleep(max(0.0, slot.at_s - self._clock()))
        finally:
            self._slots.remove(slot)

    async def _check_provider(self) -> None:
        if await retry_forever(partial(self._store.holds.check_provider, self._policy)):
            log.error("hold opened: the provider fails again and again", scope=PROVIDER)

    async def _too_late(self, job: JobId, record: Record, lease: Lease) -> None:
        decide = partial(missed_slot, attempt=record.attempt)
        await self._settler.settle(job, decide, known=record, totals=_ended("missed_slot", lease))

    async def _settle(self, begun: Begun, outcome: SendOutcome, lease: Lease, seconds: float) -> None:
        totals = _ended(_OUTCOMES[type(outcome)], lease) | {f"provider_responses|{_status(outcome)}": 1}
        totals |= _timed(seconds)
        report = _report(outcome)
        attempt = begun.record.attempt
        step = await self._settler.settle(
            begun.job,
            lambda record, case: after_send(record, outcome, case, attempt=attempt),
            news=outcome.update if isinstance(outcome, Accepted) else None,
            known=begun.record,
            totals=totals,
            send=report,
        )
        if step is None:  # the news of this attempt was quicker than its answer
            await retry_forever(partial(self._store.metric_totals.add, totals))
            if report.counts:
                await retry_forever(self._store.holds.count_send)
            await self._note_answer(lease, outcome)

    async def _note_answer(self, lease: Lease, outcome: SendOutcome) -> None:
        """What the news could not say: the provider answers."""
        if not is_providers_failure(outcome):
            await retry_forever(partial(self._store.holds.note_answer, lease.probes.get(PROVIDER, "")))

    async def _heed(self, answer: BeginAnswer, outcome: SendOutcome) -> None:
        """A provider that asks for less gets less, from all processes at once."""
        if isinstance(outcome, RateLimited) or (isinstance(outcome, Unclear) and outcome.retry_after_s is not None):
            await self._permits.slow_down(answer.epoch, outcome.retry_after_s)


def _ended(outcome: str, lease: Lease) -> dict[str, int]:
    """The totals of an attempt that has ended. One that probes a hold is counted as a probe, too."""
    return {f"attempts|{outcome}": 1} | ({f"probes|{outcome}": 1} if lease.probes else {})


_OUTCOMES = {
    Accepted: "accepted",
    Refused: "refused",
    RateLimited: "rate_limited",
    NotSent: "not_sent",
    Unclear: "unclear",
}


def _report(outcome: SendOutcome) -> SendReport:
    failed = is_providers_failure(outcome)
    return SendReport(
        counts=not isinstance(outcome, RateLimited),
        answered=not failed and isinstance(outcome, Accepted | Refused | RateLimited),
        failed=failed,
        unclear=isinstance(outcome, Unclear),
        status=_status(outcome),
    )


def _status(outcome: SendOutcome) -> str:
    match outcome:
        case Accepted():
            return "200"
        case Refused(status=status):
            return str(status)
        case RateLimited():
            return "429"
        case Unclear(status=int(status)):
            return str(status)
    return "none"


def _timed(seconds: float) -> dict[str, int]:
    """One observation of the histogram: its bucket, the sum in microseconds, the count."""
    bucket = next((str(bound) for bound in SUBMIT_BUCKETS_S if seconds <= bound), "+Inf")
    return {f"submit_seconds|{bucket}": 1, "submit_seconds|sum_us": round(seconds * 1e6)}
