"""Events for producers: what batches tell of themselves, in lists with names and references."""

import json
from dataclasses import replace

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.batch_events import EventType
from dispatcher.core.job import State
from dispatcher.core.policy.policy import Policy
from dispatcher.schema import responses
from dispatcher.service.deadlines import DeadlineWatch
from dispatcher.service.deletions import Retention, delete_batch
from dispatcher.service.errors import InvalidInput
from dispatcher.service.events import EventFilter, EventView, cursor_of, list_events
from dispatcher.store.events import START
from dispatcher.store.store import Store
from tests.service.samples import definition, end_jobs, running
from tests.store.fixture import KEYS

pytestmark = pytest.mark.anyio

ALL = EventFilter()


async def events(store: Store, criteria: EventFilter = ALL) -> list[EventView]:
    return list((await list_events(store, criteria, after=START, limit=1000)).events)


async def types_and_data(store: Store, criteria: EventFilter = ALL) -> list[tuple[str, dict[str, object]]]:
    return [(view.event.type.value, view.as_json()["data"]) for view in await events(store, criteria)]  # type: ignore[misc]  # an object


async def test_a_mailing_tells_of_its_start_progress_and_end(store: Store) -> None:
    """Numbered from 1, in this order, and under its name."""
    batch = await running(store, 4, name="March", metadata={"tenant": "a"})
    await end_jobs(store, batch, {0: (State.DELIVERED, ""), 1: (State.FAILED, "busy")})
    await end_jobs(store, batch, {2: (State.DELIVERED, ""), 3: (State.DELIVERED, "")})
    views = await events(store)
    assert [view.event.sequence for view in views] == [1, 2, 3, 4]
    assert {(view.event.batch, view.name) for view in views} == {(batch, "March")}
    assert [view.as_json()["metadata"] for view in views] == [{"tenant": "a"}] * 4
    assert await types_and_data(store) == [
        ("batch.started", {"jobs": 4}),
        ("batch.threshold_crossed", {"measure": "progress", "threshold": 50, "jobs": 2, "of": 4}),
        ("batch.threshold_crossed", {"measure": "failed", "threshold": 20, "jobs": 1, "of": 4}),
        ("batch.finished", {"jobs": 4, "state": "finished", "counts": {"delivered": 3, "failed": 1}}),
    ]


async def test_jobs_tell_of_their_end_only_if_the_batch_was_created_so(store: Store) -> None:
    """With the producer's reference. What is learned later is told too."""
    batch = await running(store, 2, job_events=True)
    await end_jobs(store, batch, {0: (State.DELIVERED, ""), 1: (State.FAILED, "busy")})
    await end_jobs(store, batch, {1: (State.DELIVERED, "")})
    jobs = await types_and_data(store, EventFilter(types=frozenset({EventType.JOB_FINAL})))
    assert [data for _, data in jobs] == [
        {"job": f"{batch}.0", "state": "delivered", "category": None, "reference": "r0"},
        {"job": f"{batch}.1", "state": "failed", "category": "busy", "reference": "r1"},
        {"job": f"{batch}.1", "state": "delivered", "category": None, "reference": "r1"},
    ]
    types = [kind for kind, _ in await types_and_data(store)]
    assert types.index("batch.finished") > types.index("job.final"), "the jobs come before the end"


async def test_a_cancelled_mailing_tells_of_its_end_without_its_unstarted_jobs(store: Store) -> None:
    batch = await running(store, 3, job_events=True)
    await store.batches.command(batch, Command.CANCEL)
    assert (await types_and_data(store))[1:] == [
        ("batch.finished", {"jobs": 3, "state": "cancelled", "counts": {"cancelled": 3}})
    ]


async def test_holds_tell_the_batches_that_they_stop(store: Store) -> None:
    """A document's also those that start later. Holds of single jobs are told by their number."""
    sha = "ab" * 32
    await store._client.hset(KEYS.documents, sha, 1)
    first = await running(store, 2, documents=(sha,), content_urls=())
    await store.holds.open(f"batch:{first}", "bad_request", "why")
    await store.holds.open(f"document:{sha}", "bad_document", "broken")
    second = await running(store, 2, documents=(sha,), content_urls=())
    await store.holds.release(f"document:{sha}")
    await store.holds.open("country:DE", "country_refused", "no")
    await store.holds.open(f"job:{first}.0", "internal", "odd")
    document = {"scope": f"document:{sha}", "category": "bad_document", "cause": "broken"}
    released = {"scope": f"document:{sha}", "category": "bad_document"}
    assert (await types_and_data(store, EventFilter(batch=first)))[1:] == [
        ("batch.held", {"scope": f"batch:{first}", "category": "bad_request", "cause": "why"}),
        ("batch.held", document),
        ("batch.released", released),
    ]
    assert (await types_and_data(store, EventFilter(batch=second)))[1:] == [
        ("batch.held", document),
        ("batch.released", released),
    ]
    account = [view for view in await events(store) if not view.event.batch]
    assert [(view.event.type, view.event.sequence) for view in account] == [
        (EventType.ACCOUNT_HELD, 1),
        (EventType.ACCOUNT_RELEASED, 2),
        (EventType.ACCOUNT_HELD, 3),
    ]


async def test_pages_go_on_where_the_one_before_ended(store: Store) -> None:
    """Also behind the last event, for those who poll."""
    batch = await running(store, 120, job_events=True)
    await end_jobs(store, batch, dict.fromkeys(range(120), (State.DELIVERED, "")))
    seen, after, more = list[EventView](), START, True
    criteria = EventFilter(types=frozenset({EventType.JOB_FINAL}))
    while more:
        page = await list_events(store, criteria, after=after, limit=50)
        assert len(page.events) <= 50
        seen, after, more = [*seen, *page.events], page.cursor, page.more
    assert [view.reference for view in seen] == [f"r{row}" for row in range(120)]
    assert (await list_events(store, ALL, after=after, limit=50)).events == ()
    other = await running(store, 1)
    assert [view.event.batch for view in (await list_events(store, ALL, after=after, limit=50)).events] == [other]


async def test_a_page_ends_where_its_metadata_is_large(store: Store) -> None:
    """And the next one goes on behind its last event."""
    metadata = {f"{number:040}": "x" * 500 for number in range(20)}
    for _ in range(100):
        await running(store, 1, metadata=metadata)
    first = await list_events(store, ALL, after=START, limit=1000)
    assert len(first.events) == 1_000_000 // (20 * 540)
    assert (first.cursor, first.more) == (first.events[-1].event.id, True)
    rest = await list_events(store, ALL, after=first.cursor, limit=1000)
    assert (len(first.events) + len(rest.events), rest.more) == (100, False)


async def test_a_deleted_batch_has_no_name_any_more(store: Store) -> None:
    batch = await running(store, 1, name="March", job_events=True)
    await end_jobs(store, batch, {0: (State.DELIVERED, "")})
    await delete_batch(store, batch)
    views = await events(store)
    assert {view.name for view in views} == {""}
    assert views[1].as_json()["data"] == {
        "job": f"{batch}.0",
        "state": "delivered",
        "category": None,
        "reference": "r0",
    }, "until its rows are removed"


@pytest.mark.parametrize("text", ["x", "1", "1-", "-1", "1-0x", "9" * 16 + "-0", "1-0\n"])
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        cursor_of(text, 0)
    assert cursor_of("", 0) == START


async def test_events_are_read_from_a_time_on(store: Store) -> None:
    batch = await running(store, 1)
    (started,) = await events(store)
    for time_ms, batches in ((started.event.time_ms, [batch]), (started.event.time_ms + 1, [])):
        page = await list_events(store, ALL, after=cursor_of("", time_ms), limit=9)
        assert [view.event.batch for view in page.events] == batches


async def test_old_events_are_removed_and_the_others_stay(store: Store) -> None:
    """In steps: whole nodes of the stream, so a few old ones stay with them."""
    client, day_ms = store._client, 86_400_000
    now_ms = await store.clock.now_ms()
    for number in range(3_000):
        fields = {"type": "batch.started", "batch": "b", "sequence": number + 1, "data": "{}"}
        await client.xadd(KEYS.events, fields, id=f"{now_ms - 8 * day_ms + number * day_ms // 1500}-0")
    retention = Retention(store, Policy(), lambda: 0.0)
    while await store.events.remove_before(now_ms - 7 * day_ms) == 1000:
        pass
    await retention.apply(now_ms)
    assert 1500 <= await store.events.count() < 1700


async def test_a_deadline_at_risk_is_told_once(store: Store) -> None:
    now_ms = await store.clock.now_ms()
    batch = await running(store, 100, deadline_ms=now_ms + 3_600_000)
    times = iter((0.0, 0.0, 10.0, 40.0, 40.0, 80.0, 80.0))
    watch = DeadlineWatch(store, lambda: next(times))
    await watch.look(now_ms, 1000.0)
    assert len(await events(store)) == 1
    for _ in range(3):
        await watch.look(now_ms + 600_000, 1000.0)
    kind, data = (await types_and_data(store))[-1]
    assert (kind, len(await events(store))) == ("batch.deadline_at_risk", 2)
    assert (data["jobs"], data["expected_at"]) == (100, None)
    assert str(data["deadline"]).endswith("Z")
    assert (await events(store))[-1].event.batch == batch


async def test_an_entry_that_cannot_be_read_is_left_out(store: Store) -> None:
    await store._client.xadd(KEYS.events, {"type": "batch.burnt", "batch": "b", "sequence": 1, "data": "{"})
    await store._client.xadd(KEYS.events, {"x": "y"})
    batch = await running(store, 1)
    assert [view.event.batch for view in await events(store)] == [batch]


async def test_a_stream_that_cannot_be_written_stops_nothing(store: Store) -> None:
    """The batch runs; the number of the event is missing."""
    await store._client.set(KEYS.events, "not ours")
    batch = await running(store, 1)
    await store._client.delete(KEYS.events)
    await end_jobs(store, batch, {0: (State.DELIVERED, "")})
    assert [view.event.sequence for view in await events(store)] == [2]


async def test_thresholds_are_those_of_the_policy_at_the_start(redis_url: str) -> None:
    policy = replace(Policy(), event_progress=(), event_failed=(99,))
    store = Store(redis_url, policy, documents_max_bytes=1)
    store.workers.speak_as("worker", "first", lambda: 100)
    await store.rate_limiter.set_ceiling(1000.0)
    batch = await running(store, 4)
    stored = json.loads(await store._client.hget(KEYS.batch(batch), "event_rules"))
    assert stored == {"progress": [], "failed": [99], "failed_jobs": 20}
    await end_jobs(store, batch, dict.fromkeys(range(2), (State.FAILED, "busy")))
    assert [kind for kind, _ in await types_and_data(store)] == ["batch.started"]
    await store.aclose()


def test_the_model_of_the_api_has_the_fields_of_an_event() -> None:
    assert set(responses.Event.model_fields) == {"id", "type", "time", "sequence", "batch", "name", "metadata", "data"}
    assert definition().job_events is False
