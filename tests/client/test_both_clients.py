"""The clients for ordinary programs and for asyncio: the same requests, rows and bytes, pages, waiting, repeats."""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dispatcher.client import ApiError, AsyncClient, BadInput, Client, NewBatch, NewFax, RecipientList, TimedOut
from tests.api.test_client_models import CALLS, WITHOUT_MODEL, public_methods

BATCH = {"id": "b1", "state": "running", "counts": {}, "rows": 6}
UPLOAD = {"lines": 2, "accepted": 2, "refused": 0, "duplicates": 0}
Handler = Callable[[httpx.Request], httpx.Response]


class Answers:
    """Answers requests in turn, the last answer again and again, and keeps the requests."""

    def __init__(self, *answers: httpx.Response) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        request.read()
        return self._next()

    async def later(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await request.aread()
        return self._next()

    def _next(self) -> httpx.Response:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def sync_client(answers: Answers, **options: float) -> Client:
    return Client("http://api.test", "secret", transport=httpx.MockTransport(answers), **options)


def async_client(answers: Answers, **options: float) -> AsyncClient:
    return AsyncClient("http://api.test", "secret", transport=httpx.MockTransport(answers.later), **options)


def both(call: Callable[[Any], Any], *answers: httpx.Response, **options: float) -> Iterator[tuple[Any, Answers]]:
    """Yield the result of a call and what was requested for it, of each client."""
    kept = Answers(*answers)
    with sync_client(kept, **options) as client:
        result = call(client)
        yield list(result) if inspect.isgenerator(result) else result, kept
    kept = Answers(*answers)

    async def called() -> Any:
        async with async_client(kept, **options) as client:
            result = call(client)
            return [item async for item in result] if inspect.isasyncgen(result) else await result

    yield asyncio.run(called()), kept


def essence(request: httpx.Request) -> tuple[str, str, dict[str, str], bytes]:
    headers = {name: value for name, value in request.headers.items() if name != "idempotency-key"}
    return request.method, str(request.url), headers, request.content


def test_both_clients_have_the_same_methods() -> None:
    names = {name for name in vars(AsyncClient) if not name.startswith("_")}
    assert names - {"url"} == {"aclose" if name == "close" else name for name in public_methods()}


@pytest.mark.parametrize("method", CALLS)
def test_both_clients_make_the_same_request(method: str, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text("fax\n")
    requests = []

    async def called(answers: Answers) -> None:
        async with async_client(answers) as client:
            await CALLS[method](client, file)  # type: ignore[arg-type, misc]  # it has the same methods

    refused = Answers(httpx.Response(418, json={"title": "no"}))
    with sync_client(refused) as client, pytest.raises(ApiError):
        CALLS[method](client, file)
    requests.append(essence(refused.requests[0]))
    refused = Answers(httpx.Response(418, json={"title": "no"}))
    with pytest.raises(ApiError):
        asyncio.run(called(refused))
    requests.append(essence(refused.requests[0]))
    assert requests[0] == requests[1]


def test_iterators_follow_pages_to_the_end() -> None:
    pages = [httpx.Response(200, json={"batches": [BATCH], "next": cursor}) for cursor in ("b1", None)]
    for batches, answers in both(lambda client: client.batches(), *pages):
        assert [batch.id for batch in batches] == ["b1", "b1"]
        assert [request.url.params.get("after") for request in answers.requests] == [None, "b1"]
    assert {"batches", "jobs", "refused", "holds", "suppressions", "look_up"} <= WITHOUT_MODEL


def rows_once() -> Iterator[dict[str, object]]:
    yield {"fax": "+12025550100", "Company": "Müller, Söhne"}
    yield {"fax": "+12025550101", "copies": 2}


@pytest.mark.parametrize(
    ("recipients", "kind", "body"),
    [
        (b"fax\n+12025550100\n", "text/csv", b"fax\n+12025550100\n"),
        (
            [("fax", "Company"), ("+12025550100", 'A "B", C')],
            "text/csv",
            b'fax,Company\r\n+12025550100,"A ""B"", C"\r\n',
        ),
        (
            rows_once,
            "application/x-ndjson",
            '{"fax": "+12025550100", "Company": "Müller, Söhne"}\n{"fax": "+12025550101", "copies": 2}\n'.encode(),
        ),
    ],
    ids=["bytes", "tuples", "a generator of dictionaries"],
)
def test_lists_are_bytes_or_rows(recipients: Any, kind: str, body: bytes) -> None:
    seen: list[tuple[int, int]] = []

    def upload(client: Any) -> Any:
        rows: RecipientList = recipients() if callable(recipients) else recipients
        return client.upload_recipients("b1", rows, progress=lambda *figures: seen.append(figures))

    # the first try is refused for now: rows of a generator are sent again all the same
    away = httpx.Response(503, headers={"Retry-After": "0"}, json={"title": "away"})
    for uploaded, answers in both(upload, away, httpx.Response(200, json=UPLOAD)):
        assert uploaded.accepted == 2
        assert [request.content for request in answers.requests] == [body, body]
        assert {request.headers["Content-Type"] for request in answers.requests} == {kind}
        assert len({request.headers["Idempotency-Key"] for request in answers.requests}) == 1
        assert seen[-1] == (len(body), len(body))


@pytest.mark.parametrize("recipients", ["fax\n", [], [object()], [{"fax": 1}, 7]])
def test_what_is_no_list_is_refused_before_anything_is_sent(recipients: Any) -> None:
    answers = Answers(httpx.Response(200, json=UPLOAD))
    with sync_client(answers) as client, pytest.raises(BadInput):
        client.upload_recipients("b1", recipients)
    assert not answers.requests


@pytest.mark.parametrize(("name", "header"), [("März.pdf", "attachment; filename*=UTF-8''M%C3%A4rz.pdf"), ("", None)])
def test_documents_are_bytes_with_a_name_or_without(name: str, header: str | None) -> None:
    document = httpx.Response(201, json={"id": "ab", "size": 4, "pages": 1})
    for _, answers in both(lambda client: client.upload_document(b"%PDF", name=name), document):
        (request,) = answers.requests
        assert (request.content, request.headers.get("Content-Disposition")) == (b"%PDF", header)


def test_a_report_is_saved_by_both(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    for size, _ in both(lambda client: client.report("b1", path), httpx.Response(200, content=b"line\r\n2\r\n")):
        assert (size, path.read_bytes()) == (9, b"line\r\n2\r\n")
        path.unlink()


def test_a_batch_is_waited_for_until_nothing_more_is_sent() -> None:
    states = [httpx.Response(200, json=BATCH | {"state": state}) for state in ("running", "held", "finished")]
    for batch, answers in both(lambda client: client.wait("b1", every_s=0), *states):
        assert (batch.state, len(answers.requests)) == ("finished", 3)
    rest = BATCH | {"rows": 6, "withheld": 6}
    for batch, _ in both(lambda client: client.wait("b1", every_s=0), httpx.Response(200, json=rest)):
        assert batch.withheld == 6


def test_waiting_ends_in_time_and_not_for_a_draft() -> None:
    with sync_client(Answers(httpx.Response(200, json=BATCH))) as client, pytest.raises(TimedOut) as caught:
        client.wait("b1", timeout_s=0)
    assert caught.value.batch.state == "running"
    draft = httpx.Response(200, json=BATCH | {"state": "draft"})
    with sync_client(Answers(draft)) as client, pytest.raises(BadInput, match="start it"):
        client.wait("b1")


@pytest.mark.parametrize("status", [408, 429, 503])
def test_both_repeat_what_cannot_be_taken_now(status: int) -> None:
    away = httpx.Response(status, headers={"Retry-After": "0"}, json={"title": "away"})
    new = NewFax(to="+12025550101", deadline="2027-01-01T00:00:00Z", on_partial="stop")
    for job, answers in both(
        lambda client: client.send_fax(new), away, httpx.Response(202, json={"id": "b1.0", "state": "waiting"})
    ):
        assert job.id == "b1.0"
        assert len({request.headers["Idempotency-Key"] for request in answers.requests}) == 1
        body = json.loads(answers.requests[1].content)
        assert (body["on_partial"], body["deadline"]) == ("stop", "2027-01-01T00:00:00Z")


def test_an_error_names_the_request_and_the_kind_of_problem() -> None:
    problem = {"type": "urn:bulkfax:problem:repeat", "title": "t", "status": 409, "detail": "d", "batch": "b0"}
    answer = httpx.Response(409, headers={"X-Request-Id": "r-7"}, json=problem)
    with sync_client(Answers(answer)) as client, pytest.raises(ApiError) as caught:
        client.create_batch(NewBatch(name="n"))
    error = caught.value
    assert (error.request_id, error.problem.type, error.problem.batch) == ("r-7", problem["type"], "b0")


def test_several_states_are_several_parameters() -> None:
    for _, answers in both(
        lambda client: client.jobs("b1", state=["failed", "expired"], category="busy"),
        httpx.Response(200, json={"jobs": [], "next": None}),
    ):
        (request,) = answers.requests
        assert request.url.params.get_list("state") == ["failed", "expired"]
