"""Delivers events to webhook endpoints.

Each endpoint has a task of its own here, so a slow one keeps none of the others waiting, and nothing that sends faxes
runs in this event loop. Several processes may deliver: the turn of an endpoint is taken in Redis.
"""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable
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
    longest_delay_s,
)
from dispatcher.service.errors import StoreError
from dispatcher.service.events import EventFilter, EventPage, EventView, list_events
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
        planned = turn.status.delivery
        if planned and (events := await self._planned_events(turn, planned)):
            return await self._attempt(turn, planned, events)
        page = await self._page(turn, MAX_EVENTS)
        delivery = PlannedDelivery(id=delivery_id(now_ms()), last=page.cursor, events=len(page.events))
        if not await self._store.webhooks.plan(turn, delivery):
            return Served.LATER
        if not page.events:
            return Served.MORE if page.more else Served.NOTHING
        return await self._attempt(turn, delivery, page.events)

    async def _page(self, turn: Turn, limit: int) -> EventPage:
        criteria = EventFilter(types=frozenset(turn.endpoint.types))
        return await list_events(self._store, criteria, after=turn.status.position, limit=limit)

    async def _planned_events(self, turn: Turn, planned: PlannedDelivery) -> tuple[EventView, ...]:
        """Return the events of a delivery that is repeated; none if they are not kept any more."""
        page, until = await self._page(turn, planned.events), _position(planned.last)
        return tuple(view for view in page.events if _position(view.event.id) <= until)

    async def _attempt(self, turn: Turn, delivery: PlannedDelivery, events: tuple[EventView, ...]) -> Served:
        body = json.dumps({"events": [view.as_json() for view in events]}, ensure_ascii=False, separators=(",", ":"))
        sent_ms = now_ms()
        headers = signed_headers(delivery.id, body, turn.endpoint.signing(sent_ms), sent_ms // 1000)
        started_s = time.monotonic()
        answer = await self._sender.send(turn.endpoint.url, body.encode(), headers)
        took_ms = round((time.monotonic() - started_s) * 1000)
        decision = after_answer(
            answer,
            delivery,
            policy=self._policy,
            now_ms=await self._store.clock.now_ms(),
            chance=self._chance(),
        )
        record = _record(delivery, answer, decision, sent_ms, took_ms)
        ended = await self._store.webhooks.end(turn, decision, record)
        if ended and decision.result is DeliveryResult.DISABLED:
            log.error("a webhook endpoint is disabled", endpoint=turn.endpoint.id, reason=decision.reason)
        elif ended and decision.result is DeliveryResult.FAILED:
            log.warning("a webhook endpoint did not take its events", endpoint=turn.endpoint.id, error=answer.error)
        return Served.MORE if ended and decision.result is DeliveryResult.DELIVERED else Served.LATER


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
