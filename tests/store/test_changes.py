"""Changes of batches on a real server: what begins after one, what it is refused for, and what follows from it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.core.batch import Command, CommandRefusal, Definition, Priority
from dispatcher.core.batch_change import ChangeRefusal, changed_fields, ended_categories, makes_version
from dispatcher.core.job import JobId, Record, State
from dispatcher.core.options import FaxOptions
from dispatcher.store.changes import ChangeAnswer, NewDefinition
from dispatcher.store.dispatch import StoredTransition
from dispatcher.store.repeats import StartNote
from tests.store.fixture import KEYS, StoreFixture, dump, words

pytestmark = pytest.mark.anyio

SENDER = FaxOptions(sender="+12025550101")


async def change(
    db: StoreFixture, batch: str = "a", *, dry_run: bool = False, note: StartNote | None = None, **values: Any
) -> ChangeAnswer:
    """Change a batch as the service does."""
    before = await db.changes.read(batch)
    assert before
    is_draft = await db.client.hget(KEYS.batch(batch), "control") == b"draft"
    new = new_definition(before.definition, note, of_draft=is_draft, **values)
    return await db.changes.apply(before, new, is_dry_run=dry_run)


def new_definition(
    before: Definition, note: StartNote | None = None, *, of_draft: bool = True, **values: Any
) -> NewDefinition:
    after = replace(before, **values)
    fields = changed_fields(before, after)
    if makes_version(fields):
        after = replace(after, version=before.version + 1, tag=f"tag{before.version + 1}")
    return NewDefinition(
        definition=after,
        fields=frozenset(fields),
        of_draft=of_draft,
        ended=ended_categories(fields),
        note=note or StartNote(),
    )


async def changed(db: StoreFixture, batch: str = "a", **values: Any) -> ChangeAnswer:
    answer = await change(db, batch, **values)
    assert answer.refusal is None
    return answer


async def versions(db: StoreFixture, job: JobId, attempts: Sequence[int]) -> list[int]:
    known = await db.changes.versions_of(job)
    assert known
    return [known.of(attempt) for attempt in attempts]


async def test_a_lease_with_the_definition_of_before_is_refused_and_nothing_is_spent(db: StoreFixture) -> None:
    await db.running("a", 2)
    lease = await db.leased()
    await db.batches.command("a", Command.PAUSE)
    await changed(db, options=SENDER)
    await db.batches.command("a", Command.RESUME)
    stale = await db.begin(lease)
    assert words(stale) == ["stale", "stale"]
    assert [begun.record for begun in stale.jobs] == [Record(), Record()]
    overview = await db.batches.overview("a")
    assert overview
    assert (overview.attempts, overview.tally.by_state) == (0, {State.WAITING: 2})
    again = await db.leased()
    assert again.tags == {"a": "tag2"}
    assert words(await db.begin(again)) == ["go", "go"]


async def test_a_worker_that_read_the_new_definition_begins_an_old_lease(db: StoreFixture) -> None:
    """The lease says what to build. What was built decides."""
    await db.running("a", 1)
    lease = await db.leased()
    await db.batches.command("a", Command.PAUSE)
    await changed(db, options=SENDER)
    await db.batches.command("a", Command.RESUME)
    assert words(await db.begin(replace(lease, tags={"a": "tag2"}))) == ["go"]


@pytest.mark.parametrize("values", [{"weight": 5}, {"deadline_ms": 2_000_000_000_000}, {"max_per_second": 50.0}])
async def test_what_does_not_change_the_fax_leaves_leases_alone(db: StoreFixture, values: dict[str, Any]) -> None:
    await db.running("a", 1)
    lease = await db.leased()
    await changed(db, **values)
    assert words(await db.begin(lease)) == ["go"]


async def test_a_held_job_of_a_changed_batch_waits_for_its_hold(db: StoreFixture) -> None:
    await db.running("a", 1)
    lease = await db.leased()
    await db.holds.open("job:a.0", "internal", "why")
    await db.batches.command("a", Command.PAUSE)
    await changed(db, options=SENDER)
    await db.batches.command("a", Command.RESUME)
    assert words(await db.begin(lease)) == ["held"]
    assert await db.claim() is None


async def test_a_batch_that_is_being_sent_has_to_be_paused_or_held(db: StoreFixture) -> None:
    await db.running("a", 1)
    assert (await change(db, options=SENDER)).refusal is ChangeRefusal.RUNNING
    await db.holds.open("account", "funds", "why")
    await changed(db, options=SENDER)


async def test_only_a_draft_gets_another_name(db: StoreFixture) -> None:
    await db.draft("a", ["+12025550100"])
    await changed(db, name="April")
    await db.batches.command("a", Command.START)
    assert (await change(db, name="May")).refusal is ChangeRefusal.STARTED


async def test_a_batch_that_has_ended_stays_as_it_is(db: StoreFixture) -> None:
    await db.running("a", 1)
    await db.batches.command("a", Command.CANCEL)
    assert (await change(db, weight=2)).refusal is ChangeRefusal.ENDED


async def test_a_batch_that_was_started_while_its_change_was_checked_is_checked_again(db: StoreFixture) -> None:
    """What a draft may send without leave, a batch that was started may not."""
    await db.draft("a", ["+12025550100"])
    before = await db.changes.read("a")
    assert before
    await db.batches.command("a", Command.START)
    await db.batches.command("a", Command.PAUSE)
    answer = await db.changes.apply(before, new_definition(before.definition, options=SENDER))
    assert answer.refusal is ChangeRefusal.CHANGED


async def test_a_batch_that_was_started_before_its_time_does_not_wait_for_it_again(db: StoreFixture) -> None:
    await db.running("a", 1, start_at_ms=db.ms + 60_000)
    await db.batches.command("a", Command.START_NOW)
    await db.batches.command("a", Command.PAUSE)
    await changed(db, options=SENDER)
    await db.batches.command("a", Command.RESUME)
    assert words(await db.begin(await db.leased())) == ["go"]


async def test_two_changes_at_a_time_do_not_undo_each_other(db: StoreFixture) -> None:
    await db.draft("a", ["+12025550100"])
    before = await db.changes.read("a")
    assert before
    await changed(db, weight=2)
    answer = await db.changes.apply(before, new_definition(before.definition, name="April"))
    assert answer.refusal is ChangeRefusal.CHANGED
    definition = await db.batches.definition("a")
    assert definition
    assert (definition.weight, definition.name) == (2, "a")


async def test_a_repeated_call_changes_nothing_more(db: StoreFixture) -> None:
    await db.draft("a", ["+12025550100"])
    before = await db.changes.read("a")
    assert before
    new = new_definition(before.definition, options=SENDER)
    await db.changes.apply(before, new)
    stored = await dump(db.client)
    await db.pass_ms(5)
    assert (await db.changes.apply(before, new)).refusal is None
    assert await dump(db.client) == stored


async def test_a_dry_run_answers_and_changes_nothing(db: StoreFixture) -> None:
    await db.running("a", 1, documents=("d0c",))
    await db.holds.open("batch:a", "config", "why")
    stored = await dump(db.client)
    answer = await change(db, options=SENDER, deadline_ms=db.ms + 1_000, weight=9, dry_run=True)
    assert (answer.refusal, answer.ended) == (None, frozenset({"batch:a"}))
    assert await dump(db.client) == stored


async def test_the_answer_counts_the_calls_that_go_on(db: StoreFixture) -> None:
    await db.running("a", 5)
    first = await db.sending(max_jobs=3)
    accepted = first.jobs[0]
    transition = StoredTransition(
        job=accepted.job,
        old=accepted.record,
        new=replace(accepted.record, state=State.ACCEPTED, fax_id="F1"),
        next_ms=db.ms + 1000,
    )
    await db.dispatch.settle([transition])
    await db.batches.command("a", Command.PAUSE)
    answer = await changed(db, options=SENDER)
    assert (answer.sending, answer.accepted) == (2, 1)


@pytest.mark.parametrize(("category", "ends"), [("config", True), ("bad_numbers", False)])
async def test_a_change_ends_the_hold_whose_cause_it_removes(db: StoreFixture, category: str, ends: bool) -> None:
    await db.running("a", 1)
    await db.holds.open("batch:a", category, "why")
    assert await db.claim() is None
    answer = await changed(db, options=SENDER)
    assert answer.ended == ({"batch:a"} if ends else set())
    assert (await db.claim() is not None) is ends


async def test_a_new_document_frees_the_batch_and_the_hold_lasts_for_those_that_send_the_old_one(
    db: StoreFixture,
) -> None:
    await db.running("a", 1, documents=("d0c",))
    await db.running("b", 1, first=1, documents=("d0c",))
    await db.holds.open("document:d0c", "document_convert", "why")
    assert await db.claim() is None
    await db.client.hset(KEYS.documents, "d1c", 1)
    assert (await changed(db, documents=("d1c",))).ended == set()
    assert {job.batch for job in (await db.leased()).jobs} == {"a"}
    assert (await changed(db, "b", documents=("d1c",))).ended == {"document:d0c"}
    assert {job.batch for job in (await db.leased()).jobs} == {"b"}
    assert await db.holds.all() == []


async def test_the_new_document_is_needed_and_the_old_one_is_not(db: StoreFixture) -> None:
    await db.draft("a", ["+12025550100"], documents=("d0c",))
    assert (await change(db, documents=("d1c",))).refusal is ChangeRefusal.NO_DOCUMENT
    await db.client.hset(KEYS.documents, "d1c", 1)
    await changed(db, documents=("d1c",))
    assert await db.client.smembers(KEYS.document_users("d1c")) == {b"a"}
    assert await db.client.exists(KEYS.document_users("d0c")) == 0
    await changed(db, documents=())
    assert await db.client.exists(KEYS.document_users("d1c")) == 0


async def test_failures_of_what_was_put_right_hold_nothing(db: StoreFixture) -> None:
    await db.running("a", 1)
    before = await db.batches.definition("a")
    for attempt in ("a.0/1", "a.1/1"):
        await db.holds.count_failure("batch:a", 3, attempt=attempt, within_s=60, source=before)
    await db.batches.command("a", Command.PAUSE)
    await changed(db, options=SENDER)
    after = await db.batches.definition("a")
    assert not await db.holds.count_failure("batch:a", 1, attempt="a.2/1", within_s=60, source=before)
    assert not await db.holds.open("batch:a", "config", "why", source=before)
    assert not await db.holds.count_failure("batch:a", 3, attempt="a.3/1", within_s=60, source=after)
    assert await db.holds.open("batch:a", "config", "why", source=after)


async def test_a_deadline_that_is_put_off_is_not_kept(db: StoreFixture) -> None:
    await db.running("a", 1, deadline_ms=db.ms + 1_000)
    await db.pass_ms(1_500)
    assert await db.dispatch.overdue_batches(db.ms) == ["a"]
    await changed(db, deadline_ms=db.ms + 1_000)
    late = await db.batches.command("a", Command.EXPIRE, overdue=True)
    assert late
    assert late.refusal is CommandRefusal.NOT_ALLOWED
    assert await db.dispatch.overdue_batches(db.ms) == []
    await db.pass_ms(1_500)
    assert await db.dispatch.overdue_batches(db.ms) == ["a"]
    ended = await db.batches.command("a", Command.EXPIRE, overdue=True)
    assert ended
    assert ended.done


async def test_a_deadline_that_has_passed_is_refused_and_none_is_possible(db: StoreFixture) -> None:
    await db.running("a", 1, deadline_ms=db.ms + 1_000)
    assert (await change(db, deadline_ms=db.ms)).refusal is ChangeRefusal.LATE
    await changed(db, deadline_ms=0)
    await db.pass_ms(5_000)
    assert await db.dispatch.overdue_batches(db.ms) == []
    assert words(await db.begin(await db.leased())) == ["go"]


async def test_a_batch_changes_its_class_while_it_is_sent(db: StoreFixture) -> None:
    await db.running("a", 10)
    await db.running("b", 10, first=10, priority=Priority.URGENT)
    await db.leased(max_jobs=4)
    await db.leased("urgent", max_jobs=4)
    await changed(db, priority=Priority.URGENT)
    assert await db.claim() is None
    assert {job.batch for job in (await db.leased("urgent", max_jobs=16)).jobs} == {"a", "b"}


async def test_a_batch_that_waits_for_its_own_rate_goes_on_at_once_at_a_higher_one(db: StoreFixture) -> None:
    await db.running("a", 5, max_per_second=0.001)
    assert len((await db.leased()).jobs) == 1
    assert await db.claim() is None
    await changed(db, max_per_second=0.0)
    assert len((await db.leased()).jobs) == 4


async def test_attempts_are_known_by_their_version(db: StoreFixture) -> None:
    await db.running("a", 3)
    (first,) = (await db.sending(max_jobs=1)).jobs
    leased = await db.leased(max_jobs=1)
    await db.batches.command("a", Command.PAUSE)
    await changed(db, options=SENDER)
    await db.batches.command("a", Command.RESUME)
    await db.begin(leased)
    back = replace(first.record, state=State.WAITING, lease=0)
    await db.dispatch.settle(
        [StoredTransition(job=first.job, old=first.record, new=back, next_ms=db.ms, rest_s=0.0, attempt=1)]
    )
    assert words(await db.begin(await db.leased())) == ["go"] * 3
    assert await versions(db, JobId("a", 0), [1, 2]) == [1, 2]
    assert await versions(db, JobId("a", 1), [1]) == [2]
    assert await versions(db, JobId("a", 2), [1]) == [2]
    noted = await db.client.hgetall(KEYS.of_block("a", "versions", 0))
    assert noted == {b"0": b"2:2", b"1": b"1:2"}


async def test_a_damaged_note_of_versions_stops_no_send(db: StoreFixture) -> None:
    await db.running("a", 1)
    lease = await db.leased()
    await db.batches.command("a", Command.PAUSE)
    await changed(db, options=SENDER)
    await db.batches.command("a", Command.RESUME)
    await db.client.set(KEYS.of_block("a", "versions", 0), "no hash")
    await db.begin(lease)
    assert words(await db.begin(await db.leased())) == ["go"]


async def test_a_start_that_was_compared_with_other_content_is_not_carried_out(db: StoreFixture) -> None:
    await db.draft("a", ["+12025550100"])
    await changed(db, options=SENDER)
    old = await db.batches.command("a", Command.START, StartNote(content="c0ffee"))
    assert old
    assert old.refusal is CommandRefusal.CHANGED
    new = await db.batches.command("a", Command.START, StartNote(content="c0ffee", tag="tag2"))
    assert new
    assert new.done


async def test_what_a_started_batch_sends_from_now_on_is_recorded(db: StoreFixture) -> None:
    await db.running("a", 1)
    await db.batches.command("a", Command.PAUSE)
    note = StartNote(content="c0ffee", sketch=b"12345678")
    await changed(db, options=SENDER, note=note)
    assert [line.split()[0] for line in await db.client.lrange(KEYS.starts("c0ffee"), 0, -1)] == [b"a"]
    assert await db.client.get(KEYS.of_batch("a", "hashes")) == b"12345678"
    # another batch of that content was started since the comparison
    answer = await change(db, options=FaxOptions(sender="+12025550102"), note=note)
    assert answer.refusal is ChangeRefusal.CHANGED


async def test_a_batch_has_a_last_version(db: StoreFixture) -> None:
    await db.draft("a", ["+12025550100"])
    before = await db.changes.read("a")
    assert before
    new = new_definition(replace(before.definition, version=1000), options=SENDER)
    assert (await db.changes.apply(before, new)).refusal is ChangeRefusal.TOO_OFTEN
