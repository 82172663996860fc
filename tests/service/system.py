"""A scheduler and a worker in this process, with a provider and a clock that the test sets.

Store, scripts and services are the real ones, wired as in production. A thousand commands among killed workers take
seconds this way; with processes and calls of real length they take hours.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Generic, TypeVar, cast

from dispatcher.core.job import Record, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.local.ledger import OurJob, compare
from dispatcher.runtime import AccountSecrets, Clocks, Runtime, assemble
from dispatcher.service.inbox_consumer import encode
from dispatcher.settings import Settings, SinchSettings
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.client import FaxClient
from dispatcher.store.deletions import Deletions
from dispatcher.store.documents import Documents
from dispatcher.store.errors import StoreError
from dispatcher.store.inbox import Inbox
from dispatcher.store.rollback import Rollbacks
from dispatcher.store.server_clock import ServerClock, SuspensionMeter
from dispatcher.store.store import Store
from tests.service.fake_provider import FakeProvider, FaultyProvider
from tests.store.fixture import StoreFixture, number, open_store

RATE = 10_000.0
#: seconds for what a killed worker leaves behind; and restarts and busy lines are many here: none of them may end a job
POLICY = Policy(
    post_total_s=4,
    lease_s=5,
    lookups_s=(1, 2, 4, 8),
    callback_overdue_s=10,
    readback_s=(5,),
    number_distance_s=0,
    probe_provider_s=(1,),
    delay_scale=0.01,
    max_strikes=1000,
    max_dials=1000,
    max_tries=1000,
    max_server_errors=1000,
)
#: attempts under way at once; few, so that commands meet batches that have hardly begun
MAX_IN_FLIGHT = 5

Provider = TypeVar("Provider", bound=FakeProvider)


class InProcessSystem(Generic[Provider]):
    """One scheduler and one worker, until they are killed.

    Args:
        store: The store, whose clocks are those of ``db``.
        db: The clock and the scripts.
        provider: The provider.
        name: The name of the worker.
        policy: The policy.
        max_in_flight: Attempts in flight, and the most calls of the worker at a time.
    """

    def __init__(
        self,
        store: Store,
        db: StoreFixture,
        provider: Provider,
        name: str = "system",
        policy: Policy = POLICY,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self.store = store
        self.db = db
        self.provider = provider
        self.failures: list[BaseException] = []
        #: time in which the whole machine stood still, and that its steady clock did not count
        self.uncounted_s = 0.0
        self._before = asyncio.all_tasks()
        self._tasks: set[asyncio.Future[None]] = set()
        self.runtime = self._assembled(name, policy, max_in_flight)
        # the scheduler's scripts are heartbeats of the worker too: the two die together
        store.workers.speak_as(name, "1", lambda: self.runtime.sender.room)

    def _assembled(self, name: str, policy: Policy, max_in_flight: int) -> Runtime:
        # constructed without validation, because that would read the environment
        sinch = SinchSettings.model_construct(max_in_flight=max_in_flight, connections=max_in_flight)
        return assemble(
            settings=Settings.model_construct(sinch=sinch),
            policy=policy,
            store=self.store,
            sinch=cast(FaxClient, self.provider),  # it has the methods that the services call
            secrets=AccountSecrets(callback_keys=[b"callbacks"], number_key=b"key"),
            worker_name=name,
            polling=False,  # the tests call back, although the settings name no address for it
            clocks=Clocks(
                steady=self._steady_s,
                suspended=SuspensionMeter(self._steady_s, self._wall_s),
                sleep=lambda seconds: asyncio.sleep(0),
            ),
            inbox_idle_s=0,
        )

    def _wall_s(self) -> float:
        return self.db.true_us / 1_000_000

    def _steady_s(self) -> float:
        return self._wall_s() - self.uncounted_s

    async def begin_due(self) -> None:
        """Begin everything that is due now."""
        with suppress(StoreError):
            due = await self.runtime.scheduler.tick()
            for _, lease in due.leases:
                self._begin(self.runtime.sender.submit(lease))
            if due.reconcile:
                self._begin(self.runtime.reconciler.reconcile(due.reconcile))
            if due.events:
                self._begin(self._settle_events())

    async def finish(self) -> None:
        """Wait until everything that was begun is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self.runtime.sender.finish()
        await self.runtime.reconciler.finish()

    async def kill(self) -> None:
        """Cancel every task at once, wherever it is."""
        own = asyncio.all_tasks() - self._before
        for task in own:
            task.cancel()
        await asyncio.gather(*own, return_exceptions=True)

    async def work(self, rounds: int, step_ms: int = 500) -> None:
        """In each round, end all calls, call back, do everything that is due, and let time pass."""
        for _ in range(rounds):
            await call_back(self.store, self.provider.end_calls(1.0), Random(1))
            await self.begin_due()
            await self.finish()
            await self.db.pass_ms(step_ms)
        assert self.failures == []

    async def records(self, batch: str = "a") -> list[Record]:
        """Return the records of a batch of one block."""
        return await self.store.batches.records(batch, 0)

    async def assert_all_delivered_once(self) -> None:
        """Work until nothing is left to do, and compare the records with the provider's ledger."""
        await self.work(200, 5_000)
        records = await self.records()
        jobs = [OurJob(id=f"a.{row}", number=number(row), state=job.state.label) for row, job in enumerate(records)]
        comparison = compare(jobs, self.provider.ledger())
        assert comparison.lost == ()
        assert comparison.doubled == ()
        assert comparison.wrong_state == ()
        assert comparison.strays == ()
        assert {record.state for record in records} == {State.DELIVERED}

    async def _settle_events(self) -> None:
        await self.runtime.inbox_consumer.settle_events()

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        # a store that is away costs a message, as it does in dramatiq
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, StoreError):
            self.failures.append(error)


#: a system whose provider does what the test says
FaultySystem = InProcessSystem[FaultyProvider]


@asynccontextmanager
async def open_system(redis_url: str, policy: Policy = POLICY) -> AsyncIterator[FaultySystem]:
    """Open an empty system on the server at an address."""
    async with open_store(redis_url) as db:
        await db.limiter.set_ceiling(RATE)
        store = store_in(db, redis_url)
        yield InProcessSystem(store, db, FaultyProvider(db), "system", policy)
        await store.aclose()


class _SimulatedTime:
    """The only method that the server clock calls."""

    def __init__(self, db: StoreFixture) -> None:
        self._world = db

    async def time(self) -> tuple[int, int]:
        return divmod(self._world.us, 1_000_000)


def store_in(db: StoreFixture, url: str) -> Store:
    """Return a store whose clocks are all those of ``db``."""
    store = Store(url, POLICY, documents_max_bytes=1)
    store.batches, store.dispatch, store.holds, store.rate_limiter = (
        db.batches,
        db.dispatch,
        db.holds,
        db.limiter,
    )
    store.changes = db.changes
    store.epoch, store.rollbacks = db.scripts.epoch, Rollbacks(db.client, db.scripts)
    store.inbox = Inbox(db.client, db.scripts)
    store.deletions, store.documents = Deletions(db.client, db.scripts), Documents(db.client, db.scripts, 1_000_000)
    store.workers = db.workers
    store.clock = ServerClock(_SimulatedTime(db), lambda: db.true_us / 1_000_000)
    return store


async def call_back(store: Store, updates: Sequence[FaxUpdate], dice: Random) -> None:
    """Add callbacks to the inbox in random order, some of them twice and some never."""
    sent = [update for update in updates for _ in range(dice.choices((0, 1, 2), (2, 7, 1))[0])]
    dice.shuffle(sent)
    for update in sent:
        event = encode(update.job, update.attempt, CallbackEvent(event=FAX_COMPLETED, update=update))
        with suppress(StoreError):
            await store.inbox.add([event])
