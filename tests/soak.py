"""``./run soak``: batches come and go for a long time with a short retention, and Redis must not grow.

A simulated clock, a real server and the real scripts: each batch is uploaded, started and sent to its end with a
document of its own, and the scheduler deletes what the policy keeps no longer. Keys that Redis expires by its own clock
are left out: those of the index of all jobs and of the comparison with earlier mailings.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from dispatcher.core.batch import Command, Definition
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, State
from dispatcher.core.names import UploadName
from dispatcher.core.policy.policy import Policy
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.store.batches import UploadChunk
from dispatcher.store.dispatch import Stored, StoredTransition
from tests.chaos.say import say
from tests.service.samples import recipients
from tests.service.system import FaultySystem, open_system

#: minutes between two batches, and for how many of them an ended batch and a document are kept
_APART_MS, _KEPT = 60_000, 10
#: maximum share by which Redis' memory may be away from that of the first quarter at the end
GROWTH = 0.10
_CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What Redis uses after a number of batches."""

    batches: int
    used_bytes: int
    keys: int


async def soak(
    url: str, batches: int, rows: int, show: Callable[[Memory], None] = lambda memory: None
) -> Sequence[Memory]:
    """Let batches come and go. Returns the memory at the end of each tenth of them."""
    kept_s = _KEPT * _APART_MS / 1000
    policy = Policy(keep_batches_s=kept_s, keep_documents_s=kept_s, number_distance_s=0)
    measured = []
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(open_system(url, policy))
        for index in range(batches):
            await _one_batch(system, f"b{index}", rows)
            if (index + 1) % max(1, batches // 20) == 0:
                measured.append(await _memory(system, index + 1))
                show(measured[-1])
    return measured


def growth(measured: Sequence[Memory]) -> float:
    """Return by which share the memory at the end is above that after the first quarter."""
    return measured[-1].used_bytes / measured[len(measured) // 4 - 1].used_bytes - 1


async def _one_batch(system: FaultySystem, batch: str, rows: int) -> None:
    store = system.store
    document = await store.documents.put(f"%PDF-1.7 {batch}".encode() * 100, batch, 1)
    definition = Definition(
        id=batch, name=batch, created_ms=system.db.ms, documents=(document.sha256,), content_urls=()
    )
    await store.batches.create(definition)
    for first in range(0, rows, _CHUNK):
        chunk = recipients(min(_CHUNK, rows - first), first)
        part = UploadChunk(
            upload=UploadName.of_key("list"),
            first_line=chunk[0].line,
            last_line=chunk[-1].line,
            recipients=chunk,
            checked=True,
        )
        await store.batches.add_chunk(batch, part)
    await store.batches.command(batch, Command.START)
    await _end_all(system)
    await system.db.pass_ms(_APART_MS)
    await system.runtime.scheduler.tick()
    while await store.deletions.under_way():
        await system.runtime.scheduler.tick()


async def _end_all(system: FaultySystem) -> None:
    """Lease all jobs that are due, and let each of them end, some of them as failures."""
    dispatch, jobs = system.store.dispatch, list[JobId]()
    while lease := await dispatch.claim("bulk", max_jobs=32, max_ahead=10_000, max_in_flight=10_000):
        jobs += lease.jobs
    for first in range(0, len(jobs), _CHUNK):
        stored = await dispatch.stored(jobs[first : first + _CHUNK])
        await dispatch.settle([_end_of(entry) for entry in stored if entry])


def _end_of(entry: Stored) -> StoredTransition:
    fails = entry.job.row % 10 == 0
    new = replace(
        entry.record,
        state=State.FAILED if fails else State.DELIVERED,
        failure=FailureCode(category="busy" if fails else ""),
        attempt=1,
        lease=0,
        fax_id=f"{entry.job.row:026}",
    )
    history = HistoryEntry(attempt=1, at_ms=2, outcome=AttemptOutcome.FAILED, failure=new.failure, why="busy")
    return StoredTransition(job=entry.job, old=entry.record, new=new, spent=1, history=history if fails else None)


async def _memory(system: FaultySystem, batches: int) -> Memory:
    client = system.db.client
    while (await client.info("memory"))["lazyfree_pending_objects"]:  # noqa: ASYNC110  # only asking shows it
        await asyncio.sleep(0.01)
    memory = await client.info("memory")
    # what the server keeps for its clients and its file has nothing to do with what is stored
    used = memory["used_memory_dataset"]
    return Memory(batches=batches, used_bytes=used, keys=await client.dbsize())


def main() -> int:
    """Run the soak. Return 0 if Redis has not grown."""
    parser = argparse.ArgumentParser(prog="./run soak", description=__doc__)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2000, help="recipients of each batch")
    arguments = parser.parse_args()

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    def show(memory: Memory) -> None:
        say(f"{memory.batches:>4} batches: {memory.used_bytes:>12,} bytes, {memory.keys:,} keys")

    with tempfile.TemporaryDirectory(prefix="bulkfax-soak-") as folder, EmbeddedServer(Path(folder)) as server:
        measured = asyncio.run(soak(server.url, arguments.batches, arguments.rows, show))
    grown = growth(measured)
    say(f"the memory of Redis has changed by {grown:+.1%} since the first quarter; at most {GROWTH:+.0%} is allowed")
    return 0 if grown <= GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
