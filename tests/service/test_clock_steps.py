"""Somebody sets the clock of the Redis server while a fax is on its way."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.store.store import Store
from tests.service.fake_provider import LIST_DELAY_MS, FakeProvider
from tests.service.system import POLICY, InProcessSystem, store_in
from tests.store.fixture import StoreFixture, number, open_store

pytestmark = pytest.mark.anyio


class Unanswered(Random):
    """The provider takes every fax and answers none; nothing else is left to chance."""

    def choices(self, population: Any, *_: Any, **__: Any) -> list[Any]:
        return ["unanswered"] if "unanswered" in population else [population[0]]


@pytest.fixture
async def parts(redis_url: str) -> AsyncIterator[tuple[StoreFixture, Store]]:
    async with open_store(redis_url) as db:
        store = store_in(db, redis_url)
        yield db, store
        await store.aclose()


@pytest.mark.parametrize("restarted", [False, True], ids=["", "and the scheduler is restarted in it"])
@pytest.mark.parametrize("step_s", [300, -300])
async def test_an_unclear_fax_is_found_and_not_sent_again(
    parts: tuple[StoreFixture, Store], step_s: int, restarted: bool
) -> None:
    """Its list shows it late: look-ups that follow each other at once would find nothing and write it off."""
    db, store = parts
    provider = FakeProvider(Unanswered(), db)
    system = InProcessSystem(store, db, provider, "system")
    await db.draft("a", [number(0)])
    await store.batches.command("a", Command.START)
    await system.begin_due()
    await system.finish()
    assert len(provider.calls) == 1
    await db.step_s(step_s)
    if restarted:
        system = InProcessSystem(store, db, provider, "another-system")
    for _ in range(LIST_DELAY_MS // 100):
        await system.begin_due()
        await system.finish()
        await db.pass_ms(100)
    while (await store.batches.records("a", 0))[0].state is State.SENDING:
        await db.pass_ms(1_000)
        await system.begin_due()
        await system.finish()
    assert [call.attempt for call in provider.calls] == [1], "it was sent once"
    assert (await store.batches.records("a", 0))[0].state is State.ACCEPTED
    assert POLICY.search_period_s * 1000 > LIST_DELAY_MS
