"""A mailroom with a provider of changing mood, and what to expect of it in the end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

from dispatcher.core.failpoints import FailpointHook
from dispatcher.core.job import Record, State
from dispatcher.core.outcome import Accepted, FaxStatus, FaxUpdate, NotSent, SendOutcome, Unclear
from dispatcher.core.policy import Policy
from dispatcher.local.ledger import OurJob, compare
from dispatcher.sinch.outgoing import OutgoingFax
from dispatcher.store.store import Store
from tests.service.fake_provider import POLICY, FakeProvider, Mailroom, store_in, tell
from tests.store.fixture import StoreFixture, number, open_world

RATE = 10_000.0


class FaultyProvider(FakeProvider):
    """Takes every fax, or answers something else: before it takes it, or after."""

    def __init__(self, world: StoreFixture) -> None:
        super().__init__(Random(1), world)
        self.refusal: Callable[[OutgoingFax], SendOutcome | None] = lambda fax: None
        #: what happens between taking a fax and saying so
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        self.takes_unclear = False
        self.sends = 0

    def end_calls(self, share: float) -> list[FaxUpdate]:
        ended = [call for call in self.calls if call.status is FaxStatus.UNFINISHED]
        for call in ended:
            call.status, call.ended_ms = FaxStatus.COMPLETED, self._world.ms
        return [call.news for call in ended]

    async def send(
        self, fax: OutgoingFax, *, total_s: float, may_send: object = None, failpoint: FailpointHook | None = None
    ) -> SendOutcome:
        if callable(may_send) and not may_send():
            return NotSent(reason="too late")
        self.sends += 1
        refusal = self.refusal(fax)
        taken = refusal is None or (self.takes_unclear and isinstance(refusal, Unclear))
        call = self._take(fax) if taken else None
        if refusal is not None:
            return refusal
        assert call is not None
        news = call.news
        if self.before_answer:
            await self.before_answer()
        return Accepted(update=news)


class InProcessSystem:
    def __init__(self, world: StoreFixture, store: Store, policy: Policy) -> None:
        self.world = world
        self.store = store
        self.provider = FaultyProvider(world)
        self.room = Mailroom(store, world, self.provider, "room", policy)

    async def work(self, rounds: int, step_ms: int = 500) -> None:
        for _ in range(rounds):
            await tell(self.store, self.provider.end_calls(1.0), Random(1))
            await self.room.work()
            await self.room.rest()
            await self.world.pass_ms(step_ms)
        assert self.room.failures == []

    async def records(self, batch: str = "a") -> list[Record]:
        return await self.store.batches.records(batch, 0)

    async def assert_all_delivered_once(self) -> None:
        await self.work(200, 5_000)
        records = await self.records()
        jobs = [OurJob(id=f"a.{row}", number=number(row), state=one.state.label) for row, one in enumerate(records)]
        found = compare(jobs, self.provider.ledger())
        assert (found.lost, found.doubled, found.wrong_state, found.strays) == ((), (), (), ())
        assert {one.state for one in records} == {State.DELIVERED}


@asynccontextmanager
async def open_office(redis_url: str, policy: Policy = POLICY) -> AsyncIterator[InProcessSystem]:
    async with open_world(redis_url) as world:
        await world.limiter.set_ceiling(RATE)
        store = store_in(world, redis_url)
        yield InProcessSystem(world, store, policy)
        await store.aclose()
