"""A hostile provider: any answer and any callback may be replaced by extremes, while the faxes go on as usual.

The ledger still tells the truth. Values that lie convincingly, which no client could tell from the truth, are left
alone: the status of a fax, its labels, and which faxes a list contains.
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from random import Random
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: values in place of any field, by name
EXTREMES: Mapping[str, Any] = {
    "null": None,
    "true": True,
    "empty": "",
    "object": {},
    "list": [[[]]],
    "huge": 10**400,
    "negative": -(2**63),
    "nan": float("nan"),
    "infinite": float("-inf"),
    "digits": "9" * 5_000,
    "half": "cut \ud83d",
    "control": "\x00\x1b[2J\x1b]0;x\x07\r\nnext \x9b",
    "long": "x" * 200_000,
    "deep": json.loads("[" * 500 + "]" * 500),
    "zero": "0000-01-01T00:00:00Z",
    "far": "9999-12-31T23:59:59-23:59",
    "page": "<html><script>alert(1)</script></html>",
    "path": "../../../etc/passwd",
    "number": -1,
}
#: fields whose value is left alone, because a wrong one would be a lie and no extreme
_TRUE_FIELDS = frozenset({"status", "labels", "event", "to", "faxes"})
#: values of ``Retry-After``
_RETRY_AFTER = ("99999999999", "-5", "nan", "inf", "1e300", "9" * 4_000, "soon", "Fri, 31 Dec 9999 23:59:59 -9999", "0")
#: share of the fields of a hostile answer that are replaced
_FIELD_SHARE = 0.3
_CHUNK = b"x" * 65_536
#: chunks of an endless body: more than any client should read
_MANY_CHUNKS = 500
#: pauses between the bytes of a slow body (seconds), and their number
_SLOW_S, _SLOW_BYTES = 0.5, 60


class Hostility:
    """Draws which answers and callbacks are hostile, in the order in which they are asked for.

    ``share`` returns the present share of hostile ones, and the seed.
    """

    def __init__(self, share: Callable[[], tuple[float, int]], count_fault: Callable[[str], None]) -> None:
        self._share = share
        self.count_fault = count_fault
        self._draws = 0
        #: what was repeated of the last request
        self.echo = ""

    def draw(self) -> Random | None:
        """Return the dice for the next answer or callback; None if it is an ordinary one."""
        share, seed = self._share()
        if not share:
            return None
        self._draws += 1
        dice = Random(f"{seed} hostile {self._draws}")  # no secret
        return dice if dice.random() < share else None

    def callback(self, fields: dict[str, Any]) -> dict[str, Any] | bytes:
        """Return the fields of a callback as they are to be sent, or another body."""
        dice = self.draw()
        if dice is None:
            return fields
        self.count_fault("hostile callback")
        if dice.random() < 0.2:
            return dice.choice(_BODIES)
        changed: dict[str, Any] = hostile_value(dice, fields, self.echo)
        return changed


class HostileAnswers:
    """ASGI middleware that replaces answers to requests below ``prefixes``."""

    def __init__(self, app: ASGIApp, prefixes: tuple[str, ...], hostility: Hostility) -> None:
        self._app = app
        self._prefixes = prefixes
        self._hostility = hostility

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_ours = scope["type"] == "http" and scope["path"].startswith(self._prefixes)
        dice = self._hostility.draw() if is_ours else None
        if dice is None:
            await self._app(scope, receive, send)
            return
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        self._hostility.echo = echo = f"your request: Authorization: {header.decode('latin-1')}"
        if dice.random() < 0.4:
            self._hostility.count_fault("hostile refusal")
            is_send = scope["method"] == "POST" and scope["path"].endswith("/faxes")
            await _refusal(dice, f"{echo} {await _body(receive)}", is_send=is_send)(scope, receive, send)
            return
        answer = _Answer()
        await self._app(scope, receive, answer.take)
        self._hostility.count_fault("hostile answer")
        await _replaced(dice, answer, echo)(scope, receive, send)


class _Answer:
    """A response that was not sent."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    async def take(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


async def _body(receive: Receive) -> str:
    """Return the body of a request that is not passed on."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    return body.decode("utf-8", "replace")


def _refusal(dice: Random, echo: str, *, is_send: bool) -> Response:
    """Return a refusal with an echo of the request, which is not looked at: nothing is accepted."""
    status = dice.choice([429, 503, 500, 400, 400, 400] if is_send else [429, 503, 500])
    body = json.dumps({"code": echo, "message": f"\ud800\x1b[2J {echo} {'1 ' * 1_000}"}).encode()
    return Response(body, status, {"Retry-After": dice.choice(_RETRY_AFTER)}, "application/json")


def _replaced(dice: Random, answer: _Answer, echo: str) -> Response:
    """Return another response in place of a true one, with which the provider has acted on the request."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    if isinstance(value, dict) and dice.random() < 0.75:
        body = json.dumps(hostile_value(dice, value, echo)).encode()
        return Response(body, answer.status, media_type="application/json")
    if not 200 <= answer.status < 300:
        return Response(dice.choice(_BODIES), answer.status, media_type="text/html")
    kind = dice.choice(["body", "body", "redirect", "bomb", "twice", "endless", "slow"])
    if kind == "redirect":
        return Response(echo, 302, {"Location": f"https://example.org/?{'x' * 3_000}"})
    if kind == "twice":
        bomb = gzip.compress(gzip.compress(_CHUNK * 100))
        return Response(bomb, headers={"Content-Encoding": "gzip, gzip"})
    if kind in ("bomb", "endless", "slow"):
        headers = {"Content-Encoding": "gzip"} if kind == "bomb" else {}
        return StreamingResponse(_STREAMS[kind](), headers=headers, media_type="application/json")
    return Response(dice.choice(_BODIES), media_type="application/json")


_BODIES = (
    b"",
    b"null",
    b"[]",
    b"<!doctype html><title>hello</title>",
    b"\x00" * 10_000,
    b"[" * 100_000,
    b'{"id":' * 50_000,
    b'{"id":"' + b"x" * 3_000_000 + b'"}',
    b'{"id":' + b"9" * 10_000 + b"}",
    b'{"id":"\\ud800',
)


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(_MANY_CHUNKS):
        yield _CHUNK
        await asyncio.sleep(0)  # sending to a client that is gone does not wait


async def _bomb() -> AsyncIterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for _ in range(_MANY_CHUNKS):
        yield packer.compress(_CHUNK) + packer.flush(zlib.Z_SYNC_FLUSH)
        await asyncio.sleep(0)


async def _slow() -> AsyncIterator[bytes]:
    for _ in range(_SLOW_BYTES):
        yield b" "
        await asyncio.sleep(_SLOW_S)


_STREAMS: Mapping[str, Callable[[], AsyncIterator[bytes]]] = {"bomb": _bomb, "endless": _endless, "slow": _slow}


def hostile_value(dice: Random, value: Any, echo: str) -> Any:
    """Return a JSON value with some of its fields replaced by extremes or by an echo of the request."""
    if isinstance(value, list):
        return [hostile_value(dice, item, echo) for item in value]
    if not isinstance(value, dict):
        return value
    number = value.get("to", "")
    shown = dict(value)
    if "id" in value:
        shown["errorMessage"] = f"{echo} to {number}"
    for name, field in value.items():
        if isinstance(field, dict | list) and name in ("fax", "faxes"):
            shown[name] = hostile_value(dice, field, echo)
        elif name not in _TRUE_FIELDS and dice.random() < _FIELD_SHARE:
            shown[name] = dice.choice([*EXTREMES.values(), f"{echo} to {number}", f"{number}"])
    return shown
