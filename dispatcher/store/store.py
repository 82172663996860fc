"""The store: Redis as the record of everything that was accepted."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import redis

from dispatcher.core.policy import Policy
from dispatcher.store.audit import Audit
from dispatcher.store.backlog import Backlog
from dispatcher.store.batches import Batches
from dispatcher.store.client import PATIENT, Patience, connect, for_replicas, leave_together
from dispatcher.store.dispatch import Dispatch
from dispatcher.store.documents import Documents
from dispatcher.store.errors import StoreError, StoreUnsafe, translated
from dispatcher.store.holds import Holds
from dispatcher.store.idempotency import IdempotencyKeys
from dispatcher.store.inbox import Inbox
from dispatcher.store.keys import DEFAULT_ACCOUNT, Keys
from dispatcher.store.layout import Layout
from dispatcher.store.lua import Scripts
from dispatcher.store.metric_totals import MetricTotals
from dispatcher.store.rate_limiter import RateLimiter
from dispatcher.store.rollback import Rollbacks
from dispatcher.store.secrets import Secrets
from dispatcher.store.server_clock import ClockReadings, ServerClock, steady_clock
from dispatcher.store.wakes import Wakes
from dispatcher.store.workers import WorkerRegistry

#: seconds since a replica's last word; it gives one each second
_LAG_S = 2


class Store:
    """One Redis, seen through the verbs of the product."""

    def __init__(
        self,
        url: str,
        policy: Policy,
        *,
        account: str = DEFAULT_ACCOUNT,
        documents_max_bytes: int,
        wait_replicas: int = 0,
        steady: Callable[[], float] = steady_clock,
        reads: Patience = PATIENT,
        writes: Patience = PATIENT,
    ) -> None:
        """``steady`` gives seconds, never steps, and counts the time that the machine was suspended.

        ``reads`` and ``writes`` say how long commands and scripts wait for Redis, ``wait_replicas`` how many replicas
        must have what is accepted, and the begin of a send. Raises ValueError when the URL cannot be read, or the
        account's name is none. Connects at the first call.
        """
        self._wait_replicas = wait_replicas
        if wait_replicas:
            writes = for_replicas(writes)
        self._client = connect(url, reads)
        self._writer = self._client if writes == reads else connect(url, writes)
        leave_together(self._client, self._writer)
        self._keys = keys = Keys(account)
        scripts = Scripts(self._writer, keys, replicas=wait_replicas)
        self.epoch = scripts.epoch
        self.clock = ServerClock(self._client, steady)
        self.clock_readings = ClockReadings(self._client, keys)
        self.audit = Audit(self._client, scripts)
        self.backlog = Backlog(self._client, keys)
        self.batches = Batches(self._client, scripts)
        self.dispatch = Dispatch(self._client, scripts, policy)
        self.documents = Documents(self._client, scripts, documents_max_bytes)
        self.holds = Holds(self._client, scripts)
        self.inbox = Inbox(self._client, scripts)
        self.idempotency_keys = IdempotencyKeys(self._client, keys)
        self.layout = Layout(self._client, keys)
        self.rate_limiter = RateLimiter(self._client, scripts, policy)
        self.rollbacks = Rollbacks(self._client, scripts)
        self.secrets = Secrets(self._client, keys)
        self.metric_totals = MetricTotals(self._client, keys)
        self.wakes = Wakes(self._client, scripts)
        self.workers = WorkerRegistry(self._client, scripts)

    async def ping(self) -> None:
        """Raises StoreUnavailable when Redis does not answer."""
        with translated():
            await self._client.ping()

    async def check_settings(self) -> None:
        """Raises StoreUnsafe when the server is set up so that it can forget what it acknowledged."""
        faults = unsafe(await self._config(*_WANTED))
        if faults:
            raise StoreUnsafe(
                f"Redis can lose accepted faxes: {', '.join(faults)}. Change its configuration, or set "
                "BULKFAX_ALLOW_UNSAFE_REDIS=true to try things out"
            )

    async def check_writable(self) -> None:
        """Raises StoreRefuses when Redis is full, read-only or cannot write its file. Leaves nothing behind."""
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.set(self._keys.write_check, 1, px=60_000)
                pipe.delete(self._keys.write_check)
                await pipe.execute()

    async def lacks_replicas(self) -> bool:
        """Whether fewer replicas follow than writes wait for. A server that hides it is believed to have them."""
        if not self._wait_replicas:
            return False
        with translated(), suppress(redis.ResponseError):
            told = await self._client.info("replication")
            following = [one for name, one in told.items() if name.startswith("slave") and isinstance(one, dict)]
            prompt = [one for one in following if one.get("state") == "online" and one.get("lag", 0) <= _LAG_S]
            return len(prompt) < self._wait_replicas
        return False

    async def _config(self, *names: str) -> Mapping[str, str]:
        values: dict[str, str] = {}
        with translated(), suppress(redis.ResponseError):  # a server that hides its configuration has no such command
            for name in names:
                found = await self._client.config_get(name)
                values |= {_text(key): _text(value) for key, value in found.items()}
        return values

    async def aclose(self) -> None:
        with suppress(StoreError), translated():
            await self._client.aclose()
        if self._writer is not self._client:
            with suppress(StoreError), translated():
                await self._writer.aclose()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_WANTED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}


def unsafe(config: Mapping[str, str]) -> list[str]:
    """Settings of a server that allow it to lose data, each as ``name is value, must be wanted``. A server that
    hides its configuration (managed ones do) is believed."""
    return [
        f"{name} is {config[name]}, must be {wanted}"
        for name, wanted in _WANTED.items()
        if config.get(name, wanted) != wanted
    ]
