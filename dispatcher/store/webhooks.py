"""Stores webhook endpoints: their definitions, what they have got, and the attempts to deliver to them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dispatcher.core.batch_events import EventType
from dispatcher.core.webhooks import MAX_ENDPOINTS, DeliveryDecision, Endpoint, PlannedDelivery, SigningSecret
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, readable, typed, whole, whole_or_0
from dispatcher.store.errors import translated
from dispatcher.store.events import START, is_event_id
from dispatcher.store.lua import Scripts

#: readings of deliveries, each after one that a new delivery has disturbed
_READS = 10

PutWord = Literal["done", "full", "exists", "deleted", "changed", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """How far an endpoint is. Times are milliseconds since 1970, 0 for none."""

    #: it has all events until this one
    position: str = START
    #: what it gets next, or again; None: nothing is planned
    delivery: PlannedDelivery | None = None
    delivered_ms: int = 0
    #: since when it gets nothing, and why
    disabled_ms: int = 0
    reason: str = ""
    #: number of attempts so far
    deliveries: int = 0
    #: what it takes at once, and since when that is known, if it found a body too large
    body_bytes: int = 0
    body_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """An attempt, for people."""

    id: str
    #: counts the attempts of the endpoint from 1
    number: int = 0
    at_ms: int
    events: int
    last: str
    attempt: int
    result: str
    #: 0: no answer
    status: int
    error: str
    took_ms: int
    again_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The right to deliver to an endpoint for some time."""

    endpoint: Endpoint
    status: EndpointStatus
    token: str


class Webhooks:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def put(
        self,
        endpoint: Endpoint,
        before: bytes = b"",
        *,
        position: str = "",
        enabled: bool | None = None,
        reason: str = "",
    ) -> PutWord:
        """Store an endpoint, or a change of one. What is being delivered is delivered again after that.

        Args:
            endpoint: The endpoint.
            before: How it was stored when it was read; empty for a new one.
            position: The event behind which it begins, the last one at most; empty: as it is, and for a new one the
                next event.
            enabled: Whether it gets events; None: as it is.
            reason: Why it is disabled.
        """
        word = await self._scripts.accept(
            "put_endpoint",
            endpoint=endpoint.id,
            before=before.decode(),
            after=_encoded(endpoint),
            max_endpoints=MAX_ENDPOINTS,
            position=position,
            enabled={True: "yes", False: "no", None: ""}[enabled],
            reason=reason,
        )
        text: PutWord = word.decode()
        return text

    async def remove(self, endpoint: str) -> bool:
        """Forget an endpoint. Returns False if there is none."""
        return bool(await self._scripts.accept("remove_endpoint", endpoint=endpoint))

    async def get(self, endpoint: str) -> tuple[Endpoint, bytes] | None:
        """Return an endpoint, and how it is stored; None if there is none. Raises UnreadableData."""
        with translated():
            raw = await self._client.hget(self._keys.webhooks, endpoint)
        with decoding(self._keys.webhooks):
            return (_decoded(raw), raw) if raw is not None else None

    async def all(self) -> list[Endpoint]:
        """Return all endpoints that can be read, the oldest first."""
        with translated():
            raw = await self._client.hvals(self._keys.webhooks)
        return sorted(readable(self._keys.webhooks, raw, _decoded), key=lambda endpoint: endpoint.id)

    async def status(self, endpoint: str) -> EndpointStatus:
        """Return how far an endpoint is. Raises UnreadableData."""
        key = self._keys.webhook(endpoint)
        with translated():
            raw = await self._client.hgetall(key)
        with decoding(key):
            return _status(raw)

    async def records(self, endpoint: str, *, before: int, limit: int) -> tuple[list[DeliveryRecord], int]:
        """Return attempts, newest first: those with a number below ``before`` (0: all).

        One that cannot be read is left out. The other number returned is that of the last one read; 0: there are no
        older ones.
        """
        key = self._keys.webhook_deliveries(endpoint)
        for _ in range(_READS):
            latest = await self._latest(endpoint)
            first = max(0, latest - before + 1) if before else 0
            with translated():
                raw = await self._client.lrange(key, first, first + limit - 1)
            if await self._latest(endpoint) == latest:  # otherwise they may have moved by one
                break
        records = readable(key, enumerate(raw, start=first), lambda item: _record(latest - item[0], item[1]))
        return records, max(0, latest - first - limit + 1) if len(raw) == limit else 0

    async def _latest(self, endpoint: str) -> int:
        with translated():
            return whole_or_0(await self._client.hget(self._keys.webhook(endpoint), "deliveries"))

    async def due(self, now_ms: int, furthest_s: float) -> dict[str, bool]:
        """Return the endpoints that may get a delivery now, and whether that is so because of more than new events.

        No delivery is put off for longer than ``furthest_s``: a time beyond it is of a clock that was set back.
        """
        with translated():
            raw = await self._client.zrange(self._keys.webhooks_due, 0, -1, withscores=True)
        furthest_ms = now_ms + furthest_s * 1000
        return {
            name.decode(errors="replace"): due_ms > 0
            for name, due_ms in raw
            if due_ms <= now_ms or due_ms > furthest_ms
        }

    async def take(self, endpoint: str, token: str, turn_s: float, furthest_s: float) -> Turn | None:
        """Take the turn to deliver to an endpoint. Returns None if it is not due, or another process has it."""
        answer = await self._scripts.run(
            "take_delivery",
            endpoint=endpoint,
            token=token,
            turn_ms=round(turn_s * 1000),
            furthest_ms=round(furthest_s * 1000),
        )
        if answer is None:
            return None
        definition, flat = answer
        with decoding(self._keys.webhook(endpoint)):
            status = _status(dict(zip(flat[::2], flat[1::2], strict=True)))
            return Turn(endpoint=_decoded(definition), status=status, token=token)

    async def plan(self, turn: Turn, delivery: PlannedDelivery, turn_s: float) -> bool:
        """Store what is delivered now, for which there are ``turn_s`` from now on. Without events, the turn ends.

        Returns False if the turn is over, or the endpoint was changed in it.
        """
        return bool(
            await self._scripts.run(
                "plan_delivery",
                endpoint=turn.endpoint.id,
                token=turn.token,
                turn_ms=round(turn_s * 1000),
                delivery=delivery.id,
                last=delivery.last,
                events=delivery.events,
            )
        )

    async def end(self, turn: Turn, decision: DeliveryDecision, record: DeliveryRecord) -> bool:
        """Store what came of an attempt, and end the turn. Returns False if it was over, or the endpoint changed."""
        return bool(
            await self._scripts.run(
                "end_delivery",
                endpoint=turn.endpoint.id,
                token=turn.token,
                delivery=record.id,
                result=decision.result,
                again_ms=decision.again_ms,
                reason=decision.reason,
                body_bytes=decision.body_bytes,
                record=json.dumps(asdict(record)),
            )
        )


def _encoded(endpoint: Endpoint) -> str:
    return json.dumps(asdict(endpoint))


def _decoded(raw: bytes) -> Endpoint:
    fields: dict[str, Any] = json.loads(raw)
    types = tuple(map(EventType, fields.pop("types")))
    secrets = tuple(typed(SigningSecret, secret) for secret in fields.pop("secrets"))
    return typed(Endpoint, {**fields, "types": types, "secrets": secrets})


def _status(raw: Mapping[bytes, bytes]) -> EndpointStatus:
    fields = {name.decode(): value.decode() for name, value in raw.items()}
    position = fields.get("position", START)
    if not is_event_id(position):
        raise ValueError("the position is no event's id")
    return EndpointStatus(
        position=position,
        delivery=_delivery(fields) if "delivery" in fields else None,
        delivered_ms=whole(fields.get("delivered_ms", 0)),
        disabled_ms=whole(fields.get("disabled_ms", 0)),
        reason=fields.get("reason", ""),
        deliveries=whole(fields.get("deliveries", 0)),
        body_bytes=whole(fields.get("body_bytes", 0)),
        body_ms=whole(fields.get("body_ms", 0)),
    )


def _delivery(fields: Mapping[str, str]) -> PlannedDelivery:
    if not is_event_id(fields["last"]):
        raise ValueError("the end of the delivery is no event's id")
    return PlannedDelivery(
        id=fields["delivery"],
        last=fields["last"],
        events=whole(fields["events"]),
        failures=whole(fields.get("failures", 0)),
        failing_since_ms=whole(fields.get("failing_since_ms", 0)),
    )


def _record(number: int, raw: bytes) -> DeliveryRecord:
    return typed(DeliveryRecord, {**json.loads(raw), "number": number})
