"""Takes the jobs of a batch through their lives by the store's own verbs, as worker and scheduler do, without HTTP.

For batches of a million jobs, whose faxes would take an hour to send: claims, begins and settlements have the sizes
that they have in the processes, and every decision is the core's.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dispatcher.core.batch import Priority
from dispatcher.core.job import HistoryEntry, JobId, Record
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.transition import Transition
from dispatcher.store.dispatch import Candidate, StoredTransition
from dispatcher.store.store import Store

#: jobs of a lease, as the scheduler makes them at high rates
LEASE_JOBS = 32
#: leases under way at a time
_SIDE_BY_SIDE = 8
_NO_LIMIT = 1_000_000
#: nothing is due any more when nothing was so often
_IDLE_ROUNDS, _IDLE_S = 5, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a call ends; no error type means that the fax is delivered."""

    error_type: str = ""
    error_code: int = 0


DELIVERED = End()
Fate = Callable[[int, int], End]


def all_delivered(row: int, attempt: int) -> End:
    return DELIVERED


class Driver:
    """Sends the jobs of whatever batch is running. ``fate`` says by row and attempt how each call ends."""

    def __init__(self, store: Store, policy: Policy, fate: Fate = all_delivered, *, settle: bool = True) -> None:
        """Without ``settle`` jobs stay accepted, as calls under way."""
        self._store = store
        self._policy = policy
        self._fate = fate
        self._settle = settle
        self._left = 0

    async def run(self, jobs: int) -> int:
        """Make so many attempts, or as many as come due before nothing does for a moment; returns how many."""
        await self._store.rate_limiter.set_ceiling(_NO_LIMIT)
        # nothing is leased where no worker lives
        self._store.workers.speak_as("bench", "driver", lambda: _NO_LIMIT)
        done = idle = 0
        while done < jobs and idle < _IDLE_ROUNDS:
            self._left = jobs - done
            made = sum(await asyncio.gather(*(self._work() for _ in range(_SIDE_BY_SIDE))))
            done, idle = done + made, 0 if made else idle + 1
            if not made:
                await asyncio.sleep(_IDLE_S)
        return done

    async def _work(self) -> int:
        done = 0
        while self._left > 0:
            most = min(LEASE_JOBS, self._left)
            self._left -= most
            attempts = await self._lease(most)
            if not attempts:
                return done
            done += attempts
            self._left += most - attempts
        return done

    async def _lease(self, most: int) -> int:
        """One lease from claim to the end of its calls; returns how many were begun."""
        dispatch = self._store.dispatch
        lease = await dispatch.claim(Priority.BULK, max_jobs=most, max_ahead=_NO_LIMIT, max_in_flight=_NO_LIMIT)
        if lease is None:
            return 0
        candidates = [Candidate(job=job, number_hash=_number_hash(job)) for job in lease.jobs]
        answer = await dispatch.begin(lease, candidates, max_in_flight=_NO_LIMIT)
        records = [(begun.job, begun.record) for begun in answer.jobs if begun.word == "go"]
        accepted = await self._news(records, partial(_news, status=FaxStatus.UNFINISHED))
        if self._settle:
            await self._news(accepted, self._end)
        return len(records)

    async def _news(
        self, records: Sequence[tuple[JobId, Record]], news: Callable[[JobId, Record], FaxUpdate]
    ) -> list[tuple[JobId, Record]]:
        now_ms = await self._store.clock.now_ms()
        histories = await self._histories([job for job, record in records if record.attempt > 1])
        changes = []
        for job, record in records:
            case = DecisionContext(policy=self._policy, now_ms=now_ms, chance=0.5, history=histories.get(job, ()))
            step = after_update(record, news(job, record), case)
            assert step is not None, f"news of {job} meant nothing"
            changes.append(_change(job, record, step))
        if changes:
            found = await self._store.dispatch.settle(changes)
            assert not any(found), "someone else settles these jobs"
        return [(change.job, change.new) for change in changes]

    async def _histories(self, jobs: Sequence[JobId]) -> dict[JobId, tuple[HistoryEntry, ...]]:
        stored = await self._store.dispatch.stored(jobs) if jobs else []
        return {one.job: one.history for one in stored if one is not None}

    def _end(self, job: JobId, record: Record) -> FaxUpdate:
        end = self._fate(job.row, record.attempt)
        status = FaxStatus.FAILURE if end.error_type else FaxStatus.COMPLETED
        return _news(job, record, status=status, end=end)


def _news(job: JobId, record: Record, *, status: FaxStatus, end: End = DELIVERED) -> FaxUpdate:
    digest = hashlib.blake2b(f"{job}/{record.attempt}".encode(), digest_size=13).hexdigest().upper()
    delivered = status is FaxStatus.COMPLETED
    return FaxUpdate(
        fax_id=digest,
        status=status,
        job=str(job),
        attempt=record.attempt,
        error_type=end.error_type,
        error_code=end.error_code,
        pages_sent=2 if delivered else 0,
        pages_total=2,
        created_ms=record.began_ms + 120,
        ended_ms=0 if status is FaxStatus.UNFINISHED else record.began_ms + 9_000,
    )


def _change(job: JobId, old: Record, step: Transition) -> StoredTransition:
    return StoredTransition(
        job=job,
        old=old,
        new=step.record,
        next_ms=step.next_ms,
        history=step.history,
        rest_s=step.rest_s,
        attempt=old.attempt,
        spent=step.spent,
        totals={"attempts|accepted": 1},
    )


def _number_hash(job: JobId) -> str:
    """As long as the product's, and another one for every job."""
    return hashlib.blake2b(str(job).encode(), digest_size=10).hexdigest()
