"""Valid requests, forms, uploads and callbacks with something wrong in them: refused in full, or stored readably.

``MUTATION_SEED=n`` makes other requests than those of the seed 14. A failure prints its request and number.
"""

import asyncio
import json
import os
import re
import urllib.parse
from collections import Counter
from dataclasses import dataclass, replace
from io import BytesIO
from operator import attrgetter
from random import Random
from typing import IO, Any, NamedTuple

import pytest
import redis
from fastapi import FastAPI

from dispatcher.api.app import create_app
from dispatcher.child_process.runner import ChildLimits, ChildProcesses
from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.documents import check
from dispatcher.recipients.errors import RecipientListError
from dispatcher.recipients.read_rows import PIECE_BYTES, RowReader
from dispatcher.runtime import Runtime
from dispatcher.sinch.callback_url import callback_url
from tests.api.described import operations_of
from tests.documents.pdfs import letter
from tests.service.samples import draft, running
from tests.service.samples import number as sample_number

pytestmark = pytest.mark.anyio

SEED = int(os.environ.get("MUTATION_SEED", "14"))
REQUESTS = 4000
UPLOADS, UPLOAD_ROWS, READ_ALL = 20, 2_000, 1_000_000
#: callbacks are no part of the OpenAPI document: the provider's is theirs
CALLBACK_STATUSES = {200, 400, 403, 404, 405, 413, 415, 422}
JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def send(app: FastAPI, request: Request) -> Answer:
    """Call the application as the server does: what the server itself refuses does not get here."""
    raw_path, _, query = request.target.partition("?")
    start: dict[str, Any] = {"status": 0, "headers": ()}
    body = bytearray()
    waiting = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else await asyncio.Event().wait()  # type: ignore[return-value]  # never returns

    async def take(message: Any) -> None:
        start.update(message)
        body.extend(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": request.method,
        "path": urllib.parse.unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "headers": list(request.headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "root_path": "",
        "state": {},
    }
    await app(scope, receive, take)
    return Answer(start["status"], dict(start["headers"]), bytes(body))


def templates(batch: str, sha256: str, callback: str) -> list[Request]:
    """One valid request, at least, for every way in."""
    content = {"documents": [sha256], "content_urls": ["https://example.com/a.pdf"]}
    options = {"from": "+12025550100", "header_text": "a", "cover_page_id": "c", "cover_page_data": {"name": "b"}}
    times = {"deadline": "2090-01-01T00:00:00Z", "start_at": "2030-01-01T00:00:00+01:00"}
    new_batch = {"name": "a", "weight": 2, "default_country": "US", "options": options, **times, **content}
    fax = {"to": "+12025550101", "country": "US", "reference": "r", "fields": {"a": "b"}, **content}
    event = {
        "event": "FAX_COMPLETED",
        "eventTime": "2026-01-01T00:00:00Z",
        "fax": {"id": "01F", "status": "FAILURE", "to": "+12025550101", "errorType": "CALL_ERROR", "errorCode": 17},
    }
    form = b'--x\r\nContent-Disposition: form-data; name="%b"; filename="a.pdf"\r\n\r\n%b\r\n--x--\r\n'
    multipart = (b"content-type", b"multipart/form-data; boundary=x")
    recipients = f"/v1/batches/{batch}/recipients"
    event_form = b'--x\r\nContent-Disposition: form-data; name="event"\r\n\r\nFAX_COMPLETED\r\n'
    return [
        Request("POST", "/v1/batches", (JSON, (b"idempotency-key", b"k")), json.dumps(new_batch).encode()),
        Request("POST", "/v1/batches", (JSON,), json.dumps(new_batch).encode()),
        Request("POST", "/v1/faxes", (JSON,), json.dumps({**fax, "allow_repeat": True}).encode()),
        Request("POST", "/v1/faxes", (JSON, (b"idempotency-key", b"f")), json.dumps(fax).encode()),
        Request("POST", recipients, ((b"content-type", b"text/csv"),), b'fax,name\n+12025550101,"a"\n12,b\n'),
        Request("POST", recipients, ((b"content-type", b"application/x-ndjson"),), b'{"fax":"+12025550103"}\n"12"\n'),
        Request("POST", recipients, (JSON, (b"idempotency-key", b"u")), b'[{"fax":"+12025550105","a":"b"},"12"]'),
        Request("POST", "/v1/documents", ((b"content-disposition", b'attachment; filename="a.pdf"'),), letter(1)),
        Request("POST", "/v1/documents", (multipart,), form % (b"file", letter(1))),
        Request("PATCH", "/v1/account/rate", (JSON,), b'{"per_second":5.0,"per_minute":100,"per_day":1000}'),
        Request("POST", "/v1/account/resume", (JSON,), b'{"accept_rollback":true}'),
        Request("POST", f"/v1/batches/{batch}/rerun", (JSON,), b'{"reason":"r","start":false}'),
        *(Request("POST", f"/v1/batches/{batch}/{command}") for command in ("start", "pause", "resume", "cancel")),
        Request("GET", f"/v1/batches?limit=10&after={batch}"),
        Request("GET", f"/v1/batches/{batch}/jobs?state=failed&category=a&reference=r&number=%2B1202&after=0&limit=5"),
        Request("GET", f"/v1/batches/{batch}/refused?after=0&limit=5"),
        Request("GET", f"/v1/batches/{batch}/report"),
        Request("GET", f"/v1/jobs/{batch}.0"),
        Request("GET", f"/v1/documents/{sha256}"),
        Request("GET", f"/documents/{sha256}?expires=4000000000&signature={'0' * 64}"),
        Request("DELETE", "/v1/account/holds/country%3AAQ"),
        Request("POST", callback, (JSON,), json.dumps(event).encode()),
        Request("POST", callback, (multipart,), event_form + form % (b"fax", json.dumps(event["fax"]).encode())),
        Request("POST", "/callbacks/sinch/incoming", (JSON,), b"{}"),
    ]


EXTREMES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, 10**400, float("nan"), float("inf"), "", "0", [], {}, [[]], {"a": {"b": [1]}}),
    *("\ud800", "\0", "\x1b[31m", "a" * 10_001, "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "١٢", "²"),
    *("2026-01-01", "http://[::1", "=1+1", "../../etc/passwd", "https://example.com/" + "a" * 3000, {"\udfff": "a"}),
)
PIECES = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", b'"', b"{", b"[" * 2000, b"]", b",", b"\r\n", b"\n", b"--x\r\n", b"9" * 5000),
    *(b"\\ud800", b"\x1b[0m", b"1e400", b"a" * 70_000, b"\xef\xbb\xbf", b"%PDF-", b"null", b"=", b";", b"*"),
)
SEGMENTS = (
    *("", "%00", "%ff", "%ED%A0%80", "..", "%2e%2e", "9" * 5000, "-1", "%D9%A3", "*", "%7B%7D", "a:b", "%0d%0a"),
    *("a" * 3000, "x.0", "x." + "9" * 5000, "true", "1e3", "0x1", "%C2%B2", "+1", "%20", "failed", "%1b%5b31m"),
)
VALUES = (
    *(b"", b"\xff", b"text/csv; charset=utf-7", b"text/csv; charset=idna", b"application/json; charset=utf-16"),
    *(b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=x; charset=idna"),
    *(b"multipart/form-data; boundary*=utf-7''x", b"application/x-www-form-urlencoded", b"a" * 10_000, b"gzip", b"*/*"),
    *(b"attachment; filename*=unicode_escape''%5Cud800", b"attachment; filename*0*=x''%ff; filename=0", b"9" * 5000),
    *(b"http://[::1", b"[::1", b"null", "²".encode(), b"localhost:99999", b"-1", b"text/", b"/", b";", b"charset=x"),
)
NAMES = (
    *(b"content-type", b"content-disposition", b"content-encoding", b"content-length", b"idempotency-key", b"origin"),
    *(b"host", b"authorization", b"accept", b"expect", b"range", b"if-none-match", b"x-forwarded-host", b"cookie"),
)


def mutated(request: Request, random: Random) -> Request:
    """Change one to three things."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        kinds = [with_other_header, with_other_target]
        kinds += [with_other_bytes, with_other_value, with_other_value] if request.body else []
        request = random.choice(kinds)(request, random)
    if random.random() < 0.02:
        return replace(request, method=random.choice(("HEAD", "OPTIONS", "PUT", "DELETE", "GET", "POST", "TRACE", "a")))
    return request


def with_other_header(request: Request, random: Random) -> Request:
    headers = list(request.headers)
    if headers and random.random() < 0.3:
        headers.pop(random.randrange(len(headers)))
    else:
        headers.insert(random.randrange(len(headers) + 1), (random.choice(NAMES), random.choice(VALUES)))
    return replace(request, headers=tuple(headers))


def with_other_target(request: Request, random: Random) -> Request:
    parts = re.split(r"([/?&=])", request.target[1:])
    place = random.randrange(0, len(parts), 2)
    parts[place] = random.choice(SEGMENTS)
    return replace(
        request, target="/" + "".join(parts) + random.choice(("", "", "", "/", "?limit=-1", "&after=" + "9" * 50))
    )


def with_other_bytes(request: Request, random: Random) -> Request:
    start, end = sorted(random.randrange(len(request.body) + 1) for _ in range(2))
    piece = random.choice(PIECES)
    match random.randrange(4):
        case 0:
            return replace(request, body=request.body[:start])
        case 1:
            return replace(request, body=request.body[:start] + piece + request.body[start:])
        case 2:
            return replace(request, body=request.body[:start] + request.body[end:])
    return replace(request, body=request.body[:start] + piece + request.body[end:])


def with_other_value(request: Request, random: Random) -> Request:
    """Replace one value inside JSON; other bodies are changed as bytes."""
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        return with_other_bytes(request, random)
    places: list[tuple[Any, Any]] = []
    open_values = [value]
    while open_values:
        outer = open_values.pop()
        keys = outer if isinstance(outer, dict) else range(len(outer)) if isinstance(outer, list) else ()
        places += [(outer, key) for key in keys]
        open_values += [outer[key] for key in keys]
    if not places:
        return with_other_bytes(request, random)
    outer, key = random.choice(places)
    if isinstance(outer, dict) and random.random() < 0.2:
        outer[random.choice(("\ud800", "", "a" * 300, "unknown"))] = outer.pop(key)
    else:
        outer[key] = random.choice(EXTREMES)
    return replace(request, body=json.dumps(value).encode())


def documented_statuses(method: str, path: str) -> set[int]:
    """Return the statuses that the OpenAPI document names for a request."""
    if path.startswith("/callbacks/"):
        return CALLBACK_STATUSES
    if path == "/":
        return {307, 400, 403, 405, 413, 415}
    operations = operations_of(path)
    if method.lower() in operations:
        return {int(status) for status in operations[method.lower()]["responses"]}
    return {400, 403, 405 if operations else 404, 413, 415}


# Starlette leaves the file of a form that is cut off to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_no_mutated_request_fails_or_leaves_half_of_itself_behind(
    runtime: Runtime, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChildProcesses, "answer", check_here)
    app = create_app(runtime)
    async with app.router.lifespan_context(app):
        with redis.Redis.from_url(redis_url) as client:
            counts = await attack(app, runtime, client)
        assert await everything_can_be_read(app) > 20
    refused = sum(count for status, count in counts.items() if status >= 400)
    assert refused > REQUESTS / 3  # the mutations bite
    assert counts[200] + counts[201] + counts[202] > REQUESTS / 20  # and do not bite too much


async def check_here(_: ChildProcesses, task: str, source: IO[bytes], *arguments: str, limits: ChildLimits) -> Any:
    """Check a document in this process. Hundreds of child processes would take minutes."""
    source.seek(0)
    output = BytesIO()
    check.run(source, output, *arguments)
    return json.loads(output.getvalue())


async def attack(app: FastAPI, runtime: Runtime, client: "redis.Redis") -> Counter[int]:
    sent: Counter[int] = Counter()
    sha256 = json.loads((await send(app, local(Request("POST", "/v1/documents", (), letter(1))))).body)["id"]
    batches = [await draft(runtime.store, 3), await running(runtime.store, 3)]
    for number in range(REQUESTS):
        random = Random(f"{SEED} {number}")
        batch = random.choice(batches)
        callback = callback_url("", f"{batch}.0", 1, runtime.callback_keys[0])
        request = local(mutated(random.choice(templates(batch, sha256, callback)), random))
        before = changes(client)
        replay = f"MUTATION_SEED={SEED}, request {number}: {request!r}"
        try:
            answer = await asyncio.wait_for(send(app, request), 10)
        except Exception as error:
            raise AssertionError(replay) from error
        path = urllib.parse.unquote(request.target.partition("?")[0])
        assert answer.status in documented_statuses(request.method, path), f"{answer}\n{replay}"
        assert answer.status < 500, f"{answer}\n{replay}"
        if answer.status >= 400:
            assert_problem(answer, request, replay)
            assert changes(client) - before <= allowed_changes(answer, path), f"{answer}\n{replay}"
        sent[answer.status] += 1
    return sent


def local(request: Request) -> Request:
    """Add what every client sends, unless the mutation has its own."""
    names = {name for name, _ in request.headers}
    extra = () if b"host" in names else ((b"host", b"localhost"),)
    return replace(request, headers=request.headers + extra)


def changes(client: "redis.Redis") -> int:
    """Number of changes since the server started."""
    return int(client.info("persistence")["rdb_changes_since_last_save"])


def allowed_changes(answer: Answer, path: str) -> int:
    """A refused callback is counted, and a key that is in use is kept longer. A list that breaks says what it keeps."""
    if path.startswith("/callbacks/") or answer.status == 409:
        return 1
    return 100 if path.endswith("/recipients") else 0


def assert_problem(answer: Answer, request: Request, replay: str) -> None:
    assert answer.headers[b"content-type"] == b"application/problem+json", f"{answer}\n{replay}"
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status, replay
    assert problem["title"], replay
    assert problem["detail"], replay


async def test_a_refused_upload_leaves_the_rows_that_a_reading_gives_up_to_a_line(runtime: Runtime) -> None:
    """The rows of a broken list are stored up to the line that the answer names, and no other row or part of one."""
    app = create_app(runtime)
    ends: Counter[str] = Counter()
    async with app.router.lifespan_context(app):
        for number in range(UPLOADS):
            random = Random(f"{SEED} upload {number}")
            batch = await draft(runtime.store)
            request = local(broken_list(f"/v1/batches/{batch}/recipients", random))
            answer = await asyncio.wait_for(send(app, request), 30)
            replay = f"MUTATION_SEED={SEED}, upload {number}: {answer} {request.headers}"
            stored = await stored_rows(runtime, batch)
            read, whole = reading(request, runtime)
            assert answer.status != 200 or whole, replay
            last = READ_ALL if answer.status == 200 else json.loads(answer.body).get("lines_stored") or 0
            assert stored == read.up_to(last), replay
            left = read.up_to(READ_ALL)
            left_rows = max(len(left.accepted) - len(stored.accepted), len(left.refused) - len(stored.refused))
            assert whole or left_rows < 1_000, replay  # it is stored in parts of 1,000 recipients or refused rows
            ends["whole" if answer.status == 200 else "part" if last else "nothing"] += 1
    assert ends["part"] > 2, ends


class Stored(NamedTuple):
    """Rows of one list, in order."""

    accepted: list[Recipient]
    refused: list[RefusedRow]

    def up_to(self, line: int) -> "Stored":
        """Return the rows up to a line, without repeated numbers."""
        first = {row.number: row for row in reversed(self.accepted) if row.line <= line}
        refused = [row for row in self.refused if row.line <= line]
        return Stored(sorted(first.values(), key=attrgetter("line")), refused)


def reading(request: Request, runtime: Runtime) -> tuple[Stored, bool]:
    """Read the list of a request without the API and the store: its rows up to the fault, and whether there is none."""
    content_type = next((value for name, value in request.headers if name == b"content-type"), b"").decode("latin-1")
    read = Stored([], [])
    try:
        reader = RowReader(content_type, "US", runtime.policy.destinations)
        for start in range(0, len(request.body) + 1, PIECE_BYTES):
            piece = request.body[start : start + PIECE_BYTES]
            rows = reader.read(piece, len(piece) < PIECE_BYTES)
            read.accepted.extend(rows.accepted)
            read.refused.extend(rows.refused)
    except RecipientListError:
        return read, False
    return read, True


async def stored_rows(runtime: Runtime, batch: str) -> Stored:
    store = runtime.store.batches
    stored, block = Stored([], []), 0
    while rows := await store.recipients(batch, block):
        assert len(await store.records(batch, block)) == len(rows)
        stored.accepted.extend(rows)
        block += 1
    for chunk in range(await store.refused_chunks(batch)):
        stored.refused.extend(await store.refused(batch, chunk))
    return stored


def broken_list(target: str, random: Random) -> Request:
    """Return an upload in one of the types, with some rows that are refused and with something wrong in it."""
    numbers = ["12" if random.random() < 0.1 else sample_number(row) for row in range(UPLOAD_ROWS)]
    rows = [{"fax": number, "name": f"n, {row}" * random.randrange(1, 8)} for row, number in enumerate(numbers)]
    csv = "fax,name\n" + "".join(f'{row["fax"]},"{row["name"]}"\n' for row in rows)
    kind, body = random.choice(
        (
            (b"text/csv", csv.encode()),
            (b"text/csv", csv.encode("utf-16")),
            (b"application/x-ndjson", "\n".join(map(json.dumps, rows)).encode()),
            *[(b"application/json", json.dumps(rows).encode())] * 3,
        )
    )
    if random.random() < 0.2:
        return with_other_header(Request("POST", target, ((b"content-type", kind),), body), random)
    good = random.choice((0, len(body) * 4 // 5, len(body) * 4 // 5))
    rest = with_other_bytes(Request("POST", target, ((b"content-type", kind),), body[good:]), random)
    return replace(rest, body=body[:good] + rest.body)


async def everything_can_be_read(app: FastAPI) -> int:
    """Read every list, batch, job and report. Returns the number of batches."""

    async def read(target: str) -> Any:
        answer = await send(app, local(Request("GET", target)))
        assert answer.status == 200, f"{target} {answer}"
        return json.loads(answer.body) if answer.headers[b"content-type"] == b"application/json" else answer.body

    await read("/v1/account")
    await read("/metrics/installation")
    after, seen = "", 0
    while after is not None:
        page = await read(f"/v1/batches?limit=100&after={after}")
        after, seen = page["next"], seen + len(page["batches"])
        for batch in page["batches"]:
            await read(f"/v1/batches/{batch['id']}")
            await read(f"/v1/batches/{batch['id']}/refused?limit=1000")
            await read(f"/v1/batches/{batch['id']}/report")
            jobs = (await read(f"/v1/batches/{batch['id']}/jobs?limit=1000"))["jobs"]
            for job in jobs[:5]:
                assert (await read(f"/v1/jobs/{job['id']}"))["id"] == job["id"]
    return seen
