"""The store: Redis, in which everything that was accepted is recorded."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import redis

from dispatcher.core.durability import SETTINGS, Answer, Durability, DurabilityJudgement, judge
from dispatcher.core.policy.policy import Policy
from dispatcher.store.address import RedisKind, parse
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
from dispatcher.store.running import Running
from dispatcher.store.secrets import Secrets
from dispatcher.store.server_clock import ClockReadings, ServerClock, steady_clock
from dispatcher.store.server_kind import check_kind
from dispatcher.store.suppressions import Suppressions
from dispatcher.store.wakes import Wakes
from dispatcher.store.webhooks import Webhooks
from dispatcher.store.workers import WorkerRegistry

#: maximum seconds since the last acknowledgement of a working replica, which sends one each second
_LAG_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCondition:
    """How a server is. None: it does not tell."""

    #: bytes that it uses, and that it may use (0: any number)
    memory: int | None
    memory_limit: int | None
    durability: Answer


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
        durability: Durability | None = Durability.ALWAYS,
        steady: Callable[[], float] = steady_clock,
        reads: Patience = PATIENT,
        writes: Patience = PATIENT,
    ) -> None:
        """Create the store; the first call connects.

        ``steady`` returns the seconds of a clock that never steps and includes suspended time. ``reads`` and ``writes``
        say how long commands and scripts wait for Redis, and ``wait_replicas`` how many replicas must have an accepted
        write or the begin of a send. ``durability`` is how durable the server must be; None: any that does not evict.

        Raises:
            ValueError: The URL or the name of the account is invalid.
        """
        self._wait_replicas, self._durability = wait_replicas, durability
        if wait_replicas:
            writes = for_replicas(writes)
        self._kind = parse(url).kind
        self._keys = keys = Keys(account)
        self._client = connect(url, reads, account_key=keys.epoch)
        self._writer = self._client if writes == reads else connect(url, writes, account_key=keys.epoch)
        leave_together(self._client, self._writer)
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
        self.layout = Layout(self._client, keys, in_cluster=self._kind is RedisKind.CLUSTER)
        self.previews = Previews(self._client, keys)
        self.lookup_index = LookupIndex(self._client, keys)
        self.rate_limiter = RateLimiter(self._client, scripts, policy)
        self.repeats = Repeats(self._client, keys)
        self.rollbacks = Rollbacks(self._client, scripts)
        self.running = Running(self._client, keys)
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

    async def check_kind(self) -> None:
        """Raise WrongServer if the server is of another kind than the address says."""
        check_kind(self._kind, await self._info())

    async def durability(self) -> DurabilityJudgement:
        """Return whether the server is as durable as it must be, from what it says about itself."""
        return await self._judge(await self._info())

    async def condition(self) -> ServerCondition:
        """Return the memory of the server, and whether it is as durable as it must be."""
        info = await self._info()
        memory = [value if isinstance(value := info.get(name), int) else None for name in ("used_memory", "maxmemory")]
        durability = (await self._judge(info)).answer
        return ServerCondition(memory=memory[0], memory_limit=memory[1], durability=durability)

    async def check_settings(self) -> DurabilityJudgement:
        """Return how durable the server is. Raises StoreUnsafe if it can lose acknowledged writes, or WrongServer."""
        info = await self._info()
        check_kind(self._kind, info)
        judgement = await self._judge(info)
        if judgement.evicts or (judgement.answer is Answer.UNSAFE and self._durability):
            raise StoreUnsafe(
                f"{judgement.sentence}. Change its configuration"
                + ("" if judgement.evicts else ", or say with BULKFAX_REDIS_DURABILITY what may be lost; ")
                + ("" if judgement.evicts else "BULKFAX_ALLOW_UNSAFE_REDIS=true is for trying things out")
            )
        return judgement

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

    async def _info(self) -> Mapping[str, object]:
        """Return what the server says about itself; nothing if the user may not ask."""
        with translated(), suppress(redis.ResponseError):
            info: Mapping[str, object] = await self._client.info()
            return info
        return {}

    async def _judge(self, info: Mapping[str, object]) -> DurabilityJudgement:
        return judge(self._durability or Durability.ALWAYS, info, await self._config(*SETTINGS))

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
