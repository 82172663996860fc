"""Reruns of one and of several batches: what they send, what they put right, and what a preview says before."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.core.batch import Command, Control
from dispatcher.core.destinations import PriceList
from dispatcher.core.job import Recipient, RefusedRow, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.rerun import Overrides
from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.service import rerun_preview
from dispatcher.service.errors import ActionNotAllowed, InvalidInput, Missing, Repeated
from dispatcher.service.mailings import Allowed, Mailings
from dispatcher.service.rerun import unchecked
from dispatcher.service.rerun_preview import RerunPreview, RerunPreviews
from dispatcher.service.reruns import RerunOrder, Reruns
from dispatcher.store.store import Store
from tests.service.samples import end_jobs, number, rerun_of, running

pytestmark = pytest.mark.anyio
FAILED = JobFilter(states=frozenset({State.FAILED}))
OTHER_URL = "https://documents.example.com/new.pdf"
PRICES = PriceList(by_region={"US": Decimal("0.05")}, currency="USD")


@pytest.fixture
def mailings(store: Store) -> Mailings:
    async def fine() -> None:
        """The provider takes our key."""

    return Mailings(store, fine, 1000, b"key")


@pytest.fixture
def reruns(store: Store, mailings: Mailings) -> Reruns:
    return Reruns(store, mailings, b"key")


@pytest.fixture
def previews(store: Store, reruns: Reruns) -> RerunPreviews:
    return RerunPreviews(store, reruns, b"key", PRICES, 100)


async def failed_batch(store: Store, rows: int, failed: Mapping[int, str], **more: Any) -> str:
    """A batch of which these rows failed in a category, and the others were delivered."""
    batch = await running(store, rows, **more)
    ends = {row: (State.FAILED, failed[row]) if row in failed else (State.DELIVERED, "") for row in range(rows)}
    await end_jobs(store, batch, ends)
    return batch


async def numbers_of(store: Store, batch: str) -> list[str]:
    """The numbers of its jobs; a row whose number was there before is none."""
    rows = zip(await store.batches.recipients(batch, 0), await store.batches.records(batch, 0), strict=True)
    return [recipient.number for recipient, record in rows if record.state is not State.VOID]


async def reruns_of(store: Store, batch: str) -> tuple[str, ...]:
    overview = await store.batches.overview(batch)
    assert overview
    return overview.reruns


async def suppress(store: Store, row: int) -> None:
    await store.suppressions.put(
        [Suppression(number=number(row), source=SuppressionSource.MANUAL, reason="asked", added_ms=1)]
    )


async def test_what_was_wrong_is_put_right(store: Store, mailings: Mailings) -> None:
    parent = await failed_batch(store, 3, {0: "config", 2: "config"})
    overrides = Overrides(options={"sender": "+12025550111"}, content_urls=(OTHER_URL,), weight=5)
    view = await rerun_of(mailings, parent, FAILED, key=None, overrides=overrides, reason="wrong sender")
    assert view.definition.options.sender == "+12025550111"
    assert (view.definition.content_urls, view.definition.weight) == ((OTHER_URL,), 5)
    assert (view.definition.reason, view.definition.parents) == ("wrong sender", (parent,))
    assert await numbers_of(store, view.id) == [number(0), number(2)]


async def test_a_filter_by_number_is_heeded_by_the_copy(store: Store, mailings: Mailings) -> None:
    parent = await failed_batch(store, 5, dict.fromkeys(range(4), "busy"))
    asked = replace(FAILED, numbers=frozenset({number(1), number(3), number(4)}))
    view = await rerun_of(mailings, parent, asked, key=None)
    assert await numbers_of(store, view.id) == [number(1), number(3)]


async def test_a_parent_lists_its_reruns_without_those_that_sent_nothing(store: Store, mailings: Mailings) -> None:
    parent = await failed_batch(store, 3, {0: "busy", 1: "busy"})
    first = await rerun_of(mailings, parent, FAILED, key=None)
    given_up = await rerun_of(mailings, parent, FAILED, key=None, start=False)
    assert await reruns_of(store, parent) == (given_up.id, first.id)
    await mailings.command(given_up.id, Command.CANCEL)
    assert await reruns_of(store, parent) == (first.id,)


async def test_a_rerun_with_other_content_does_not_send_to_the_same_jobs_again(
    store: Store, mailings: Mailings
) -> None:
    """Whoever has put the sender right and whoever has put the letter right do not know of each other."""
    parent = await failed_batch(store, 3, {0: "busy", 1: "busy"})
    first = await rerun_of(mailings, parent, FAILED, key=None, overrides=Overrides(options={"sender": "+12025550111"}))
    other = Overrides(content_urls=(OTHER_URL,))
    with pytest.raises(Repeated, match=first.id):
        await rerun_of(mailings, parent, FAILED, key=None, overrides=other)
    again = await rerun_of(mailings, parent, FAILED, key=None, overrides=other, allowed=Allowed(repeat=True))
    assert again.overview.rows == 2


async def test_of_two_reruns_that_start_at_the_same_time_one_is_refused(store: Store, mailings: Mailings) -> None:
    """Also if they send different letters."""
    parent = await failed_batch(store, 3, {0: "busy", 1: "busy"})
    contents = [Overrides(), Overrides(content_urls=(OTHER_URL,)), Overrides(options={"sender": "+12025550111"})]
    drafts = [
        (await rerun_of(mailings, parent, FAILED, key=None, overrides=overrides, start=False)).id
        for overrides in contents
    ]
    answers = await asyncio.gather(
        *(mailings.command(batch, Command.START) for batch in drafts), return_exceptions=True
    )
    assert sum(isinstance(answer, Repeated) for answer in answers) == 2


async def test_batches_that_send_the_same_are_run_again_as_one_and_every_number_once(
    store: Store, reruns: Reruns
) -> None:
    first = await failed_batch(store, 4, {0: "busy", 1: "busy"})
    second = await failed_batch(store, 4, {1: "busy", 3: "busy"})
    (view,) = await reruns.run([first, second, first], RerunOrder(selected=FAILED, reason="r"), None)
    assert view.definition.parents == (first, second)
    assert await numbers_of(store, view.id) == [number(0), number(1), number(3)]
    for parent in (first, second):
        assert await reruns_of(store, parent) == (view.id,)


async def test_batches_that_send_different_letters_are_run_again_each_for_itself(store: Store, reruns: Reruns) -> None:
    first = await failed_batch(store, 3, {0: "busy"})
    other = await failed_batch(store, 3, {0: "busy"}, content_urls=(OTHER_URL,))
    fine = await failed_batch(store, 3, {}, name="Fine", content_urls=("https://documents.example.com/fine.pdf",))
    order = RerunOrder(selected=FAILED, reason="r")
    views = await reruns.run([first, other, fine], order, "k")
    assert [view.definition.parents for view in views] == [(first,), (other,)]
    assert [view.overview.control for view in views] == [Control.RUNNING] * 2
    again = await reruns.run([first, other, fine], order, "k")
    assert [view.id for view in again] == [view.id for view in views]


async def test_if_one_of_several_is_a_repeat_none_is_started(store: Store, reruns: Reruns, mailings: Mailings) -> None:
    first = await failed_batch(store, 3, {0: "busy"})
    other = await failed_batch(store, 3, {0: "busy"}, content_urls=(OTHER_URL,))
    done = await rerun_of(mailings, other, FAILED, key=None)
    with pytest.raises(Repeated):
        await reruns.run([first, other], RerunOrder(selected=FAILED, reason="r"), None)
    running_now = [
        listed.id
        for listed in await store.batches.newest(10)
        if (view := await store.batches.overview(listed.id))
        and view.definition.parent
        and view.control is Control.RUNNING
    ]
    assert running_now == [done.id]


async def test_a_rerun_of_jobs_that_have_not_ended_is_refused(store: Store, mailings: Mailings) -> None:
    parent = await running(store, 2)
    for states in (frozenset(), frozenset({State.WAITING})):
        with pytest.raises(InvalidInput):
            await rerun_of(mailings, parent, JobFilter(states=states), key=None)


async def test_nothing_that_matches_leaves_no_draft_and_says_what_there_is(store: Store, mailings: Mailings) -> None:
    parent = await failed_batch(store, 3, {0: "busy"})
    asked = replace(FAILED, numbers=frozenset({number(2)}))
    with pytest.raises(ActionNotAllowed, match="Its jobs by state: 2 delivered, 1 failed"):
        await rerun_of(mailings, parent, asked, key=None)
    assert await reruns_of(store, parent) == ()


async def test_a_preview_says_what_is_left_out_and_changes_nothing(store: Store, previews: RerunPreviews) -> None:
    parent = await failed_batch(store, 8, {0: "busy", 1: "busy", 2: "no_answer", 3: "busy"})
    await suppress(store, 1)
    before = len(await store.batches.newest(10))

    def check(recipient: Recipient) -> RefusedRow | None:
        if recipient.number != number(3):
            return None
        return RefusedRow(line=recipient.line, number=recipient.number, reason="country_not_allowed", detail="No.")

    order = RerunOrder(selected=replace(FAILED, categories=frozenset({"busy"})), check=check)
    preview = await previews.begin([parent], order)
    (group,) = preview.groups
    assert preview.complete
    assert group.jobs == 1
    assert group.countries == {"US": 1}
    assert group.left_out == {"delivered": 4, "not_matching": 1, "suppressed": 1, "country_not_allowed": 1}
    assert len(await store.batches.newest(10)) == before


async def test_a_preview_names_the_rerun_that_it_would_repeat(
    store: Store, previews: RerunPreviews, mailings: Mailings
) -> None:
    parent = await failed_batch(store, 3, {0: "busy", 1: "busy"})
    first = await rerun_of(mailings, parent, FAILED, key=None)
    (group,) = (await previews.begin([parent], RerunOrder(selected=FAILED))).groups
    assert group.earlier is not None
    assert (group.earlier.batch, group.earlier.overlap.shared) == (first.id, 2)


async def test_a_long_preview_goes_on_where_it_was(
    store: Store, previews: RerunPreviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whichever process: what was counted is stored."""
    first = await failed_batch(store, 2_100, dict.fromkeys(range(0, 2_100, 7), "busy"))
    second = await failed_batch(store, 10, {0: "busy", 1: "busy"})
    order = RerunOrder(selected=FAILED, overrides=Overrides(content_urls=(OTHER_URL,), weight=3))
    whole = await previews.begin([first, second], order)
    monkeypatch.setattr(rerun_preview, "BUDGET_S", -1.0)
    part = await previews.begin([first, second], order)
    assert (part.complete, part.blocks_done, part.blocks) == (False, 0, 4)
    monkeypatch.setattr(rerun_preview, "BUDGET_S", 60.0)
    rest = await previews.go_on(part.id, unchecked)
    assert shown(rest) == shown(whole)
    with pytest.raises(Missing):
        await previews.go_on("nothing", unchecked)


def shown(preview: RerunPreview) -> list[object]:
    return [(group.jobs, group.countries, group.left_out, group.group.definition) for group in preview.groups]


async def test_a_rerun_sends_what_its_preview_said(store: Store, reruns: Reruns, previews: RerunPreviews) -> None:
    draw = random.Random(7)
    failed = {row: draw.choice(["busy", "no_answer", "config"]) for row in draw.sample(range(60), 40)}
    parent = await failed_batch(store, 60, failed)
    for _ in range(12):
        suppressed = draw.sample(range(60), draw.randrange(4))
        await store.suppressions.remove([number(row) for row in range(60)])
        for row in suppressed:
            await suppress(store, row)
        categories = frozenset(draw.sample(["busy", "no_answer", "config"], draw.randrange(3)))
        numbers = frozenset(number(row) for row in draw.sample(range(60), draw.choice([0, 5, 30])))
        prefixes = draw.choice([(), ("+1201",), ("+12015550100", "+12015550101")])
        expected = [
            number(row)
            for row in sorted(failed)
            if (not categories or failed[row] in categories)
            and (not numbers or number(row) in numbers)
            and (not prefixes or number(row).startswith(prefixes))
            and row not in suppressed
        ]
        selected = replace(FAILED, categories=categories, numbers=numbers, prefixes=prefixes)
        order = RerunOrder(selected=selected, reason="r", start=False)
        (group,) = (await previews.begin([parent], order)).groups
        assert group.jobs == len(expected)
        assert group.jobs + sum(group.left_out.values()) == 60
        if expected:
            (view,) = await reruns.run([parent], order, None)
            assert await numbers_of(store, view.id) == expected
        else:
            with pytest.raises(ActionNotAllowed):
                await reruns.run([parent], order, None)
