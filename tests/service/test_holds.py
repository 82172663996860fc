"""Holds in a running mailing: what is stopped loses nothing, spends nothing, and goes on when the cause is mended."""

import pytest

from dispatcher.core.job import State
from dispatcher.core.outcome import Refused, Unclear
from dispatcher.service.account import release_hold, view_account
from dispatcher.service.views import view_batch
from dispatcher.sinch.wire import AttemptLabels
from tests.service.system import FaultySystem

pytestmark = pytest.mark.anyio

ROWS = 40


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "by a probe"])
@pytest.mark.parametrize(("status", "category"), [(402, "funds"), (401, "auth")])
async def test_a_refused_account_in_mid_batch_loses_nothing_and_goes_on_after_the_release(
    system: FaultySystem, status: int, category: str, by_hand: bool
) -> None:
    """The hold names its cause and when it is probed, and no job has spent anything."""
    await system.db.running("a", ROWS)
    provider = system.provider
    provider.refusal = lambda fax: Refused(status=status) if provider.sends > 10 else None
    await system.work(20)
    sends = provider.sends
    await system.work(20)
    assert provider.sends == sends < ROWS
    (line,) = (await view_account(system.store)).holds.lines
    hold = line.hold
    assert (hold.scope, hold.category, hold.probe_at_ms > 0) == ("account", category, True)
    assert hold.cause
    batch = await view_batch(system.store, "a")
    assert (batch.state, [hold.scope for hold in batch.holds]) == ("held", ["account"])
    waiting = [record for record in await system.records() if record.state is State.WAITING]
    assert {(record.counters.dials, record.counters.tries, record.counters.server_errors) for record in waiting} == {
        (0, 0, 0)
    }
    provider.refusal = lambda fax: None
    if by_hand:
        await release_hold(system.store, "account")
    await system.assert_all_delivered_once()
    assert (await view_account(system.store)).holds.lines == ()


@pytest.mark.parametrize("taken", [False, True], ids=["not taken", "taken all the same"])
async def test_a_provider_that_fails_is_left_alone_until_a_probe_comes_through(
    system: FaultySystem, taken: bool
) -> None:
    """One job at a time is sent meanwhile, and what was unclear is looked up and never sent twice."""
    await system.db.running("a", ROWS)
    provider = system.provider
    provider.refusal, provider.takes_unclear = lambda fax: Unclear(reason="down", status=503), taken
    while not await system.store.holds.all():
        await system.work(1, 1_000)
    opened = provider.sends
    assert opened < ROWS
    for _ in range(8):
        before = provider.sends
        await system.work(1, 6_000)
        assert provider.sends - before <= 1
    assert opened < provider.sends
    (hold,) = await system.store.holds.all()
    assert (hold.category, hold.probes) == ("provider_unavailable", provider.sends - opened)
    provider.refusal = lambda fax: None
    await system.assert_all_delivered_once()
    assert await system.store.holds.all() == []


async def test_refusals_never_open_the_breaker(system: FaultySystem) -> None:
    """However many numbers and documents the provider refuses, it works."""
    await system.db.running("a", ROWS)
    system.provider.refusal = lambda fax: Refused(status=422, fields=("to",))
    await system.work(20)
    assert [hold.scope for hold in await system.store.holds.all()] == ["batch:a"], "twenty in a row are no accident"
    assert {record.state for record in await system.records() if record.attempt} == {State.FAILED}


@pytest.mark.parametrize(
    ("refusal", "category"),
    [(Refused(status=400), "invalid_request"), (Refused(status=422, fields=("from",)), "config")],
    ids=["a run of 400s", "a bad sender"],
)
async def test_a_batch_that_is_refused_as_a_whole_is_held_and_others_go_on(
    system: FaultySystem, refusal: Refused, category: str
) -> None:
    """It waits for a person: no probe is made."""
    await system.db.running("a", ROWS)
    await system.db.running("b", ROWS, first=ROWS)
    system.provider.refusal = lambda order: refusal if AttemptLabels.read(order.labels).job.startswith("a.") else None
    await system.work(60, 2_000)
    (hold,) = await system.store.holds.all()
    assert (hold.scope, hold.category, hold.probe_at_ms) == ("batch:a", category, 0)
    states = [record.state for record in await system.records("a")]
    assert states.count(State.WAITING) > ROWS // 2
    assert {record.state for record in await system.records("b")} == {State.DELIVERED}
    if category == "config":
        system.provider.refusal = lambda fax: None
        await release_hold(system.store, "batch:a")
        await system.work(60, 5_000)
        assert {record.state for record in await system.records("a")} == {State.DELIVERED}
