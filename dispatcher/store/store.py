"""The store: Redis, in which everything that was accepted is recorded."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import redis

from dispatcher.core.policy.policy import Policy
from dispatcher.store.audit import Audit
from dispatcher.store.backlog import Backlog
from dispatcher.store.batches import Batches
from dispatcher.store.changes import Changes
from dispatcher.store.client import PATIENT, Patience, connect, connections, for_replicas, leave_together
from dispatcher.store.deletions import Deletions
from dispatcher.store.dispatch import Dispatch
from dispatcher.store.documents import Documents
from dispatcher.store.errors import StoreError, StoreUnsafe, translated
from dispatcher.store.events import Events
from dispatcher.store.footprint import Footprint
from dispatcher.store.holds import Holds
from dispatcher.store.idempotency import IdempotencyKeys
from dispatcher.store.inbox import Inbox
from dispatcher.store.key_types import KeyTypes
from dispatcher.store.keys import DEFAULT_ACCOUNT, Keys
from dispatcher.store.layout import Layout
from dispatcher.store.lookup_index import LookupIndex
from dispatcher.store.lua import Scripts
from dispatcher.store.metric_totals import MetricTotals
from dispatcher.store.previews import Previews
from dispatcher.store.rate_limiter import RateLimiter
from dispatcher.store.repeats import Repeats
from dispatcher.store.rollback import Rollbacks
from dispatcher.store.secrets import Secrets
from dispatcher.store.server_clock import ClockReadings, ServerClock, steady_clock
from dispatcher.store.suppressions import Suppressions
from dispatcher.store.wakes import Wakes
from dispatcher.store.webhooks import Webhooks
from dispatcher.store.workers import WorkerRegistry

#: maximum seconds since the last acknowledgement of a working replica, which sends one each second
_LAG_S = 2


class Store:
    """The parts of the store of one account, on shared connections."""

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
        """Create the store; the first call connects.

        ``steady`` returns the seconds of a clock that never steps and includes suspended time. ``reads`` and ``writes``
        say how long commands and scripts wait for Redis, and ``wait_replicas`` how many replicas must have an accepted
        write or the begin of a send.

        Raises:
            ValueError: The URL or the name of the account is invalid.
        """
        self._wait_replicas = wait_replicas
        if wait_replicas:
            writes = for_replicas(writes)
        self._client = connect(url, reads)
        self._writer = self._client if writes == reads else connect(url, writes)
        leave_together(self._client, self._writer)
        self._keys = keys = Keys(account)
        self._scripts = scripts = Scripts(self._writer, keys, replicas=wait_replicas)
        self.epoch = scripts.epoch
        self.clock = ServerClock(self._client, steady)
        self.clock_readings = ClockReadings(self._client, keys)
        self.audit = Audit(self._client, scripts)
        self.backlog = Backlog(self._client, keys)
        self.batches = Batches(self._client, scripts, policy)
        self.changes = Changes(self._client, scripts)
        self.deletions = Deletions(self._client, scripts)
        self.dispatch = Dispatch(self._client, scripts, policy)
        self.documents = Documents(self._client, scripts, documents_max_bytes)
        self.events = Events(self._client, scripts)
        self.footprint = Footprint(self._client, keys)
        self.holds = Holds(self._client, scripts)
        self.inbox = Inbox(self._client, scripts)
        self.idempotency_keys = IdempotencyKeys(self._client, keys)
        self.key_types = KeyTypes(self._client, keys)
        self.layout = Layout(self._client, keys)
        self.previews = Previews(self._client, keys)
        self.lookup_index = LookupIndex(self._client, keys)
        self.rate_limiter = RateLimiter(self._client, scripts, policy)
        self.repeats = Repeats(self._client, keys)
        self.rollbacks = Rollbacks(self._client, scripts)
        self.secrets = Secrets(self._client, keys)
        self.suppressions = Suppressions(self._client, scripts)
        self.metric_totals = MetricTotals(self._client, keys)
        self.wakes = Wakes(self._client, scripts)
        self.webhooks = Webhooks(self._client, scripts)
        self.workers = WorkerRegistry(self._client, scripts)

    def connections(self) -> Mapping[str, tuple[int, int]]:
        """Return by pool how many connections to Redis are in use and idle, for metrics."""
        shared = self._writer is self._client
        pools = {"shared": self._client} if shared else {"reads": self._client, "writes": self._writer}
        return {name: connections(client) for name, client in pools.items()}

    async def ping(self) -> None:
        """Raise StoreUnavailable if Redis does not answer."""
        with translated():
            await self._client.ping()

    async def confirm(self) -> None:
        """Wait until enough replicas have all that was written before.

        For a request that finds what it asks for done, perhaps by its first try, to which too few replicas had
        confirmed it, and for writes that do not wait themselves. Raises StoreNotReplicated.
        """
        await self._scripts.accept("move_epoch")

    async def check_settings(self) -> None:
        """Raise StoreUnsafe if the server is configured so that it can lose acknowledged writes."""
        faults = unsafe(await self._config(*_REQUIRED))
        if faults:
            raise StoreUnsafe(
                f"Redis can lose accepted faxes: {', '.join(faults)}. Change its configuration, or set "
                "BULKFAX_ALLOW_UNSAFE_REDIS=true to try things out"
            )

    async def check_writable(self) -> None:
        """Raise StoreRefuses if Redis is full, read-only or cannot write its file. Nothing is left behind."""
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.set(self._keys.write_check, 1, px=60_000)
                pipe.delete(self._keys.write_check)
                await pipe.execute()

    async def lacks_replicas(self) -> bool:
        """Return whether fewer replicas work than writes wait for; False if the server does not report them."""
        if not self._wait_replicas:
            return False
        with translated(), suppress(redis.ResponseError):
            info = await self._client.info("replication")
            following = [
                replica for name, replica in info.items() if name.startswith("slave") and isinstance(replica, dict)
            ]
            prompt = [
                replica for replica in following if replica.get("state") == "online" and replica.get("lag", 0) <= _LAG_S
            ]
            return len(prompt) < self._wait_replicas
        return False

    async def _config(self, *names: str) -> Mapping[str, str]:
        values: dict[str, str] = {}
        with (
            translated(),
            suppress(redis.ResponseError),
        ):  # managed servers that hide their configuration do not have this command
            for name in names:
                setting = await self._client.config_get(name)
                values |= {_text(key): _text(value) for key, value in setting.items()}
        return values

    async def aclose(self) -> None:
        with suppress(StoreError), translated():
            await self._client.aclose()
        if self._writer is not self._client:
            with suppress(StoreError), translated():
                await self._writer.aclose()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_REQUIRED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}


def unsafe(config: Mapping[str, str]) -> list[str]:
    """Return the settings of a server that allow it to lose data, each as ``name is value, must be value``.

    Settings that are missing are not reported, because managed servers hide their configuration.
    """
    return [
        f"{name} is {config[name]}, must be {required}"
        for name, required in _REQUIRED.items()
        if config.get(name, required) != required
    ]
