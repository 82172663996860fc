"""The application as a whole: who may use it, how it fails, how it is described."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from itertools import product
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from dispatcher.api.app import create_app
from dispatcher.api.body_limit import largest_body
from dispatcher.core.job import JobId
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.runtime import Runtime, open_runtime
from dispatcher.settings import Settings, SettingsError
from tests.api.clients import api_with, client_of
from tests.documents.pdfs import letter
from tests.service.samples import URL, draft

pytestmark = pytest.mark.anyio

EVERYTHING = (
    "/v1/batches",
    "/v1/batches/x",
    "/v1/batches/x/jobs",
    "/v1/batches/x/refused",
    "/v1/batches/x/report",
    "/v1/jobs/x.0",
    "/v1/documents/x",
    "/v1/account",
)


def keyed(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_keys": [SecretStr("first"), SecretStr("second")]})


@pytest.mark.parametrize("path", EVERYTHING)
async def test_with_keys_set_nothing_is_told_without_one(settings: Settings, path: str) -> None:
    async with api_with(keyed(settings)) as api:
        for headers in ({}, {"Authorization": "Bearer third"}, {"Authorization": "Basic first"}):
            answer = await api.get(path, headers=headers)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert answer.headers["content-type"] == "application/problem+json"


async def test_each_of_the_keys_opens_the_api_under_any_host(settings: Settings) -> None:
    async with api_with(keyed(settings), "https://fax.example.com") as api:
        for key in ("first", "second"):
            answer = await api.get("/v1/batches", headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/metrics/installation", "/openapi.json", "/docs"])
async def test_health_metrics_and_description_need_no_key(settings: Settings, path: str) -> None:
    async with api_with(keyed(settings)) as api:
        assert (await api.get(path)).status_code == 200


#: RFC 3986: names and hexadecimal digits have no case, a port may be empty, a dot ends a complete name
OWN_HOSTS = (
    *("localhost:", "LOCALHOST", "localHost:8080", "localhost.", "localhost.:8080", "localhost.:"),
    *("127.0.0.1:", "127.0.0.1.", "127.8.9.10:80", "[::1]:", "[::1]", "[0:0:0:0:0:0:0:1]:8080", "[::FFFF:127.0.0.1]"),
)


@pytest.mark.parametrize(
    ("base_url", "headers", "status"),
    [
        ("http://localhost:8080", {}, 200),
        ("http://127.0.0.1:8080", {}, 200),
        ("http://[::1]:8080", {}, 200),
        ("http://localhost", {"Origin": "http://localhost:3000"}, 200),
        *(("http://localhost", {"Host": host}, 200) for host in OWN_HOSTS),
        ("http://localhost", {"Host": "127.1"}, 403),
        ("http://localhost", {"Host": "localhost.example.com."}, 403),
        ("http://localhost", {"Origin": "http://LocalHost.:"}, 200),
        ("http://localhost", {"Origin": "https://example.com"}, 403),
        ("https://tunnel.example.com", {}, 403),
    ],
)
async def test_without_keys_only_this_machine_is_served(
    runtime: Runtime, base_url: str, headers: dict[str, str], status: int
) -> None:
    async with client_of(runtime, base_url) as api:
        assert (await api.get("/v1/batches", headers=headers)).status_code == status


LOCAL_ONLY = ("/v1/batches", "/metrics", "/metrics/installation", "/docs", "/openapi.json", "/nothing")
NO_HOSTS = (
    *(
        "",
        "evil.com@127.0.0.1",
        "127.0.0.1@evil.com",
        "evil.com, 127.0.0.1",
        "[::1]evil.com",
        "[::1",
        "::1",
        "[1::2::3]",
    ),
    *(
        "localhost:x",
        "localhost:8080:",
        "localhost/",
        "localhost#",
        "local host",
        "127.0.0.1:8:8",
        "[1::2::3]",
        "%6cocalhost",
        "a\x85",
    ),
)
FOREIGN_ORIGINS = (
    *(
        "http://[::1",
        "http://[bad",
        "http://evil.com@127.0.0.1",
        "http://127.0.0.1@evil.com",
        "http://",
        "localhost",
        "",
    ),
    *(
        "http://localhost/",
        "http://localhost http://evil.com",
        "http://localhost\\@evil.com",
        "null",
        "http://evil.com",
    ),
)


async def test_a_host_that_cannot_be_understood_is_refused_everywhere(api: httpx.AsyncClient) -> None:
    for host, path in product(NO_HOSTS, (*LOCAL_ONLY, "/healthz", "/callbacks/sinch/incoming")):
        assert_problem(await api.get(path, headers=[(b"Host", host.encode("latin-1"))]), 400)


async def test_a_page_of_another_or_of_no_origin_is_refused(api: httpx.AsyncClient) -> None:
    for origin, path in product(FOREIGN_ORIGINS, LOCAL_ONLY):
        assert_problem(await api.get(path, headers={"Origin": origin}), 403)


async def test_without_keys_another_name_of_this_machine_is_refused(runtime: Runtime) -> None:
    """A name server may point any name at 127.0.0.1. Probes may use any: they learn nothing."""
    async with client_of(runtime, "http://evil.com") as api:
        for path in LOCAL_ONLY:
            assert_problem(await api.get(path), 403)
        assert (await api.get("/healthz")).status_code == 200
        assert (await api.post("/callbacks/sinch/incoming")).status_code == 200


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


async def test_without_a_key_no_path_redirects_or_tells_whether_it_exists(settings: Settings) -> None:
    paths = ("/v1/batches/", "/v1", "/v1/nothing", "/v1/batches/x/y/z", "/v1/faxes", "/v1/batches/%2e%2e/%0a")
    async with api_with(keyed(settings)) as api:
        for method, path in product(("GET", "POST", "OPTIONS", "TRACE"), paths):
            assert_problem(await api.request(method, path), 401)


async def test_without_a_key_no_byte_of_a_body_is_read(settings: Settings) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield pytest.fail("the body was read")

    async with api_with(keyed(settings)) as api:
        for path in ("/v1/batches", "/v1/faxes", "/v1/documents", "/v1/batches/x/recipients", "/v1/batches/x/rerun"):
            assert_problem(await api.post(path, content=body(), headers={"Content-Type": "application/json"}), 401)
            refused = {"Content-Length": "9" * 15, "Content-Encoding": "gzip", "Content-Type": "multipart/form-data"}
            assert_problem(await api.post(path, content=body(), headers=refused), 401)


async def test_a_slash_too_many_is_no_redirect(api: httpx.AsyncClient) -> None:
    """It would name the Host as it was sent."""
    for path in ("/v1/batches/", "/v1/batches//", "//v1/batches", "/healthz/", "/docs/", "/metrics/"):
        assert_problem(await api.get(httpx.URL("http://localhost", raw_path=path.encode())), 404)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/batches", {"GET", "HEAD", "POST"}),
        ("/v1/batches/x", {"GET", "HEAD", "DELETE", "PATCH"}),
        ("/v1/batches/x/recipients", {"POST"}),
        ("/v1/account/rate", {"PATCH", "DELETE"}),
        ("/v1/documents", {"POST"}),
        ("/callbacks/sinch/incoming", {"POST"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
async def test_a_method_that_a_path_does_not_have_is_told_all_that_it_has(
    api: httpx.AsyncClient, path: str, allowed: set[str]
) -> None:
    for method in ("OPTIONS", "TRACE", "PUT", "LINK"):
        answer = await api.request(method, path)
        assert_problem(answer, 405)
        assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "fax.example.com"])
async def test_an_api_for_the_network_does_not_start_without_keys(runtime: Runtime, host: str) -> None:
    open_to_all = runtime.settings.model_copy(update={"host": host})
    with pytest.raises(SettingsError, match="BULKFAX_API_KEYS"):
        create_app(replace(runtime, settings=open_to_all))
    create_app(replace(runtime, settings=keyed(open_to_all)))


async def test_a_path_or_method_that_does_not_exist_is_a_problem_document_too(api: httpx.AsyncClient) -> None:
    for answer, status in ((await api.get("/v2/x"), 404), (await api.put("/v1/batches"), 405)):
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status


@pytest.fixture
async def broken(tmp_path: Path, settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, EmbeddedServer, str]]:
    """An API whose Redis went away, that Redis, and a draft in it."""
    with EmbeddedServer(tmp_path) as server:
        server.start()
        async with api_with(settings.model_copy(update={"redis_url": server.url})) as api:
            await api.post("/v1/documents", content=letter(2))
            answer = await api.post("/v1/batches", json={"name": "March", "content_urls": [URL]})
            server.stop()
            yield api, server, answer.json()["id"]


async def test_without_redis_everything_answers_503_until_it_is_back(
    broken: tuple[httpx.AsyncClient, EmbeddedServer, str],
) -> None:
    api, server, batch = broken
    asked = [
        api.build_request("GET", f"/v1/batches/{batch}"),
        api.build_request("POST", f"/v1/batches/{batch}/recipients", content=b"fax\n+12025550101\n"),
        api.build_request("POST", "/callbacks/sinch/incoming", json={}),
        api.build_request("GET", "/readyz"),
        api.build_request("GET", "/metrics/installation"),
    ]
    for request in asked:
        answer = await api.send(request)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), request.url
        assert answer.json()["type"] == "urn:bulkfax:problem:store-unavailable"
    for path in ("/healthz", "/metrics"):
        assert (await api.get(path)).status_code == 200
    server.start()
    assert (await api.get(f"/v1/batches/{batch}")).json()["name"] == "March"
    assert (await api.get("/readyz")).status_code == 200


async def test_the_account_shows_its_rate_and_lets_go_of_holds(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.store.holds.open("country:AQ", "not_permitted", "the account may not send there")
    account = (await api.get("/v1/account")).json()
    assert (account["rate_per_second"], account["in_flight"]) == (runtime.settings.sinch.rate_per_second, 0)
    assert [hold["scope"] for hold in account["holds"]] == ["country:AQ"]
    assert (await api.delete("/v1/account/holds/country%3AAQ")).json()["removed"] == 1
    assert (await api.delete("/v1/account/holds/country%3AAQ")).json()["removed"] == 0
    assert (await api.get("/v1/account")).json()["holds"] == []


@pytest.mark.parametrize("said_s", [1e300, 86_400.0, 1_795_000_000.0])
async def test_a_wait_of_the_provider_is_shown_and_ended_by_hand(
    api: httpx.AsyncClient, runtime: Runtime, said_s: float
) -> None:
    """Whatever it said, an hour at most."""
    await runtime.store.rate_limiter.slow_down(0, said_s, 0.0)
    blocked = (await api.get("/v1/account")).json()
    assert blocked["blocked_by"] == "provider"
    wait_s = datetime.fromisoformat(blocked["blocked_until"]).timestamp() - await runtime.store.clock.now_ms() / 1000
    assert 3500 < wait_s <= 3600
    ended = (await api.post("/v1/account/unblock")).json()
    assert (ended["blocked_by"], ended["blocked_until"]) == (None, None)
    assert (await api.post("/v1/account/unblock")).status_code == 200


async def test_lost_writes_are_shown_and_accepted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Only with the word for it, and not as any other hold."""
    assert (await api.get("/v1/account")).json()["rollback"] is None
    assert (await api.post("/v1/account/resume", json={"accept_rollback": True})).status_code == 404
    await runtime.store.rollbacks.report_attempt(JobId("b1", 7), 2, 0)
    lost = (await api.get("/v1/account")).json()["rollback"]
    assert "attempt 2 of job b1.7" in lost["cause"]
    assert (lost["reconciled_at"], lost["accepted_at"], lost["unknown_faxes"]) == (None, None, [])
    assert lost["since"] < lost["noticed_at"] < lost["ready_at"]
    refused = await api.delete("/v1/account/holds/account")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bulkfax:problem:not-allowed")
    for body in ({}, {"accept_rollback": False}):
        assert (await api.post("/v1/account/resume", json=body)).status_code == 409
    accepted = (await api.post("/v1/account/resume", json={"accept_rollback": True})).json()
    assert accepted["rollback"]["accepted_at"]
    assert [hold["category"] for hold in accepted["holds"]] == ["record_rolled_back"]
    rollback = await runtime.store.rollbacks.last()
    assert rollback is not None
    await runtime.store.rollbacks.listed(rollback, rollback.noticed_ms, all_of_them=True)
    account = (await api.get("/v1/account")).json()
    assert (account["holds"], bool(account["rollback"]["resumed_at"])) == ([], True)


async def test_what_too_few_replicas_have_is_refused_for_a_while(settings: Settings) -> None:
    """This server has none. The repeat waits again."""
    own = settings.model_copy(update={"redis_wait_replicas": 1})
    async with open_runtime(own, answers_people=True) as runtime, client_of(runtime) as client:
        for _ in range(2):
            answer = await client.post("/v1/batches", json={"name": "a", "content_urls": ["https://example.com/a.pdf"]})
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert "fewer than 1 replica " in answer.json()["detail"]


async def test_the_rate_is_changed_while_running_and_given_back(api: httpx.AsyncClient, runtime: Runtime) -> None:
    changed = (await api.patch("/v1/account/rate", json={"per_second": 7.5, "per_day": 1})).json()
    assert (changed["rate_per_second"], changed["rate_now"], changed["blocked_by"]) == (7.5, 7.5, None)
    assert [(limit["per"], limit["limit"], limit["source"], limit["used"]) for limit in changed["limits"]] == [
        ("second", 7.5, "operator", None),
        ("day", 1, "operator", 0),
    ]
    while (await runtime.store.rate_limiter.take_permit()).granted:
        pass
    blocked = (await api.get("/v1/account")).json()
    assert (blocked["blocked_by"], blocked["limits"][1]["used"]) == ("day", 1)
    assert blocked["blocked_until"] is not None
    back = (await api.delete("/v1/account/rate")).json()
    assert (back["rate_per_second"], len(back["limits"])) == (runtime.settings.sinch.rate_per_second, 1)
    assert (back["limits"][0]["source"], back["blocked_until"]) == ("settings", None)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "give per_second, per_minute or per_day"),
        ({"per_second": 0}, "per_second: input should be greater than or equal to 0.001"),
        ({"per_second": 5e-324}, "per_second: input should be greater than or equal to 0.001"),
        ({"per_minute": 1.5}, "per_minute: input should be a valid integer"),
        ({"per_day": False}, "per_day: give a number, without quotation marks"),
        ({"per_hour": 1}, "per_hour: there is no such field"),
    ],
)
async def test_a_rate_that_cannot_be_is_refused_with_a_sentence(
    api: httpx.AsyncClient, body: dict[str, float], detail: str
) -> None:
    answer = await api.patch("/v1/account/rate", json=body)
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]


async def test_metrics_are_given_for_prometheus(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await draft(runtime.store, 2)
    answer = await api.get("/metrics/installation")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "bulkfax_jobs{" in answer.text


async def test_metrics_of_the_process_count_requests_by_route_and_callbacks_by_result(api: httpx.AsyncClient) -> None:
    def value(text: str, series: str) -> float:
        return float(next(line for line in text.splitlines() if line.startswith(series)).rpartition(" ")[2])

    route = "/v1/batches/{batch}"
    missing = f'bulkfax_http_requests_total{{method="GET",process="web",route="{route}",status="4xx"}}'
    refused = 'bulkfax_http_requests_total{method="",process="web",route="none",status="4xx"}'
    forged = 'bulkfax_callback_seconds_count{process="web",result="forged"}'
    callback = "/callbacks/sinch/{job}/{attempt}/{signature}"
    failed = f'bulkfax_http_requests_total{{method="POST",process="web",route="{callback}",status="4xx"}}'
    unreadable = 'bulkfax_callback_seconds_count{process="web",result="unreadable"}'
    before = (await api.get("/metrics")).text
    await api.get("/v1/batches/nothing-12025550101")
    await api.request("+12025550101", "/v1/batches")
    await api.post("/callbacks/sinch/x.0/1/wrong", json={})
    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    after = answer.text
    changes = {
        series: value(after, series) - value(before, series)
        for series in (missing, refused, forged, failed, unreadable)
    }
    assert changes == {missing: 1, refused: 1, forged: 1, failed: 1, unreadable: 0}
    assert "2025550101" not in after


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/batches", 1_000_000),
        ("/v1/batches/x/recipients", 1_000_000_000),
        ("/v1/batches/x/recipients/y", 1_000_000),
        ("/v1/documents", 21_000_000),
        ("/callbacks/sinch/x.0/1/s", 28_000_000),
        ("/nothing", 1_000_000),
    ],
)
def test_every_request_has_a_largest_body(path: str, limit: int) -> None:
    assert largest_body(path) == limit


async def test_a_body_over_the_limit_is_refused_by_its_announced_length(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/batches", content=b" " * 1_000_001, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


async def test_a_compressed_body_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/batches", content=b"x", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, "Content-Encoding" in answer.json()["detail"]) == (415, True)


@pytest.mark.parametrize(
    ("coding", "status"),
    [
        *((coding, 422) for coding in ("identity", "Identity", "IDENTITY ", "", "identity, identity")),
        *((coding, 415) for coding in ("gzip", "GZIP", "identity, gzip", "br;identity")),
    ],
)
async def test_a_body_may_say_that_it_is_not_compressed(api: httpx.AsyncClient, coding: str, status: int) -> None:
    assert (await api.post("/v1/batches", content=b"x", headers={"Content-Encoding": coding})).status_code == status


async def test_the_description_names_every_route_and_its_problems(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    assert {"/v1/batches/{batch}/recipients", "/v1/faxes", "/readyz", "/metrics", "/metrics/installation"} <= set(paths)
    assert all("500" in operation["responses"] for operations in paths.values() for operation in operations.values())
