"""Malformed responses, lists and faxes: the emulator sends what the scenario names."""

import json
import time

import httpx
import pytest

from dispatcher.emulator import ScenarioError, parse_scenario
from dispatcher.emulator.odd_content import BODIES, FIELDS
from tests.emulator.emulator_client import EmulatorClient

NUMBER = "+12025550171"


def raw_fax(answer: httpx.Response) -> dict[str, object]:
    shown: dict[str, object] = json.loads(answer.content)
    return shown


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_where_the_scenario_says(resettable: EmulatorClient, status: int) -> None:
    resettable.load_scenario(f'requests = "{status}_before location https://example.com/login"')
    answer = resettable.send_fax(NUMBER)
    assert (answer.status_code, answer.headers["location"]) == (status, "https://example.com/login")


@pytest.mark.parametrize("body", BODIES)
def test_a_fax_may_be_accepted_with_any_response_body(resettable: EmulatorClient, body: str) -> None:
    before = len(resettable.ledger())
    resettable.load_scenario(f'requests = "200_after body {body}"')
    answer = resettable.send_fax(NUMBER)
    assert (answer.status_code, answer.content) == (200, BODIES[body][0])
    assert len(resettable.ledger()) == before + 1


@pytest.mark.parametrize("value", ["86400", "1795000000", "1e300", "-5", "soon"])
def test_retry_after_is_sent_unchanged(resettable: EmulatorClient, value: str) -> None:
    resettable.load_scenario(f'requests = "429 retry-after {value}"')
    assert resettable.send_fax(NUMBER).headers["retry-after"] == value


@pytest.mark.parametrize("status", [405, 410, 423, 599])
def test_undocumented_statuses_can_be_simulated(resettable: EmulatorClient, status: int) -> None:
    resettable.load_scenario(f'requests = "{status}"')
    assert resettable.send_fax(NUMBER).status_code == status


@pytest.mark.parametrize("name", FIELDS)
def test_a_fax_with_odd_fields_is_shown_with_them_everywhere(resettable: EmulatorClient, name: str) -> None:
    resettable.load_scenario(f'fields = "{name}"')
    sent = raw_fax(resettable.send_fax(NUMBER))
    always = {field: value for field, value in FIELDS[name].items() if field in sent}
    listed = json.loads(resettable.get("/faxes", params={"to": NUMBER}).content)["faxes"][0]
    assert {field: sent[field] for field in always} == always
    assert listed["id"] == sent["id"]
    assert {field: listed[field] for field in always} == always


def test_a_list_may_fail_be_late_or_have_small_pages_without_a_count(resettable: EmulatorClient) -> None:
    for _ in range(3):
        resettable.send_accepted(NUMBER)
    resettable.load_scenario(
        'lists = ["500 retry-after 2", "slow 0.2", "page_size 2", "no_total 2", "200 body html", "ok"]'
    )
    failed = resettable.get("/faxes")
    assert (failed.status_code, failed.headers["retry-after"]) == (500, "2")
    started_s = time.monotonic()
    assert resettable.get("/faxes").status_code == 200
    assert time.monotonic() - started_s >= 0.2
    small = resettable.get("/faxes", params={"pageSize": 1000}).json()
    assert (len(small["faxes"]), small["pageSize"]) == (2, 2)
    uncounted = resettable.get("/faxes").json()
    assert len(uncounted["faxes"]) == 2
    assert "totalPages" not in uncounted
    assert resettable.get("/faxes").headers["content-type"].startswith("text/html")
    assert len(resettable.get("/faxes").json()["faxes"]) >= 3


def test_the_read_of_one_fax_may_fail(resettable: EmulatorClient) -> None:
    fax = resettable.send_accepted(NUMBER)
    resettable.load_scenario('reads = ["404", "ok"]')
    assert resettable.get(f"/faxes/{fax['id']}").status_code == 404
    assert resettable.get(f"/faxes/{fax['id']}").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        'requests = "200_after"',
        'requests = "302 body nothing"',
        'lists = "slow"',
        'lists = "200"',
        'reads = "gone"',
        'fields = "strange"',
    ],
)
def test_an_unknown_name_is_refused_with_the_allowed_names(text: str) -> None:
    with pytest.raises(ScenarioError, match="allowed"):
        parse_scenario(text)
