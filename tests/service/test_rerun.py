"""Final jobs copied into a new batch."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import FailureCode, JobId, Recipient, RefusedRow, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.names import UploadName
from dispatcher.service import rerun
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.service.mailings import Mailings
from dispatcher.service.rerun import Copy, Parents, copy_selected
from dispatcher.service.uploads import open_upload
from dispatcher.service.views import BatchView
from dispatcher.store.batches import UploadChunk
from dispatcher.store.dispatch import StoredTransition
from dispatcher.store.store import Store
from tests.service.samples import add, draft, end_jobs, recipients, rerun_of, running

pytestmark = pytest.mark.anyio

FAILED = JobFilter(states=frozenset({State.FAILED}))
#: rows that failed, over four blocks of which the third has none
FAILURES = (*range(700), *range(1000, 1600), *range(3000, 3100))


async def ended_batch(store: Store) -> str:
    parent = await running(store, 3_200)
    await end_jobs(store, parent, dict.fromkeys(FAILURES, (State.FAILED, "busy")))
    return parent


#: of a small parent with nine rows in each of eight blocks; a part of its rerun takes ten recipients
ROWS = [block * 1000 + position for block in range(8) for position in range(9)]
FAILED_BEFORE = [row for row in ROWS if row % 1000 < 5]


@pytest.fixture
async def parent(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(rerun, "_CHUNK_ROWS", 10)
    batch = await draft(store)
    for first in range(0, 72, 9):
        rows = [row._replace(reference=f"r{ROWS[row.line - 1]}") for row in recipients(9, first)]
        part = UploadChunk(upload=UploadName.of_key("u"), first_line=first + 1, last_line=first + 9, recipients=rows)
        assert (await store.batches.add_chunk(batch, part)).status == "stored"
    await store.batches.command(batch, Command.START)
    await end_jobs(store, batch, dict.fromkeys(FAILED_BEFORE, (State.FAILED, "busy")))
    return batch


@pytest.fixture
def mailings(store: Store) -> Mailings:
    async def fine() -> None:
        """The provider takes our key."""

    return Mailings(store, fine, 1000, b"key")


async def copied_rows(store: Store, child: str) -> list[int]:
    overview = await store.batches.overview(child)
    assert overview is not None
    rows = [row for block in range(overview.blocks) for row in await store.batches.recipients(child, block)]
    return [int(row.reference.removeprefix("r")) for row in rows]


async def test_the_selected_recipients_are_copied_in_order_as_they_were(store: Store) -> None:
    parent, child = await ended_batch(store), await draft(store)
    overview = await store.batches.overview(parent)
    assert overview is not None
    assert FAILED.limit_of(overview.tally) == len(FAILURES)
    await copy_selected(store, Copy(parents=Parents([overview]), child=child, selected=FAILED, number_key=b"key"))
    assert await copied_rows(store, child) == list(FAILURES)
    assert (await store.batches.recipients(child, 0))[0] == recipients(1)[0]


async def test_recipients_that_the_check_refuses_become_refused_rows(store: Store, mailings: Mailings) -> None:
    parent = await ended_batch(store)

    def check(recipient: Recipient) -> RefusedRow | None:
        if recipient.line % 2:
            return None
        return RefusedRow(line=recipient.line, number=recipient.number, reason="country_not_allowed", detail="No.")

    view = await rerun_of(mailings, parent, FAILED, start=False, key=None, check=check)
    copied = await copied_rows(store, view.definition.id)
    assert len(copied) + view.overview.refused == len(FAILURES)
    assert view.overview.refused > 0
    assert view.overview.refused_reasons == {"country_not_allowed": view.overview.refused}


async def test_a_copy_that_broke_off_goes_on_without_gap_or_repeat(
    store: Store, parent: str, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = await half_copied(store, parent, mailings, monkeypatch)
    assert await copied_rows(store, child) == FAILED_BEFORE[:10]
    for _ in range(2):
        await rerun_of(mailings, parent, FAILED, start=False, key="k")
    assert await copied_rows(store, child) == FAILED_BEFORE


async def test_jobs_that_fail_while_others_are_copied_are_not_taken(
    store: Store, parent: str, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = await half_copied(store, parent, mailings, monkeypatch)
    await end_jobs(store, parent, dict.fromkeys(set(ROWS) - set(FAILED_BEFORE), (State.FAILED, "busy")))
    await rerun_of(mailings, parent, FAILED, start=False, key="k")
    assert await copied_rows(store, child) == FAILED_BEFORE


class Killed(Exception):
    """The process that handled a request is gone."""


#: a call of the store and how often it was made
Place = tuple[str, int]


def before(store: Store, place: Place, stop: Callable[[], Awaitable[None]], patch: pytest.MonkeyPatch) -> None:
    """Let whoever comes to a place first stop there."""
    name, left = place
    call, stopped = getattr(store.batches, name), False

    async def counted(*arguments: Any) -> Any:
        nonlocal left, stopped
        left -= 1
        if left <= 0 and not stopped:
            stopped = True
            await stop()
        return await call(*arguments)

    patch.setattr(store.batches, name, counted)


async def fail_one_in_each_block(store: Store, parent: str, index: int) -> None:
    jobs = [JobId(parent, block * 1000 + index) for block in range(8)]
    for stored in await store.dispatch.stored(jobs):
        assert stored
        failed = replace(stored.record, state=State.FAILED, failure=FailureCode(category="busy"), attempt=1, lease=0)
        assert await store.dispatch.settle([StoredTransition(job=stored.job, old=stored.record, new=failed)]) == [None]


async def kill() -> None:
    raise Killed


@pytest.mark.parametrize(
    ("late", "killed"),
    [
        *(
            (("progress", 1), None),
            (("matching_jobs", 5), None),
            (("fix_selection", 1), None),
            (("selection", 2), None),
        ),
        *((("add_chunk", n), None) for n in (1, 3)),
        *((("add_chunk", 1), ("add_chunk", n)) for n in (2, 3, 4)),
        (("matching_jobs", 5), ("add_chunk", 2)),
    ],
)
async def test_requests_that_overtake_each_other_lose_and_double_nobody(
    store: Store, parent: str, mailings: Mailings, late: Place, killed: Place | None
) -> None:
    """One stops for a while wherever it stands; the other gets the answer, or is killed and asked again. All the while
    jobs of the parent go on failing."""
    reached, overtaken = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await overtaken.wait()

    def ask() -> Awaitable[BatchView]:
        return rerun_of(mailings, parent, FAILED, start=killed is None, key="k")

    with pytest.MonkeyPatch.context() as patch:
        before(store, late, wait, patch)
        first = asyncio.ensure_future(ask())
        await reached.wait()
        await fail_one_in_each_block(store, parent, 7)
        with pytest.MonkeyPatch.context() as again, suppress(Killed):
            if killed:
                before(store, killed, kill, again)
            await ask()
        await fail_one_in_each_block(store, parent, 8)
        overtaken.set()
        answers = [await first, await ask()]
    assert answers[0].overview == answers[1].overview
    copied = await copied_rows(store, answers[0].definition.id)
    assert len(set(copied)) == len(copied) == answers[0].overview.rows
    assert set(FAILED_BEFORE) <= set(copied) <= {row for row in ROWS if row % 1000 in (0, 1, 2, 3, 4, 7)}


async def half_copied(store: Store, parent: str, mailings: Mailings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The process is killed after the first part; returns the child."""
    add_chunk = store.batches.add_chunk

    async def killed(*arguments: Any) -> None:
        await add_chunk(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store.batches, "add_chunk", killed)
        with pytest.raises(Killed):
            await rerun_of(mailings, parent, FAILED, start=False, key="k")
    return (await store.batches.newest(1))[0].id


async def test_a_rerun_that_is_not_complete_does_not_start(
    store: Store, parent: str, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would notice who is missing. Its request can be repeated, and then it starts."""
    child = await half_copied(store, parent, mailings, monkeypatch)
    with pytest.raises(ActionNotAllowed, match="does not have all its recipients yet: repeat the rerun"):
        await mailings.command(child, Command.START)
    await rerun_of(mailings, parent, FAILED, start=False, key="k")
    assert (await mailings.command(child, Command.START)).batch.overview.rows == len(FAILED_BEFORE)


async def test_a_rerun_that_was_cancelled_half_way_is_not_answered_as_done(
    store: Store, parent: str, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailings.command(await half_copied(store, parent, mailings, monkeypatch), Command.CANCEL)
    with pytest.raises(ActionNotAllowed, match=f"before all recipients were copied into it: rerun {parent} again"):
        await rerun_of(mailings, parent, FAILED, start=False, key="k")


async def test_an_upload_to_a_rerun_is_not_taken_for_a_part_of_it(
    store: Store, parent: str, mailings: Mailings
) -> None:
    """Whatever key it has."""
    child = (await rerun_of(mailings, parent, FAILED, start=False, key=None)).definition.id
    upload = await open_upload(store, child, "rerun")
    await add(upload, recipients(100, 4_000), [])
    assert (await upload.finish()).accepted == 100
