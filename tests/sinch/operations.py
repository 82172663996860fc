"""Every operation of the client with an ordinary answer to it, and a provider in memory that gives any answer."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from dispatcher.sinch import auth as sinch_auth
from dispatcher.sinch import http as sinch_http
from dispatcher.sinch.auth import Auth, Basic, OAuth
from dispatcher.sinch.callbacks import CallbackReader
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.models import EmailNumber
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.services import ServiceSettings
from dispatcher.sinch.wire import FaxQuery
from tests.sinch.wire_client import FAX, LABELS

#: saves the time that loading certificates takes
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
FAX_ID = "01JGF3Q8V7ZC4M5N6P7R8S9T0V"
NUMBER = "+12025550123"
FAX_ANSWER: Mapping[str, Any] = {
    "id": FAX_ID,
    "direction": "OUTBOUND",
    "to": NUMBER,
    "from": "+12025550100",
    "status": "FAILURE",
    "labels": dict(LABELS.labels()),
    "errorType": "CALL_ERROR",
    "errorCode": 17,
    "errorMessage": "the line is busy",
    "numberOfPages": 3,
    "pagesSentSuccessfully": 1,
    "createTime": "2027-01-15T08:00:00Z",
    "completedTime": "2027-01-15T08:01:00Z",
    "price": {"amount": "0.045", "currencyCode": "USD"},
    "contentUrl": ["https://example.org/letter.pdf"],
    "callbackUrl": "https://example.org/callbacks",
    "coverPageData": {"name": "Ann"},
    "barCodes": [{"type": "CODE_128", "page": 1, "value": "x"}],
    "hasFile": True,
}
SERVICE = {"id": "01SERVICE", "name": "Letters", "defaultForProject": True, "numberOfRetries": 2}
EMAIL = {"email": "ann@example.org", "phoneNumbers": [{"number": NUMBER, "permissions": "both"}]}
COVER_PAGE = {"id": "01COVER", "name": "Cover", "createdTime": "2027-01-15T08:00:00Z"}
TOKEN = {"access_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "expires_in": 3600, "token_type": "bearer"}
CALLBACK = {"event": "FAX_COMPLETED", "eventTime": "2027-01-15T08:01:00Z", "fax": FAX_ANSWER, "file": "JVBERi0="}
REFUSAL = {
    "code": "404",
    "message": "no such number",
    "details": {"fieldViolations": [{"field": "to", "description": "must be a number"}]},
}
PDF = b"%PDF-1.7\n" + b"x" * 2_000


def pages(key: str, item: object) -> dict[str, object]:
    return {key: [item], "page": 1, "totalPages": 1, "totalItems": 1}


@dataclass
class AnyProvider(httpx.AsyncBaseTransport):
    """Answers every request with the same answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    #: the body in chunks; may have no end
    body: Callable[[], Iterator[bytes]] = lambda: iter(())
    #: the last request as text
    request: str = ""
    #: bytes of the body that were read, compressed
    sent_bytes: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        content = b"".join([bytes(chunk) async for chunk in request.stream])
        lines = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in request.headers.items())]
        self.request = "\n".join([*lines, "", content.decode("utf-8", "replace")])
        names = [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in self.headers.items()]
        return httpx.Response(self.status, headers=names, stream=_Chunks(self))


class _Chunks(httpx.AsyncByteStream):
    def __init__(self, provider: AnyProvider) -> None:
        self._provider = provider

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._provider.body():
            self._provider.sent_bytes += len(chunk)
            yield chunk


@asynccontextmanager
async def client_of(provider: AnyProvider, auth: Auth | None = None) -> AsyncIterator[FaxClient]:
    pool = HttpPool(transport=provider, context=NO_TLS)
    client = FaxClient(pool, auth or Basic("key", "secret"), "http://provider.test", "project")
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are not repeated, because the answer stays the same."""
    monkeypatch.setattr(sinch_http, "MAX_ATTEMPTS", 1)
    monkeypatch.setattr(sinch_auth, "TOKEN_ATTEMPTS", 1)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the client does, and the JSON or the bytes of an ordinary answer."""

    call: Callable[[FaxClient, AnyProvider, Path], Awaitable[object]]
    answer: Any
    content_type: str = "application/json"

    @property
    def body(self) -> bytes:
        return self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()


async def _all(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


async def _token(client: FaxClient, provider: AnyProvider, folder: Path) -> object:
    pool = HttpPool(transport=provider, context=NO_TLS)
    auth = OAuth(pool, "http://provider.test/token", "key", "secret")
    header = await auth.header()
    await auth.aclose()
    return header


async def _callback(client: FaxClient, provider: AnyProvider, folder: Path) -> object:
    reader = CallbackReader(provider.headers.get("Content-Type", ""))
    for chunk in provider.body():
        reader.feed(chunk)
    return reader.finish()


_BOUNDARY = "frontier"
_PARTS = "".join(
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    f"{value if isinstance(value, str) else json.dumps(value)}\r\n"
    for name, value in CALLBACK.items()
)
MULTIPART = f"{_PARTS}--{_BOUNDARY}--\r\n".encode()


def _operation(call: Callable[[FaxClient], Awaitable[object]], answer: Any) -> Operation:
    return Operation(call=lambda client, provider, folder: call(client), answer=answer)


_NUMBERS = [EmailNumber(number=NUMBER)]
_QUERY = FaxQuery()

#: every entry point for what the provider says
OPERATIONS: Mapping[str, Operation] = {
    "send": _operation(lambda client: client.send(FAX, total_s=5), FAX_ANSWER),
    "read": _operation(lambda client: client.fax(FAX_ID, total_s=5), FAX_ANSWER),
    "list": _operation(lambda client: client.list_page(_QUERY, 1, total_s=5), pages("faxes", FAX_ANSWER)),
    "check": _operation(lambda client: client.check(), pages("faxes", FAX_ANSWER)),
    "faxes.send": _operation(lambda client: client.faxes.send(FAX), {"faxes": [FAX_ANSWER]}),
    "faxes.get": _operation(lambda client: client.faxes.get(FAX_ID), FAX_ANSWER),
    "faxes.page": _operation(lambda client: client.faxes.page(_QUERY), pages("faxes", FAX_ANSWER)),
    "faxes.iter_all": _operation(
        lambda client: _all(client.faxes.iter_all(_QUERY, now_ms=1_800_000_000_000)), pages("faxes", FAX_ANSWER)
    ),
    "faxes.delete_content": _operation(lambda client: client.faxes.delete_content(FAX_ID), {}),
    "download": Operation(
        call=lambda client, provider, folder: client.faxes.download(FAX_ID, folder / "fax.pdf"),
        answer=PDF,
        content_type="application/pdf",
    ),
    "export": Operation(
        call=lambda client, provider, folder: client.faxes.export_csv(_QUERY, folder / "faxes.csv"),
        answer=b"id,to\n1,x\n",
        content_type="text/csv",
    ),
    "services.create": _operation(lambda client: client.services.create(ServiceSettings(name="x")), SERVICE),
    "services.get": _operation(lambda client: client.services.get("s"), SERVICE),
    "services.update": _operation(lambda client: client.services.update("s", ServiceSettings(name="x")), SERVICE),
    "services.delete": _operation(lambda client: client.services.delete("s"), {}),
    "services.iter_all": _operation(lambda client: _all(client.services.iter_all()), pages("services", SERVICE)),
    "numbers": _operation(
        lambda client: _all(client.services.walk_numbers("s")), pages("numbers", {"phoneNumber": NUMBER})
    ),
    "emails.add": _operation(lambda client: client.emails.add("s", "a@example.org", _NUMBERS), EMAIL),
    "emails.update": _operation(lambda client: client.emails.update("s", "a@example.org", _NUMBERS), EMAIL),
    "emails.iter_all": _operation(lambda client: _all(client.emails.iter_all("s")), pages("emails", EMAIL)),
    "emails.of_number": _operation(
        lambda client: _all(client.emails.walk_of_number("s", NUMBER)), pages("emails", "ann@example.org")
    ),
    "emails.numbers": _operation(
        lambda client: _all(client.emails.walk_numbers("s", "a@example.org")), pages("phoneNumbers", NUMBER)
    ),
    "cover_pages.add": _operation(lambda client: client.cover_pages.add("s", "Cover", PDF), COVER_PAGE),
    "cover_pages.get": _operation(lambda client: client.cover_pages.get("s", "c"), COVER_PAGE),
    "cover_pages.iter_all": _operation(
        lambda client: _all(client.cover_pages.iter_all("s")), pages("coverPages", COVER_PAGE)
    ),
    "token": Operation(call=_token, answer=TOKEN),
    "callback as JSON": Operation(call=_callback, answer=CALLBACK),
    "callback as multipart": Operation(
        call=_callback, answer=MULTIPART, content_type=f"multipart/form-data; boundary={_BOUNDARY}"
    ),
}


def values_in(result: object) -> Iterator[object]:
    """Yield all texts and numbers in a result or an error."""
    if isinstance(result, str | int | float):
        yield result
    elif isinstance(result, BaseException):
        yield from (str(result), *values_in(vars(result)))
    elif isinstance(result, BaseModel):
        yield from values_in(dict(result))
    elif is_dataclass(result):
        yield from values_in([getattr(result, item.name) for item in fields(result)])
    elif isinstance(result, Mapping):
        yield from values_in([*result.keys(), *result.values()])
    elif isinstance(result, list | tuple):
        for item in result:
            yield from values_in(item)
