"""Asking the provider: unclear sends are looked for by our label, accepted faxes without news are read back.

A look that failed is no look: the job comes due again, and nothing is concluded. Many faxes are looked for in one list.
That can only find them: before an attempt is written off, the list of its number alone is asked for, over a wide range.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

import structlog

from dispatcher.core.job import JobId, Record, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy import Policy
from dispatcher.core.recovery.readback_plan import ListWindow, ReadbackJob, plan
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import after_empty_look, after_read, is_last_look
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

#: Added on both sides when one number is listed: a day, so that a clock of another time zone hides nothing. There are
#: few faxes to one number, and a fax that is outside of the range is sent twice.
_WIDE_MS = 86_400_000

Look = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Reconciler:
    """Looks at jobs that came due while they were in flight. Belongs to one event loop."""

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
        #: jobs that are being looked at
        self._looks = dict[JobId, asyncio.Task[None]]()
        #: those that the next plan is made for; one round of windows is read at a time
        self._listable = dict[JobId, Stored]()
        self._round = asyncio.Lock()

    async def reconcile(self, jobs: Sequence[JobId]) -> None:
        """Begin to look up what may have been sent, and to read back what was accepted.

        The reads go on after this has returned. What waits for a list shares it with all others that wait.
        """
        stored = await self._store.dispatch.stored([job for job in jobs if job not in self._looks])
        known = [one for one in stored if one and one.record.state in (State.SENDING, State.ACCEPTED)]
        listable = [one for one in known if not is_named_look(one.record, self._policy)]
        if listable:
            self._listable |= {one.job: one for one in listable}
            self._begin([one.job for one in listable], self._read_windows)
        for one in known:
            if is_named_look(one.record, self._policy):
                self._begin([one.job], partial(self._look_by_name, one))

    async def finish(self) -> None:
        """Wait until everything that was begun is done."""
        while self._looks:
            await asyncio.wait(set(self._looks.values()))

    async def stop(self) -> None:
        """End all looks at once. The jobs come due again."""
        looks = set(self._looks.values())
        for task in looks:
            task.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    def _begin(self, jobs: Sequence[JobId], look: Look) -> None:
        task = asyncio.create_task(self._careful(look))
        self._looks |= dict.fromkeys(jobs, task)
        task.add_done_callback(partial(self._done, jobs))

    def _done(self, jobs: Sequence[JobId], task: "asyncio.Task[None]") -> None:
        for job in jobs:
            if self._looks.get(job) is task:
                del self._looks[job]

    async def _careful(self, look: Look) -> None:
        """A question that brings no answer leaves everything as it is."""
        try:
            await look()
        except NoPermit:
            log.debug("no permit for a read in time, it is made later")
        except SinchError as error:
            log.warning("the provider could not be asked", error=str(error))
        except StoreError as error:
            log.warning("the store does not answer, it is asked for later", error=str(error))
        except Exception:  # what one job brings up must not end the look at others
            log.exception("a look at the provider broke off; it is made again")

    async def _read_windows(self) -> None:
        async with self._round:
            stored, self._listable = self._listable, {}
            if not stored:
                return
            pace = await self._store.rate_limiter.state()
            planned = plan(
                map(_lookup, stored.values()),
                rate_per_second=pace.ceiling,
                margin_s=self._policy.clock_skew_s,
                now_ms=await self._store.clock.now_ms(),
            )
            for lookup in planned.single:
                self._begin([lookup.job], partial(self._look_by_name, stored[lookup.job]))
            await asyncio.gather(
                *(self._careful(partial(self._read_window, window, stored)) for window in planned.windows)
            )

    async def _read_window(self, window: ListWindow, stored: dict[JobId, Stored]) -> None:
        asked_ms = await self._store.clock.now_ms()
        query = FaxQuery(created_from_ms=window.from_ms, created_to_ms=window.to_ms)
        listed = await self._reads.listed(query, ReadKind.WINDOW)
        by_job = _by_job(listed.faxes)
        by_id = {news.fax_id: news for news in listed.faxes}
        looks = list[Look]()
        for lookup in window.jobs:
            if not lookup.fax_id:
                found = by_job[str(lookup.job)]
                settle = partial(self._settle_look, stored[lookup.job], found, listed)
                looks.append(partial(settle, asked_ms=asked_ms, exact=False))
            elif lookup.fax_id in by_id or not listed.may_hide(str(lookup.job)):
                looks.append(partial(self._settle_read, lookup.job, by_id.get(lookup.fax_id)))
            else:
                self._begin([lookup.job], partial(self._look_by_name, stored[lookup.job]))
        await asyncio.gather(*map(self._careful, looks))

    async def _look_by_name(self, stored: Stored) -> None:
        """Ask about one fax alone: by its id, or by the number that it may have gone to."""
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
        found = _by_job(listed.faxes)[str(stored.job)]
        await self._settle_look(stored, found, listed, asked_ms=asked_ms, exact=True)

    async def _settle_look(
        self, stored: Stored, found: Sequence[FaxUpdate], listed: Listed, *, asked_ms: int, exact: bool
    ) -> None:
        job, attempt = stored.job, stored.record.attempt
        for news in found:
            await self._settler.settle(job, _telling(news), news=news)
        if not listed.may_hide(str(job)) and not any(news.attempt == attempt for news in found):
            answered = not exact or await self._store.holds.answered_ms() > stored.record.began_ms
            decide = partial(after_empty_look, attempt=attempt, asked_ms=asked_ms, exact=exact, answered=answered)
            await self._settler.settle(job, decide)

    async def _settle_read(self, job: JobId, news: FaxUpdate | None) -> None:
        await self._settler.settle(job, lambda record, case: after_read(record, news, case), news=news)


def is_named_look(record: Record, policy: Policy) -> bool:
    """Whether the next look at a job has to ask about it alone: the last before its attempt is written off, and one
    for a fax that a list did not show. A list may lag, so that only the answer by id may end in a hold."""
    return record.unclear if record.state is State.ACCEPTED else is_last_look(record, policy)


def _lookup(stored: Stored) -> ReadbackJob:
    record = stored.record
    fax_id = record.fax_id if record.state is State.ACCEPTED else ""
    return ReadbackJob(job=stored.job, began_ms=record.began_ms, fax_id=fax_id)


def _by_job(faxes: Iterable[FaxUpdate]) -> dict[str, list[FaxUpdate]]:
    by_job = defaultdict[str, list[FaxUpdate]](list)
    for news in faxes:
        by_job[news.job].append(news)
    return by_job


def _telling(news: FaxUpdate) -> Decide:
    return lambda record, case: after_update(record, news, case)
