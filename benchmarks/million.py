"""Million-row batches in Redis, uploaded by the real web process and driven by the store's own verbs."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.cluster import bench_cluster, draft
from benchmarks.drive import Driver, Fate, all_delivered
from benchmarks.errors import BenchFailed
from benchmarks.setting import Setting
from dispatcher.core.policy import Policy, policy_from
from dispatcher.local.cluster import LocalCluster
from dispatcher.runtime import make_store
from dispatcher.settings import Settings
from dispatcher.store.keys import Keys

#: so small that retries come due at once and numbers rest for a moment only
HASTY = policy_from({"times": {"number_distance": "1ms"}, "delays": {"scale": 0.0001, "most": "1ms"}})
#: what a call leaves behind for a while has gone after so long; below that scale nobody measures memory
_TRANSIENT_S, _LITTLE_S, _MEANT = 75.0, 0.1, 0.01
_LOOK_S = 2.0
#: more calls than any job gets from the fates of these benches
_MOST_CALLS = 3

KEYS = Keys()


class Million:
    """A cluster with an API and no workers, and the means to let time pass over its batches."""

    def __init__(self, cluster: LocalCluster, redis_client: redis.Redis, transient_s: float) -> None:
        """``transient_s`` bounds how long is waited for what calls leave behind for a while."""
        self.cluster = cluster
        self.redis = redis_client
        self._transient_s = transient_s

    def started(self, name: str, recipients: Path) -> str:
        """A batch that is running, with no one to send it. Returns its id."""
        with self.cluster.client() as client:
            batch = draft(client, name, recipients)
            client.start(batch.id)
        return batch.id

    def drive(self, jobs: int, policy: Policy, fate: Fate = all_delivered, *, settle: bool = True) -> int:
        """Let so many attempts be made, or as many as are due; returns how many that were."""

        async def drive() -> int:
            store = make_store(Settings(redis_url=self.cluster.server.url), policy)
            try:
                return await Driver(store, policy, fate, settle=settle).run(jobs)
            finally:
                await store.aclose()

        return asyncio.run(drive())

    def finish(self, batch: str, fate: Fate = all_delivered) -> None:
        """Let every job come to its end. Raises BenchFailed when one does not."""
        with self.cluster.client() as client:
            self.drive(_MOST_CALLS * client.batch(batch).rows, HASTY, fate)
            seen = client.batch(batch)
        if not seen.ended:
            raise BenchFailed(f"of {seen.rows:,} jobs {seen.final:,} ended")

    def used_memory(self) -> int:
        """Bytes that Redis uses, once nothing in it is there for a while only."""
        end_s = time.monotonic() + self._transient_s
        while self._transient() and time.monotonic() < end_s:
            time.sleep(min(_LOOK_S, self._transient_s))
        return int(self.redis.info("memory")["used_memory"])

    def _transient(self) -> bool:
        """Whether there are answers kept for repeats, leases, or numbers that rest after a call."""
        locked: int = self.redis.hlen(KEYS.locks)
        numbers = sum(1 for _ in self.redis.scan_iter(match=KEYS.number("*"), count=10_000))
        return numbers > locked or any(
            True for name in (KEYS.begun("*"), KEYS.lease("*")) for _ in self.redis.scan_iter(match=name, count=10_000)
        )


@contextmanager
def million(setting: Setting, name: str) -> Iterator[Million]:
    """A cluster for such batches."""
    with (
        bench_cluster(setting.new_folder(name), services=("web",)) as cluster,
        redis.Redis.from_url(cluster.server.url) as client,
    ):
        yield Million(cluster, client, _TRANSIENT_S if setting.scale >= _MEANT else _LITTLE_S)


def ensure(driven: int, wanted: int) -> None:
    """Raises BenchFailed when a batch did not go as far as the bench says."""
    if driven < wanted:
        raise BenchFailed(f"only {driven:,} of {wanted:,} calls could be driven")
