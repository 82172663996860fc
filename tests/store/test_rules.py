"""What the design promises of claim, begin, settle and reap, one promise at a time."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import Command, Control, Priority
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Record, State
from dispatcher.core.limits.allowance import Period
from dispatcher.core.limits.rate import interval_us
from dispatcher.core.settlement.lookup import next_look_at_ms
from dispatcher.core.settlement.transition import send_deadline_ms
from dispatcher.store.dispatch import BeginAnswer, Candidate, JobGone, JobHold, Lease, StoredTransition
from tests.store import snapshot
from tests.store.fixture import CLAIM_OPTIONS, KEYS, RATE, StoreFixture, number, part, words

pytestmark = pytest.mark.anyio


async def ended(world: StoreFixture, job: JobId, old: Record, *, rest_s: float = 0.0) -> None:
    """The attempt of a job that is being sent was delivered."""
    new = replace(old, state=State.DELIVERED, lease=0)
    change = StoredTransition(job=job, old=old, new=new, rest_s=rest_s, attempt=old.attempt, spent=1)
    assert await world.dispatch.settle([change]) == [None]


async def begin_calling(world: StoreFixture, lease: Lease, number_hash: str) -> BeginAnswer:
    candidates = [Candidate(job=job, number_hash=number_hash) for job in lease.jobs]
    return await world.dispatch.begin(lease, candidates, max_in_flight=1000)


async def test_a_lease_is_begun_once_however_often_it_is_told(world: StoreFixture) -> None:
    """dramatiq may deliver a message twice: the second worker must not send what the first one sends."""
    await world.running("a", 3)
    lease = await world.leased()
    assert words(await world.begin(lease)) == ["go", "go", "go"]
    assert words(await world.begin(lease)) == ["gone", "gone", "gone"]


async def test_a_worker_whose_lease_was_given_back_begins_nothing(world: StoreFixture) -> None:
    await world.running("a", 2)
    late = await world.leased()
    await world.pass_ms(31_000)
    await world.dispatch.reclaim(max_jobs=10, again_s=30)
    again = await world.leased()
    assert again.jobs == late.jobs
    assert words(await world.begin(late)) == ["gone", "gone"]
    assert words(await world.begin(again)) == ["go", "go"]


async def test_two_jobs_with_one_number_are_never_called_at_once(world: StoreFixture) -> None:
    """Not over batches either; the second waits, and is sent when the first has ended."""
    await world.running("a", 1)
    await world.running("b", 1)
    first = await begin_calling(world, await world.leased(max_jobs=1), "same")
    second = await begin_calling(world, await world.leased(max_jobs=1), "same")
    assert (words(first), words(second)) == (["go"], ["number"])
    assert second.jobs[0].record.attempt == 0
    await ended(world, first.jobs[0].job, first.jobs[0].record)
    await world.pass_ms(15_000)
    assert words(await begin_calling(world, await world.leased(), "same")) == ["go"]


async def test_a_number_rests_after_a_call(world: StoreFixture) -> None:
    await world.running("a", 2)
    first = await begin_calling(world, await world.leased(max_jobs=1), "same")
    await ended(world, first.jobs[0].job, first.jobs[0].record, rest_s=60.0)
    assert words(await begin_calling(world, await world.leased(), "same")) == ["number"]
    await world.pass_ms(59_999)
    assert words(await begin_calling(world, await world.leased(), "same")) == ["number"]
    await world.pass_ms(1)
    assert words(await begin_calling(world, await world.leased(), "same")) == ["go"]


async def test_the_end_of_a_call_leaves_the_lock_of_another_job_alone(world: StoreFixture) -> None:
    """The lock of the first had run out, and the second one took it."""
    await world.running("a", 2)
    first = await begin_calling(world, await world.leased(max_jobs=1), "same")
    await world.client.delete(KEYS.number("same"))
    second = await begin_calling(world, await world.leased(max_jobs=1), "same")
    await ended(world, first.jobs[0].job, first.jobs[0].record)
    assert (await world.client.get(KEYS.number("same"))).split()[0] == f"{second.jobs[0].job}/1".encode()


async def test_no_job_begins_after_pause_has_answered(world: StoreFixture) -> None:
    """Pause says how many were begun before; resume lets the rest go at once."""
    await world.running("a", 20)
    sent = await world.sending(max_jobs=5)
    lease = await world.leased(max_jobs=10)
    answer = await world.batches.command("a", Command.PAUSE)
    assert answer is not None
    assert (answer.done, answer.in_flight) == (True, len(sent.jobs))
    assert set(words(await world.begin(lease))) == {"batch"}
    assert await world.claim() is None
    await world.batches.command("a", Command.RESUME)
    assert len((await world.leased()).jobs) == 15


@pytest.mark.parametrize(("command", "state"), [(Command.CANCEL, State.CANCELLED), (Command.EXPIRE, State.EXPIRED)])
async def test_an_ended_batch_moves_its_unstarted_rows_at_once_and_drains_the_rest(
    world: StoreFixture, command: Command, state: State
) -> None:
    """Those that wait for a retry end in steps, leased ones when they are begun, one in flight runs out."""
    await world.running("a", 100)
    begun = await world.sending(max_jobs=6)
    for begun_job in begun.jobs[:5]:
        waiting = replace(begun_job.record, state=State.WAITING, lease=0)
        await world.dispatch.settle(
            [StoredTransition(job=begun_job.job, old=begun_job.record, new=waiting, next_ms=world.ms + 9_000)]
        )
    lease = await world.leased(max_jobs=4)
    await world.batches.command("a", command)
    tally = await tally_of(world)
    assert tally == {State.WAITING: 5, State.LEASED: 4, State.SENDING: 1, state: 90}
    assert {record.state for record in (await world.batches.records("a", 0))[10:]} == {state}
    assert [await world.dispatch.finalize(3), await world.dispatch.finalize(3), await world.dispatch.finalize(3)] == [
        3,
        2,
        0,
    ]
    assert set(words(await world.begin(lease))) == {"batch"}
    assert await tally_of(world) == {State.SENDING: 1, state: 99}
    await ended(world, begun.jobs[5].job, begun.jobs[5].record)
    assert await tally_of(world) == {State.DELIVERED: 1, state: 99}
    overview = await world.batches.overview("a")
    assert overview is not None
    assert overview.finished_ms == world.ms


async def tally_of(world: StoreFixture) -> dict[State, int]:
    overview = await world.batches.overview("a")
    assert overview is not None
    return dict(overview.tally.by_state)


async def test_a_retry_verdict_after_the_end_of_a_batch_becomes_its_end(world: StoreFixture) -> None:
    await world.running("a", 1)
    begun = (await world.sending()).jobs[0]
    await world.batches.command("a", Command.CANCEL)
    retry = replace(begun.record, state=State.WAITING, lease=0)
    assert await world.dispatch.settle(
        [StoredTransition(job=begun.job, old=begun.record, new=retry, next_ms=world.ms + 1, rest_s=0.0, attempt=1)]
    ) == [None]
    assert (await world.record(begun.job)).state is State.CANCELLED


async def test_a_batch_that_finished_before_its_deadline_does_not_expire(world: StoreFixture) -> None:
    await world.running("a", 1, deadline_ms=world.ms + 60_000)
    begun = (await world.sending()).jobs[0]
    await ended(world, begun.job, begun.record)
    assert await world.dispatch.overdue_batches(world.ms + 60_000) == []


async def test_a_batch_whose_deadline_has_passed_is_named_until_it_is_told(world: StoreFixture) -> None:
    await world.running("a", 2, deadline_ms=world.ms + 60_000)
    assert await world.dispatch.overdue_batches(world.ms + 59_999) == []
    assert await world.dispatch.overdue_batches(world.ms + 60_000) == ["a"]
    await world.batches.command("a", Command.EXPIRE)
    assert await world.dispatch.overdue_batches(world.ms + 60_000) == []


async def test_a_scheduled_batch_starts_at_its_time(world: StoreFixture) -> None:
    await world.running("a", 2, start_at_ms=world.ms + 10_000)
    assert (await control_of(world)) is Control.SCHEDULED
    assert await world.claim() is None
    await world.pass_ms(10_000)
    assert len((await world.leased()).jobs) == 2
    overview = await world.batches.overview("a")
    assert overview is not None
    assert (overview.control, overview.started_ms) == (Control.RUNNING, world.ms)


async def test_a_pause_does_not_bring_a_scheduled_start_forward(world: StoreFixture) -> None:
    await world.running("a", 2, start_at_ms=world.ms + 10_000)
    await world.batches.command("a", Command.PAUSE)
    answer = await world.batches.command("a", Command.RESUME)
    assert answer is not None
    assert (answer.done, answer.control) == (True, Control.SCHEDULED)
    assert await world.claim() is None


async def test_a_scheduled_batch_that_is_started_by_hand_starts_at_once(world: StoreFixture) -> None:
    """And does not go back to waiting for its time after a pause."""
    await world.running("a", 2, start_at_ms=world.ms + 10_000)
    for command in (Command.START, Command.PAUSE, Command.RESUME):
        await world.batches.command("a", command)
    assert (await control_of(world)) is Control.RUNNING
    assert len((await world.leased()).jobs) == 2


async def control_of(world: StoreFixture) -> Control:
    overview = await world.batches.overview("a")
    assert overview is not None
    return overview.control


async def test_a_started_batch_is_due_although_the_clock_is_set_back_before_anybody_looks(world: StoreFixture) -> None:
    await world.running("b1", 1)
    await world.step_s(-3600)
    assert (await world.leased()).jobs == (JobId("b1", 0),)


async def test_claimers_together_keep_no_more_work_ahead_than_one(world: StoreFixture) -> None:
    await world.running("a", 100)
    taken = 0
    while lease := await world.claim(max_jobs=8, ahead=20):
        taken += len(lease.jobs)
    assert taken == 20
    assert await world.claim(max_jobs=8, ahead=20) is None


async def test_no_more_is_claimed_than_there_is_room_for_in_flight(world: StoreFixture) -> None:
    """What could not be begun would only go to and fro."""
    await world.running("a", 100)
    lease = await world.claim(max_jobs=8, in_flight=20)
    assert lease is not None
    await world.begin(lease)
    assert [len(claimed.jobs) if (claimed := await world.claim(max_jobs=8, in_flight=20)) else 0 for _ in range(3)] == [
        8,
        4,
        0,
    ]


async def test_an_urgent_fax_is_claimed_before_100_000_waiting_bulk_jobs(world: StoreFixture) -> None:
    """And the claim looks at no more of the others for it."""
    await world.draft("a", [number(index) for index in range(1000)])
    for block in range(1, 100):
        rows = [
            f"+1{first}55501{index:02d}"
            for first in range(block * 10 + 1000, block * 10 + 1010)
            for index in range(100)
        ]
        await world.batches.add_chunk("a", part(rows, first_line=block * 1000 + 1))
    await world.batches.command("a", Command.START)
    assert len((await world.leased()).jobs) == 32
    await world.running("u", 1, first=5000, priority=Priority.URGENT)
    assert (await world.leased("urgent")).jobs == (JobId("u", 0),)


async def test_a_job_being_sent_is_named_once_its_look_is_due_and_again_until_it_is_settled(
    world: StoreFixture,
) -> None:
    await world.running("a", 1)
    begun = (await world.sending()).jobs[0]
    await world.set_clock(send_deadline_ms(begun.record, world.policy) * 1000)
    assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).unclear == 1
    await world.set_clock(next_look_at_ms(begun.record, world.policy) * 1000 - 1)
    assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == ()
    await world.pass_ms(1)
    assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == (begun.job,)
    assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == ()
    await world.pass_ms(30_000)
    assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == (begun.job,)
    await ended(world, begun.job, begun.record)
    await world.pass_ms(30_000)
    assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).look_at == ()


async def test_no_more_jobs_are_sent_at_once_than_allowed(world: StoreFixture) -> None:
    await world.running("a", 5)
    answer = await world.begin(await world.leased(), max_in_flight=3)
    assert words(answer) == ["go", "go", "go", "full", "full"]


@pytest.mark.parametrize("reaped", [False, True], ids=["before", "after the scheduler has looked"])
async def test_a_send_counts_as_being_sent_until_its_deadline_and_no_longer(world: StoreFixture, reaped: bool) -> None:
    """After it no request is under way, whatever became of it: what is unclear stops nobody."""
    await world.running("a", 9)
    first = await world.sending(max_jobs=3)
    await world.set_clock(send_deadline_ms(first.jobs[0].record, world.policy) * 1000)
    assert words(await world.begin(await world.leased(max_jobs=2), max_in_flight=3)) == ["full"] * 2
    await world.pass_ms(100)
    if reaped:
        assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).unclear == 3
    assert await world.claim(in_flight=2)
    assert words(await world.begin(await world.leased(max_jobs=2), max_in_flight=3)) == ["go"] * 2
    sizes = await world.dispatch.sizes()
    assert (sizes["sending"], sizes["unclear"]) == ((2, 3) if reaped else (5, 0))


async def test_an_unclear_answer_ends_the_send_and_an_answer_after_the_deadline_is_heeded(world: StoreFixture) -> None:
    await world.running("a", 2)
    clear, late = (await world.sending()).jobs
    unclear = replace(clear.record, unclear=True)
    change = StoredTransition(job=clear.job, old=clear.record, new=unclear, next_ms=world.ms + 9_000, attempt=1)
    assert await world.dispatch.settle([change]) == [None]
    assert await world.dispatch.sizes() == {"leased": 0, "sending": 1, "unclear": 1, "accepted": 0}
    await world.set_clock(send_deadline_ms(late.record, world.policy) * 1000)
    await world.dispatch.reclaim(max_jobs=10, again_s=30)
    assert await world.dispatch.sizes() == {"leased": 0, "sending": 0, "unclear": 2, "accepted": 0}
    await ended(world, late.job, late.record)
    await ended(world, clear.job, unclear)
    assert set((await world.dispatch.sizes()).values()) == {0}


async def test_slots_are_a_rate_apart_and_the_rest_goes_back_for_the_next(world: StoreFixture) -> None:
    """A second of the rate may be begun ahead, and what there was no slot for is due when there is one."""
    await world.running("a", 20)
    lease = await world.leased()
    await world.limiter.set_ceiling(10.0)
    answer = await world.begin(lease)
    slots = [begun.slot_in_us for begun in answer.jobs if begun.word == "go"]
    assert slots == [-50_000 + interval_us(10) * index for index in range(11)]
    assert words(answer)[11:] == ["rate"] * 9
    due = await world.batches.due_times("a", range(11, 20))
    assert due == [world.ms + 1062] * 9


async def test_jobs_that_miss_the_last_permits_of_a_day_wait_no_longer_than_half_a_minute(world: StoreFixture) -> None:
    """Reads took them in between. Until there are some again nothing is claimed, however many jobs are due."""
    await world.limiter.set_ceiling(RATE, per_day=2)
    await world.running("a", 5)
    lease = await world.leased()
    assert len(lease.jobs) == 2
    assert (await world.limiter.take_permit()).granted
    assert words(await world.begin(lease)) == ["go", "rate"]
    assert await world.batches.due_times("a", [1]) == [world.ms + 30_000]
    await world.pass_ms(31_000)
    assert await world.claim() is None
    await world.limiter.set_by_operator({Period.DAY: 3})
    (begun,) = (await world.begin(await world.leased())).jobs
    assert begun.word == "go"


async def test_at_a_low_rate_no_job_is_leased_that_has_no_slot_yet(world: StoreFixture) -> None:
    """They would be leased, refused and put back at every slot, however many are due."""
    await world.limiter.set_ceiling(0.1)
    await world.running("a", 20)
    lease = await world.leased()
    assert len(lease.jobs) == 1
    assert await world.claim() is None
    assert words(await world.begin(lease)) == ["go"]
    assert await world.claim() is None
    due = await world.wakes.next_due()
    assert due.in_s is not None
    assert 8.0 < due.in_s < 10.2
    await world.pass_ms(int(due.in_s * 1000) - 2)
    assert await world.claim() is None
    await world.pass_ms(2)
    assert words(await world.begin(await world.leased())) == ["go"]


async def test_the_end_of_a_days_limit_is_slept_through(world: StoreFixture) -> None:
    await world.limiter.set_ceiling(RATE, per_day=2)
    await world.running("a", 5)
    assert words(await world.begin(await world.leased())) == ["go", "go"]
    due = await world.wakes.next_due()
    assert due.in_s is not None
    assert due.in_s > 15, "nothing but the ends of the two sends"
    await world.limiter.set_by_operator({Period.DAY: 3})
    assert (await world.wakes.next_due()).in_s == 0


async def test_nothing_is_claimed_while_the_provider_wants_no_more(world: StoreFixture) -> None:
    await world.running("a", 1)
    await world.limiter.slow_down(0, 5.0, 0.5)
    assert await world.claim() is None
    await world.pass_ms(5_000)
    assert await world.claim() is not None
    assert (await world.limiter.state()).rate == RATE / 2


async def test_rows_that_are_no_jobs_are_passed_over_a_bounded_number_at_a_time(world: StoreFixture) -> None:
    """A list with one number again and again must not keep Redis busy; the job behind it is found in steps."""
    for block in range(3):
        numbers = [number(0)] * 1000 if block < 2 else [number(0), number(1)]
        if block == 0:
            await world.draft("a", numbers)
        else:
            await world.batches.add_chunk("a", part(numbers, first_line=block * 1000 + 1))
    await world.batches.command("a", Command.START)
    assert (await world.leased()).jobs == (JobId("a", 0),)
    assert await world.scripts.run("claim", **CLAIM_OPTIONS) == b"more"
    assert int(await world.client.hget(KEYS.batch("a"), "cursor")) < 2001
    assert (await world.leased()).jobs == (JobId("a", 2001),)
    assert await world.claim() is None


async def test_one_batch_with_wrong_sums_does_not_stop_the_others(world: StoreFixture) -> None:
    """It has no row left where its sum says that there are some."""
    await world.running("a", 1)
    await world.leased()
    await world.client.hset(KEYS.batch("a"), "unstarted", 5)
    await world.running("b", 1)
    assert await world.leased()


async def test_evidence_that_comes_again_is_written_once(world: StoreFixture) -> None:
    """Even when other evidence has come in between."""
    await world.running("a", 1)
    begun = (await world.sending()).jobs[0]
    changes = [
        StoredTransition(
            job=begun.job, old=begun.record, new=begun.record, next_ms=None, history=snapshot.evidence(fax_id)
        )
        for fax_id in ("one", "two", "one")
    ]
    for change in changes:
        assert await world.dispatch.settle([change]) == [None]
    stored = (await world.dispatch.stored([begun.job]))[0]
    assert stored is not None
    assert [entry.fax_id for entry in stored.history] == ["one", "two"]


async def test_a_fax_id_that_is_too_long_for_the_record_is_kept_beside_it(world: StoreFixture) -> None:
    await world.running("a", 1)
    begun = (await world.sending()).jobs[0]
    new = replace(begun.record, state=State.ACCEPTED, fax_id="f" * 40)
    await world.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=world.ms + 1)])
    assert (await world.record(begun.job)).fax_id == "f" * 40
    assert (await world.batches.records("a", 0))[0].fax_id == "f" * 40


async def test_a_job_that_does_not_exist_is_stored_nowhere(world: StoreFixture) -> None:
    await world.running("a", 1)
    assert await world.dispatch.stored([JobId("a", 1), JobId("zz", 0)]) == [None, None]


async def test_a_step_decided_from_a_record_that_has_changed_is_refused_and_told_what_stands(
    world: StoreFixture,
) -> None:
    """Nothing of it is applied, not even its history."""
    await world.running("a", 1)
    begun = (await world.sending()).jobs[0]
    await ended(world, begun.job, begun.record)
    late = replace(begun.record, state=State.FAILED, failure=FailureCode(category="busy"))
    change = StoredTransition(job=begun.job, old=begun.record, new=late, history=snapshot.evidence("late"), spent=1)
    (current,) = await world.dispatch.settle([change])
    assert current == replace(begun.record, state=State.DELIVERED, lease=0)
    stored = (await world.dispatch.stored([begun.job]))[0]
    assert stored is not None
    assert (stored.record, stored.history) == (current, ())


async def test_a_fax_that_is_found_while_its_job_waits_locks_the_number(world: StoreFixture) -> None:
    """It is in a call, though its attempt was written off and its lock is gone. The end of it frees the number."""
    await world.running("a", 1)
    await world.running("b", 1)
    first = (await begin_calling(world, await world.leased(max_jobs=1), "same")).jobs[0]
    written_off = replace(first.record, state=State.WAITING, lease=0)
    change = StoredTransition(
        job=first.job, old=first.record, new=written_off, next_ms=world.ms + 60_000, rest_s=0, attempt=1
    )
    assert await world.dispatch.settle([change]) == [None]
    adopted = replace(written_off, state=State.ACCEPTED, fax_id="F1")
    adoption = StoredTransition(
        job=first.job, old=written_off, new=adopted, next_ms=world.ms + 900_000, attempt=1, number_hash="same"
    )
    assert await world.dispatch.settle([adoption]) == [None]
    assert words(await begin_calling(world, await world.leased(max_jobs=1), "same")) == ["number"]
    await ended(world, first.job, adopted)
    await world.pass_ms(15_000)
    assert words(await begin_calling(world, await world.leased(), "same")) == ["go"]


async def test_a_fax_that_is_found_takes_no_lock_from_another_call(world: StoreFixture) -> None:
    await world.running("a", 2)
    job = (await world.leased(max_jobs=1)).jobs[0]
    calling = await begin_calling(world, await world.leased(max_jobs=1), "same")
    leased = await world.record(job)
    adopted = replace(leased, state=State.ACCEPTED, lease=0, fax_id="F1")
    adoption = StoredTransition(job=job, old=leased, new=adopted, next_ms=world.ms + 900_000, number_hash="same")
    assert await world.dispatch.settle([adoption]) == [None]
    await ended(world, job, adopted)
    assert (await world.client.get(KEYS.number("same"))).split()[0] == f"{calling.jobs[0].job}/1".encode()


async def test_a_job_that_waits_for_a_person_is_held_in_the_same_write(world: StoreFixture) -> None:
    """No process can die between the two. Released, it is due at once; of a cancelled batch it is cancelled instead."""
    await world.running("a", 2)
    held, cancelled = (await world.sending()).jobs
    for begun in (held, cancelled):
        if begun is cancelled:
            await world.batches.command("a", Command.CANCEL)
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
        assert await world.dispatch.settle([change]) == [None]
    (hold,) = await world.holds.all()
    assert (hold.scope, hold.category, hold.cause) == (f"job:{held.job}", "submit_unknown", "It is gone.")
    assert (await world.record(cancelled.job)).state is State.CANCELLED


async def lose(world: StoreFixture, batch: str) -> None:
    """What a server forgets that lost its last writes."""
    await world.client.delete(*[key async for key in world.client.scan_iter(KEYS.batch(f"{batch}*"))])


async def test_a_result_for_a_batch_that_is_gone_is_told_and_harms_no_other_of_its_call(world: StoreFixture) -> None:
    await world.running("a", 1)
    await world.running("b", 1, first=1)
    changes = [
        StoredTransition(job=begun.job, old=begun.record, new=replace(begun.record, state=State.DELIVERED), attempt=1)
        for begun in (await world.sending()).jobs
    ]
    await lose(world, "a")
    assert set(await world.dispatch.settle(changes)) == {JobGone(), None}
    assert (await world.record(JobId("b", 0))).state is State.DELIVERED
    assert await world.client.exists(KEYS.block_part("a", "records", 0)) == 0, "nothing of it comes back"


async def test_a_lease_goes_on_without_the_jobs_that_are_gone(world: StoreFixture) -> None:
    await world.running("a", 1)
    await world.running("b", 1, first=1)
    lease = await world.leased()
    await lose(world, "a")
    answer = await world.begin(lease)
    assert sorted(words(answer)) == ["go", "gone"]
    await world.pass_ms(10**7)
    assert JobId("b", 0) in (await world.dispatch.reclaim(max_jobs=10, again_s=30)).look_at
