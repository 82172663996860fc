"""Applies transitions by compare-and-set on the record, many jobs in one call, repeated until Redis has them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog

from dispatcher.core.failpoints import Failpoint, FailpointHook
from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import HistoryEntry, JobId, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry_table.rule import Scope
from dispatcher.core.settlement.lost_writes import LostWrite
from dispatcher.core.settlement.transition import HoldRequest, Transition
from dispatcher.service.batching import Batcher, retry_forever, retrying
from dispatcher.service.fax_builder import FaxBuilder, FaxInputs, FaxInputsMissing
from dispatcher.store.dispatch import JobGone, JobHold, SendReport, StoredTransition, prepare
from dispatcher.store.rollback import ACCEPTED_TWICE, ADOPTED
from dispatcher.store.store import Store

Decide = Callable[[Record, DecisionContext], Transition | None]

NO_HISTORY: tuple[HistoryEntry, ...] = ()

log = structlog.get_logger(__name__)


class Settler:
    """The only way for results of attempts to reach the store."""

    def __init__(
        self,
        store: Store,
        fax_builder: FaxBuilder,
        policy: Policy,
        *,
        polling: bool,
        failpoint: FailpointHook | None = None,
    ) -> None:
        self._store = store
        self._fax_builder = fax_builder
        self._policy = policy
        self._polling = polling
        self._at = failpoint
        self._reads = Batcher(retrying(store.dispatch.stored))
        self._writes = Batcher(retrying(store.dispatch.apply))

    async def settle(
        self,
        job: JobId,
        decide: Decide,
        *,
        news: FaxUpdate | None = None,
        known: Record | None = None,
        totals: Mapping[str, int] | None = None,
        send: SendReport | None = None,
    ) -> Transition | None:
        """Decide and apply one job's transition, again whenever another record is stored by then.

        Args:
            job: the job.
            decide: returns the transition for a record, or None.
            news: the update that ``decide`` rests on, if there is one: the batch's options are read for it.
            known: the record if the caller has it; a first attempt has no history, so nothing is read then.
            totals: counted in the same write.
            send: how the send ended that the transition follows from; recorded in the same write.

        Returns:
            The transition that was applied, or None if there was nothing to do.
        """
        record, history = known, NO_HISTORY
        if record is None or record.attempt > 1:
            stored = await self._read(job)
            if stored is None:
                return None
            record, history = known or stored[0], stored[1]
        if news:
            self._store.epoch.see(news.write_epoch)
        on_partial = await self._on_partial(job.batch) if news and news.partly_sent else ""
        while True:
            step = decide(record, await self._context(history, on_partial))
            if step is None:
                return None
            if step.lost is not None:  # first: applying the step removes the proof
                await retry_forever(partial(self._report_loss, job, step.lost))
            if self._at:
                await self._at(Failpoint.DECIDED)
            number_hash = await self._number_to_lock(job, record, step)
            # encoded here: a value that cannot be encoded must not fail the other jobs of the same call
            stored_now = await self._writes.submit(prepare(_change(job, record, step, totals or {}, send, number_hash)))
            if isinstance(stored_now, JobGone):
                log.error("a result came for a job that is gone", job=str(job))
                return None
            if stored_now is None:
                if self._at:
                    await self._at(Failpoint.APPLIED)
                await self._afterwards(job, record, step)
                return step
            stored = await self._read(job)
            record, history = stored or (stored_now, history)

    async def _number_to_lock(self, job: JobId, old: Record, step: Transition) -> str:
        """Return the number's hash if its lock has to be set again.

        That is so for a fax that is found when its job was not sending any more, or whose attempt the store has lost:
        its number is in a call, and no lock says so.
        """
        if step.event is not Event.ACCEPTED or not (step.lost or old.state in (State.WAITING, State.LEASED)):
            return ""
        try:
            return await retry_forever(partial(self._fax_builder.number_hash_of, job))
        except FaxInputsMissing:
            return ""

    async def _on_partial(self, batch: str) -> str:
        try:
            return (await retry_forever(partial(self._fax_builder.definition, batch))).on_partial
        except FaxInputsMissing:
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
        return (stored.record, stored.history) if stored else None

    async def _afterwards(self, job: JobId, old: Record, step: Transition) -> None:
        """Open the hold that the failure asks for, and write the log."""
        if step.hold is not None:
            if step.holds_its_job:
                _log_hold(str(HoldScope(Scope.JOB, str(job))), step.hold)
            else:
                await retry_forever(partial(self._open_hold, job, step.record.attempt, step.hold))
        if step.history is not None:
            _log_entry(job, step.history, step)
        if step.record.doubled and not old.doubled:
            log.error("doubled: the provider accepted two faxes for this job", job=str(job))

    async def _open_hold(self, job: JobId, attempt: int, request: HoldRequest) -> None:
        holds = self._store.holds
        for scope in await self._scopes(job, request.scope):
            if request.hold_after > 1 and not await self._is_run(scope, request.hold_after, f"{job}/{attempt}"):
                continue
            if await holds.open(scope, request.category, request.cause, probes_s=request.probes_s):
                _log_hold(scope, request)
            if request.wider is not None:
                await self._widen(job, attempt, scope, request.wider)

    async def _widen(self, job: JobId, attempt: int, scope: str, wider: HoldRequest) -> None:
        sends = self._policy.forbidden_sends
        if await self._store.holds.count_forbidden_country(scope, countries=wider.hold_after, sends=sends):
            await self._open_hold(job, attempt, replace(wider, hold_after=1))

    async def _is_run(self, scope: str, hold_after: int, attempt: str) -> bool:
        """Return whether this failure of a scope completes a run of ``hold_after``."""
        within_s = self._policy.failure_run_s
        return await self._store.holds.count_failure(scope, hold_after, attempt=attempt, within_s=within_s)

    async def _scopes(self, job: JobId, scope: Scope) -> list[str]:
        return [str(held) for held in await self._held_by(job, scope)]

    async def _held_by(self, job: JobId, kind: Scope) -> list[HoldScope]:
        batch, own = HoldScope(Scope.BATCH, job.batch), HoldScope(Scope.JOB, str(job))
        match kind:
            case Scope.ACCOUNT | Scope.PROVIDER:
                return [HoldScope(kind)]
            case Scope.BATCH:
                return [batch]
            case Scope.JOB:
                return [own]
        try:
            inputs: FaxInputs = (await self._fax_builder.inputs([job]))[0]
        except FaxInputsMissing:
            return []
        if kind is Scope.COUNTRY:
            region = inputs.recipient.region
            return [HoldScope(Scope.COUNTRY, region) if region else own]
        # documents that the provider fetches itself have no hash here: the batch is what shares them
        return [HoldScope(Scope.DOCUMENT, sha256) for sha256 in inputs.definition.documents] or [batch]


def _first_call(old: Record, step: Transition) -> str | None:
    """Return how the first call to a recipient ended: the category of its failure, or ``none`` for a delivery.

    None for everything else: later calls go to recipients that are hard to reach, and say little about the provider.
    """
    if old.counters.dials or old.counters.tries or step.event is None:
        return None
    if step.event is Event.DELIVERED:
        return "none"
    called = step.record.counters.dials + step.record.counters.tries > 0
    return step.record.failure.category if called and step.history is not None else None


def _change(
    job: JobId,
    old: Record,
    step: Transition,
    totals: Mapping[str, int],
    send: SendReport | None,
    number_hash: str,
) -> StoredTransition:
    more: dict[str, int] = dict(totals)
    if step.event is not None and step.history is not None:
        more[f"failures|{step.history.failure.category}"] = 1
    if (end := _first_call(old, step)) is not None:
        more[f"first_calls|{end}"] = 1
    if step.record.doubled and not old.doubled:
        more["doubled"] = 1
    if step.accepted_twice:
        more[ACCEPTED_TWICE] = 1
    elif step.lost is not None:
        more[ADOPTED] = 1
    return StoredTransition(
        job=job,
        old=old,
        new=step.record,
        next_ms=step.next_ms if step.event is not None else None,
        hold=JobHold(category=step.hold.category, cause=step.hold.cause) if step.hold and step.holds_its_job else None,
        history=step.history,
        rest_s=step.rest_s,
        attempt=step.record.attempt if number_hash else old.attempt,
        number_hash=number_hash,
        spent=step.spent,
        disproves=step.disproves,
        send=send,
        totals=more,
    )


def _log_hold(scope: str, hold: HoldRequest) -> None:
    log.warning("hold opened", scope=scope, category=hold.category, cause=hold.cause)


def _log_entry(job: JobId, entry: HistoryEntry, step: Transition) -> None:
    log.info(
        "attempt ended" if step.event else "evidence",
        job=str(job),
        attempt=entry.attempt,
        outcome=entry.outcome.value,
        category=entry.failure.category,
        state=step.record.state.label,
        why=entry.why,
    )
