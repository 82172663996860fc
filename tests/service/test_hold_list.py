"""The list of holds: the widest first, jobs of a batch and category together, page by page."""

import pytest

from dispatcher.service.errors import Missing
from dispatcher.service.holds import list_holds
from dispatcher.service.views import BatchView, newest_batches, view_batch
from dispatcher.store.store import Store
from tests.service.samples import running

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
