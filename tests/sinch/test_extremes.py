"""Attacks of a provider on every entry point: sizes, characters, numbers, nesting, compression.

Each ends in a bounded, printable result or in an error of the client, within little memory.
"""

import gzip
import itertools
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dispatcher.sinch.callbacks import MAX_FAX_BYTES, MAX_STRING_BYTES, CallbackReader
from dispatcher.sinch.coerce import MAX_ITEMS, MAX_NUMBER, MAX_TEXT_CHARS, MAX_VALUES, json_object
from dispatcher.sinch.errors import CallbackError, SinchError, UnreadableError
from dispatcher.sinch.pool import MAX_ERROR_BYTES, MAX_RESPONSE_BYTES
from dispatcher.sinch.saving import DOCUMENT
from tests.sinch.operations import (
    CALLBACK,
    FAX_ANSWER,
    FAX_ID,
    OPERATIONS,
    PDF,
    REFUSAL,
    AnyProvider,
    Operation,
    client_of,
    impatient,
    pages,
    values_in,
)

__all__ = ["impatient"]
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("impatient")]

_MB = 1_000_000

#: what stands in place of every value of an answer
EXTREMES: dict[str, Any] = {
    "null": None,
    "true": True,
    "an empty text": "",
    "an object": {},
    "a list in a list": [[]],
    "minus one": -1,
    "a huge number": 10**400,
    "a huge negative number": -(10**400),
    "a number without end": float("inf"),
    "no number": float("nan"),
    "many digits": "9" * 30_000,
    "half a character": "\ud83d",
    "control characters": "a\x00b\x1b[2Jc\r\nd\x9be\u2028f",
    "much text": "x" * 30_000,
    "many blanks": " " * 30_000,
    "the year 9999": "9999-12-31T23:59:59-23:59",
    "the year 0": "0000-00-00T00:00:00Z",
    "a page": "<html><script>alert(1)</script></html>",
    "a path": "../../../etc/passwd",
    "a list of 1,500 texts": ["x"] * 1_500,
    "an object with 1,500 names": {f"{number:0250}": "y" for number in range(1_500)},
}


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def replaced(answer: Any, extreme: object) -> Any:
    """Return an answer with another value in every place, except for lists and objects with fixed names."""
    if isinstance(answer, dict):
        return {name: replaced(value, extreme) for name, value in answer.items()}
    if isinstance(answer, list):
        return [replaced(value, extreme) for value in answer]
    return extreme


def assert_bounded(value: object) -> None:
    if isinstance(value, str):
        assert len(value.encode()) <= 4 * MAX_TEXT_CHARS
        assert value.isprintable() or value.splitlines() == [value], value[:100]
    elif isinstance(value, int | float):
        assert abs(value) <= MAX_NUMBER or value == pytest.approx(4_102_444_800_000)


async def assert_result_is_bounded(operation: Operation, provider: AnyProvider, folder: Path) -> None:
    async with client_of(provider) as client:
        try:
            result = await operation.call(client, provider, folder)
        except SinchError as error:
            result = error
    for value in values_in(result):
        assert_bounded(value)


JSON_OPERATIONS = {name: operation for name, operation in OPERATIONS.items() if isinstance(operation.answer, dict)}


@pytest.mark.parametrize("name", JSON_OPERATIONS)
async def test_no_value_in_place_of_every_field_passes_unbounded(name: str, tmp_path: Path) -> None:
    operation = JSON_OPERATIONS[name]
    for extreme in EXTREMES.values():
        bodies = [replaced(operation.answer, extreme)]
        if "id" in operation.answer:
            bodies.append({**replaced(operation.answer, extreme), "id": FAX_ID})
        for body in bodies:
            encoded = json.dumps(body).encode()
            provider = AnyProvider(body=lambda encoded=encoded: iter([encoded]))  # type: ignore[misc]
            await assert_result_is_bounded(operation, provider, tmp_path)


@pytest.mark.parametrize("name", ["send", "read", "faxes.get", "download", "token"])
async def test_no_value_in_a_refusal_passes_unbounded(name: str, tmp_path: Path) -> None:
    for status, extreme in itertools.product((400, 404, 422), EXTREMES.values()):
        encoded = json.dumps(replaced(REFUSAL, extreme)).encode()
        provider = AnyProvider(status=status, body=lambda encoded=encoded: iter([encoded]))  # type: ignore[misc]
        await assert_result_is_bounded(OPERATIONS[name], provider, tmp_path)


def endless(chunk: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.repeat(chunk)


def bomb(chunk: bytes) -> Callable[[], Iterator[bytes]]:
    """Return a gzip body that is a thousand times larger when it is decompressed, and has no end."""

    def chunks() -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=31)
        while True:
            yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)

    return chunks


def many(opening: bytes, closing: bytes, count: int) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([opening * count + closing * count])


#: whole answers: body and headers
BODIES: dict[str, tuple[Callable[[], Iterator[bytes]], dict[str, str]]] = {
    "endless": (endless(b"x" * 65_536), {}),
    "endless objects": (endless(b'{"id":' * 10_000), {}),
    "a gzip bomb": (bomb(b"x" * _MB), {"Content-Encoding": "gzip"}),
    "gzip within gzip": (lambda: iter([gzip.compress(gzip.compress(b"x" * _MB))]), {"Content-Encoding": "gzip, gzip"}),
    "nested 100,000 times": (many(b'{"a":', b"}", 100_000), {}),
    "nested 900 times": (many(b'{"fax":', b"}", 900), {}),
    "a million objects": (lambda: iter([b'{"faxes":[' + b"{}," * _MB + b"{}]}"]), {}),
    "a number of a million digits": (lambda: iter([b'{"id":' + b"9" * _MB + b"}"]), {}),
    "NUL": (lambda: iter([b"\x00" * _MB]), {}),
    "nothing": (lambda: iter([]), {}),
    "3 MB of an id": (lambda: iter([b'{"id":"' + b"x" * 3 * _MB + b'"}']), {}),
    "3 MB of a message": (lambda: iter([b'{"message":"' + b"1 " * _MB + b'"}']), {}),
}


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("attack", BODIES)
async def test_no_answer_is_read_without_end(attack: str, status: int, tmp_path: Path) -> None:
    body, headers = BODIES[attack]
    for name in ("send", "list", "services.get", "token", "download"):
        operation = OPERATIONS[name]
        provider = AnyProvider(status=status, body=body, headers={"Content-Type": operation.content_type, **headers})
        await assert_result_is_bounded(operation, provider, tmp_path)
        is_bomb = "Content-Encoding" in headers
        allowed = MAX_RESPONSE_BYTES if status == 200 else MAX_ERROR_BYTES
        assert provider.sent_bytes <= (1_000 + allowed / 100 if is_bomb else allowed + 4 * _MB), name
    assert files_in(tmp_path) == {}


def test_a_body_of_millions_of_values_is_not_parsed() -> None:
    body = b'{"faxes":[' + b"{}," * 4 * _MB + b"{}]}"
    tracemalloc.start()
    parsed = json_object(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert parsed is None
    assert peak < _MB


@pytest.mark.parametrize("kind", [CALLBACK, {"event": "FAX_COMPLETED", "fax": "x"}], ids=["object", "text"])
@pytest.mark.parametrize("opening", [b'{"event":"', b'{"a":"\\', b'"', b"[", b"{", b"\\", b'","', b"\xff", b"1"])
def test_no_callback_is_kept_beyond_its_bound(kind: dict[str, object], opening: bytes) -> None:
    reader = CallbackReader("application/json")
    with suppress(CallbackError):
        for _ in range(100):
            reader.feed(opening * (65_536 // len(opening)))
            assert len(reader._json.kept) <= MAX_FAX_BYTES + 65_536
        reader.feed(json.dumps(kind).encode())
    with pytest.raises(CallbackError):
        reader.finish()


def test_the_document_of_a_json_callback_is_not_kept() -> None:
    reader = CallbackReader("application/json")
    reader.feed(b'{"event":"FAX_COMPLETED","file":"')
    for _ in range(400):
        reader.feed(b"JVBERi0x" * 8_192)
    reader.feed(b'","fax":' + json.dumps(FAX_ANSWER).encode() + b"}")
    assert len(reader._json.kept) < 4_000
    assert reader.finish().fax_id == FAX_ID


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_a_json_callback_reads_the_same_however_it_is_cut(size: int) -> None:
    fax = {**FAX_ANSWER, "errorMessage": 'a "quoted" \\ text \\" with \u00e9 and \\\\', "x": "\\" * 50, "y": '"' * 50}
    long = "z" * (MAX_STRING_BYTES + 1)
    body = json.dumps({"file": "y" * 2_000, "a": long, "fax": fax, "b": long + "\\", "event": "FAX_COMPLETED"}).encode()
    whole, cut = CallbackReader("application/json"), CallbackReader("application/json")
    whole.feed(body)
    for start in range(0, len(body), size):
        cut.feed(body[start : start + size])
    assert cut.finish() == whole.finish()
    assert json.loads(cut._json.kept) == {**json.loads(body), "a": "", "b": ""}


def test_a_part_of_a_multipart_callback_with_an_endless_header_is_refused() -> None:
    reader = CallbackReader("multipart/form-data; boundary=b")
    with pytest.raises(CallbackError, match="header"):
        reader.feed(b"--b\r\nContent-Disposition: " + b"x" * 5_000)


@pytest.mark.parametrize(
    "id_", ["x" * 201, "x" * 3 * _MB, "a\x00", "\ud800", "\x1b[2J", "..", "+12025550123", True, {}]
)
def test_an_id_that_cannot_be_genuine_is_refused_and_not_stored(id_: object) -> None:
    reader = CallbackReader("application/json")
    reader.feed(json.dumps({"event": "FAX_COMPLETED", "fax": {**FAX_ANSWER, "id": id_}}).encode())
    with pytest.raises(CallbackError, match="without a usable id"):
        reader.finish()


@pytest.mark.parametrize("name", ["list", "faxes.page", "services.iter_all"])
async def test_a_page_with_too_many_items_is_unreadable_and_not_cut(name: str, tmp_path: Path) -> None:
    """A list that is cut would prove that a fax does not exist."""
    key, items = next((key, value) for key, value in OPERATIONS[name].answer.items() if isinstance(value, list))
    body = json.dumps(pages(key, items[0]) | {key: items * (MAX_ITEMS + 1)}).encode()
    async with client_of(AnyProvider(body=lambda: iter([body]))) as client:
        with pytest.raises(UnreadableError):
            await OPERATIONS[name].call(client, AnyProvider(), tmp_path)


async def test_a_list_that_never_ends_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.sinch.paging.MAX_LIST_PAGES", 50)
    numbers = itertools.count()
    provider = AnyProvider(body=lambda: iter([json.dumps({"services": [{"id": f"s{next(numbers)}"}]}).encode()]))
    async with client_of(provider) as client:
        with pytest.raises(UnreadableError, match="without an end"):
            [service async for service in client.services.iter_all()]
    assert next(numbers) == 50


def test_the_values_of_an_ordinary_list_are_far_below_the_bound() -> None:
    body = json.dumps({"faxes": [FAX_ANSWER] * MAX_ITEMS})
    assert body.count(",") + body.count("[") + body.count("{") < MAX_VALUES / 5


# -- downloads

#: what is no document: content type and content
NO_DOCUMENTS = {
    "a page": ("text/html", b"<html>sign in</html>"),
    "a page that claims to be a PDF": ("application/pdf", b"<html>sign in</html>"),
    "a PDF that claims to be a page": ("text/html; charset=utf-8", PDF),
    "JSON": ("application/json", b'{"id": 1}'),
    "a program": ("application/octet-stream", b"\x7fELF" + b"x" * 100),
    "nothing": ("application/pdf", b""),
    "the beginning of a PDF": ("application/pdf", b"%PD"),
    "a type with control characters": ("\x1b[2J/\x00", PDF),
    "too much": ("application/pdf", PDF + b"x" * DOCUMENT.max_bytes),
}


@pytest.mark.parametrize("case", NO_DOCUMENTS)
async def test_what_is_no_document_is_no_download(case: str, tmp_path: Path) -> None:
    content_type, content = NO_DOCUMENTS[case]
    target = tmp_path / "fax.pdf"
    target.write_bytes(b"old")
    provider = AnyProvider(body=lambda: iter([content]), headers={"Content-Type": content_type})
    async with client_of(provider) as client:
        with pytest.raises(UnreadableError, match="the content") as caught:
            await client.faxes.download(FAX_ID, target)
    assert str(caught.value).isprintable()
    assert files_in(tmp_path) == {"fax.pdf": b"old"}


@pytest.mark.parametrize("content", [PDF, b"II*\x00" + PDF, b"MM\x00*" + PDF])
@pytest.mark.parametrize("content_type", ["application/pdf", "IMAGE/TIFF; q=1", "application/octet-stream", ""])
async def test_a_document_is_saved_however_it_is_cut(content: bytes, content_type: str, tmp_path: Path) -> None:
    pieces = [content[:1], b"", content[1:3], content[3:]]
    provider = AnyProvider(body=lambda: iter(pieces), headers={"Content-Type": content_type} if content_type else {})
    async with client_of(provider) as client:
        assert await client.faxes.download(FAX_ID, tmp_path / "fax.pdf") == len(content)
    assert (tmp_path / "fax.pdf").read_bytes() == content


async def test_a_bomb_is_stopped_at_the_limit_of_a_document(tmp_path: Path) -> None:
    body = bomb(PDF + b"x" * _MB)
    provider = AnyProvider(body=body, headers={"Content-Type": "application/pdf", "Content-Encoding": "gzip"})
    async with client_of(provider) as client:
        with pytest.raises(UnreadableError, match="more than 50 MB"):
            await client.faxes.download(FAX_ID, tmp_path / "fax.pdf")
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize("content", [b"<html>", b"  <!doctype html>", b'{"faxes": []}'])
async def test_a_page_is_no_export(content: bytes, tmp_path: Path) -> None:
    provider = AnyProvider(body=lambda: iter([content]), headers={"Content-Type": "text/csv"})
    async with client_of(provider) as client:
        with pytest.raises(UnreadableError, match="no CSV"):
            await OPERATIONS["export"].call(client, provider, tmp_path)
    assert files_in(tmp_path) == {}
