"""The client's operations over real HTTP, against prepared responses."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from dispatcher.core.outcome import Accepted, FaxStatus, FaxUpdate, RateLimited, Refused, Unclear
from dispatcher.sinch.client import FaxClient, SinchAccount, make_client
from dispatcher.sinch.errors import (
    NotSentError,
    RateLimitedError,
    RefusedError,
    ResponseLostError,
    SinchError,
    UnclearError,
    UnreadableError,
)
from dispatcher.sinch.wire import FaxQuery
from tests.sinch.wire_client import ACCEPTED, FAX, client_for
from tests.sinch.wire_server import Reader, WireServer, Writer, closed_port, reply, respond_with, running_server

pytestmark = pytest.mark.anyio

ACCOUNT = SinchAccount(project_id="p", key_id="key", key_secret="do not show")
PAGE = json.dumps({"faxes": [{"id": "01FAX", "status": "COMPLETED"}], "page": 1, "totalPages": 1}).encode()


async def closes_after_reading(server: WireServer, reader: Reader, writer: Writer) -> None:
    await server.read(reader)


async def test_an_accepted_fax_is_an_update_of_its_job_and_attempt() -> None:
    async with running_server(respond_with(reply(200, ACCEPTED))) as server, client_for(server.url) as client:
        outcome = await client.send(FAX, total_s=5)
    update = FaxUpdate(fax_id="01FAX", status=FaxStatus.UNFINISHED, to="+12025550123", job="b1.7", attempt=2)
    assert outcome == Accepted(update=update)


def oauth_client(server: WireServer) -> FaxClient:
    """Create a client that gets its tokens from the same server."""
    auth_url = f"{server.url}/oauth2/token"
    return make_client(replace(ACCOUNT, base_url=server.url, auth_url=auth_url))


async def test_a_prepared_client_has_its_token_before_the_first_send() -> None:
    async with running_server(respond_with(reply(200, b'{"access_token": "t", "expires_in": 3600}'))) as server:
        client = oauth_client(server)
        await client.prepare()
        await client.send(FAX, total_s=5)
        await client.aclose()
    assert [request.line.split()[1] for request in server.requests] == ["/oauth2/token", "/v3/projects/p/faxes"]


async def test_a_failure_to_prepare_is_reported_by_the_first_call() -> None:
    async with running_server(respond_with(reply(401))) as server:
        client = oauth_client(server)
        await client.prepare()
        assert isinstance(await client.send(FAX, total_s=5), Refused)
        await client.aclose()


async def test_a_send_is_one_json_post_with_credentials() -> None:
    async with running_server(respond_with(reply(200, ACCEPTED))) as server, client_for(f"{server.url}/") as client:
        await client.send(FAX, total_s=5)
    (request,) = server.requests
    assert request.line == "POST /v3/projects/project/faxes HTTP/1.1"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["authorization"] == "Basic a2V5OnNlY3JldA=="
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("bulkfax/")
    assert "transfer-encoding" not in request.headers
    assert json.loads(request.body)["to"] == "+12025550123"


async def test_an_answer_201_with_a_list_of_one_is_accepted_too() -> None:
    body = b'{"faxes": [' + ACCEPTED + b"]}"
    async with running_server(respond_with(reply(201, body))) as server, client_for(server.url) as client:
        assert isinstance(await client.send(FAX, total_s=5), Accepted)


async def test_a_refused_send_names_the_fields() -> None:
    body = json.dumps({"message": "bad", "details": {"fieldViolations": [{"field": "to"}]}}).encode()
    async with running_server(respond_with(reply(422, body))) as server, client_for(server.url) as client:
        assert await client.send(FAX, total_s=5) == Refused(status=422, message="bad", fields=("to",))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry_After": "12"}, 12.0),
        ({"Retry_After": "Fri, 15 Jan 2027 08:00:30 GMT", "Date": "Fri, 15 Jan 2027 08:00:00 GMT"}, 30.0),
    ],
)
async def test_a_rate_limit_is_reported_and_not_waited_for(headers: dict[str, str], seconds: float | None) -> None:
    async with running_server(respond_with(reply(429, b"", **headers))) as server, client_for(server.url) as client:
        assert await client.send(FAX, total_s=5) == RateLimited(retry_after_s=seconds)
        with pytest.raises(RateLimitedError) as raised:
            await client.list_page(FaxQuery(), 1, total_s=5)
    assert raised.value.retry_after_s == seconds
    assert len(server.requests) == 2


async def test_one_fax_is_read_and_a_missing_one_is_none() -> None:
    async with (
        running_server(
            respond_with(reply(200, ACCEPTED), reply(404, b'{"code": "404", "message": "No fax"}'))
        ) as server,
        client_for(server.url) as client,
    ):
        read = await client.fax("01FAX", total_s=5)
        assert read is not None
        assert read.fax_id == "01FAX"
        assert await client.fax("../services", total_s=5) is None
    assert [request.line.split()[1] for request in server.requests] == [
        "/v3/projects/project/faxes/01FAX",
        "/v3/projects/project/faxes/..%2Fservices",
    ]


@pytest.mark.parametrize(
    "answer",
    [reply(404), reply(404, b"<html>Not Found</html>"), reply(200, b'{"id": "another"}'), reply(200), reply(302)],
    ids=["a gateway's 404", "its page", "another fax", "nothing", "a redirect"],
)
async def test_only_the_provider_itself_says_that_it_does_not_know_a_fax(answer: bytes) -> None:
    async with running_server(respond_with(answer)) as server, client_for(server.url) as client:
        with pytest.raises(SinchError):
            await client.fax("01FAX", total_s=5)


@pytest.mark.parametrize(
    ("labels", "accepted"),
    [
        ({}, True),
        (None, True),
        ({"bulkfax-job": "b1.7", "bulkfax-attempt": "2"}, True),
        ({"bulkfax-job": "b1.8", "bulkfax-attempt": "2"}, False),
        ({"bulkfax-job": "b1.7", "bulkfax-attempt": "3"}, False),
    ],
)
async def test_a_response_to_another_request_is_not_used(labels: object, accepted: bool) -> None:
    """A cache may return any response. A fax without labels belongs to the attempt."""
    body = json.dumps({"id": "01FAX", "status": "IN_PROGRESS", "labels": labels}).encode()
    async with running_server(respond_with(reply(201, body))) as server, client_for(server.url) as client:
        outcome = await client.send(FAX, total_s=5)
    if accepted:
        assert isinstance(outcome, Accepted)
        assert (outcome.update.job, outcome.update.attempt) == ("b1.7", 2)
    else:
        assert outcome == Unclear(reason="the answer is a fax with other labels", status=201)


async def test_a_list_asks_for_exactly_one_page() -> None:
    query = FaxQuery(to="+12025550123", created_from_ms=1_800_000_000_999, created_to_ms=1_800_000_060_001)
    async with running_server(respond_with(reply(200, PAGE))) as server, client_for(server.url) as client:
        page = await client.list_page(query, 2, total_s=5)
    assert [update.fax_id for update in page.faxes] == ["01FAX"]
    (request,) = server.requests
    target = request.line.split()[1]
    assert "+" not in target
    assert dict(parse_qsl(urlsplit(target).query)) == {
        "direction": "OUTBOUND",
        "to": "+12025550123",
        "createTime>": "2027-01-15T08:00:00Z",
        "createTime<": "2027-01-15T08:01:01Z",
        "pageSize": "1000",
        "page": "2",
    }


async def test_a_read_is_repeated_when_its_answer_is_lost() -> None:
    async with running_server(closes_after_reading) as server, client_for(server.url) as client:
        with pytest.raises(ResponseLostError):
            await client.fax("01FAX", total_s=10)
    assert len(server.requests) == 3


async def test_a_read_without_a_connection_is_not_sent() -> None:
    async with client_for(f"http://127.0.0.1:{closed_port()}") as client:
        with pytest.raises(NotSentError):
            await client.fax("01FAX", total_s=5)


async def test_a_read_that_is_answered_with_500_is_not_repeated() -> None:
    async with running_server(respond_with(reply(500, b"<html>"))) as server, client_for(server.url) as client:
        with pytest.raises(UnclearError) as raised:
            await client.fax("01FAX", total_s=5)
    assert raised.value.status == 500
    assert len(server.requests) == 1


async def test_an_unreadable_fax_is_an_error() -> None:
    async with running_server(respond_with(reply(200, b"<html>"))) as server, client_for(server.url) as client:
        with pytest.raises(UnreadableError):
            await client.fax("01FAX", total_s=5)


async def test_the_check_passes_on_a_list_of_one() -> None:
    async with running_server(respond_with(reply(200, PAGE))) as server, client_for(server.url) as client:
        await client.check()
    assert "pageSize=1&" in server.requests[0].line


@pytest.mark.parametrize(
    ("status", "sentence"), [(401, "key id and secret"), (403, "no access"), (404, "does not know the project id")]
)
async def test_the_check_says_what_is_wrong(status: int, sentence: str) -> None:
    async with running_server(respond_with(reply(status))) as server, client_for(server.url) as client:
        with pytest.raises(RefusedError, match=sentence) as raised:
            await client.check()
    assert raised.value.status == status


@pytest.mark.parametrize("url", ["fax.example.org", "http://", "ftp://fax.example.org", "http://fax.example.org:x"])
async def test_an_invalid_url_is_refused_when_the_client_is_created(url: str) -> None:
    with pytest.raises(ValueError, match="is not a URL"):
        make_client(replace(ACCOUNT, base_url=url))
    with pytest.raises(ValueError, match="is not a URL"):
        make_client(replace(ACCOUNT, auth_url=url))


def test_an_account_does_not_print_its_secret() -> None:
    assert "do not show" not in repr(ACCOUNT)
