"""Drives the jobs of a batch to their final states through the store, as scheduler and workers do, without HTTP.

Sending a million faxes would take an hour; this takes minutes. Calls of ``claim``, ``begin`` and ``settle`` are as
large as in production, and ``dispatcher.core`` makes every decision.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dispatcher.core.batch import Priority
from dispatcher.core.job import HistoryEntry, JobId, Record
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.transition import Transition
from dispatcher.store.dispatch import Candidate, StoredTransition
from dispatcher.store.store import Store

#: jobs per lease, as the scheduler leases them at high rates
LEASE_JOBS = 32
#: leases that are processed concurrently
_CONCURRENT_LEASES = 8
_NO_LIMIT = 1_000_000
#: rounds without a due job after which the driver ends, and the pause between them
_IDLE_ROUNDS, _IDLE_S = 5, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """How a call ends. Without an error type the fax is delivered."""

    error_type: str = ""
    error_code: int = 0


DELIVERED = CallOutcome()
#: takes row and attempt number, and returns how the call ends
OutcomeRule = Callable[[int, int], CallOutcome]


def all_delivered(row: int, attempt: int) -> CallOutcome:
    """The rule that delivers every fax."""
    return DELIVERED


class Driver:
    """Makes attempts for the jobs of the running batches."""

    def __init__(
        self, store: Store, policy: Policy, outcome_rule: OutcomeRule = all_delivered, *, settle: bool = True
    ) -> None:
        """Create a driver.

        Args:
            store: The store of the batches.
            policy: The policy of every decision.
            outcome_rule: Decides how each call ends.
            settle: False leaves the jobs accepted, as if their calls were in progress.
        """
        self._store = store
        self._policy = policy
        self._outcome_rule = outcome_rule
        self._settle = settle
        self._remaining = 0

    async def run(self, jobs: int) -> int:
        """Make up to ``jobs`` attempts, fewer if no job is due for a moment, and return how many were made."""
        await self._store.rate_limiter.set_ceiling(_NO_LIMIT)
        # the store leases jobs only while a worker is alive
        self._store.workers.speak_as("bench", "driver", lambda: _NO_LIMIT)
        done = idle = 0
        while done < jobs and idle < _IDLE_ROUNDS:
            self._remaining = jobs - done
            attempts = sum(await asyncio.gather(*(self._work() for _ in range(_CONCURRENT_LEASES))))
            done, idle = done + attempts, 0 if attempts else idle + 1
            if not attempts:
                await asyncio.sleep(_IDLE_S)
        return done

    async def _work(self) -> int:
        done = 0
        while self._remaining > 0:
            max_jobs = min(LEASE_JOBS, self._remaining)
            self._remaining -= max_jobs
            attempts = await self._process_lease(max_jobs)
            if not attempts:
                return done
            done += attempts
            self._remaining += max_jobs - attempts
        return done

    async def _process_lease(self, max_jobs: int) -> int:
        """Take one lease from claim to the end of its calls, and return how many attempts began."""
        dispatch = self._store.dispatch
        lease = await dispatch.claim(Priority.BULK, max_jobs=max_jobs, max_ahead=_NO_LIMIT, max_in_flight=_NO_LIMIT)
        if lease is None:
            return 0
        candidates = [Candidate(job=job, number_hash=_number_hash(job), number="") for job in lease.jobs]
        answer = await dispatch.begin(lease, candidates, max_in_flight=_NO_LIMIT)
        records = [(begun.job, begun.record) for begun in answer.jobs if begun.word == "go"]
        accepted = await self._apply(records, partial(_fax_update, status=FaxStatus.UNFINISHED))
        if self._settle:
            await self._apply(accepted, self._final_update)
        return len(records)

    async def _apply(
        self, records: Sequence[tuple[JobId, Record]], update: Callable[[JobId, Record], FaxUpdate]
    ) -> list[tuple[JobId, Record]]:
        """Settle every record with its fax update, and return the records that result."""
        now_ms = await self._store.clock.now_ms()
        histories = await self._histories([job for job, record in records if record.attempt > 1])
        changes = []
        for job, record in records:
            context = DecisionContext(policy=self._policy, now_ms=now_ms, chance=0.5, history=histories.get(job, ()))
            transition = after_update(record, update(job, record), context)
            assert transition is not None, f"the update of {job} changed nothing"
            changes.append(_stored_transition(job, record, transition))
        if changes:
            conflicts = await self._store.dispatch.settle(changes)
            assert not any(conflicts), "another process settled these jobs"
        return [(change.job, change.new) for change in changes]

    async def _histories(self, jobs: Sequence[JobId]) -> dict[JobId, tuple[HistoryEntry, ...]]:
        stored = await self._store.dispatch.stored(jobs) if jobs else []
        return {entry.job: entry.history for entry in stored if entry is not None}

    def _final_update(self, job: JobId, record: Record) -> FaxUpdate:
        outcome = self._outcome_rule(job.row, record.attempt)
        status = FaxStatus.FAILURE if outcome.error_type else FaxStatus.COMPLETED
        return _fax_update(job, record, status=status, outcome=outcome)


def _fax_update(job: JobId, record: Record, *, status: FaxStatus, outcome: CallOutcome = DELIVERED) -> FaxUpdate:
    digest = hashlib.blake2b(f"{job}/{record.attempt}".encode(), digest_size=13).hexdigest().upper()
    delivered = status is FaxStatus.COMPLETED
    return FaxUpdate(
        fax_id=digest,
        status=status,
        job=str(job),
        attempt=record.attempt,
        error_type=outcome.error_type,
        error_code=outcome.error_code,
        pages_sent=2 if delivered else 0,
        pages_total=2,
        created_ms=record.began_ms + 120,
        ended_ms=0 if status is FaxStatus.UNFINISHED else record.began_ms + 9_000,
    )


def _stored_transition(job: JobId, old: Record, transition: Transition) -> StoredTransition:
    return StoredTransition(
        job=job,
        old=old,
        new=transition.record,
        next_ms=transition.next_ms,
        history=transition.history,
        rest_s=transition.rest_s,
        attempt=old.attempt,
        spent=transition.spent,
        totals={"attempts|accepted": 1},
    )


def _number_hash(job: JobId) -> str:
    """Return a hash that is as long as a real number hash and differs for every job."""
    return hashlib.blake2b(str(job).encode(), digest_size=10).hexdigest()
