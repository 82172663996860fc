"""Documents over HTTP: uploaded, shown, served under signed addresses."""

import errno
import hashlib
import time
from tempfile import SpooledTemporaryFile
from urllib.parse import urlsplit

import httpx
import pytest
import redis
from starlette.formparsers import MultiPartParser

from dispatcher.api import documents
from dispatcher.runtime import Runtime
from dispatcher.service.documents import document_url, open_part
from dispatcher.store.documents import CHUNK
from dispatcher.store.errors import UnreadableData
from tests.documents.pdfs import letter

pytestmark = pytest.mark.anyio

LETTER = letter(3)
SHA256 = hashlib.sha256(LETTER).hexdigest()


async def test_a_document_is_known_by_its_hash_however_it_is_sent(api: httpx.AsyncClient) -> None:
    header = {"Content-Disposition": "attachment; filename*=UTF-8''le%20tter.pdf", "Content-Type": "application/pdf"}
    first = await api.post("/v1/documents", content=LETTER, headers=header)
    again = await api.post("/v1/documents", files={"file": ("other.pdf", LETTER, "application/pdf")})
    assert first.status_code == 201
    known = {"id": SHA256, "size": len(LETTER), "pages": 3, "name": "le tter.pdf", "warnings": []}
    assert first.json().items() >= known.items()
    assert again.json() == first.json()
    assert (await api.get(f"/v1/documents/{SHA256}")).json() == first.json()


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"", 422, "empty"),
        (b"hello", 422, "not a PDF"),
        (LETTER[:300], 422, "cut off"),
        (b"%PDF-1.7\nnothing\n%%EOF\n", 422, "damaged"),
        (LETTER + b"\0" * 20_000_000, 413, "20,000,000"),
        (b"\0" * 21_000_001, 413, "21,000,000"),
    ],
    ids=["empty", "text", "cut off", "damaged", "over the provider's limit", "over the request's limit"],
)
async def test_what_is_no_sound_pdf_is_refused_with_a_sentence(
    api: httpx.AsyncClient, content: bytes, status: int, sentence: str
) -> None:
    answer = await api.post("/v1/documents", content=content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert sentence in answer.json()["detail"]


async def test_a_form_without_a_file_is_told_its_field(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/documents", files={"letter": ("a.pdf", LETTER)})
    assert (answer.status_code, "'file'" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize(("field", "status"), [("a" * 4_096, 201), ("a" * 4_097, 400)])
async def test_no_field_of_a_form_but_the_document_may_be_large(
    api: httpx.AsyncClient, field: str, status: int
) -> None:
    """They are kept in memory, of as many forms as there are connections."""
    answer = await api.post("/v1/documents", files={"file": ("a.pdf", LETTER)}, data={"note": field})
    assert answer.status_code == status


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n'
    + LETTER
    + b"\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("Multipart/Form-Data; boundary=x", FORM, 201),
        ("MULTIPART/FORM-DATA;Boundary=x", FORM, 201),
        ("Application/PDF", LETTER, 201),
        ("application/pdf", b"--\n" + LETTER, 201),
        *((content_type, FORM, 415) for content_type in ("application/pdf", "", "text/plain", "multipart-form-data")),
        *((f"multipart/{kind}; boundary=x", FORM, 415) for kind in ("mixed", "related", "form-data2")),
        ("application/pdf", b"A preamble.\r\n" + FORM, 415),
        ("application/pdf", FORM.replace(b"Content-Disp", b"Content-Type: application/pdf\r\ncontent-DISP"), 415),
        ("application/pdf", FORM.replace(b"\r\n", b"\n"), 415),
    ],
)
async def test_a_form_is_never_stored_as_a_document(
    api: httpx.AsyncClient, content_type: str, body: bytes, status: int
) -> None:
    """A PDF may have something around it, so a form with one would pass for one."""
    answer = await api.post("/v1/documents", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    if status == 201:
        assert answer.json()["id"] == hashlib.sha256(LETTER if body == FORM else body).hexdigest()


def test_files_of_forms_are_received_on_disk() -> None:
    assert MultiPartParser.spool_max_size == 65_536


@pytest.mark.parametrize("sha256", ["0" * 64, "x", f"{SHA256}:chunks"])
async def test_an_unknown_document_is_missing(api: httpx.AsyncClient, sha256: str) -> None:
    assert (await api.get(f"/v1/documents/{sha256}")).status_code == 404


async def test_a_signed_address_gives_the_document_without_a_key(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await api.post("/v1/documents", content=LETTER)
    url = document_url("http://localhost", SHA256, int(time.time()) + 60, runtime.callback_keys[0])
    answer = await api.get(url)
    assert (answer.content, answer.headers["content-type"]) == (LETTER, "application/pdf")
    assert answer.headers["content-length"] == str(len(LETTER))


@pytest.mark.parametrize("change", ["expired", "another document", "another time", "no signature"])
async def test_an_address_that_is_not_ours_or_has_expired_gives_nothing(
    api: httpx.AsyncClient, runtime: Runtime, change: str
) -> None:
    await api.post("/v1/documents", content=LETTER)
    expires_s = int(time.time()) + (-60 if change == "expired" else 60)
    url = document_url("", SHA256, expires_s, runtime.callback_keys[0])
    path, query = urlsplit(url).path, urlsplit(url).query
    forged = {
        "expired": f"{path}?{query}",
        "another document": f"/documents/{'0' * 64}?{query}",
        "another time": f"{path}?{query.replace(str(expires_s), str(expires_s + 1))}",
        "no signature": f"{path}?expires={expires_s}&signature=",
    }
    answer = await api.get(forged[change])
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:bulkfax:problem:forged")


async def test_a_full_store_of_documents_says_so(api: httpx.AsyncClient, runtime: Runtime) -> None:
    max_bytes = runtime.settings.documents_max_bytes
    await runtime.store.documents.put(b"\0" * max_bytes, "filler.pdf", 1)
    answer = await api.post("/v1/documents", content=LETTER)
    assert (answer.status_code, "BULKFAX_DOCUMENTS_MAX_BYTES" in answer.json()["detail"]) == (507, True)


@pytest.mark.parametrize("form", [False, True])
async def test_a_full_disk_refuses_a_document_and_says_so(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, form: bool
) -> None:
    """Large documents wait in temporary files for their turn."""

    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SpooledTemporaryFile, "write", write)
    monkeypatch.setattr(documents, "TemporaryFile", SpooledTemporaryFile)
    answer = await api.post(
        "/v1/documents", **({"files": {"file": ("a.pdf", LETTER)}} if form else {"content": LETTER})
    )
    assert (answer.status_code, "temporary files" in answer.json()["detail"]) == (507, True)


def disposition(rest: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; {rest}"}


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        ("", ""),
        ("filename=a.pdf", "a.pdf"),
        ('filename="a \\"b\\".pdf"; x=y', 'a "b".pdf'),
        ("filename*=utf-8'de'%C3%BC.pdf; filename=u.pdf", "ü.pdf"),
    ],
)
async def test_a_name_in_utf_8_is_kept(api: httpx.AsyncClient, rest: str, name: str) -> None:
    answer = await api.post("/v1/documents", content=LETTER, headers=disposition(rest))
    assert (answer.status_code, answer.json()["name"]) == (201, name or None)


BAD_NAMES = {
    "utf-7": "filename*=utf-7''+2AA-",
    "idna": "filename*=idna''xn--a",
    "unicode escape": "filename*=unicode_escape''%5Cud800",
    "Latin-1": "filename*=iso-8859-1''%E4",
    "in pieces": "filename*0*=x''%ff; filename*1=a",
    "half a surrogate": "filename*=utf-8''%ED%A0%80",
    "not UTF-8": 'filename="\xff"',
    "a path": "filename=../../etc/passwd",
    "an encoded path": "filename*=utf-8''..%2Fa",
    "a path of Windows": 'filename="C:\\letters\\a.pdf"',
    "an escape sequence": "filename*=utf-8''%1B%5B31m",
    "a line end": "filename*=utf-8''a%0D%0Ab",
    "too long": f"filename={'a' * 201}",
    "no parameter": "filename",
    "an open quote": 'filename="a',
}


@pytest.mark.parametrize("rest", BAD_NAMES.values(), ids=BAD_NAMES)
async def test_a_name_that_could_do_harm_is_refused_in_header_and_form(api: httpx.AsyncClient, rest: str) -> None:
    header = await api.post(
        "/v1/documents",
        content=LETTER,
        headers=[(b"Content-Disposition", disposition(rest)["Content-Disposition"].encode("latin-1"))],
    )
    part = f'--x\r\nContent-Disposition: form-data; name="file"; filename=a; {rest}\r\n\r\n'.encode("latin-1")
    form = await api.post(
        "/v1/documents",
        content=part + LETTER + b"\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    for answer in (header, form):
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    assert (await api.get(f"/v1/documents/{SHA256}")).status_code == 404


@pytest.mark.parametrize("charset", ["utf-7", "idna", "unicode_escape", "utf-8x", '"rot13"', "*=x"])
async def test_a_form_names_no_codec(api: httpx.AsyncClient, charset: str) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nb\r\n--x--\r\n'
    header = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    assert (await api.post("/v1/documents", content=form, headers=header)).status_code == 415


async def signed_url(api: httpx.AsyncClient, runtime: Runtime) -> str:
    await api.post("/v1/documents", content=LETTER)
    return document_url("", SHA256, int(time.time()) + 60, runtime.callback_keys[0])


async def test_head_gives_the_headers_without_the_document(api: httpx.AsyncClient, runtime: Runtime) -> None:
    url = await signed_url(api, runtime)
    whole, head = [await request(url, headers={"X-Request-Id": "same"}) for request in (api.get, api.head)]
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == whole.headers
    assert head.headers["accept-ranges"] == "bytes"
    assert (await api.head(url.replace("signature=", "signature=0"))).status_code == 403


SIZE = len(LETTER)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=10-19", slice(10, 20)),
        ("bytes=10-", slice(10, SIZE)),
        ("bytes=-5", slice(SIZE - 5, SIZE)),
        (f"bytes=-{SIZE + 5}", slice(0, SIZE)),
        (f"bytes=5-{SIZE + 5}", slice(5, SIZE)),
        ("Bytes= 3-4 ", slice(3, 5)),
    ],
)
async def test_a_range_gives_a_part(api: httpx.AsyncClient, runtime: Runtime, header: str, part: slice) -> None:
    answer = await api.get(await signed_url(api, runtime), headers={"Range": header})
    assert (answer.status_code, answer.content) == (206, LETTER[part])
    assert answer.headers["content-range"] == f"bytes {part.start}-{part.stop - 1}/{SIZE}"
    assert int(answer.headers["content-length"]) == part.stop - part.start


@pytest.mark.parametrize(
    "header", ["", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", f"bytes={'9' * 19}-"]
)
async def test_a_range_that_cannot_be_understood_gives_all(
    api: httpx.AsyncClient, runtime: Runtime, header: str
) -> None:
    answer = await api.get(await signed_url(api, runtime), headers={"Range": header})
    assert (answer.status_code, answer.content) == (200, LETTER)


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=-0", f"bytes={'9' * 18}-"])
async def test_a_range_behind_the_end_is_refused(api: httpx.AsyncClient, runtime: Runtime, header: str) -> None:
    answer = await api.get(await signed_url(api, runtime), headers={"Range": header})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize(("tag", "status"), [(f'"{SHA256}"', 206), ('"other"', 200)])
async def test_a_range_of_another_document_gives_all(
    api: httpx.AsyncClient, runtime: Runtime, tag: str, status: int
) -> None:
    headers = {"Range": "bytes=0-0", "If-Range": tag}
    assert (await api.get(await signed_url(api, runtime), headers=headers)).status_code == status


async def test_a_part_of_a_document_over_several_chunks(api: httpx.AsyncClient, runtime: Runtime) -> None:
    content = bytes(range(256)) * 4096
    info = await runtime.store.documents.put(content, "a.pdf", 1)
    url = document_url("", info.sha256, int(time.time()) + 60, runtime.callback_keys[0])
    answer = await api.get(url, headers={"Range": "bytes=262000-600000"})
    assert answer.content == content[262000:600001]


async def test_the_last_bytes_of_a_part_of_a_damaged_document_are_kept_back(runtime: Runtime, redis_url: str) -> None:
    content = bytes(range(256)) * 4096
    info = await runtime.store.documents.put(content, "a.pdf", 1)
    with redis.Redis.from_url(redis_url) as client:
        (key,) = client.keys(f"*{info.sha256}*chunks*")
        client.lset(key, -1, b"x")
        client.config_resetstat()
        pieces = await open_part(runtime.store, info.sha256, range(1000, 600_000))
        pieces_sent = [await anext(pieces), await anext(pieces)]
        with pytest.raises(UnreadableData):
            await anext(pieces)
        reads = client.info("commandstats")["cmdstat_lindex"]["calls"]
    assert 0 < sum(map(len, pieces_sent)) < 599_000
    assert reads == -(-len(content) // CHUNK) + 1


async def test_no_part_of_a_damaged_document_is_given(api: httpx.AsyncClient, runtime: Runtime, redis_url: str) -> None:
    url = await signed_url(api, runtime)
    with redis.Redis.from_url(redis_url) as client:
        (key,) = client.keys(f"*{SHA256}*chunks*")
        client.lset(key, 0, b"x" * SIZE)
    answer = await api.get(url, headers={"Range": "bytes=0-0"})
    assert answer.status_code == 409
