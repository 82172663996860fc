"""What the doctor can still see, and what it puts right."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.recovery.places import WATCHED, Place
from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.service.doctor import Finding, examine, examine_provider
from dispatcher.sinch.errors import UnreachableError
from dispatcher.store.dispatch import Candidate
from dispatcher.store.footprint import Footprint
from dispatcher.store.store import Store
from tests.service.samples import end_jobs, running
from tests.store.fixture import KEYS

pytestmark = pytest.mark.anyio

#: scopes of nothing that exists
GONE = ("batch:zz", "job:zz.0", "document:d0c")


async def finding_of(store: Store, check: str, *, fix: bool = False) -> Finding:
    findings = await examine(store, fix=fix, progress=lambda done, total: None)
    return next(finding for finding in findings if finding.check == check)


async def lock_idly(store: Store) -> None:
    """Two jobs lock their numbers; one of them is made to wait without a word to its lock."""
    await running(store, 2)
    lease = await store.dispatch.claim("bulk", max_jobs=2, max_ahead=10, max_in_flight=10)
    assert lease
    candidates = [Candidate(job=job, number_hash=f"n{job.row}", number="") for job in lease.jobs]
    begun = await store.dispatch.begin(lease, candidates, max_in_flight=10)
    assert [start.word for start in begun.jobs] == ["go", "go"]
    block = KEYS.of_block(lease.jobs[0].batch, "records", 0)
    await store.audit._client.setrange(block, 0, bytes([State.WAITING]))


async def test_a_number_that_is_locked_by_a_job_that_does_not_call_it_is_freed(store: Store) -> None:
    await lock_idly(store)
    assert not (await finding_of(store, "number locks")).ok
    assert (await finding_of(store, "number locks", fix=True)).fixed
    assert (await finding_of(store, "number locks")).ok
    client = store.audit._client
    assert [await client.exists(KEYS.number("n0")), await client.exists(KEYS.number("n1"))] == [0, 1]


@pytest.mark.parametrize(
    ("entries", "right"),
    [
        ((), "sending"),
        (("sending", "unclear"), "unclear"),
        (("unclear", "leased"), "unclear"),
        (("accepted",), "sending"),
    ],
    ids=str,
)
async def test_a_send_in_a_wrong_place_is_put_where_its_outcome_is_asked_for(
    store: Store, entries: tuple[str, ...], right: str
) -> None:
    """One place is left: where it is looked for, if it was there, or where its deadline leads to that."""
    await running(store, 1)
    lease = await store.dispatch.claim("bulk", max_jobs=1, max_ahead=10, max_in_flight=10)
    assert lease
    await store.dispatch.begin(lease, [Candidate(job=lease.jobs[0], number_hash="n", number="")], max_in_flight=10)
    client, job = store.audit._client, str(lease.jobs[0])
    for place in WATCHED:
        await client.zrem(KEYS.watch[Place(place)], job)
    for entry in entries:
        await client.zadd(KEYS.watch[Place(entry)], {job: 1})
    assert not (await finding_of(store, "one place")).ok
    assert (await finding_of(store, "one place", fix=True)).fixed
    assert (await finding_of(store, "one place")).ok
    assert (await store.dispatch.sizes())[right] == 1


async def test_wrong_counts_of_what_waits_are_replaced(store: Store) -> None:
    batch = await running(store, 3)
    await end_jobs(
        store, batch, {0: (State.FAILED, "busy"), 1: (State.WAITING, "busy"), 2: (State.WAITING, "no_answer")}
    )
    client, waits = store.audit._client, KEYS.of_batch(batch, "waits")
    right = await client.hgetall(waits)
    assert sorted(right.values()) == [b"1", b"1"]
    assert (await finding_of(store, "counts")).ok
    await client.hincrby(waits, "3:29000000", 5)
    assert not (await finding_of(store, "counts")).ok
    assert (await finding_of(store, "counts", fix=True)).fixed
    assert (await finding_of(store, "counts")).ok
    assert await client.hgetall(waits) == right


async def test_a_full_server_can_be_examined(store: Store) -> None:
    await lock_idly(store)
    client = store.audit._client
    await client.config_set("maxmemory", 1)
    try:
        findings = {
            finding.check: finding for finding in await examine(store, fix=False, progress=lambda done, total: None)
        }
    finally:
        await client.config_set("maxmemory", 0)
    assert not findings["server writes"].ok
    assert "in sending" in findings["one place"].text, "a single job is read, too"


async def test_a_hold_that_has_nothing_to_hold_is_named_and_ended(store: Store) -> None:
    """As an older version left them. Others stay: of the account, and of a batch that runs."""
    batch = await running(store, 2)
    await store.holds.open("account", "auth", "why")
    await store.holds.open(f"batch:{batch}", "config", "why")
    assert (await finding_of(store, "holds")).ok
    gone = {
        scope: f'{{"id": "1", "scope": "{scope}", "category": "config", "cause": "", "since_ms": 1}}' for scope in GONE
    }
    await store.audit._client.hset(KEYS.holds, mapping=gone)
    finding = await finding_of(store, "holds", fix=True)
    assert (finding.ok, finding.fixed, all(scope in finding.text for scope in GONE)) == (False, True, True)
    assert (await finding_of(store, "holds")).ok
    assert {hold.scope for hold in await store.holds.all()} == {"account", f"batch:{batch}"}


async def listed(*pages: tuple[FaxUpdate, ...]) -> AsyncIterator[Sequence[FaxUpdate]]:
    for faxes in pages:
        yield faxes


def fax(fax_id: str, job: str, attempt: int = 1) -> FaxUpdate:
    return FaxUpdate(fax_id=fax_id, status=FaxStatus.COMPLETED, job=job, attempt=attempt)


async def test_attempts_that_the_provider_accepted_twice_are_counted() -> None:
    """A fax that two pages show is one, and a fax without our labels is none of ours."""
    pages = (fax("1", "a.0"), fax("2", "a.1"), fax("8", "")), (fax("2", "a.1"), fax("3", "a.0", 2), fax("9", ""))
    finding = await examine_provider(listed(*pages), 24)
    assert (finding.ok, finding.text) == (True, "3 attempts of the last 24 h, each accepted once")
    finding = await examine_provider(listed(*pages, (fax("4", "a.1"), fax("5", "a.1"))), 24)
    assert (finding.ok, finding.text) == (False, "1 of 3 attempts of the last 24 h accepted twice: a.1/1")


async def test_a_provider_that_cannot_be_asked_is_a_finding() -> None:
    async def failing() -> AsyncIterator[Sequence[FaxUpdate]]:
        raise UnreachableError("no connection")
        yield

    finding = await examine_provider(failing(), 24)
    assert (finding.ok, finding.text) == (False, "the provider's faxes could not be read: no connection")


async def test_what_waits_for_a_hold_that_has_ended_is_named_and_woken(store: Store) -> None:
    """A hold that was taken away without a word to those who wait for it."""
    batch = await running(store, 2)
    await store.holds.open("country:US", "not_permitted", "why")
    assert await store.dispatch.claim("bulk", max_jobs=8, max_ahead=8, max_in_flight=8) is None
    assert (await finding_of(store, "one place")).ok
    assert (await finding_of(store, "holds")).ok
    await store.audit._client.hdel(KEYS.holds, "country:US")
    finding = await finding_of(store, "holds", fix=True)
    assert (finding.ok, finding.fixed, "country:US" in finding.text) == (False, True, True)
    lease = await store.dispatch.claim("bulk", max_jobs=8, max_ahead=8, max_in_flight=8)
    assert lease
    assert [job.batch for job in lease.jobs] == [batch] * 2


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("ZREM", KEYS.suppressed_numbers, "12025550101"), "1 number with a wrong place"),
        (("ZREM", KEYS.suppression_ends, "12025550102"), "1 number with a wrong place"),
        (("ZADD", KEYS.suppression_ends, 1, "12025550101"), "1 number with a wrong place"),
        (("ZADD", KEYS.suppressed_numbers, 0, "12025550109"), "1 number with a wrong place"),
        (("HDEL", KEYS.suppressions, "12025550102"), "1 number with a wrong place"),
        (("HINCRBY", KEYS.totals, "suppressions|import", 5), "its counts by source are"),
    ],
)
async def test_the_do_not_fax_list_gets_right_indexes_and_counts(
    store: Store, command: tuple[str | int, ...], says: str
) -> None:
    """An entry that is missing in an index still stops its number, but nobody would see it."""
    later_ms = await store.clock.now_ms() + 10**9
    manual, dead = SuppressionSource.MANUAL, SuppressionSource.DEAD_NUMBER
    await store.suppressions.put(
        [
            Suppression(number="+12025550101", source=manual),
            Suppression(number="+12025550102", source=dead, expires_ms=later_ms),
        ]
    )
    assert (await finding_of(store, "do-not-fax list")).text == "2 entries, each with its places in the indexes"
    await store.audit._client.execute_command(*command)
    finding = await finding_of(store, "do-not-fax list", fix=True)
    assert (finding.ok, finding.fixed, says in finding.text) == (False, True, True), finding.text
    assert (await finding_of(store, "do-not-fax list")).ok


async def test_batches_that_a_damaged_list_does_not_name_are_kept_and_listed_again(store: Store) -> None:
    first, second = await running(store, 5), await running(store, 5)
    client = store.audit._client
    await client.zadd(KEYS.batches, {second: 2})  # another time than its definition has
    await client.hset(KEYS.batch(second), "definition", "{")
    before = [listed.id for listed in await store.batches.newest(10)]
    await client.unlink(KEYS.batches)
    keys = {key async for key in client.scan_iter(f"{KEYS.prefix}batch:*")}
    finding = await finding_of(store, "list of batches")
    assert (finding.ok, first in finding.text, second in finding.text) == (False, True, True)
    assert await store.footprint.remove([first, second]) == 0
    assert (await finding_of(store, "orphan keys", fix=True)).ok
    assert {key async for key in client.scan_iter(f"{KEYS.prefix}batch:*")} == keys
    assert {listed.id for listed in await store.batches.newest(10)} == {*before}
    assert await client.zscore(KEYS.batches, first) == 1, "the time of its definition"
    assert (await finding_of(store, "list of batches")).ok


async def test_a_deleted_batch_that_the_list_of_deletions_does_not_name_is_removed_after_all(store: Store) -> None:
    batch = await running(store, 5)
    await store.batches.command(batch, Command.CANCEL)
    await store.batches.command(batch, Command.DELETE)
    client = store.audit._client
    await client.unlink(KEYS.deleting)
    assert batch in (await finding_of(store, "list of batches")).text
    assert (await finding_of(store, "list of batches", fix=True)).fixed
    assert (await finding_of(store, "list of batches")).ok
    while (await store.deletions.remove_rows()).left:
        pass
    assert [key async for key in client.scan_iter(f"{KEYS.batch(batch)}*")] == []


async def test_a_deletion_that_ends_meanwhile_leaves_no_orphan(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of a batch are read, and gone when it is looked for."""
    lost = await running(store, 5)
    client, footprint = store.audit._client, store.footprint
    looked = footprint._standing

    async def after_its_end(batches: Sequence[str]) -> Any:
        await client.unlink(*[key async for key in client.scan_iter(f"{KEYS.batch(lost)}*")])
        await client.zrem(KEYS.batches, lost)
        return await looked(batches)

    monkeypatch.setattr(Footprint, "_standing", lambda self, batches: after_its_end(batches))
    assert (await finding_of(store, "orphan keys")).ok


async def test_orphans_are_removed_in_a_few_walks_however_many_there_are(store: Store) -> None:
    client = store.audit._client
    for number in range(300):
        await client.hset(KEYS.of_batch(f"gone{number}", "counts"), "1:0:0", 1)
    before = (await client.info("commandstats"))["cmdstat_scan"]["calls"]
    assert (await finding_of(store, "orphan keys", fix=True)).fixed
    assert (await client.info("commandstats"))["cmdstat_scan"]["calls"] - before < 20
    assert (await finding_of(store, "orphan keys")).ok


async def test_keys_of_a_batch_that_is_gone_are_named_and_removed(store: Store) -> None:
    kept, lost = await running(store, 5), await running(store, 1500)
    client = store.audit._client
    await client.zrem(KEYS.batches, lost)
    await client.unlink(KEYS.batch(lost))
    # a batch that is being deleted is none
    await client.zadd(KEYS.deleting, {"other": 1})
    await client.hset(KEYS.batch("other"), "blocks", 1)
    finding = await finding_of(store, "orphan keys")
    assert not finding.ok
    assert "1 batch that" in finding.text
    assert lost in finding.text
    assert (await finding_of(store, "orphan keys", fix=True)).fixed
    assert (await finding_of(store, "orphan keys")).ok
    left = {key.decode() async for key in client.scan_iter(f"{KEYS.prefix}batch:*")}
    assert not any(lost in key for key in left)
    assert {KEYS.batch(kept), KEYS.of_block(kept, "block", 0), KEYS.batch("other")} <= left


async def test_batches_are_weighed_the_heaviest_first(store: Store) -> None:
    small, large = await running(store, 5), await running(store, 4500)
    finding = await finding_of(store, "memory")
    assert finding.ok
    assert [line.split()[0] for line in finding.details] == [large, small]
    weighed = float(finding.details[0].split()[1])
    client = store.audit._client
    exact = [await client.memory_usage(key, samples=0) async for key in client.scan_iter(f"{KEYS.batch(large)}*")]
    assert weighed == pytest.approx(sum(exact) / 1_000_000, rel=0.2)
    assert finding.text.startswith("2 batches take about")
