"""When a batch may no longer be started or stopped, and what a recount makes of one."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import Command, CommandRefusal, Control
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Record, State
from dispatcher.store.audit import Audit
from dispatcher.store.batches import Overview
from dispatcher.store.dispatch import StoredTransition
from tests.store.fixture import KEYS, StoreFixture, number, part, words

pytestmark = pytest.mark.anyio

DEADLINE_MS = 60_000


async def overview_of(world: StoreFixture) -> Overview:
    overview = await world.batches.overview("a")
    assert overview is not None
    return overview


async def refused(world: StoreFixture, command: Command) -> CommandRefusal | None:
    answer = await world.batches.command("a", command)
    assert answer is not None
    assert answer.control is (await overview_of(world)).control
    return answer.refusal


async def deliver_all(world: StoreFixture) -> None:
    for begun in (await world.sending()).jobs:
        new = replace(begun.record, state=State.DELIVERED, lease=0)
        change = StoredTransition(job=begun.job, old=begun.record, new=new, rest_s=0.0, attempt=1)
        assert await world.dispatch.settle([change]) == [None]


@pytest.mark.parametrize(("late_ms", "word"), [(-1, "go"), (0, "deadline"), (19_000, "deadline")])
async def test_no_job_is_begun_at_the_deadline_or_later_whether_a_scheduler_lives_or_not(
    world: StoreFixture, late_ms: int, word: str
) -> None:
    """It goes back unspent, and ends with its batch."""
    await world.running("a", 1, deadline_ms=world.ms + DEADLINE_MS)
    await world.pass_ms(DEADLINE_MS - 500)
    lease = await world.leased()
    await world.pass_ms(500 + late_ms)
    assert words(await world.begin(lease)) == [word]
    if word == "deadline":
        assert await refused(world, Command.EXPIRE) is None
        await world.dispatch.finalize()
        assert (await world.batches.records("a", 0))[0].state is State.EXPIRED


@pytest.mark.parametrize("late_ms", [0, 1, 10_000_000])
async def test_a_draft_does_not_start_once_its_deadline_has_passed(world: StoreFixture, late_ms: int) -> None:
    """It stays a draft, instead of running for a moment and ending as expired."""
    await world.draft("a", [number(0)], deadline_ms=world.ms + DEADLINE_MS)
    await world.pass_ms(DEADLINE_MS + late_ms)
    assert await refused(world, Command.START) is CommandRefusal.LATE
    assert (await overview_of(world)).control is Control.DRAFT
    assert await world.dispatch.overdue_batches(world.ms) == []
    assert await refused(world, Command.CANCEL) is None


@pytest.mark.parametrize(
    ("first", "then"),
    [(Command.START, Command.START), (Command.PAUSE, Command.RESUME)],
    ids=["scheduled", "paused"],
)
async def test_a_scheduled_or_paused_batch_does_not_go_on_either(
    world: StoreFixture, first: Command, then: Command
) -> None:
    """However late the scheduler is that would have expired it."""
    later = {"start_at_ms": world.ms + 30_000} if then is Command.START else {}
    await world.running("a", 1, deadline_ms=world.ms + DEADLINE_MS, **later)
    if first is Command.PAUSE:
        await world.batches.command("a", first)
    await world.pass_ms(DEADLINE_MS)
    assert await refused(world, then) is CommandRefusal.LATE
    assert await world.dispatch.overdue_batches(world.ms) == ["a"]


@pytest.mark.parametrize("command", [Command.PAUSE, Command.CANCEL, Command.EXPIRE])
async def test_a_batch_whose_jobs_are_all_final_has_ended_for_good(world: StoreFixture, command: Command) -> None:
    """And is never named as overdue again, whatever put it back there."""
    await world.running("a", 2, deadline_ms=world.ms + DEADLINE_MS)
    await deliver_all(world)
    await world.client.zadd(KEYS.deadlines, {"a": world.ms})
    assert await refused(world, command) is CommandRefusal.ENDED
    assert (await overview_of(world)).control is Control.RUNNING
    assert await world.dispatch.overdue_batches(world.ms + 1) == []


async def recount(world: StoreFixture) -> bool:
    """As the doctor does it: by the records."""
    audit = Audit(world.client, world.scripts)
    counted: dict[str, int] = {}
    for raw in await audit.raw_records("a", 0):
        field = f"{raw[0]}:{raw[12]}:{raw[13]}"
        counted[field] = counted.get(field, 0) + 1
    return await audit.recount("a", (await audit.facts("a")).counts, counted)


async def test_a_recount_ends_a_batch_whose_last_job_was_not_counted(world: StoreFixture) -> None:
    """Its end is set, and its deadline does not make it expired any more."""
    await world.running("a", 3, deadline_ms=world.ms + DEADLINE_MS)
    await world.client.hincrby(KEYS.batch("a"), "finals", -1)
    await world.client.hincrby(KEYS.part("a", "counts"), "10:0:0", -1)
    await deliver_all(world)
    assert (await overview_of(world)).finished_ms == 0
    await world.pass_ms(5)
    assert await recount(world)
    assert (await overview_of(world)).finished_ms == world.ms
    assert await world.dispatch.overdue_batches(world.ms + DEADLINE_MS) == []
    assert await refused(world, Command.EXPIRE) is CommandRefusal.ENDED


async def test_a_recount_takes_back_an_end_that_came_too_early(world: StoreFixture) -> None:
    await world.running("a", 3, deadline_ms=world.ms + DEADLINE_MS)
    await world.client.hincrby(KEYS.batch("a"), "finals", 2)
    begun = (await world.sending(max_jobs=1)).jobs[0]
    new = replace(begun.record, state=State.DELIVERED, lease=0)
    await world.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, rest_s=0.0, attempt=1)])
    assert (await overview_of(world)).finished_ms
    await world.client.hincrby(KEYS.part("a", "counts"), "1:0:0", 1)
    assert await recount(world)
    assert (await overview_of(world)).finished_ms == 0
    assert await world.dispatch.overdue_batches(world.ms + DEADLINE_MS) == ["a"]


async def test_a_recount_of_an_empty_draft_does_not_end_it(world: StoreFixture) -> None:
    await world.draft("a", [number(0)])
    await world.client.hset(KEYS.part("a", "counts"), mapping={"1:0:0": 5})
    audit = Audit(world.client, world.scripts)
    assert await audit.recount("a", (await audit.facts("a")).counts, {})
    assert (await overview_of(world)).finished_ms == 0


async def test_parts_of_an_upload_follow_each_other(world: StoreFixture) -> None:
    """One that overlaps what is stored, or leaves lines out, is refused, and not taken for a repeat."""
    await world.draft("a", [number(index) for index in range(10)])

    async def stored(first: int, count: int) -> tuple[str, int]:
        answer = await world.batches.add_chunk(
            "a", part([number(100 + index) for index in range(count)], first_line=first)
        )
        return answer.status, answer.lines_done

    assert await stored(12, 5) == ("gap", 10)
    assert await stored(6, 8) == ("gap", 10)
    assert await stored(1, 10) == ("repeat", 10)
    assert await stored(11, 5) == ("stored", 15)
    assert (await overview_of(world)).rows == 15


async def test_a_selection_stays_as_it_was_fixed_first(world: StoreFixture) -> None:
    await world.draft("a", [number(0)])
    assert await world.batches.fix_selection("a", {0: b"\x01", 1: b""}) == "stored"
    assert await world.batches.fix_selection("a", {0: b"\x03", 1: b"\x01", 2: b"\x07"}) == "stored"
    assert await world.batches.selection("a") == {0: b"\x01", 1: b"", 2: b"\x07"}
    await world.batches.command("a", Command.START)
    assert await world.batches.selection("a") == {}
    assert await world.batches.fix_selection("a", {0: b"\x01"}) == "closed"
    assert await world.batches.fix_selection("b", {0: b"\x01"}) == "missing"
    record: Record = await world.record(JobId("a", 0))
    assert record.state is State.WAITING


@pytest.mark.parametrize("ended_by", ["put back", "drained", "not at all", "claimed"])
@pytest.mark.parametrize("line", [True, False])
async def test_a_settlement_whose_answer_was_lost_counts_once(world: StoreFixture, ended_by: str, line: bool) -> None:
    """Also when the job has become final by it, since its batch had ended, or has moved on since."""
    await world.running("a", 1)
    (begun,) = (await world.sending()).jobs
    entry = HistoryEntry(
        attempt=1, at_ms=world.ms, outcome=AttemptOutcome.REFUSED, failure=FailureCode(category="auth"), why="refused"
    )
    new = replace(begun.record, state=State.WAITING, lease=0)
    change = StoredTransition(
        job=begun.job,
        old=begun.record,
        new=new,
        next_ms=world.ms,
        history=entry if line else None,
        spent=1,
        totals={"attempts|refused": 1},
    )
    if ended_by == "put back":
        await world.batches.command("a", Command.CANCEL)
    assert await world.dispatch.settle([change]) == [None]
    if ended_by == "drained":
        await world.batches.command("a", Command.CANCEL)
        await world.dispatch.finalize()
    if ended_by == "claimed" and line:
        assert (await world.leased()).jobs == (begun.job,)
    assert await world.dispatch.settle([change]) == [None]
    assert await world.client.hget(KEYS.totals, "attempts|refused") == b"1"
    assert (await overview_of(world)).attempts == 1
