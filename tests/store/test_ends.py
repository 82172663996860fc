"""When a batch may no longer be started or stopped, and what a recount makes of one."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import Command, CommandRefusal, Control
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Record, State
from dispatcher.store.audit import Audit
from dispatcher.store.batches import Overview
from dispatcher.store.dispatch import StoredTransition
from tests.store.fixture import KEYS, StoreFixture, number, upload_chunk, words

pytestmark = pytest.mark.anyio

DEADLINE_MS = 60_000


async def overview_of(db: StoreFixture) -> Overview:
    overview = await db.batches.overview("a")
    assert overview is not None
    return overview


async def refused(db: StoreFixture, command: Command) -> CommandRefusal | None:
    answer = await db.batches.command("a", command)
    assert answer is not None
    assert answer.control is (await overview_of(db)).control
    return answer.refusal


async def deliver_all(db: StoreFixture) -> None:
    for begun in (await db.sending()).jobs:
        new = replace(begun.record, state=State.DELIVERED, lease=0)
        change = StoredTransition(job=begun.job, old=begun.record, new=new, rest_s=0.0, attempt=1)
        assert await db.dispatch.settle([change]) == [None]


@pytest.mark.parametrize(("late_ms", "word"), [(-1, "go"), (0, "deadline"), (19_000, "deadline")])
async def test_no_job_is_begun_at_the_deadline_or_later_whether_a_scheduler_lives_or_not(
    db: StoreFixture, late_ms: int, word: str
) -> None:
    """It goes back unspent, and ends with its batch."""
    await db.running("a", 1, deadline_ms=db.ms + DEADLINE_MS)
    await db.pass_ms(DEADLINE_MS - 500)
    lease = await db.leased()
    await db.pass_ms(500 + late_ms)
    assert words(await db.begin(lease)) == [word]
    if word == "deadline":
        assert await refused(db, Command.EXPIRE) is None
        await db.dispatch.finalize()
        assert (await db.batches.records("a", 0))[0].state is State.EXPIRED


@pytest.mark.parametrize("late_ms", [0, 1, 10_000_000])
async def test_a_draft_does_not_start_once_its_deadline_has_passed(db: StoreFixture, late_ms: int) -> None:
    """It stays a draft, instead of running for a moment and ending as expired."""
    await db.draft("a", [number(0)], deadline_ms=db.ms + DEADLINE_MS)
    await db.pass_ms(DEADLINE_MS + late_ms)
    assert await refused(db, Command.START) is CommandRefusal.LATE
    assert (await overview_of(db)).control is Control.DRAFT
    assert await db.dispatch.overdue_batches(db.ms) == []
    assert await refused(db, Command.CANCEL) is None


@pytest.mark.parametrize(
    ("first", "then"),
    [(Command.START, Command.START_NOW), (Command.PAUSE, Command.RESUME)],
    ids=["scheduled", "paused"],
)
async def test_a_scheduled_or_paused_batch_does_not_go_on_either(
    db: StoreFixture, first: Command, then: Command
) -> None:
    """However late the scheduler is that would have expired it."""
    later = {"start_at_ms": db.ms + 30_000} if then is Command.START_NOW else {}
    await db.running("a", 1, deadline_ms=db.ms + DEADLINE_MS, **later)
    if first is Command.PAUSE:
        await db.batches.command("a", first)
    await db.pass_ms(DEADLINE_MS)
    assert await refused(db, then) is CommandRefusal.LATE
    assert await db.dispatch.overdue_batches(db.ms) == ["a"]


@pytest.mark.parametrize("command", [Command.PAUSE, Command.CANCEL, Command.EXPIRE])
async def test_a_batch_whose_jobs_are_all_final_has_ended_for_good(db: StoreFixture, command: Command) -> None:
    """And is never named as overdue again, whatever put it back there."""
    await db.running("a", 2, deadline_ms=db.ms + DEADLINE_MS)
    await deliver_all(db)
    await db.client.zadd(KEYS.deadlines, {"a": db.ms})
    assert await refused(db, command) is CommandRefusal.ENDED
    assert (await overview_of(db)).control is Control.RUNNING
    assert await db.dispatch.overdue_batches(db.ms + 1) == []


async def recount(db: StoreFixture) -> bool:
    """As the doctor does it: by the records."""
    audit = Audit(db.client, db.scripts)
    counted: dict[str, int] = {}
    for raw in await audit.raw_records("a", 0):
        field = f"{raw[0]}:{raw[12]}:{raw[13]}"
        counted[field] = counted.get(field, 0) + 1
    return await audit.recount(await audit.facts("a"), counted, {})


async def test_a_recount_ends_a_batch_whose_last_job_was_not_counted(db: StoreFixture) -> None:
    """Its end is set, and its deadline does not make it expired any more."""
    await db.running("a", 3, deadline_ms=db.ms + DEADLINE_MS)
    await db.client.hincrby(KEYS.batch("a"), "finals", -1)
    await db.client.hincrby(KEYS.of_batch("a", "counts"), "10:0:0", -1)
    await deliver_all(db)
    assert (await overview_of(db)).finished_ms == 0
    await db.pass_ms(5)
    assert await recount(db)
    assert (await overview_of(db)).finished_ms == db.ms
    assert await db.dispatch.overdue_batches(db.ms + DEADLINE_MS) == []
    assert await refused(db, Command.EXPIRE) is CommandRefusal.ENDED


async def test_a_recount_takes_back_an_end_that_came_too_early(db: StoreFixture) -> None:
    await db.running("a", 3, deadline_ms=db.ms + DEADLINE_MS)
    await db.client.hincrby(KEYS.batch("a"), "finals", 2)
    begun = (await db.sending(max_jobs=1)).jobs[0]
    new = replace(begun.record, state=State.DELIVERED, lease=0)
    await db.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, rest_s=0.0, attempt=1)])
    assert (await overview_of(db)).finished_ms
    await db.client.hincrby(KEYS.of_batch("a", "counts"), "1:0:0", 1)
    assert await recount(db)
    assert (await overview_of(db)).finished_ms == 0
    assert await db.dispatch.overdue_batches(db.ms + DEADLINE_MS) == ["a"]


async def test_a_recount_of_an_empty_draft_does_not_end_it(db: StoreFixture) -> None:
    await db.draft("a", [number(0)])
    await db.client.hset(KEYS.of_batch("a", "counts"), mapping={"1:0:0": 5})
    audit = Audit(db.client, db.scripts)
    assert await audit.recount(await audit.facts("a"), {}, {})
    assert (await overview_of(db)).finished_ms == 0


async def test_parts_of_an_upload_follow_each_other(db: StoreFixture) -> None:
    """One that overlaps what is stored, or leaves lines out, is refused, and not taken for a repeat."""
    await db.draft("a", [number(index) for index in range(10)])

    async def stored(first: int, count: int) -> tuple[str, int]:
        answer = await db.batches.add_chunk(
            "a", upload_chunk([number(100 + index) for index in range(count)], first_line=first)
        )
        return answer.status, answer.lines_done

    assert await stored(12, 5) == ("gap", 10)
    assert await stored(6, 8) == ("gap", 10)
    assert await stored(1, 10) == ("repeat", 10)
    assert await stored(11, 5) == ("stored", 15)
    assert (await overview_of(db)).rows == 15


async def test_a_selection_stays_as_it_was_fixed_first(db: StoreFixture) -> None:
    await db.draft("a", [number(0)])
    assert await db.batches.fix_selection("a", {0: b"\x01", 1: b""}) == "stored"
    assert await db.batches.fix_selection("a", {0: b"\x03", 1: b"\x01", 2: b"\x07"}) == "stored"
    assert await db.batches.selection("a") == {0: b"\x01", 1: b"", 2: b"\x07"}
    await db.batches.command("a", Command.START)
    assert await db.batches.selection("a") == {}
    assert await db.batches.fix_selection("a", {0: b"\x01"}) == "closed"
    assert await db.batches.fix_selection("b", {0: b"\x01"}) == "missing"
    record: Record = await db.record(JobId("a", 0))
    assert record.state is State.WAITING


@pytest.mark.parametrize("ended_by", ["put back", "drained", "not at all", "claimed"])
@pytest.mark.parametrize("line", [True, False])
async def test_a_settlement_whose_answer_was_lost_counts_once(db: StoreFixture, ended_by: str, line: bool) -> None:
    """Also when the job has become final by it, since its batch had ended, or has moved on since."""
    await db.running("a", 1)
    (begun,) = (await db.sending()).jobs
    entry = HistoryEntry(
        attempt=1, at_ms=db.ms, outcome=AttemptOutcome.REFUSED, failure=FailureCode(category="auth"), why="refused"
    )
    new = replace(begun.record, state=State.WAITING, lease=0)
    change = StoredTransition(
        job=begun.job,
        old=begun.record,
        new=new,
        next_ms=db.ms,
        history=entry if line else None,
        spent=1,
        totals={"attempts|refused": 1},
    )
    if ended_by == "put back":
        await db.batches.command("a", Command.CANCEL)
    assert await db.dispatch.settle([change]) == [None]
    if ended_by == "drained":
        await db.batches.command("a", Command.CANCEL)
        await db.dispatch.finalize()
    if ended_by == "claimed" and line:
        assert (await db.leased()).jobs == (begun.job,)
    assert await db.dispatch.settle([change]) == [None]
    assert await db.client.hget(KEYS.totals, "attempts|refused") == b"1"
    assert (await overview_of(db)).attempts == 1
