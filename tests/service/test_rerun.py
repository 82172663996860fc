"""Final jobs copied into a new batch."""

from dataclasses import replace

import pytest

from dispatcher.core.job import State
from dispatcher.service.rerun import Selection, copy_selected
from dispatcher.store.store import Store
from tests.service.samples import draft, end_jobs, recipients, running

pytestmark = pytest.mark.anyio

FAILED = Selection(states=frozenset({State.FAILED}))
#: rows that failed, over four blocks of which the third has none
FAILURES = (*range(700), *range(1000, 1600), *range(3000, 3100))


async def ended_batch(store: Store) -> str:
    parent = await running(store, 3_200)
    await end_jobs(store, parent, dict.fromkeys(FAILURES, (State.FAILED, "busy")))
    return parent


async def copied_rows(store: Store, child: str) -> list[int]:
    overview = await store.batches.overview(child)
    assert overview is not None
    rows = [row for block in range(overview.blocks) for row in await store.batches.recipients(child, block)]
    return [int(row.reference.removeprefix("r")) for row in rows]


async def test_the_selected_recipients_are_copied_in_order_as_they_were(store: Store) -> None:
    parent, child = await ended_batch(store), await draft(store)
    overview = await store.batches.overview(parent)
    assert overview is not None
    assert FAILED.count(overview.tally) == len(FAILURES)
    await copy_selected(store, overview, child, FAILED)
    assert await copied_rows(store, child) == list(FAILURES)
    assert (await store.batches.recipients(child, 0))[0] == recipients(1)[0]


async def test_a_copy_that_broke_off_goes_on_without_gap_or_repeat(store: Store) -> None:
    parent, child = await ended_batch(store), await draft(store)
    overview = await store.batches.overview(parent)
    assert overview is not None
    # the first part, as if the process had been killed after it
    await copy_selected(store, replace(overview, blocks=1), child, FAILED)
    assert len(await copied_rows(store, child)) == 700
    await copy_selected(store, overview, child, FAILED)
    await copy_selected(store, overview, child, FAILED)
    assert await copied_rows(store, child) == list(FAILURES)


@pytest.mark.parametrize(
    ("state", "category", "taken"),
    [
        (State.FAILED, "busy", True),
        (State.FAILED, "no_answer", False),
        (State.EXPIRED, "busy", True),
        (State.DELIVERED, "busy", False),
        (State.WAITING, "busy", False),
        (State.VOID, "busy", False),
    ],
)
def test_only_final_jobs_of_the_named_states_and_categories_are_taken(state: State, category: str, taken: bool) -> None:
    states = frozenset({State.FAILED, State.EXPIRED, State.WAITING, State.VOID})
    assert Selection(states=states, categories=frozenset({"busy"})).takes(state, category) is taken
