"""Events on their way to endpoints: in order, at least once, whoever is down, slow, or lies."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from standardwebhooks import Webhook

from dispatcher.core.batch_events import EventType
from dispatcher.core.job import State
from dispatcher.core.policy.policy import Policy
from dispatcher.core.webhooks import MAX_BODY_BYTES, Endpoint, WebhookAnswer
from dispatcher.service.doctor import examine
from dispatcher.service.errors import ActionNotAllowed, Conflict, Deleted, InvalidInput, Missing
from dispatcher.service.webhook_delivery import Served, WebhookDeliverer
from dispatcher.service.webhooks import (
    EndpointChange,
    EndpointView,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    list_deliveries,
    replay,
    rotate_secret,
    show_endpoint,
    webhook_health,
)
from dispatcher.store.events import START
from dispatcher.store.store import Store
from tests.service.samples import end_jobs, running
from tests.store.fixture import KEYS

pytestmark = pytest.mark.anyio

URL = "https://hooks.example.com/bulkfax"
OK, DOWN = WebhookAnswer(status=200), WebhookAnswer(status=500, error="HTTP 500, an error")
TOO_LARGE = WebhookAnswer(status=413, error="HTTP 413, an error")
DAY_MS = 86_400_000


@dataclass(slots=True)
class Sent:
    url: str
    body: str
    headers: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def events(self) -> list[dict[str, object]]:
        shown: list[dict[str, object]] = json.loads(self.body)["events"]
        return shown


@dataclass(slots=True, kw_only=True)
class FakeSender:
    """Notes what is sent and answers as it is told: by address, or with the next of its answers, or OK."""

    sent: list[Sent] = field(default_factory=list)
    answers: list[WebhookAnswer] = field(default_factory=list)
    #: addresses that take their time
    stuck: set[str] = field(default_factory=set)
    #: larger bodies are refused
    takes_bytes: int = 10**9
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    #: cleared: nobody gets an answer
    held: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.held.set()

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        async with self.changed:
            self.sent.append(Sent(url, body.decode(), headers))
            self.changed.notify_all()
        if url in self.stuck:
            await asyncio.sleep(60)
        await self.held.wait()
        if len(body) > self.takes_bytes:
            return TOO_LARGE
        return self.answers.pop(0) if self.answers else OK

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    def ids(self, url: str = URL) -> list[str]:
        return [str(event["id"]) for sent in self.sent if sent.url == url for event in sent.events]


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def deliverer(store: Store, sender: FakeSender) -> WebhookDeliverer:
    return deliverer_of(store, sender)


def deliverer_of(store: Store, sender: FakeSender, policy: Policy | None = None) -> WebhookDeliverer:
    return WebhookDeliverer(store, policy or Policy(), sender, chance=lambda: 0.5)  # type: ignore[arg-type]  # as a sender


async def created(store: Store, url: str = URL, *types: EventType) -> EndpointView:
    return await create_endpoint(store, Endpoint(id="", url=url, types=types), None, private=False)


async def mailing(store: Store, rows: int = 3) -> str:
    batch = await running(store, rows, job_events=True)
    await end_jobs(store, batch, dict.fromkeys(range(rows), (State.DELIVERED, "")))
    return batch


def event_place(event_id: str) -> tuple[int, ...]:
    return tuple(map(int, event_id.split("-")))


async def deliver_all(deliverer: WebhookDeliverer, endpoint: str) -> Served:
    while (served := await deliverer.deliver_next(endpoint)) is Served.MORE:
        pass
    return served


async def let_time_pass(store: Store, endpoint: str) -> None:
    """The delay of the repeat is over."""
    await store._client.zadd(KEYS.webhooks_due, {endpoint: 1})


async def test_an_endpoint_gets_each_event_once_in_order_and_signed(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    await mailing(store)  # of before it was created
    endpoint = (await created(store)).endpoint
    batch = await mailing(store)
    assert await deliver_all(deliverer, endpoint.id) is Served.NOTHING
    (sent,) = sender.sent
    assert {event["batch"] for event in sent.events} == {batch}
    sequences = [event["sequence"] for event in sent.events]
    assert sequences == list(range(1, len(sequences) + 1))
    assert (sent.events[0]["type"], sent.events[-1]["type"]) == ("batch.started", "batch.finished")
    assert Webhook(endpoint.secrets[0].value).verify(sent.body, dict(sent.headers)) == {"events": sent.events}
    assert await deliver_all(deliverer, endpoint.id) is Served.NOTHING
    assert len(sender.sent) == 1


async def test_an_endpoint_gets_only_the_types_that_it_wants(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    endpoint = (await created(store, URL, EventType.FINISHED)).endpoint
    for _ in range(2):
        await mailing(store)
    await deliver_all(deliverer, endpoint.id)
    assert [event["type"] for sent in sender.sent for event in sent.events] == ["batch.finished"] * 2
    assert (await show_endpoint(store, endpoint.id)).waiting_since_ms == 0, "it has passed over the others"


async def test_a_body_has_500_events_at_most(store: Store, sender: FakeSender, deliverer: WebhookDeliverer) -> None:
    endpoint = (await created(store)).endpoint
    await mailing(store, 1200)
    await deliver_all(deliverer, endpoint.id)
    assert [len(sent.events) for sent in sender.sent][:2] == [500, 500]
    ids = sender.ids()
    assert len(ids) == len(set(ids)) >= 1202
    assert len({sent.id for sent in sender.sent}) == len(sender.sent)


async def test_a_failed_delivery_is_repeated_under_its_id_before_anything_else(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    endpoint = (await created(store)).endpoint
    await mailing(store)
    sender.answers = [DOWN, WebhookAnswer(status=0, error="no answer within 15 s")]
    assert await deliverer.deliver_next(endpoint.id) is Served.LATER
    assert await deliverer.deliver_next(endpoint.id) is Served.LATER, "not before its delay"
    assert len(sender.sent) == 1
    await mailing(store)
    for _ in range(2):
        await let_time_pass(store, endpoint.id)
        await deliver_all(deliverer, endpoint.id)
    first, second, third, fourth = sender.sent
    assert first.id == second.id == third.id != fourth.id
    assert first.body == second.body == third.body
    assert fourth.events[0]["batch"] != first.events[0]["batch"]
    page = await list_deliveries(store, endpoint.id, after=0, limit=10)
    assert [(record.result, record.attempt, record.status) for record in page.records] == [
        ("delivered", 1, 200),
        ("delivered", 3, 200),
        ("failed", 2, 0),
        ("failed", 1, 500),
    ]
    assert page.records[2].error == "no answer within 15 s"


async def test_an_endpoint_that_fails_for_three_days_is_disabled_and_can_be_enabled(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    """It goes on where it was. The notice says why."""
    endpoint = (await created(store)).endpoint
    await mailing(store)
    sender.answers = [DOWN, DOWN]
    await deliverer.deliver_next(endpoint.id)
    since_ms = await store.clock.now_ms() - 3 * DAY_MS
    await store._client.hset(KEYS.webhook(endpoint.id), mapping={"failures": 7, "failing_since_ms": since_ms})
    await let_time_pass(store, endpoint.id)
    await deliverer.deliver_next(endpoint.id)
    status = (await show_endpoint(store, endpoint.id)).status
    assert status.disabled_ms
    assert status.reason == "8 deliveries failed in 3 d, the last with: HTTP 500, an error"
    assert (await webhook_health(store, await store.clock.now_ms())).endpoints["failed"] == 1
    assert await deliverer.deliver_next(endpoint.id) is Served.LATER
    await change_endpoint(store, endpoint.id, EndpointChange(enabled=True), private=False)
    await deliver_all(deliverer, endpoint.id)
    assert len(sender.sent) == 3
    assert sender.sent[2].events == sender.sent[0].events
    assert sender.sent[2].id != sender.sent[0].id


async def test_the_doctor_names_endpoints_that_are_late_or_disabled(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    late, gone = (await created(store)).endpoint.id, (await created(store, f"{URL}/2")).endpoint.id
    quiet = (await created(store, f"{URL}/3")).endpoint.id
    assert await findings(store) == [(True, "3 endpoints, none late")]
    hour_ago_ms = await store.clock.now_ms() - 3_600_000
    fields = {"type": "batch.started", "batch": "b", "sequence": 1, "data": "{}"}
    await store._client.xadd(KEYS.events, fields, id=f"{hour_ago_ms}-0")
    sender.answers = [OK, WebhookAnswer(status=410, error="HTTP 410, an error")]
    await deliver_all(deliverer, quiet)
    await deliver_all(deliverer, gone)
    ((ok, text),) = await findings(store)
    assert not ok
    assert f"{gone} is disabled: the endpoint answered 410: it is gone" in text
    assert f"{late} has not got the events of the last 1 h" in text
    assert quiet not in text
    await change_endpoint(store, gone, EndpointChange(enabled=False), private=False)
    await delete_endpoint(store, late)
    assert await findings(store) == [(True, "2 endpoints, none late")], "somebody wants it so"


async def findings(store: Store) -> list[tuple[bool, str]]:
    shown = await examine(store, fix=False, progress=lambda done, total: None)
    return [(finding.ok, finding.text) for finding in shown if finding.check == "webhooks"]


async def test_an_endpoint_that_is_gone_gets_nothing_more(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    endpoint = (await created(store)).endpoint
    await mailing(store)
    sender.answers = [WebhookAnswer(status=410, error="HTTP 410, an error")]
    await deliverer.deliver_next(endpoint.id)
    assert await deliver_all(deliverer, endpoint.id) is Served.LATER
    assert len(sender.sent) == 1


async def test_a_process_that_ends_after_it_has_sent_leads_to_a_repeat_under_the_same_id(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    """The next one takes the turn when that of the first is over, and nothing is left out."""
    endpoint = (await created(store)).endpoint
    await mailing(store)
    sender.stuck = {URL}
    killed = asyncio.create_task(deliverer.deliver_next(endpoint.id))
    await sender.until(lambda: bool(sender.sent))
    killed.cancel()
    await asyncio.wait([killed])
    sender.stuck = set()
    second = deliverer_of(store, sender)
    assert await second.deliver_next(endpoint.id) is Served.LATER, "the turn is not over"
    await let_time_pass(store, endpoint.id)
    await deliver_all(second, endpoint.id)
    assert [sent.id for sent in sender.sent] == [sender.sent[0].id] * 2
    assert sender.sent[1].events == sender.sent[0].events


async def test_two_processes_do_not_deliver_to_one_endpoint_at_the_same_time(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    endpoint = (await created(store)).endpoint
    await mailing(store, 60)
    other = deliverer_of(store, sender)
    await asyncio.gather(
        *(
            served
            for _ in range(10)
            for served in (deliver_all(deliverer, endpoint.id), deliver_all(other, endpoint.id))
        )
    )
    await deliver_all(deliverer, endpoint.id)
    ids = sender.ids()
    assert ids == sorted(ids, key=event_place)
    assert len(ids) == len(set(ids))


async def test_a_stuck_endpoint_keeps_no_other_waiting(store: Store, sender: FakeSender) -> None:
    """Each has a task of its own, and a deliverer that stops waits for none of them."""
    urls = [f"https://{number}.example.com/" for number in range(20)]
    sender.stuck = set(urls[1:])
    for url in urls:
        await created(store, url)
    batch = await mailing(store)
    deliverer = deliverer_of(store, sender)
    running_deliverer = asyncio.create_task(deliverer.run())
    await sender.until(lambda: len(sender.sent) >= 20)
    later = await mailing(store)
    await sender.until(lambda: len(sender.ids(urls[0])) >= 10)
    deliverer.stop()
    async with asyncio.timeout(1):
        await running_deliverer
    batches = [event["batch"] for sent in sender.sent if sent.url == urls[0] for event in sent.events]
    assert list(dict.fromkeys(batches)) == [batch, later]
    assert len(sender.sent) >= 21


async def test_a_replay_delivers_again_from_an_event_on(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    endpoint = (await created(store)).endpoint
    await mailing(store)
    await deliver_all(deliverer, endpoint.id)
    third = sender.ids()[2]
    await replay(store, endpoint.id, third)
    await deliver_all(deliverer, endpoint.id)
    assert [event["id"] for event in sender.sent[1].events] == sender.ids()[3 : len(sender.sent[0].events)]
    await replay(store, endpoint.id, START)
    await deliver_all(deliverer, endpoint.id)
    assert sender.sent[2].events == sender.sent[0].events


async def test_a_replay_is_noticed_by_a_process_that_had_nothing_to_do(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    """As long as nothing happens, an endpoint that has everything costs nothing."""
    endpoint = (await created(store)).endpoint
    await mailing(store)
    for sent in (1, 1, 2, 2):
        if sent == 2 and len(sender.sent) == 1:
            await replay(store, endpoint.id, START)
        await deliverer._look()
        for task in list(deliverer._tasks.values()):
            await task
        assert len(sender.sent) == sent
    await deliverer._look()
    assert not deliverer._tasks
    assert sender.sent[0].events == sender.sent[1].events


async def test_events_that_are_not_kept_any_more_are_passed_over(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    """The repeat of a delivery none of whose events is left becomes another delivery."""
    endpoint = (await created(store)).endpoint
    await mailing(store)
    sender.answers = [DOWN]
    await deliverer.deliver_next(endpoint.id)
    await store._client.xtrim(KEYS.events, maxlen=0)
    batch = await mailing(store)
    await let_time_pass(store, endpoint.id)
    await deliver_all(deliverer, endpoint.id)
    assert sender.sent[1].id != sender.sent[0].id
    assert {event["batch"] for event in sender.sent[1].events} == {batch}


@pytest.mark.parametrize("change", ["url", "replay", "rotate", "disable and enable"])
async def test_a_change_meanwhile_waits_for_the_request_and_is_not_undone_by_its_end(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer, change: str
) -> None:
    """An endpoint gets one request at a time. Then the events come again, as they are to come now."""
    endpoint = (await created(store)).endpoint
    await mailing(store)
    sender.answers = [DOWN]
    await deliverer.deliver_next(endpoint.id)
    await let_time_pass(store, endpoint.id)
    sender.held.clear()
    under_way = asyncio.create_task(deliverer.deliver_next(endpoint.id))
    await sender.until(lambda: len(sender.sent) == 2)
    if change == "url":
        await change_endpoint(store, endpoint.id, EndpointChange(url=f"{URL}/2"), private=False)
    elif change == "replay":
        await replay(store, endpoint.id, START)
    elif change == "rotate":
        await rotate_secret(store, endpoint.id)
    else:
        for enabled in (False, True):
            await change_endpoint(store, endpoint.id, EndpointChange(enabled=enabled), private=False)
    second = deliverer_of(store, sender)
    assert await second.deliver_next(endpoint.id) is Served.LATER
    assert len(sender.sent) == 2
    sender.held.set()
    assert await under_way is Served.LATER
    await deliver_all(second, endpoint.id)
    assert [sent.url for sent in sender.sent] == [URL, URL, f"{URL}/2" if change == "url" else URL]
    assert sender.sent[2].events == sender.sent[1].events
    assert sender.sent[2].id != sender.sent[1].id
    assert (await show_endpoint(store, endpoint.id)).waiting_since_ms == 0


async def test_a_body_ends_at_its_size_and_takes_no_event_that_was_not_sent_as_delivered(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    """Metadata may be 20 texts of 540 characters, which are more bytes. One event is always sent."""
    endpoint = (await created(store)).endpoint
    metadata = {f"{number:040}": "ü" * 500 for number in range(20)}
    for _ in range(30):
        await running(store, 1, metadata=metadata)
    sender.answers = [OK, DOWN]
    await deliver_all(deliverer, endpoint.id)
    await let_time_pass(store, endpoint.id)
    await deliver_all(deliverer, endpoint.id)
    sizes = [(len(sent.events), len(sent.body.encode())) for sent in sender.sent]
    assert [events for events, _ in sizes] == [12, 12, 12, 6]
    assert all(20_000 * events < size <= MAX_BODY_BYTES for events, size in sizes)
    assert sender.sent[1].body == sender.sent[2].body
    places = list(map(event_place, dict.fromkeys(sender.ids())))
    assert places == sorted(places)
    assert len(places) == 30


async def test_a_receiver_that_takes_small_bodies_only_gets_all_events(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    """It is asked again at once with half, and its size is known until it is changed."""
    endpoint = (await created(store)).endpoint
    await mailing(store, 300)
    sender.takes_bytes = 10_000
    for _ in range(5):
        await deliver_all(deliverer, endpoint.id)
    refused = [sent for sent in sender.sent if len(sent.body) > sender.takes_bytes]
    assert 1 < len(refused) < 6
    assert refused == sender.sent[: len(refused)]
    assert len({sent.id for sent in sender.sent}) == len(sender.sent), "other events, another id"
    taken = [event["sequence"] for sent in sender.sent[len(refused) :] for event in sent.events]
    assert taken == list(range(1, len(taken) + 1))
    assert (await show_endpoint(store, endpoint.id)).waiting_since_ms == 0
    assert len(sender.sent[len(refused)].events) > 10, "no smaller than it needs to be"
    await mailing(store, 300)
    await deliver_all(deliverer, endpoint.id)
    assert sum(len(sent.body) > sender.takes_bytes for sent in sender.sent) == len(refused)
    await replay(store, endpoint.id, START)
    await deliver_all(deliverer, endpoint.id)
    assert len(sender.sent[-1].body) > 50_000


async def test_a_receiver_that_finds_everything_too_large_is_repeated_with_one_event(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    """With growing delays, like any failure."""
    endpoint = (await created(store)).endpoint
    await mailing(store, 300)
    sender.takes_bytes = 0
    for _ in range(12):
        await deliver_all(deliverer, endpoint.id)
    counts = [len(sent.events) for sent in sender.sent]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 300
    assert counts.count(1) == 1
    status = (await show_endpoint(store, endpoint.id)).status
    assert status.delivery
    assert (status.delivery.failures, status.delivery.events) == (1, 1)
    sender.takes_bytes = 10**9
    await let_time_pass(store, endpoint.id)
    await deliver_all(deliverer, endpoint.id)
    assert (await show_endpoint(store, endpoint.id)).waiting_since_ms == 0


async def test_a_replay_into_the_future_is_refused(store: Store) -> None:
    """Until then the endpoint would get nothing, and nobody would notice."""
    endpoint = (await created(store)).endpoint
    await mailing(store)
    await replay(store, endpoint.id, since_ms=await store.clock.now_ms())
    assert (await show_endpoint(store, endpoint.id)).status.position == await store.events.last()
    with pytest.raises(InvalidInput, match="in the future: name an event that has happened") as refused:
        await replay(store, endpoint.id, "999999999999999-0")
    assert set(refused.value.faults) == {"after"}
    with pytest.raises(InvalidInput) as refused:
        await replay(store, endpoint.id, since_ms=await store.clock.now_ms() + 60_000)
    assert set(refused.value.faults) == {"since"}


async def test_a_rotated_secret_and_the_one_before_sign(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    endpoint = (await created(store)).endpoint
    fresh = (await rotate_secret(store, endpoint.id)).endpoint
    await mailing(store)
    await deliver_all(deliverer, endpoint.id)
    for secret in (endpoint.secrets[0].value, fresh.secrets[0].value):
        Webhook(secret).verify(sender.sent[0].body, dict(sender.sent[0].headers))


async def test_an_address_that_must_not_be_called_is_refused(store: Store) -> None:
    for url in ("https://127.0.0.1/", "http://example.com/", "https://localhost/"):
        with pytest.raises(InvalidInput):
            await created(store, url)
    endpoint = (await created(store)).endpoint
    with pytest.raises(InvalidInput):
        await change_endpoint(store, endpoint.id, EndpointChange(url="https://10.0.0.1/"), private=False)


async def test_an_endpoint_is_created_once_for_a_key(store: Store) -> None:
    new = Endpoint(id="", url=URL)
    first = await create_endpoint(store, new, "k", private=False)
    assert (await create_endpoint(store, new, "k", private=False)).endpoint == first.endpoint
    fresh = (await rotate_secret(store, first.endpoint.id)).endpoint
    assert (await create_endpoint(store, new, "k", private=False)).endpoint == fresh, "with the present secret"
    with pytest.raises(Conflict):
        await create_endpoint(store, replace(new, description="x"), "k", private=False)


async def test_a_repeat_leaves_a_delivery_as_it_is(
    store: Store, sender: FakeSender, deliverer: WebhookDeliverer
) -> None:
    new = Endpoint(id="", url=URL)
    endpoint = (await create_endpoint(store, new, "k", private=False)).endpoint
    await mailing(store)
    sender.answers = [DOWN]
    await deliverer.deliver_next(endpoint.id)
    before = (await show_endpoint(store, endpoint.id)).status
    assert (await create_endpoint(store, new, "k", private=False)).status == before
    assert before.delivery


async def test_a_late_repeat_does_not_create_a_deleted_endpoint_anew(store: Store) -> None:
    """Its secret would be another one, and nobody would know of it."""
    new = Endpoint(id="", url=URL)
    name = (await create_endpoint(store, new, "k", private=False)).endpoint.id
    await delete_endpoint(store, name)
    for _ in range(2):
        with pytest.raises(Deleted, match=f"endpoint {name}, which was deleted: use a new key"):
            await create_endpoint(store, new, "k", private=False)
    assert (await create_endpoint(store, new, "k2", private=False)).endpoint.id != name


async def test_there_are_20_endpoints_at_most(store: Store) -> None:
    for _ in range(20):
        await created(store)
    with pytest.raises(ActionNotAllowed, match="20 webhook endpoints, and no more"):
        await created(store)


async def test_an_endpoint_that_does_not_exist_is_missing(store: Store, deliverer: WebhookDeliverer) -> None:
    for call in (
        show_endpoint(store, "we_x"),
        rotate_secret(store, "we_x"),
        replay(store, "we_x", START),
        list_deliveries(store, "we_x", after=0, limit=1),
    ):
        with pytest.raises(Missing, match="there is no webhook endpoint we_x"):
            await call
    assert not await delete_endpoint(store, "we_x")
    assert await deliverer.deliver_next("we_x") is Served.LATER
