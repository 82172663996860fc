"""Batches and single faxes, from the producer's side."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from dispatcher.core.batch import BatchState, Command, Control, Priority
from dispatcher.core.job import Recipient, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.names import KeyUse, UploadName
from dispatcher.service.errors import ActionNotAllowed, Conflict, Deleted, InvalidInput, Missing, WrongCredentials
from dispatcher.service.idempotency import fingerprint
from dispatcher.service.mailings import Allowed, Mailings
from dispatcher.sinch.errors import RefusedError, SinchError, UnreachableError
from dispatcher.store.batches import UploadChunk
from dispatcher.store.store import Store
from tests.documents.pdfs import letter
from tests.service.samples import definition, draft, end_jobs, recipients, rerun_of, running

pytestmark = pytest.mark.anyio

NOW_MS = int(time.time() * 1000)
DAY_MS = 86_400_000
FAILED = JobFilter(states=frozenset({State.FAILED}))


async def fine() -> None:
    """The provider takes our key."""


def failing(error: SinchError) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        raise error

    return check


@pytest.fixture
def mailings(store: Store) -> Mailings:
    return Mailings(store, fine, 1000, b"key")


async def test_a_new_batch_is_a_draft_with_an_id_and_a_time(mailings: Mailings) -> None:
    view = await mailings.create(definition("March"), None)
    assert view.state is BatchState.DRAFT
    assert view.definition.name == "March"
    assert view.definition.id.isalnum()
    assert abs(view.definition.created_ms - NOW_MS) < DAY_MS


async def test_the_same_key_and_content_give_the_same_batch(mailings: Mailings) -> None:
    first = await mailings.create(definition("March"), "k")
    assert (await mailings.create(definition("March"), "k")).definition == first.definition
    assert (await mailings.create(definition("March"), None)).definition.id != first.definition.id


async def test_the_same_key_with_other_content_is_a_conflict(mailings: Mailings) -> None:
    await mailings.create(definition("March"), "k")
    with pytest.raises(Conflict, match="'k' was used before"):
        await mailings.create(definition("April"), "k")


async def test_a_repeat_finds_its_batch_also_when_what_it_says_would_be_refused_by_now(
    store: Store, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program that creates a mailing is run again the next day, or its document was deleted."""
    info = await store.documents.put(letter(2), "letter.pdf", 2)
    soon = definition(start_at_ms=NOW_MS + 600_000, deadline_ms=NOW_MS + 700_000, documents=(info.sha256,))
    first = await mailings.create(soon, "k")
    await store.batches.command(first.id, Command.CANCEL)
    await store.documents.delete(info.sha256)
    monkeypatch.setattr("dispatcher.service.mailings.now_ms", lambda: NOW_MS + DAY_MS)
    assert (await mailings.create(soon, "k")).id == first.id
    # nobody has created these
    await store.idempotency_keys.reserve(KeyUse.BATCH, "reserved", fingerprint=fingerprint(soon), value="nothere")
    for other, key in ((soon, None), (soon, "other"), (replace(soon, name="April"), "k"), (soon, "reserved")):
        with pytest.raises(InvalidInput):
            await mailings.create(other, key)
    await store.batches.command(first.id, Command.DELETE)
    with pytest.raises(Deleted, match="use a new key"):
        await mailings.create(soon, "k")


async def test_a_draft_whose_start_time_is_long_over_starts_only_with_now(
    store: Store, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mailing for the morning whose upload broke off is not sent at night because the program is run again."""
    morning = definition(start_at_ms=NOW_MS + 600_000)
    first = await mailings.create(morning, "k")
    rows = recipients(1, 0)
    await store.batches.add_chunk(
        first.id, UploadChunk(upload=UploadName.of_key("u"), first_line=1, last_line=1, recipients=rows)
    )
    monkeypatch.setattr("dispatcher.service.mailings.now_ms", lambda: NOW_MS + DAY_MS)
    assert (await mailings.create(morning, "k")).id == first.id
    with pytest.raises(ActionNotAllowed, match="start it with now"):
        await mailings.command(first.id, Command.START)
    with pytest.raises(ActionNotAllowed, match="start it with now"):
        await mailings.start_if_draft(first.id, Allowed())
    started = await mailings.command(first.id, Command.START_NOW)
    assert started.batch.state is BatchState.RUNNING


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"content_urls": ()}, "documents"),
        ({"documents": ("0" * 64,)}, "documents[0]"),
        ({"deadline_ms": 1}, "deadline"),
        ({"start_at_ms": 1}, "start_at"),
        ({"start_at_ms": NOW_MS - 700_000}, "start_at"),
        ({"start_at_ms": NOW_MS + 2 * DAY_MS, "deadline_ms": NOW_MS + DAY_MS}, "deadline"),
    ],
)
async def test_a_batch_that_could_not_be_sent_is_refused_by_its_field(
    store: Store, mailings: Mailings, more: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        await mailings.create(definition(**more), None)  # type: ignore[arg-type]
    assert list(raised.value.faults) == [field]
    assert await store.batches.newest(10) == []


async def test_an_uploaded_document_can_be_named(store: Store, mailings: Mailings) -> None:
    info = await store.documents.put(letter(2), "letter.pdf", 2)
    view = await mailings.create(definition(documents=(info.sha256,), content_urls=()), None)
    assert view.definition.documents == (info.sha256,)


async def test_a_batch_goes_through_its_commands(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 3)
    ways = [Command.START, Command.PAUSE, Command.RESUME, Command.CANCEL]
    states = [(await mailings.command(batch, command)).batch.state for command in ways]
    assert states == [BatchState.RUNNING, BatchState.PAUSED, BatchState.RUNNING, BatchState.CANCELLED]


@pytest.mark.parametrize("command", [Command.START, Command.PAUSE, Command.CANCEL])
async def test_the_same_command_again_changes_nothing(store: Store, mailings: Mailings, command: Command) -> None:
    batch = await running(store, 3)
    first = await mailings.command(batch, command)
    assert await mailings.command(batch, command) == first


@pytest.mark.parametrize("command", [Command.START, Command.PAUSE, Command.RESUME])
async def test_a_cancelled_batch_takes_no_further_command(store: Store, mailings: Mailings, command: Command) -> None:
    batch = await running(store, 3)
    await mailings.command(batch, Command.CANCEL)
    with pytest.raises(ActionNotAllowed, match="is cancelled: it cannot be"):
        await mailings.command(batch, command)


async def test_a_batch_without_valid_recipient_does_not_start(store: Store, mailings: Mailings) -> None:
    batch = await draft(store)
    with pytest.raises(ActionNotAllowed, match="no valid recipient"):
        await mailings.command(batch, Command.START)


async def test_a_start_time_in_the_future_makes_the_batch_scheduled(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 1, start_at_ms=NOW_MS + DAY_MS)
    assert (await mailings.command(batch, Command.START)).batch.state is BatchState.SCHEDULED


async def test_nothing_but_an_explicit_command_makes_a_batch_begin_before_its_time(
    store: Store, mailings: Mailings
) -> None:
    """A client whose answer was lost repeats its command by itself."""
    batch = await draft(store, 1, start_at_ms=NOW_MS + DAY_MS)
    for command in (*[Command.START] * 3, Command.PAUSE, *[Command.RESUME] * 2, Command.START):
        seen = (await mailings.command(batch, command)).batch
    assert (seen.state, seen.definition.start_at_ms) == (BatchState.SCHEDULED, NOW_MS + DAY_MS)
    assert await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1) is None
    for command in (Command.START_NOW, Command.START_NOW, Command.START):
        seen = (await mailings.command(batch, command)).batch
        assert (seen.state, seen.definition.start_at_ms) == (BatchState.RUNNING, 0)
    await mailings.command(batch, Command.PAUSE)
    assert (await mailings.command(batch, Command.RESUME)).batch.state is BatchState.RUNNING, "its time is forgotten"


async def test_a_draft_with_a_start_time_may_be_started_now(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 1, start_at_ms=NOW_MS + DAY_MS)
    for _ in range(2):
        assert (await mailings.command(batch, Command.START_NOW)).batch.state is BatchState.RUNNING
    lease = await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1)
    assert lease
    assert [job.batch for job in lease.jobs] == [batch]


async def test_a_repeated_start_of_a_scheduled_batch_asks_the_provider_nothing(store: Store) -> None:
    """It changes nothing, so that what the provider thinks of the key does not matter."""
    batch = await draft(store, 1, start_at_ms=NOW_MS + DAY_MS)
    await Mailings(store, fine, 1000, b"key").command(batch, Command.START)
    refusing = Mailings(store, failing(RefusedError(status=401)), 1000, b"key")
    assert (await refusing.command(batch, Command.START)).batch.state is BatchState.SCHEDULED
    with pytest.raises(WrongCredentials):
        await refusing.command(batch, Command.START_NOW)


async def test_a_draft_whose_deadline_has_passed_is_not_started(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 1, deadline_ms=1_767_225_600_000)
    with pytest.raises(
        ActionNotAllowed, match=r"deadline of batch \w+ \(2026-01-01T00:00:00.000Z\) has passed: create a new"
    ):
        await mailings.command(batch, Command.START)
    assert (await store.batches.overview(batch)).control is Control.DRAFT  # type: ignore[union-attr]  # it is there


async def test_a_batch_that_ends_while_it_is_cancelled_stays_finished(
    store: Store, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last job ends between the look at it and the command."""
    batch = await running(store, 1)
    look = store.batches.overview

    async def just_before(name: str) -> object:
        overview = await look(name)
        if not (overview and overview.finished_ms):
            await end_jobs(store, batch, {0: (State.DELIVERED, "")})
        return overview

    monkeypatch.setattr(store.batches, "overview", just_before)
    with pytest.raises(ActionNotAllowed, match="has ended: there is nothing left to stop"):
        await mailings.command(batch, Command.CANCEL)


async def test_an_unknown_batch_is_missing(mailings: Mailings) -> None:
    with pytest.raises(Missing):
        await mailings.command("nothere", Command.START)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_wrong_credentials_are_found_before_the_start(store: Store, status: int) -> None:
    mailings = Mailings(store, failing(RefusedError(status=status, message="no")), 1000, b"key")
    batch = await draft(store, 1)
    with pytest.raises(WrongCredentials):
        await mailings.command(batch, Command.START)
    overview = await store.batches.overview(batch)
    assert overview is not None
    assert overview.control is Control.DRAFT


@pytest.mark.parametrize("error", [UnreachableError("down"), RefusedError(status=402, message="no money")])
async def test_a_provider_that_is_down_or_wants_money_keeps_no_batch_from_starting(
    store: Store, error: SinchError
) -> None:
    mailings = Mailings(store, failing(error), 1000, b"key")
    assert (await mailings.command(await draft(store, 1), Command.START)).batch.state is BatchState.RUNNING


async def test_a_rerun_is_a_new_batch_of_the_selected_jobs(store: Store, mailings: Mailings) -> None:
    parent = await running(store, 4)
    await end_jobs(store, parent, {0: (State.DELIVERED, ""), 1: (State.FAILED, "busy"), 3: (State.FAILED, "no_answer")})
    view = await rerun_of(mailings, parent, FAILED, start=False, key=None)
    assert (view.definition.parent, view.definition.name) == (parent, "March (rerun)")
    assert view.state is BatchState.DRAFT
    copied = await store.batches.recipients(view.definition.id, 0)
    assert [recipient.reference for recipient in copied] == ["r1", "r3"]


async def test_a_rerun_can_be_narrowed_to_categories_and_started(store: Store, mailings: Mailings) -> None:
    parent = await running(store, 4)
    await end_jobs(store, parent, {1: (State.FAILED, "busy"), 3: (State.FAILED, "no_answer")})
    busy = JobFilter(states=frozenset({State.FAILED}), categories=frozenset({"busy"}))
    view = await rerun_of(mailings, parent, busy, start=True, key=None)
    assert (view.state, view.overview.rows) == (BatchState.RUNNING, 1)


async def test_a_repeated_rerun_gives_the_same_batch_and_copies_nothing_twice(store: Store, mailings: Mailings) -> None:
    parent = await running(store, 4)
    await end_jobs(store, parent, {1: (State.FAILED, "busy"), 3: (State.FAILED, "busy")})
    first = await rerun_of(mailings, parent, FAILED, start=True, key="k")
    again = await rerun_of(mailings, parent, FAILED, start=True, key="k")
    assert again.overview == first.overview
    with pytest.raises(Conflict):
        await rerun_of(mailings, parent, FAILED, start=False, key="k")


async def test_a_rerun_of_nothing_makes_no_batch(store: Store, mailings: Mailings) -> None:
    parent = await running(store, 2)
    with pytest.raises(ActionNotAllowed, match="nothing to run again"):
        await rerun_of(mailings, parent, FAILED, start=True, key=None)
    assert [listed.id for listed in await store.batches.newest(10)] == [parent]


async def test_a_rerun_with_wrong_credentials_makes_no_batch(store: Store) -> None:
    parent = await running(store, 2)
    await end_jobs(store, parent, {1: (State.FAILED, "busy")})
    wrong = Mailings(store, failing(RefusedError(status=401)), 1000, b"key")
    with pytest.raises(WrongCredentials):
        await rerun_of(wrong, parent, FAILED, start=True, key=None)
    assert [listed.id for listed in await store.batches.newest(10)] == [parent]


async def test_a_single_fax_is_a_running_batch_of_one(store: Store, mailings: Mailings) -> None:
    (recipient,) = recipients(1)
    job = await mailings.fax(definition(priority=Priority.URGENT), recipient, None)
    assert (job.id.row, job.recipient, job.record.state) == (0, recipient, State.WAITING)
    overview = await store.batches.overview(job.id.batch)
    assert overview is not None
    assert (overview.control, overview.rows) == (Control.RUNNING, 1)


async def test_single_faxes_share_one_check_of_the_credentials(store: Store) -> None:
    asked = []

    async def check() -> None:
        asked.append("check")

    mailings = Mailings(store, check, 1000, b"key")
    for recipient in recipients(3):
        await mailings.fax(definition(), recipient, None)
    assert asked == ["check"]


async def test_a_single_fax_with_wrong_credentials_makes_no_batch(store: Store) -> None:
    mailings = Mailings(store, failing(RefusedError(status=401)), 1000, b"key")
    with pytest.raises(WrongCredentials):
        await mailings.fax(definition(), recipients(1)[0], None)
    assert await store.batches.newest(10) == []


async def test_a_single_fax_asked_for_twice_with_one_key_is_one_fax(store: Store, mailings: Mailings) -> None:
    (recipient,) = recipients(1)
    first = await mailings.fax(definition(), recipient, "k")
    assert (await mailings.fax(definition(), recipient, "k")).id == first.id
    with pytest.raises(Conflict):
        await mailings.fax(definition(), Recipient(line=1, number="+12025550199"), "k")
    assert [listed.id for listed in await store.batches.newest(10)] == [first.id.batch]
