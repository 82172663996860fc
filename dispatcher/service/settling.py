"""Applies decisions to jobs with compare-and-set on the record, and decides again when the record has changed.

Decisions of many jobs share one call to the store. A decision is kept and retried until Redis has stored it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import structlog

from dispatcher.core.batch import Definition
from dispatcher.core.dead_numbers import CallEnd, figures
from dispatcher.core.failpoints import Failpoint, FailpointHook, no_failpoint
from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import NO_FAILURE, HistoryEntry, JobId, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry_table.rule import Scope
from dispatcher.core.settlement.lost_writes import LostWrite
from dispatcher.core.settlement.transition import HoldRequest, Transition
from dispatcher.service.attempt_counts import counts_of
from dispatcher.service.batching import Batcher, retry_forever, retrying
from dispatcher.service.fax_builder import FaxBuilder, FaxInputsMissing, FaxInputsUnreadable
from dispatcher.store.dispatch import EndedCall, JobGone, JobHold, SendReport, StoredTransition, prepare
from dispatcher.store.errors import UnreadableData
from dispatcher.store.store import Store

#: takes a job's record, and returns its next transition; None: there is nothing to do
Decide = Callable[[Record, DecisionContext], Transition | None]

NO_HISTORY: tuple[HistoryEntry, ...] = ()

log = structlog.get_logger(__name__)


class _FailedScope(NamedTuple):
    """What is held for a failure, and the definition that it is a failure of; None: of none."""

    scope: HoldScope
    source: Definition | None = None


class Settler:
    """Decides on jobs and stores the transitions. All outcomes of attempts reach the store through this class."""

    def __init__(
        self,
        store: Store,
        fax_builder: FaxBuilder,
        policy: Policy,
        *,
        polling: bool,
        failpoint: FailpointHook = no_failpoint,
    ) -> None:
        self._store = store
        self._fax_builder = fax_builder
        self._policy = policy
        self._polling = polling
        self._failpoint = failpoint
        self._reads = Batcher(retrying(store.dispatch.stored))
        self._writes = Batcher(retrying(store.dispatch.apply))

    async def settle(
        self,
        job: JobId,
        decide: Decide,
        *,
        update: FaxUpdate | None = None,
        known: Record | None = None,
        totals: Mapping[str, int] | None = None,
        send: SendReport | None = None,
    ) -> Transition | None:
        """Decide and apply one job's transition, again whenever another record is stored by then.

        Args:
            job: the job.
            decide: returns the transition for a record, or None.
            update: the update that ``decide`` rests on, if there is one: the batch's options are read for it.
            known: the record, if the caller has it. With a first attempt, which has no history, nothing is read then.
            totals: counted in the same write.
            send: how the send ended that the transition follows from; recorded in the same write.

        Returns:
            The transition that was applied, or None if there was nothing to do.

        Raises:
            UnreadableData: The job, or what the decision needs of its batch, cannot be read. Nothing was changed.
        """
        record, history = known, NO_HISTORY
        if record is None or record.attempt > 1:
            stored = await self._read(job)
            if stored is None:
                return None
            record, history = known or stored[0], stored[1]
        if update:
            self._store.epoch.see(update.write_epoch)
        on_partial = await self._on_partial(job.batch) if update and update.partly_sent else ""
        while True:
            transition = decide(record, await self._context(history, on_partial))
            if transition is None:
                return None
            if transition.lost is not None:
                # before the write: once the record has this attempt number, nothing shows the loss any more
                await retry_forever(partial(self._report_loss, job, transition.lost))
            await self._failpoint(Failpoint.DECIDED)
            number_hash = await self._number_to_lock(job, record, transition)
            call = await self._ended_call(job, transition)
            # encoded here: a value that cannot be encoded must not fail the other jobs of the same call
            current = await self._writes.submit(
                prepare(_stored_transition(job, record, transition, totals or {}, send, number_hash, call))
            )
            if isinstance(current, JobGone):
                log.error("a result came for a job that is gone", job=str(job))
                return None
            if current is None:
                await self._failpoint(Failpoint.APPLIED)
                await self._apply_effects(job, record, transition)
                return transition
            stored = await self._read(job)
            record, history = stored or (current, history)

    async def _number_to_lock(self, job: JobId, old: Record, transition: Transition) -> str:
        """Return the hash of the number to lock, or "" if none.

        A fax that is found after its job went back to waiting, or whose attempt the store has lost, may be on the phone
        without a lock.
        """
        if transition.event is not Event.ACCEPTED or not (
            transition.lost or old.state in (State.WAITING, State.LEASED)
        ):
            return ""
        try:
            return await retry_forever(partial(self._fax_builder.number_hash_of, job))
        except (FaxInputsMissing, UnreadableData):
            return ""

    async def _ended_call(self, job: JobId, transition: Transition) -> EndedCall | None:
        """Return how the call ended that the transition reports, and the number where that says something of it."""
        if transition.call in (None, CallEnd.FAILED):
            return EndedCall(end=CallEnd.FAILED) if transition.call else None
        assert transition.call is not None
        try:
            number = await retry_forever(partial(self._fax_builder.number, job))
        except (FaxInputsMissing, UnreadableData):
            return EndedCall(end=CallEnd.FAILED)
        failure = transition.history.failure if transition.history else NO_FAILURE
        return EndedCall(
            end=transition.call,
            number=number,
            figures=figures(self._policy) if transition.call is CallEnd.DEAD else {},
            reason=f"{failure.error_type} {failure.error_code}, job {job}",
        )

    async def _on_partial(self, batch: str) -> str:
        """Return the batch's rule for faxes that were sent in part; empty for the policy's."""
        try:
            return (await retry_forever(partial(self._fax_builder.definition, batch))).on_partial
        except (FaxInputsMissing, FaxInputsUnreadable):
            return ""

    async def _report_loss(self, job: JobId, lost: LostWrite) -> None:
        if await self._store.rollbacks.report_attempt(job, lost.attempt, lost.created_ms):
            log.error("Redis has lost writes: sending is held", job=str(job), attempt=lost.attempt)

    async def _context(self, history: Sequence[HistoryEntry], on_partial: str) -> DecisionContext:
        return DecisionContext(
            policy=self._policy,
            now_ms=await retry_forever(self._store.clock.now_ms),
            chance=random.random(),
            history=history,
            on_partial=on_partial,
            polling=self._polling,
        )

    async def _read(self, job: JobId) -> tuple[Record, tuple[HistoryEntry, ...]] | None:
        stored = await self._reads.submit(job)
        if stored and stored.error:
            raise stored.error
        return (stored.record, stored.history) if stored else None

    async def _apply_effects(self, job: JobId, old: Record, transition: Transition) -> None:
        """Carry out the effects of an applied transition: open the hold that it asks for, and log it."""
        if transition.hold is not None:
            if transition.holds_its_job:
                _log_hold(str(HoldScope(Scope.JOB, str(job))), transition.hold)
            else:
                entry, attempt = transition.history, transition.record.attempt
                sent_as = entry.attempt if entry else attempt
                await retry_forever(partial(self._open_holds, job, attempt, transition.hold, sent_as=sent_as))
        if transition.history is not None:
            _log_entry(job, transition.history, transition)
        if transition.record.doubled and not old.doubled:
            log.error("doubled: the provider accepted two faxes for this job", job=str(job))

    async def _open_holds(self, job: JobId, attempt: int, request: HoldRequest, *, sent_as: int) -> None:
        """Open the holds that a failure asks for. ``sent_as`` is the attempt that has failed."""
        for failed in await self._failed(job, request.scope, sent_as):
            scope, holds = str(failed.scope), self._store.holds
            if request.hold_after > 1 and not await self._count_failure(failed, request, f"{job}/{attempt}"):
                continue
            if await holds.open(
                scope, request.category, request.cause, probes_s=request.probes_s, source=failed.source
            ):
                _log_hold(scope, request)
            if request.wider is not None:
                await self._hold_wider_if_needed(job, attempt, scope, request.wider)

    async def _hold_wider_if_needed(self, job: JobId, attempt: int, scope: str, wider: HoldRequest) -> None:
        """Count a refused country; open the wider hold if ``wider.hold_after`` were refused within few sends."""
        sends = self._policy.forbidden_sends
        if await self._store.holds.count_forbidden_country(scope, countries=wider.hold_after, sends=sends):
            await self._open_holds(job, attempt, replace(wider, hold_after=1), sent_as=attempt)

    async def _count_failure(self, failed: _FailedScope, request: HoldRequest, attempt: str) -> bool:
        """Count a failure of a scope, and return whether it completes a run that holds it."""
        return await self._store.holds.count_failure(
            str(failed.scope),
            request.hold_after,
            attempt=attempt,
            within_s=self._policy.failure_run_s,
            source=failed.source,
        )

    async def _failed(self, job: JobId, kind: Scope, attempt: int) -> list[_FailedScope]:
        """Return what is to be held for a failure of an attempt of this job."""
        own = _FailedScope(HoldScope(Scope.JOB, str(job)))
        match kind:
            case Scope.ACCOUNT | Scope.PROVIDER:
                return [_FailedScope(HoldScope(kind))]
            case Scope.JOB:
                return [own]
            case Scope.COUNTRY:
                return await self._failed_country(job, own)
        try:
            versions = await self._store.changes.versions_of(job)
        except UnreadableData:
            return [own if kind is Scope.DOCUMENT else _FailedScope(HoldScope(Scope.BATCH, job.batch))]
        # what was put right since says nothing of what is sent now
        if versions is None or versions.of(attempt) != versions.definition.version:
            return []
        definition = versions.definition
        documents = definition.documents if kind is Scope.DOCUMENT else ()
        # documents that the provider fetches itself have no hash here: the batch is what shares them
        scopes = [HoldScope(Scope.DOCUMENT, sha256) for sha256 in documents] or [HoldScope(Scope.BATCH, job.batch)]
        return [_FailedScope(scope, definition) for scope in scopes]

    async def _failed_country(self, job: JobId, own: _FailedScope) -> list[_FailedScope]:
        try:
            region = await self._fax_builder.region(job)
        except FaxInputsMissing:
            return []
        except UnreadableData:
            return [own]
        return [_FailedScope(HoldScope(Scope.COUNTRY, region)) if region else own]


def _stored_transition(
    job: JobId,
    old: Record,
    transition: Transition,
    totals: Mapping[str, int],
    send: SendReport | None,
    number_hash: str,
    call: EndedCall | None,
) -> StoredTransition:
    return StoredTransition(
        job=job,
        old=old,
        new=transition.record,
        next_ms=transition.next_ms if transition.event is not None else None,
        hold=JobHold(category=transition.hold.category, cause=transition.hold.cause)
        if transition.hold and transition.holds_its_job
        else None,
        history=transition.history,
        rest_s=transition.rest_s,
        attempt=transition.record.attempt if number_hash else old.attempt,
        number_hash=number_hash,
        spent=transition.spent,
        pages=transition.pages,
        costs=transition.costs,
        disproves=transition.disproves,
        send=send,
        call=call,
        totals={**counts_of(old, transition), **totals},
    )


def _log_hold(scope: str, hold: HoldRequest) -> None:
    log.warning("hold opened", scope=scope, category=hold.category, cause=hold.cause)


def _log_entry(job: JobId, entry: HistoryEntry, transition: Transition) -> None:
    log.info(
        "attempt ended" if transition.event else "late update",
        job=str(job),
        attempt=entry.attempt,
        outcome=entry.outcome.value,
        category=entry.failure.category,
        fax_id=transition.record.fax_id or entry.fax_id,
        state=transition.record.state.label,
        why=entry.why,
    )
