"""Random lives of an endpoint: whatever happens to it, each event arrives, in order, with one request at a time."""

import asyncio
import random
from collections.abc import Mapping

import pytest

from dispatcher.core.webhooks import Endpoint, WebhookAnswer
from dispatcher.service.webhook_delivery import Served
from dispatcher.service.webhooks import EndpointChange, change_endpoint, create_endpoint, replay, rotate_secret
from dispatcher.store.events import START
from dispatcher.store.store import Store
from tests.service.samples import running
from tests.service.test_webhook_delivery import (
    DOWN,
    OK,
    TOO_LARGE,
    URL,
    Sent,
    deliver_all,
    deliverer_of,
    event_place,
    let_time_pass,
)

pytestmark = pytest.mark.anyio


class Producer:
    """Takes what it is sent, says so or not when it is let, and notes if two requests overlap."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.called = asyncio.Event()
        #: completed when the request that is under way is to be answered
        self.gate: asyncio.Future[None] | None = None
        #: events that it was sent, and those of deliveries that it has confirmed
        self.seen, self.confirmed = list[str](), set[str]()
        #: bodies by the id of their delivery
        self.bodies = dict[str, str]()
        self.takes_bytes = 10**6
        self.well = False

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        sent = Sent(url, body.decode(), headers)
        assert self.bodies.setdefault(sent.id, sent.body) == sent.body, "a repeat is the same"
        assert self.gate is None, "one request at a time"
        self.gate = asyncio.get_running_loop().create_future()
        self.called.set()
        try:
            events = [str(event["id"]) for event in sent.events]
            self.seen += events
            if not self.well:
                await self.gate
            return self._answer(body, events)
        finally:
            self.gate = None

    def _answer(self, body: bytes, events: list[str]) -> WebhookAnswer:
        if not self.well and len(body) > self.takes_bytes:
            return TOO_LARGE
        if not self.well and self.dice.random() < 0.3:
            return DOWN
        self.confirmed.update(events)
        return OK


class Life:
    """What happens to an endpoint, at random."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.dice = store, random.Random(seed)
        self.producer = Producer(self.dice)
        self.deliverers = [deliverer_of(store, self.producer) for _ in range(3)]  # type: ignore[arg-type]  # as a sender
        self.under_way: asyncio.Task[Served] | None = None
        self.name = ""

    async def live(self, steps: int) -> None:
        self.name = (await create_endpoint(self.store, Endpoint(id="", url=URL), None, private=False)).endpoint.id
        verbs = (self.mail, self.deliver, self.deliver, self.deliver, self.answer, self.answer, self.kill, self.change)
        for _ in range(steps):
            await self.dice.choice((*verbs, self.pass_time, self.pass_time))()
        await self.answer()
        self.producer.well = True
        for _ in range(100):
            await let_time_pass(self.store, self.name)
            if await deliver_all(self.deliverers[0], self.name) is Served.NOTHING:
                return
        raise AssertionError("there is no end")

    async def mail(self) -> None:
        for _ in range(self.dice.randrange(1, 4)):
            await running(self.store, 1, metadata={"tenant": "x" * self.dice.randrange(400)})
        self.producer.takes_bytes = self.dice.choice((300, 1_000, 10**6))

    async def deliver(self) -> None:
        """Until it has sent something, or was not let."""
        self.producer.called.clear()
        task = asyncio.create_task(self.dice.choice(self.deliverers).deliver_next(self.name))
        called = asyncio.create_task(self.producer.called.wait())
        await asyncio.wait([task, called], return_when=asyncio.FIRST_COMPLETED)
        called.cancel()
        if task.done():
            assert isinstance(task.result(), Served)
        else:
            self.under_way = task

    async def answer(self) -> None:
        if self.under_way and self.producer.gate:
            self.producer.gate.set_result(None)
            await self.under_way
        self.under_way = None

    async def kill(self) -> None:
        if self.under_way and self.dice.random() < 0.5:
            self.under_way.cancel()
            await asyncio.wait([self.under_way])
            self.under_way = None

    async def pass_time(self) -> None:
        if not self.under_way:
            await let_time_pass(self.store, self.name)

    async def change(self) -> None:
        match self.dice.choice(("url", "replay", "rotate", "disable")):
            case "url":
                change = EndpointChange(url=f"{URL}/{self.dice.random()}")
                await change_endpoint(self.store, self.name, change, private=False)
            case "replay" if self.producer.seen:
                # no event is left out that the receiver has not confirmed
                first = self.producer.seen[0]
                await replay(self.store, self.name, first if first in self.producer.confirmed else START)
            case "rotate":
                await rotate_secret(self.store, self.name)
            case "disable":
                for enabled in (False, True):
                    await change_endpoint(self.store, self.name, EndpointChange(enabled=enabled), private=False)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_each_event_arrives_in_order(store: Store, seed: int) -> None:
    """At least once. Those that come again were there before."""
    life = Life(store, seed)
    await life.live(100)
    events = (await store.events.after(START, 10_000)).events
    assert [event.id for event in events] == sorted(life.producer.confirmed, key=event_place)
    places = list(map(event_place, dict.fromkeys(life.producer.seen)))
    assert len(places) > 5
    assert places == sorted(places)
