"""A system with the default policy and a clock that jumps over times without work."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dispatcher.core.job import State
from dispatcher.core.limits.holds import ACCOUNT, PROVIDER
from dispatcher.core.limits.rate import blocked_until_us
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.service.account import view_account
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from tests.service.fake_provider import Call, FaultyProvider
from tests.service.system import InProcessSystem, store_in
from tests.store.fixture import KEYS, StoreFixture, open_store

MAX_IN_FLIGHT = 512
#: milliseconds: between two looks of the scheduler, of one call, and of a clock that nothing is due by
STEP_MS, CALL_MS, FAR_MS = 500, 2_000, 3_600_000


class Line(FaultyProvider):
    """A provider whose calls take two seconds and end as the test says."""

    def __init__(self, db: StoreFixture) -> None:
        super().__init__(db)
        #: how a call ends that fails; None delivers it
        self.failure: Callable[[Call], tuple[str, int] | None] = lambda call: None
        #: what it costs once it has ended
        self.price: Callable[[Call], int] = lambda call: 0

    def end_calls(self, share: float) -> list[FaxUpdate]:
        over = [c for c in self.calls if c.status is FaxStatus.UNFINISHED and c.created_ms + CALL_MS <= self._world.ms]
        for call in over:
            error = self.failure(call)
            call.status = FaxStatus.FAILURE if error else FaxStatus.COMPLETED
            call.error, call.ended_ms = error or call.error, self._world.ms
            call.price = self.price(call)
        return [call.fax_update for call in over]


class DefaultPolicySystem(InProcessSystem[Line]):
    """A system with the default policy, whose clock jumps over times without work."""

    def __init__(self, db: StoreFixture, url: str, line: Line | None = None) -> None:
        self.line = line or Line(db)
        super().__init__(store_in(db, url), db, self.line, "system", db.policy, MAX_IN_FLIGHT)

    async def run(self, seconds: float) -> None:
        """Work for so long; while there is nothing to do the clock jumps to the next time at which something is due."""
        end_ms = self.db.ms + round(seconds * 1000)
        while self.db.ms < end_ms:
            before = self.line.sends
            await self._call_back(self.line.end_calls(1.0))
            await self.begin_due()
            await self.finish()
            next_ms = self.db.ms + STEP_MS
            if self.line.sends == before:
                next_ms = max(next_ms, await self._next_due_ms())
            await self.db.set_clock(min(end_ms, next_ms) * 1000)
        assert self.failures == []

    async def _call_back(self, fax_update: list[FaxUpdate]) -> None:
        events = [
            encode(update.job, update.attempt, CallbackEvent(event=FAX_COMPLETED, update=update))
            for update in fax_update
        ]
        if events:
            await self.store.inbox.add(events)

    async def _next_due_ms(self) -> int:
        now_ms, client = self.db.ms, self.db.client
        holds = await self.store.holds.all()
        paused_until_ms = blocked_until_us(await self.store.rate_limiter.state(), now_ms * 1000) // 1000
        stopped = any(hold.scope in (ACCOUNT, PROVIDER) and hold.probe_at_ms > now_ms for hold in holds)
        if not stopped and paused_until_ms <= now_ms and await client.zcount(KEYS.timers, "-inf", now_ms):
            return now_ms
        times = [call.created_ms + CALL_MS for call in self.line.calls if call.status is FaxStatus.UNFINISHED]
        times += [hold.probe_at_ms for hold in holds] + [paused_until_ms]
        for key in (KEYS.timers, KEYS.deadlines, *KEYS.watch.values()):
            times += [
                int(due_ms)
                for _, due_ms in await client.zrangebyscore(key, f"({now_ms}", "+inf", 0, 1, withscores=True)
            ]
        return min((due_ms for due_ms in times if due_ms > now_ms), default=now_ms + FAR_MS)

    async def states(self, batch: str = "a") -> dict[State, int]:
        states = [record.state for record in await self.records(batch)]
        return {state: states.count(state) for state in {*states}}

    async def holds(self) -> list[str]:
        return [line.hold.scope for line in (await view_account(self.store)).holds.lines]


@asynccontextmanager
async def open_default_policy_system(redis_url: str) -> AsyncIterator[DefaultPolicySystem]:
    """Open a system on a real server, with a rate of 20 faxes per second."""
    async with open_store(redis_url) as db:
        await db.limiter.set_ceiling(20.0)
        system = DefaultPolicySystem(db, redis_url)
        yield system
        await system.store.aclose()
