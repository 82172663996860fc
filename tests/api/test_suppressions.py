"""The do-not-fax list over HTTP: its entries, import and export, and what it does to lists, faxes and reruns."""

import httpx
import pytest

from dispatcher.core.visible import visible
from dispatcher.runtime import Runtime
from tests.api.test_recipients import upload
from tests.service.samples import draft

pytestmark = pytest.mark.anyio

NUMBER = "+12025550143"
URL = "/v1/suppressions"
CSV = {"Content-Type": "text/csv"}


async def add(api: httpx.AsyncClient, number: str = NUMBER, **fields: str) -> httpx.Response:
    return await api.post(URL, json={"number": number, **fields})


async def test_a_number_is_added_edited_shown_and_removed(api: httpx.AsyncClient) -> None:
    """In any form; a repeat changes nothing, not even when it was added."""
    first = (await add(api, "(202) 555-0143", reason="asked by phone", source="opt_out")).json()
    assert (first["number"], first["source"], first["expires_at"], first["active"]) == (NUMBER, "opt_out", None, True)
    again = (await add(api, reason="asked by phone", source="opt_out")).json()
    assert again == first
    edited = (await add(api, expires_at="2099-01-01T00:00:00Z")).json()
    assert (edited["source"], edited["reason"], edited["added_at"]) == ("manual", None, first["added_at"])
    assert (await api.get(f"{URL}/+1 202-555-0143")).json() == edited
    assert (await api.delete(f"{URL}/{NUMBER}")).json() == {"removed": 1, "more": False}
    assert (await api.delete(f"{URL}/{NUMBER}")).json() == {"removed": 0, "more": False}
    assert (await api.get(f"{URL}/{NUMBER}")).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"number": "x"},
        {"number": NUMBER, "source": "dead_number"},
        {"number": NUMBER, "expires_at": "2001-01-01T00:00:00Z"},
        {"number": NUMBER, "country": "Atlantis"},
    ],
)
async def test_a_bad_entry_is_refused(api: httpx.AsyncClient, fields: dict[str, str]) -> None:
    """Only calls prove that a number is dead."""
    assert (await api.post(URL, json=fields)).status_code == 422


async def test_pages_filters_and_removal_by_source(api: httpx.AsyncClient) -> None:
    for line in range(5):
        await add(api, f"+120255501{line:02d}", source="opt_out" if line % 2 else "manual")
    page = (await api.get(URL, params={"limit": 2})).json()
    assert [entry["number"] for entry in page["suppressions"]] == ["+12025550100", "+12025550101"]
    rest = (await api.get(URL, params={"limit": 9, "after": page["next"]})).json()
    assert (len(rest["suppressions"]), rest["next"]) == (3, None)
    mine = (await api.get(URL, params={"source": "opt_out"})).json()
    assert len(mine["suppressions"]) == 2
    assert (await api.delete(URL)).status_code == 422, "not the whole list by mistake"
    assert (await api.delete(URL, params={"source": "opt_out", "batch": "b1"})).json() == {"removed": 0, "more": False}
    assert (await api.delete(URL, params={"source": "opt_out"})).json() == {"removed": 2, "more": False}


async def test_an_export_can_be_imported(api: httpx.AsyncClient) -> None:
    """With sources, reasons and times; a reason that looks like a formula comes back as it was."""
    await add(api, reason="=1+1, really", source="opt_out")
    await add(api, "+12025550144", expires_at="2099-01-01T00:00:00Z")
    before = (await api.get(URL)).json()
    exported = (await api.get(f"{URL}/export")).content
    assert b"'=1+1" in exported
    for entry in before["suppressions"]:
        await api.delete(f"{URL}/{entry['number']}")
    answer = (await api.post(f"{URL}/import", content=exported, headers=CSV)).json()
    assert answer == {"accepted": 2, "added": 2, "refused": 0, "left_out": 0, "refused_sample": []}
    after = (await api.get(URL)).json()["suppressions"]
    assert [{**entry, "added_at": ""} for entry in after] == [
        {**entry, "added_at": ""} for entry in before["suppressions"]
    ]


async def test_an_export_has_no_control_characters(api: httpx.AsyncClient) -> None:
    """It is looked at in terminals, which obey them; wherever the texts come from."""
    await add(api, reason="by\0 phone\x1b[2J \u202egpj" + "\x1b" * 100)
    rows = 'number,reason,job\n+12025550144,"\x1b]0;x\x07",\x1b[2J\n'
    assert (await api.post(f"{URL}/import", content=rows, headers=CSV)).json()["accepted"] == 1
    exported = (await api.get(f"{URL}/export")).text
    assert exported == visible(exported.replace("\r", "")).replace("\n", "\r\n")
    assert r"by\u0000 phone\u001b[2J \u202egpj" in exported
    assert (await api.post(f"{URL}/import", content=exported, headers=CSV)).json()["added"] == 0


async def test_an_import_names_the_rows_that_it_refuses(api: httpx.AsyncClient) -> None:
    content = b"Fax;reason\n(202) 555-0143;moved\nnone;\n+12025550144;\n"
    answer = (await api.post(f"{URL}/import?source=opt_out", content=content, headers=CSV)).json()
    assert (answer["accepted"], answer["added"], answer["refused"]) == (2, 2, 1)
    assert [row["line"] for row in answer["refused_sample"]] == [3]
    again = (await api.post(f"{URL}/import?source=opt_out", content=content, headers=CSV)).json()
    assert again["added"] == 0
    sources = {entry["source"] for entry in (await api.get(URL)).json()["suppressions"]}
    assert sources == {"opt_out"}
    refused = await api.post(f"{URL}/import", content=b"name\nx\n", headers=CSV)
    assert refused.status_code == 422


async def test_suppressed_rows_of_a_list_are_listed_and_counted_apart(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """In the answer, in the batch and in the report. Those who opted out in the list itself do not enter it."""
    await add(api, reason="moved")
    batch = await draft(runtime.store)
    content = f"fax,do not fax\n{NUMBER},\n+12025550144,yes\n+12025550145,no\nx,\n".encode()
    response = await upload(api, f"{batch}", content)
    body = response.json()
    counts = {name: body[name] for name in ("lines", "accepted", "refused", "opted_out", "suppressed", "duplicates")}
    assert counts == {"lines": 4, "accepted": 1, "refused": 1, "opted_out": 1, "suppressed": 1, "duplicates": 0}
    assert {row["reason"] for row in body["refused_sample"]} >= {"opted_out", "suppressed"}
    shown = (await api.get(f"/v1/batches/{batch}")).json()
    assert (shown["rows"], shown["lines"], shown["refused"]) == (1, 4, 1)
    assert (shown["opted_out"], shown["suppressed"]) == (1, 1)
    assert set(shown["refused_reasons"].values()) == {1}
    report = (await api.get(f"/v1/batches/{batch}/report")).text
    assert ",suppressed,suppressed," in report
    assert ",opted_out,opted_out," in report
    refused = (await api.get(f"/v1/batches/{batch}/refused")).json()["refused"]
    assert any("do-not-fax list (manual): moved" in row["detail"] for row in refused)
    assert len((await api.get(URL)).json()["suppressions"]) == 1


async def test_a_single_fax_to_a_suppressed_number_is_refused(api: httpx.AsyncClient) -> None:
    """Nothing is created; a fax that was accepted before is still there for a repeat with its key."""
    body = {"to": "202 555 0143", "content_urls": ["https://example.com/a.pdf"]}
    accepted = await api.post("/v1/faxes", json=body, headers={"Idempotency-Key": "k"})
    assert accepted.status_code == 202
    await add(api)
    refused = await api.post("/v1/faxes", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bulkfax:problem:suppressed")
    again = await api.post("/v1/faxes", json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["id"]) == (202, accepted.json()["id"])
    assert len((await api.get("/v1/batches")).json()["batches"]) == 1


async def test_a_removal_of_many_is_bounded_and_says_that_there_is_more(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.service.suppressions._READ", 2)
    monkeypatch.setattr("dispatcher.service.suppressions._REMOVED", 4)
    for line in range(7):
        await add(api, f"+1202555014{line}")
    answers = [(await api.delete(URL, params={"source": "manual"})).json() for _ in range(2)]
    assert answers == [{"removed": 4, "more": True}, {"removed": 3, "more": False}]
