"""After Redis has lost writes: the provider's faxes of that time are read, and those of our jobs are adopted.

Sending is held meanwhile (``record_rolled_back``), everything else goes on. It is sent again when all has been read and
an operator has accepted the loss.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from dispatcher.core.job import JobId
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy import Policy
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

#: seconds between two looks whether writes were lost, and after one that came to nothing
_IDLE_S, _AGAIN_S = 5.0, 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackView:
    """The last loss of writes, and the faxes of no job of ours that were found."""

    rollback: Rollback
    unknown: tuple[UnknownFax, ...]
    #: when everything can have been read at the earliest, milliseconds since 1970
    ready_ms: int


async def view_rollback(store: Store, policy: Policy) -> RollbackView | None:
    """None when no write was ever lost."""
    rollback = await store.rollbacks.last()
    if rollback is None:
        return None
    unknown = tuple(await store.rollbacks.unknown())
    return RollbackView(rollback=rollback, unknown=unknown, ready_ms=ready_ms(rollback.noticed_ms, policy))


async def resume(store: Store, *, accept_rollback: bool) -> None:
    """Send again once the provider's faxes are reconciled.

    Raises Missing when no loss holds the account, and NotAllowed when it is not accepted.
    """
    rollback = await store.rollbacks.last()
    if rollback is None or rollback.resumed_ms:
        raise Missing("no lost writes hold the account")
    if not accept_rollback:
        raise ActionNotAllowed(f"{rollback.cause}. Look at what was found, and then accept it with accept_rollback")
    await store.rollbacks.accept()


class FaxList:
    """The provider's faxes of a stretch of time. All raise SinchError, NoPermit and StoreError."""

    def __init__(self, store: Store, sinch: FaxClient, permits: ReadPermits, policy: Policy) -> None:
        self._sinch = sinch
        self._permits = permits
        self._policy = policy
        self._reads = ProviderReads(sinch, permits, store.holds, policy)

    async def whole(self, from_ms: int, to_ms: int) -> Sequence[FaxUpdate]:
        """All of them: half a list is no answer."""
        return (await self._reads.listed(self._query(from_ms, to_ms), ReadKind.WINDOW)).faxes

    async def slices(self, from_ms: int, to_ms: int) -> AsyncIterator[Sequence[FaxUpdate]]:
        """All of them, a slice of the time after the other; a fax may be in two."""
        for start_ms in range(from_ms, to_ms, SLICE_MS):
            yield await self.whole(start_ms, min(start_ms + SLICE_MS, to_ms))

    async def newest(self, from_ms: int, to_ms: int) -> Sequence[FaxUpdate]:
        """The first page of them."""
        async with self._permits.read(ReadKind.WINDOW):
            page = await self._sinch.list_page(self._query(from_ms, to_ms), 1, total_s=self._policy.read_total_s)
        return page.faxes

    def _query(self, from_ms: int, to_ms: int) -> FaxQuery:
        margin_ms = round(self._policy.clock_skew_s * 1000)
        return FaxQuery(created_from_ms=from_ms - margin_ms, created_to_ms=to_ms + margin_ms)


class Recovery:
    """Reads the provider's list after a loss. Any number may run: what one has read is in the store."""

    def __init__(self, store: Store, faxes: FaxList, settler: Settler, policy: Policy) -> None:
        self._store = store
        self._faxes = faxes
        self._settler = settler
        self._policy = policy
        #: the loss and the slice that were read without counting
        self._looked_at = (0, 0)

    async def run(self) -> None:
        """Look for a loss that nobody could notice, then after every loss that comes. Never returns."""
        await self._pause_of(self.look_back)
        while True:
            pause_s = await self._pause_of(self.step)
            await asyncio.sleep(pause_s)

    async def look_back(self) -> float:
        """Read the newest faxes: a restored Redis, all of whose processes are new, is noticed by their labels."""
        written_ms = await self._store.rollbacks.written_ms()
        if written_ms:
            now_ms = await self._store.clock.now_ms()
            known, _ = await self._sorted(await self._faxes.newest(written_ms, now_ms))
            self._store.epoch.see(max((news.write_epoch for news in known), default=0))
            with suppress(StoreRolledBack):
                await self._store.rollbacks.check()
            await self._adopt(known)
        return _IDLE_S

    async def step(self) -> float:
        """Read one slice if there is something to reconcile. Returns the seconds until the next step makes sense."""
        rollback = await self._store.rollbacks.last()
        if rollback is None or rollback.resumed_ms or rollback.reconciled_ms:
            return _IDLE_S
        wanted = next_slice(
            since_ms=rollback.since_ms,
            listed_ms=rollback.listed_ms,
            noticed_ms=rollback.noticed_ms,
            now_ms=await self._store.clock.now_ms(),
            policy=self._policy,
        )
        if wanted and not wanted.counts and self._looked_at == (rollback.noticed_ms, wanted.from_ms):
            return _IDLE_S
        if wanted:
            await self._read(wanted)
        await self._note(rollback, wanted)
        return 0.0

    async def _note(self, rollback: Rollback, read: TimeSlice | None) -> None:
        if read and not read.counts:
            self._looked_at = (rollback.noticed_ms, read.from_ms)
            return
        to_ms = read.to_ms if read else rollback.listed_ms
        whole = next_slice(
            since_ms=rollback.since_ms,
            listed_ms=to_ms,
            noticed_ms=rollback.noticed_ms,
            now_ms=to_ms,
            policy=self._policy,
        )
        if await self._store.rollbacks.listed(rollback, to_ms, all_of_them=whole is None) is Resumed.RESUMED:
            log.warning("lost writes are reconciled and accepted: sending goes on")

    async def _read(self, wanted: TimeSlice) -> None:
        """All pages. Raises SinchError or NoPermit: half a list is no answer."""
        known, unknown = await self._sorted(await self._faxes.whole(wanted.from_ms, wanted.to_ms))
        await self._store.rollbacks.raise_epoch(max((news.write_epoch for news in known), default=0))
        await self._store.rollbacks.add_unknown([_unknown(news) for news in unknown])
        await self._adopt(known)

    async def _sorted(self, faxes: Iterable[FaxUpdate]) -> tuple[list[FaxUpdate], list[FaxUpdate]]:
        """Faxes of jobs in the store, and those of jobs that are not there; without those of others."""
        ours = {news: job for news in faxes if (job := _job(news))}
        jobs = list(dict.fromkeys(ours.values()))
        there = {job for job, stored in zip(jobs, await self._store.dispatch.stored(jobs), strict=True) if stored}
        return [news for news in ours if ours[news] in there], [news for news in ours if ours[news] not in there]

    async def _adopt(self, faxes: Sequence[FaxUpdate]) -> None:
        """One fax of a job after the other, as they were made: an earlier one's end comes before a later one."""
        by_job = defaultdict[str, list[FaxUpdate]](list)
        for news in sorted(faxes, key=lambda news: (news.created_ms, news.attempt)):
            by_job[news.job].append(news)
        await asyncio.gather(*map(self._adopt_of_job, by_job.values()))

    async def _adopt_of_job(self, faxes: Sequence[FaxUpdate]) -> None:
        for news in faxes:
            await self._settler.settle(JobId.parse(news.job), _telling(news), news=news)

    async def _pause_of(self, step: Callable[[], Awaitable[float]]) -> float:
        """Seconds until the next step; what came to nothing is tried again."""
        try:
            return await step()
        except NoPermit:
            return _AGAIN_S
        except (StoreError, SinchError) as error:
            log.warning("lost writes are not looked for now", error=str(error))
        return _AGAIN_S


def _job(news: FaxUpdate) -> JobId | None:
    """The job of our label; None for a fax that somebody else has sent."""
    try:
        return JobId.parse(news.job) if news.attempt > 0 else None
    except ValueError:
        return None


def _unknown(news: FaxUpdate) -> UnknownFax:
    return UnknownFax(fax_id=news.fax_id, job=news.job, attempt=news.attempt, created_ms=news.created_ms)


def _telling(news: FaxUpdate) -> Decide:
    return lambda record, case: after_update(record, news, case)
