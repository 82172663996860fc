"""Events and webhook endpoints over HTTP."""

import httpx
import pytest

from dispatcher.core.job import State
from dispatcher.runtime import Runtime
from dispatcher.settings import Settings
from tests.api.clients import api_with
from tests.service.samples import end_jobs, running

pytestmark = pytest.mark.anyio

URL, HOOK = "/v1/webhook-endpoints", "https://hooks.example.com/bulkfax"


async def created(api: httpx.AsyncClient, **fields: object) -> dict[str, object]:
    answer = await api.post(URL, json={"url": HOOK, **fields})
    assert answer.status_code == 201
    endpoint: dict[str, object] = answer.json()
    assert answer.headers["Location"] == f"{URL}/{endpoint['id']}"
    return endpoint


async def test_a_secret_is_shown_once(api: httpx.AsyncClient) -> None:
    endpoint = await created(api, types=["batch.finished"], description="ours")
    assert str(endpoint.pop("secret")).startswith("whsec_")
    shown = (await api.get(f"{URL}/{endpoint['id']}")).json()
    assert shown == endpoint
    assert (await api.get(URL)).json() == {"endpoints": [endpoint]}
    assert (shown["enabled"], shown["types"], shown["failures"]) == (True, ["batch.finished"], 0)
    rotated = (await api.post(f"{URL}/{endpoint['id']}/rotate-secret")).json()
    assert rotated.pop("secret") not in (endpoint.get("secret"), None)
    assert rotated == endpoint


async def test_a_repeat_with_the_same_key_creates_no_second_endpoint(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, second = [(await api.post(URL, json={"url": HOOK}, headers=headers)).json() for _ in range(2)]
    assert first == second
    assert (await api.post(URL, json={"url": f"{HOOK}/2"}, headers=headers)).status_code == 409


async def test_an_endpoint_is_changed_disabled_enabled_and_deleted(api: httpx.AsyncClient) -> None:
    url = f"{URL}/{(await created(api))['id']}"
    changed = (await api.patch(url, json={"types": ["job.final"], "enabled": False})).json()
    assert (changed["types"], changed["enabled"]) == (["job.final"], False)
    assert changed["disabled_reason"] == "somebody has disabled it"
    assert changed["disabled_at"]
    again = (await api.patch(url, json={"types": [], "enabled": True, "description": "x"})).json()
    assert (again["types"], again["enabled"], again["disabled_at"], again["description"]) == ([], True, None, "x")
    assert again["url"] == HOOK
    assert [(await api.delete(url)).json()["removed"] for _ in range(2)] == [1, 0]
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("POST", "/rotate-secret"),
        ("GET", "/deliveries"),
    ):
        body = {"enabled": True} if method == "PATCH" else None
        assert (await api.request(method, url + path, json=body)).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "http://hooks.example.com/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://localhost/"},
        {"url": "https://user:secret@example.com/"},
        {"url": "hooks.example.com"},
        {"types": ["batch.finishd"]},
        {"secret": "whsec_mine"},
    ],
)
async def test_a_bad_endpoint_is_refused(api: httpx.AsyncClient, fields: dict[str, object]) -> None:
    answer = await api.post(URL, json={"url": HOOK, **fields})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"].partition("[")[0] in fields
    if "types" in fields:
        assert "did you mean batch.finished?" in fault["message"]


async def test_a_setting_allows_addresses_of_this_machine(settings: Settings) -> None:
    private = settings.model_copy(update={"webhook_private_addresses": True})
    async with api_with(private) as api:
        assert (await api.post(URL, json={"url": "http://127.0.0.1:9/"})).status_code == 201


async def test_a_replay_names_one_place(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await running(runtime.store, 1)
    url = f"{URL}/{(await created(api))['id']}"
    (event,) = (await api.get("/v1/events")).json()["events"]
    assert (await api.get(url)).json()["position"] == event["id"]
    answer = await api.post(f"{url}/replay", json={"since": event["time"]})
    assert answer.status_code == 200, answer.text
    back = answer.json()
    assert back["waiting_since"] == event["time"]
    there = (await api.post(f"{url}/replay", json={"after": event["id"]})).json()
    assert (there["position"], there["waiting_since"]) == (event["id"], None)
    for body in ({}, {"after": event["id"], "since": event["time"]}, {"after": "x"}):
        assert (await api.post(f"{url}/replay", json=body)).status_code == 422
    assert (await api.get(f"{url}/deliveries")).json() == {"deliveries": [], "next": None}


@pytest.fixture
async def batch(runtime: Runtime) -> str:
    """A batch whose two jobs have ended."""
    runtime.store.workers.speak_as("worker", "first", lambda: 100)
    batch = await running(runtime.store, 2, name="March", job_events=True)
    await end_jobs(runtime.store, batch, {0: (State.DELIVERED, ""), 1: (State.FAILED, "busy")})
    return batch


async def test_events_are_polled(api: httpx.AsyncClient, batch: str, runtime: Runtime) -> None:
    """``next`` is where the next poll begins."""
    page = (await api.get("/v1/events", params={"limit": 2})).json()
    assert [event["type"] for event in page["events"]] == ["batch.started", "job.final"]
    assert page["events"][0] == page["events"][0] | {
        "batch": batch,
        "name": "March",
        "sequence": 1,
        "data": {"jobs": 2},
    }
    assert page["more"] is True
    rest = (await api.get("/v1/events", params={"after": page["next"], "limit": 100})).json()
    assert (rest["events"][-1]["type"], rest["more"]) == ("batch.finished", False)
    assert (await api.get("/v1/events", params={"after": rest["next"]})).json()["events"] == []
    await running(runtime.store, 1)
    (fresh,) = (await api.get("/v1/events", params={"after": rest["next"]})).json()["events"]
    assert fresh["type"] == "batch.started"


async def test_a_batch_shows_whether_its_jobs_have_events(api: httpx.AsyncClient) -> None:
    new = {"name": "March", "content_urls": ["https://documents.example.com/a.pdf"]}
    shown = [
        (await api.post("/v1/batches", json=new | more)).json()["job_events"] for more in ({}, {"job_events": True})
    ]
    assert shown == [False, True]


async def test_events_are_filtered(api: httpx.AsyncClient, batch: str) -> None:
    params = {"type": ["batch.finished", "batch.started"], "batch": batch}
    listed = (await api.get("/v1/events", params=params)).json()["events"]
    assert [event["type"] for event in listed] == ["batch.started", "batch.finished"]
    assert (await api.get("/v1/events", params={"batch": "other"})).json()["events"] == []
    since = (await api.get("/v1/events", params={"since": "2099-01-01T00:00:00Z"})).json()
    assert (since["events"], since["more"]) == ([], False)
    for params in ({"type": ["batch.done"]}, {"after": "x"}, {"after": "١-٠"}, {"limit": ["0"]}):  # type: ignore[assignment]  # other kinds
        assert (await api.get("/v1/events", params=params)).status_code == 422
