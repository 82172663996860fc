"""Every list that has pages goes on from where it was, whatever was deleted meanwhile, and refuses other cursors."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from dispatcher.core.job import State
from dispatcher.runtime import Runtime
from dispatcher.service.deletions import delete_batch
from dispatcher.store.batch_list import ListPlace
from tests.service.samples import URL, end_jobs, running

pytestmark = pytest.mark.anyio

NUMBERS = [f"+120255501{index:02d}" for index in range(9)]
HOOK = {"url": "https://hooks.example.com/bulkfax"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged:
    """A list with pages: how its elements are made, which of them are named by what, and how they vanish."""

    path: str
    #: name of the elements in an answer, and what names an element
    items: str
    name: str
    #: makes some elements, and returns the query or path that lists them
    build: Callable[[httpx.AsyncClient, Runtime], Awaitable[str]]
    delete: Callable[[Runtime, Mapping[str, Any]], Awaitable[None]]
    query: Mapping[str, str]


async def _ended(api: httpx.AsyncClient, runtime: Runtime) -> str:
    for _ in range(9):
        batch = await running(runtime.store, 1)
        await end_jobs(runtime.store, batch, {0: (State.FAILED, "busy")})
    return ""


async def _delete_batch(runtime: Runtime, batch: Mapping[str, Any]) -> None:
    await delete_batch(runtime.store, str(batch["id"]))


async def _to_look_up(api: httpx.AsyncClient, runtime: Runtime) -> str:
    for _ in range(9):
        new = (await api.post("/v1/batches", json={"name": "n", "content_urls": [URL]})).json()["id"]
        rows = "".join(f'{{"number":"{NUMBERS[0]}","reference":"r"}}\n' for _ in range(1))
        sent = await api.post(
            f"/v1/batches/{new}/recipients", content=rows, headers={"Content-Type": "application/x-ndjson"}
        )
        assert sent.status_code == 200, sent.text
        assert (await api.post(f"/v1/batches/{new}/cancel")).status_code == 200
    return ""


async def _delete_looked_up(runtime: Runtime, job: Mapping[str, Any]) -> None:
    await delete_batch(runtime.store, str(job["batch"]))
    while (await runtime.store.deletions.remove_rows()).left:
        pass


async def _held(api: httpx.AsyncClient, runtime: Runtime) -> str:
    batches = [await running(runtime.store, 3) for _ in range(3)]
    for batch in batches:
        for row in range(2):
            await runtime.store.holds.open(f"job:{batch}.{row}", "internal", "of a test")
    for scope in ("account", "provider", "country:AQ", f"batch:{batches[0]}"):
        await runtime.store.holds.open(scope, "config", "of a test", probes_s=(60.0,))
    return ""


async def _release(runtime: Runtime, hold: Mapping[str, Any]) -> None:
    assert await runtime.store.holds.release(str(hold["scope"]))


async def _suppressed(api: httpx.AsyncClient, runtime: Runtime) -> str:
    for number in NUMBERS:
        await api.post("/v1/suppressions", json={"number": number})
    return ""


async def _unsuppress(runtime: Runtime, entry: Mapping[str, Any]) -> None:
    await runtime.store.suppressions.remove([str(entry["number"])])


async def _happened(api: httpx.AsyncClient, runtime: Runtime) -> str:
    for _ in range(5):
        await running(runtime.store, 1)
    return ""


async def _forget_event(runtime: Runtime, event: Mapping[str, Any]) -> None:
    await runtime.store._client.xdel(runtime.store._keys.events, str(event["id"]))


async def _delivered(api: httpx.AsyncClient, runtime: Runtime) -> str:
    endpoint = str((await api.post("/v1/webhook-endpoints", json=HOOK)).json()["id"])
    store = runtime.store
    record = (
        '{"id": "d%d", "at_ms": 1, "events": 1, "last": "1-0", "attempt": 1, "result": "delivered", "status": 200,'
        ' "error": "", "took_ms": 1, "again_ms": 0}'
    )
    await store._client.lpush(store._keys.webhook_deliveries(endpoint), *(record % number for number in range(1, 10)))
    await store._client.hset(store._keys.webhook(endpoint), "deliveries", "9")
    return f"/v1/webhook-endpoints/{endpoint}/deliveries"


async def _damage_delivery(runtime: Runtime, delivery: Mapping[str, Any]) -> None:
    """Deliveries vanish only from the end; one that cannot be read is left out."""
    (key,) = [key async for key in runtime.store._client.scan_iter("*:deliveries")]
    await runtime.store._client.lset(key, 9 - delivery["number"], "{")


LISTS = {
    "batches": Paged(path="/v1/batches", items="batches", name="id", build=_ended, delete=_delete_batch, query={}),
    "batches by state": Paged(
        path="/v1/batches", items="batches", name="id", build=_ended, delete=_delete_batch, query={"state": "finished"}
    ),
    "looked-up jobs": Paged(
        path="/v1/jobs",
        items="jobs",
        name="id",
        build=_to_look_up,
        delete=_delete_looked_up,
        query={"number": NUMBERS[0]},
    ),
    "holds": Paged(
        path="/v1/holds", items="holds", name="scope", build=_held, delete=_release, query={"fold": "false"}
    ),
    "suppressions": Paged(
        path="/v1/suppressions",
        items="suppressions",
        name="number",
        build=_suppressed,
        delete=_unsuppress,
        query={},
    ),
    "events": Paged(path="/v1/events", items="events", name="id", build=_happened, delete=_forget_event, query={}),
    "deliveries": Paged(
        path="", items="deliveries", name="number", build=_delivered, delete=_damage_delivery, query={}
    ),
}


async def _page(api: httpx.AsyncClient, path: str, query: Mapping[str, str]) -> Any:
    answer = await api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("gone", ["the last", "all"])
async def test_a_list_goes_on_behind_what_was_deleted(
    api: httpx.AsyncClient, runtime: Runtime, name: str, gone: str
) -> None:
    paged = LISTS[name]
    path = await paged.build(api, runtime) or paged.path
    everything = [item[paged.name] for item in (await _page(api, path, paged.query))[paged.items]]
    assert len(everything) >= 5
    seen: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = await _page(api, path, {**paged.query, "limit": "2", "after": after})
        items = page[paged.items]
        seen += [item[paged.name] for item in items]
        for item in items[-1:] if gone == "the last" else items:
            await paged.delete(runtime, item)
        after = page["next"] if page.get("more", True) else None
    assert seen == everything


async def test_a_line_of_several_holds_is_passed_over_by_nobody(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Its oldest hold is its cursor. When that ends, the line may come again, and the others come in any case."""
    await _held(api, runtime)
    whole = (await _page(api, "/v1/holds", {}))["holds"]
    seen: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = await _page(api, "/v1/holds", {"limit": "1", "after": after})
        for hold in page["holds"]:
            seen.append((hold["scope"].partition(".")[0], hold["batch"]))
            await runtime.store.holds.release(hold["scope"])
        after = page["next"]
    assert set(seen) == {(hold["scope"].partition(".")[0], hold["batch"]) for hold in whole}


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("/v1/batches", "~99999999999999999999"),
        ("/v1/batches", "~5"),
        ("/v1/batches", "01kb3v9x0000000000000000aa"),
        ("/v1/batches", "9" * 25 + ".a"),
        ("/v1/batches", "nan.a"),
        ("/v1/batches", "1.~zz"),
        ("/v1/batches", "1."),
        ("/v1/batches", ".a"),
        ("/v1/batches", "1e.a"),
        ("/v1/jobs?reference=r", "1.5"),
        ("/v1/jobs?reference=r", "9" * 16 + "-1"),
        ("/v1/holds", "zzz"),
        ("/v1/holds", "5.x.account"),
        ("/v1/suppressions", "abc"),
        ("/v1/suppressions", "١٢٣"),
        ("/v1/events", "1"),
        ("/v1/events", "9" * 16 + "-0"),
        ("/v1/batches/b/jobs", "-1"),
        ("/v1/batches/b/jobs", "9" * 10),
        ("/v1/batches/b/refused", "9" * 13),
        ("/v1/webhook-endpoints/e/deliveries", "1-0"),
    ],
)
async def test_a_cursor_of_another_list_is_refused(api: httpx.AsyncClient, path: str, after: str) -> None:
    answer = await api.get(path, params={**httpx.URL(path).params, "after": after})
    assert (answer.status_code, [fault["field"] for fault in answer.json()["errors"]]) == (422, ["after"])


@pytest.mark.parametrize("score", [0.0, 1_764_331_702_123.0, -5.0, 1.5, 1e300, float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [b"01kb3v9x0000000000000000aa", b"a b", b"", b"\xff\x00", b"1.5"])
def test_a_place_in_the_list_of_batches_is_read_as_it_was_written(score: float, name: bytes) -> None:
    place = ListPlace(score, name)
    assert ListPlace.parse(place.cursor) == place
    assert len(ListPlace(score, b"\xff" * 500).cursor) <= 200


async def test_batches_with_damaged_places_are_all_listed_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    store = runtime.store
    names = {b"a": 1e300, b"b": float("inf"), b"c": -5, b"d": 1.5, b"\xff1": 7, b"\xff2": 7, b"\xff3": 7, b"": 7}
    names |= {f"n{number}".encode(): 7 for number in range(30)}
    await store._client.zadd(store._keys.batches, names)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await _page(api, "/v1/batches", {"limit": "2", "after": after})
        seen += [batch["id"] for batch in page["batches"]]
        after = page["next"]
    expected = sorted(names, key=lambda name: (names[name], name), reverse=True)
    assert seen == [name.decode(errors="replace") for name in expected]
