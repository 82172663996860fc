"""Tests of the metrics: their initial values, and what they count."""

import math
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as families

from dispatcher.core.batch import Command
from dispatcher.core.job import FailureCode, JobId, Record, State
from dispatcher.metrics.installation import COUNTERS, Exposition, probes_apart
from dispatcher.service.limits import SCHEDULER_GONE_S
from dispatcher.store.dispatch import StoredTransition
from dispatcher.store.protocol import LONGEST_SLEEP_S
from dispatcher.store.store import Store
from tests.service.system import store_in
from tests.store.fixture import KEYS, StoreFixture, open_store, words

pytestmark = pytest.mark.anyio

Series = dict[tuple[str, str], float]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def db(redis_url: str) -> AsyncIterator[StoreFixture]:
    async with open_store(redis_url) as db:
        yield db


@pytest.fixture
async def store(db: StoreFixture, redis_url: str) -> AsyncIterator[Store]:
    store = store_in(db, redis_url)
    yield store
    await store.aclose()


async def series(store: Store) -> Series:
    """Return the values of all samples by name and labels, written as ``a=1,b=2``."""
    text = (await Exposition().text(store, 512)).decode()
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families(text)
        for sample in family.samples
    }


async def value(store: Store, name: str, labels: str = "") -> float:
    """Return the value of a sample."""
    return (await series(store))[name, labels]


def ended(job: JobId, old: Record, state: State, category: str = "", error_type: str = "") -> StoredTransition:
    """Return the transition of a job to a final state."""
    new = replace(old, state=state, lease=0, failure=FailureCode(category=category, error_type=error_type))
    return StoredTransition(job=job, old=old, new=new, next_ms=0)


async def test_every_category_of_a_failure_is_zero_before_the_first_failure(store: Store) -> None:
    """Otherwise ``increase()`` misses the first failure."""
    samples = await series(store)
    finals = {labels: count for (name, labels), count in samples.items() if name == "bulkfax_jobs_final_total"}
    assert finals["category=busy,state=failed"] == finals["category=none,state=delivered"] == 0
    assert len(finals) > 100
    assert set(finals.values()) == {0}
    assert samples["bulkfax_job_error_types_total", "error_type=CALL_ERROR"] == 0
    assert samples["bulkfax_provider_responses_total", "status=402"] == 0


async def test_names_do_not_clash_in_openmetrics(store: Store) -> None:
    collector = await Exposition().collector(store, 512)
    read = list(read_openmetrics(as_openmetrics(collector).decode()))  # type: ignore[no-untyped-call]
    assert len({family.name for family in read}) == len(read) > 20


async def test_labels_are_of_closed_sets(db: StoreFixture, store: Store) -> None:
    """No number, name, host or URL can become one."""
    await db.running("a", 1)
    await db.begin(await db.leased())
    labels = {pair.partition("=")[0] for _, pairs in await series(store) for pair in pairs.split(",") if pair}
    closed = {"category", "error_type", "error_code", "kind", "le", "level", "outcome", "period", "process", "reason"}
    assert labels <= closed | {"result", "source", "state", "status", "currency"} | {"country", "batch"}


async def test_a_job_that_fails_is_counted_by_category_and_by_type(db: StoreFixture, store: Store) -> None:
    before = await series(store)
    await db.running("a", 3)
    await db.leased()
    for row, (state, category, kind) in enumerate(
        [(State.DELIVERED, "", ""), (State.FAILED, "busy", "CALL_ERROR"), (State.FAILED, "busy", "FAX_ERROR")]
    ):
        job = JobId("a", row)
        assert await db.dispatch.settle([ended(job, await db.record(job), state, category, kind)]) == [None]
    after = await series(store)
    moved = {key: count - before.get(key, 0) for key, count in after.items() if key[0].endswith("_total")}
    changed = {key: growth for key, growth in moved.items() if growth}
    assert changed == {
        ("bulkfax_jobs_final_total", "category=none,state=delivered"): 1,
        ("bulkfax_jobs_final_total", "category=busy,state=failed"): 2,
        ("bulkfax_job_error_types_total", "error_type=none"): 1,
        ("bulkfax_job_error_types_total", "error_type=CALL_ERROR"): 1,
        ("bulkfax_job_error_types_total", "error_type=FAX_ERROR"): 1,
    }


async def test_the_times_to_the_first_attempt_and_to_the_end_are_counted_from_the_start(
    db: StoreFixture, store: Store
) -> None:
    await db.running("a", 3)
    await db.pass_ms(90_000)
    begun = await db.begin(await db.leased())
    assert words(begun) == ["go"] * 3
    await db.pass_ms(7_200_000)
    job = JobId("a", 0)
    record = await db.record(job)
    await db.dispatch.settle([ended(job, record, State.DELIVERED)])
    samples = await series(store)
    first = [samples["bulkfax_first_attempt_seconds_bucket", f"le={bound}"] for bound in ("60.0", "600.0", "+Inf")]
    assert first == [0, 3, 3]
    assert samples["bulkfax_first_attempt_seconds_sum", ""] == pytest.approx(270, abs=5)
    final = [samples["bulkfax_final_seconds_bucket", f"le={bound}"] for bound in ("3600.0", "21600.0", "+Inf")]
    assert final == [0, 1, 1]
    assert samples["bulkfax_final_seconds_sum", ""] == pytest.approx(7290, abs=1)


async def test_the_counters_of_a_country_exist_before_its_first_call(db: StoreFixture, store: Store) -> None:
    await db.draft("a", ["+4930231250", "+12025550101"], regions=["DE", ""])
    samples = await series(store)
    countries = {labels: count for (name, labels), count in samples.items() if name == "bulkfax_country_attempts_total"}
    assert countries == {
        f"country={country},result={result}": 0 for country in ("DE", "none") for result in ("delivered", "failed")
    }


async def test_running_batches_are_told_of_by_id_and_no_more_than_fifty(db: StoreFixture, store: Store) -> None:
    await db.draft("draft", ["+12025550101"])
    await db.running("paused", 1, first=1)
    await db.batches.command("paused", Command.PAUSE)
    await db.running("a", 3, first=10, deadline_ms=db.ms + 3_600_000)
    await db.begin(await db.leased())
    samples = await series(store)
    jobs = {labels: count for (name, labels), count in samples.items() if name == "bulkfax_batch_jobs" and count}
    assert jobs == {"batch=a,state=in_flight": 3}
    assert samples["bulkfax_batches_running", ""] == 1
    assert samples["bulkfax_batch_deadline_seconds", "batch=a"] == pytest.approx(3600, abs=1)
    assert math.isnan(samples["bulkfax_batch_eta_seconds", "batch=a"])
    for index in range(60):
        await db.running(f"b{index}", 1, first=100 + index)
    samples = await series(store)
    assert len({labels for name, labels in samples if name == "bulkfax_batch_eta_seconds"}) == 50
    assert samples["bulkfax_batches_running", ""] == 50


async def test_the_memory_of_redis_is_told_with_its_limit(store: Store) -> None:
    samples = await series(store)
    assert samples["bulkfax_redis_memory_bytes", ""] > 100_000
    assert samples["bulkfax_redis_memory_limit_bytes", ""] == 0


async def test_jobs_that_may_not_be_sent_yet_are_not_due(db: StoreFixture, store: Store) -> None:
    """These are jobs of drafts, of paused batches and of batches with a later start."""
    await db.draft("draft", ["+12025550101"])
    await db.draft("later", ["+12025550102"], start_at_ms=db.ms + 60_000)
    await db.batches.command("later", Command.START)
    await db.running("paused", 3, first=10)
    await db.batches.command("paused", Command.PAUSE)
    samples = await series(store)
    assert (samples["bulkfax_jobs_due", ""], samples["bulkfax_oldest_due_seconds", ""]) == (0, 0)
    assert samples["bulkfax_jobs", "state=waiting"] == 5


async def test_jobs_are_due_since_their_batch_is_running(db: StoreFixture, store: Store) -> None:
    await db.running("a", 3)
    await db.pass_ms(90_000)
    assert (await value(store, "bulkfax_jobs_due"), await value(store, "bulkfax_oldest_due_seconds")) == (3, 90)
    await db.batches.command("a", Command.PAUSE)
    await db.pass_ms(3_600_000)
    await db.batches.command("a", Command.RESUME)
    await db.pass_ms(5_000)
    assert await value(store, "bulkfax_oldest_due_seconds") == 5


async def test_a_retry_is_due_when_its_time_has_come(db: StoreFixture, store: Store) -> None:
    await db.running("a", 1)
    await db.leased()
    job = JobId("a", 0)
    record = await db.record(job)
    new = replace(record, state=State.WAITING, lease=0)
    await db.dispatch.settle([StoredTransition(job=job, old=record, new=new, next_ms=db.ms + 60_000)])
    assert await value(store, "bulkfax_jobs_due") == 0
    await db.pass_ms(70_000)
    assert (await value(store, "bulkfax_jobs_due"), await value(store, "bulkfax_oldest_due_seconds")) == (1, 10)


async def test_a_leased_job_is_due_until_its_attempt_begins(db: StoreFixture, store: Store) -> None:
    """Otherwise jobs that are leased again and again, and never begun, would never be due for long."""
    await db.running("a", 5)
    await db.leased()
    assert await value(store, "bulkfax_jobs_due") == 5
    await db.pass_ms(11_000)
    await db.dispatch.reclaim(max_jobs=10, again_s=30)
    lease = await db.leased()
    assert await value(store, "bulkfax_jobs_due") == 5
    begun = words(await db.begin(lease)).count("go")
    assert begun
    assert await value(store, "bulkfax_jobs_due") == 5 - begun


async def test_jobs_under_a_hold_of_their_batch_are_not_due_and_those_under_a_hold_of_the_account_are(
    db: StoreFixture, store: Store
) -> None:
    await db.running("a", 3)
    await db.running("b", 2, first=10)
    await db.holds.open("batch:a", "config", "wrong cover page")
    await db.holds.open("account", "funds", "no funds", probes_s=(900.0,))
    samples = await series(store)
    assert (samples["bulkfax_jobs_due", ""], samples["bulkfax_jobs_due_held", ""]) == (2, 3)
    holds = {labels: count for (name, labels), count in samples.items() if name == "bulkfax_holds" and count}
    assert holds == {"category=config,kind=batch": 1, "category=funds,kind=account": 1}
    assert samples["bulkfax_holds_opened_total", "category=funds"] == 1


async def test_the_age_of_processes_that_were_never_seen_is_infinite(db: StoreFixture, store: Store) -> None:
    await db.client.delete(KEYS.workers)
    db.scripts.worker = str
    assert await value(store, "bulkfax_last_seen_seconds", "process=worker") == math.inf
    assert await value(store, "bulkfax_last_seen_seconds", "process=scheduler") == math.inf
    await store.workers.register("host/1", "a", room=8)
    assert await value(store, "bulkfax_last_seen_seconds", "process=worker") == 0
    assert await value(store, "bulkfax_worker_processes") == 1


@pytest.mark.parametrize("way", ["killed", "reported", "signed off"])
async def test_workers_are_missed_however_they_ended(db: StoreFixture, store: Store, way: str) -> None:
    """Without calls, the clock of the registry stands still, while that of the server advances."""
    await db.client.delete(KEYS.workers)
    db.scripts.worker = str
    await db.workers.register("host/1", "a", room=8)
    await db.pass_ms(500)
    if way == "reported":
        await db.workers.report_end("host/1")
    if way == "signed off":
        await db.workers.sign_off("host/1", "a")
    await db.pass_ms(61_000)
    assert await value(store, "bulkfax_last_seen_seconds", "process=worker") == (61.5 if way == "killed" else 61)


async def test_a_time_ahead_of_the_clock_is_no_sign_of_life(db: StoreFixture, store: Store) -> None:
    """The clock of Redis was set back by an hour, so the last signs of life are an hour ahead. No process is alive."""
    await db.client.delete(KEYS.workers)
    db.scripts.worker = str
    await db.client.hset(KEYS.clock, "boot", f"[{db.ms}, 0, 0]")
    await db.workers.register("host/1", "a", room=8)
    await db.workers.report_end("host/1")
    await db.set_clock(db.us - 3_600_000_000)
    samples = await series(store)
    assert samples["bulkfax_last_seen_seconds", "process=worker"] == math.inf
    assert samples["bulkfax_last_seen_seconds", "process=scheduler"] == math.inf


async def test_a_scheduler_that_asks_for_due_jobs_is_alive(db: StoreFixture, store: Store) -> None:
    """While all sending is held it makes no other call for ten seconds, and it counts as gone after five."""
    ages = []
    for _ in range(10):
        await db.wakes.next_due()
        ages.append(await value(store, "bulkfax_last_seen_seconds", "process=scheduler"))
        await db.pass_ms(1_000)
    assert max(ages) == 2 < SCHEDULER_GONE_S - LONGEST_SLEEP_S


async def test_a_killed_worker_is_missed_while_schedulers_move_the_clock_of_the_registry(
    db: StoreFixture, store: Store
) -> None:
    await db.running("a", 1)
    await db.client.delete(KEYS.workers)
    db.scripts.worker = str
    await db.workers.register("host/1", "a", room=8)
    for _ in range(90):
        await db.pass_ms(1_000)
        await db.claim()
    assert await value(store, "bulkfax_last_seen_seconds", "process=worker") == pytest.approx(90, abs=1)


async def test_a_send_without_an_end_is_counted_when_its_deadline_passes(db: StoreFixture, store: Store) -> None:
    await db.running("a", 2)
    await db.sending()
    assert await value(store, "bulkfax_unclear_attempts") == 0
    await db.pass_ms(60_000)
    await db.dispatch.reclaim(max_jobs=10, again_s=30)
    samples = await series(store)
    assert (samples["bulkfax_attempts_unended_total", ""], samples["bulkfax_unclear_attempts", ""]) == (2, 2)
    assert samples["bulkfax_oldest_unclear_seconds", ""] == pytest.approx(60, abs=0.1)


async def test_the_age_of_the_inbox_is_that_of_its_oldest_event(db: StoreFixture, store: Store) -> None:
    assert await value(store, "bulkfax_oldest_inbox_event_seconds") == 0
    await db.client.xadd(KEYS.inbox, {"event": "{}"}, id=f"{db.ms - 95_000}-0")
    assert await value(store, "bulkfax_oldest_inbox_event_seconds") == pytest.approx(95, abs=0.1)
    await db.client.delete(KEYS.inbox)
    await db.client.xadd(KEYS.inbox, {"event": "{}"}, id=f"{db.ms + 60_000}-0")
    assert await value(store, "bulkfax_oldest_inbox_event_seconds") == 0, "no age is below 0"


def test_attempts_never_go_back_when_redis_loses_writes_and_probes_follow() -> None:
    exposition = Exposition()
    exported = [
        exposition.forward(probes_apart({("attempts", "refused"): attempts, ("probes", "refused"): probes}))
        for attempts, probes in ((10, 0), (12, 4), (13, 4), (3, 3), (5, 4))
    ]
    assert [totals["attempts", "refused"] for totals in exported] == [10, 10, 11, 11, 12]


def test_probes_are_counted_apart_from_attempts() -> None:
    totals = {("attempts", "accepted"): 10, ("attempts", "refused"): 4, ("probes", "refused"): 3, ("doubled",): 1}
    assert probes_apart(totals) == totals | {("attempts", "refused"): 1}


async def test_no_metric_has_the_name_of_another_family(store: Store) -> None:
    """A counter's family is its name without ``_total``. OpenMetrics parsers reject two families with one name."""
    text = (await Exposition().text(store, 512)).decode()
    names = [name.removesuffix("_total") for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)]
    assert len(set(names)) == len(names)


def test_counters_know_every_label_that_the_code_counts() -> None:
    """The labels are read from the source. The first count of a label that is not known from the start is lost."""
    sources = [*Path("dispatcher").rglob("*.py"), *Path("dispatcher").rglob("*.lua")]
    counted = {pair for path in sources for pair in re.findall(r"[\"'](\w+)\|(\w+)[\"']", path.read_text())}
    known = {(counter.source, labels[0]) for counter in COUNTERS for labels in counter.known if labels}
    used = {(source, label) for source, label in counted if source in {source for source, _ in known}}
    assert used
    assert used <= known
