"""Every stored value is damaged in turn. It is shown as unreadable by its id, and everything else goes on.

Each case has a scheduler, a worker and the API on one store. It holds an ended batch, one that is being sent, a draft,
and a good batch that has to be finished whatever was damaged.
"""

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import AttemptOutcome, HistoryEntry, RefusedRow, State
from dispatcher.core.names import UploadName
from dispatcher.core.outcome import NotSent, Refused, SendOutcome
from dispatcher.core.retry_table.rule import Scope
from dispatcher.runtime import prepare_account
from dispatcher.service.doctor import examine
from dispatcher.settings import Settings
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.wire import AttemptLabels
from dispatcher.store import codec
from dispatcher.store.batches import UploadChunk
from dispatcher.store.client import Client
from dispatcher.store.documents import DocumentInfo, Documents
from dispatcher.store.errors import WrongKeyType, is_outage
from dispatcher.store.keys import ACCOUNT_TYPES, SENDING_KEYS
from tests.api.clients import client_of
from tests.service.fake_provider import FaultyProvider
from tests.service.system import FaultySystem, InProcessSystem, open_system
from tests.store.fixture import KEYS, restore, save

pytestmark = pytest.mark.anyio

LETTER = b"%PDF-1.4 letter"
UPLOAD = UploadName.of_key("u")
BATCHES = ("old", "live", "draft", "good")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The state from which every case begins."""

    saved: dict[bytes, bytes]
    us: int
    calls: list[Any]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A stored value. ``named`` is how the doctor names it; ``may_miss``: nothing shows that it is missing."""

    key: str
    field: str = ""
    named: str = ""
    may_miss: bool = False
    #: half of it is a number too, and nothing shows that it is another one
    number: bool = False


def _batch(field: str, batch: str = "live", **more: Any) -> Target:
    return Target(key=KEYS.batch(batch), field=field, named=f"batch {batch}", **more)


TARGETS = {
    "the definition of a running batch": _batch("definition"),
    "the definition of an ended batch": _batch("definition", "old"),
    "the definition of a draft": _batch("definition", "draft"),
    "the control of a batch": _batch("control"),
    "the format of a batch": _batch("format"),
    "the cursor of a batch": _batch("cursor", number=True),
    "the blocks of a batch": _batch("blocks", number=True),
    "the rows of a batch": _batch("rows", number=True),
    "the weight of a batch": Target(key=KEYS.batch("live"), field="weight"),
    "the class of a batch": Target(key=KEYS.batch("live"), field="class"),
    "the documents of a batch": Target(key=KEYS.batch("live"), field="documents"),
    "the unstarted jobs of a batch": Target(key=KEYS.batch("live"), field="unstarted"),
    "the credit of a batch": Target(key=KEYS.batch("live"), field="retry_credit"),
    "the deadline of a batch": Target(key=KEYS.batch("live"), field="deadline_ms"),
    "the counts of a batch": Target(
        key=KEYS.of_batch("live", "counts"), field="1:0:0", named="batch live", may_miss=True
    ),
    "the reasons of refusals": Target(
        key=KEYS.of_batch("draft", "reasons"), field="letters", named="batch draft", may_miss=True
    ),
    "a block of a running batch": Target(key=KEYS.of_block("live", "block", 0), named="live.0"),
    "a block of an ended batch": Target(key=KEYS.of_block("old", "block", 0), named="old.0"),
    "the records of a running batch": Target(key=KEYS.of_block("live", "records", 0), named="live."),
    "the records of an ended batch": Target(key=KEYS.of_block("old", "records", 0), named="old."),
    "a history": Target(key=KEYS.of_block("old", "history", 0), field="0", named="old.0", may_miss=True),
    "a history of a waiting job": Target(
        key=KEYS.of_block("live", "history", 0), field="11", named="live.11", may_miss=True
    ),
    "a chunk of refused rows": Target(key=KEYS.of_batch("draft", "refused"), named="batch draft", may_miss=True),
    "the due set of a batch": Target(key=KEYS.of_batch("live", "due"), may_miss=True),
    "an upload": Target(key=KEYS.of_batch("draft", "uploads"), field=str(UPLOAD)),
    "a hold": Target(key=KEYS.holds, field="country:FR", named="hold country:FR", may_miss=True),
    "a total": Target(key=KEYS.totals, field="jobs|1", named="total jobs|1", may_miss=True, number=True),
    "another total": Target(
        key=KEYS.totals, field="attempts|accepted", named="total attempts|accepted", may_miss=True, number=True
    ),
    "a reading of the clock": Target(key=KEYS.clock, field="boot"),
    "the registry of workers": Target(key=KEYS.workers, field=":clock"),
    "another worker": Target(key=KEYS.workers, field="other"),
    "when a scheduler was seen": Target(key=KEYS.scheduler_seen),
    "the number of sends": Target(key=KEYS.sends),
    "a lease": Target(key=KEYS.leases, field="0123456789abcdef"),
}

#: what becomes of a value
DAMAGE: dict[str, Any] = {
    "truncated": lambda value: value[: len(value) // 2],
    "bytes that are no text": lambda value: b"\xff\x00\xfe\xc3(" * 20,
    "nothing at all": lambda value: b"",
    "another kind of JSON": lambda value: b'[[1], {"a": null}]',
    "a huge number": lambda value: b"9" * 5_000,
    "an infinite number": lambda value: b"inf",
    "missing": lambda value: None,
}


def _refuse(order: FaxOrder) -> SendOutcome | None:
    job = AttemptLabels.read(order.labels).job
    if job == "old.0":
        return Refused(status=400, message="no")
    return NotSent(reason="no") if job == "live.2" else None


async def _build(system: FaultySystem) -> Built:
    db, store = system.db, system.store
    document = await Documents(db.client, db.scripts, 10**6).put(LETTER, "a.pdf", 1)
    system.provider.refusal = _refuse
    await db.running("old", 3)
    await system.work(4)
    await db.running("live", 12, first=100, documents=(document.sha256,))
    await system.begin_due()
    await system.finish()
    await db.draft("draft", ["+12025550100"])
    refused = RefusedRow(line=2, number="abc", reason="letters", detail="write the number in digits")
    await db.batches.add_chunk("draft", UploadChunk(upload=UPLOAD, first_line=2, last_line=2, refused=(refused,)))
    await db.running("good", 4, first=200)
    await store.holds.open(str(HoldScope(Scope.COUNTRY, "FR")), "internal", "a hold of a test")
    await db.client.hset(KEYS.clock, "boot", "[1795000000000, 1.0, 0.0]")
    await db.client.hset(KEYS.workers, "other", "first 1 1")
    await db.client.hset(KEYS.leases, "0123456789abcdef", f"{db.ms} {db.ms} 1 bulk 0 - -")
    await db.client.set(KEYS.sends, 5)
    await db.client.set(KEYS.scheduler_seen, db.ms)
    entry = HistoryEntry(attempt=1, at_ms=db.ms, outcome=AttemptOutcome.REFUSED)
    await db.client.hset(KEYS.of_block("live", "history", 0), "11", codec.encode_entry(entry))
    return Built(saved=await save(db.client), us=db.us, calls=system.provider.calls, sha256=document.sha256)


@pytest.fixture(scope="module")
def built() -> dict[str, Built]:
    """The state from which every case begins, once it is built."""
    return {}


async def _begin(system: FaultySystem, built: dict[str, Built]) -> FaultySystem:
    """Put the store back to the state, and return a new scheduler and worker on it."""
    if "state" not in built:
        built["state"] = await _build(system)
    state = built["state"]
    await restore(system.db.client, state.saved)
    await system.db.set_clock(state.us)
    system.db.scripts.epoch.highest = 0  # no loss of writes is seen in it
    provider = FaultyProvider(system.db)
    provider.calls = copy.deepcopy(state.calls)
    return InProcessSystem(system.store, system.db, provider)


async def damage(client: Client, target: Target, change: Any) -> None:
    kind = (await client.type(target.key)).decode()
    assert kind != "none" or target.key == KEYS.leases, target.key
    if kind == "hash":
        value = await client.hget(target.key, target.field)
        new = change(value or b"")
        await (client.hdel(target.key, target.field) if new is None else client.hset(target.key, target.field, new))
        return
    value = await client.get(target.key) if kind == "string" else b"3" * 10
    new = change(value)
    if new is None:
        await client.delete(target.key)
    elif kind == "string":
        await client.set(target.key, new)
    elif kind == "list":
        await client.lset(target.key, 0, new)
    elif kind == "zset":
        await client.zadd(target.key, {new: 5})


async def assert_answers(api: httpx.AsyncClient, *, exactly: bool = True) -> None:
    """All that can be asked for is answered, and whatever is not damaged is answered with 200."""
    listed = await api.get("/v1/batches")
    assert listed.status_code == 200, listed.text
    ids = {batch["id"] for batch in listed.json()["batches"]}
    assert ids == set(BATCHES) if exactly else ids > set(BATCHES)
    for batch in BATCHES:
        paths = [f"/v1/batches/{batch}{part}" for part in ("", "/jobs", "/refused", "/report")]
        paths += [f"/v1/jobs/{batch}.0"]
        for path in paths:
            answer = await api.get(path)
            assert answer.status_code in ((200,) if batch == "good" else (200, 404, 409)), path
            if answer.status_code == 409:
                assert answer.json()["type"] == "urn:bulkfax:problem:unreadable-data"
    for path in ("/metrics/installation", "/v1/account"):
        assert (await api.get(path)).status_code == 200, path


async def assert_named(system: FaultySystem, named: str) -> None:
    findings = await examine(system.store, fix=False, progress=lambda done, total: None)
    (finding,) = [finding for finding in findings if finding.check == "readable data"]
    assert not named or (not finding.ok and named in finding.text), finding.text


async def assert_goes_on(system: FaultySystem) -> None:
    """The good batch is finished, and no job is sent twice."""
    await system.work(8, 5_000)
    assert {record.state for record in await system.records("good")} == {State.DELIVERED}
    assert max(Counter(call.job for call in system.provider.calls).values()) == 1


def damage_of(name: str) -> list[str]:
    """Two of the ways to damage a value, which change from one value to the next."""
    position, kinds = list(TARGETS).index(name), list(DAMAGE)
    return [kinds[(position + step) % len(kinds)] for step in (0, 3)]


@pytest.mark.parametrize("name", TARGETS)
async def test_a_damaged_value_stops_only_what_it_belongs_to(
    redis_url: str, built: dict[str, Built], name: str
) -> None:
    target = TARGETS[name]
    async with open_system(redis_url) as first, client_of(first.runtime) as api:
        for kind in damage_of(name):
            change = DAMAGE[kind]
            system = await _begin(first, built)
            await damage(system.db.client, target, change)
            hidden = (kind == "missing" and target.may_miss) or (kind == "truncated" and target.number)
            try:
                await assert_answers(api)
                await assert_named(system, "" if hidden else target.named)
                await assert_goes_on(system)
            except BaseException as error:
                error.add_note(f"{name}: {kind}")
                raise


#: names that are none of ours, in everything that lists batches, jobs or events
RUBBISH = b"\xff\x00 no name {}"
STRAYS: dict[str, Any] = {
    "the list of batches": lambda client: client.zadd(KEYS.batches, {RUBBISH: 1}),
    "the batches with work": lambda client: client.zadd(KEYS.active("bulk"), {RUBBISH: 0}),
    "a batch with work that does not exist": lambda client: client.zadd(KEYS.active("bulk"), {"gone": 0}),
    "the drafts": lambda client: client.zadd(KEYS.drafts, {RUBBISH: 1}),
    "the timers": lambda client: client.zadd(KEYS.timers, {RUBBISH: 1}),
    "the deadlines": lambda client: client.zadd(KEYS.deadlines, {RUBBISH: 1}),
    "the batches that are emptied": lambda client: client.sadd(KEYS.draining, RUBBISH),
    "the holds that have ended": lambda client: client.sadd(KEYS.released, RUBBISH),
    "the holds": lambda client: client.hset(KEYS.holds, RUBBISH, RUBBISH),
    "the hold of the provider": lambda client: client.hset(KEYS.holds, "document:ab", b"[1]"),
    "the locks": lambda client: client.hset(KEYS.locks, RUBBISH, RUBBISH),
    "the leases": lambda client: client.hset(KEYS.leases, RUBBISH, RUBBISH),
    "the callbacks set aside": lambda client: client.lpush(KEYS.inbox_failed, RUBBISH),
    "an event": lambda client: client.xadd(KEYS.inbox, {"event": RUBBISH}),
    "an event without a content": lambda client: client.xadd(KEYS.inbox, {"other": RUBBISH}),
    "a deferred event": lambda client: client.zadd(KEYS.inbox_deferred, {RUBBISH: 1}),
    "a fax without a job": lambda client: client.hset(KEYS.rollback_unknown, RUBBISH, RUBBISH),
    "the totals": lambda client: client.hset(KEYS.totals, RUBBISH, 1),
    "the totals of ended jobs": lambda client: client.hset(KEYS.totals, "final|rubbish", 1),
    "the documents": lambda client: client.hset(KEYS.documents, RUBBISH, RUBBISH),
    "the parked countries": lambda client: client.sadd(KEYS.of_batch("live", "parked"), RUBBISH),
    **{
        f"the jobs that are {place}": lambda client, key=key: client.zadd(key, {RUBBISH: 1, "live.99999999999999": 1})
        for place, key in KEYS.watch.items()
    },
}


async def test_names_that_are_none_of_ours_stop_nothing(redis_url: str, built: dict[str, Built]) -> None:
    """All of them at a time: none may hide what another one stops."""
    async with open_system(redis_url) as first, client_of(first.runtime) as api:
        system = await _begin(first, built)
        for add in STRAYS.values():
            await add(system.db.client)
        await assert_answers(api, exactly=False)
        await assert_named(system, "hold document:ab")
        await assert_goes_on(system)


#: names in the list of batches that cannot be their own cursor, beside ours
ODD_NAMES = (RUBBISH, b"\xff", "\ufffd".encode(), b"x" * 500, b"a b", b"", b"~1")


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_no_damaged_name_ends_the_list_of_batches(redis_url: str, built: dict[str, Built], limit: int) -> None:
    async with open_system(redis_url) as first, client_of(first.runtime) as api:
        await _begin(first, built)
        us = first.db.us
        for place, name in enumerate(ODD_NAMES):
            await first.db.client.zadd(KEYS.batches, {name: us // 1000 + (-1) ** place * 10_000})
        ids, after = list[str](), ""
        for _ in range(20):
            page = (await api.get("/v1/batches", params={"limit": limit, "after": after})).json()
            ids += [batch["id"] for batch in page["batches"]]
            after = page["next"]
            if after is None:
                break
        assert len(ids) == len(ODD_NAMES) + len(BATCHES)
        assert set(ids) >= set(BATCHES)


#: keys that become a key of another type
KEYS_OF_BATCHES = [
    *(KEYS.of_batch("live", part) for part in ("counts", "due", "parked", "reasons", "refused", "uploads")),
    *(KEYS.of_block("live", part, 0) for part in ("block", "records", "history", "long_ids")),
    KEYS.batch("live"),
]


@pytest.mark.parametrize("key", KEYS_OF_BATCHES)
async def test_a_key_of_another_type_stops_only_its_batch(redis_url: str, built: dict[str, Built], key: str) -> None:
    async with open_system(redis_url) as first, client_of(first.runtime) as api:
        system = await _begin(first, built)
        is_list = await system.db.client.type(key) == b"list"
        await system.db.client.delete(key)
        await (system.db.client.set(key, 1) if is_list else system.db.client.rpush(key, "x"))
        await assert_answers(api)
        await assert_named(system, "" if key.endswith("uploads") else "live")
        await assert_goes_on(system)


async def change_type(client: Client, key: str) -> str:
    """Put a key of another type in the place of a key, and return its type."""
    is_list = ACCOUNT_TYPES[key.removeprefix(KEYS.prefix)] == "list"
    await client.delete(key)
    await (client.set(key, 1) if is_list else client.rpush(key, "x"))
    return "string" if is_list else "list"


@pytest.mark.parametrize("name", ["layout", "secrets", "limiter"])
async def test_a_process_that_cannot_start_names_the_key_of_another_type(redis_url: str, name: str) -> None:
    async with open_system(redis_url) as system:
        await change_type(system.db.client, KEYS.prefix + name)
        settings = Settings.model_construct(allow_unsafe_redis=True)
        with pytest.raises(WrongKeyType, match=f"{KEYS.prefix}{name} is a list and must be a .* restore it"):
            await prepare_account(settings, system.store)


async def test_a_key_of_the_account_of_another_type_is_named(redis_url: str, built: dict[str, Built]) -> None:
    async with open_system(redis_url) as first, client_of(first.runtime) as api:
        system = await _begin(first, built)
        client, wrong = system.db.client, list[str]()
        for name, expected in ACCOUNT_TYPES.items():
            key, kept = KEYS.prefix + name, await client.dump(KEYS.prefix + name)
            wrong.append(f"{key} is a {await change_type(client, key)} and must be a {expected}")
            assert list(map(str, await system.store.key_types.others())) == wrong[-1:]
            if name in SENDING_KEYS:
                assert (await api.get("/v1/batches/good")).json()["limited_by"] == "store", name
            await client.delete(key)
            if kept:
                await client.restore(key, 0, kept)
        for name in ACCOUNT_TYPES:
            await change_type(client, KEYS.prefix + name)
        wrong = [text for text in wrong if ":write_check " not in text]  # which the check itself writes over
        ready = await api.get("/readyz")
        assert ready.status_code == 503
        assert all(text in ready.json()["detail"] for text in wrong)
        findings = await examine(system.store, fix=False, progress=lambda done, total: None)
        (finding,) = [finding for finding in findings if finding.check == "key types"]
        assert not finding.ok
        assert all(text in finding.text for text in wrong)
        assert len(findings) > 10, "the other checks are listed too"


async def test_keys_of_another_type_stop_only_what_needs_them(redis_url: str, built: dict[str, Built]) -> None:
    """All of them at a time but those without which nothing is sent."""
    async with open_system(redis_url) as first:
        system = await _begin(first, built)
        for name in ACCOUNT_TYPES.keys() - SENDING_KEYS:
            await change_type(system.db.client, KEYS.prefix + name)
        await system.work(4, 5_000)
        await assert_goes_on(system)


async def test_a_script_that_meets_a_key_of_another_type_names_it_and_is_tried_again(redis_url: str) -> None:
    """Sending goes on by itself once the key is restored."""
    async with open_system(redis_url) as system:
        await system.db.running("a", 3)
        kept = await system.db.client.dump(KEYS.limiter)
        await change_type(system.db.client, KEYS.limiter)
        with pytest.raises(WrongKeyType, match="limiter is a list and must be a hash") as raised:
            await system.store.dispatch.claim("bulk", max_jobs=3, max_ahead=3, max_in_flight=3)
        assert is_outage(raised.value)
        await system.db.client.delete(KEYS.limiter)
        if kept:
            await system.db.client.restore(KEYS.limiter, 0, kept)
        await system.work(8, 5_000)
        assert {record.state for record in await system.records("a")} == {State.DELIVERED}


async def test_what_is_damaged_is_shown_as_unreadable_with_its_id(redis_url: str, built: dict[str, Built]) -> None:
    async with open_system(redis_url) as first, client_of(first.runtime) as api:
        await _begin(first, built)
        client = first.db.client
        await client.hset(KEYS.batch("draft"), "definition", "{}")
        await client.set(KEYS.of_block("live", "block", 0), b"rubbish")
        await client.setrange(KEYS.of_block("old", "records", 0), codec.WIDTH, b"\x63")
        await client.hset(KEYS.of_block("old", "history", 0), "0", b"rubbish")
        states = {batch["id"]: batch["state"] for batch in (await api.get("/v1/batches")).json()["batches"]}
        assert (states["draft"], states["live"]) == ("unreadable", "running")
        jobs = (await api.get("/v1/batches/live/jobs")).json()["jobs"]
        assert {job["state"] for job in jobs} == {"unreadable"}
        assert [job["id"] for job in jobs] == [f"live.{row}" for row in range(12)]
        jobs = (await api.get("/v1/batches/old/jobs")).json()["jobs"]
        assert [job["state"] for job in jobs] == ["failed", "unreadable", "delivered"]
        lines = (await api.get("/v1/batches/old/report")).text.splitlines()
        assert ",failed," in lines[1]
        assert "history of this job: it cannot be read" in lines[1]
        assert "unreadable" in lines[2]
        assert "job old.1: it cannot be read" in lines[2]
        assert ",delivered," in lines[3]
        answer = await api.get("/v1/jobs/old.1")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:bulkfax:problem:unreadable-data")
        assert "bulkfax doctor" in answer.json()["detail"]


async def test_a_damaged_document_is_held_and_no_other_letter_is_sent(redis_url: str, built: dict[str, Built]) -> None:
    async with open_system(redis_url) as first:
        system = await _begin(first, built)
        sha256 = built["state"].sha256
        before = sum(call.job.startswith("live.") for call in system.provider.calls)
        await system.db.client.lset(KEYS.chunks(sha256), 0, b"%PDF-1.4 lettre")
        await assert_named(system, f"document {sha256}")
        await assert_goes_on(system)
        assert sum(call.job.startswith("live.") for call in system.provider.calls) == before
        holds = {hold.scope: hold.cause for hold in await system.store.holds.all()}
        assert "SHA-256" in holds[f"document:{sha256}"]
        records = await system.records("live")
        assert {record.attempt for record in records if record.state is State.WAITING} <= {0, 1}, "nothing is spent"
        await Documents(system.db.client, system.db.scripts, 10**6)._write(
            DocumentInfo(sha256=sha256, size=15, pages=1, name="a.pdf", created_ms=1), LETTER
        )
        await system.store.holds.release(f"document:{sha256}")
        await system.work(14, 2_500)
        assert sum(record.state is State.DELIVERED for record in await system.records("live")) >= 10


async def test_the_doctor_repairs_what_it_can_beside_damaged_data(redis_url: str, built: dict[str, Built]) -> None:
    async with open_system(redis_url) as first:
        for target in TARGETS.values():
            system = await _begin(first, built)
            await damage(system.db.client, target, DAMAGE["bytes that are no text"])
            findings = await examine(system.store, fix=True, progress=lambda done, total: None)
            assert len({finding.check for finding in findings}) == len(findings)
            await assert_named(system, target.named)
