"""The store on a real server whose scripts read a clock that the test sets, and ways to look at all that it holds."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from dispatcher.core.batch import Command, Definition
from dispatcher.core.job import JobId, Recipient
from dispatcher.core.names import UploadName
from dispatcher.core.policy.policy import Policy
from dispatcher.store.batches import Batches, UploadChunk
from dispatcher.store.changes import Changes
from dispatcher.store.client import Client, connect
from dispatcher.store.deletions import Deletions
from dispatcher.store.dispatch import BeginAnswer, Candidate, Dispatch, Lease
from dispatcher.store.holds import Holds
from dispatcher.store.keys import Keys
from dispatcher.store.lua import Option, Scripts, source
from dispatcher.store.rate_limiter import RateLimiter
from dispatcher.store.suppressions import Suppressions
from dispatcher.store.wakes import Wakes
from dispatcher.store.workers import WorkerRegistry

#: a Saturday in November 2026, milliseconds since 1970
START_MS = 1_795_000_000_000
RATE = 100.0
KEYS = Keys()
#: options of one call of ``claim``
CLAIM_OPTIONS: dict[str, Option] = {
    "lease_id": "id",
    "lease_number": 1,
    "class": "bulk",
    "max_jobs": 8,
    "max_ahead": 100,
    "lease_ms": 30_000,
    "retry_floor": 0.1,
    "horizon_us": 1_000_000,
    "max_in_flight": 1000,
}
_CLOCK = "test:clock"
_NOT_DUMPED = tuple(name.encode() for name in (_CLOCK, KEYS.epoch, KEYS.lease(""), KEYS.begun("")))


def text_with_clock(verb: str) -> str:
    """A script that asks a hash for the time. The server's own answer has the same form: seconds, microseconds."""
    text = source(verb)
    assert text.count("redis.call('TIME')") == 1
    return text.replace("redis.call('TIME')", f"redis.call('HMGET', '{_CLOCK}', 's', 'us')")


@dataclass(slots=True, kw_only=True)
class StoreFixture:
    client: Client
    scripts: Scripts
    policy: Policy
    batches: Batches
    dispatch: Dispatch
    holds: Holds
    limiter: RateLimiter
    workers: WorkerRegistry
    wakes: Wakes
    suppressions: Suppressions
    deletions: Deletions
    changes: Changes
    us: int = 0
    #: by how much the server's clock was set away from the true time
    stepped_us: int = 0

    @property
    def ms(self) -> int:
        return self.us // 1000

    @property
    def true_us(self) -> int:
        """A clock that never steps."""
        return self.us - self.stepped_us

    async def step_s(self, seconds: int) -> None:
        """Somebody sets the server's clock."""
        self.stepped_us += seconds * 1_000_000
        await self.set_clock(self.us + seconds * 1_000_000)

    async def set_clock(self, us: int) -> None:
        """Set the clock of the scripts, microseconds since 1970."""
        self.us = us
        await self.client.hset(_CLOCK, mapping={"s": us // 1_000_000, "us": us % 1_000_000})

    async def pass_ms(self, ms: int) -> None:
        await self.set_clock(self.us + ms * 1000)

    async def draft(self, batch: str, numbers: Sequence[str], *, regions: Sequence[str] = (), **more: Any) -> None:
        """A draft with these numbers in one block; ``regions`` are their countries, where they have any."""
        fields: dict[str, Any] = {
            "name": batch,
            "created_ms": self.ms,
            "content_urls": ("https://example.com/a.pdf",),
        } | more
        for sha256 in fields.get("documents", ()):
            await self.client.hset(KEYS.documents, sha256, 1)
        await self.batches.create(Definition(id=batch, **fields))
        await self.batches.add_chunk(batch, upload_chunk(numbers, regions=regions))

    async def running(self, batch: str, jobs: int, first: int = 0, **more: Any) -> None:
        await self.draft(batch, [number(index) for index in range(first, first + jobs)], **more)
        await self.batches.command(batch, Command.START)

    async def claim(
        self, priority: str = "bulk", max_jobs: int = 32, ahead: int = 1000, in_flight: int = 2000
    ) -> Lease | None:
        return await self.dispatch.claim(priority, max_jobs=max_jobs, max_ahead=ahead, max_in_flight=in_flight)

    async def leased(self, priority: str = "bulk", max_jobs: int = 32) -> Lease:
        lease = await self.claim(priority, max_jobs)
        assert lease is not None
        return lease

    async def begin(self, lease: Lease, *, max_in_flight: int = 1000) -> BeginAnswer:
        """Each job's number is known by its own hash, except that rows n and n + 1,000 share one."""
        candidates = [
            Candidate(job=job, number_hash=hash_of(job), number="", tag=lease.tags.get(job.batch, ""))
            for job in lease.jobs
        ]
        return await self.dispatch.begin(lease, candidates, max_in_flight=max_in_flight)

    async def sending(self, priority: str = "bulk", max_jobs: int = 32) -> BeginAnswer:
        """Lease jobs and begin them all."""
        answer = await self.begin(await self.leased(priority, max_jobs))
        assert {begun.word for begun in answer.jobs} == {"go"}
        return answer

    async def record(self, job: JobId) -> Any:
        stored = (await self.dispatch.stored([job]))[0]
        assert stored is not None
        return stored.record


@asynccontextmanager
async def open_store(url: str, make_scripts: type[Scripts] = Scripts) -> AsyncIterator[StoreFixture]:
    """An empty store on the server at ``url``."""
    client, policy = connect(url), Policy()
    scripts = make_scripts(client, KEYS, text_with_clock)
    db = StoreFixture(
        client=client,
        scripts=scripts,
        policy=policy,
        batches=Batches(client, scripts, policy),
        dispatch=Dispatch(client, scripts, policy),
        holds=Holds(client, scripts),
        limiter=RateLimiter(client, scripts, policy),
        workers=WorkerRegistry(client, scripts),
        wakes=Wakes(client, scripts),
        suppressions=Suppressions(client, scripts),
        deletions=Deletions(client, scripts),
        changes=Changes(client, scripts),
    )
    await client.flushdb()
    await db.set_clock(START_MS * 1000)
    await db.limiter.set_ceiling(RATE)
    # one worker, of whom every script is a heartbeat
    db.workers.speak_as("worker", "first", lambda: 100)
    try:
        yield db
    finally:
        await client.aclose()


def number(index: int) -> str:
    """A fictional number; the first 10,000 are different ones."""
    return f"+1{201 + index // 100}55501{index % 100:02d}"


def upload_chunk(
    numbers: Sequence[str],
    upload: str = "u",
    first_line: int = 1,
    regions: Sequence[str] = (),
    *,
    checked: bool = False,
) -> UploadChunk:
    countries = zip_longest(numbers, regions, fillvalue="")
    rows = [
        Recipient(line=first_line + index, number=number, region=region)
        for index, (number, region) in enumerate(countries)
    ]
    last = first_line + len(rows) - 1
    return UploadChunk(
        upload=UploadName.of_key(upload), first_line=first_line, last_line=last, recipients=rows, checked=checked
    )


def hash_of(job: JobId) -> str:
    return f"{job.batch}-{job.row}"


_READERS = {
    b"string": lambda pipe, key: pipe.get(key),
    b"hash": lambda pipe, key: pipe.hgetall(key),
    b"set": lambda pipe, key: pipe.smembers(key),
    b"zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    b"list": lambda pipe, key: pipe.lrange(key, 0, -1),
    b"stream": lambda pipe, key: pipe.xrange(key),
}


async def dump(client: Client) -> dict[str, Any]:
    """Everything in the database but the test's own clock, the epoch, which every call moves, and answers kept for
    repeated calls: their time runs out."""
    names = [name async for name in client.scan_iter(count=1000) if not name.startswith(_NOT_DUMPED)]
    async with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.type(name)
        kinds = await pipe.execute()
        for name, kind in zip(names, kinds, strict=True):
            _READERS[kind](pipe, name)
        values = await pipe.execute()
    return {name.decode(): value for name, value in zip(names, values, strict=True)}


def words(answer: BeginAnswer) -> list[str]:
    return [begun.word for begun in answer.jobs]


async def save(client: Client) -> dict[bytes, bytes]:
    """Everything in the database but the test's own clock, to be put back as a restored copy would."""
    names = [name async for name in client.scan_iter(count=1000) if name != _CLOCK.encode()]
    return {name: await client.dump(name) for name in names}


async def restore(client: Client, saved: dict[bytes, bytes]) -> None:
    """Put the database back to what was saved: all writes since then are lost."""
    for name in set(await save(client)) - set(saved):
        await client.delete(name)
    for name, value in saved.items():
        await client.restore(name, 0, value, replace=True)
