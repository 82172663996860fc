"""Sends the jobs of a lease: begins them, waits for their slots, and makes one ``POST /faxes`` for each.

No request leaves after the end of its send window, however late the process is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from dispatcher.core.failpoints import Failpoint, FailpointHook, no_failpoint
from dispatcher.core.histograms import SUBMIT
from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import JobId, Record
from dispatcher.core.limits.holds import PROVIDER, is_providers_failure
from dispatcher.core.outcome import Accepted, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry_table.rule import Category, Scope
from dispatcher.core.settlement.send_result import after_send, missed_slot, put_back, unsendable
from dispatcher.service.batching import retry_forever
from dispatcher.service.concurrency import ConcurrencyLimiter, ConcurrencyToken
from dispatcher.service.fax_builder import FaxBuilder, FaxInputs, FaxInputsMissing, FaxInputsUnreadable
from dispatcher.service.permits import ReadPermits
from dispatcher.service.settling import Settler
from dispatcher.service.slots import Slots
from dispatcher.sinch.client import FaxClient
from dispatcher.store.decoding import left_out
from dispatcher.store.dispatch import BeginAnswer, BeginResult, Candidate, Lease, SendReport, new_call
from dispatcher.store.errors import UnreadableData
from dispatcher.store.protocol import BeginWord
from dispatcher.store.store import Store

#: seconds that storing the results of the last calls may take when a worker stops
_RECORD_S = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instant:
    """A moment on this machine's clock, and how long that clock had stood still before it (seconds)."""

    clock_s: float
    stood_still_s: float


@dataclass(slots=True, kw_only=True)
class _SendSlot:
    """When one job may be sent, by this machine's clock (seconds)."""

    clock: Callable[[], float]
    #: when it may leave
    at_s: float
    #: it may not leave later
    send_by_s: float
    token: ConcurrencyToken
    #: whether the begin that granted the slot is still valid
    still_valid: Callable[[], bool]
    #: seconds for which the clock has stood still so far, and before the begin
    stood_still: Callable[[], float]
    stood_still_s: float
    #: the last ``may_send`` returned False
    missed: bool = False

    def may_send(self) -> bool:
        """Return whether the request may leave now."""
        uncounted_s = self.stood_still() - self.stood_still_s
        late = self.clock() + uncounted_s >= self.send_by_s
        self.missed = late or not self.still_valid()
        if late:
            self.token.mark_sent(late=True)
        return not self.missed

    def may_send_first_byte(self) -> bool:
        """Return whether the first byte may leave now, and mark the request as sent."""
        self.token.mark_sent(late=self.clock() > (self.at_s + self.send_by_s) / 2)
        return self.may_send()


class Sender:
    """Sends the jobs of leases. Belongs to one event loop."""

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
        failpoint: FailpointHook = no_failpoint,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Create a sender.

        Args:
            store: The store.
            sinch: The provider's client.
            fax_builder: Builds the faxes.
            settler: Stores the outcomes.
            permits: Is slowed down when the provider asks for fewer requests.
            policy: The policy.
            clock: A steady clock in seconds. It counts the time for which the machine was suspended.
            stood_still: Returns for how many seconds ``clock`` has stood still so far.
            max_in_flight: Faxes that all processes may have in flight at a time.
            calls: Requests that this process may make at a time.
            failpoint: Called at named points; only tests set it.
            sleep: Waits for a number of seconds.
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
        self._failpoint = failpoint
        self._sleep = sleep
        self._limiter = ConcurrencyLimiter(calls)
        self._slots = Slots(clock)
        self._calls = set[asyncio.Task[None]]()

    @property
    def room(self) -> int:
        """Requests that this process could begin now."""
        return self._limiter.room

    async def submit(self, lease_id: str, *, urgent: bool = False) -> None:
        """Begin the jobs of a lease. Their requests go on after this has returned.

        Does nothing if the lease is over or belongs to another process. While the store is away it waits: once this
        process has fetched a lease, no other process begins its jobs.
        """
        lease = await retry_forever(partial(self._store.dispatch.fetch, lease_id))
        if lease is None:
            return
        for job, error in lease.unreadable.items():
            await self._hold_unreadable(HoldScope(Scope.JOB, str(job)), error)
        readable = [job for job in lease.jobs if job not in lease.unreadable]
        inputs = {job: job_inputs for job in readable if (job_inputs := await self._inputs(lease, job))}
        candidates = [self._candidate(job_inputs) for job_inputs in inputs.values()]
        while candidates:
            tokens = await self._limiter.acquire(len(candidates), urgent=urgent)
            piece, candidates = candidates[: len(tokens)], candidates[len(tokens) :]
            slot_in_s = await self._begin(lease, piece, inputs, tokens, urgent=urgent)
            if not urgent:
                self._limiter.delay_bulk(slot_in_s)

    async def finish(self) -> None:
        """Wait until all requests have ended and their results are stored, for as long as one request may take."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._policy.post_total_s + _RECORD_S)

    async def _hold_unreadable(self, scope: HoldScope, error: Exception) -> None:
        """Hold what cannot be sent because stored data is damaged, until someone has restored it and releases it."""
        if await retry_forever(
            partial(self._store.holds.open, str(scope), Category.INTERNAL.value, f"It cannot be sent: {error}.")
        ):
            log.error("hold opened: stored data cannot be read", scope=str(scope), error=str(error))

    async def _inputs(self, lease: Lease, job: JobId) -> FaxInputs | None:
        """Return the inputs of a job. If any is missing or damaged, hold what it belongs to and return None."""
        try:
            return (await retry_forever(partial(self._fax_builder.inputs, [job], lease.tags)))[0]
        except FaxInputsMissing as error:
            why = f"It cannot be sent: {error}."
        except FaxInputsUnreadable as error:
            await self._hold_unreadable(error.scope, error)
            await self._settler.settle(job, partial(put_back, lease=lease.number))
            return None
        except UnreadableData as error:
            left_out(error)
            why = f"It cannot be sent: {error}."
        except Exception as error:  # a stored block is damaged
            log.exception("the inputs of a job cannot be read", job=str(job))
            why = f"It cannot be sent: its batch or document cannot be read ({type(error).__name__})."
        await self._settler.settle(job, partial(unsendable, lease=lease.number, why=why))
        return None

    async def _begin(
        self,
        lease: Lease,
        candidates: Sequence[Candidate],
        inputs: Mapping[JobId, FaxInputs],
        tokens: Sequence[ConcurrencyToken],
        *,
        urgent: bool,
    ) -> float:
        """Begin jobs and start their requests. Returns the seconds until the last slot that was granted."""
        granted = list[BeginResult]()
        try:
            answer, before = await self._ask_to_begin(lease, candidates)
            after_s = self._clock()
            await self._failpoint(Failpoint.BEGUN)
            granted = [begun for begun in answer.jobs if begun.word is BeginWord.GO]
        finally:
            for unused in tokens[len(granted) :]:
                unused.end()
        for unheard in (begun for begun in answer.jobs if begun.word is BeginWord.UNHEARD):
            await self._give_back(unheard.job, unheard.record, lease)
        for begun, token in zip(granted, tokens, strict=False):
            slot = self._slot(answer, begun, before, after_s, token)
            if answer.replicated:
                self._slots.add(slot, urgent=urgent)
            self._start(self._send(lease, answer, begun, inputs[begun.job], slot), token)
        return max((begun.slot_in_us for begun in granted), default=0) / 1_000_000

    async def _ask_to_begin(self, lease: Lease, candidates: Sequence[Candidate]) -> tuple[BeginAnswer, _Instant]:
        """Ask the store to begin jobs, and return its answer with the instant before the try that was answered.

        Send windows are counted from that instant, so a slow answer only shortens them. The call is repeated until
        it is answered. Jobs that an earlier try began have missed their slots and are given back at once.
        """
        call, tries = new_call(), list[_Instant]()

        async def ask() -> BeginAnswer:
            tries.append(_Instant(clock_s=self._clock(), stood_still_s=self._stood_still()))
            return await self._store.dispatch.begin(
                lease, candidates, max_in_flight=self._max_in_flight, call=call, try_number=len(tries) - 1
            )

        answer = await retry_forever(ask)
        return answer, tries[answer.answered_try]

    def _start(self, call: Coroutine[Any, Any, None], token: ConcurrencyToken) -> None:
        task = asyncio.create_task(call)
        self._calls.add(task)
        task.add_done_callback(partial(self._done, token))

    def _done(self, token: ConcurrencyToken, task: "asyncio.Task[None]") -> None:
        self._calls.discard(task)
        token.end()
        if not task.cancelled() and task.exception():
            log.error("a send failed unexpectedly; its job is looked up", exc_info=task.exception())

    def _candidate(self, inputs: FaxInputs) -> Candidate:
        number = inputs.recipient.number
        return Candidate(
            job=inputs.job,
            number_hash=self._fax_builder.number_hash(number),
            number=number,
            tag=inputs.definition.tag,
        )

    def _slot(
        self, answer: BeginAnswer, begun: BeginResult, before: _Instant, after_s: float, token: ConcurrencyToken
    ) -> _SendSlot:
        away_s = begun.slot_in_us / 1_000_000
        window_s = self._policy.send_window_s
        # By our clock the slot lies somewhere between these two times. The later one is never too early. But after a
        # slow begin half the window must be left, or a busy machine would miss slot after slot and send nothing.
        at_s = min(after_s, before.clock_s + window_s / 2) + away_s
        return _SendSlot(
            clock=self._clock,
            at_s=at_s,
            send_by_s=before.clock_s + away_s + window_s,
            token=token,
            still_valid=answer.still_valid,
            stood_still=self._stood_still,
            stood_still_s=before.stood_still_s,
        )

    async def _send(
        self, lease: Lease, answer: BeginAnswer, begun: BeginResult, inputs: FaxInputs, slot: _SendSlot
    ) -> None:
        if not answer.replicated:
            await self._give_back(begun.job, begun.record, lease)
            return
        fax = self._fax_builder.fax(inputs, begun.record, answer.write_epoch)
        await self._wait_for(slot)
        if not slot.may_send():  # checked again before the first byte; a late worker saves itself the request
            await self._give_back(begun.job, begun.record, lease)
            return
        started_s = self._clock()
        total_s = self._policy.post_total_s
        outcome = await self._sinch.send(
            fax, total_s=total_s, may_send=slot.may_send_first_byte, failpoint=self._failpoint
        )
        slot.token.end()  # the next request need not wait until the result of this one is stored
        await self._failpoint(Failpoint.ANSWERED)
        if slot.missed and isinstance(outcome, NotSent):
            await self._give_back(begun.job, begun.record, lease)
            return
        await self._settle(begun, outcome, lease, self._clock() - started_s)
        await self._slow_down(answer, outcome)
        if is_providers_failure(outcome):
            await self._check_provider()

    async def _wait_for(self, slot: _SendSlot) -> None:
        """Wait until the slot's time, which moves when an urgent send takes the slot."""
        last_at_s = None
        try:
            while last_at_s != slot.at_s:
                last_at_s = slot.at_s
                await self._sleep(max(0.0, slot.at_s - self._clock()))
        finally:
            self._slots.remove(slot)

    async def _check_provider(self) -> None:
        """Open a hold if too many of the last sends failed because of the provider (a circuit breaker)."""
        if await retry_forever(partial(self._store.holds.check_provider, self._policy)):
            log.error("hold opened: the provider fails again and again", scope=PROVIDER)

    async def _give_back(self, job: JobId, record: Record, lease: Lease) -> None:
        """Return a job that missed its slot to waiting."""
        decide = partial(missed_slot, attempt=record.attempt)
        await self._settler.settle(job, decide, known=record, totals=_ended("missed_slot", lease))

    async def _settle(self, begun: BeginResult, outcome: SendOutcome, lease: Lease, seconds: float) -> None:
        totals = _ended(_OUTCOMES[type(outcome)], lease) | {f"provider_responses|{_status(outcome)}": 1}
        totals |= SUBMIT.observation(seconds)
        report = _report(outcome)
        attempt = begun.record.attempt
        transition = await self._settler.settle(
            begun.job,
            lambda record, context: after_send(record, outcome, context, attempt=attempt),
            update=outcome.update if isinstance(outcome, Accepted) else None,
            known=begun.record,
            totals=totals,
            send=report,
        )
        if transition is None:  # a callback of this attempt came before its answer
            await retry_forever(partial(self._store.metric_totals.add, totals))
            if report.counts:
                await retry_forever(self._store.holds.count_send)
            await self._note_answer(lease, outcome)

    async def _note_answer(self, lease: Lease, outcome: SendOutcome) -> None:
        """Note that the provider answers requests, which a callback does not show."""
        if not is_providers_failure(outcome):
            await retry_forever(partial(self._store.holds.note_answer, lease.probes.get(PROVIDER, "")))

    async def _slow_down(self, answer: BeginAnswer, outcome: SendOutcome) -> None:
        """Slow down all processes if the provider asked for fewer requests."""
        if isinstance(outcome, RateLimited) or (isinstance(outcome, Unclear) and outcome.retry_after_s is not None):
            await self._permits.slow_down(answer.rate_epoch, outcome.retry_after_s)


def _ended(outcome: str, lease: Lease) -> dict[str, int]:
    """Return the counters of an attempt that has ended. One that probes a hold also counts as a probe."""
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
