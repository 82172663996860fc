"""``python -m benchmarks.attackers``: attacks a web process, eight at a time, and prints how each attack ended.

Reads the ``Target`` as JSON from standard input, and stops after ``seconds``. Prints {attack: {outcome: number}}. An
outcome is ``answered 422``, ``closed`` (by the server, without an answer) or ``left`` (by the attacker, after a while).
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

CONCURRENT = 8
_READ_BYTES = 256 * 1024
_MB = 1_000_000
_PIECE = b"a" * 65_536
_CSV, _JSON = "text/csv", "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is attacked, and for how long."""

    url: str
    api_key: str
    seconds: float
    #: seconds after which an attacker leaves a request
    patience_s: float
    #: multiplies the sizes of the attacks
    scale: float
    #: a draft with many rows, which is read
    large_batch: str
    #: path of a PDF
    document: str
    #: paths of genuine callback URLs, of faxes that have ended
    callbacks: tuple[str, ...]


class Attacks:
    """The attacks. Each method returns the pieces of one request."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._host = urlsplit(target.url).netloc
        self._callbacks = cycle(target.callbacks)

    def by_name(self) -> dict[str, Callable[[str], Iterable[bytes]]]:
        """Return the attacks. The argument is the id of an open draft."""
        return {
            "endless header, no key": lambda _: chain([b"GET / HTTP/1.1\r\nHost: x\r\nX: "], repeat(_PIECE)),
            "URL of 20 MB, no key": lambda _: chain([b"GET /"], self._letters(20), [b" HTTP/1.1\r\n\r\n"]),
            "10 MB of chunk extensions": lambda draft: self._chunked(draft, b"5;"),
            "10 MB of trailers": lambda draft: self._chunked(draft, b"5\r\nfax\n1\r\n0\r\nX: "),
            "list of 9,000 columns, 9 MB": lambda draft: self._list(draft, _CSV, self._wide()),
            "list of 300 columns, 9 MB": lambda draft: self._list(draft, _CSV, self._wide(300)),
            "30 MB of refused rows": lambda draft: self._list(draft, _CSV, self._refused()),
            "list with a string of 50 MB": lambda draft: self._list(draft, _JSON, chain([b'["'], self._letters(50))),
            "list of deep JSON": lambda draft: self._list(draft, _JSON, [b"[" * 100_000]),
            "draft of 141 kB": lambda _: self._post("/v1/batches", _JSON, self._large_draft()),
            "deep JSON": lambda _: self._post("/v1/batches", _JSON, b"[" * 100_000),
            "1 MB of empty lists": lambda _: self._post("/v1/batches", _JSON, b"[" + b"[]," * 330_000 + b"[]]"),
            "1 MB of unknown fields": lambda _: self._post("/v1/batches", _JSON, _unknown_fields()),
            "page of 100 batches": lambda _: self._get("/v1/batches?limit=100"),
            "page of 1,000 jobs": lambda _: self._get(f"/v1/batches/{self._target.large_batch}/jobs?limit=1000"),
            "jobs by reference": lambda _: self._get(f"/v1/batches/{self._target.large_batch}/jobs?reference=none"),
            "report": lambda _: self._get(f"/v1/batches/{self._target.large_batch}/report"),
            "callback with large texts": lambda _: self._callback("x" * 100_000, "y" * 200_000),
            "callback with half surrogates": lambda _: self._callback("\ud800", "\udfff" * 1000),
            "callback with 20 MB": lambda _: self._callback("id", "", "A" * round(20 * _MB * self._target.scale)),
            "document with an odd name": lambda _: self._document(),
            "body that stalls": lambda draft: self._list(draft, _CSV, [b"fax\n"]),
        }

    def draft(self) -> bytes:
        """Return the request for a draft, into which lists are sent."""
        body = json.dumps({"name": "attack", "content_urls": ["https://documents.example.com/letter.pdf"]}).encode()
        return b"".join(self._post("/v1/batches", _JSON, body))

    def _letters(self, megabytes: float) -> Iterator[bytes]:
        return repeat(_PIECE, round(megabytes * self._target.scale * _MB / len(_PIECE)))

    def _head(self, method: str, path: str, *lines: str) -> bytes:
        fixed = f"Host: {self._host}", f"Authorization: Bearer {self._target.api_key}", "Connection: close"
        return "\r\n".join([f"{method} {path} HTTP/1.1", *fixed, *lines, "", ""]).encode()

    def _get(self, path: str) -> list[bytes]:
        return [self._head("GET", path)]

    def _post(self, path: str, kind: str, body: bytes, *lines: str) -> list[bytes]:
        return [self._head("POST", path, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines), body]

    def _chunked(self, draft: str, start: bytes) -> Iterable[bytes]:
        path = f"/v1/batches/{draft}/recipients"
        head = self._head("POST", path, f"Content-Type: {_CSV}", "Transfer-Encoding: chunked")
        return chain([head, start], self._letters(10), [b"\r\n"])

    def _list(self, draft: str, kind: str, pieces: Iterable[bytes]) -> Iterable[bytes]:
        """Return the upload of a list, whose length is announced as 100 MB."""
        path = f"/v1/batches/{draft}/recipients"
        return chain([self._head("POST", path, f"Content-Type: {kind}", f"Content-Length: {100 * _MB}")], pieces)

    def _wide(self, columns: int = 9_000) -> Iterator[bytes]:
        yield b"fax," + b",".join(b"c%d" % column for column in range(columns - 1)) + b"\n"
        rows = round(9 * _MB * self._target.scale / columns)
        for row in range(rows):
            yield b"+1202555%04d" % (row % 10_000) + b"," * (columns - 1) + b"\n"

    def _refused(self) -> Iterator[bytes]:
        yield b'fax\n"'
        yield from repeat(b"x\n" * 30_000, round(30 * _MB * self._target.scale / 60_000))

    def _large_draft(self) -> bytes:
        fields = {f"{index:03}{'n' * 190}": "v" * 1000 for index in range(100)}
        urls = ["http://127.0.0.1:9/" + "u" * 1900] * 10
        return json.dumps(
            {"name": "x", "content_urls": urls, "options": {"cover_page_id": "x", "cover_page_data": fields}}
        ).encode()

    def _callback(self, fax: str, message: str, file: str = "") -> list[bytes]:
        update = {"id": fax, "status": "FAILURE", "errorMessage": message}
        body = json.dumps({"event": "FAX_COMPLETED", "fax": update, "file": file}).encode()
        return self._post(next(self._callbacks), _JSON, body)

    def _document(self) -> list[bytes]:
        name = "Content-Disposition: attachment; filename*=utf-7''+2AA-"
        return self._post("/v1/documents", "application/pdf", Path(self._target.document).read_bytes(), name)


def _unknown_fields() -> bytes:
    return json.dumps({f"f{index}": 0 for index in range(80_000)}).encode()


async def attack(target: Target, pieces: Iterable[bytes]) -> tuple[str, bytes]:
    """Make one request, and return how it ended and the answer's first bytes."""
    parts = urlsplit(target.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    sending = asyncio.ensure_future(_send(writer, pieces))
    try:
        async with asyncio.timeout(target.patience_s):
            start = await reader.read(_READ_BYTES)
            while await reader.read(_READ_BYTES):
                pass
    except TimeoutError:
        return "left", b""
    except ConnectionError:
        return "closed", b""
    finally:
        sending.cancel()
        writer.transport.abort()
    return (f"answered {start[9:12].decode()}", start) if start else ("closed", b"")


async def _send(writer: asyncio.StreamWriter, pieces: Iterable[bytes]) -> None:
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()


async def run(target: Target) -> dict[str, Counter[str]]:
    """Attack until the time is over."""
    attacks = Attacks(target)
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in attacks.by_name()}
    turns = cycle(attacks.by_name().items())

    async def attack_in_turn() -> None:
        while True:
            name, pieces = next(turns)
            try:
                outcome, _ = await attack(target, pieces(await _draft(attacks, target)))
            except OSError:
                outcome = "no connection"
            outcomes[name][outcome] += 1

    tasks = [asyncio.ensure_future(attack_in_turn()) for _ in range(CONCURRENT)]
    await asyncio.sleep(target.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return outcomes


async def _draft(attacks: Attacks, target: Target) -> str:
    """Create a draft and return its id; an id that does not exist when no more drafts are accepted."""
    _, answer = await attack(target, [attacks.draft()])
    start = answer.find(b"{")
    try:
        fields: dict[str, Any] = json.loads(answer[start:])
    except ValueError:
        fields = {}
    return str(fields.get("id", "none"))


def main() -> None:
    """Attack the target that standard input describes, and print the outcomes."""
    fields = json.load(sys.stdin)
    target = Target(**{**fields, "callbacks": tuple(fields["callbacks"])})
    print(json.dumps(uvloop.run(run(target))))


if __name__ == "__main__":
    main()
