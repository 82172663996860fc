"""Holds: what they stop, who is let through, and how a run of failures opens one."""

from dataclasses import replace
from functools import partial

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Record, State
from dispatcher.core.limits.holds import PROBES_KEPT
from dispatcher.store.dispatch import BeginResult, JobHold, Reclaimed, SendReport, StoredTransition
from dispatcher.store.holds import ListNote
from tests.store.fixture import KEYS, StoreFixture, hash_of, words

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("scope", ["account", "provider", "batch:a", "document:d0c", "country:US", "job:a.0"])
async def test_a_hold_stops_begin_and_its_release_lets_the_job_go(db: StoreFixture, scope: str) -> None:
    """Whatever was leased before the hold goes back unspent."""
    await db.running("a", 1, documents=("d0c",), regions=["US"])
    lease = await db.leased()
    await db.holds.open(scope, "funds", "why")
    held = await db.begin(lease)
    assert words(held) == ["held"]
    assert held.jobs[0].record == Record(country="US")
    await db.holds.release(scope)
    assert words(await db.begin(await db.leased())) == ["go"]


@pytest.mark.parametrize("scope", ["account", "provider", "batch:a", "document:d0c"])
async def test_nothing_is_claimed_under_a_hold(db: StoreFixture, scope: str) -> None:
    await db.running("a", 1, documents=("d0c",))
    await db.holds.open(scope, "funds", "why")
    assert await db.claim() is None
    await db.holds.release(scope)
    assert await db.claim() is not None


@pytest.mark.parametrize("scope", ["batch:a", "document:d0c"])
async def test_a_batch_that_is_held_costs_nothing_until_it_is_released(db: StoreFixture, scope: str) -> None:
    """Nobody looks at it again and again; what comes back of it in the meantime is not claimed either."""
    await db.running("a", 3, documents=("d0c",))
    lease = await db.leased(max_jobs=1)
    await db.holds.open(scope, "config", "why")
    assert await db.claim() is None
    assert await db.client.exists(KEYS.active("bulk"), KEYS.timers) == 0
    assert words(await db.begin(lease)) == ["held"]
    assert await db.claim() is None
    assert await db.client.exists(KEYS.active("bulk"), KEYS.timers) == 0
    await db.holds.release(scope)
    assert len((await db.leased()).jobs) == 3


async def test_many_batches_that_wait_for_one_hold_are_woken_in_steps(db: StoreFixture) -> None:
    for index in range(70):
        await db.running(f"b{index}", 1, first=index, documents=("d0c",))
    await db.holds.open("document:d0c", "config", "why")
    assert await db.claim() is None
    await db.holds.release("document:d0c")
    claims = [await db.claim() for _ in range(4)]
    assert sum(len(lease.jobs) for lease in claims if lease) == 70
    assert await db.client.exists(KEYS.released, KEYS.stopped_batches("document:d0c")) == 0


async def test_a_hold_of_one_batch_leaves_the_others_alone(db: StoreFixture) -> None:
    await db.running("a", 3)
    await db.running("b", 3)
    await db.holds.open("batch:a", "rejected", "why")
    assert {job.batch for job in (await db.leased()).jobs} == {"b"}


@pytest.mark.parametrize("scope", ["account", "provider"])
async def test_a_held_scope_lets_one_job_through_at_each_time_of_its_series(db: StoreFixture, scope: str) -> None:
    """The intervals grow, and the last repeats."""
    await db.running("a", 5)
    await db.holds.open(scope, "auth", "why", probes_s=(60, 300))
    assert await db.claim() is None
    for interval_s in (60, 300, 300):
        await db.pass_ms(interval_s * 1000 - 51)  # a slot may be 50 ms ago
        assert await db.claim() is None
        await db.pass_ms(51)
        probe = await db.leased()
        assert (len(probe.jobs), [*probe.probes]) == (1, [scope])
        assert await db.claim() is None
        assert words(await db.begin(probe)) == ["go"]


async def test_a_probe_whose_worker_died_is_made_up_for_when_its_lease_is_over(db: StoreFixture) -> None:
    """The series has not moved."""
    await db.running("a", 2)
    await db.holds.open("account", "funds", "why", probes_s=(60, 900))
    await db.pass_ms(60_000)
    await db.leased()
    await db.pass_ms(30_000)
    assert [*(await db.leased()).probes] == ["account"]
    (hold,) = await db.holds.all()
    assert hold.probes == 0


async def test_no_second_probe_goes_before_the_first_must_have_ended(db: StoreFixture) -> None:
    await db.running("a", 2)
    await db.holds.open("provider", "provider_unavailable", "why", probes_s=(1,))
    await db.pass_ms(1_000)
    await db.begin(await db.leased())
    await db.pass_ms(int(db.policy.post_total_s * 1000))
    assert await db.claim() is None
    await db.pass_ms(int(db.policy.lookups_s[0] * 1000) + 250)
    assert [*(await db.leased()).probes] == ["provider"]


async def test_a_probe_of_the_account_passes_a_held_provider_too(db: StoreFixture) -> None:
    """And one of the provider does not pass a held account."""
    await db.running("a", 4)
    await db.holds.open("provider", "provider_unavailable", "why", probes_s=(60,))
    await db.pass_ms(60_000)
    of_provider = await db.leased()
    await db.holds.open("account", "funds", "why", probes_s=(60,))
    assert words(await db.begin(of_provider)) == ["held"]
    await db.pass_ms(60_000)
    probe = await db.leased()
    assert probe.probes.keys() == {"account", "provider"}
    assert words(await db.begin(probe)) == ["go"]


async def test_a_probe_that_goes_back_unspent_leaves_its_turn_to_another_job(db: StoreFixture) -> None:
    """Its number was busy, or there was no slot. Told twice it says nothing."""
    await db.running("a", 3)
    await db.holds.open("account", "funds", "why", probes_s=(60, 900))
    await db.pass_ms(60_000)
    busy = await db.leased()
    await db.client.set(KEYS.number(hash_of(busy.jobs[0])), f"b.0/1 {db.ms + 60_000}")
    assert words(await db.begin(busy)) == ["number"]
    full = await db.leased()
    assert words(await db.begin(full, max_in_flight=0)) == ["full"]
    probe = await db.leased()
    assert words(await db.begin(busy)) == ["gone"]
    assert words(await db.begin(probe)) == ["go"]
    assert await db.claim() is None
    assert [hold.probes for hold in await db.holds.all()] == [1]


async def settle_probe(db: StoreFixture, begun: BeginResult, *disproves: str) -> list[str]:
    """The probe's attempt ends, and shows so much. Returns the scopes that are held then."""
    new = replace(begun.record, state=State.FAILED, lease=0)
    attempt = begun.record.attempt
    change = StoredTransition(job=begun.job, old=begun.record, new=new, attempt=attempt, disproves=frozenset(disproves))
    assert await db.dispatch.settle([change, change]) == [None, None]
    return [hold.scope for hold in await db.holds.all()]


async def probing(db: StoreFixture, scope: str, category: str) -> BeginResult:
    """Hold a scope and send its first probe."""
    await db.holds.open(scope, category, "why", probes_s=(60, 900))
    await db.pass_ms(60_000)
    (begun,) = (await db.begin(await db.leased())).jobs
    assert begun.word == "go"
    return begun


@pytest.mark.parametrize(
    ("scope", "category", "ending", "others"),
    [
        ("account", "funds", "funds", ("provider", "auth")),
        ("account", "auth", "auth", ("provider", "funds")),
        ("provider", "provider_unavailable", "provider", ("auth", "funds")),
    ],
)
async def test_a_hold_ends_with_the_outcome_of_its_probe_that_disproves_its_cause(
    db: StoreFixture, scope: str, category: str, ending: str, others: tuple[str, ...]
) -> None:
    """And with no other outcome, nor with that of a job that is no probe."""
    await db.running("a", 4)
    ordinary = (await db.sending(max_jobs=1)).jobs[0]
    probe = await probing(db, scope, category)
    assert await settle_probe(db, ordinary, ending, *others) == [scope]
    assert await settle_probe(db, probe, *others) == [scope]
    await db.pass_ms(900_000)
    assert await settle_probe(db, (await db.sending()).jobs[0], ending) == []


async def test_the_late_outcome_of_an_old_probe_ends_no_later_hold(db: StoreFixture) -> None:
    """Neither the outcome of one that was sent, nor a lease that was given for the hold before."""
    await db.running("a", 4)
    old = await probing(db, "account", "auth")
    await db.holds.release("account")
    await db.holds.open("account", "funds", "why", probes_s=(60,))
    await db.pass_ms(60_000)
    late = await db.leased()
    await db.holds.release("account")
    await db.holds.open("account", "auth", "why", probes_s=(60,))
    assert words(await db.begin(late)) == ["held"]
    assert await settle_probe(db, old, "provider", "auth", "funds") == ["account"]


async def test_a_probe_that_takes_longer_than_the_series_still_ends_its_hold(db: StoreFixture) -> None:
    """The next ones go by the series meanwhile: one that is lost blocks nothing."""
    await db.running("a", 40)
    first = await probing(db, "account", "funds")
    for _ in range(PROBES_KEPT - 1):
        await db.pass_ms(900_000)
        await db.sending()
    assert await settle_probe(db, first, "funds") == []


async def test_a_hold_remembers_a_bounded_number_of_probes(db: StoreFixture) -> None:
    await db.running("a", 40)
    first = await probing(db, "account", "funds")
    for _ in range(PROBES_KEPT):
        await db.pass_ms(900_000)
        await db.sending()
    assert await settle_probe(db, first, "funds") == ["account"]


async def test_a_hold_that_waits_for_a_person_takes_the_place_of_one_that_a_probe_may_end(db: StoreFixture) -> None:
    await db.running("a", 2)
    probe = await probing(db, "account", "funds")
    assert await db.holds.open("account", "config", "no access")
    assert not await db.holds.open("account", "funds", "why", probes_s=(900,))
    assert await settle_probe(db, probe, "provider", "auth", "funds") == ["account"]
    assert [hold.category for hold in await db.holds.all()] == ["config"]


async def test_a_hold_is_released_by_its_id_if_one_is_given(db: StoreFixture) -> None:
    await db.holds.open("account", "funds", "why")
    (hold,) = await db.holds.all()
    assert not await db.holds.release("account", "0123456789abcdef")
    assert await db.holds.release("account", hold.id)


@pytest.mark.parametrize("command", [Command.CANCEL, Command.EXPIRE])
async def test_the_holds_of_a_batch_end_with_it(db: StoreFixture, command: Command) -> None:
    """And those of its jobs with them; nothing that has ended is held again."""
    await db.running("a", 3)
    lease = await db.leased(max_jobs=2)
    for scope in ("batch:a", "job:a.0", "job:a.1"):
        await db.holds.open(scope, "config", "why")
    assert words(await db.begin(lease)) == ["held", "held"]
    await db.batches.command("a", command)
    assert {hold.scope for hold in await db.holds.all()} == {"job:a.0", "job:a.1"}
    assert await db.dispatch.finalize() == 2
    assert await db.holds.all() == []
    for scope in ("batch:a", "job:a.0", "job:a.2", "batch:zz", "job:zz.0"):
        assert not await db.holds.open(scope, "config", "why")


async def test_the_hold_of_a_batch_ends_with_its_last_job(db: StoreFixture) -> None:
    await db.running("a", 2)
    first, other = (await db.sending()).jobs
    await db.holds.open("batch:a", "config", "why")
    assert await settle_probe(db, first) == ["batch:a"]
    assert await settle_probe(db, other) == []


async def test_the_hold_of_a_job_ends_when_news_of_its_fax_comes(db: StoreFixture) -> None:
    """It is accepted again, or final; a later retry finds no hold."""
    await db.running("a", 1)
    begun = (await db.sending()).jobs[0]
    waiting = replace(begun.record, state=State.WAITING, lease=0)
    entry = HistoryEntry(
        attempt=1,
        at_ms=1,
        outcome=AttemptOutcome.VANISHED,
        failure=FailureCode(category="submit_unknown"),
        why="It is gone.",
    )
    hold = JobHold(category="submit_unknown", cause="It is gone.")
    held = StoredTransition(job=begun.job, old=begun.record, new=waiting, hold=hold, history=entry, attempt=1)
    assert await db.dispatch.settle([held]) == [None]
    assert [hold.scope for hold in await db.holds.all()] == ["job:a.0"]
    adopted = replace(waiting, state=State.ACCEPTED, fax_id="F1")
    assert await db.dispatch.settle([StoredTransition(job=begun.job, old=waiting, new=adopted, next_ms=db.ms)]) == [
        None
    ]
    assert await db.holds.all() == []


async def test_no_job_of_an_ended_batch_is_held_for_its_lost_leases(db: StoreFixture) -> None:
    """The fifth lease ends after the batch."""
    await db.running("a", 1)
    for lost in range(1, 6):
        await db.leased()
        if lost == 5:
            await db.batches.command("a", Command.CANCEL)
        await db.pass_ms(31_000)
        assert (await db.dispatch.reclaim(max_jobs=10, again_s=30)).held == 0
    assert await db.holds.all() == []
    assert (await db.record(JobId("a", 0))).state is State.CANCELLED


async def fail(db: StoreFixture, jobs: int, *, failed: int) -> bool:
    """Send so many, the last of which fail by the provider's fault. Returns whether that holds the provider."""
    held = False
    for index in range(jobs):
        fails = index >= jobs - failed
        begun = (await db.sending(max_jobs=1)).jobs[0]
        new = replace(begun.record, state=State.WAITING if fails else State.FAILED, lease=0)
        send = SendReport(failed=True, unclear=True) if fails else SendReport(answered=True)
        change = StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=10**15, attempt=1, send=send)
        assert await db.dispatch.settle([change, change]) == [None, None]
        held = await db.holds.check_provider(db.policy) or held
    return held


@pytest.mark.parametrize(("sends", "failed", "held"), [(10, 9, False), (11, 10, True), (40, 9, False), (40, 10, True)])
async def test_ten_failures_among_the_last_twenty_sends_hold_the_provider(
    db: StoreFixture, sends: int, failed: int, held: bool
) -> None:
    """A result that is settled twice counts once, and a refusal is an answer."""
    await db.running("a", sends + 1)
    assert await fail(db, sends, failed=failed) is held
    assert (await db.claim() is None) is held
    assert [hold.scope for hold in await db.holds.all()] == ["provider"] * held


async def test_the_hold_of_the_provider_names_what_came_instead_of_answers(db: StoreFixture) -> None:
    await db.running("a", 10)
    for status in ("302", "none", "302", "200", "302", "302", "302", "none", "302", "503"):
        begun = (await db.sending(max_jobs=1)).jobs[0]
        send = SendReport(failed=True, unclear=True, status=status)
        new = replace(begun.record, state=State.WAITING, lease=0)
        change = StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=10**15, attempt=1, send=send)
        await db.dispatch.settle([change])
    assert await db.holds.check_provider(db.policy)
    (hold,) = await db.holds.all()
    assert hold.cause == "10 of the last 20 sends brought no usable answer: 302 (6), none (2), 200 (1), 503 (1)"


async def test_countries_that_are_refused_within_a_few_sends_are_too_many(db: StoreFixture) -> None:
    """A country counts once, and one that was refused long ago no more."""
    await db.running("a", 40)
    forbid = partial(db.holds.count_forbidden_country, countries=3, sends=20)
    assert not await forbid("country:US")
    assert not await forbid("country:US")
    assert not await forbid("country:GB")
    await fail(db, 20, failed=0)
    assert not await forbid("country:DE")
    assert not await forbid("country:FR")
    assert await forbid("country:GB")
    assert await forbid("country:GB")


async def test_a_few_failures_hold_the_provider_when_no_send_was_answered_for_a_minute(db: StoreFixture) -> None:
    """A mailing may have three jobs. Among sends that are answered three in a row say nothing."""
    await db.running("a", 20)
    assert not await fail(db, 1, failed=0)
    await db.pass_ms(59_999)
    assert not await fail(db, 3, failed=3)
    await db.pass_ms(1)
    assert await fail(db, 1, failed=1)
    (hold,) = await db.holds.all()
    cause = "4 sends in a row brought no usable answer, and no other was answered for long: none (4)"
    assert (hold.category, hold.cause) == ("provider_unavailable", cause)


@pytest.mark.parametrize("answered", [False, True], ids=["nobody answered", "another answered in between"])
async def test_the_second_failure_of_one_job_holds_the_provider_when_no_send_was_answered(
    db: StoreFixture, answered: bool
) -> None:
    """It was looked for in between, which takes minutes; a mailing may have one job."""
    await db.running("a", 2)
    for attempt in (1, 2):
        begun = (await db.sending(max_jobs=1)).jobs[0]
        assert (begun.job, begun.record.attempt) == (JobId("a", 0), attempt)
        new = replace(begun.record, state=State.WAITING, lease=0)
        send = SendReport(failed=True, unclear=True)
        due_ms = db.ms + 300_000
        change = StoredTransition(
            job=begun.job, old=begun.record, new=new, next_ms=due_ms, rest_s=0, attempt=attempt, send=send
        )
        await db.dispatch.settle([change])
        assert await db.holds.check_provider(db.policy) is (attempt == 2 and not answered)
        if answered and attempt == 1:
            assert not await fail(db, 1, failed=0)
        elif attempt == 1:
            await db.leased(max_jobs=1)  # another job, whose turn comes before a retry's
        await db.pass_ms(300_000)


async def test_one_job_that_always_fails_keeps_no_other_waiting(db: StoreFixture) -> None:
    """It may be the job that is to blame: the next mailing is probed with at once, and goes when it is answered."""
    await db.running("a", 1)
    for _ in range(2):
        begun = (await db.sending()).jobs[0]
        new = replace(begun.record, state=State.WAITING, lease=0)
        send = SendReport(failed=True, unclear=True)
        due_ms, attempt = db.ms + 300_000, begun.record.attempt
        change = StoredTransition(
            job=begun.job, old=begun.record, new=new, next_ms=due_ms, rest_s=0, attempt=attempt, send=send
        )
        await db.dispatch.settle([change])
        await db.pass_ms(300_000)
    assert await db.holds.check_provider(db.policy)
    await db.leased()  # the job itself, whose worker dies
    await db.running("b", 2, first=1)
    assert await db.claim() is None, "one probe at a time"
    await db.pass_ms(30_000)
    probe = (await db.sending()).jobs[0]
    assert probe.job.batch == "b"
    assert await db.claim() is None
    assert await settle_probe(db, probe, "provider") == []


async def test_failures_that_lie_more_than_twenty_sends_back_are_forgotten(db: StoreFixture) -> None:
    await db.running("a", 60)
    assert not await fail(db, 10, failed=9)
    assert not await fail(db, 29, failed=9)
    assert await fail(db, 1, failed=1)


async def test_a_provider_that_is_released_has_ten_failures_again(db: StoreFixture) -> None:
    await db.running("a", 40)
    assert await fail(db, 11, failed=10)
    await db.holds.release("provider")
    await db.pass_ms(2_000)
    assert not await fail(db, 9, failed=9)
    assert await fail(db, 1, failed=1)


async def test_a_hold_keeps_its_beginning_when_it_is_opened_again(db: StoreFixture) -> None:
    assert await db.holds.open("account", "funds", "first")
    await db.pass_ms(5_000)
    assert not await db.holds.open("account", "auth", "second")
    (hold,) = await db.holds.all()
    assert (hold.category, hold.cause, hold.since_ms) == ("funds", "first", db.ms - 5_000)


async def test_a_run_of_failures_holds_a_scope_and_each_attempt_counts_once(db: StoreFixture) -> None:
    strike = partial(db.holds.count_failure, within_s=60)
    assert not await strike("batch:a", 3, attempt="a.0/1")
    assert not await strike("batch:a", 3, attempt="a.0/1")
    assert not await strike("batch:a", 3, attempt="a.1/1")
    assert await strike("batch:a", 3, attempt="a.2/1")
    assert await strike("batch:a", 3, attempt="a.2/1")
    await db.running("a", 1)
    await db.holds.open("batch:a", "rejected", "why")
    assert not await strike("batch:a", 3, attempt="a.3/1")


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED])
async def test_a_fax_that_is_taken_ends_the_run_of_failures_of_its_batch(db: StoreFixture, state: State) -> None:
    await db.running("a", 1)
    strike = partial(db.holds.count_failure, within_s=60)
    await strike("batch:a", 2, attempt="a.9/1")
    begun = (await db.sending()).jobs[0]
    new = replace(begun.record, state=state)
    await db.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=db.ms + 1)])
    assert not await strike("batch:a", 2, attempt="a.8/1")


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED])
async def test_a_delivered_fax_ends_the_runs_of_failures_of_its_documents(db: StoreFixture, state: State) -> None:
    """One that is accepted has yet to be converted."""
    await db.running("a", 1, documents=("d0c", "d1c"))
    strike = partial(db.holds.count_failure, within_s=60)
    for document in ("d0c", "d1c", "d2c"):
        await strike(f"document:{document}", 2, attempt="a.9/1")
    begun = (await db.sending()).jobs[0]
    new = replace(begun.record, state=state)
    await db.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=db.ms + 1)])
    runs = [await strike(f"document:{document}", 2, attempt="a.8/1") for document in ("d0c", "d1c", "d2c")]
    assert runs == [state is State.ACCEPTED, state is State.ACCEPTED, True]


async def test_failures_that_lie_far_apart_are_no_run_and_leave_nothing_behind(db: StoreFixture) -> None:
    """A hiccup an hour hold nothing for ever, and a set that nobody looks at any more is gone."""
    strike = partial(db.holds.count_failure, within_s=3600)
    for hour in range(20):
        assert not await strike("document:d0c", 2, attempt=f"a.{hour}/1")
        await db.pass_ms(3_600_000)
    assert await strike("document:d0c", 1, attempt="a.20/1")
    assert await db.client.zcard(KEYS.failure_run("document:d0c")) == 1
    assert 3_659_000 < await db.client.pttl(KEYS.failure_run("document:d0c")) <= 3_660_000, (
        "a minute later than it counts"
    )


async def lose(db: StoreFixture) -> Reclaimed:
    """A worker fetches the next lease, and is replaced."""
    lease = await db.leased()
    db.workers.speak_as("mortal", "1", lambda: 5)
    await db.workers.register("mortal", "1")
    assert await db.dispatch.fetch(lease.id)
    db.workers.speak_as("worker", "first", lambda: 100)
    await db.workers.report_end("mortal")
    return await db.dispatch.reclaim(max_jobs=10, again_s=30)


async def test_five_workers_that_ended_hold_the_job_and_its_release_lets_it_go(db: StoreFixture) -> None:
    """Four do not; after the release it has five again."""
    await db.running("a", 1)
    for lost in range(1, 6):
        reaped = await lose(db)
        assert (reaped.given_back, reaped.held) == (1, int(lost == 5))
    assert [hold.scope for hold in await db.holds.all()] == ["job:a.0"]
    await db.pass_ms(10**9)
    assert await db.claim() is None
    await db.holds.release("job:a.0")
    assert (await lose(db)).held == 0


async def test_a_beginning_ends_the_run_of_workers_that_ended(db: StoreFixture) -> None:
    await db.running("a", 1)
    await lose(db)
    assert (await db.record(JobId("a", 0))).strikes == 1
    assert (await db.sending()).jobs[0].record.strikes == 0


async def send_unclear(db: StoreFixture, jobs: int, *, unclear: int) -> bool:
    """The last of so many sends have an unclear end. Whether that holds the provider."""
    begun = list[BeginResult]()
    while len(begun) < jobs:
        begun += (await db.sending(max_jobs=min(32, jobs - len(begun)))).jobs
    for index, start in enumerate(begun):
        is_unclear = index >= jobs - unclear
        new = replace(start.record, unclear=True) if is_unclear else replace(start.record, state=State.FAILED, lease=0)
        send = SendReport(answered=not is_unclear, unclear=is_unclear)
        change = StoredTransition(
            job=start.job, old=start.record, new=new, next_ms=db.ms + 60_000, attempt=1, send=send
        )
        await db.dispatch.settle([change])
    return await db.holds.check_provider(db.policy)


@pytest.mark.parametrize(("unclear", "held"), [(60, False), (61, True)])
async def test_more_than_thirty_percent_of_the_last_two_hundred_sends_of_unclear_end_hold_the_provider(
    db: StoreFixture, unclear: int, held: bool
) -> None:
    await db.limiter.set_ceiling(10_000.0)
    await db.running("a", 200)
    assert await send_unclear(db, 200, unclear=unclear) is held
    holds = [(hold.scope, hold.category, hold.cause) for hold in await db.holds.all()]
    cause = "61 of the last 200 sends have an unclear end"
    assert holds == ([("provider", "provider_unavailable", cause)] if held else [])


async def test_without_a_list_for_ten_minutes_the_provider_is_held_until_one_is_read(db: StoreFixture) -> None:
    """But only while attempts are unclear. That sends are answered does not end it."""
    note = partial(db.holds.note_list, db.policy)
    await db.running("a", 3)
    assert await note(readable=False) is ListNote.NOTHING
    await db.pass_ms(600_000)
    assert await note(readable=False) is ListNote.NOTHING, "nothing is unclear"
    unclear = (await db.sending(max_jobs=1)).jobs[0]
    change = StoredTransition(
        job=unclear.job, old=unclear.record, new=replace(unclear.record, unclear=True), next_ms=db.ms
    )
    await db.dispatch.settle([change])
    assert await note(readable=True) is ListNote.NOTHING
    assert await note(readable=False) is ListNote.NOTHING
    await db.pass_ms(599_999)
    assert await note(readable=False) is ListNote.NOTHING
    await db.pass_ms(1)
    assert await note(readable=False) is ListNote.HELD
    (hold,) = await db.holds.all()
    assert (hold.scope, hold.category) == ("provider", "submit_unknown")
    assert hold.cause.startswith("no list of faxes could be read for 10 minutes, sends of unclear end")
    assert hold.cause.endswith(": 1")
    await db.pass_ms(30_000)
    probe = (await db.begin(await db.leased())).jobs[0]
    assert await settle_probe(db, probe, "provider", "auth") == ["provider"]
    assert await note(readable=True) is ListNote.RELEASED
    assert await db.holds.all() == []


async def test_a_clock_that_was_set_back_begins_the_time_without_a_list_anew(db: StoreFixture) -> None:
    note = partial(db.holds.note_list, db.policy)
    await note(readable=False)
    await db.step_s(-3600)
    await note(readable=False)
    await db.pass_ms(600_000)
    assert int(await db.client.get(KEYS.lists_fail)) == db.ms - 600_000
