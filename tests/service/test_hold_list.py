"""The list of holds: the widest first, jobs of a batch and category together, page by page."""

import pytest

from dispatcher.service.account import view_account
from dispatcher.service.errors import Missing
from dispatcher.service.forecast import look_ahead
from dispatcher.service.holds import list_holds
from dispatcher.service.limits import what_limits
from dispatcher.service.snapshot import snapshot
from dispatcher.service.views import BatchView, newest_batches, view_batch
from dispatcher.store.store import Store
from tests.service.samples import definition, running
from tests.store.fixture import KEYS

pytestmark = pytest.mark.anyio


async def held(store: Store) -> tuple[str, str]:
    """Hold jobs of two batches, and wider scopes after them."""
    first, second = await running(store, 10), await running(store, 10)
    for row in range(7):
        await store.holds.open(f"job:{first}.{row}", "submit_unknown", "the provider does not know the fax")
    await store.holds.open(f"job:{first}.8", "internal", "five workers ended")
    await store.holds.open(f"job:{second}.3", "submit_unknown", "the provider does not know the fax")
    for scope in ("country:AQ", f"batch:{second}", "document:ab", "provider", "account"):
        await store.holds.open(scope, "config", "a wrong setting", probes_s=(60.0,))
    return first, second


async def test_the_widest_scope_comes_first_and_jobs_are_folded(store: Store) -> None:
    first, second = await held(store)
    page = await list_holds(store)
    scopes = [line.hold.scope for line in page.lines if not line.batch]
    assert scopes == ["account", "provider", "document:ab", f"batch:{second}", "country:AQ"]
    folded = [(line.batch, line.hold.category, line.jobs) for line in page.lines[5:]]
    expected = [(first, "submit_unknown", 7), (first, "internal", 1), (second, "submit_unknown", 1)]
    assert sorted(folded) == sorted(expected)
    since = [line.hold.since_ms for line in page.lines[5:]]
    assert since == sorted(since)
    assert all(line.hold.scope.startswith(f"job:{line.batch}.") for line in page.lines[5:])
    assert (page.total, page.cursor) == (8, "")


async def test_jobs_held_one_by_one_are_counted_and_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = await held(store)
    monkeypatch.setattr(store.holds, "all", None)
    lines = (await list_holds(store)).lines
    assert sum(line.jobs for line in lines) == 9
    (line,) = [line for line in lines if line.batch == first and line.jobs == 7]
    assert line.hold.scope == f"job:{first}.0"
    await store.holds.release(line.hold.scope)
    (line,) = [line for line in (await list_holds(store)).lines if line.batch == first and line.jobs == 6]
    assert line.hold.scope in {f"job:{first}.{row}" for row in range(1, 7)}
    await view_account(store)
    await what_limits(store, max_in_flight=10)
    await look_ahead(store, definition(), 5, max_in_flight=10)
    await snapshot(store, 10)


@pytest.mark.parametrize("damage", ["DEL", "SET", "HSET"])
@pytest.mark.parametrize("key", [KEYS.wide_holds, KEYS.holds_of_jobs, KEYS.first_holds])
async def test_holds_are_listed_whatever_became_of_their_indexes(store: Store, damage: str, key: str) -> None:
    """All of them are read then, until none is left and the indexes begin anew."""
    await held(store)
    before = [(line.hold.scope, line.jobs) for line in (await list_holds(store)).lines]
    values = {"DEL": (), "SET": ("x",), "HSET": ("other internal", "x")}[damage]
    await store._client.delete(key)
    await store._client.execute_command(damage, key, *values)
    assert [(line.hold.scope, line.jobs) for line in (await list_holds(store)).lines] == before
    for hold in await store.holds.all():
        await store.holds.release(hold.scope)
    assert not await store._client.exists(KEYS.wide_holds, KEYS.holds_of_jobs, KEYS.first_holds)
    await store.holds.open("country:AQ", "config", "why")
    assert [line.hold.scope for line in (await list_holds(store)).lines] == ["country:AQ"]


@pytest.mark.parametrize("fold", [True, False])
async def test_pages_have_every_line_once(store: Store, fold: bool) -> None:
    await held(store)
    whole = (await list_holds(store, fold=fold, limit=1000)).lines
    assert len(whole) == (8 if fold else 14)
    page = await list_holds(store, fold=fold, limit=3)
    seen = [*page.lines]
    while page.cursor:
        page = await list_holds(store, fold=fold, after=page.cursor, limit=3)
        seen += page.lines
    assert tuple(seen) == whole


async def test_holds_of_a_batch_are_those_that_stop_it_and_its_jobs(store: Store) -> None:
    first, _ = await held(store)
    lines = (await list_holds(store, batch=first, categories=frozenset({"submit_unknown", "config"}))).lines
    assert [line.hold.scope for line in lines] == ["account", "provider", f"job:{first}.0"]
    with pytest.raises(Missing):
        await list_holds(store, batch="nobatch")


async def test_a_batch_names_its_held_jobs_by_category(store: Store) -> None:
    first, second = await held(store)
    assert (await view_batch(store, first)).overview.held_jobs == {"submit_unknown": 7, "internal": 1}
    views = (await newest_batches(store, 10)).views
    listed = {view.id: view.overview.held_jobs for view in views if isinstance(view, BatchView)}
    assert listed[second] == {"submit_unknown": 1}
