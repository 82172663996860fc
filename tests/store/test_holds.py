"""Holds: what they stop, who is let through, and how a run of failures opens one."""

from dataclasses import replace
from functools import partial

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Record, State
from dispatcher.core.limits.holds import PROBES_KEPT
from dispatcher.store.dispatch import Begun, JobHold, Reclaimed, SendReport, StoredTransition
from dispatcher.store.holds import ListNote
from tests.store.fixture import KEYS, StoreFixture, hash_of, words

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("scope", ["account", "provider", "batch:a", "document:d0c", "country:US", "job:a.0"])
async def test_a_hold_stops_begin_and_its_release_lets_the_job_go(world: StoreFixture, scope: str) -> None:
    """Whatever was leased before the hold goes back unspent."""
    await world.running("a", 1, documents=("d0c",), regions=["US"])
    lease = await world.leased()
    await world.holds.open(scope, "funds", "why")
    held = await world.begin(lease)
    assert words(held) == ["held"]
    assert held.jobs[0].record == Record(country="US")
    await world.holds.release(scope)
    assert words(await world.begin(await world.leased())) == ["go"]


@pytest.mark.parametrize("scope", ["account", "provider", "batch:a", "document:d0c"])
async def test_nothing_is_claimed_under_a_hold(world: StoreFixture, scope: str) -> None:
    await world.running("a", 1, documents=("d0c",))
    await world.holds.open(scope, "funds", "why")
    assert await world.claim() is None
    await world.holds.release(scope)
    assert await world.claim() is not None


@pytest.mark.parametrize("scope", ["batch:a", "document:d0c"])
async def test_a_batch_that_is_held_costs_nothing_until_it_is_released(world: StoreFixture, scope: str) -> None:
    """Nobody looks at it again and again; what comes back of it in the meantime is not claimed either."""
    await world.running("a", 3, documents=("d0c",))
    lease = await world.leased(max_jobs=1)
    await world.holds.open(scope, "config", "why")
    assert await world.claim() is None
    assert await world.client.exists(KEYS.active("bulk"), KEYS.timers) == 0
    assert words(await world.begin(lease)) == ["held"]
    assert await world.claim() is None
    assert await world.client.exists(KEYS.active("bulk"), KEYS.timers) == 0
    await world.holds.release(scope)
    assert len((await world.leased()).jobs) == 3


async def test_many_batches_that_wait_for_one_hold_are_woken_in_steps(world: StoreFixture) -> None:
    for index in range(70):
        await world.running(f"b{index}", 1, first=index, documents=("d0c",))
    await world.holds.open("document:d0c", "config", "why")
    assert await world.claim() is None
    await world.holds.release("document:d0c")
    claims = [await world.claim() for _ in range(4)]
    assert sum(len(lease.jobs) for lease in claims if lease) == 70
    assert await world.client.exists(KEYS.released, KEYS.parked("document:d0c")) == 0


async def test_a_hold_of_one_batch_leaves_the_others_alone(world: StoreFixture) -> None:
    await world.running("a", 3)
    await world.running("b", 3)
    await world.holds.open("batch:a", "rejected", "why")
    assert {job.batch for job in (await world.leased()).jobs} == {"b"}


@pytest.mark.parametrize("scope", ["account", "provider"])
async def test_a_held_scope_lets_one_job_through_at_each_time_of_its_series(world: StoreFixture, scope: str) -> None:
    """The intervals grow, and the last repeats."""
    await world.running("a", 5)
    await world.holds.open(scope, "auth", "why", probes_s=(60, 300))
    assert await world.claim() is None
    for interval_s in (60, 300, 300):
        await world.pass_ms(interval_s * 1000 - 51)  # a slot may be 50 ms ago
        assert await world.claim() is None
        await world.pass_ms(51)
        probe = await world.leased()
        assert (len(probe.jobs), [*probe.probes]) == (1, [scope])
        assert await world.claim() is None
        assert words(await world.begin(probe)) == ["go"]


async def test_a_probe_whose_worker_died_is_made_up_for_when_its_lease_is_over(world: StoreFixture) -> None:
    """The series has not moved."""
    await world.running("a", 2)
    await world.holds.open("account", "funds", "why", probes_s=(60, 900))
    await world.pass_ms(60_000)
    await world.leased()
    await world.pass_ms(30_000)
    assert [*(await world.leased()).probes] == ["account"]
    (hold,) = await world.holds.all()
    assert hold.probes == 0


async def test_no_second_probe_goes_before_the_first_must_have_ended(world: StoreFixture) -> None:
    await world.running("a", 2)
    await world.holds.open("provider", "provider_unavailable", "why", probes_s=(1,))
    await world.pass_ms(1_000)
    await world.begin(await world.leased())
    await world.pass_ms(int(world.policy.post_total_s * 1000))
    assert await world.claim() is None
    await world.pass_ms(int(world.policy.looks_s[0] * 1000) + 250)
    assert [*(await world.leased()).probes] == ["provider"]


async def test_a_probe_of_the_account_passes_a_held_provider_too(world: StoreFixture) -> None:
    """And one of the provider does not pass a held account."""
    await world.running("a", 4)
    await world.holds.open("provider", "provider_unavailable", "why", probes_s=(60,))
    await world.pass_ms(60_000)
    of_provider = await world.leased()
    await world.holds.open("account", "funds", "why", probes_s=(60,))
    assert words(await world.begin(of_provider)) == ["held"]
    await world.pass_ms(60_000)
    probe = await world.leased()
    assert probe.probes.keys() == {"account", "provider"}
    assert words(await world.begin(probe)) == ["go"]


async def test_a_probe_that_goes_back_unspent_leaves_its_turn_to_another_job(world: StoreFixture) -> None:
    """Its number was busy, or there was no slot. Told twice it says nothing."""
    await world.running("a", 3)
    await world.holds.open("account", "funds", "why", probes_s=(60, 900))
    await world.pass_ms(60_000)
    busy = await world.leased()
    await world.client.set(KEYS.number(hash_of(busy.jobs[0])), f"b.0/1 {world.ms + 60_000}")
    assert words(await world.begin(busy)) == ["number"]
    full = await world.leased()
    assert words(await world.begin(full, max_in_flight=0)) == ["full"]
    probe = await world.leased()
    assert words(await world.begin(busy)) == ["gone"]
    assert words(await world.begin(probe)) == ["go"]
    assert await world.claim() is None
    assert [hold.probes for hold in await world.holds.all()] == [1]


async def settle_probe(world: StoreFixture, begun: Begun, *disproves: str) -> list[str]:
    """The probe's attempt ends, and shows so much. Returns the scopes that are held then."""
    new = replace(begun.record, state=State.FAILED, lease=0)
    attempt = begun.record.attempt
    change = StoredTransition(job=begun.job, old=begun.record, new=new, attempt=attempt, disproves=frozenset(disproves))
    assert await world.dispatch.settle([change, change]) == [None, None]
    return [hold.scope for hold in await world.holds.all()]


async def probing(world: StoreFixture, scope: str, category: str) -> Begun:
    """Hold a scope and send its first probe."""
    await world.holds.open(scope, category, "why", probes_s=(60, 900))
    await world.pass_ms(60_000)
    (begun,) = (await world.begin(await world.leased())).jobs
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
    world: StoreFixture, scope: str, category: str, ending: str, others: tuple[str, ...]
) -> None:
    """And with no other outcome, nor with that of a job that is no probe."""
    await world.running("a", 4)
    ordinary = (await world.sending(max_jobs=1)).jobs[0]
    probe = await probing(world, scope, category)
    assert await settle_probe(world, ordinary, ending, *others) == [scope]
    assert await settle_probe(world, probe, *others) == [scope]
    await world.pass_ms(900_000)
    assert await settle_probe(world, (await world.sending()).jobs[0], ending) == []


async def test_the_late_outcome_of_an_old_probe_ends_no_later_hold(world: StoreFixture) -> None:
    """Neither the outcome of one that was sent, nor a lease that was given for the hold before."""
    await world.running("a", 4)
    old = await probing(world, "account", "auth")
    await world.holds.release("account")
    await world.holds.open("account", "funds", "why", probes_s=(60,))
    await world.pass_ms(60_000)
    late = await world.leased()
    await world.holds.release("account")
    await world.holds.open("account", "auth", "why", probes_s=(60,))
    assert words(await world.begin(late)) == ["held"]
    assert await settle_probe(world, old, "provider", "auth", "funds") == ["account"]


async def test_a_probe_that_takes_longer_than_the_series_still_ends_its_hold(world: StoreFixture) -> None:
    """The next ones go by the series meanwhile: one that is lost blocks nothing."""
    await world.running("a", 40)
    first = await probing(world, "account", "funds")
    for _ in range(PROBES_KEPT - 1):
        await world.pass_ms(900_000)
        await world.sending()
    assert await settle_probe(world, first, "funds") == []


async def test_a_hold_remembers_a_bounded_number_of_probes(world: StoreFixture) -> None:
    await world.running("a", 40)
    first = await probing(world, "account", "funds")
    for _ in range(PROBES_KEPT):
        await world.pass_ms(900_000)
        await world.sending()
    assert await settle_probe(world, first, "funds") == ["account"]


async def test_a_hold_that_waits_for_a_person_takes_the_place_of_one_that_a_probe_may_end(world: StoreFixture) -> None:
    await world.running("a", 2)
    probe = await probing(world, "account", "funds")
    assert await world.holds.open("account", "config", "no access")
    assert not await world.holds.open("account", "funds", "why", probes_s=(900,))
    assert await settle_probe(world, probe, "provider", "auth", "funds") == ["account"]
    assert [hold.category for hold in await world.holds.all()] == ["config"]


async def test_a_hold_is_released_by_its_id_if_one_is_given(world: StoreFixture) -> None:
    await world.holds.open("account", "funds", "why")
    (hold,) = await world.holds.all()
    assert not await world.holds.release("account", "0123456789abcdef")
    assert await world.holds.release("account", hold.id)


@pytest.mark.parametrize("command", [Command.CANCEL, Command.EXPIRE])
async def test_the_holds_of_a_batch_end_with_it(world: StoreFixture, command: Command) -> None:
    """And those of its jobs with them; nothing that has ended is held again."""
    await world.running("a", 3)
    lease = await world.leased(max_jobs=2)
    for scope in ("batch:a", "job:a.0", "job:a.1"):
        await world.holds.open(scope, "config", "why")
    assert words(await world.begin(lease)) == ["held", "held"]
    await world.batches.command("a", command)
    assert {hold.scope for hold in await world.holds.all()} == {"job:a.0", "job:a.1"}
    assert await world.dispatch.finalize() == 2
    assert await world.holds.all() == []
    for scope in ("batch:a", "job:a.0", "job:a.2", "batch:zz", "job:zz.0"):
        assert not await world.holds.open(scope, "config", "why")


async def test_the_hold_of_a_batch_ends_with_its_last_job(world: StoreFixture) -> None:
    await world.running("a", 2)
    first, other = (await world.sending()).jobs
    await world.holds.open("batch:a", "config", "why")
    assert await settle_probe(world, first) == ["batch:a"]
    assert await settle_probe(world, other) == []


async def test_the_hold_of_a_job_ends_when_news_of_its_fax_comes(world: StoreFixture) -> None:
    """It is accepted again, or final; a later retry finds no hold."""
    await world.running("a", 1)
    begun = (await world.sending()).jobs[0]
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
    assert await world.dispatch.settle([held]) == [None]
    assert [hold.scope for hold in await world.holds.all()] == ["job:a.0"]
    adopted = replace(waiting, state=State.ACCEPTED, fax_id="F1")
    assert await world.dispatch.settle(
        [StoredTransition(job=begun.job, old=waiting, new=adopted, next_ms=world.ms)]
    ) == [None]
    assert await world.holds.all() == []


async def test_no_job_of_an_ended_batch_is_held_for_its_lost_leases(world: StoreFixture) -> None:
    """The fifth lease ends after the batch."""
    await world.running("a", 1)
    for lost in range(1, 6):
        await world.leased()
        if lost == 5:
            await world.batches.command("a", Command.CANCEL)
        await world.pass_ms(31_000)
        assert (await world.dispatch.reclaim(max_jobs=10, again_s=30)).held == 0
    assert await world.holds.all() == []
    assert (await world.record(JobId("a", 0))).state is State.CANCELLED


async def fail(world: StoreFixture, jobs: int, *, failed: int) -> bool:
    """Send so many, the last of which fail by the provider's fault. Returns whether that holds the provider."""
    held = False
    for index in range(jobs):
        fails = index >= jobs - failed
        begun = (await world.sending(max_jobs=1)).jobs[0]
        new = replace(begun.record, state=State.WAITING if fails else State.FAILED, lease=0)
        send = SendReport(failed=True, unclear=True) if fails else SendReport(answered=True)
        change = StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=10**15, attempt=1, send=send)
        assert await world.dispatch.settle([change, change]) == [None, None]
        held = await world.holds.check_provider(world.policy) or held
    return held


@pytest.mark.parametrize(("sends", "failed", "held"), [(10, 9, False), (11, 10, True), (40, 9, False), (40, 10, True)])
async def test_ten_failures_among_the_last_twenty_sends_hold_the_provider(
    world: StoreFixture, sends: int, failed: int, held: bool
) -> None:
    """A result that is settled twice counts once, and a refusal is an answer."""
    await world.running("a", sends + 1)
    assert await fail(world, sends, failed=failed) is held
    assert (await world.claim() is None) is held
    assert [hold.scope for hold in await world.holds.all()] == ["provider"] * held


async def test_the_hold_of_the_provider_names_what_came_instead_of_answers(world: StoreFixture) -> None:
    await world.running("a", 10)
    for status in ("302", "none", "302", "200", "302", "302", "302", "none", "302", "503"):
        begun = (await world.sending(max_jobs=1)).jobs[0]
        send = SendReport(failed=True, unclear=True, status=status)
        new = replace(begun.record, state=State.WAITING, lease=0)
        change = StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=10**15, attempt=1, send=send)
        await world.dispatch.settle([change])
    assert await world.holds.check_provider(world.policy)
    (hold,) = await world.holds.all()
    assert hold.cause == "10 of the last 20 sends brought no usable answer: 302 (6), none (2), 200 (1), 503 (1)"


async def test_countries_that_are_refused_within_a_few_sends_are_too_many(world: StoreFixture) -> None:
    """A country counts once, and one that was refused long ago no more."""
    await world.running("a", 40)
    forbid = partial(world.holds.count_forbidden_country, countries=3, sends=20)
    assert not await forbid("country:US")
    assert not await forbid("country:US")
    assert not await forbid("country:GB")
    await fail(world, 20, failed=0)
    assert not await forbid("country:DE")
    assert not await forbid("country:FR")
    assert await forbid("country:GB")
    assert await forbid("country:GB")


async def test_a_few_failures_hold_the_provider_when_no_send_was_answered_for_a_minute(world: StoreFixture) -> None:
    """A mailing may have three jobs. Among sends that are answered three in a row say nothing."""
    await world.running("a", 20)
    assert not await fail(world, 1, failed=0)
    await world.pass_ms(59_999)
    assert not await fail(world, 3, failed=3)
    await world.pass_ms(1)
    assert await fail(world, 1, failed=1)
    (hold,) = await world.holds.all()
    cause = "4 sends in a row brought no usable answer, and no other was answered for long: none (4)"
    assert (hold.category, hold.cause) == ("provider_unavailable", cause)


@pytest.mark.parametrize("answered", [False, True], ids=["nobody answered", "another answered in between"])
async def test_the_second_failure_of_one_job_holds_the_provider_when_no_send_was_answered(
    world: StoreFixture, answered: bool
) -> None:
    """It was looked for in between, which takes minutes; a mailing may have one job."""
    await world.running("a", 2)
    for attempt in (1, 2):
        begun = (await world.sending(max_jobs=1)).jobs[0]
        assert (begun.job, begun.record.attempt) == (JobId("a", 0), attempt)
        new = replace(begun.record, state=State.WAITING, lease=0)
        send = SendReport(failed=True, unclear=True)
        due_ms = world.ms + 300_000
        change = StoredTransition(
            job=begun.job, old=begun.record, new=new, next_ms=due_ms, rest_s=0, attempt=attempt, send=send
        )
        await world.dispatch.settle([change])
        assert await world.holds.check_provider(world.policy) is (attempt == 2 and not answered)
        if answered and attempt == 1:
            assert not await fail(world, 1, failed=0)
        elif attempt == 1:
            await world.leased(max_jobs=1)  # another job, whose turn comes before a retry's
        await world.pass_ms(300_000)


async def test_one_job_that_always_fails_keeps_no_other_waiting(world: StoreFixture) -> None:
    """It may be the job that is to blame: the next mailing is probed with at once, and goes when it is answered."""
    await world.running("a", 1)
    for _ in range(2):
        begun = (await world.sending()).jobs[0]
        new = replace(begun.record, state=State.WAITING, lease=0)
        send = SendReport(failed=True, unclear=True)
        due_ms, attempt = world.ms + 300_000, begun.record.attempt
        change = StoredTransition(
            job=begun.job, old=begun.record, new=new, next_ms=due_ms, rest_s=0, attempt=attempt, send=send
        )
        await world.dispatch.settle([change])
        await world.pass_ms(300_000)
    assert await world.holds.check_provider(world.policy)
    await world.leased()  # the job itself, whose worker dies
    await world.running("b", 2, first=1)
    assert await world.claim() is None, "one probe at a time"
    await world.pass_ms(30_000)
    probe = (await world.sending()).jobs[0]
    assert probe.job.batch == "b"
    assert await world.claim() is None
    assert await settle_probe(world, probe, "provider") == []


async def test_failures_that_lie_more_than_twenty_sends_back_are_forgotten(world: StoreFixture) -> None:
    await world.running("a", 60)
    assert not await fail(world, 10, failed=9)
    assert not await fail(world, 29, failed=9)
    assert await fail(world, 1, failed=1)


async def test_a_provider_that_is_released_has_ten_failures_again(world: StoreFixture) -> None:
    await world.running("a", 40)
    assert await fail(world, 11, failed=10)
    await world.holds.release("provider")
    await world.pass_ms(2_000)
    assert not await fail(world, 9, failed=9)
    assert await fail(world, 1, failed=1)


async def test_a_hold_keeps_its_beginning_when_it_is_opened_again(world: StoreFixture) -> None:
    assert await world.holds.open("account", "funds", "first")
    await world.pass_ms(5_000)
    assert not await world.holds.open("account", "auth", "second")
    (hold,) = await world.holds.all()
    assert (hold.category, hold.cause, hold.since_ms) == ("funds", "first", world.ms - 5_000)


async def test_a_run_of_failures_holds_a_scope_and_each_attempt_counts_once(world: StoreFixture) -> None:
    strike = partial(world.holds.count_failure, within_s=60)
    assert not await strike("batch:a", 3, attempt="a.0/1")
    assert not await strike("batch:a", 3, attempt="a.0/1")
    assert not await strike("batch:a", 3, attempt="a.1/1")
    assert await strike("batch:a", 3, attempt="a.2/1")
    assert await strike("batch:a", 3, attempt="a.2/1")
    await world.running("a", 1)
    await world.holds.open("batch:a", "rejected", "why")
    assert not await strike("batch:a", 3, attempt="a.3/1")


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED])
async def test_a_fax_that_is_taken_ends_the_run_of_failures_of_its_batch(world: StoreFixture, state: State) -> None:
    await world.running("a", 1)
    strike = partial(world.holds.count_failure, within_s=60)
    await strike("batch:a", 2, attempt="a.9/1")
    begun = (await world.sending()).jobs[0]
    new = replace(begun.record, state=state)
    await world.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=world.ms + 1)])
    assert not await strike("batch:a", 2, attempt="a.8/1")


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED])
async def test_a_delivered_fax_ends_the_runs_of_failures_of_its_documents(world: StoreFixture, state: State) -> None:
    """One that is accepted has yet to be converted."""
    await world.running("a", 1, documents=("d0c", "d1c"))
    strike = partial(world.holds.count_failure, within_s=60)
    for document in ("d0c", "d1c", "d2c"):
        await strike(f"document:{document}", 2, attempt="a.9/1")
    begun = (await world.sending()).jobs[0]
    new = replace(begun.record, state=state)
    await world.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=new, next_ms=world.ms + 1)])
    runs = [await strike(f"document:{document}", 2, attempt="a.8/1") for document in ("d0c", "d1c", "d2c")]
    assert runs == [state is State.ACCEPTED, state is State.ACCEPTED, True]


async def test_failures_that_lie_far_apart_are_no_run_and_leave_nothing_behind(world: StoreFixture) -> None:
    """A hiccup an hour hold nothing for ever, and a set that nobody looks at any more is gone."""
    strike = partial(world.holds.count_failure, within_s=3600)
    for hour in range(20):
        assert not await strike("document:d0c", 2, attempt=f"a.{hour}/1")
        await world.pass_ms(3_600_000)
    assert await strike("document:d0c", 1, attempt="a.20/1")
    assert await world.client.zcard(KEYS.strikes("document:d0c")) == 1
    assert 3_659_000 < await world.client.pttl(KEYS.strikes("document:d0c")) <= 3_660_000, (
        "a minute later than it counts"
    )


async def lose(world: StoreFixture) -> Reclaimed:
    """A worker fetches the next lease, and is replaced."""
    lease = await world.leased()
    world.workers.speak_as("mortal", "1", lambda: 5)
    await world.workers.register("mortal", "1")
    assert await world.dispatch.fetch(lease.id)
    world.workers.speak_as("worker", "first", lambda: 100)
    await world.workers.report_end("mortal")
    return await world.dispatch.reclaim(max_jobs=10, again_s=30)


async def test_five_workers_that_ended_hold_the_job_and_its_release_lets_it_go(world: StoreFixture) -> None:
    """Four do not; after the release it has five again."""
    await world.running("a", 1)
    for lost in range(1, 6):
        reaped = await lose(world)
        assert (reaped.given_back, reaped.held) == (1, int(lost == 5))
    assert [hold.scope for hold in await world.holds.all()] == ["job:a.0"]
    await world.pass_ms(10**9)
    assert await world.claim() is None
    await world.holds.release("job:a.0")
    assert (await lose(world)).held == 0


async def test_a_beginning_ends_the_run_of_workers_that_ended(world: StoreFixture) -> None:
    await world.running("a", 1)
    await lose(world)
    assert (await world.record(JobId("a", 0))).strikes == 1
    assert (await world.sending()).jobs[0].record.strikes == 0


async def send_unclear(world: StoreFixture, jobs: int, *, unclear: int) -> bool:
    """The last of so many sends have an unclear end. Whether that holds the provider."""
    begun = list[Begun]()
    while len(begun) < jobs:
        begun += (await world.sending(max_jobs=min(32, jobs - len(begun)))).jobs
    for index, start in enumerate(begun):
        is_unclear = index >= jobs - unclear
        new = replace(start.record, unclear=True) if is_unclear else replace(start.record, state=State.FAILED, lease=0)
        send = SendReport(answered=not is_unclear, unclear=is_unclear)
        change = StoredTransition(
            job=start.job, old=start.record, new=new, next_ms=world.ms + 60_000, attempt=1, send=send
        )
        await world.dispatch.settle([change])
    return await world.holds.check_provider(world.policy)


@pytest.mark.parametrize(("unclear", "held"), [(60, False), (61, True)])
async def test_more_than_thirty_percent_of_the_last_two_hundred_sends_of_unclear_end_hold_the_provider(
    world: StoreFixture, unclear: int, held: bool
) -> None:
    await world.limiter.set_ceiling(10_000.0)
    await world.running("a", 200)
    assert await send_unclear(world, 200, unclear=unclear) is held
    holds = [(hold.scope, hold.category, hold.cause) for hold in await world.holds.all()]
    cause = "61 of the last 200 sends have an unclear end"
    assert holds == ([("provider", "provider_unavailable", cause)] if held else [])


async def test_without_a_list_for_ten_minutes_the_provider_is_held_until_one_is_read(world: StoreFixture) -> None:
    """But only while attempts are unclear. That sends are answered does not end it."""
    note = partial(world.holds.note_list, world.policy)
    await world.running("a", 3)
    assert await note(readable=False) is ListNote.NOTHING
    await world.pass_ms(600_000)
    assert await note(readable=False) is ListNote.NOTHING, "nothing is unclear"
    unclear = (await world.sending(max_jobs=1)).jobs[0]
    change = StoredTransition(
        job=unclear.job, old=unclear.record, new=replace(unclear.record, unclear=True), next_ms=world.ms
    )
    await world.dispatch.settle([change])
    assert await note(readable=True) is ListNote.NOTHING
    assert await note(readable=False) is ListNote.NOTHING
    await world.pass_ms(599_999)
    assert await note(readable=False) is ListNote.NOTHING
    await world.pass_ms(1)
    assert await note(readable=False) is ListNote.HELD
    (hold,) = await world.holds.all()
    assert (hold.scope, hold.category) == ("provider", "submit_unknown")
    assert hold.cause.startswith("no list of faxes could be read for 10 minutes, sends of unclear end")
    assert hold.cause.endswith(": 1")
    await world.pass_ms(30_000)
    probe = (await world.begin(await world.leased())).jobs[0]
    assert await settle_probe(world, probe, "provider", "auth") == ["provider"]
    assert await note(readable=True) is ListNote.RELEASED
    assert await world.holds.all() == []


async def test_a_clock_that_was_set_back_begins_the_time_without_a_list_anew(world: StoreFixture) -> None:
    note = partial(world.holds.note_list, world.policy)
    await note(readable=False)
    await world.step_s(-3600)
    await note(readable=False)
    await world.pass_ms(600_000)
    assert int(await world.client.get(KEYS.lists_fail)) == world.ms - 600_000
