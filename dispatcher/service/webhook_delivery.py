"""Delivers events to webhook endpoints.

Each endpoint has a task of its own here, so a slow one keeps none of the others waiting, and nothing that sends faxes
runs in this event loop. Several processes may deliver: the turn of an endpoint is taken in Redis.
"""

import asyncio
import json
import math
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import structlog

from dispatcher.core.policy.policy import Policy
from dispatcher.core.webhooks import (
    MAX_EVENTS,
    DeliveryDecision,
    DeliveryResult,
    PlannedDelivery,
    WebhookAnswer,
    after_answer,
    body_bound,
    longest_delay_s,
)
from dispatcher.service.errors import StoreError
from dispatcher.service.events import EventFilter, event_views, stored_events
from dispatcher.service.ids import delivery_id
from dispatcher.service.times import now_ms
from dispatcher.store.store import Store
from dispatcher.store.webhooks import DeliveryRecord, Turn
from dispatcher.webhooks.sender import WebhookSender
from dispatcher.webhooks.signing import signed_headers

#: seconds between two looks for endpoints that are due, and between looks while there is none
_LOOK_S, _IDLE_LOOK_S = 0.5, 2.0
#: seconds that a turn lasts longer than its request
_TURN_MARGIN_S = 5.0
#: seconds until the next look after Redis was away
_UNAVAILABLE_S = 1.0

log = structlog.get_logger(__name__)


class Served(Enum):
    """What came of a turn of an endpoint."""

    #: it may get more now
    MORE = auto()
    #: there was nothing for it
    NOTHING = auto()
    #: its delivery failed, or it is another process's turn
    LATER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """Events as they are sent, each as JSON."""

    events: Sequence[str]
    #: the endpoint has all events until then once it has these
    last: str
    #: whether there may be more now
    more: bool


class WebhookDeliverer:
    """Delivers events to the endpoints of the account."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        sender: WebhookSender,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Create it. ``chance`` returns numbers from 0 to 1."""
        self._store = store
        self._policy = policy
        self._sender = sender
        self._chance = chance
        self._turn_s = policy.webhook_total_s + _TURN_MARGIN_S
        self._furthest_s = max(longest_delay_s(policy), self._turn_s)
        self._stop = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        #: endpoint -> the last event of the stream when there was nothing for it
        self._idle: dict[str, str] = {}

    def stop(self) -> None:
        """Begin no other delivery. Those under way are broken off, and repeated by the next process."""
        self._stop.set()

    async def run(self) -> None:
        """Deliver until ``stop`` is called."""
        while not self._stop.is_set():
            wait_s = await self._look()
            try:
                await asyncio.wait_for(self._stop.wait(), wait_s)
            except TimeoutError:
                continue
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _look(self) -> float:
        """Begin the deliveries that are due. Returns the seconds until the next look."""
        try:
            due = await self._store.webhooks.due(await self._store.clock.now_ms(), self._furthest_s)
            last = await self._store.events.last() if due else ""
        except StoreError as error:
            log.debug("no webhooks while Redis is away", error=str(error))
            return _UNAVAILABLE_S
        for endpoint, waits in due.items():
            if endpoint not in self._tasks and (waits or self._idle.get(endpoint) != last):
                self._tasks[endpoint] = asyncio.create_task(self._serve(endpoint, last))
        return _LOOK_S if due or self._tasks else _IDLE_LOOK_S

    async def _serve(self, endpoint: str, last: str) -> None:
        """Deliver to an endpoint as long as it takes its events and there are more."""
        self._idle.pop(endpoint, None)
        try:
            while (served := await self.deliver_next(endpoint)) is Served.MORE and not self._stop.is_set():
                pass
            if served is Served.NOTHING:
                self._idle[endpoint] = last
        except StoreError as error:
            log.warning("events were not delivered", endpoint=endpoint, error=str(error))
        except Exception:
            log.exception("events were not delivered", endpoint=endpoint)
        finally:
            del self._tasks[endpoint]

    async def deliver_next(self, endpoint: str) -> Served:
        """Deliver what is next to an endpoint, if it is due.

        Raises:
            StoreError: The store is away, or what it has cannot be read.
        """
        token = secrets.token_hex(8)
        turn = await self._store.webhooks.take(endpoint, token, self._turn_s, self._furthest_s)
        if turn is None:
            return Served.LATER
        body, delivery = await self._next(turn)
        if not await self._store.webhooks.plan(turn, delivery, self._turn_s):
            return Served.LATER
        if not body.events:
            return Served.MORE if body.more else Served.NOTHING
        return await self._attempt(turn, delivery, body)

    async def _next(self, turn: Turn) -> tuple[_Body, PlannedDelivery]:
        """Return what is delivered now: what was planned, or the next events if none of those are kept any more."""
        if (planned := turn.status.delivery) and (body := await self._planned(turn, planned)).events:
            return body, planned
        max_bytes = body_bound(turn.status.body_bytes, turn.status.body_ms, await self._store.clock.now_ms())
        body = await self._body(turn, MAX_EVENTS, max_bytes)
        return body, PlannedDelivery(id=delivery_id(now_ms()), last=body.last, events=len(body.events))

    async def _planned(self, turn: Turn, planned: PlannedDelivery) -> _Body:
        """Return the events of a delivery that is repeated, as far as they are kept: the same, whatever their size."""
        return await self._body(turn, planned.events, math.inf, until=planned.last)

    async def _body(self, turn: Turn, limit: int, max_bytes: float, *, until: str = "") -> _Body:
        """Return the next events of an endpoint: at least one if there is any, and no other from a size on."""
        criteria = EventFilter(types=frozenset(turn.endpoint.types))
        stored = await stored_events(self._store, criteria, after=turn.status.position, limit=limit)
        texts, size, last = list[str](), len(_body_text(())), turn.status.position
        async for view in event_views(self._store, stored.events):
            text = json.dumps(view.as_json(), ensure_ascii=False, separators=(",", ":"))
            size += len(text.encode()) + 1
            if (texts and size > max_bytes) or (until and _position(view.event.id) > _position(until)):
                return _Body(events=texts, last=last, more=True)
            texts.append(text)
            last = view.event.id
        return _Body(events=texts, last=stored.cursor, more=stored.more)

    async def _attempt(self, turn: Turn, delivery: PlannedDelivery, body: _Body) -> Served:
        text = _body_text(body.events)
        content = text.encode()
        sent_ms = now_ms()
        headers = signed_headers(delivery.id, text, turn.endpoint.signing(sent_ms), sent_ms // 1000)
        started_s = time.monotonic()
        answer = await self._sender.send(turn.endpoint.url, content, headers)
        took_ms = round((time.monotonic() - started_s) * 1000)
        decision = after_answer(
            answer,
            delivery,
            len(content),
            policy=self._policy,
            now_ms=await self._store.clock.now_ms(),
            chance=self._chance(),
        )
        record = _record(delivery, answer, decision, sent_ms, took_ms)
        ended = await self._store.webhooks.end(turn, decision, record)
        if ended and decision.result is DeliveryResult.DISABLED:
            log.error("a webhook endpoint is disabled", endpoint=turn.endpoint.id, reason=decision.reason)
        elif ended and decision.body_bytes:
            log.info("a webhook endpoint gets smaller bodies", endpoint=turn.endpoint.id, bytes=decision.body_bytes)
        elif ended and decision.result is DeliveryResult.FAILED:
            log.warning("a webhook endpoint did not take its events", endpoint=turn.endpoint.id, error=answer.error)
        return Served.MORE if ended and decision.result is DeliveryResult.DELIVERED else Served.LATER


def _body_text(events: Sequence[str]) -> str:
    return f'{{"events":[{",".join(events)}]}}'


def _position(event_id: str) -> tuple[int, int]:
    time_ms, _, number = event_id.partition("-")
    return int(time_ms), int(number)


def _record(
    delivery: PlannedDelivery, answer: WebhookAnswer, decision: DeliveryDecision, at_ms: int, took_ms: int
) -> DeliveryRecord:
    return DeliveryRecord(
        id=delivery.id,
        at_ms=at_ms,
        events=delivery.events,
        last=delivery.last,
        attempt=delivery.failures + 1,
        result=decision.result.value,
        status=answer.status,
        error=answer.error,
        took_ms=took_ms,
        again_ms=decision.again_ms,
    )
