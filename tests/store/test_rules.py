"""What the design promises of claim, begin, settle and reap, one promise at a time."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import Command, Control, Priority
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Record, State
from dispatcher.core.limits.allowance import Period
from dispatcher.core.limits.rate import interval_us
from dispatcher.core.settlement.lookup import scheduled_lookup_ms
from dispatcher.core.settlement.transition import send_deadline_ms
from dispatcher.store.dispatch import BeginAnswer, Candidate, JobGone, JobHold, Lease, StoredTransition
from tests.store import snapshot
from tests.store.fixture import CLAIM_OPTIONS, KEYS, RATE, StoreFixture, number, upload_chunk, words

pytestmark = pytest.mark.anyio


async def ended(db: StoreFixture, job: JobId, old: Record, *, rest_s: float = 0.0) -> None:
    """The attempt of a job that is being sent was delivered."""
    new = replace(old, state=State.DELIVERED, lease=0)
    change = StoredTransition(job=job, old=old, new=new, rest_s=rest_s, attempt=old.attempt, spent=1)
    assert await db.dispatch.settle([change]) == [None]


async def begin_calling(db: StoreFixture, lease: Lease, number_hash: str) -> BeginAnswer:
    candidates = [Candidate(job=job, number_hash=number_hash, number="") for job in lease.jobs]
    return await db.dispatch.begin(lease, candidates, max_in_flight=1000)


async def test_a_lease_is_begun_once_however_often_it_is_told(db: StoreFixture) -> None:
    """dramatiq may deliver a message twice: the second worker must not send what the first one sends."""
    await db.running("a", 3)
    lease = await db.leased()
    assert words(await db.begin(lease)) == ["go", "go", "go"]
    assert words(await db.begin(lease)) == ["gone", "gone", "gone"]


async def test_a_worker_whose_lease_was_given_back_begins_nothing(db: StoreFixture) -> None:
    await db.running("a", 2)
    late = await db.leased()
    await db.pass_ms(31_000)
    await db.dispatch.reclaim(max_jobs=10, again_s=30)
    again = await db.leased()
    assert again.jobs == late.jobs
    assert words(await db.begin(late)) == ["gone", "gone"]
    assert words(await db.begin(again)) == ["go", "go"]


async def test_two_jobs_with_one_number_are_never_called_at_once(db: StoreFixture) -> None:
    """Not over batches either; the second waits, and is sent when the first has ended."""
    await db.running("a", 1)
    await db.running("b", 1)
    first = await begin_calling(db, await db.leased(max_jobs=1), "same")
    second = await begin_calling(db, await db.leased(max_jobs=1), "same")
    assert (words(first), words(second)) == (["go"], ["number"])
    assert second.jobs[0].record.attempt == 0
    await ended(db, first.jobs[0].job, first.jobs[0].record)
    await db.pass_ms(15_000)
    assert words(await begin_calling(db, await db.leased(), "same")) == ["go"]


async def test_a_number_rests_after_a_call(db: StoreFixture) -> None:
    await db.running("a", 2)
    first = await begin_calling(db, await db.leased(max_jobs=1), "same")
    await ended(db, first.jobs[0].job, first.jobs[0].record, rest_s=60.0)
    assert words(await begin_calling(db, await db.leased(), "same")) == ["number"]
    await db.pass_ms(59_999)
    assert words(await begin_calling(db, await db.leased(), "same")) == ["number"]
    await db.pass_ms(1)
    assert words(await begin_calling(db, await db.leased(), "same")) == ["go"]


async def test_the_end_of_a_call_leaves_the_lock_of_another_job_alone(db: StoreFixture) -> None:
    """The lock of the first had run out, and the second one took it."""
    await db.running("a", 2)
    first = await begin_calling(db, await db.leased(max_jobs=1), "same")
    await db.client.delete(KEYS.number("same"))
    second = await begin_calling(db, await db.leased(max_jobs=1), "same")
    await ended(db, first.jobs[0].job, first.jobs[0].record)
    assert (await db.client.get(KEYS.number("same"))).split()[0] == f"{second.jobs[0].job}/1".encode()


async def test_no_job_begins_after_pause_has_answered(db: StoreFixture) -> None:
    """Pause says how many were begun before; resume lets the rest go at once."""
    await db.running("a", 20)
    sent = await db.sending(max_jobs=5)
    lease = await db.leased(max_jobs=10)
    answer = await db.batches.command("a", Command.PAUSE)
    assert answer is not None
    assert (answer.done, answer.in_flight) == (True, len(sent.jobs))
    assert set(words(await db.begin(lease))) == {"batch"}
    assert await db.claim() is None
    await db.batches.command("a", Command.RESUME)
    assert len((await db.leased()).jobs) == 15


@pytest.mark.parametrize(("command", "state"), [(Command.CANCEL, State.CANCELLED), (Command.EXPIRE, State.EXPIRED)])
async def test_an_ended_batch_moves_its_unstarted_rows_at_once_and_drains_the_rest(
    db: StoreFixture, command: Command, state: State
) -> None:
    """Those that wait for a retry end in steps, leased ones when they are begun, one in flight runs out."""
    await db.running("a", 100)
    begun = await db.sending(max_jobs=6)
    for begun_job in begun.jobs[:5]:
        waiting = replace(begun_job.record, state=State.WAITING, lease=0)
        await db.dispatch.settle(
            [StoredTransition(job=begun_job.job, old=begun_job.record, new=waiting, next_ms=db.ms + 9_000)]
        )
    lease = await db.leased(max_jobs=4)
    await db.batches.command("a", command)
    tally = await tally_of(db)
    assert tally == {State.WAITING: 5, State.LEASED: 4, State.SENDING: 1, state: 90}
    assert {record.state for record in (await db.batches.records("a", 0))[10:]} == {state}
    assert [await db.dispatch.finalize(3), await db.dispatch.finalize(3), await db.dispatch.finalize(3)] == [
        3,
        2,
        0,
    ]
    assert set(words(await db.begin(lease))) == {"batch"}
    assert await tally_of(db) == {State.SENDING: 1, state: 99}
    await ended(db, begun.jobs[5].job, begun.jobs[5].record)
    assert await tally_of(db) == {State.DELIVERED: 1, state: 99}
    overview = await db.batches.overview("a")
    assert overview is not None
    assert overview.finished_ms == db.ms


async def tally_of(db: StoreFixture) -> dict[State, int]:
    overview = await db.batches.overview("a")
    assert overview is not None
    return dict(overview.tally.by_state)


async def test_a_retry_verdict_after_the_end_of_a_batch_becomes_its_end(db: StoreFixture) -> None:
    await db.running("a", 1)
    begun = (await db.sending()).jobs[0]
    await db.batches.command("a", Command.CANCEL)
    retry = replace(begun.record, state=State.WAITING, lease=0)
    assert await db.dispatch.settle(
        [StoredTransition(job=begun.job, old=begun.record, new=retry, next_ms=db.ms + 1, rest_s=0.0, attempt=1)]
    ) == [None]
    assert (await db.record(begun.job)).state is State.CANCELLED


async def test_a_batch_that_finished_before_its_deadline_does_not_expire(db: StoreFixture) -> None:
    await db.running("a", 1, deadline_ms=db.ms + 60_000)
    begun = (await db.sending()).jobs[0]
    await ended(db, begun.job, begun.record)
    assert await db.dispatch.overdue_batches(db.ms + 60_000) == []


async def test_a_batch_whose_deadline_has_passed_is_named_until_it_is_told(db: StoreFixture) -> None:
    await db.running("a", 2, deadline_ms=db.ms + 60_000)
    assert await db.dispatch.overdue_batches(db.ms + 59_999) == []
    assert await db.dispatch.overdue_batches(db.ms + 60_000) == ["a"]
    await db.batches.command("a", Command.EXPIRE)
    assert await db.dispatch.overdue_batches(db.ms + 60_000) == []


async def test_a_scheduled_batch_starts_at_its_time(db: StoreFixture) -> None:
    await db.running("a", 2, start_at_ms=db.ms + 10_000)
    assert (await control_of(db)) is Control.SCHEDULED
    assert await db.claim() is None
    await db.pass_ms(10_000)
    assert len((await db.leased()).jobs) == 2
    overview = await db.batches.overview("a")
    assert overview is not None
    assert (overview.control, overview.started_ms) == (Control.RUNNING, db.ms)


async def test_a_pause_does_not_bring_a_scheduled_start_forward(db: StoreFixture) -> None:
    await db.running("a", 2, start_at_ms=db.ms + 10_000)
    await db.batches.command("a", Command.PAUSE)
    answer = await db.batches.command("a", Command.RESUME)
    assert answer is not None
    assert (answer.done, answer.control) == (True, Control.SCHEDULED)
    assert await db.claim() is None


async def test_a_scheduled_batch_that_is_started_by_hand_starts_at_once(db: StoreFixture) -> None:
    """And does not go back to waiting for its time after a pause."""
    await db.running("a", 2, start_at_ms=db.ms + 10_000)
    for command in (Command.START_NOW, Command.PAUSE, Command.RESUME):
        await db.batches.command("a", command)
    assert (await control_of(db)) is Control.RUNNING
    assert len((await db.leased()).jobs) == 2


async def control_of(db: StoreFixture) -> Control:
    overview = await db.batches.overview("a")
    assert overview is not None
    return overview.control


async def test_a_started_batch_is_due_although_the_clock_is_set_back_before_anybody_looks(db: StoreFixture) -> None:
    await db.running("b1", 1)
    await db.step_s(-3600)
    assert (await db.leased()).jobs == (JobId("b1", 0),)


async def test_claimers_together_keep_no_more_work_ahead_than_one(db: StoreFixture) -> None:
    await db.running("a", 100)
    taken = 0
    while lease := await db.claim(max_jobs=8, ahead=20):
        taken += len(lease.jobs)
    assert taken == 20
    assert await db.claim(max_jobs=8, ahead=20) is None


async def test_no_more_is_claimed_than_there_is_room_for_in_flight(db: StoreFixture) -> None:
    """What could not be begun would only go to and fro."""
    await db.running("a", 100)
    lease = await db.claim(max_jobs=8, in_flight=20)
    assert lease is not None
    await db.begin(lease)
    assert [len(claimed.jobs) if (claimed := await db.claim(max_jobs=8, in_flight=20)) else 0 for _ in range(3)] == [
        8,
        4,
        0,
    ]


async def test_an_urgent_fax_is_claimed_before_100_000_waiting_bulk_jobs(db: StoreFixture) -> None:
    """And the claim looks at no more of the others for it."""
    await db.draft("a", [number(index) for index in range(1000)])
    for block in range(1, 100):
        rows = [
            f"+1{first}55501{index:02d}"
            for first in range(block * 10 + 1000, block * 10 + 1010)
            for index in range(100)
        ]
        await db.batches.add_chunk("a", upload_chunk(rows, first_line=block * 1000 + 1))
    await db.batches.command("a", Command.START)
    assert len((await db.leased()).jobs) == 32
    await db.running("u", 1, first=5000, priority=Priority.URGENT)
    assert (await db.leased("urgent")).jobs == (JobId("u", 0),)


async def test_a_job_being_sent_is_named_once_its_look_is_due_and_again_until_it_is_settled(
    db: StoreFixture,
) -> None:
    await db.running("a", 1)
    begun = (await db.sending()).jobs[0]
    await db.set_clock(send_deadline_ms(begun.record, db.policy) * 1000)
    assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).unclear == 1
    await db.set_clock(scheduled_lookup_ms(begun.record, db.policy) * 1000 - 1)
    assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == ()
    await db.pass_ms(1)
    assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == (begun.job,)
    assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == ()
    await db.pass_ms(30_000)
    assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == (begun.job,)
    await ended(db, begun.job, begun.record)
    await db.pass_ms(30_000)
    assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == ()


async def test_no_more_jobs_are_sent_at_once_than_allowed(db: StoreFixture) -> None:
    await db.running("a", 5)
    answer = await db.begin(await db.leased(), max_in_flight=3)
    assert words(answer) == ["go", "go", "go", "full", "full"]


@pytest.mark.parametrize("reaped", [False, True], ids=["before", "after the scheduler has looked"])
async def test_a_send_counts_as_being_sent_until_its_deadline_and_no_longer(db: StoreFixture, reaped: bool) -> None:
    """After it no request is under way, whatever became of it: what is unclear stops nobody."""
    await db.running("a", 9)
    first = await db.sending(max_jobs=3)
    await db.set_clock(send_deadline_ms(first.jobs[0].record, db.policy) * 1000)
    assert words(await db.begin(await db.leased(max_jobs=2), max_in_flight=3)) == ["full"] * 2
    await db.pass_ms(100)
    if reaped:
        assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).unclear == 3
    assert await db.claim(in_flight=2)
    assert words(await db.begin(await db.leased(max_jobs=2), max_in_flight=3)) == ["go"] * 2
    sizes = await db.dispatch.sizes()
    assert (sizes["sending"], sizes["unclear"]) == ((2, 3) if reaped else (5, 0))


async def test_an_unclear_answer_ends_the_send_and_an_answer_after_the_deadline_is_heeded(db: StoreFixture) -> None:
    await db.running("a", 2)
    clear, late = (await db.sending()).jobs
    unclear = replace(clear.record, unclear=True)
    change = StoredTransition(job=clear.job, old=clear.record, new=unclear, next_ms=db.ms + 9_000, attempt=1)
    assert await db.dispatch.settle([change]) == [None]
    assert await db.dispatch.sizes() == {"leased": 0, "sending": 1, "unclear": 1, "accepted": 0}
    await db.set_clock(send_deadline_ms(late.record, db.policy) * 1000)
    await db.dispatch.reclaim(max_jobs=10, again_s=30)
    assert await db.dispatch.sizes() == {"leased": 0, "sending": 0, "unclear": 2, "accepted": 0}
    await ended(db, late.job, late.record)
    await ended(db, clear.job, unclear)
    assert set((await db.dispatch.sizes()).values()) == {0}


async def test_slots_are_a_rate_apart_and_the_rest_goes_back_for_the_next(db: StoreFixture) -> None:
    """A second of the rate may be begun ahead, and what there was no slot for is due when there is one."""
    await db.running("a", 20)
    lease = await db.leased()
    await db.limiter.set_ceiling(10.0)
    answer = await db.begin(lease)
    slots = [begun.slot_in_us for begun in answer.jobs if begun.word == "go"]
    assert slots == [-50_000 + interval_us(10) * index for index in range(11)]
    assert words(answer)[11:] == ["rate"] * 9
    due = await db.batches.due_times("a", range(11, 20))
    assert due == [db.ms + 1062] * 9


async def test_jobs_that_miss_the_last_permits_of_a_day_wait_no_longer_than_half_a_minute(db: StoreFixture) -> None:
    """Reads took them in between. Until there are some again nothing is claimed, however many jobs are due."""
    await db.limiter.set_ceiling(RATE, per_day=2)
    await db.running("a", 5)
    lease = await db.leased()
    assert len(lease.jobs) == 2
    assert (await db.limiter.take_permit()).granted
    assert words(await db.begin(lease)) == ["go", "rate"]
    assert await db.batches.due_times("a", [1]) == [db.ms + 30_000]
    await db.pass_ms(31_000)
    assert await db.claim() is None
    await db.limiter.set_by_operator({Period.DAY: 3})
    (begun,) = (await db.begin(await db.leased())).jobs
    assert begun.word == "go"


async def test_at_a_low_rate_no_job_is_leased_that_has_no_slot_yet(db: StoreFixture) -> None:
    """They would be leased, refused and put back at every slot, however many are due."""
    await db.limiter.set_ceiling(0.1)
    await db.running("a", 20)
    lease = await db.leased()
    assert len(lease.jobs) == 1
    assert await db.claim() is None
    assert words(await db.begin(lease)) == ["go"]
    assert await db.claim() is None
    due = await db.wakes.next_due()
    assert due.in_s is not None
    assert 8.0 < due.in_s < 10.2
    await db.pass_ms(int(due.in_s * 1000) - 2)
    assert await db.claim() is None
    await db.pass_ms(2)
    assert words(await db.begin(await db.leased())) == ["go"]


async def test_the_end_of_a_days_limit_is_slept_through(db: StoreFixture) -> None:
    await db.limiter.set_ceiling(RATE, per_day=2)
    await db.running("a", 5)
    assert words(await db.begin(await db.leased())) == ["go", "go"]
    due = await db.wakes.next_due()
    assert due.in_s is not None
    assert due.in_s > 15, "nothing but the ends of the two sends"
    await db.limiter.set_by_operator({Period.DAY: 3})
    assert (await db.wakes.next_due()).in_s == 0


async def test_nothing_is_claimed_while_the_provider_wants_no_more(db: StoreFixture) -> None:
    await db.running("a", 1)
    await db.limiter.slow_down(0, 5.0, 0.5)
    assert await db.claim() is None
    await db.pass_ms(5_000)
    assert await db.claim() is not None
    assert (await db.limiter.state()).rate == RATE / 2


async def test_rows_that_are_no_jobs_are_passed_over_a_bounded_number_at_a_time(db: StoreFixture) -> None:
    """A list with one number again and again must not keep Redis busy; the job behind it is found in steps."""
    for block in range(3):
        numbers = [number(0)] * 1000 if block < 2 else [number(0), number(1)]
        if block == 0:
            await db.draft("a", numbers)
        else:
            await db.batches.add_chunk("a", upload_chunk(numbers, first_line=block * 1000 + 1))
    await db.batches.command("a", Command.START)
    assert (await db.leased()).jobs == (JobId("a", 0),)
    assert await db.scripts.run("claim", **CLAIM_OPTIONS) == b"more"
    assert int(await db.client.hget(KEYS.batch("a"), "cursor")) < 2001
    assert (await db.leased()).jobs == (JobId("a", 2001),)
    assert await db.claim() is None


async def test_one_batch_with_wrong_sums_does_not_stop_the_others(db: StoreFixture) -> None:
    """It has no row left where its sum says that there are some."""
    await db.running("a", 1)
    await db.leased()
    await db.client.hset(KEYS.batch("a"), "unstarted", 5)
    await db.running("b", 1)
    assert await db.leased()


async def test_evidence_that_comes_again_is_written_once(db: StoreFixture) -> None:
    """Even when other evidence has come in between."""
    await db.running("a", 1)
    begun = (await db.sending()).jobs[0]
    changes = [
        StoredTransition(
            job=begun.job, old=begun.record, new=begun.record, next_ms=None, history=snapshot.evidence(fax_id)
        )
        for fax_id in ("one", "two", "one")
    ]
    for change in changes:
        assert await db.dispatch.settle([change]) == [None]
    stored = (await db.dispatch.stored([begun.job]))[0]
    assert stored is not None
    assert [entry.fax_id for entry in stored.history] == ["one", "two"]


async def test_a_fax_id_that_is_too_long_for_the_record_is_kept_beside_it(db: StoreFixture) -> None:
    await db.running("a", 1)
    begun = (await db.sending()).jobs[0]
    new = replace(begun.record, state=State.ACCEPTED, fax_id="f" * 40)
    await db.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=db.ms + 1)])
    assert (await db.record(begun.job)).fax_id == "f" * 40
    assert (await db.batches.records("a", 0))[0].fax_id == "f" * 40


async def test_a_job_that_does_not_exist_is_stored_nowhere(db: StoreFixture) -> None:
    await db.running("a", 1)
    assert await db.dispatch.stored([JobId("a", 1), JobId("zz", 0)]) == [None, None]


async def test_a_step_decided_from_a_record_that_has_changed_is_refused_and_told_what_stands(
    db: StoreFixture,
) -> None:
    """Nothing of it is applied, not even its history."""
    await db.running("a", 1)
    begun = (await db.sending()).jobs[0]
    await ended(db, begun.job, begun.record)
    late = replace(begun.record, state=State.FAILED, failure=FailureCode(category="busy"))
    change = StoredTransition(job=begun.job, old=begun.record, new=late, history=snapshot.evidence("late"), spent=1)
    (current,) = await db.dispatch.settle([change])
    assert current == replace(begun.record, state=State.DELIVERED, lease=0)
    stored = (await db.dispatch.stored([begun.job]))[0]
    assert stored is not None
    assert (stored.record, stored.history) == (current, ())


async def test_a_fax_that_is_found_while_its_job_waits_locks_the_number(db: StoreFixture) -> None:
    """It is in a call, though its attempt was written off and its lock is gone. The end of it frees the number."""
    await db.running("a", 1)
    await db.running("b", 1)
    first = (await begin_calling(db, await db.leased(max_jobs=1), "same")).jobs[0]
    written_off = replace(first.record, state=State.WAITING, lease=0)
    change = StoredTransition(
        job=first.job, old=first.record, new=written_off, next_ms=db.ms + 60_000, rest_s=0, attempt=1
    )
    assert await db.dispatch.settle([change]) == [None]
    adopted = replace(written_off, state=State.ACCEPTED, fax_id="F1")
    adoption = StoredTransition(
        job=first.job, old=written_off, new=adopted, next_ms=db.ms + 900_000, attempt=1, number_hash="same"
    )
    assert await db.dispatch.settle([adoption]) == [None]
    assert words(await begin_calling(db, await db.leased(max_jobs=1), "same")) == ["number"]
    await ended(db, first.job, adopted)
    await db.pass_ms(15_000)
    assert words(await begin_calling(db, await db.leased(), "same")) == ["go"]


async def test_a_fax_that_is_found_takes_no_lock_from_another_call(db: StoreFixture) -> None:
    await db.running("a", 2)
    job = (await db.leased(max_jobs=1)).jobs[0]
    calling = await begin_calling(db, await db.leased(max_jobs=1), "same")
    leased = await db.record(job)
    adopted = replace(leased, state=State.ACCEPTED, lease=0, fax_id="F1")
    adoption = StoredTransition(job=job, old=leased, new=adopted, next_ms=db.ms + 900_000, number_hash="same")
    assert await db.dispatch.settle([adoption]) == [None]
    await ended(db, job, adopted)
    assert (await db.client.get(KEYS.number("same"))).split()[0] == f"{calling.jobs[0].job}/1".encode()


async def test_a_job_that_waits_for_a_person_is_held_in_the_same_write(db: StoreFixture) -> None:
    """No process can die between the two. Released, it is due at once; of a cancelled batch it is cancelled instead."""
    await db.running("a", 2)
    held, cancelled = (await db.sending()).jobs
    for begun in (held, cancelled):
        if begun is cancelled:
            await db.batches.command("a", Command.CANCEL)
        entry = HistoryEntry(
            attempt=1,
            at_ms=1,
            outcome=AttemptOutcome.VANISHED,
            failure=FailureCode(category="submit_unknown"),
            why="It is gone.",
        )
        new = replace(begun.record, state=State.WAITING, lease=0)
        change = StoredTransition(
            job=begun.job,
            old=begun.record,
            new=new,
            hold=JobHold(category="submit_unknown", cause="It is gone."),
            history=entry,
            rest_s=0,
            attempt=1,
        )
        assert await db.dispatch.settle([change]) == [None]
    (hold,) = await db.holds.all()
    assert (hold.scope, hold.category, hold.cause) == (f"job:{held.job}", "submit_unknown", "It is gone.")
    assert (await db.record(cancelled.job)).state is State.CANCELLED


async def lose(db: StoreFixture, batch: str) -> None:
    """What a server forgets that lost its last writes."""
    await db.client.delete(*[key async for key in db.client.scan_iter(KEYS.batch(f"{batch}*"))])


async def test_a_result_for_a_batch_that_is_gone_is_told_and_harms_no_other_of_its_call(db: StoreFixture) -> None:
    await db.running("a", 1)
    await db.running("b", 1, first=1)
    changes = [
        StoredTransition(job=begun.job, old=begun.record, new=replace(begun.record, state=State.DELIVERED), attempt=1)
        for begun in (await db.sending()).jobs
    ]
    await lose(db, "a")
    assert set(await db.dispatch.settle(changes)) == {JobGone(), None}
    assert (await db.record(JobId("b", 0))).state is State.DELIVERED
    assert await db.client.exists(KEYS.of_block("a", "records", 0)) == 0, "nothing of it comes back"


async def test_a_lease_goes_on_without_the_jobs_that_are_gone(db: StoreFixture) -> None:
    await db.running("a", 1)
    await db.running("b", 1, first=1)
    lease = await db.leased()
    await lose(db, "a")
    answer = await db.begin(lease)
    assert sorted(words(answer)) == ["go", "gone"]
    await db.pass_ms(10**7)
    assert JobId("b", 0) in (await db.dispatch.reclaim(max_jobs=10, again_s=30)).look_at
