"""Lists over HTTP: columns that are named or recognised, dry runs, forms, and lists that are refused."""

from typing import Any

import httpx
import pytest

from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.runtime import Runtime
from tests.recipients.workbooks import Cell, xlsx, xlsx_bomb
from tests.service.samples import draft

pytestmark = pytest.mark.anyio

OUTLOOK = b"Company,Business Fax,Home Fax,Business Country/Region\nACME,030 23125123,,Germany\nBeta,(202) 555-0143,,\n"
TWO = b"Business Fax,Home Fax,Land\n(202) 555-0143,030 23125123,DE\n"
CSV = {"Content-Type": "text/csv"}


async def send(api: httpx.AsyncClient, batch: str, content: bytes, **query: str) -> httpx.Response:
    return await api.post(f"/v1/batches/{batch}/recipients", content=content, headers=CSV, params=query)


async def jobs(api: httpx.AsyncClient, batch: str) -> list[str]:
    return [job["number"] for job in (await api.get(f"/v1/batches/{batch}/jobs")).json()["jobs"]]


async def test_the_answer_names_the_columns_and_what_was_assumed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, default_country="US")
    answer = (await send(api, batch, OUTLOOK)).json()
    assert answer["columns"] == {
        "number": "Business Fax",
        "country": "Business Country/Region",
        "area_code": None,
        "reference": None,
        "opt_out": None,
        "consent": None,
        "assumed_country": "US",
        "assumed_rows": 1,
    }
    assert await jobs(api, batch) == ["+493023125123", "+12025550143"]


async def test_columns_that_are_named_are_used(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, default_country="US")
    answer = await send(api, batch, TWO, number_column="Home Fax", country_column="Land")
    assert answer.status_code == 200, answer.text
    assert await jobs(api, batch) == ["+493023125123"]


async def test_a_list_that_is_not_clear_is_refused_and_nothing_stored(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    answer = await send(api, batch, TWO)
    assert answer.status_code == 422
    assert "'Business Fax', 'Home Fax'" in answer.json()["detail"]
    assert "number_column=Business Fax" in answer.json()["detail"]
    assert "--number-column 'Business Fax'" in answer.json()["detail"]
    assert await jobs(api, batch) == []


async def test_an_option_that_does_not_exist_is_refused(api: httpx.AsyncClient, runtime: Runtime) -> None:
    answer = await send(api, await draft(runtime.store), OUTLOOK, opt_out_colum="x")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "opt_out_colum")


async def test_a_dry_run_shows_the_first_rows_and_stores_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, default_country="US")
    content = OUTLOOK + b"Bad,12,,\n" + b"".join(b"More,(202) 555-01%02d,,\n" % n for n in range(44, 94))
    tried = (await send(api, batch, content, dry_run="true")).json()
    assert (tried["dry_run"], tried["lines"], tried["accepted"], tried["refused"]) == (True, 53, 52, 1)
    assert tried["first_rows"][:2] == [
        {"line": 2, "number": "+493023125123", "region": "DE", "reference": None},
        {"line": 3, "number": "+12025550143", "region": "US", "reference": None},
    ]
    assert len(tried["first_rows"]) == 20
    assert (await api.get(f"/v1/batches/{batch}")).json()["lines"] == 0
    query = {"default_country": "US"}
    alone = await api.post("/v1/recipients/dry-run", content=content, headers=CSV, params=query)
    assert alone.json() == tried


async def test_a_dry_run_counts_what_an_upload_would_not_dial(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await api.post("/v1/suppressions", json={"number": "+12025550143"})
    dead = Suppression(number="+12025550144", source=SuppressionSource.DEAD_NUMBER)
    await runtime.store.suppressions.put([dead])
    content = "Fax,Do Not Fax\n" + "".join(f"+12025550{n},\n" for n in ("143", "145", "145", "144", "145")) + "x,1\n"
    counts = ("lines", "accepted", "suppressed", "duplicates", "opted_out")
    tried = (await api.post("/v1/recipients/dry-run", content=content, headers=CSV)).json()
    assert [tried[name] for name in counts] == [6, 1, 2, 2, 1]
    assert [row["number"] for row in tried["first_rows"]] == ["+12025550145"]
    assert [(row["line"], row["reason"]) for row in tried["refused_sample"]] == [
        (2, "suppressed"),
        (5, "suppressed"),
        (7, "opted_out"),
    ]
    query = {"ignore_dead_numbers": "true"}
    tried = (await api.post("/v1/recipients/dry-run", content=content, headers=CSV, params=query)).json()
    assert [tried[name] for name in counts] == [6, 2, 1, 2, 1]
    batch = await draft(runtime.store, ignore_dead_numbers=True)
    uploaded = (await send(api, batch, content.encode())).json()
    assert [tried[name] for name in counts] == [uploaded[name] for name in counts]


async def test_a_dry_run_of_a_list_that_is_not_clear_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/recipients/dry-run", content=TWO, headers=CSV)
    assert answer.status_code == 422
    assert "Nothing of the list was stored" not in answer.text


def form(content: bytes, kind: str = "application/vnd.ms-excel", **fields: str) -> dict[str, Any]:
    return {"files": {"file": ("list.csv", content, kind)}, "data": fields}


async def test_a_form_has_the_list_and_its_options(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, default_country="US")
    path = f"/v1/batches/{batch}/recipients"
    answer = await api.post(path, **form(TWO, number_column="Home Fax", country_column="Land", dry_run="true"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["first_rows"][0]["number"] == "+493023125123"
    answer = await api.post(path, params={"no_country": "true"}, **form(TWO, number_column="Business Fax"))
    assert await jobs(api, batch) == ["+12025550143"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(TWO, number_colum="x"), 422),
        (form(TWO, no_country="perhaps"), 422),
        ({"files": {"list": ("list.csv", TWO)}}, 422),
        ({"content": TWO, "headers": {"Content-Type": "multipart/mixed; boundary=x"}}, 415),
        ({"content": TWO, "headers": {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}}, 415),
        ({"content": TWO, "headers": {"Content-Type": "image/png"}}, 415),
    ],
)
async def test_a_form_that_cannot_be_used_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, body: dict[str, Any], status: int
) -> None:
    batch = await draft(runtime.store)
    answer = await api.post(f"/v1/batches/{batch}/recipients", **body)
    assert answer.status_code == status, answer.text


async def test_rows_whose_recipients_opted_out_are_listed_and_not_sent(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    batch = await draft(runtime.store, default_country="US")
    content = b"Fax,Do Not Fax\n202-555-0101,\n202-555-0102,Yes\n202-555-0103,call first\n"
    answer = (await send(api, batch, content)).json()
    assert answer["columns"]["opt_out"] == "Do Not Fax"
    tried = (await send(api, batch, content, dry_run="true")).json()
    assert (tried["lines"], tried["accepted"], tried["refused"], tried["opted_out"]) == (3, 1, 1, 1)
    assert await jobs(api, batch) == ["+12025550101"]
    refused = (await api.get(f"/v1/batches/{batch}/refused")).json()["refused"]
    assert [(row["line"], row["reason"]) for row in refused] == [(3, "opted_out"), (4, "unclear_permission")]


CONTACTS: list[list[Cell]] = [
    ["Company", "Fax", "Country"],
    ["ACME", 12025550143, "US"],
    [],
    ["Beta", "030 23125123", "DE"],
]


@pytest.mark.parametrize("kind", ["application/vnd.ms-excel", "text/csv", "application/octet-stream", "x/y"])
async def test_a_workbook_is_told_by_its_bytes(api: httpx.AsyncClient, runtime: Runtime, kind: str) -> None:
    batch = await draft(runtime.store, default_country="US")
    path, content = f"/v1/batches/{batch}/recipients", xlsx({"Contacts": CONTACTS})
    answer = await api.post(path, content=content, headers={"Content-Type": kind, "Idempotency-Key": "k"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["columns"]["number"] == "Fax"
    again = await api.post(path, headers={"Idempotency-Key": "k"}, **form(content, kind, sheet="Contacts"))
    assert again.json()["accepted"] == 2
    assert await jobs(api, batch) == ["+12025550143", "+493023125123"]


FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
MANY = "<row>" + "<c><v>1</v></c>" * 10_000 + "</row>"


@pytest.mark.parametrize(("rows", "times"), [(FAR, 1), (MANY, 2_500)])
async def test_a_workbook_that_is_built_as_a_bomb_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, rows: str, times: int
) -> None:
    batch = await draft(runtime.store)
    answer = await api.post(f"/v1/batches/{batch}/recipients", content=xlsx_bomb(rows, times), headers=CSV)
    assert answer.status_code == 422
    assert "workbook" in answer.json()["detail"].lower()
    assert "Save the sheet as CSV" in answer.json()["detail"]


async def test_a_workbook_that_is_too_large_is_refused(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    content = b"PK\x03\x04" + bytes(20_000_000)
    answer = await api.post(f"/v1/batches/{batch}/recipients", content=content, headers=CSV)
    assert answer.status_code == 413
