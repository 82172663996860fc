"""Reconciles jobs in flight with the provider.

Unclear attempts are searched for by their labels, and accepted faxes without a callback are read back. One list of a
time window serves many jobs. Such a list can only show that a fax exists: before an attempt counts as not sent, the
list of its number is read over a wide time range. A read that fails decides nothing, and the job comes due again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

import structlog

from dispatcher.core.job import JobId, Record, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.recovery.readback_plan import ListWindow, ReadbackJob, plan
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import after_empty_lookup, after_read, is_last_lookup
from dispatcher.core.settlement.transition import send_deadline_ms
from dispatcher.service.fax_builder import FaxBuilder
from dispatcher.service.permits import NoPermit, ReadKind, ReadPermits
from dispatcher.service.provider_reads import Listed, ProviderReads
from dispatcher.service.settling import Decide, Settler
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.wire import FaxQuery
from dispatcher.store.dispatch import Stored
from dispatcher.store.errors import StoreError
from dispatcher.store.store import Store

#: Milliseconds added on both sides when the faxes of one number are listed: a day, so that a clock in another time zone
#: hides no fax. The list is short all the same, and a fax outside the range would be sent twice.
_WIDE_MS = 86_400_000

Lookup = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Reconciler:
    """Finds out what became of jobs that came due while they were in flight. Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        sinch: FaxClient,
        fax_builder: FaxBuilder,
        settler: Settler,
        permits: ReadPermits,
        policy: Policy,
    ) -> None:
        self._store = store
        self._fax_builder = fax_builder
        self._settler = settler
        self._policy = policy
        self._reads = ProviderReads(sinch, permits, store.holds, policy)
        #: jobs that are being reconciled
        self._tasks = dict[JobId, asyncio.Task[None]]()
        #: jobs that wait for the next plan; the windows of one plan are read at a time
        self._listable = dict[JobId, Stored]()
        self._windows_lock = asyncio.Lock()

    async def reconcile(self, jobs: Sequence[JobId]) -> None:
        """Begin to search for unclear attempts, and to read back accepted faxes.

        The reads go on after this has returned. Jobs that wait for a list share it with each other.
        """
        stored = await self._store.dispatch.stored([job for job in jobs if job not in self._tasks])
        in_flight = [entry for entry in stored if entry and entry.record.state in (State.SENDING, State.ACCEPTED)]
        listable = [entry for entry in in_flight if not needs_single_read(entry.record, self._policy)]
        if listable:
            self._listable |= {entry.job: entry for entry in listable}
            self._begin([entry.job for entry in listable], self._read_windows)
        for entry in in_flight:
            if needs_single_read(entry.record, self._policy):
                self._begin([entry.job], partial(self._read_single, entry))

    async def finish(self) -> None:
        """Wait until everything that ``reconcile`` began is done."""
        while self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def stop(self) -> None:
        """Cancel everything that is under way. The jobs come due again."""
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, jobs: Sequence[JobId], lookup: Lookup) -> None:
        task = asyncio.create_task(self._safely(lookup))
        self._tasks |= dict.fromkeys(jobs, task)
        task.add_done_callback(partial(self._done, jobs))

    def _done(self, jobs: Sequence[JobId], task: "asyncio.Task[None]") -> None:
        for job in jobs:
            if self._tasks.get(job) is task:
                del self._tasks[job]

    async def _safely(self, lookup: Lookup) -> None:
        """Run a lookup and log its error, if there is one. A lookup that fails changes no job."""
        try:
            await lookup()
        except NoPermit:
            log.debug("a read got no permit in time; it is made later")
        except SinchError as error:
            log.warning("a read at the provider failed; it is made later", error=str(error))
        except StoreError as error:
            log.warning("the store does not answer; the job is reconciled later", error=str(error))
        except Exception:  # an error of one job must not stop the lookups of others
            log.exception("a job could not be reconciled; it is tried again later")

    async def _read_windows(self) -> None:
        async with self._windows_lock:
            stored, self._listable = self._listable, {}
            if not stored:
                return
            rate_state = await self._store.rate_limiter.state()
            planned = plan(
                map(_readback_job, stored.values()),
                rate_per_second=rate_state.ceiling,
                margin_s=self._policy.clock_skew_s,
                now_ms=await self._store.clock.now_ms(),
            )
            for readback in planned.single:
                self._begin([readback.job], partial(self._read_single, stored[readback.job]))
            await asyncio.gather(
                *(self._safely(partial(self._read_window, window, stored)) for window in planned.windows)
            )

    async def _read_window(self, window: ListWindow, stored: dict[JobId, Stored]) -> None:
        asked_ms = await self._store.clock.now_ms()
        query = FaxQuery(created_from_ms=window.from_ms, created_to_ms=window.to_ms)
        listed = await self._reads.listed(query, ReadKind.WINDOW)
        by_job = _by_job(listed.faxes)
        by_id = {update.fax_id: update for update in listed.faxes}
        lookups = list[Lookup]()
        for readback in window.jobs:
            if not readback.fax_id:
                updates = by_job[str(readback.job)]
                settle = partial(self._settle_search, stored[readback.job], updates, listed)
                lookups.append(partial(settle, asked_ms=asked_ms, exact=False))
            elif readback.fax_id in by_id or not listed.may_hide(str(readback.job)):
                lookups.append(partial(self._settle_read, readback.job, by_id.get(readback.fax_id)))
            else:
                self._begin([readback.job], partial(self._read_single, stored[readback.job]))
        await asyncio.gather(*map(self._safely, lookups))

    async def _read_single(self, stored: Stored) -> None:
        """Ask about one job only: read its fax by id, or list the faxes of the number it may have been sent to."""
        if stored.record.state is State.ACCEPTED:
            await self._settle_read(stored.job, await self._reads.fax(stored.record.fax_id))
            return
        asked_ms = await self._store.clock.now_ms()
        deadline_ms = send_deadline_ms(stored.record, self._policy)
        if asked_ms < deadline_ms:
            return
        query = FaxQuery(
            to=await self._fax_builder.number(stored.job),
            created_from_ms=stored.record.began_ms - _WIDE_MS,
            created_to_ms=deadline_ms + _WIDE_MS,
        )
        listed = await self._reads.listed(query, ReadKind.NUMBER)
        updates = _by_job(listed.faxes)[str(stored.job)]
        await self._settle_search(stored, updates, listed, asked_ms=asked_ms, exact=True)

    async def _settle_search(
        self, stored: Stored, updates: Sequence[FaxUpdate], listed: Listed, *, asked_ms: int, exact: bool
    ) -> None:
        job, attempt = stored.job, stored.record.attempt
        for update in updates:
            await self._settler.settle(job, _decide_on(update), update=update)
        if not listed.may_hide(str(job)) and not any(update.attempt == attempt for update in updates):
            answered = not exact or await self._store.holds.answered_ms() > stored.record.began_ms
            decide = partial(after_empty_lookup, attempt=attempt, asked_ms=asked_ms, exact=exact, answered=answered)
            await self._settler.settle(job, decide)

    async def _settle_read(self, job: JobId, update: FaxUpdate | None) -> None:
        await self._settler.settle(job, lambda record, context: after_read(record, update, context), update=update)


def needs_single_read(record: Record, policy: Policy) -> bool:
    """Return whether the next lookup of a job has to ask about it only.

    That is the last lookup before its attempt counts as not sent, and the lookup of an accepted fax that a list did not
    show. A list may lag behind, so only a read by id may lead to a hold.
    """
    return record.unclear if record.state is State.ACCEPTED else is_last_lookup(record, policy)


def _readback_job(stored: Stored) -> ReadbackJob:
    record = stored.record
    fax_id = record.fax_id if record.state is State.ACCEPTED else ""
    return ReadbackJob(job=stored.job, began_ms=record.began_ms, fax_id=fax_id)


def _by_job(faxes: Iterable[FaxUpdate]) -> dict[str, list[FaxUpdate]]:
    by_job = defaultdict[str, list[FaxUpdate]](list)
    for update in faxes:
        by_job[update.job].append(update)
    return by_job


def _decide_on(update: FaxUpdate) -> Decide:
    return lambda record, context: after_update(record, update, context)
