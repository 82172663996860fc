"""A provider in memory behind the real client: requests become bytes, and answers may be any bytes at all."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import unquote

import httpx

from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.core.outcome import FaxUpdate, SendOutcome
from dispatcher.sinch.auth import Basic
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.wire import ATTEMPT_LABEL, JOB_LABEL, FaxQuery, ListPage
from tests.service.default_policy_system import DefaultPolicySystem, Line
from tests.service.fake_provider import Call
from tests.store.fixture import StoreFixture


class WireLine(Line):
    """``odd`` gives the answer to a request instead of the true one, from its method and path; None: the true one."""

    def __init__(self, db: StoreFixture) -> None:
        super().__init__(db)
        self.odd: Callable[[str, str], bytes | None] = lambda method, path: None
        #: the same for a POST, from the number that is called
        self.odd_to: Callable[[str], bytes | None] = lambda to: None
        self.reads = 0
        self.client = FaxClient(HttpPool(transport=_Wire(self)), Basic("key", "secret"), "http://provider.test", "p")

    async def send(
        self, order: FaxOrder, *, total_s: float, may_send: object = None, failpoint: FailpointHook = no_failpoint
    ) -> SendOutcome:
        return await self.client.send(order, total_s=total_s, may_send=may_send if callable(may_send) else None)

    async def fax(self, fax_id: str, *, total_s: float) -> FaxUpdate | None:
        return await self.client.fax(fax_id, total_s=total_s)

    async def list_page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        return await self.client.list_page(query, page, total_s=total_s)

    def answer(self, method: str, path: str, query: httpx.QueryParams, body: bytes) -> bytes | dict[str, object]:
        """The whole answer, or the JSON of a good one."""
        self.sends += method == "POST"
        self.reads += method == "GET"
        odd = self.odd(method, path)
        if odd is not None:
            return odd
        if method == "POST":
            order = json.loads(body)
            if (refused := self.odd_to(order["to"])) is not None:
                return refused
            return _shown(self._take(FaxOrder(to=(order["to"],), labels=order["labels"])))
        if path.endswith("/faxes"):
            matching = [call for call in self.calls if call.to.startswith(query.get("to", ""))]
            return {"faxes": [_shown(call) for call in matching], "page": 1, "totalPages": 1}
        name = unquote(path.rpartition("/")[2])
        missing: dict[str, object] = {"code": "404", "message": "no such fax"}
        return next((_shown(call) for call in self.calls if call.id == name), missing)


class _Wire(httpx.AsyncBaseTransport):
    def __init__(self, line: WireLine) -> None:
        self._line = line

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = b"".join([bytes(piece) async for piece in request.stream])
        answer = self._line.answer(request.method, request.url.path, request.url.params, body)
        if isinstance(answer, bytes):
            return _response(answer)
        status = 404 if answer.get("code") == "404" else 200
        return httpx.Response(status, stream=_Bytes(json.dumps(answer).encode()))


class _Bytes(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


def _response(raw: bytes) -> httpx.Response:
    """An answer as the network below would hand it up."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) < 2 or not words[1].isdigit() or len(head) > 100_000:
        raise httpx.RemoteProtocolError("no HTTP")
    headers = [(name, value.strip()) for name, _, value in (field.partition(":") for field in fields)]
    kept = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return httpx.Response(int(words[1]), headers=kept, stream=_Bytes(body))


def _shown(call: Call) -> dict[str, object]:
    fax_update = call.fax_update
    return {
        "id": call.id,
        "to": call.to,
        "status": {"unfinished": "IN_PROGRESS"}.get(fax_update.status, fax_update.status.upper()),
        "labels": {JOB_LABEL: call.job, ATTEMPT_LABEL: str(call.attempt)},
        "createTime": _time(call.created_ms),
        "completedTime": _time(call.ended_ms) if call.ended_ms else None,
        "errorType": fax_update.error_type or None,
        "errorCode": fax_update.error_code or None,
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class WireSystem(DefaultPolicySystem):
    """A system with the default policy whose provider speaks HTTP."""

    def __init__(self, db: StoreFixture, url: str) -> None:
        self.wire = WireLine(db)
        super().__init__(db, url, self.wire)
