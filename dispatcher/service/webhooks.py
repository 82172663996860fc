"""Webhook endpoints, as producers and people manage them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dispatcher.core.batch_events import EventType
from dispatcher.core.counted import counted
from dispatcher.core.names import KeyUse
from dispatcher.core.public_address import webhook_fault
from dispatcher.core.webhooks import MAX_ENDPOINTS, Endpoint, SigningSecret, rotated
from dispatcher.service.errors import ActionNotAllowed, Deleted, InvalidInput, Missing
from dispatcher.service.events import cursor_of
from dispatcher.service.idempotency import fingerprint, same_id
from dispatcher.service.ids import endpoint_id
from dispatcher.service.times import now_ms, rfc3339
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData
from dispatcher.store.events import event_time_ms
from dispatcher.store.store import Store
from dispatcher.store.webhooks import DeliveryRecord, EndpointStatus
from dispatcher.webhooks.signing import new_secret

__all__ = [
    "DeliveryPage",
    "DeliveryRecord",
    "EndpointChange",
    "EndpointView",
    "WebhookHealth",
    "change_endpoint",
    "create_endpoint",
    "delete_endpoint",
    "list_deliveries",
    "list_endpoints",
    "replay",
    "rotate_secret",
    "show_endpoint",
    "webhook_health",
]

#: why an endpoint gets nothing although nothing has failed
DISABLED_BY_REQUEST = "somebody has disabled it"
#: milliseconds after which an event that was not delivered is late
_LATE_MS = 900_000
#: changes by others after each of which a change is tried again
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """An endpoint, how far it is, and since when the oldest event waits that it has not got (0: none waits)."""

    endpoint: Endpoint
    status: EndpointStatus
    waiting_since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChange:
    """What is changed of an endpoint; None: it stays as it is."""

    url: str | None = None
    types: tuple[EventType, ...] | None = None
    description: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """Attempts to deliver, newest first. Pass ``cursor`` as ``after`` for the next page; 0: this is the last."""

    records: tuple[DeliveryRecord, ...]
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookHealth:
    """How the endpoints are getting on."""

    #: by state: enabled, failed (disabled because of failures), disabled (by somebody)
    endpoints: Mapping[str, int]
    #: age of the oldest event that an enabled endpoint has not got
    lag_s: float


async def webhook_health(store: Store, now_ms: int) -> WebhookHealth:
    """Return how the endpoints are getting on. Those that cannot be read are not counted."""
    try:
        views = await list_endpoints(store)
    except UnreadableData as error:
        left_out(error)
        views = []
    states = Counter(map(_state, views))
    waiting = [view.waiting_since_ms for view in views if not view.status.disabled_ms and view.waiting_since_ms]
    lag_s = max(0, now_ms - min(waiting, default=now_ms)) / 1000
    return WebhookHealth(endpoints={name: states[name] for name in ("enabled", "failed", "disabled")}, lag_s=lag_s)


def is_late(view: EndpointView, now_ms: int) -> bool:
    """Return whether an endpoint has not got an event that happened some time ago."""
    return 0 < view.waiting_since_ms < now_ms - _LATE_MS


def _state(view: EndpointView) -> str:
    if not view.status.disabled_ms:
        return "enabled"
    return "disabled" if view.status.reason == DISABLED_BY_REQUEST else "failed"


async def create_endpoint(store: Store, new: Endpoint, key: str | None, *, private: bool) -> EndpointView:
    """Create an endpoint, which gets the events from now on. ``new`` has neither id nor secret.

    ``private`` allows addresses of this machine and network.

    Raises:
        InvalidInput: The address cannot be used.
        ActionNotAllowed: There are as many endpoints as there may be.
        Conflict: The idempotency key was used before with other content.
        Deleted: The endpoint that the idempotency key has created was deleted.
    """
    _ensure_usable(new.url, private=private)
    time_ms = now_ms()
    name = await same_id(store, KeyUse.WEBHOOK, key, fingerprint(new), endpoint_id(time_ms))
    endpoint = replace(new, id=name, created_ms=time_ms, secrets=(SigningSecret(value=new_secret()),))
    # a repeat stores nothing, and waits for the replicas as the first request did
    match await store.webhooks.put(endpoint):
        case "full":
            raise ActionNotAllowed(
                f"there may be {counted(MAX_ENDPOINTS, 'webhook endpoint')}, and no more: delete one that is not used"
            )
        case "deleted":
            raise Deleted(
                f"an earlier request with this idempotency key created webhook endpoint {name}, which was deleted: "
                "use a new key to create another one"
            )
    return await show_endpoint(store, name)


async def list_endpoints(store: Store) -> list[EndpointView]:
    """Return all endpoints that can be read, the oldest first."""
    views = list[EndpointView]()
    for endpoint in await store.webhooks.all():
        try:
            views.append(await _view(store, endpoint))
        except UnreadableData as error:
            left_out(error)
    return views


async def show_endpoint(store: Store, name: str) -> EndpointView:
    """Return an endpoint. Raises Missing."""
    endpoint, _ = await _stored(store, name)
    return await _view(store, endpoint)


async def change_endpoint(store: Store, name: str, change: EndpointChange, *, private: bool) -> EndpointView:
    """Change an endpoint. Raises Missing, InvalidInput."""
    if change.url is not None:
        _ensure_usable(change.url, private=private)

    def changed(endpoint: Endpoint) -> Endpoint:
        return replace(
            endpoint,
            url=endpoint.url if change.url is None else change.url,
            types=endpoint.types if change.types is None else change.types,
            description=endpoint.description if change.description is None else change.description,
        )

    return await _put(store, name, changed, enabled=change.enabled)


async def rotate_secret(store: Store, name: str) -> EndpointView:
    """Give an endpoint a new secret. Former ones go on signing for a day. Raises Missing."""
    value, time_ms = new_secret(), now_ms()
    return await _put(store, name, lambda before: replace(before, secrets=rotated(before.secrets, value, time_ms)))


async def replay(store: Store, name: str, after: str = "", *, since_ms: int = 0) -> EndpointView:
    """Let an endpoint get events again: those behind an event, or from a time on.

    Raises:
        Missing: There is no such endpoint.
        InvalidInput: That is in the future: until then the endpoint would get nothing.
    """
    position = cursor_of(after, since_ms)
    last_ms = max(event_time_ms(await store.events.last()), await store.clock.now_ms())
    if event_time_ms(position) > last_ms:
        fault = f"that is in the future: name an event that has happened, or a time before {rfc3339(last_ms)}"
        raise InvalidInput({"since" if since_ms else "after": fault})
    return await _put(store, name, lambda before: before, position=position)


async def delete_endpoint(store: Store, name: str) -> bool:
    """Delete an endpoint. Returns False if there is none (any more)."""
    return await store.webhooks.remove(name)


async def list_deliveries(store: Store, name: str, *, after: int, limit: int) -> DeliveryPage:
    """Return attempts to deliver to an endpoint, newest first: those of a lower number than ``after`` (0: all).

    Raises Missing.
    """
    await _stored(store, name)
    records, last = await store.webhooks.records(name, before=after, limit=limit)
    return DeliveryPage(records=tuple(records), cursor=last if last > 1 else 0)


async def _put(
    store: Store,
    name: str,
    changed: Callable[[Endpoint], Endpoint],
    *,
    position: str = "",
    enabled: bool | None = None,
) -> EndpointView:
    for _ in range(_TRIES):
        before, stored = await _stored(store, name)
        endpoint = changed(before)
        word = await store.webhooks.put(
            endpoint, stored, position=position, enabled=enabled, reason=DISABLED_BY_REQUEST
        )
        if word == "done":
            return await _view(store, endpoint)
    raise ActionNotAllowed(f"webhook endpoint {name} is being changed by others: try again")


async def _stored(store: Store, name: str) -> tuple[Endpoint, bytes]:
    stored = await store.webhooks.get(name)
    if stored is None:
        raise _missing(name)
    return stored


def _missing(name: str) -> Missing:
    return Missing(f"there is no webhook endpoint {name}")


async def _view(store: Store, endpoint: Endpoint) -> EndpointView:
    status = await store.webhooks.status(endpoint.id)
    waiting = await store.events.after(status.position, 1)
    since_ms = event_time_ms(waiting.last) if waiting.last else 0
    return EndpointView(endpoint=endpoint, status=status, waiting_since_ms=since_ms)


def _ensure_usable(url: str, *, private: bool) -> None:
    if fault := webhook_fault(url, private=private):
        raise InvalidInput({"url": fault})
