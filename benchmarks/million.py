"""Million-row batches in Redis, uploaded through the real web process and driven directly through the store."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.cluster import bench_cluster, draft
from benchmarks.drive import Driver, OutcomeRule, all_delivered
from benchmarks.errors import BenchFailed
from benchmarks.setting import Setting
from dispatcher.core.policy.policy import Policy, policy_from
from dispatcher.local.cluster import LocalCluster
from dispatcher.runtime import make_store
from dispatcher.settings import Settings
from dispatcher.store.keys import Keys

#: retries are due at once, and a number may be called again after a moment
FAST_POLICY = policy_from({"times": {"number_distance": "1ms"}, "delays": {"scale": 0.0001, "most": "1ms"}})
#: seconds until the temporary keys of a call have expired; below ``_MIN_SCALE`` memory is not measured
_TRANSIENT_S, _TRIAL_TRANSIENT_S, _MIN_SCALE = 75.0, 0.1, 0.01
_LOOK_S = 2.0
#: no outcome rule of these benchmarks needs more calls for a job
_MAX_CALLS = 3

KEYS = Keys()


class LargeBatches:
    """A system with an API and without workers, whose batches the benchmark drives itself."""

    def __init__(self, cluster: LocalCluster, redis_client: redis.Redis, transient_s: float) -> None:
        """Create the batches. ``transient_s`` limits the wait for temporary keys to expire."""
        self.cluster = cluster
        self.redis = redis_client
        self._transient_s = transient_s

    def start(self, name: str, recipients: Path) -> str:
        """Upload and start a batch, which no worker sends, and return its id."""
        with self.cluster.client() as client:
            batch = draft(client, name, recipients)
            client.start(batch.id, allow_repeat=True)
        return batch.id

    def drive(
        self, jobs: int, policy: Policy, outcome_rule: OutcomeRule = all_delivered, *, settle: bool = True
    ) -> int:
        """Make up to ``jobs`` attempts, fewer if fewer jobs are due, and return how many were made."""

        async def drive() -> int:
            store = make_store(Settings(redis_url=self.cluster.server.url), policy)
            try:
                return await Driver(store, policy, outcome_rule, settle=settle).run(jobs)
            finally:
                await store.aclose()

        return asyncio.run(drive())

    def finish(self, batch: str, outcome_rule: OutcomeRule = all_delivered) -> None:
        """Drive every job to its final state.

        Raises:
            BenchFailed: A job has not ended.
        """
        with self.cluster.client() as client:
            self.drive(_MAX_CALLS * client.batch(batch).rows, FAST_POLICY, outcome_rule)
            state = client.batch(batch)
        if not state.ended:
            raise BenchFailed(f"{state.final:,} of {state.rows:,} jobs ended")

    def used_memory(self) -> int:
        """Return the bytes that Redis uses, after its temporary keys have expired."""
        end_s = time.monotonic() + self._transient_s
        while self._has_temporary_keys() and time.monotonic() < end_s:
            time.sleep(min(_LOOK_S, self._transient_s))
        return int(self.redis.info("memory")["used_memory"])

    def _has_temporary_keys(self) -> bool:
        """Return whether Redis still has leases, stored answers of ``begin``, or numbers that rest after a call."""
        locked: int = self.redis.hlen(KEYS.locks)
        numbers = sum(1 for _ in self.redis.scan_iter(match=KEYS.number("*"), count=10_000))
        return numbers > locked or any(
            True for name in (KEYS.begun("*"), KEYS.lease("*")) for _ in self.redis.scan_iter(match=name, count=10_000)
        )


@contextmanager
def large_batches(setting: Setting, name: str) -> Iterator[LargeBatches]:
    """Start a system for large batches."""
    with (
        bench_cluster(setting.new_folder(name), services=("web",)) as cluster,
        redis.Redis.from_url(cluster.server.url) as client,
    ):
        yield LargeBatches(cluster, client, _TRANSIENT_S if setting.scale >= _MIN_SCALE else _TRIAL_TRANSIENT_S)


def ensure_driven(driven: int, expected: int) -> None:
    """Check the number of attempts.

    Raises:
        BenchFailed: Fewer attempts were made than the benchmark needs.
    """
    if driven < expected:
        raise BenchFailed(f"only {driven:,} of {expected:,} attempts were made")
