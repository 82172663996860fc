"""The scheduler's part: what is due is leased or looked at, ended batches are wound up, the clock is watched."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from dispatcher.core.batch import Command, Priority
from dispatcher.core.failpoints import Failpoint, FailpointHook
from dispatcher.core.job import JobId
from dispatcher.core.limits.rate import RateState, next_us
from dispatcher.core.limits.shares import BULK_FLOOR
from dispatcher.core.policy import Policy
from dispatcher.core.recovery.clock_step import ClockReading, read_clock
from dispatcher.store.store import Store

#: seconds of the account's rate in one lease, and the most jobs that a lease may have
LEASE_S, LEASE_MOST = 0.1, 32
#: seconds of the account's rate that may be leased ahead of the workers
AHEAD_S = 0.5
#: jobs that may be leased although so many are being sent that they have to wait: no room stands empty for want of work
WAITING_AHEAD = 64
#: jobs of urgent work that may be leased beyond that
URGENT_AHEAD = 32
#: entries of each kind that one look at the watch sets handles
_REAP_MOST = 500
_PACE_AGE_S = 1.0
#: between two notes of what was seen of the server's clock; less than a step that counts
_TELL_S = 1.0
#: seconds within which the server has to tell its time for the answer to be compared with another clock
_PROMPT_S = 1.0
#: seconds that a job is looked at again later at most, while no read can be paid for: an operator may change that
_MOST_PUT_OFF_S = 300.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTasks:
    """What the workers are to be told."""

    #: leases by the priority of their jobs
    leases: tuple[tuple[Priority, str], ...]
    reconcile: tuple[JobId, ...]
    events: int

    def __bool__(self) -> bool:
        return bool(self.leases or self.reconcile or self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSize:
    """Jobs that one lease may have, and that may be leased ahead of the workers."""

    lease: int
    ahead: int


class Scheduler:
    """One scheduler. Any number of them may run: all they agree on is in Redis."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        clock: Callable[[], float],
        *,
        max_in_flight: int,
        failpoint: FailpointHook | None = None,
    ) -> None:
        """``clock`` gives seconds, never steps, and counts the time that the machine was suspended.

        ``max_in_flight`` faxes may be sent at a time by all processes.
        """
        self._store = store
        self._policy = policy
        self._max_in_flight = max_in_flight
        self._clock = clock
        self._at = failpoint
        self._seen: ClockReading | None = None
        self._told_s = -math.inf
        #: leases to announce and jobs to look at that nobody was told of yet
        self._leases: list[tuple[Priority, str]] = []
        self._look_at: list[JobId] = []
        self._rate_state = RateState(ceiling=0.0, rate=0.0)
        #: leases that bulk work is owed for the urgent ones that went before it
        self._owed = 0.0
        self._pace_read_s = -math.inf

    @property
    def steady(self) -> bool:
        """False while a step of the server's clock is waited out, in which nothing is looked for."""
        return self._seen is None or self._seen.steady

    async def tick(self) -> DueTasks:
        """Everything that is due now, leased or put off so that no one else is told of it soon.

        Has to be asked once a second at least while anything is leased. Raises StoreError; what was leased before it
        is told with the next answer.
        """
        await self._end_batches()
        workers = await self._sweep()
        if workers:
            await self._claim()
        # nobody would read what is said while no worker lives
        events = await self._store.inbox.ready(await self._store.clock.now_ms()) if workers else 0
        work = DueTasks(leases=tuple(self._leases), reconcile=tuple(self._look_at), events=events)
        self._leases, self._look_at = [], []
        return work

    async def lease_urgent(self) -> DueTasks:
        """The urgent work that is due now, leased: it need not wait for the rest of a look. Raises StoreError."""
        await self._claim_urgent(await self._room())
        leases, self._leases = tuple(self._leases), []
        return DueTasks(leases=leases, reconcile=(), events=0)

    async def _claim(self) -> None:
        room = await self._room()
        await self._claim_urgent(room)
        while await self._claim_one(Priority.BULK, room, 0):
            pass

    async def _claim_urgent(self, room: LeaseSize) -> None:
        while await self._claim_one(Priority.URGENT, room, URGENT_AHEAD):
            self._owed += BULK_FLOOR
            if self._owed >= 1 and await self._claim_one(Priority.BULK, room, URGENT_AHEAD + room.lease):
                self._owed -= 1
        self._owed = min(self._owed, 1.0)

    async def _claim_one(self, priority: Priority, room: LeaseSize, beyond: int) -> bool:
        """Lease once, ``beyond`` jobs further ahead than ordinary work. False when nothing is due."""
        in_flight = self._max_in_flight + WAITING_AHEAD + beyond
        ahead = room.ahead + beyond
        lease = await self._store.dispatch.claim(
            priority, max_jobs=room.lease, max_ahead=ahead, max_in_flight=in_flight
        )
        if lease:
            self._leases.append((priority, lease.id))
            if self._at:
                await self._at(Failpoint.CLAIMED)
        return lease is not None

    async def _room(self) -> LeaseSize:
        rate = (await self._current_rate_state()).rate
        return LeaseSize(lease=max(1, min(LEASE_MOST, round(rate * LEASE_S))), ahead=max(2, math.ceil(rate * AHEAD_S)))

    async def _current_rate_state(self) -> RateState:
        if self._clock() - self._pace_read_s > _PACE_AGE_S:
            self._rate_state = await self._store.rate_limiter.state()
            self._pace_read_s = self._clock()
        return self._rate_state

    async def _again_s(self, server_ms: int) -> float:
        """When a job that is looked at now comes due again: later, while there is no permit for the read."""
        permit_s = next_us(await self._current_rate_state(), server_ms * 1000) / 1_000_000 - server_ms / 1000
        return max(self._policy.read_total_s + 10, min(permit_s, _MOST_PUT_OFF_S))

    async def _sweep(self) -> int:
        """Find what is due among leases and sends in flight. Returns how many worker processes live.

        Leases come back whatever the clock does: begin checks them, and no time of theirs decides about a send.
        """
        server_ms, steady = await self._look_at_clock()
        again_s = await self._again_s(server_ms)
        reaped = await self._store.dispatch.reclaim(max_jobs=_REAP_MOST, again_s=again_s, look=steady)
        self._leases += reaped.announce
        self._look_at += reaped.look_at
        if reaped.held:
            log.error("jobs are held: their workers ended again and again", jobs=reaped.held)
        if reaped.given_back:
            log.warning("leases that nobody will begin were taken back", jobs=reaped.given_back)
        return reaped.workers

    async def _look_at_clock(self) -> tuple[int, bool]:
        """The server's time (ms), and whether deadlines may be believed."""
        asked_s = self._clock()
        server_ms = await self._store.clock.ask()
        if self._clock() - asked_s > _PROMPT_S:
            # which moment the answer tells of is not known: it is neither a step nor none
            return server_ms, False
        return server_ms, await self._steady(server_ms)

    async def _steady(self, server_ms: int) -> bool:
        """Whether there was no step lately. What was seen is stored for schedulers that start later."""
        policy, last = self._policy, self._seen or await self._store.clock_readings.last()
        # a send that is under way at the step may take its whole time before it begins to settle
        wait_s = policy.send_window_s + policy.post_total_s + policy.settling_s
        seen = read_clock(last, server_ms, self._clock(), wait_s=wait_s)
        stepped = last is None or seen.suspended_until_s != last.suspended_until_s
        if stepped and not seen.steady:
            log.warning("the clock of Redis stepped: nothing is written off for a settling time")
        if stepped:
            await self._store.inbox.restart_idle_times()
        if stepped or seen.own_s - self._told_s > _TELL_S:
            await self._store.clock_readings.remember(seen)
            self._told_s = seen.own_s
        self._seen = seen
        return seen.steady

    async def _end_batches(self) -> None:
        for batch in await self._store.dispatch.overdue_batches(await self._store.clock.now_ms()):
            answer = await self._store.batches.command(batch, Command.EXPIRE)
            if answer and answer.done:
                log.info("batch expired", batch=batch)
        await self._store.dispatch.finalize()
