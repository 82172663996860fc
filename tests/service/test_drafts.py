"""Drafts end, whoever forgets them: by themselves, by a refusal, and never in any number."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dispatcher.core.batch import BatchState, Command, Control
from dispatcher.core.job import JobId, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.policy.policy import Policy
from dispatcher.service.errors import ActionNotAllowed, Missing, StoreError, TooManyDrafts
from dispatcher.service.jobs import show_job
from dispatcher.service.mailings import Mailings
from dispatcher.service.uploads import open_upload
from dispatcher.service.views import view_batch
from dispatcher.store.errors import StoreUnavailable
from dispatcher.store.store import Store
from tests.service.samples import add, definition, draft, end_jobs, recipients, rerun_of, running
from tests.service.system import FaultySystem, open_system
from tests.store.fixture import KEYS, number, upload_chunk

pytestmark = pytest.mark.anyio

DAY_MS = 86_400_000
FAILED = JobFilter(states=frozenset({State.FAILED}))


async def fine() -> None:
    """The provider takes our key."""


@pytest.fixture
def mailings(store: Store) -> Mailings:
    return Mailings(store, fine, 3, b"key")


@pytest.fixture
async def system(redis_url: str) -> Any:
    """With the default policy."""
    async with open_system(redis_url, Policy()) as opened:
        yield opened


async def control_of(system: FaultySystem, batch: str) -> Control:
    return (await view_batch(system.store, batch)).overview.control


async def pass_days(system: FaultySystem, days: float, *, ticks: int = 2) -> None:
    """The clock moves on while schedulers look at it now and then, as they do."""
    for _ in range(ticks):
        await system.db.pass_ms(round(days * DAY_MS / ticks))
        await system.runtime.scheduler.tick()


async def test_a_draft_that_nobody_starts_expires_after_seven_days(system: FaultySystem) -> None:
    await system.db.draft("a", [number(0), number(1)])
    await pass_days(system, 6.99)
    assert await control_of(system, "a") is Control.DRAFT
    await pass_days(system, 0.02, ticks=1)
    view = await view_batch(system.store, "a")
    assert (view.state, view.overview.draft_ended_ms) == (BatchState.EXPIRED, system.db.ms)
    assert view.overview.tally.by_state == {State.EXPIRED: 2}
    assert (await show_job(system.store, "a.0")).explanation == "Nobody started the batch: it expired as a draft."
    assert await system.store.batches.open_drafts() == 0
    assert (await system.store.metric_totals.all())["drafts_ended",] == 1


async def test_each_chunk_of_recipients_begins_the_life_of_a_draft_anew(system: FaultySystem) -> None:
    await system.db.draft("a", [number(0)])
    await pass_days(system, 5)
    await system.db.batches.add_chunk("a", upload_chunk([number(1)], upload="second"))
    await pass_days(system, 6.9)
    assert await control_of(system, "a") is Control.DRAFT
    # a repeat of what is stored is no change
    await system.db.batches.add_chunk("a", upload_chunk([number(1)], upload="second"))
    await pass_days(system, 0.2)
    assert await control_of(system, "a") is Control.EXPIRED


async def test_an_expired_draft_dials_nobody_and_takes_no_recipients_and_no_start(system: FaultySystem) -> None:
    await system.db.draft("a", [number(0)])
    await pass_days(system, 8)
    answer = await system.db.batches.command("a", Command.START)
    assert answer is not None
    assert not answer.done
    assert (await system.db.batches.add_chunk("a", upload_chunk([number(5)], upload="late"))).status == "closed"
    with pytest.raises(ActionNotAllowed, match="is expired: recipients can be added to a draft only"):
        await open_upload(system.store, "a", "k")
    await system.work(3)
    assert system.provider.ledger() == []


@pytest.mark.parametrize("command", [Command.START, Command.CANCEL])
async def test_what_is_no_draft_any_more_does_not_expire_as_one(system: FaultySystem, command: Command) -> None:
    await system.db.draft("a", [number(0)], start_at_ms=system.db.ms + 30 * DAY_MS)
    await system.db.batches.command("a", command)
    before = await control_of(system, "a")
    await pass_days(system, 8)
    assert await control_of(system, "a") is before
    assert not await system.db.batches.end_draft("a", Control.EXPIRED)


async def test_the_script_decides_between_the_end_of_a_draft_and_a_change_at_the_same_moment(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler has read which drafts are old; before it ends them, one is started and one is filled."""
    for batch in ("a", "b", "c"):
        await system.db.draft(batch, [number(0)])
    read = system.store.batches.drafts_unchanged_since

    async def and_then_others_act(at_ms: int) -> list[str]:
        old = await read(at_ms)
        if old:
            await system.db.batches.command("a", Command.START)
            await system.db.batches.add_chunk("b", upload_chunk([number(1)], upload="second"))
        return old

    monkeypatch.setattr(system.store.batches, "drafts_unchanged_since", and_then_others_act)
    await pass_days(system, 8, ticks=1)
    controls = [await control_of(system, batch) for batch in ("a", "b", "c")]
    assert controls == [Control.RUNNING, Control.DRAFT, Control.EXPIRED]


async def test_many_drafts_end_in_bounded_steps(system: FaultySystem) -> None:
    for index in range(130):
        await system.db.draft(f"d{index}", [number(0)])
    await pass_days(system, 8, ticks=1)
    assert await system.store.batches.open_drafts() == 30
    await system.runtime.scheduler.tick()
    assert await system.store.batches.open_drafts() == 0


async def test_a_draft_that_is_gone_is_forgotten_and_keeps_no_other_open(system: FaultySystem) -> None:
    for index in range(101):
        await system.db.draft(f"d{index}", [number(0)])
        await system.db.client.delete(KEYS.batch(f"d{index}")) if index < 100 else None
    await pass_days(system, 8, ticks=1)
    assert await system.store.batches.open_drafts() == 1
    await system.db.pass_ms(10_000)
    await system.runtime.scheduler.tick()
    assert await control_of(system, "d100") is Control.EXPIRED


async def test_without_drafts_a_scheduler_looks_for_them_every_ten_seconds(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def counted(at_ms: int) -> list[str]:
        nonlocal looks
        looks += 1
        return []

    monkeypatch.setattr(system.store.batches, "drafts_unchanged_since", counted)
    for _ in range(100):
        await system.runtime.scheduler.tick()
        await system.db.pass_ms(500)
    assert looks == 5


async def test_a_clock_that_was_set_forward_by_a_month_ends_no_draft_at_once(system: FaultySystem) -> None:
    await system.db.draft("a", [number(0)])
    await system.runtime.scheduler.tick()
    await system.db.step_s(30 * 86_400)
    await system.db.pass_ms(20_000)
    await system.runtime.scheduler.tick()
    assert await control_of(system, "a") is Control.DRAFT


async def test_no_more_drafts_are_created_than_allowed_until_some_are_started_or_cancelled(
    store: Store, mailings: Mailings
) -> None:
    drafts = [(await mailings.create(definition(), None)).definition.id for _ in range(3)]
    with pytest.raises(TooManyDrafts, match=r"there may be 3 drafts .* start or cancel some"):
        await mailings.create(definition(), "k")
    await mailings.command(drafts[0], Command.CANCEL)
    first = (await mailings.create(definition(), "k")).definition.id
    assert (await mailings.create(definition(), "k")).definition.id == first, "a repeat creates nothing"
    assert len(await store.batches.newest(10)) == 4


async def test_drafts_created_at_the_same_time_are_counted_each(store: Store, mailings: Mailings) -> None:
    """In the script, not before it."""
    created = await asyncio.gather(*(mailings.create(definition(), None) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, TooManyDrafts) for answer in created) == 17
    assert await store.batches.open_drafts() == 3


async def test_the_draft_of_a_rerun_counts_and_a_single_fax_is_sent_nevertheless(
    store: Store, mailings: Mailings
) -> None:
    parent = await running(store, 2)
    await end_jobs(store, parent, dict.fromkeys(range(2), (State.FAILED, "busy")))
    for _ in range(3):
        await rerun_of(mailings, parent, FAILED, start=False, key=None)
    for start in (False, True):
        with pytest.raises(TooManyDrafts):
            await rerun_of(mailings, parent, FAILED, start=start, key=None)
    assert (await mailings.fax(definition(), recipients(1)[0], None)).record.state is State.WAITING
    assert await store.batches.open_drafts() == 3


async def away(*_: object, **__: object) -> Any:
    raise StoreUnavailable("Redis is away")


async def refuse(*_: object, **__: object) -> Any:
    raise ActionNotAllowed("no")


@pytest.mark.parametrize(
    ("key", "breaks", "state"),
    [
        ("k", away, Control.DRAFT),
        (None, away, Control.CANCELLED),
        ("k", refuse, Control.CANCELLED),
        (None, refuse, Control.CANCELLED),
    ],
    ids=["broken with a key", "broken without a key", "refused with a key", "refused without a key"],
)
@pytest.mark.parametrize("what", ["fax", "rerun"])
async def test_what_cannot_be_continued_leaves_no_draft(
    store: Store, what: str, key: str | None, breaks: Callable[..., Awaitable[Any]], state: Control
) -> None:
    """A repeat with the key completes what only broke off."""
    mailings = Mailings(store, fine, 3, b"key")
    parent = await running(store, 2)
    await end_jobs(store, parent, dict.fromkeys(range(2), (State.FAILED, "busy")))

    async def ask() -> None:
        if what == "fax":
            await mailings.fax(definition(), recipients(1)[0], key)
        else:
            await rerun_of(mailings, parent, FAILED, start=True, key=key)

    add_chunk, store.batches.add_chunk = store.batches.add_chunk, breaks  # type: ignore[method-assign, assignment]
    with pytest.raises((StoreError, ActionNotAllowed)):
        await ask()
    store.batches.add_chunk = add_chunk  # type: ignore[method-assign]
    (batch, _) = [listed.id for listed in await store.batches.newest(10)]
    assert (await view_batch(store, batch)).overview.control is state
    if state is Control.DRAFT:
        await ask()
        assert (await store.batches.newest(10))[0].id == batch
        assert (await view_batch(store, batch)).overview.control is Control.RUNNING


async def test_a_fax_whose_deadline_passes_before_it_starts_leaves_no_draft(
    store: Store, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "_ensure_usable", fine_definition)
    with pytest.raises(ActionNotAllowed, match="deadline"):
        await mailings.fax(definition(deadline_ms=1), recipients(1)[0], "k")
    (batch,) = [listed.id for listed in await store.batches.newest(10)]
    assert (await view_batch(store, batch)).overview.control is Control.CANCELLED


async def fine_definition(*_: object) -> None:
    """The deadline passed after it was checked."""


async def test_a_fax_whose_draft_ended_before_the_repeat_says_so(store: Store, mailings: Mailings) -> None:
    add_chunk, store.batches.add_chunk = store.batches.add_chunk, away  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await mailings.fax(definition(), recipients(1)[0], "k")
    store.batches.add_chunk = add_chunk  # type: ignore[method-assign]
    (batch,) = [listed.id for listed in await store.batches.newest(1)]
    assert await store.batches.end_draft(batch, Control.EXPIRED)
    with pytest.raises(ActionNotAllowed, match="send the fax with a new key"):
        await mailings.fax(definition(), recipients(1)[0], "k")
    with pytest.raises(Missing):
        await show_job(store, str(JobId(batch, 0)))


async def test_an_upload_that_broke_off_keeps_its_draft_and_goes_on_with_its_key(store: Store) -> None:
    batch = await draft(store)
    broken = await open_upload(store, batch, "k")
    await add(broken, recipients(1_500), [])
    again = await open_upload(store, batch, "k")
    await add(again, recipients(1_500), [])
    assert (await again.finish()).accepted == 1_500
    assert await store.batches.open_drafts() == 1
