"""The scheduler: leases due jobs, finds jobs in flight that need attention, ends batches, and watches the clock.

Several schedulers may run. They coordinate through Redis.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from dispatcher.core.batch import Command, Control, Priority
from dispatcher.core.failpoints import Failpoint, FailpointHook, no_failpoint
from dispatcher.core.job import JobId
from dispatcher.core.limits.rate import RateState, next_us
from dispatcher.core.limits.shares import BULK_FLOOR
from dispatcher.core.policy.policy import Policy
from dispatcher.core.recovery.clock_step import ClockReading, read_clock
from dispatcher.service.deadlines import DeadlineWatch
from dispatcher.service.deletions import Retention
from dispatcher.service.hold_log import HoldLog
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData, WrongKeyType
from dispatcher.store.store import Store

#: seconds' worth of the account's rate in one lease, and the maximum number of jobs in a lease
LEASE_S, MAX_LEASE = 0.1, 32
#: seconds' worth of the account's rate that may be leased before the workers begin it
AHEAD_S = 0.5
#: jobs leased beyond ``max_in_flight``, so that a worker always has one ready when a call ends
WAITING_AHEAD = 64
#: urgent jobs that may be leased beyond that
URGENT_AHEAD = 32
#: maximum entries of each watch set that one tick handles
_MAX_RECLAIMED = 500
#: seconds for which the state of the rate limiter is reused
_RATE_STATE_AGE_S = 1.0
#: seconds between two looks for drafts that nobody has started
_DRAFTS_S = 10.0
#: seconds between two looks for entries of the do-not-fax list that have expired
_SUPPRESSIONS_S = 60.0
#: seconds between two readings of the server's clock that are stored; less than the smallest step that counts
_STORE_READING_S = 1.0
#: seconds within which the server has to answer, if its time is to be compared with another clock
_MAX_ANSWER_S = 1.0
#: Longest postponement (seconds) of a read-back when the rate limit leaves no permit. It is limited because an operator
#: may raise the rate limit meanwhile.
_MAX_READBACK_DELAY_S = 300.0

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTasks:
    """What is due now, and has to be queued for the workers."""

    #: ids of leases, each with the priority of its jobs
    leases: tuple[tuple[Priority, str], ...]
    #: jobs in flight to ask the provider about
    reconcile: tuple[JobId, ...]
    #: callbacks in the inbox that can be settled now
    events: int

    def __bool__(self) -> bool:
        return bool(self.leases or self.reconcile or self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSize:
    """How many jobs one lease may have, and how many may be leased before the workers begin them."""

    lease: int
    ahead: int


class Scheduler:
    """Finds what is due. Several may run at the same time; they coordinate through Redis."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        clock: Callable[[], float],
        *,
        max_in_flight: int,
        failpoint: FailpointHook = no_failpoint,
    ) -> None:
        """Create a scheduler.

        Args:
            store: The store.
            policy: The policy.
            clock: A steady clock in seconds. It counts the time for which the machine was suspended.
            max_in_flight: Faxes that all processes may have in flight at a time.
            failpoint: Called at named points; only tests set it.
        """
        self._store = store
        self._policy = policy
        self._max_in_flight = max_in_flight
        self._clock = clock
        self._failpoint = failpoint
        self._retention = Retention(store, policy, clock)
        self._deadline_watch = DeadlineWatch(store, clock)
        self._hold_log = HoldLog(store)
        self._reading: ClockReading | None = None
        self._reading_stored_s = -math.inf
        #: leases and jobs to reconcile that no tick has returned yet
        self._leases: list[tuple[Priority, str]] = []
        self._reconcile: list[JobId] = []
        self._rate_state = RateState(ceiling=0.0, rate=0.0)
        #: leases that bulk work may still have, in return for the urgent leases that went first
        self._owed = 0.0
        self._rate_state_read_s = -math.inf
        self._drafts_read_s = -math.inf
        self._suppressions_read_s = -math.inf
        #: damage that was logged
        self._damages = set[str]()

    @property
    def steady(self) -> bool:
        """False for some time after a step of the server's clock, while deadlines in flight are not acted on."""
        return self._reading is None or self._reading.steady

    async def tick(self) -> DueTasks:
        """Lease and return everything that is due now.

        Jobs to reconcile are postponed, so that no other scheduler returns them too. While anything is leased, call
        this at least once a second.

        Raises:
            StoreError: The store is away. The next call returns what was leased before the error.
        """
        await self._despite_damage(self._end_batches(), None)
        # whether workers live is not known then, and a message without a reader does no harm
        workers = await self._despite_damage(self._sweep(), 1)
        await self._despite_damage(self._end_drafts(), None)
        await self._despite_damage(self._forget_suppressions(), None)
        if workers:
            await self._despite_damage(self._lease_all(), None)
        await self._despite_damage(self._retain(), None)
        await self._despite_damage(self._watch_deadlines(), None)
        await self._despite_damage(self._hold_log.look(self._clock()), None)
        # messages would have no reader while no worker is alive
        events = await self._despite_damage(self._ready_events(), 0) if workers else 0
        due = DueTasks(leases=tuple(self._leases), reconcile=tuple(self._reconcile), events=events)
        self._leases, self._reconcile = [], []
        return due

    async def _despite_damage(self, step: Awaitable[Result], otherwise: Result) -> Result:
        """Run one of the steps. A key of another type stops it, but none of the other steps."""
        try:
            result = await step
        except (WrongKeyType, UnreadableData) as error:
            if str(error) not in self._damages:
                self._damages.add(str(error))
                keys = ", ".join(map(str, await self._store.key_types.others()))
                log.error(
                    "stored data stops a part of the scheduler: see `bulkfax doctor`", error=str(error), keys=keys
                )
            return otherwise
        return result

    async def _ready_events(self) -> int:
        return await self._store.inbox.ready(await self._store.clock.now_ms())

    async def lease_urgent(self) -> DueTasks:
        """Lease and return only the urgent jobs that are due now, which is faster than ``tick``. Raises StoreError."""
        await self._despite_damage(self._lease_all_urgent(), None)
        leases, self._leases = tuple(self._leases), []
        return DueTasks(leases=leases, reconcile=(), events=0)

    async def _lease_all_urgent(self) -> None:
        await self._lease_urgent(await self._lease_size())

    async def _lease_all(self) -> None:
        size = await self._lease_size()
        await self._lease_urgent(size)
        while await self._lease_next(Priority.BULK, size, 0):
            pass

    async def _lease_urgent(self, size: LeaseSize) -> None:
        while await self._lease_next(Priority.URGENT, size, URGENT_AHEAD):
            self._owed += BULK_FLOOR
            if self._owed >= 1 and await self._lease_next(Priority.BULK, size, URGENT_AHEAD + size.lease):
                self._owed -= 1
        self._owed = min(self._owed, 1.0)

    async def _lease_next(self, priority: Priority, size: LeaseSize, beyond: int) -> bool:
        """Make one lease. Returns False when nothing is due.

        Args:
            priority: Priority of the jobs.
            size: The usual sizes.
            beyond: Jobs that may be leased beyond the usual number.
        """
        in_flight = self._max_in_flight + WAITING_AHEAD + beyond
        ahead = size.ahead + beyond
        lease = await self._store.dispatch.claim(
            priority, max_jobs=size.lease, max_ahead=ahead, max_in_flight=in_flight
        )
        if lease:
            self._leases.append((priority, lease.id))
            await self._failpoint(Failpoint.CLAIMED)
        return lease is not None

    async def _lease_size(self) -> LeaseSize:
        rate = (await self._current_rate_state()).rate
        return LeaseSize(lease=max(1, min(MAX_LEASE, round(rate * LEASE_S))), ahead=max(2, math.ceil(rate * AHEAD_S)))

    async def _current_rate_state(self) -> RateState:
        if self._clock() - self._rate_state_read_s > _RATE_STATE_AGE_S:
            self._rate_state = await self._store.rate_limiter.state()
            self._rate_state_read_s = self._clock()
        return self._rate_state

    async def _readback_delay_s(self, server_ms: int) -> float:
        """Return after how many seconds a job that is reconciled now comes due again.

        That is later while the rate limit leaves no permit for the read.
        """
        permit_s = next_us(await self._current_rate_state(), server_ms * 1000) / 1_000_000 - server_ms / 1000
        return max(self._policy.read_total_s + 10, min(permit_s, _MAX_READBACK_DELAY_S))

    async def _sweep(self) -> int:
        """Reclaim expired leases and collect jobs in flight that are due. Returns the number of live worker processes.

        Leases are reclaimed even after a step of the clock: ``begin`` checks a lease, so its deadline decides about no
        send.
        """
        server_ms, steady = await self._read_clock()
        readback_delay_s = await self._readback_delay_s(server_ms)
        reclaimed = await self._store.dispatch.reclaim(
            max_jobs=_MAX_RECLAIMED, again_s=readback_delay_s, in_flight=steady
        )
        self._leases += reclaimed.announce
        self._reconcile += reclaimed.look_at
        if reclaimed.held:
            log.error("jobs are held: several workers have ended while they had leased them", jobs=reclaimed.held)
        if reclaimed.given_back:
            log.warning("expired leases were reclaimed", jobs=reclaimed.given_back)
        return reclaimed.workers

    async def _read_clock(self) -> tuple[int, bool]:
        """Return the server's time (ms), and whether deadlines may be acted on."""
        asked_s = self._clock()
        server_ms = await self._store.clock.ask()
        if self._clock() - asked_s > _MAX_ANSWER_S:
            # after a slow answer it is not known when the server read its clock, so it cannot be compared
            return server_ms, False
        return server_ms, await self._steady(server_ms)

    async def _steady(self, server_ms: int) -> bool:
        """Return whether the clock has not stepped lately. Stores the reading for schedulers that start later."""
        policy, readings = self._policy, self._store.clock_readings
        last = self._reading or await self._despite_damage(readings.last(), None)
        # a send that is under way at the step may last its full time before its search period begins
        wait_s = policy.send_window_s + policy.post_total_s + policy.search_period_s
        reading = read_clock(last, server_ms, self._clock(), wait_s=wait_s)
        stepped = last is None or reading.suspended_until_s != last.suspended_until_s
        if stepped and not reading.steady:
            log.warning("the clock of Redis stepped: no attempt is written off for a search period")
        if stepped:
            await self._despite_damage(self._store.inbox.restart_idle_times(), None)
        if stepped or reading.own_s - self._reading_stored_s > _STORE_READING_S:
            await self._despite_damage(readings.remember(reading), None)
            self._reading_stored_s = reading.own_s
        self._reading = reading
        return reading.steady

    async def _end_batches(self) -> None:
        for batch in await self._store.dispatch.overdue_batches(await self._store.clock.now_ms()):
            try:
                answer = await self._store.batches.command(batch, Command.EXPIRE, overdue=True)
            except UnreadableData as error:
                left_out(error)  # it stays as it is, and the others end
                continue
            if answer and answer.done:
                log.info("batch expired", batch=batch)
        await self._store.dispatch.finalize()

    async def _forget_suppressions(self) -> None:
        """Remove entries of the do-not-fax list that have expired. They count no more already."""
        if not self.steady or self._clock() - self._suppressions_read_s < _SUPPRESSIONS_S:
            return
        if not await self._store.suppressions.forget():
            self._suppressions_read_s = self._clock()

    async def _retain(self) -> None:
        """Delete what the policy keeps no longer, and remove what was deleted. After what is due was leased."""
        await self._retention.remove()
        if self.steady:
            await self._retention.apply(await self._store.clock.now_ms())

    async def _watch_deadlines(self) -> None:
        if self.steady:
            rate = (await self._current_rate_state()).ceiling
            await self._deadline_watch.look(await self._store.clock.now_ms(), rate)

    async def _end_drafts(self) -> None:
        """Let drafts expire that have not changed for the life of a draft. Not soon after a step of the clock."""
        if not self.steady or self._clock() - self._drafts_read_s < _DRAFTS_S:
            return
        life_ms = round(self._policy.draft_life_s * 1000)
        batches = await self._store.batches.drafts_unchanged_since(await self._store.clock.now_ms() - life_ms)
        ended = 0
        for batch in batches:
            try:
                expired = await self._store.batches.end_draft(batch, Control.EXPIRED, unchanged_ms=life_ms)
            except UnreadableData as error:
                left_out(error)
                continue
            if expired:
                ended += 1
                log.info("draft expired: nobody started it", batch=batch)
        if not ended:
            self._drafts_read_s = self._clock()
