"""Recovers after Redis has lost writes: reads the provider's faxes of that time, and applies them to their jobs.

Sending is held meanwhile (``record_rolled_back``); everything else goes on. Sending resumes when all faxes have been
read and an operator has accepted the loss.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from dispatcher.core.job import JobId
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.recovery.slices import SLICE_MS, TimeSlice, next_slice, ready_ms
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.service.errors import ActionNotAllowed, Missing, StoreError
from dispatcher.service.permits import NoPermit, ReadKind, ReadPermits
from dispatcher.service.provider_reads import ProviderReads
from dispatcher.service.settling import Decide, Settler
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.wire import FaxQuery
from dispatcher.store.errors import StoreRolledBack
from dispatcher.store.rollback import Resumed, Rollback, UnknownFax
from dispatcher.store.store import Store

__all__ = ["FaxList", "Recovery", "RollbackView", "UnknownFax", "resume", "view_rollback"]

#: seconds between two checks whether writes were lost, and after a step that failed
_IDLE_S, _RETRY_S = 5.0, 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackView:
    """The last loss of writes, and the faxes with our labels whose jobs the store does not know."""

    rollback: Rollback
    unknown: tuple[UnknownFax, ...]
    #: earliest time at which everything can have been read, milliseconds since 1970
    ready_ms: int


async def view_rollback(store: Store, policy: Policy) -> RollbackView | None:
    """Return the last loss of writes, or None if there was none."""
    rollback = await store.rollbacks.last()
    if rollback is None:
        return None
    unknown = tuple(await store.rollbacks.unknown())
    return RollbackView(rollback=rollback, unknown=unknown, ready_ms=ready_ms(rollback.noticed_ms, policy))


async def resume(store: Store, *, accept_rollback: bool) -> None:
    """Accept the loss, so that sending resumes once the provider's faxes are reconciled. A repeat changes nothing.

    Raises:
        Missing: No loss of writes holds the account.
        ActionNotAllowed: ``accept_rollback`` is False.
    """
    rollback = await store.rollbacks.last()
    if rollback is None or (rollback.resumed_ms and not accept_rollback):
        raise Missing("no lost writes hold the account")
    if not accept_rollback:
        raise ActionNotAllowed(
            f"{rollback.cause}. Look at the faxes that were found, then accept the loss with accept_rollback"
        )
    await store.rollbacks.accept()
    await store.confirm()


class FaxList:
    """Lists the provider's faxes of a period of time. All reads raise SinchError, NoPermit and StoreError."""

    def __init__(self, store: Store, sinch: FaxClient, permits: ReadPermits, policy: Policy) -> None:
        self._policy = policy
        self._reads = ProviderReads(sinch, permits, store.holds, policy)

    async def whole(self, from_ms: int, to_ms: int) -> Sequence[FaxUpdate]:
        """Return all faxes of a period. Raises UnreadableError when the list is incomplete."""
        return (await self._reads.listed(self._query(from_ms, to_ms), ReadKind.WINDOW)).faxes

    async def slices(self, from_ms: int, to_ms: int) -> AsyncIterator[Sequence[FaxUpdate]]:
        """Yield all faxes of a period, one slice of time after the other. A fax may be in two slices."""
        for start_ms in range(from_ms, to_ms, SLICE_MS):
            yield await self.whole(start_ms, min(start_ms + SLICE_MS, to_ms))

    async def newest(self, from_ms: int, to_ms: int) -> Sequence[FaxUpdate]:
        """Return the newest faxes of a period: the first page of the list."""
        return await self._reads.newest(self._query(from_ms, to_ms), ReadKind.WINDOW)

    def _query(self, from_ms: int, to_ms: int) -> FaxQuery:
        margin_ms = round(self._policy.clock_skew_s * 1000)
        return FaxQuery(created_from_ms=from_ms - margin_ms, created_to_ms=to_ms + margin_ms)


class Recovery:
    """Reads the provider's faxes after a loss of writes. Several may run; they share their progress in the store."""

    def __init__(self, store: Store, faxes: FaxList, settler: Settler, policy: Policy) -> None:
        self._store = store
        self._faxes = faxes
        self._settler = settler
        self._policy = policy
        #: the loss, and the start of the slice, that were read too early to count
        self._early_read = (0, 0)
        self._looked_back = False

    async def run(self) -> None:
        """Check for a loss that no running process noticed, and recover from that and every later loss. Never returns.

        The check is repeated until it succeeds: nobody else would notice that Redis was restored from an older state.
        """
        while True:
            if not self._looked_back:
                await self._pause_after(self.look_back)
            await asyncio.sleep(await self._pause_after(self.step))

    async def look_back(self) -> float:
        """Read the newest faxes, whose labels show whether Redis was restored from an older state.

        Processes that have just started cannot notice that otherwise. Returns the seconds until the next step.
        """
        written_ms = await self._store.rollbacks.written_ms()
        if written_ms:
            now_ms = await self._store.clock.now_ms()
            known, _ = await self._split_by_job(await self._faxes.newest(written_ms, now_ms))
            self._store.epoch.see(max((update.write_epoch for update in known), default=0))
            with suppress(StoreRolledBack):
                await self._store.rollbacks.check()
            await self._adopt(known)
        self._looked_back = True
        return _IDLE_S

    async def step(self) -> float:
        """Read one slice if there is something to reconcile. Returns the seconds until the next step."""
        rollback = await self._store.rollbacks.last()
        if rollback is None or rollback.resumed_ms or rollback.reconciled_ms:
            return _IDLE_S
        time_slice = next_slice(
            since_ms=rollback.since_ms,
            listed_ms=rollback.listed_ms,
            noticed_ms=rollback.noticed_ms,
            now_ms=await self._store.clock.now_ms(),
            policy=self._policy,
        )
        if time_slice and not time_slice.counts and self._early_read == (rollback.noticed_ms, time_slice.from_ms):
            return _IDLE_S
        if time_slice:
            await self._read(time_slice)
        await self._note(rollback, time_slice)
        return 0.0

    async def _note(self, rollback: Rollback, read: TimeSlice | None) -> None:
        """Store how far the list has been read."""
        if read and not read.counts:
            self._early_read = (rollback.noticed_ms, read.from_ms)
            return
        to_ms = read.to_ms if read else rollback.listed_ms
        rest = next_slice(
            since_ms=rollback.since_ms,
            listed_ms=to_ms,
            noticed_ms=rollback.noticed_ms,
            now_ms=to_ms,
            policy=self._policy,
        )
        if await self._store.rollbacks.listed(rollback, to_ms, all_of_them=rest is None) is Resumed.RESUMED:
            log.warning("lost writes are reconciled and accepted: sending resumes")

    async def _read(self, time_slice: TimeSlice) -> None:
        """Read a slice and apply its faxes. Raises SinchError or NoPermit if any page cannot be read."""
        known, unknown = await self._split_by_job(await self._faxes.whole(time_slice.from_ms, time_slice.to_ms))
        await self._store.rollbacks.raise_epoch(max((update.write_epoch for update in known), default=0))
        await self._store.rollbacks.add_unknown([_unknown(update) for update in unknown])
        await self._adopt(known)

    async def _split_by_job(self, faxes: Iterable[FaxUpdate]) -> tuple[list[FaxUpdate], list[FaxUpdate]]:
        """Split faxes into those of known jobs and those of unknown jobs. Faxes without our labels, and those of
        deleted batches, are left out.
        """
        ours = {update: job for update in faxes if (job := _job(update))}
        jobs = list(dict.fromkeys(ours.values()))
        known = {job for job, stored in zip(jobs, await self._store.dispatch.stored(jobs), strict=True) if stored}
        unknown = [update for update in ours if ours[update] not in known]
        deleted = await self._store.deletions.deleted(ours[update].batch for update in unknown)
        return (
            [update for update in ours if ours[update] in known],
            [update for update in unknown if ours[update].batch not in deleted],
        )

    async def _adopt(self, faxes: Sequence[FaxUpdate]) -> None:
        """Apply faxes to their jobs. The faxes of one job are applied in the order in which they were created."""
        by_job = defaultdict[str, list[FaxUpdate]](list)
        for update in sorted(faxes, key=lambda update: (update.created_ms, update.attempt)):
            by_job[update.job].append(update)
        await asyncio.gather(*map(self._adopt_of_job, by_job.values()))

    async def _adopt_of_job(self, faxes: Sequence[FaxUpdate]) -> None:
        for update in faxes:
            await self._settler.settle(JobId.parse(update.job), _decide_on(update), update=update)

    async def _pause_after(self, step: Callable[[], Awaitable[float]]) -> float:
        """Run a step and return the seconds until the next. A step that fails is tried again."""
        try:
            return await step()
        except NoPermit:
            return _RETRY_S
        except (StoreError, SinchError) as error:
            log.warning("a step of the recovery from lost writes failed; it is tried again", error=str(error))
        return _RETRY_S


def _job(update: FaxUpdate) -> JobId | None:
    """Return the job of our label; None for a fax that bulkfax did not send."""
    try:
        return JobId.parse(update.job) if update.attempt > 0 else None
    except ValueError:
        return None


def _unknown(update: FaxUpdate) -> UnknownFax:
    return UnknownFax(fax_id=update.fax_id, job=update.job, attempt=update.attempt, created_ms=update.created_ms)


def _decide_on(update: FaxUpdate) -> Decide:
    return lambda record, context: after_update(record, update, context)
