"""The endpoints that read faxes: filters, time windows, paging, CSV, content and retention."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.emulator import EmulatorConfig, parse_scenario, running
from dispatcher.emulator.fax_list import list_page
from dispatcher.emulator.faxes import EmulatedFax, Faxes
from tests.emulator.emulator_client import TWO_PAGES, EmulatorClient


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[EmulatorClient, dict[str, str]]]:
    """An emulator with several faxes in different states, and their IDs by name."""
    scenario = parse_scenario("""
        [[numbers]]
        to = "+12025550111"
        outcomes = "busy"
        [[numbers]]
        to = "+12025550199"
        outcomes = "stuck"
    """)
    with running(EmulatorConfig(speed=1000, scenario=scenario)) as server, EmulatorClient(server) as client:
        ids = {
            "delivered": client.send_accepted("+12025550101", labels={"job": "a"})["id"],
            "busy": client.send_accepted("+12025550111", maxRetries=0, labels={"job": "b", "attempt": "1"})["id"],
            "stuck": client.send_accepted("+12025550199")["id"],
            "british": client.send_accepted("+442079460101", **{"from": "+442079460999"})["id"],
        }
        inbound = client.control("POST", "incoming", json={"to": "+12025550100", "from": "+12025550101"})
        ids["inbound"] = inbound.json()["id"]
        for name in ("delivered", "busy", "british"):
            client.wait_until_final(ids[name])
        yield client, ids


Filled = tuple[EmulatorClient, dict[str, str]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["inbound", "british", "stuck", "busy", "delivered"]),
        ("direction=OUTBOUND", ["british", "stuck", "busy", "delivered"]),
        ("status=FAILURE", ["busy"]),
        ("status=IN_PROGRESS", ["stuck"]),
        ("status=COMPLETED&direction=OUTBOUND", ["british", "delivered"]),
        ("to=%2B12025550101", ["delivered"]),
        ("to=+12025550101", ["delivered"]),
        ("to=+120255501", ["inbound", "stuck", "busy", "delivered"]),
        ("to=+1202555019", ["stuck"]),
        ("to=+999", []),
        ("from=+4420", ["british"]),
        ("from=%2B12025550101", ["inbound"]),
        ("to=+44&from=+1", []),
        ("labels[job]=b", ["busy"]),
        ("labels%5Bjob%5D=b&labels%5Battempt%5D=1", ["busy"]),
        ("labels[job]=b&labels[attempt]=2", []),
        ("serviceId=other", []),
        ("page=0", ["inbound", "british", "stuck", "busy", "delivered"]),
        ("pageSize=2&page=2", ["stuck", "busy"]),
        ("pageSize=2&page=9", []),
        ("createTime=1999", []),
        ("createTime%3E=2999-01-01T00:00:00Z", []),
        ("createTime%3C=1999-12-31", []),
        ("createTime>=2020-01-01T00%3A00%3A00Z&createTime<=2999-01-01", None),
        ("createTime%3C=2999", None),
        ("labels=[object Object]", None),
    ],
)
def test_a_query_lists_the_matching_faxes_newest_first(filled: Filled, query: str, names: list[str] | None) -> None:
    client, ids = filled
    answer = client.get(f"/faxes?{query}", headers={"Content-Type": "application/json"})
    expected = ["inbound", "british", "stuck", "busy", "delivered"] if names is None else names
    assert [fax["id"] for fax in answer.json()["faxes"]] == [ids[name] for name in expected]


@pytest.mark.parametrize(
    "query",
    [
        "createTime=>=2026-01-10T00:00:00Z",
        "createTime%3E=soon",
        "status=PENDING",
        "direction=UP",
        "page=x",
        "page=-1",
        "pageSize=0",
        "pageSize=1001",
        "format=xml",
    ],
)
def test_an_invalid_query_is_a_422(filled: Filled, query: str) -> None:
    answer = filled[0].get(f"/faxes?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "422")
    assert answer.json()["details"]["fieldViolations"]


def test_a_list_carries_its_counts_under_both_names_of_the_page(filled: Filled) -> None:
    body = filled[0].get("/faxes?pageSize=2&page=3").json()
    counts = {name: body[name] for name in ("page", "pageNumber", "pageSize", "totalItems", "totalPages")}
    assert counts == {"page": 3, "pageNumber": 3, "pageSize": 2, "totalItems": 5, "totalPages": 3}
    assert filled[0].get("/faxes").json()["pageSize"] == 100


def test_a_failed_fax_carries_type_code_and_message(filled: Filled) -> None:
    client, ids = filled
    fax = client.get(f"/faxes/{ids['busy']}").json()
    assert (fax["status"], fax["errorType"], fax["errorCode"]) == ("FAILURE", "CALL_ERROR", 17)
    assert fax["errorMessage"]
    assert (fax["numberOfPages"], fax["pagesSentSuccessfully"]) == (2, 0)
    assert client.get(f"/faxes/{ids['delivered']}").json().get("errorType") is None


def test_an_unknown_fax_and_an_unknown_path_are_404s_with_a_body(emulator: EmulatorClient) -> None:
    for path in ("/faxes/01HXXXXXXXXXXXXXXXXXXXXXXX", "/nothing"):
        answer = emulator.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "404")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_there_is_no_way_to_cancel_or_change_a_fax(emulator: EmulatorClient, method: str) -> None:
    fax = emulator.send_accepted()
    assert emulator.request(method, f"/faxes/{fax['id']}").status_code == 405


def test_the_csv_export_has_its_27_columns_and_its_name(filled: Filled) -> None:
    client, ids = filled
    answer = client.get("/faxes?format=csv&status=FAILURE", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "fax_logs_exp" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows[0]) == 27
    assert [(row["Id"], row["Error Code"], row["To"]) for row in rows] == [(ids["busy"], "17", "+12025550111")]
    assert rows[0]["Labels"] == '{"job": "b", "attempt": "1"}'


@pytest.mark.parametrize("suffix", ["file", "file.pdf"])
def test_the_content_comes_back_as_pdf_under_both_paths(emulator: EmulatorClient, suffix: str) -> None:
    fax = emulator.wait_until_final(emulator.send_accepted()["id"])
    answer = emulator.get(f"/faxes/{fax['id']}/{suffix}")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="{fax["id"]}.pdf"'
    assert answer.content == TWO_PAGES


def test_deleting_the_content_keeps_the_record(emulator: EmulatorClient) -> None:
    fax = emulator.wait_until_final(emulator.send_accepted()["id"])
    answer = emulator.delete(f"/faxes/{fax['id']}/file", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert emulator.get(f"/faxes/{fax['id']}").json()["hasFile"] is False
    assert emulator.get(f"/faxes/{fax['id']}/file.pdf").status_code == 404
    assert emulator.delete(f"/faxes/{fax['id']}/file").status_code == 404


def test_a_service_that_saves_no_documents_keeps_none(emulator: EmulatorClient) -> None:
    service = emulator.post("/services", json={"saveOutboundFaxDocuments": False}).json()
    fax = emulator.wait_until_final(emulator.send_accepted(serviceId=service["id"])["id"])
    assert (fax["hasFile"], fax["numberOfPages"]) == (False, 2)
    assert emulator.get(f"/faxes/{fax['id']}/file").status_code == 404


def test_a_new_fax_shows_in_the_list_only_after_the_delay_but_can_be_read_at_once() -> None:
    scenario = parse_scenario("list_delay = 3600")
    with running(EmulatorConfig(scenario=scenario)) as server, EmulatorClient(server) as client:
        fax = client.send_accepted()
        assert client.list_ids() == []
        assert client.list_ids(to="+12025550101") == []
        assert client.get(f"/faxes/{fax['id']}").status_code == 200
        client.control("POST", "clock", json={"advanceSeconds": 3601})
        assert client.list_ids() == [fax["id"]]


def test_without_a_time_the_list_shows_the_last_seven_days() -> None:
    with running(EmulatorConfig(speed=1000)) as server, EmulatorClient(server) as client:
        fax = client.send_accepted()
        client.control("POST", "clock", json={"advanceSeconds": 8 * 86_400})
        assert client.list_ids() == []
        assert client.list_ids(to=fax["to"]) == []
        assert client.get("/faxes?createTime%3E=2020").json()["totalItems"] == 1


def test_after_thirteen_months_a_fax_is_gone() -> None:
    with running(EmulatorConfig(speed=1000)) as server, EmulatorClient(server) as client:
        fax = client.wait_until_final(client.send_accepted()["id"])
        client.control("POST", "clock", json={"advanceSeconds": 400 * 86_400})
        assert client.get(f"/faxes/{fax['id']}").status_code == 404
        assert client.get(f"/faxes/{fax['id']}/file").status_code == 404
        assert client.get("/faxes?createTime%3E=2020").json()["totalItems"] == 0


def numbered_fax(count: int) -> EmulatedFax:
    return EmulatedFax(
        id=f"{count:026}",
        direction="OUTBOUND",
        to=f"+1202555{count % 10:04}",
        sender=None,
        created_ms=1_000_000_000_000 + count // 3,
        visible_ms=0,
        settings={},
    )


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 25), st.sampled_from(["", "+12025550003"]))
def test_walking_a_fixed_window_yields_each_fax_once(count: int, size: int, to: str) -> None:
    faxes = Faxes()
    for number in range(count):
        faxes.add(numbered_fax(number))
    query = {"createTime>": "2001", "createTime<": "2002", "to": to, "pageSize": str(size)}
    now_ms = 1_000_000_100_000
    total = list_page(faxes, query, now_ms)["totalPages"]
    seen = [
        fax["id"]
        for page in range(1, total + 1)
        for fax in list_page(faxes, {**query, "page": str(page)}, now_ms)["faxes"]
    ]
    assert len(seen) == len(set(seen))
    assert set(seen) == {fax.id for fax in faxes.all if fax.to.startswith(to)}
