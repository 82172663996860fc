"""Tests of the log of holds."""

import pytest
import structlog

from dispatcher.service.hold_log import HoldLog
from tests.service.system import store_in
from tests.store.fixture import StoreFixture


@pytest.mark.anyio
async def test_each_hold_is_logged_when_it_is_in_force_and_when_it_has_ended(db: StoreFixture, redis_url: str) -> None:
    store = store_in(db, redis_url)
    await db.running("a", 1)
    holds = HoldLog(store)
    with structlog.testing.capture_logs() as lines:
        await holds.look(0.0)
        await store.holds.open("account", "auth", "The key is wrong.")
        await store.holds.open("job:a.0", "busy", "Somebody has to look.")
        await holds.look(1.0)
        assert lines == []
        await holds.look(5.0)
        await holds.look(10.0)
        await store.holds.release("account")
        await store.holds.release("job:a.0")
        await holds.look(15.0)
    await store.aclose()
    assert [(line["event"], line.get("scope", line.get("batch")), line["category"]) for line in lines] == [
        ("a hold is in force", "account", "auth"),
        ("jobs of a batch are held", "a", "busy"),
        ("a hold has ended", "account", "auth"),
        ("no job of a batch is held", "a", "busy"),
    ]
