"""Endpoints and their turns in Redis, against a model over random histories."""

import random
from dataclasses import dataclass, replace

import pytest

from dispatcher.core.batch_events import EventType
from dispatcher.core.webhooks import (
    MAX_ENDPOINTS,
    DeliveryDecision,
    DeliveryResult,
    Endpoint,
    PlannedDelivery,
    SigningSecret,
)
from dispatcher.store.events import START
from dispatcher.store.protocol import DELETED_KNOWN_MS
from dispatcher.store.webhooks import DeliveryRecord, Turn, Webhooks
from tests.store.fixture import KEYS, StoreFixture, dump

pytestmark = pytest.mark.anyio

TURN_S, FURTHEST_S = 30.0, 60.0
#: of the stream
LAST = "50000-0"


def endpoint(name: str = "we_1", **more: object) -> Endpoint:
    fields: dict[str, object] = {"url": "https://example.com/", "secrets": (SigningSecret(value="whsec_a"),)}
    return Endpoint(id=name, **{**fields, **more})  # type: ignore[arg-type]  # fields of the class


def record(delivery: PlannedDelivery, result: DeliveryResult) -> DeliveryRecord:
    return DeliveryRecord(
        id=delivery.id,
        at_ms=1,
        events=delivery.events,
        last=delivery.last,
        attempt=delivery.failures + 1,
        result=result.value,
        status=200,
        error="",
        took_ms=1,
        again_ms=0,
    )


@dataclass(slots=True, kw_only=True)
class ModelEndpoint:
    """What an endpoint ought to be like."""

    position: str
    enabled: bool = True
    due_ms: int = 0
    #: of the turn, when that is over, and whether the endpoint was changed in it
    token: str = ""
    turn_ms: int = 0
    changed: bool = False
    delivery: PlannedDelivery | None = None
    deliveries: int = 0
    body_bytes: int = 0

    def begin_turn(self, token: str, until_ms: int) -> None:
        self.token, self.turn_ms, self.due_ms = token, until_ms, until_ms

    def end_turn(self, next_ms: int) -> None:
        self.token, self.turn_ms, self.changed, self.due_ms = "", 0, False, next_ms

    def has_turn(self, token: str, now_ms: int) -> bool:
        mine, changed = self.token == token, self.changed
        if mine and changed:
            self.end_turn(now_ms)
        return mine and not changed


class History:
    """Random turns of two processes at three endpoints. Each step is asked of the store and of the model."""

    def __init__(self, db: StoreFixture, seed: int) -> None:
        self.db = db
        self.dice = random.Random(seed)
        self.webhooks = Webhooks(db.client, db.scripts)
        self.model: dict[str, ModelEndpoint] = {}
        self.turns: list[Turn] = []
        self.count = 0
        self.names, self.removed = ["a", "b", "c"], list[str]()

    def new_id(self) -> str:
        self.count += 1
        return f"{self.count}-0"

    async def live(self, steps: int) -> None:
        verbs = (
            self.put,
            self.take,
            self.take,
            self.take,
            self.plan,
            self.plan,
            self.end,
            self.end,
            self.end,
            self.wait,
        )
        for _ in range(steps):
            await self.dice.choice((*verbs, self.remove))()
            await self.compare()

    async def compare(self) -> None:
        assert {shown.id for shown in await self.webhooks.all()} == self.model.keys()
        due = await self.webhooks.due(self.db.ms, FURTHEST_S)
        assert due.keys() == {name for name, m in self.model.items() if m.enabled and m.due_ms <= self.db.ms}
        for name, expected in self.model.items():
            status = await self.webhooks.status(name)
            assert (status.position, status.delivery) == (expected.position, expected.delivery)
            assert (not status.disabled_ms, status.deliveries) == (expected.enabled, expected.deliveries)
            assert status.body_bytes == expected.body_bytes

    async def put(self) -> None:
        name, position = self.dice.choice(self.names), self.dice.choice(("", "", self.new_id(), LAST, "99999-0"))
        enabled = self.dice.choice((None, None, True, False))
        before = await self.webhooks.get(name)
        is_same = before is not None and self.dice.random() < 0.3
        changed = before[0] if before and is_same else endpoint(name, description=str(self.dice.random()))
        stored = before[1] if before else b""
        word = await self.webhooks.put(changed, stored, position=position, enabled=enabled)
        assert word == ("deleted" if name in self.removed else "done")
        if word == "deleted":
            return
        m = self.model.setdefault(name, ModelEndpoint(position=LAST))
        if is_same and not position and enabled in (None, m.enabled):
            return
        m.position = LAST if position == "99999-0" else position or m.position
        m.enabled = m.enabled if enabled is None else enabled
        m.due_ms, m.changed = max(self.db.ms, m.turn_ms), bool(m.token)
        m.delivery, m.body_bytes = None, 0

    async def remove(self) -> None:
        name = self.dice.choice(self.names)
        assert await self.webhooks.remove(name) is (name in self.model)
        if self.model.pop(name, None):
            self.removed.append(name)
            self.names = [*self.names[-2:], name, f"after{name}"]

    async def take(self) -> None:
        name, token = self.dice.choice(self.names), self.new_id()
        turn = await self.webhooks.take(name, token, TURN_S, FURTHEST_S)
        m = self.model.get(name)
        if m is None or not m.enabled or m.due_ms > self.db.ms:
            assert turn is None
            return
        assert turn
        assert m.turn_ms <= self.db.ms, "one turn at a time"
        m.begin_turn(token, self.db.ms + round(TURN_S * 1000))
        m.changed = False
        assert (turn.status.position, turn.status.delivery) == (m.position, m.delivery)
        self.turns.append(turn)

    def _turn(self) -> tuple[Turn, ModelEndpoint | None] | None:
        if not self.turns:
            return None
        turn = self.dice.choice(self.turns[-4:])
        m = self.model.get(turn.endpoint.id)
        return turn, m if m and m.has_turn(turn.token, self.db.ms) else None

    async def plan(self) -> None:
        if shown := self._turn():
            turn, m = shown
            delivery = PlannedDelivery(id=self.new_id(), last=self.new_id(), events=self.dice.choice((0, 1, 5)))
            if m and m.delivery and self.dice.random() < 0.3:
                delivery = m.delivery
            assert await self.webhooks.plan(turn, delivery, TURN_S) is (m is not None)
            if m and delivery.events:
                m.delivery = delivery
                m.begin_turn(turn.token, self.db.ms + round(TURN_S * 1000))
            elif m:
                m.position, m.delivery = delivery.last, None
                m.end_turn(0)

    async def end(self) -> None:
        if shown := self._turn():
            turn, m = shown
            delivery = (m.delivery if m else None) or PlannedDelivery(id="other", last="1-0", events=1)
            result, again_ms = self.dice.choice(list(DeliveryResult)), self.db.ms + 5_000
            body_bytes = self.dice.choice((0, 0, 500)) if result is DeliveryResult.FAILED else 0
            decision = DeliveryDecision(result=result, again_ms=again_ms, reason="it is broken", body_bytes=body_bytes)
            ended = await self.webhooks.end(turn, decision, record(delivery, result))
            assert ended is (m is not None and m.delivery is not None)
            if m and m.delivery:
                m.deliveries += 1
                self.model_end(m, m.delivery, decision)

    def model_end(self, m: ModelEndpoint, delivery: PlannedDelivery, decision: DeliveryDecision) -> None:
        m.end_turn(0 if decision.result is DeliveryResult.DELIVERED else decision.again_ms)
        if decision.result is DeliveryResult.DELIVERED:
            m.position, m.delivery = delivery.last, None
        elif decision.body_bytes:
            m.delivery, m.body_bytes = None, decision.body_bytes
        else:
            since_ms = delivery.failing_since_ms or self.db.ms
            m.delivery = replace(delivery, failures=delivery.failures + 1, failing_since_ms=since_ms)
        m.enabled = m.enabled and decision.result is not DeliveryResult.DISABLED

    async def wait(self) -> None:
        await self.db.pass_ms(self.dice.choice((1, 2_000, 6_000, 31_000)))


@pytest.mark.parametrize("seed", range(8))
async def test_endpoints_and_turns_are_what_the_model_says(db: StoreFixture, seed: int) -> None:
    """One process at a time delivers to an endpoint, whoever else tries. An end that comes too late changes nothing."""
    await db.client.xadd(KEYS.events, {"type": "batch.started"}, id=LAST)
    await History(db, seed).live(150)


async def test_a_new_endpoint_begins_with_the_next_event(db: StoreFixture) -> None:
    webhooks = Webhooks(db.client, db.scripts)
    await webhooks.put(endpoint("we_0"))
    assert (await webhooks.status("we_0")).position == START
    await db.running("b", 1)
    await webhooks.put(endpoint("we_1"))
    entries = await db.client.xrevrange(KEYS.events, count=1)
    assert (await webhooks.status("we_1")).position == entries[0][0].decode()


async def test_the_number_of_endpoints_is_bounded_and_a_repeat_is_none_more(db: StoreFixture) -> None:
    webhooks = Webhooks(db.client, db.scripts)
    words = [await webhooks.put(endpoint(f"we_{number}")) for number in range(MAX_ENDPOINTS + 1)]
    assert words == ["done"] * MAX_ENDPOINTS + ["full"]
    assert await webhooks.put(endpoint("we_3")) == "exists"


async def test_two_changes_at_the_same_time_do_not_undo_each_other(db: StoreFixture) -> None:
    webhooks = Webhooks(db.client, db.scripts)
    await webhooks.put(endpoint())
    stored = await webhooks.get("we_1")
    assert stored
    assert await webhooks.put(endpoint(description="first"), stored[1]) == "done"
    assert await webhooks.put(endpoint(description="second"), stored[1]) == "changed"
    assert await webhooks.put(endpoint("we_9", description="x"), stored[1]) == "missing"


async def test_a_change_in_a_turn_lets_its_request_end_and_undoes_what_comes_of_it(db: StoreFixture) -> None:
    """The next turn begins when the process says that its request has ended, or when the time for it is over."""
    webhooks, delivery = Webhooks(db.client, db.scripts), PlannedDelivery(id="msg_1", last="7-0", events=1)
    await webhooks.put(endpoint())
    for speaks in (True, False):
        turn = await webhooks.take("we_1", f"t{speaks}", TURN_S, FURTHEST_S)
        assert turn
        await db.pass_ms(20_000)
        assert await webhooks.plan(turn, delivery, TURN_S), "the time for the request begins here"
        await db.pass_ms(29_000)
        for enabled in (False, True):
            stored = await webhooks.get("we_1")
            assert stored
            changed = replace(stored[0], description=f"{speaks} {enabled}")
            assert await webhooks.put(changed, stored[1], enabled=enabled) == "done"
        assert await webhooks.take("we_1", "early", TURN_S, FURTHEST_S) is None
        if speaks:
            decision = DeliveryDecision(result=DeliveryResult.DELIVERED)
            assert not await webhooks.end(turn, decision, record(delivery, decision.result))
        else:
            await db.pass_ms(1_000)
        after = await webhooks.take("we_1", f"after {speaks}", TURN_S, FURTHEST_S)
        assert after
        assert (after.status.position, after.status.delivery) == (START, None)
        assert not await webhooks.plan(turn, delivery, TURN_S), "its turn is over"
        assert await webhooks.plan(after, replace(delivery, events=0, last=START), TURN_S)


async def test_a_change_before_a_delivery_is_planned_lets_nothing_be_sent_as_before(db: StoreFixture) -> None:
    webhooks = Webhooks(db.client, db.scripts)
    await webhooks.put(endpoint())
    turn, stored = await webhooks.take("we_1", "t1", TURN_S, FURTHEST_S), await webhooks.get("we_1")
    assert turn
    assert stored
    await webhooks.put(replace(stored[0], url="https://example.com/2"), stored[1])
    assert not await webhooks.plan(turn, PlannedDelivery(id="msg_1", last="7-0", events=1), TURN_S)
    fresh = await webhooks.take("we_1", "t2", TURN_S, FURTHEST_S)
    assert fresh
    assert fresh.endpoint.url == "https://example.com/2"


async def test_all_fields_of_an_endpoint_come_back(db: StoreFixture) -> None:
    webhooks = Webhooks(db.client, db.scripts)
    whole = endpoint(
        types=(EventType.FINISHED, EventType.HELD),
        description="März",
        created_ms=1,
        secrets=(SigningSecret(value="a"), SigningSecret(value="b", until_ms=2)),
    )
    await webhooks.put(whole)
    stored = await webhooks.get("we_1")
    assert stored
    assert stored[0] == whole


async def test_attempts_are_listed_newest_first_by_number(db: StoreFixture) -> None:
    """And no more than a thousand are kept."""
    webhooks = Webhooks(db.client, db.scripts)
    await webhooks.put(endpoint())
    for number in range(5):
        turn = await webhooks.take("we_1", f"t{number}", TURN_S, FURTHEST_S)
        assert turn
        delivery = PlannedDelivery(id=f"msg_{number}", last=f"{number}-0", events=1)
        await webhooks.plan(turn, delivery, TURN_S)
        decision = DeliveryDecision(result=DeliveryResult.DELIVERED)
        assert await webhooks.end(turn, decision, record(delivery, decision.result))
    first, last = await webhooks.records("we_1", before=0, limit=2)
    assert [(shown.number, shown.id) for shown in first] == [(5, "msg_4"), (4, "msg_3")]
    rest, _ = await webhooks.records("we_1", before=last, limit=9)
    assert [(shown.number, shown.id) for shown in rest] == [(3, "msg_2"), (2, "msg_1"), (1, "msg_0")]
    assert int(dict(await db.client.hgetall(KEYS.totals))[b"webhook_deliveries|delivered"]) == 5


async def test_a_clock_that_is_set_back_keeps_no_endpoint_waiting(db: StoreFixture) -> None:
    """A time that no delivery can have been put off to is none."""
    webhooks = Webhooks(db.client, db.scripts)
    await webhooks.put(endpoint())
    assert await webhooks.take("we_1", "t1", TURN_S, FURTHEST_S)
    assert await webhooks.due(db.ms, FURTHEST_S) == {}
    await db.step_s(-3600)
    assert await webhooks.due(db.ms, FURTHEST_S) == {"we_1": True}
    assert await webhooks.take("we_1", "t2", TURN_S, FURTHEST_S)
    assert await webhooks.take("we_1", "t3", TURN_S, FURTHEST_S) is None


async def test_a_deleted_endpoint_leaves_only_its_id(db: StoreFixture) -> None:
    """Even if a delivery to it ends later. While its id is known, a late repeat creates it no more."""
    webhooks = Webhooks(db.client, db.scripts)
    assert not await webhooks.remove("we_1")
    before = await dump(db.client)
    await webhooks.put(endpoint())
    turn = await webhooks.take("we_1", "t", TURN_S, FURTHEST_S)
    assert turn
    delivery = PlannedDelivery(id="msg_1", last="1-0", events=1)
    await webhooks.plan(turn, delivery, TURN_S)
    assert await webhooks.remove("we_1")
    assert not await webhooks.end(
        turn, DeliveryDecision(result=DeliveryResult.FAILED, again_ms=1), record(delivery, DeliveryResult.FAILED)
    )
    assert not await webhooks.plan(turn, delivery, TURN_S)
    assert not await webhooks.remove("we_1")
    assert await webhooks.put(endpoint()) == "deleted"
    assert await db.deletions.forget(db.ms + DELETED_KNOWN_MS) == 1
    assert await dump(db.client) == before
