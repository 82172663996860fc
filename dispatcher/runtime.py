"""The composition root: the only place that knows which parts are put together."""

import os
import socket
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dispatcher.core.failpoints import FailpointHook
from dispatcher.core.policy import Policy, PolicyError, policy_from
from dispatcher.service.callbacks import CallbackReceiver
from dispatcher.service.documents import document_url
from dispatcher.service.fax_builder import FaxBuilder, PublicUrls
from dispatcher.service.inbox_consumer import InboxConsumer
from dispatcher.service.mailings import Mailings
from dispatcher.service.permits import ReadPermits
from dispatcher.service.presence import Presence
from dispatcher.service.provider_reads import ProviderReads
from dispatcher.service.reconciling import Reconciler
from dispatcher.service.rollback import FaxList, Recovery
from dispatcher.service.scheduling import Scheduler
from dispatcher.service.sending import Sender
from dispatcher.service.settling import Settler
from dispatcher.settings import Settings, SettingsError
from dispatcher.sinch.client import READ_CONNECTIONS, FaxClient, SinchAccount, make_client
from dispatcher.store.client import PATIENT, READS, WRITES
from dispatcher.store.queues import Queues, Waiter
from dispatcher.store.server_clock import SuspensionMeter, steady_clock
from dispatcher.store.store import Store
from dispatcher.store.wakes import NextDue

__all__ = [
    "NextDue",
    "Queues",
    "Runtime",
    "Waiter",
    "make_queues",
    "make_sinch",
    "make_store",
    "open_runtime",
    "open_store",
    "read_policy",
]

#: address of documents: valid for at least the first and at most both of these together (seconds)
_DOCUMENT_LIFE_S, _DOCUMENT_ROUNDING_S = 6 * 3600, 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything a process may need, built once."""

    settings: Settings
    policy: Policy
    store: Store
    sinch: FaxClient
    callback_keys: list[bytes]
    mailings: Mailings
    callback_receiver: CallbackReceiver
    sender: Sender
    reconciler: Reconciler
    inbox_consumer: InboxConsumer
    scheduler: Scheduler
    recovery: Recovery
    permits: ReadPermits
    #: of a worker process; every other leaves it alone
    presence: Presence
    #: for the use-cases that are functions; None but in tests
    failpoint: FailpointHook | None


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    failpoint: FailpointHook | None = None,
    *,
    answers_people: bool = False,
    worker_name: str = "",
    worker_instance: str = "",
) -> AsyncIterator[Runtime]:
    """Build the parts and close them again. Raises SettingsError, PolicyError and StoreError before any work.

    Gives the settings' limits to the account, so it is for processes that serve; a command that only looks takes
    ``open_store``. ``at`` is called at the named points of the parts' ways; only tests give it. ``answers_people``: a
    Redis that hangs is an error within seconds. A worker process has a name that it keeps over restarts, and an
    instance that is new with each of them.
    """
    policy = read_policy(settings)
    store = make_store(settings, policy, answers_people=answers_people)
    sinch = make_sinch(settings)
    try:
        name = worker_name or f"{socket.gethostname()}/{os.getpid()}"
        runtime = await _assemble(settings, policy, store, sinch, (name, worker_instance), failpoint)
        yield runtime
        await runtime.presence.stop()
        await runtime.sender.finish()
        await runtime.reconciler.stop()
    finally:
        await sinch.aclose()
        await store.aclose()


def read_policy(settings: Settings) -> Policy:
    """The policy of the file that the settings name. Raises SettingsError for one that cannot be read."""
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
    """The store alone, for commands that look at it: opening it changes nothing. Raises SettingsError."""
    store = make_store(settings, read_policy(settings), answers_people=True)
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def open_faxes(settings: Settings, store: Store) -> AsyncIterator[FaxList]:
    """The provider's list, for commands that look at it. Raises SettingsError."""
    sinch = make_sinch(settings)
    try:
        yield FaxList(store, sinch, ReadPermits(store.rate_limiter, at_once=READ_CONNECTIONS), read_policy(settings))
    finally:
        await sinch.aclose()


def make_store(settings: Settings, policy: Policy, *, answers_people: bool = False) -> Store:
    """Raises SettingsError when the address of Redis is missing or no address."""
    reads, writes = (READS, WRITES) if answers_people else (PATIENT, PATIENT)
    if not settings.redis_url:
        raise SettingsError("BULKFAX_REDIS_URL: name a Redis server, such as redis://127.0.0.1:6379/0")
    try:
        return Store(
            settings.redis_url,
            policy,
            documents_max_bytes=settings.documents_max_bytes,
            wait_replicas=settings.redis_wait_replicas,
            reads=reads,
            writes=writes,
        )
    except ValueError as error:
        raise SettingsError(f"BULKFAX_REDIS_URL: {error}") from error


def make_queues(settings: Settings) -> Queues:
    """The queues to the workers, in a database of their own. Raises SettingsError when its address is no address."""
    try:
        return Queues(settings.broker_url or settings.redis_url, next_database=not settings.broker_url)
    except ValueError as error:
        raise SettingsError(f"BULKFAX_BROKER_URL: {error}") from error


def make_sinch(settings: Settings) -> FaxClient:
    """The provider's client; close it with aclose. Raises SettingsError when an address of the provider is none."""
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


async def _assemble(
    settings: Settings,
    policy: Policy,
    store: Store,
    sinch: FaxClient,
    worker: tuple[str, str],
    at: FailpointHook | None,
) -> Runtime:
    if not settings.allow_unsafe_redis:
        await store.check_settings()
    keys = await store.keep.callback_keys([key.get_secret_value() for key in settings.callback_keys])
    given = settings.sinch
    await store.rate_limiter.set_ceiling(
        given.rate_per_second, per_minute=given.rate_per_minute, per_day=given.rate_per_day
    )
    library = FaxBuilder(store, _publication(settings, keys[0]), await store.keep.secret("number"))
    settler = Settler(store, library, policy, polling=not settings.public_url, failpoint=at)
    permits = ReadPermits(store.rate_limiter, at_once=READ_CONNECTIONS)
    sender = Sender(
        store,
        sinch,
        library,
        settler,
        permits,
        policy,
        clock=steady_clock,
        stood_still=SuspensionMeter(),
        max_in_flight=settings.sinch.max_in_flight,
        calls=settings.sinch.connections,
        failpoint=at,
    )
    presence = Presence(store, *worker, room=lambda: sender.room)
    return Runtime(
        settings=settings,
        policy=policy,
        store=store,
        sinch=sinch,
        callback_keys=keys,
        mailings=Mailings(store, sinch.check),
        callback_receiver=CallbackReceiver(store, keys, failpoint=at),
        sender=sender,
        reconciler=Reconciler(store, sinch, library, settler, permits, policy),
        inbox_consumer=InboxConsumer(
            store,
            settler,
            library,
            ProviderReads(sinch, permits, store.holds, policy),
            consumer=worker[0],
            idle_s=policy.lease_s / 2,
            failpoint=at,
        ),
        recovery=Recovery(store, FaxList(store, sinch, permits, policy), settler, policy),
        scheduler=Scheduler(store, policy, steady_clock, max_in_flight=settings.sinch.max_in_flight, failpoint=at),
        permits=permits,
        presence=presence,
        failpoint=at,
    )


def _publication(settings: Settings, key: bytes) -> PublicUrls:
    def address(sha256: str) -> str:
        rounded_s = int(time.time()) // _DOCUMENT_ROUNDING_S * _DOCUMENT_ROUNDING_S
        expires_s = rounded_s + _DOCUMENT_ROUNDING_S + _DOCUMENT_LIFE_S
        return document_url(settings.public_url, sha256, expires_s, key)

    return PublicUrls(public_url=settings.public_url, callback_key=key, document_url=address)
