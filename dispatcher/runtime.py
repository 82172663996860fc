"""Assembles the services of a process: the only place that knows how they are wired together."""

import asyncio
import os
import socket
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from dispatcher.child_process.runner import ChildProcesses
from dispatcher.core.durability import Answer
from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.core.policy.policy import Policy, PolicyError, policy_from
from dispatcher.service.callbacks import CallbackReceiver
from dispatcher.service.changes import BatchChanges
from dispatcher.service.documents import DocumentIntake, document_url
from dispatcher.service.fax_builder import FaxBuilder, PublicUrls
from dispatcher.service.inbox_consumer import InboxConsumer
from dispatcher.service.mailings import Mailings
from dispatcher.service.permits import ReadPermits
from dispatcher.service.presence import Presence
from dispatcher.service.provider_reads import ProviderReads
from dispatcher.service.reconciling import Reconciler
from dispatcher.service.rerun_preview import RerunPreviews
from dispatcher.service.reruns import Reruns
from dispatcher.service.rollback import FaxList, Recovery
from dispatcher.service.scheduling import Scheduler
from dispatcher.service.sending import Sender
from dispatcher.service.settling import Settler
from dispatcher.service.webhook_delivery import WebhookDeliverer
from dispatcher.settings import Settings, SettingsError
from dispatcher.sinch.client import READ_CONNECTIONS, FaxClient, SinchAccount, make_client
from dispatcher.store.address import AddressError
from dispatcher.store.client import PATIENT, READS, WRITES, ClusterAddressError
from dispatcher.store.queues import Queues, Waiter
from dispatcher.store.server_clock import SuspensionMeter, steady_clock
from dispatcher.store.server_kind import leads_to_cluster
from dispatcher.store.store import Store
from dispatcher.store.wakes import NextDue
from dispatcher.webhooks.sender import WebhookSender

__all__ = [
    "AccountSecrets",
    "Clocks",
    "NextDue",
    "Queues",
    "Runtime",
    "Waiter",
    "assemble",
    "check_broker",
    "make_queues",
    "make_sinch",
    "make_store",
    "open_faxes",
    "open_runtime",
    "open_store",
    "open_webhooks",
    "prepare_account",
    "read_policy",
]

#: document URLs expire 6 to 7 hours after they are created: the expiry is rounded up, so that equal documents get equal
#: URLs (seconds)
_DOCUMENT_LIFE_S, _DOCUMENT_ROUNDING_S = 6 * 3600, 3600

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSecrets:
    """The secrets that all processes of an account share."""

    #: keys of callback URLs: the first one signs, signatures of all of them are accepted
    callback_keys: list[bytes]
    #: key with which fax numbers are hashed
    number_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The clocks of a process."""

    #: returns seconds of a clock that never steps and that includes time in which the machine was suspended
    steady: Callable[[], float] = steady_clock
    #: returns the seconds of suspension that the steady clock has not counted
    suspended: Callable[[], float] = field(default_factory=SuspensionMeter)
    #: waits for a number of seconds
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The services of a process, built once."""

    settings: Settings
    policy: Policy
    store: Store
    sinch: FaxClient
    callback_keys: list[bytes]
    mailings: Mailings
    reruns: Reruns
    batch_changes: BatchChanges
    rerun_previews: RerunPreviews
    child_processes: ChildProcesses
    document_intake: DocumentIntake
    callback_receiver: CallbackReceiver
    sender: Sender
    reconciler: Reconciler
    inbox_consumer: InboxConsumer
    scheduler: Scheduler
    recovery: Recovery
    permits: ReadPermits
    #: used by worker processes only
    presence: Presence
    #: passed to use-cases that are functions
    failpoint: FailpointHook


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    failpoint: FailpointHook = no_failpoint,
    *,
    answers_people: bool = False,
    worker_name: str = "",
    worker_instance: str = "",
) -> AsyncIterator[Runtime]:
    """Assemble the runtime of a process that serves, and close it at the end of the block.

    This sets the rate limits of the account to those of the settings. A command that only reads uses ``open_store``.

    Args:
        settings: The settings.
        failpoint: Called at each failpoint; does nothing except in tests.
        answers_people: Whether people wait for answers. If so, a Redis that hangs is reported as an error in seconds.
        worker_name: The name that a worker process keeps when it is restarted.
        worker_instance: An identifier that changes with each start of a worker process.

    Raises:
        SettingsError: A setting or the policy is invalid.
        StoreError: Redis does not answer, or it is not configured safely.
    """
    policy = read_policy(settings)
    store = make_store(settings, policy, answers_people=answers_people)
    await check_broker(settings)
    sinch = make_sinch(settings)
    try:
        runtime = assemble(
            settings=settings,
            policy=policy,
            store=store,
            sinch=sinch,
            secrets=await prepare_account(settings, store),
            worker_name=worker_name or f"{socket.gethostname()}/{os.getpid()}",
            worker_instance=worker_instance,
            failpoint=failpoint,
        )
        yield runtime
        await runtime.presence.stop()
        await runtime.sender.finish()
        await runtime.reconciler.stop()
    finally:
        await sinch.aclose()
        await store.aclose()


def read_policy(settings: Settings) -> Policy:
    """Read the policy file of the settings. Raises SettingsError if it cannot be read or is invalid."""
    path = settings.policy_file
    if path is None:
        return Policy()
    try:
        return policy_from(tomllib.loads(Path(path).read_text()))
    except OSError as error:
        raise SettingsError(f"BULKFAX_POLICY_FILE: {path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, PolicyError) as error:
        raise SettingsError(f"BULKFAX_POLICY_FILE: {path}: {error}") from error


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open only the store, for commands that read it; this changes nothing. Raises SettingsError, StoreError."""
    store = make_store(settings, read_policy(settings), answers_people=True)
    try:
        await store.check_kind()
        async with store.key_types.named():
            await store.layout.check()
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def open_webhooks(settings: Settings) -> AsyncIterator[WebhookDeliverer]:
    """Open what delivers webhooks, with connections of its own: it belongs to this event loop. Raises SettingsError."""
    policy = read_policy(settings)
    store = make_store(settings, policy)
    sender = WebhookSender(private_addresses=settings.webhook_private_addresses, total_s=policy.webhook_total_s)
    try:
        yield WebhookDeliverer(store, policy, sender)
    finally:
        await sender.aclose()
        await store.aclose()


@asynccontextmanager
async def open_faxes(settings: Settings, store: Store) -> AsyncIterator[FaxList]:
    """Open the provider's list of faxes, for commands that read it. Raises SettingsError."""
    sinch = make_sinch(settings)
    try:
        yield FaxList(store, sinch, ReadPermits(store.rate_limiter, at_once=READ_CONNECTIONS), read_policy(settings))
    finally:
        await sinch.aclose()


def make_store(settings: Settings, policy: Policy, *, answers_people: bool = False) -> Store:
    """Return the store. Raises SettingsError if the address of Redis is missing or invalid."""
    reads, writes = (READS, WRITES) if answers_people else (PATIENT, PATIENT)
    if not settings.redis_url:
        raise SettingsError("BULKFAX_REDIS_URL: name a Redis server, such as redis://127.0.0.1:6379/0")
    try:
        return Store(
            settings.redis_url,
            policy,
            documents_max_bytes=settings.documents_max_bytes,
            wait_replicas=settings.redis_wait_replicas,
            durability=None if settings.allow_unsafe_redis else settings.redis_durability,
            reads=reads,
            writes=writes,
        )
    except ValueError as error:
        raise _no_address("BULKFAX_REDIS_URL", error) from None


def make_queues(settings: Settings) -> Queues:
    """Return the workers' queues, in a database of their own. Raises SettingsError if the address is invalid."""
    try:
        return Queues(settings.broker_url or settings.redis_url, next_database=not settings.broker_url)
    except ClusterAddressError:
        raise _broker_in_cluster() from None
    except ValueError as error:
        raise _no_address("BULKFAX_BROKER_URL", error) from None


async def check_broker(settings: Settings) -> None:
    """Raise SettingsError if the messages to the workers cannot be sent through the server of the settings."""
    make_queues(settings).close()
    if settings.broker_url and await leads_to_cluster(settings.broker_url):
        raise _broker_in_cluster()


def _broker_in_cluster() -> SettingsError:
    return SettingsError(
        "BULKFAX_BROKER_URL: name a Redis server that is no cluster, for the messages to the workers. It may be small, "
        "and lose everything"
    )


def _no_address(variable: str, error: ValueError) -> SettingsError:
    """Return the error of an invalid address, without the address or any part of it: it can contain a password."""
    if isinstance(error, AddressError):
        return SettingsError(f"{variable}: {error}")
    return SettingsError(
        f"{variable}: this is no address of a Redis server: write one as redis://127.0.0.1:6379/0 or "
        f"redis://:PASSWORD@HOST:6379/0, with special characters of the password as in %2F; docs/redis.md has those of "
        f"Sentinel and Redis Cluster"
    )


def make_sinch(settings: Settings) -> FaxClient:
    """Return the provider's client; the caller closes it. Raises SettingsError if an address is invalid."""
    sinch = settings.sinch
    account = SinchAccount(
        project_id=sinch.project_id,
        key_id=sinch.key_id,
        key_secret=sinch.key_secret.get_secret_value(),
        base_url=sinch.base_url,
        auth_url=sinch.auth_url,
        auth=sinch.auth,
        connections=sinch.connections,
    )
    try:
        return make_client(account)
    except ValueError as error:
        raise SettingsError(f"BULKFAX_SINCH__BASE_URL or BULKFAX_SINCH__AUTH_URL: {error}") from error


async def prepare_account(settings: Settings, store: Store) -> AccountSecrets:
    """Set the rate limits of the account to those of the settings, and return its secrets.

    Raises:
        StoreError: Redis does not answer, or it is not configured safely.
    """
    judgement = await store.check_settings()
    if judgement.answer is not Answer.SAFE:
        log.warning("Redis may lose data", durability=judgement.answer.value, reason=judgement.sentence)
    limits = settings.sinch
    async with store.key_types.named():
        await store.layout.establish()
        keys = await store.secrets.callback_keys([key.get_secret_value() for key in settings.callback_keys])
        await store.rate_limiter.set_ceiling(
            limits.rate_per_second, per_minute=limits.rate_per_minute, per_day=limits.rate_per_day
        )
        return AccountSecrets(callback_keys=keys, number_key=await store.secrets.number_key())


def assemble(
    *,
    settings: Settings,
    policy: Policy,
    store: Store,
    sinch: FaxClient,
    secrets: AccountSecrets,
    worker_name: str,
    worker_instance: str = "",
    polling: bool | None = None,
    clocks: Clocks | None = None,
    inbox_idle_s: float | None = None,
    failpoint: FailpointHook = no_failpoint,
) -> Runtime:
    """Create the services of a process and connect them; nothing is started or sent.

    Production, in-process tests and simulations use it with their own store, provider and clocks.

    Args:
        worker_name: The name of the process in the registry of workers and as a consumer of the inbox.
        worker_instance: An identifier of this start of the process; a new one by default.
        polling: Whether to poll for results. By default, if the settings contain no public URL.
        clocks: The clocks; those of this machine by default.
        inbox_idle_s: Seconds after which a consumer's unsettled events go to another; by default half a lease.
    """
    clocks = clocks or Clocks()
    fax_builder = FaxBuilder(store, _public_urls(settings, secrets.callback_keys[0]), secrets.number_key)
    polling = not settings.public_url if polling is None else polling
    settler = Settler(store, fax_builder, policy, polling=polling, failpoint=failpoint)
    permits = ReadPermits(store.rate_limiter, at_once=READ_CONNECTIONS)
    child_processes = ChildProcesses()
    mailings = Mailings(store, sinch.check, policy.open_drafts, secrets.number_key)
    reruns = Reruns(store, mailings, secrets.number_key)
    sender = _sender(settings, policy, store, sinch, fax_builder, settler, permits, clocks, failpoint)
    reads = ProviderReads(sinch, permits, store.holds, policy)
    idle_s = policy.lease_s / 2 if inbox_idle_s is None else inbox_idle_s
    return Runtime(
        settings=settings,
        policy=policy,
        store=store,
        sinch=sinch,
        callback_keys=secrets.callback_keys,
        mailings=mailings,
        reruns=reruns,
        batch_changes=BatchChanges(store, mailings, secrets.number_key),
        rerun_previews=_rerun_previews(settings, policy, store, reruns, secrets),
        child_processes=child_processes,
        document_intake=_document_intake(policy, store, child_processes),
        callback_receiver=CallbackReceiver(store, secrets.callback_keys, failpoint=failpoint),
        sender=sender,
        reconciler=Reconciler(store, sinch, fax_builder, settler, permits, policy),
        inbox_consumer=InboxConsumer(
            store, settler, fax_builder, reads, consumer=worker_name, idle_s=idle_s, failpoint=failpoint
        ),
        scheduler=_scheduler(settings, policy, store, clocks, failpoint),
        recovery=Recovery(store, FaxList(store, sinch, permits, policy), settler, policy),
        permits=permits,
        presence=Presence(store, worker_name, worker_instance, room=lambda: sender.room),
        failpoint=failpoint,
    )


def _document_intake(policy: Policy, store: Store, child_processes: ChildProcesses) -> DocumentIntake:
    longest_sending_s = policy.warn_sending_time_s
    return DocumentIntake(store, child_processes, max_pages=policy.max_pages, longest_sending_s=longest_sending_s)


def _scheduler(settings: Settings, policy: Policy, store: Store, clocks: Clocks, failpoint: FailpointHook) -> Scheduler:
    max_in_flight = settings.sinch.max_in_flight
    return Scheduler(store, policy, clocks.steady, max_in_flight=max_in_flight, failpoint=failpoint)


def _rerun_previews(
    settings: Settings, policy: Policy, store: Store, reruns: Reruns, secrets: AccountSecrets
) -> RerunPreviews:
    prices, max_in_flight = policy.destinations.prices, settings.sinch.max_in_flight
    return RerunPreviews(store, reruns, secrets.number_key, prices, max_in_flight)


def _sender(
    settings: Settings,
    policy: Policy,
    store: Store,
    sinch: FaxClient,
    fax_builder: FaxBuilder,
    settler: Settler,
    permits: ReadPermits,
    clocks: Clocks,
    failpoint: FailpointHook,
) -> Sender:
    return Sender(
        store,
        sinch,
        fax_builder,
        settler,
        permits,
        policy,
        clock=clocks.steady,
        stood_still=clocks.suspended,
        max_in_flight=settings.sinch.max_in_flight,
        calls=settings.sinch.connections,
        failpoint=failpoint,
        sleep=clocks.sleep,
    )


def _public_urls(settings: Settings, key: bytes) -> PublicUrls:
    def document_address(sha256: str) -> str:
        rounded_s = int(time.time()) // _DOCUMENT_ROUNDING_S * _DOCUMENT_ROUNDING_S
        expires_s = rounded_s + _DOCUMENT_ROUNDING_S + _DOCUMENT_LIFE_S
        return document_url(settings.public_url, sha256, expires_s, key)

    return PublicUrls(public_url=settings.public_url, callback_key=key, document_url=document_address)
