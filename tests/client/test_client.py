"""The client: one method a route, typed answers, and errors that say what to do."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dispatcher.client import (
    AccessDenied,
    ApiError,
    BadInput,
    ChangeBatch,
    ChangedOptions,
    Client,
    ClientError,
    Invalid,
    NewBatch,
    NewFax,
    NewRerun,
    NotAllowed,
    NotFound,
    NotOurApi,
    NotReachable,
    Unanswered,
    Unavailable,
)
from dispatcher.core.options import FaxOptions

BATCH = {"id": "b1", "state": "running", "counts": {"waiting": 1, "delivered": 2, "failed": 3}, "rows": 6}
JOB = {"id": "b1.0", "state": "accepted"}
Handler = Callable[[httpx.Request], httpx.Response]


def client_of(handler: Handler, **options: float) -> Client:
    return Client("http://api.test", "secret", transport=httpx.MockTransport(handler), **options)


def answering(body: object, status: int = 200, requests: list[httpx.Request] | None = None) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        request.read()
        if requests is not None:
            requests.append(request)
        return httpx.Response(status, json=body)

    return handler


@pytest.mark.parametrize(
    ("call", "method", "path", "answer"),
    [
        (lambda c: c.document("ab"), "GET", "/v1/documents/ab", {"id": "ab", "size": 1, "pages": 1}),
        (lambda c: c.create_batch(NewBatch(name="n")), "POST", "/v1/batches", BATCH),
        (lambda c: c.batch("b1"), "GET", "/v1/batches/b1", BATCH),
        (lambda c: c.batches_page(limit=3), "GET", "/v1/batches?limit=3", {"batches": [BATCH], "next": None}),
        (lambda c: c.batches_page(after="x"), "GET", "/v1/batches?after=x&limit=100", {"batches": []}),
        (lambda c: c.start("b1"), "POST", "/v1/batches/b1/start", BATCH),
        (lambda c: c.pause("b1"), "POST", "/v1/batches/b1/pause", BATCH),
        (lambda c: c.resume("b1"), "POST", "/v1/batches/b1/resume", BATCH),
        (lambda c: c.cancel("b1"), "POST", "/v1/batches/b1/cancel", BATCH),
        (lambda c: c.rerun("b1", NewRerun(reason="r")), "POST", "/v1/batches/b1/rerun", BATCH),
        (lambda c: c.update_batch("b1", ChangeBatch(weight=None)), "PATCH", "/v1/batches/b1", BATCH),
        (
            lambda c: c.jobs_page("b1", state="failed"),
            "GET",
            "/v1/batches/b1/jobs?limit=1000&state=failed",
            {"jobs": []},
        ),
        (
            lambda c: c.refused_page("b1", after="7"),
            "GET",
            "/v1/batches/b1/refused?after=7&limit=1000",
            {"refused": []},
        ),
        (lambda c: c.send_fax(NewFax(to="+12025550101")), "POST", "/v1/faxes", JOB),
        (lambda c: c.job("b1.0"), "GET", "/v1/jobs/b1.0", JOB),
        (lambda c: c.account(), "GET", "/v1/account", {"rate_per_second": 5.0, "holds": []}),
        (lambda c: c.set_rate(per_minute=3000), "PATCH", "/v1/account/rate", {}),
        (lambda c: c.reset_rate(), "DELETE", "/v1/account/rate", {}),
        (lambda c: c.unblock(), "POST", "/v1/account/unblock", {}),
        (lambda c: c.resume_account(accept_rollback=True), "POST", "/v1/account/resume", {}),
        (lambda c: c.release_hold("batch:b1"), "DELETE", "/v1/account/holds/batch%3Ab1", {"removed": 1}),
        (lambda c: c.alive(), "GET", "/healthz", {}),
        (lambda c: c.ready(), "GET", "/readyz", {}),
    ],
)
def test_each_method_calls_its_route_with_the_key(
    call: Callable[[Client], object], method: str, path: str, answer: object
) -> None:
    requests: list[httpx.Request] = []
    with client_of(answering(answer, requests=requests)) as client:
        call(client)
    (request,) = requests
    assert (request.method, request.url.raw_path.decode()) == (method, path)
    assert request.headers["Authorization"] == "Bearer secret"


def test_a_batch_is_typed_and_counts_its_final_jobs() -> None:
    with client_of(answering({**BATCH, "field_of_a_newer_api": 1})) as client:
        batch = client.batch("b1")
    assert (batch.state, batch.final, batch.ended) == ("running", 5, False)


def test_options_are_sent_under_the_names_of_the_api_and_only_if_given() -> None:
    requests: list[httpx.Request] = []
    with client_of(answering(BATCH, 201, requests)) as client:
        client.create_batch(NewBatch(name="n", documents=("d",), options=FaxOptions(sender="+12025550100")))
    body = json.loads(requests[0].content)
    assert body["options"] == {"from": "+12025550100"}
    assert "deadline" not in body


def test_pages_of_jobs_are_followed_to_the_end() -> None:
    pages = {None: {"jobs": [JOB], "next": "5"}, "5": {"jobs": [{**JOB, "id": "b1.6"}], "next": None}}
    with client_of(lambda request: httpx.Response(200, json=pages[request.url.params.get("after")])) as client:
        assert [job.id for job in client.jobs("b1", state="failed")] == ["b1.0", "b1.6"]


def test_pages_of_refused_lines_are_followed_to_the_end() -> None:
    row = {"line": 2, "number": "", "reason": "empty", "detail": "write a number"}
    pages = {None: {"refused": [row], "next": "1"}, "1": {"refused": [row], "next": None}}
    with client_of(lambda request: httpx.Response(200, json=pages[request.url.params.get("after")])) as client:
        assert [line.reason for line in client.refused("b1")] == ["empty", "empty"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Invalid),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotFound),
        (409, NotAllowed),
        (413, Invalid),
        (415, Invalid),
        (418, ApiError),
        (422, Invalid),
        (500, ApiError),
        (502, ApiError),
    ],
)
def test_each_status_of_a_problem_document_has_its_error(status: int, error: type[ApiError]) -> None:
    problem = {"type": "about:blank", "title": "No", "status": status, "detail": "it cannot be done"}
    with client_of(answering(problem, status)) as client, pytest.raises(error, match="it cannot be done") as caught:
        client.batch("b1")
    assert type(caught.value) is error
    assert caught.value.problem.status == status


def test_the_fields_at_fault_are_part_of_the_sentence() -> None:
    problem = {
        "title": "Invalid",
        "detail": "the request is not valid",
        "errors": [{"field": "weight", "message": "at most 100"}, {"line": 3, "message": "no number"}],
    }
    with client_of(answering(problem, 422)) as client, pytest.raises(Invalid) as caught:
        client.create_batch(NewBatch(name="n", weight=101))
    assert str(caught.value) == "the request is not valid; weight: at most 100; line 3: no number"


@pytest.mark.parametrize(
    ("detail", "error"),
    [
        ("Line 1: No column is named.", {"line": 1, "message": "No column is named."}),
        ("Line 1: No column is named. Nothing was stored.", {"line": 1, "message": "No column is named."}),
        ("weight: at most 100", {"field": "weight", "message": "at most 100"}),
    ],
)
def test_a_fault_that_the_detail_tells_already_is_told_once(detail: str, error: dict[str, object]) -> None:
    with client_of(answering({"detail": detail, "errors": [error]}, 422)) as client, pytest.raises(Invalid) as caught:
        client.batch("b1")
    assert str(caught.value) == detail


def test_nothing_at_the_address_names_it_and_what_to_start() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with Client(url, patience_s=0) as client, pytest.raises(NotReachable, match=f"{url}.*bulkfax up"):
            client.batches_page()


@pytest.mark.parametrize("url", ["ftp://somewhere", "somewhere", "http://[", ""])
def test_an_address_that_is_none_is_said_so(url: str) -> None:
    with pytest.raises(ClientError, match="BULKFAX_API_URL"), Client(url, patience_s=0) as client:
        client.batches_page()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="<html>not found</html>"),
        httpx.Response(200, text="<html>hello</html>"),
        httpx.Response(200, json={"hello": "world"}),
        httpx.Response(302, headers={"Location": "/login"}),
        httpx.Response(500, json=["no problem document"]),
    ],
)
def test_an_answer_of_something_else_is_told_apart(answer: httpx.Response) -> None:
    with client_of(lambda _: answer) as client, pytest.raises(NotOurApi):
        client.batch("b1")


def test_an_api_that_is_not_ready_says_why() -> None:
    problem = {"title": "Not ready", "detail": "Redis does not answer"}
    with client_of(answering(problem, 503), patience_s=0) as client:
        assert client.ready().reason == "Redis does not answer"


@pytest.mark.parametrize("status", [408, 503])
def test_a_request_that_cannot_be_taken_now_is_repeated_with_the_same_key(status: int) -> None:
    """Redis is away, there is no room, or the link was too slow. It waits for the time that was named."""
    keys: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) < 3:
            return httpx.Response(status, headers={"Retry-After": "0"}, json={"title": "away"})
        return httpx.Response(201, json=BATCH)

    with client_of(handler) as client:
        assert client.create_batch(NewBatch(name="n")).id == "b1"
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_it_says_once_that_it_waits_for_an_api_that_cannot_answer_now(caplog: pytest.LogCaptureFixture) -> None:
    answers = [httpx.Response(503, headers={"Retry-After": "0"}, json={"detail": "Redis hangs."})] * 2
    with client_of(lambda _: answers.pop() if answers else httpx.Response(200, json=BATCH)) as client:
        client.batch("b1")
    assert caplog.messages == ["Redis hangs; it is asked again for 30 s"]


_ONCE = (
    lambda client: client.resume("b1"),
    lambda client: client.continue_batch("b1"),
    lambda client: client.release_hold("account"),
    lambda client: client.release_holds(everything=True),
    lambda client: client.unblock(),
    lambda client: client.resume_account(accept_rollback=True),
    lambda client: client.rotate_webhook_secret("we_1"),
)


@pytest.mark.parametrize("command", _ONCE)
@pytest.mark.parametrize("answer", ["broken", "not replicated"])
def test_what_lets_something_send_again_is_not_repeated_when_it_may_have_been_carried_out(
    command: Callable[[Client], object], answer: str
) -> None:
    """Somebody may have paused the batch meanwhile, and a repeat would undo that."""
    calls: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        if len(calls) == 1:
            raise httpx.ConnectError("refused", request=request)
        if answer == "broken":
            raise httpx.ReadError("reset", request=request)
        stored = {"type": "urn:bulkfax:problem:store-unavailable", "detail": "Too few replicas."}
        return httpx.Response(503, headers={"Retry-After": "0"}, json=stored)

    with client_of(handler) as client, pytest.raises(Unanswered, match="may have been carried out: look"):
        command(client)
    assert len(calls) == 2, "an address that does not answer is tried again"


def test_redis_away_for_longer_than_the_patience_is_an_error() -> None:
    away = httpx.Response(503, headers={"Retry-After": "60"}, json={"detail": "Redis does not answer"})
    with client_of(lambda _: away, patience_s=1) as client, pytest.raises(Unavailable, match="Redis does not answer"):
        client.batch("b1")


def test_two_calls_that_create_have_two_keys_and_a_given_key_is_kept() -> None:
    requests: list[httpx.Request] = []
    with client_of(answering(BATCH, 201, requests)) as client:
        for key in ("", "", "mine"):
            client.create_batch(NewBatch(name="n"), key=key)
    first, second, third = (request.headers["Idempotency-Key"] for request in requests)
    assert first != second
    assert third == "mine"


def test_a_broken_connection_is_repeated() -> None:
    calls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request.headers["Idempotency-Key"])
        if len(calls) == 1:
            raise httpx.ReadError("reset", request=request)
        return httpx.Response(201, json=BATCH)

    with client_of(handler) as client:
        client.create_batch(NewBatch(name="n"))
    assert len(calls) == 2
    assert calls[0] == calls[1]


def test_the_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BULKFAX_API_URL", "http://fax.test/")
    with Client.from_environment() as client:
        assert client.url == "http://fax.test"


def test_without_an_address_it_is_the_port_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BULKFAX_API_URL", raising=False)
    monkeypatch.setenv("BULKFAX_PORT", "27180")
    with Client.from_environment() as client:
        assert client.url == "http://127.0.0.1:27180"


def test_the_settings_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BULKFAX_API_URL", raising=False)
    (tmp_path / ".env").write_text("BULKFAX_API_URL=http://from.file\n")
    with Client.from_environment() as client:
        assert client.url == "http://from.file"


def test_a_missing_file_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    requests: list[httpx.Request] = []
    with client_of(answering(BATCH, requests=requests)) as client, pytest.raises(BadInput, match=r"no\.csv"):
        client.upload_recipients("b1", tmp_path / "no.csv")
    assert not requests


def test_a_list_of_an_unknown_kind_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with client_of(answering({})) as client, pytest.raises(BadInput, match=r"\.csv, .*\.xlsx"):
        client.upload_recipients("b1", tmp_path / "list.docx")


def test_a_change_names_what_was_set_and_null_where_it_was_set_to_none() -> None:
    requests: list[httpx.Request] = []
    change = ChangeBatch(max_per_second=None, weight=3, options=ChangedOptions(**{"from": None, "resolution": "FINE"}))
    with client_of(answering(BATCH, requests=requests)) as client:
        client.update_batch("b1", change)
    sent = {"max_per_second": None, "weight": 3, "options": {"from": None, "resolution": "FINE"}}
    assert json.loads(requests[0].content) == sent
