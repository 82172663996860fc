"""Recipients over HTTP: streamed in, refused line by line, broken off and taken up again."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from dispatcher.runtime import Runtime
from tests.api.clients import served
from tests.service.samples import draft, number

pytestmark = pytest.mark.anyio

CSV = {"Content-Type": "text/csv"}
MESSY = (
    "\ufeffid,fax,country\r\n"
    "1,+1 202 555 0101,\r\n"
    "2,020 7946 0102,GB\r\n"
    "3,(202) 555-0101,US\r\n"
    "4,,US\r\n"
    "5,+1 202 555 0105 x7,\r\n"
).encode()


def csv(rows: int, first: int = 0) -> bytes:
    return b"fax\n" + "".join(f"{number(row)}\n" for row in range(first, first + rows)).encode()


async def upload(
    api: httpx.AsyncClient, batch: str, content: bytes | AsyncIterator[bytes], key: str = "k", kind: str = "text/csv"
) -> httpx.Response:
    headers = {"Content-Type": kind, "Idempotency-Key": key}
    return await api.post(f"/v1/batches/{batch}/recipients", content=content, headers=headers)


async def stored_lines(api: httpx.AsyncClient, batch: str) -> int:
    lines: int = (await api.get(f"/v1/batches/{batch}")).json()["lines"]
    return lines


async def test_every_line_of_a_messy_list_is_accounted_for(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    body = (await upload(api, batch, MESSY)).json()
    sample, columns = body.pop("refused_sample"), body.pop("columns")
    assert body == {
        "upload": "k",
        "lines": 5,
        "accepted": 2,
        "duplicates": 1,
        "refused": 2,
        "opted_out": 0,
        "suppressed": 0,
        "dry_run": False,
        "first_rows": [],
    }
    assert (columns["number"], columns["country"], columns["reference"]) == ("fax", "country", "id")
    assert [(row["line"], row["reason"]) for row in sample] == [(5, "empty"), (6, "extension")]
    shown = (await api.get(f"/v1/batches/{batch}")).json()
    assert (shown["rows"], shown["lines"], shown["refused_reasons"]) == (2, 5, {"empty": 1, "extension": 1})


async def test_rows_that_break_a_destination_rule_are_refused_with_the_rule(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    batch = await draft(runtime.store)
    body = (await upload(api, batch, b"fax\n+12025550101\n+19005550143\n+870773111632\n")).json()
    assert (body["accepted"], [row["reason"] for row in body["refused_sample"]]) == (1, ["number_type_not_allowed"] * 2)
    assert "destinations.forbidden_types" in body["refused_sample"][0]["detail"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-ndjson", b'{"number": "+1 202 555 0101"}\n{"number": "x"}\n'),
        ("application/json", b'[{"number": "+1 202 555 0101"}, {"number": "x"}]'),
        ("text/csv; charset=utf-8", b"fax\n+1 202 555 0101\nx\n"),
    ],
)
async def test_each_kind_of_list_is_read_by_its_content_type(
    api: httpx.AsyncClient, runtime: Runtime, kind: str, content: bytes
) -> None:
    batch = await draft(runtime.store)
    body = (await upload(api, batch, content, kind=kind)).json()
    assert (body["accepted"], body["refused"]) == (1, 1)


async def test_numbers_in_national_form_are_those_of_the_batch_s_country(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    batch = await draft(runtime.store, default_country="GB")
    await upload(api, batch, b"fax\n020 7946 0102\n")
    (job,) = (await api.get(f"/v1/batches/{batch}/jobs")).json()["jobs"]
    assert job["number"] == "+442079460102"


async def test_without_a_key_each_upload_is_one_of_its_own(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    first = (await api.post(f"/v1/batches/{batch}/recipients", content=csv(3), headers=CSV)).json()
    second = (await api.post(f"/v1/batches/{batch}/recipients", content=csv(3), headers=CSV)).json()
    assert first["upload"] != second["upload"]
    assert second["duplicates"] == 3


@pytest.mark.parametrize(
    ("kind", "content", "status", "detail"),
    [
        ("text/csv", b"name,town\nA,B\n", 422, "number"),
        ("text/csv", b"", 422, "no recipient"),
        ("text/csv", b"fax\n\xff\xfe\xfa\n", 422, "UTF-8"),
        ("application/json", b'{"number": "+12025550101"}', 422, "array"),
        ("application/pdf", b"%PDF-1.4", 415, "text/csv"),
        ("text/csv", b"PK\x03\x04 a workbook", 422, "CSV"),
    ],
)
async def test_a_list_that_cannot_be_read_stores_nothing(
    api: httpx.AsyncClient, runtime: Runtime, kind: str, content: bytes, status: int, detail: str
) -> None:
    batch = await draft(runtime.store)
    answer = await upload(api, batch, content, kind=kind)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]
    assert answer.json()["lines_stored"] == 0
    assert await stored_lines(api, batch) == 0


async def test_a_list_that_breaks_in_the_middle_says_how_far_it_got_and_goes_on(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    batch = await draft(runtime.store)
    good = csv(4_000)
    broken = good.replace(number(3_500).encode(), b"\xff\xfe\xfa")
    answer = await upload(api, batch, broken)
    problem = answer.json()
    assert answer.status_code == 422
    assert (problem["upload"], problem["lines_stored"]) == ("k", 2_001)
    assert "Idempotency-Key k" in problem["detail"]
    assert "cancel the batch" in problem["detail"]
    assert problem["errors"][0]["line"] == 3_502
    assert await stored_lines(api, batch) == 2_000
    body = (await upload(api, batch, good)).json()
    assert (body["accepted"], body["duplicates"]) == (4_000, 0)


async def test_a_caller_that_vanishes_leaves_what_was_stored_and_can_go_on(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    batch = await draft(runtime.store)
    content = csv(4_000)
    async with served(runtime) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        head = f"POST /v1/batches/{batch}/recipients HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        writer.write(f"{head}Idempotency-Key: k\r\nContent-Length: {len(content)}\r\n\r\n".encode())
        writer.write(content[:-5_000])
        await writer.drain()
        async with asyncio.timeout(20):
            while await stored_lines(api, batch) < 2_000:  # noqa: ASYNC110  # the server tells nobody when it has stored
                await asyncio.sleep(0.01)
        writer.transport.abort()
    assert await stored_lines(api, batch) == 2_000
    assert (await api.get(f"/v1/batches/{batch}")).json()["state"] == "draft"
    body = (await upload(api, batch, content)).json()
    assert (body["accepted"], body["duplicates"]) == (4_000, 0)


async def test_another_list_under_a_used_key_is_a_conflict(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    await upload(api, batch, csv(3))
    answer = await upload(api, batch, csv(3, 1))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bulkfax:problem:key-reused")


async def test_a_batch_that_was_started_takes_no_more(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 1)
    await api.post(f"/v1/batches/{batch}/start")
    assert (await upload(api, batch, csv(3))).status_code == 409
    assert (await upload(api, "nothere", csv(3))).status_code == 404


async def test_refused_rows_are_listed_page_by_page(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    await upload(api, batch, b"fax\n" + b"x\n" * 2_300)
    lines: list[int] = []
    after: str | None = ""
    while after is not None:
        page = (await api.get(f"/v1/batches/{batch}/refused", params={"after": after, "limit": 700})).json()
        lines += [row["line"] for row in page["refused"]]
        after = page["next"]
    assert lines == list(range(2, 2_302))


@pytest.mark.parametrize("key", [b"", b" ", b"\xe4", "ä".encode(), b"a\tb", b"a\x7f", b"a" * 256])
async def test_an_idempotency_key_of_other_than_printable_ascii_is_refused_and_stores_nothing(
    api: httpx.AsyncClient, runtime: Runtime, key: bytes
) -> None:
    batch = await draft(runtime.store)
    headers = {b"Content-Type": b"text/csv", b"Idempotency-Key": key}
    answer = await api.post(f"/v1/batches/{batch}/recipients", content=csv(3), headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert await stored_lines(api, batch) == 0


@pytest.mark.parametrize("key", ["rerun", "fax", "key:x", "a b", '"quoted"', "a" * 255])
async def test_printable_ascii_names_an_upload_of_its_own(api: httpx.AsyncClient, runtime: Runtime, key: str) -> None:
    batch = await draft(runtime.store)
    for _ in range(2):
        assert (await upload(api, batch, csv(3), key=key)).json()["accepted"] == 3
    assert await stored_lines(api, batch) == 3
