"""Workers that end, vanish, stall and come back: the default policy, on a clock that the test sets."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from random import Random
from typing import Any

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import JobId, State
from dispatcher.core.policy.policy import Policy
from dispatcher.core.recovery.places import Place
from dispatcher.service import concurrency
from dispatcher.service.fax_builder import FaxInputs
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.wire import AttemptLabels
from dispatcher.store.dispatch import Dispatch
from dispatcher.store.errors import StoreUnavailable
from dispatcher.store.lua import Scripts
from dispatcher.store.store import Store
from dispatcher.store.workers import WorkerRegistry
from tests.service.fake_provider import FakeProvider
from tests.service.system import InProcessSystem, store_in
from tests.store.fixture import KEYS, StoreFixture, number, open_store, text_with_clock

pytestmark = pytest.mark.anyio

POLICY = Policy()
RATE = 1000.0
TICK_MS = 200


class Died(BaseException):
    """What a job does to the worker that reads its material."""


class Takes(FakeProvider):
    """Takes every fax."""

    def __init__(self, db: StoreFixture) -> None:
        super().__init__(Random(1), db)
        self.sent = list[str]()

    async def send(self, order: FaxOrder, **more: Any) -> Any:
        self.sent.append(AttemptLabels.read(order.labels).job)
        return await super().send(order, **more)


class Certain(Random):
    """Nothing is left to chance."""

    def choices(self, population: Any, *_: Any, **__: Any) -> list[Any]:
        return [population[0]]


def store_of_a_process(db: StoreFixture, url: str) -> Store:
    """With scripts of its own, which speak for nobody yet."""
    store = store_in(db, url)
    scripts = Scripts(db.client, KEYS, text_with_clock)
    store.dispatch = Dispatch(db.client, scripts, POLICY)
    store.workers = WorkerRegistry(db.client, scripts)
    return store


class Installation:
    """One scheduler, any number of workers, and the messages between them."""

    def __init__(self, db: StoreFixture, url: str) -> None:
        self.db = db
        self.url = url
        self.provider = Takes(db)
        self.provider._dice = Certain(1)
        self.messages = deque[str]()
        self.workers: dict[str, InProcessSystem[Takes]] = {}
        self.stores: dict[str, Store] = {}
        self.starts = 0
        self.killers = set[JobId]()
        scheduler = store_of_a_process(db, url)
        self._stores = [scheduler]
        self.scheduler = InProcessSystem(scheduler, db, self.provider, "unused", POLICY, 512)
        scheduler.workers._scripts.worker = str

    async def start_worker(self, name: str) -> None:
        store = store_of_a_process(self.db, self.url)
        system = InProcessSystem(store, self.db, self.provider, name, POLICY, 64)
        self.starts += 1
        await store.workers.register(name, f"i{self.starts}", room=system.runtime.sender.room)
        store.workers.speak_as(name, f"i{self.starts}", lambda: system.runtime.sender.room)
        library = system.runtime.sender._fax_builder
        library.inputs = self._deadly(library.inputs)  # type: ignore[method-assign]  # a job that kills
        self.workers[name], self.stores[name] = system, store
        self._stores.append(store)

    def _deadly(self, material: Callable[..., Any]) -> Callable[..., Any]:
        async def of(jobs: list[JobId], tags: Mapping[str, str]) -> list[FaxInputs]:
            if self.killers & set(jobs):
                await asyncio.sleep(0.005)  # the neighbours are on their way, too
                raise Died
            inputs: list[FaxInputs] = await material(jobs, tags)
            return inputs

        return of

    def kill(self, name: str) -> None:
        """Without a word to anybody."""
        del self.workers[name], self.stores[name]

    async def tick(self) -> None:
        """The scheduler looks, the workers do what they are told, and speak; then time passes."""
        self.messages += [lease for _, lease in (await self.scheduler.runtime.scheduler.tick()).leases]
        for name in list(self.workers):
            died = await self._work(name)
            if died:
                self.kill(name)
                await self.start_worker(name)
            else:
                await self.stores[name].workers.beat(name, self._instance(name), room=64)
        await self.db.pass_ms(TICK_MS)

    def _instance(self, name: str) -> str:
        return self.stores[name].workers._scripts.worker().split()[1]

    async def _work(self, name: str) -> bool:
        """Whether the worker died of it."""
        taken, self.messages = list(self.messages), deque()
        sends = [asyncio.create_task(self._submit(name, lease)) for lease in taken]
        if not sends:
            return False
        await asyncio.wait(sends, return_when=asyncio.FIRST_EXCEPTION)
        died = any(task.done() and task.exception() for task in sends)
        for task in sends:
            task.cancel()
        await asyncio.gather(*sends, return_exceptions=True)
        await self.workers[name].runtime.sender.finish()
        return died

    async def _submit(self, name: str, lease: str) -> None:
        try:
            await self.workers[name].runtime.sender.submit(lease)
        except Died as error:
            raise RuntimeError("the process died") from error

    async def run_s(self, seconds: float) -> None:
        for _ in range(round(seconds * 1000 / TICK_MS)):
            await self.tick()

    async def states(self, batch: str) -> set[State]:
        return {record.state for record in await self.db.batches.records(batch, 0)}

    async def strikes(self, batch: str) -> int:
        return max(record.strikes for record in await self.db.batches.records(batch, 0))

    async def held(self) -> list[str]:
        return [hold.scope for hold in await self.db.holds.all()]


@pytest.fixture
async def there(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    # the gate waits for slots by the loop's own clock, while the store's stands still
    monkeypatch.setattr(concurrency, "NEAR_S", 60.0)
    async with open_store(redis_url) as db:
        db.scripts.worker = str
        await db.client.delete(KEYS.workers)
        await db.limiter.set_ceiling(RATE)
        installation = Installation(db, redis_url)
        yield installation
        for store in installation._stores:
            await store.aclose()


@pytest.mark.parametrize("same_names", [True, False])
async def test_sending_goes_on_within_seconds_after_all_workers_are_killed(
    there: Installation, same_names: bool
) -> None:
    """They had fetched all the work that was ahead, and began none of it."""
    await there.db.running("a", 1000)
    for name in ("h/0", "h/1"):
        await there.start_worker(name)
    leases = (await there.scheduler.runtime.scheduler.tick()).leases
    for index, (_, lease) in enumerate(leases):
        assert await there.stores[f"h/{index % 2}"].dispatch.fetch(lease)
    for name in ("h/0", "h/1"):
        there.kill(name)
    await there.db.pass_ms(1_000)
    for name in ("h/0", "h/1") if same_names else ("h/2", "h/3"):
        await there.start_worker(name)
    await there.run_s(1.2)
    assert there.provider.sent, "what had not been leased goes on at once"
    await there.run_s(3.8)
    assert await there.states("a") == {State.ACCEPTED}
    assert len(there.provider.sent) == 1000
    assert await there.held() == []


async def test_faxes_wait_for_a_worker_without_a_lease_a_message_or_a_hold(there: Installation) -> None:
    for name in ("a", "b", "c"):
        await there.db.running(name, 1, first=ord(name))
    for _ in range(175):
        assert not await there.scheduler.runtime.scheduler.tick()
        await there.db.pass_ms(1_000)
    assert await there.held() == []
    assert await there.db.client.hlen(KEYS.leases) == 0
    await there.start_worker("h/0")
    await there.run_s(1)
    assert sorted(there.provider.sent) == ["a.0", "b.0", "c.0"]


async def test_the_job_that_kills_its_workers_is_held_and_its_neighbours_are_sent(there: Installation) -> None:
    await there.db.running("a", 60)
    await there.start_worker("h/0")
    there.killers.add(JobId("a", 7))
    await there.run_s(40)
    assert await there.held() == ["job:a.7"]
    records = await there.db.batches.records("a", 0)
    # those that were on their way when their worker ended are looked for
    begun = {State.ACCEPTED, State.SENDING}
    assert [row for row, record in enumerate(records) if record.state not in begun] == [7]
    assert there.starts == 1 + POLICY.max_strikes
    (hold,) = await there.db.holds.all()
    assert (hold.category, hold.cause) == ("internal", "its worker ended 5 times before it began")


async def test_nobody_is_dead_after_everybody_paused(there: Installation) -> None:
    """The first who speaks is the scheduler; the workers come a moment later."""
    await there.db.running("a", 20)
    for name in ("h/0", "h/1"):
        await there.start_worker(name)
    ((_, lease), *_) = (await there.scheduler.runtime.scheduler.tick()).leases
    assert await there.stores["h/0"].dispatch.fetch(lease)
    await there.db.pass_ms(60_000)
    await there.scheduler.runtime.scheduler.tick()
    await there.db.pass_ms(900)
    await there.scheduler.runtime.scheduler.tick()
    assert [worker.alive for worker in await there.db.workers.all()] == [True, True]
    await there.run_s(3)
    assert await there.strikes("a") == 0
    assert await there.states("a") == {State.ACCEPTED}


async def test_a_worker_that_falls_silent_alone_loses_its_leases_within_four_seconds(there: Installation) -> None:
    """What it had fetched counts against its jobs, what it had not does not. It may come back."""
    await there.db.running("a", 20)
    for name in ("h/0", "h/1"):
        await there.start_worker(name)
    ((_, lease), *_) = (await there.scheduler.runtime.scheduler.tick()).leases
    silent = there.stores["h/0"]
    fetched = await silent.dispatch.fetch(lease)
    assert fetched
    instance = there._instance("h/0")
    there.kill("h/0")
    await there.run_s(2.8)
    assert await there.states("a") == {State.LEASED}
    await there.run_s(1.2)
    assert await there.states("a") == {State.ACCEPTED}
    assert await silent.workers.beat("h/0", instance)
    assert await silent.dispatch.fetch(lease) is None


async def test_a_message_that_was_lost_is_sent_again_and_its_lease_comes_back_in_the_end(there: Installation) -> None:
    await there.db.running("a", 20)
    await there.start_worker("h/0")
    leases = (await there.scheduler.runtime.scheduler.tick()).leases
    assert leases
    ticks = list[Any]()
    for _ in range(50):
        await there.db.pass_ms(TICK_MS)
        await there.stores["h/0"].workers.beat("h/0", there._instance("h/0"), room=64)
        ticks.append((await there.scheduler.runtime.scheduler.tick()).leases)
    again = [tick for tick, announced in enumerate(ticks) if announced]
    assert [ticks[tick] for tick in again[:4]] == [leases] * 4
    assert [(tick + 1) * TICK_MS for tick in again] == [2_000, 4_000, 6_000, 8_000, 10_000]
    assert ticks[-1] != leases, "it was taken back, and the jobs were leased anew"
    assert await there.strikes("a") == 0


async def test_a_lease_that_a_living_worker_never_begins_goes_back_in_time_and_counts_against_nobody(
    there: Installation,
) -> None:
    await there.db.running("a", 20)
    await there.start_worker("h/0")
    worker = there.stores["h/0"]
    first = [lease for _, lease in (await there.scheduler.runtime.scheduler.tick()).leases]
    assert all([await worker.dispatch.fetch(lease) for lease in first])
    for _ in range(round(POLICY.lease_s)):
        assert all([await worker.dispatch.fetch(lease) for lease in first])
        await there.db.pass_ms(1_000)
        await there.scheduler.runtime.scheduler.tick()
    assert not any([await worker.dispatch.fetch(lease) for lease in first])
    assert await there.strikes("a") == 0


async def test_jobs_whose_worker_ended_are_leased_one_by_one(there: Installation) -> None:
    await there.db.running("a", 5)
    await there.start_worker("h/0")
    ((_, lease),) = (await there.scheduler.runtime.scheduler.tick()).leases
    assert await there.stores["h/0"].dispatch.fetch(lease)
    await there.start_worker("h/0")
    leases = [
        await there.stores["h/0"].dispatch.fetch(announced)
        for _, announced in (await there.scheduler.runtime.scheduler.tick()).leases
    ]
    assert [len(lease.jobs) for lease in leases if lease] == [1] * 5


async def test_a_worker_that_signs_off_leaves_its_leases_to_others_at_once(there: Installation) -> None:
    await there.db.running("a", 20)
    await there.start_worker("h/0")
    leases = (await there.scheduler.runtime.scheduler.tick()).leases
    for _, lease in leases:
        assert await there.stores["h/0"].dispatch.fetch(lease)
    leaving, instance = there.stores["h/0"].workers, there._instance("h/0")
    await there.start_worker("h/1")
    await leaving.sign_off("h/0", instance)
    assert (await there.scheduler.runtime.scheduler.tick()).leases == leases
    assert await there.strikes("a") == 0


async def test_leases_that_were_made_before_an_error_are_told_with_the_next_answer(
    there: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await there.db.running("a", 20)
    await there.start_worker("h/0")

    async def away(now_ms: int) -> int:
        raise StoreUnavailable("Redis does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(there.scheduler.store.inbox, "ready", away)
        with pytest.raises(StoreUnavailable):
            await there.scheduler.runtime.scheduler.tick()
    lease_ids = [name.decode() for name in await there.db.client.hkeys(KEYS.leases)]
    assert lease_ids
    assert [lease for _, lease in (await there.scheduler.runtime.scheduler.tick()).leases] == lease_ids


async def test_a_job_whose_document_is_lost_is_held_alone(there: Installation) -> None:
    """The cause says what is missing. The other jobs of its lease are sent."""
    await there.db.running("a", 3)
    await there.db.draft("b", [number(50)], documents=("d0c0",), content_urls=())
    await there.db.batches.command("b", Command.START)
    await there.start_worker("h/0")
    await there.run_s(1)
    assert await there.states("a") == {State.ACCEPTED}
    (hold,) = await there.db.holds.all()
    assert (hold.scope, hold.category) == ("job:b.0", "internal")
    assert hold.cause == "It cannot be sent: there is no document d0c0."
    assert await there.strikes("b") == 0


async def test_a_batch_whose_records_are_lost_stops_no_other(there: Installation) -> None:
    await there.db.running("a", 3)
    await there.db.running("b", 3, first=50)
    await there.start_worker("h/0")
    leases = (await there.scheduler.runtime.scheduler.tick()).leases
    await there.db.client.delete(KEYS.of_block("b", "records", 0), KEYS.of_block("b", "block", 0))
    there.messages += [lease for _, lease in leases]
    await there.run_s(1)
    assert await there.states("a") == {State.ACCEPTED}
    await there.db.pass_ms(31_000)
    await there.run_s(1)
    assert await there.db.client.zcard(KEYS.watch[Place.LEASED]) == 0
