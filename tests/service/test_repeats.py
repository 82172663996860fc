"""No accidental second mailing: what is compared when a batch, a rerun or a single fax starts."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.core.batch import BatchState, Command
from dispatcher.core.job import Recipient, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.names import UploadName
from dispatcher.core.options import FaxOptions
from dispatcher.service.errors import Repeated
from dispatcher.service.mailings import Allowed, Mailings
from dispatcher.service.repeats import content_of, fax_content
from dispatcher.store.batches import UploadChunk
from dispatcher.store.store import Store
from tests.service.samples import definition, draft, end_jobs, number, recipients, rerun_of

pytestmark = pytest.mark.anyio

KEY = b"key"
OTHER_URL = "https://example.com/other.pdf"
REPEAT = Allowed(repeat=True)
FAILED = JobFilter(states=frozenset({State.FAILED}))


@pytest.fixture
def mailings(store: Store) -> Mailings:
    async def fine() -> None:
        """The provider takes our key."""

    return Mailings(store, fine, 1000, KEY)


async def add(store: Store, batch: str, first: int, count: int) -> None:
    rows = [row._replace(line=line) for line, row in enumerate(recipients(count, first), start=1)]
    name = UploadName.of_key(f"{first}")
    part = UploadChunk(upload=name, first_line=1, last_line=count, recipients=rows, number_key=KEY)
    assert (await store.batches.add_chunk(batch, part)).status == "stored"


async def listed(store: Store, first: int, count: int, **more: Any) -> str:
    """A draft to some of the numbers."""
    batch = await draft(store, **more)
    await add(store, batch, first, count)
    return batch


async def started(store: Store, mailings: Mailings, first: int, count: int, **more: Any) -> str:
    batch = await listed(store, first, count, **more)
    await mailings.command(batch, Command.START)
    return batch


@pytest.mark.parametrize(
    ("first", "count", "shared"),
    [(0, 100, 100), (80, 100, 20), (99, 1, 1), (98, 15, 2), (50, 50, 50)],
)
async def test_the_same_content_to_the_same_recipients_is_refused(
    store: Store, mailings: Mailings, first: int, count: int, shared: int
) -> None:
    earlier = await started(store, mailings, 0, 100)
    again = await listed(store, first, count)
    with pytest.raises(Repeated, match=f"batch {earlier} .* to {shared} of the same recipients") as raised:
        await mailings.command(again, Command.START)
    assert (raised.value.batch, raised.value.shared) == (earlier, shared)
    assert (await mailings.command(again, Command.START, REPEAT)).batch.state is BatchState.RUNNING


@pytest.mark.parametrize(
    "more",
    [
        {"first": 100},
        {"first": 90},
        {"content_urls": (OTHER_URL,)},
        {"options": FaxOptions(resolution="FINE")},
        {"options": FaxOptions(cover_page_id="c", cover_page_data={"a": "b"})},
    ],
)
async def test_other_recipients_or_other_content_are_no_repeat(
    store: Store, mailings: Mailings, more: dict[str, Any]
) -> None:
    await started(store, mailings, 0, 100)
    batch = await started(store, mailings, more.pop("first", 0), 200, **more)
    assert (await mailings.command(batch, Command.START)).batch.state is BatchState.RUNNING


@pytest.mark.parametrize("more", [{"name": "April"}, {"weight": 7}, {"default_country": "GB"}, {"on_partial": "stop"}])
async def test_what_the_recipient_does_not_see_is_no_other_content(
    store: Store, mailings: Mailings, more: dict[str, Any]
) -> None:
    await started(store, mailings, 0, 30)
    with pytest.raises(Repeated):
        await started(store, mailings, 0, 30, **more)


async def test_a_mailing_that_was_cancelled_before_anything_was_sent_does_not_count(
    store: Store, mailings: Mailings
) -> None:
    earlier = await started(store, mailings, 0, 30)
    await mailings.command(earlier, Command.CANCEL)
    await started(store, mailings, 0, 30)


async def test_a_mailing_that_was_cancelled_later_counts(store: Store, mailings: Mailings) -> None:
    earlier = await started(store, mailings, 0, 30)
    await end_jobs(store, earlier, {0: (State.DELIVERED, "")})
    await mailings.command(earlier, Command.CANCEL)
    with pytest.raises(Repeated, match=earlier):
        await started(store, mailings, 0, 30)


async def test_of_two_starts_at_the_same_time_one_is_refused(store: Store, mailings: Mailings) -> None:
    batches = [await listed(store, 0, 50) for _ in range(8)]
    results = await asyncio.gather(
        *(mailings.command(batch, Command.START) for batch in batches), return_exceptions=True
    )
    assert sum(isinstance(result, Repeated) for result in results) == 7


async def test_rows_that_are_added_while_a_start_compares_are_compared_too(
    store: Store, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(store, mailings, 0, 50)
    batch, read = await listed(store, 50, 50), store.repeats.hashes

    async def then_add(name: str, first: int) -> bytes:
        hashes = await read(name, first)
        if (len(hashes), first) == (0, 400):
            await add(store, batch, 0, 50)
        return hashes

    monkeypatch.setattr(store.repeats, "hashes", then_add)
    with pytest.raises(Repeated):
        await mailings.command(batch, Command.START)


async def test_the_same_start_again_is_no_repeat_of_itself(store: Store, mailings: Mailings) -> None:
    batch = await started(store, mailings, 0, 30)
    for command in (Command.START, Command.PAUSE, Command.RESUME, Command.START):
        await mailings.command(batch, command)


async def test_a_scheduled_mailing_counts_until_a_day_after_its_start_time(store: Store, mailings: Mailings) -> None:
    now_ms = await store.clock.ask()
    batch = await started(store, mailings, 0, 30, start_at_ms=now_ms + 3 * 86_400_000)
    await started(store, mailings, 100, 30)
    first, later = (await store.repeats.starts(content_of(definition())))[0]
    assert first.batch == batch
    assert (first.until_ms - now_ms) / 86_400_000 == pytest.approx(4, abs=0.01)
    assert (later.until_ms - now_ms) / 86_400_000 == pytest.approx(1, abs=0.01)
    names = (store._keys.starts(content_of(definition())), store._keys.of_batch(batch, "hashes"))
    lives = [await store._client.pttl(name) for name in names]
    assert all(life / 86_400_000 == pytest.approx(4, abs=0.01) for life in lives)


async def test_a_second_rerun_of_the_same_jobs_is_refused(store: Store, mailings: Mailings) -> None:
    parent = await started(store, mailings, 0, 40)
    await end_jobs(store, parent, {row: (State.FAILED, "busy" if row % 2 else "no_answer") for row in range(40)})
    busy = JobFilter(states=frozenset({State.FAILED}), categories=frozenset({"busy"}))
    other = JobFilter(states=frozenset({State.FAILED}), categories=frozenset({"no_answer"}))
    first = await rerun_of(mailings, parent, busy, start=True, key=None)
    await rerun_of(mailings, parent, other, start=True, key=None)
    with pytest.raises(Repeated):
        await rerun_of(mailings, parent, FAILED, start=True, key="k")
    assert (await rerun_of(mailings, parent, FAILED, start=True, key="l", allowed=REPEAT)).state is BatchState.RUNNING
    assert first.state is BatchState.RUNNING


async def test_a_rerun_that_takes_a_single_job_of_another_is_refused(store: Store, mailings: Mailings) -> None:
    parent = await started(store, mailings, 0, 40)
    categories = {
        0: "busy",
        **dict.fromkeys(range(1, 20), "no_answer"),
        **dict.fromkeys(range(20, 40), "document_fetch"),
    }
    await end_jobs(store, parent, {row: (State.FAILED, category) for row, category in categories.items()})
    first, second = (replace(FAILED, categories=frozenset({"busy", more})) for more in ("no_answer", "document_fetch"))
    await rerun_of(mailings, parent, first, start=True, key=None)
    with pytest.raises(Repeated, match="to 1 of the same recipients"):
        await rerun_of(mailings, parent, second, start=True, key=None)


async def test_the_rerun_of_a_rerun_is_no_repeat_of_either(store: Store, mailings: Mailings) -> None:
    batch = await started(store, mailings, 0, 30)
    for _ in range(3):
        await end_jobs(store, batch, dict.fromkeys(range(30), (State.FAILED, "busy")))
        batch = (await rerun_of(mailings, batch, FAILED, start=True, key=None)).definition.id


def recipient(row: int = 0) -> Recipient:
    return Recipient(line=1, number=number(row), region="US")


async def test_the_same_fax_twice_within_minutes_is_refused(store: Store, mailings: Mailings) -> None:
    first = await mailings.fax(definition(), recipient(), None)
    with pytest.raises(Repeated, match=f"within the last ten minutes, as batch {first.id.batch}"):
        await mailings.fax(definition(), recipient(), "k")
    assert await store.batches.open_drafts() == 0
    # the same request may be repeated with what the answer asks for
    await mailings.fax(definition(), recipient(), "k", REPEAT)
    await mailings.fax(definition(), recipient(1), None)
    await mailings.fax(definition(content_urls=(OTHER_URL,)), recipient(), None)


async def test_a_repeated_request_for_a_fax_finds_the_fax(mailings: Mailings) -> None:
    first = await mailings.fax(definition(), recipient(), "k")
    assert (await mailings.fax(definition(), recipient(), "k")).id == first.id


async def test_of_two_equal_faxes_at_the_same_time_one_is_refused_and_leaves_no_draft(
    store: Store, mailings: Mailings
) -> None:
    results = await asyncio.gather(
        *(mailings.fax(definition(), recipient(), None) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, Repeated) for result in results) == 4
    assert await store.batches.open_drafts() == 0


async def test_what_a_start_leaves_ends_after_its_time(store: Store, mailings: Mailings) -> None:
    await mailings.fax(definition(), recipient(), None)
    content = fax_content(definition(), number(0), KEY)
    ((fax,), _) = await store.repeats.starts(content)
    assert 0 < fax.until_ms - await store.clock.ask() <= 600_000
    assert 600_000 < await store._client.pttl(store._keys.starts(content)) <= 660_000


async def test_a_draft_that_ends_leaves_no_hashes(store: Store, mailings: Mailings) -> None:
    batch = await listed(store, 0, 5)
    assert await store.repeats.hashes(batch, 0)
    await mailings.command(batch, Command.CANCEL)
    assert await store.repeats.hashes(batch, 0) == b""
