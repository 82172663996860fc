"""``bulkfax webhooks``: what is asked of the API, and what is printed."""

import json

import httpx
import pytest
from typer.testing import CliRunner

from dispatcher.cli import webhooks
from dispatcher.client import Client

ENDPOINT = {
    "id": "we_1",
    "url": "https://hooks.example.com/bulkfax",
    "types": ["batch.finished"],
    "enabled": False,
    "disabled_at": "2026-11-28T10:00:00.000Z",
    "disabled_reason": "31 deliveries failed in 3 d, the last with: HTTP 500, an error",
    "position": "1-0",
    "failures": 31,
    "failing_since": "2026-11-25T10:00:00.000Z",
    "secret": "whsec_abc",
}
DELIVERY = {
    "id": "msg_1",
    "number": 31,
    "result": "disabled",
    "status": 500,
    "error": "HTTP 500, an error",
    "events": 3,
}
EVENT = {
    "id": "2-0",
    "type": "batch.finished",
    "time": "2026-11-28T10:00:00.000Z",
    "sequence": 5,
    "batch": "b1",
    "data": {"jobs": 2, "state": "finished", "counts": {}},
}
URL = "/v1/webhook-endpoints"
CREATED = {"url": "https://a.example/", "types": ["job.final"], "description": ""}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """The requests that the command makes of an API with one endpoint, which is disabled."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        request.read()
        match request.method, request.url.path.rpartition("/")[2]:
            case "DELETE", _:
                return httpx.Response(200, json={"removed": 1})
            case "GET", "webhook-endpoints":
                return httpx.Response(200, json={"endpoints": [ENDPOINT]})
            case _, "deliveries":
                return httpx.Response(200, json={"deliveries": [DELIVERY], "next": None})
            case _, "events":
                return httpx.Response(200, json={"events": [EVENT], "next": "2-0"})
        return httpx.Response(200, json=ENDPOINT)

    def opened(**_: object) -> Client:
        return Client("http://api.test", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(Client, "from_environment", opened)
    return sent


@pytest.mark.parametrize(
    ("arguments", "method", "path", "body"),
    [
        (["create", "https://a.example/", "--type", "job.final"], "POST", "", CREATED),
        (["list"], "GET", "", None),
        (["show", "we_1"], "GET", "/we_1", None),
        (["change", "we_1", "--all-types"], "PATCH", "/we_1", {"types": []}),
        (["change", "we_1", "--url", "https://b.example/"], "PATCH", "/we_1", {"url": "https://b.example/"}),
        (["enable", "we_1"], "PATCH", "/we_1", {"enabled": True}),
        (["disable", "we_1"], "PATCH", "/we_1", {"enabled": False}),
        (["rotate-secret", "we_1"], "POST", "/we_1/rotate-secret", None),
        (["delete", "we_1", "--yes"], "DELETE", "/we_1", None),
        (["deliveries", "we_1"], "GET", "/we_1/deliveries", None),
        (["replay", "we_1", "--after", "1-0"], "POST", "/we_1/replay", {"after": "1-0"}),
    ],
)  # fmt: skip
def test_a_command_asks_for_what_it_says(
    requests: list[httpx.Request], arguments: list[str], method: str, path: str, body: object
) -> None:
    result = CliRunner().invoke(webhooks.app, arguments)
    assert result.exit_code == 0, result.output
    (request,) = requests
    assert (request.method, request.url.path) == (method, URL + path)
    assert (json.loads(request.content) if request.content else None) == body


def test_a_disabled_endpoint_is_shown_with_its_reason_and_the_way_back(requests: list[httpx.Request]) -> None:
    text = CliRunner().invoke(webhooks.app, ["show", "we_1"]).output
    for part in ("disabled", "31 deliveries failed in 3 d", "To go on: bulkfax webhooks enable we_1"):
        assert part in text
    assert "whsec_abc" not in text


def test_a_secret_is_shown_when_it_is_new(requests: list[httpx.Request]) -> None:
    for command in (["create", "https://a.example/"], ["rotate-secret", "we_1"]):
        assert "whsec_abc" in CliRunner().invoke(webhooks.app, command).output


def test_events_are_listed_by_type_and_batch(requests: list[httpx.Request]) -> None:
    arguments = ["events", "--type", "batch.finished", "--batch", "b1", "--limit", "1"]
    result = CliRunner().invoke(webhooks.app, arguments)
    assert requests[0].url.params.multi_items()[:2] == [("type", "batch.finished"), ("batch", "b1")]
    assert "batch.finished" in result.output
    assert "state finished" in result.output
    assert "--after 2-0" in result.output


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["create", "https://a.example/", "--type", "batch.finishd"], "batch.finished?"),
        (["replay", "we_1"], "--since"),
        (["replay", "we_1", "--after", "1-0", "--since", "2026-11-28"], "--since"),
    ],
)
def test_wrong_usage_says_what_is_right(requests: list[httpx.Request], arguments: list[str], advice: str) -> None:
    result = CliRunner().invoke(webhooks.app, arguments)
    assert result.exit_code == 2
    assert advice in " ".join(result.output.split())
    assert requests == []
