"""Answers, lists and faxes as no provider should send them: whatever is asked for in a scenario comes."""

import json
import time

import httpx
import pytest

from dispatcher.emulator import ScenarioError, parse_scenario
from dispatcher.emulator.odd_content import BODIES, FIELDS
from tests.emulator.caller import Caller

NUMBER = "+12025550171"


def raw_fax(answer: httpx.Response) -> dict[str, object]:
    shown: dict[str, object] = json.loads(answer.content)
    return shown


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_where_the_scenario_says(well: Caller, status: int) -> None:
    well.scenario(f'requests = "{status}_before location https://example.com/login"')
    answer = well.fax(NUMBER)
    assert (answer.status_code, answer.headers["location"]) == (status, "https://example.com/login")


@pytest.mark.parametrize("body", BODIES)
def test_a_fax_may_be_taken_and_answered_with_anything(well: Caller, body: str) -> None:
    before = len(well.ledger())
    well.scenario(f'requests = "200_after body {body}"')
    answer = well.fax(NUMBER)
    assert (answer.status_code, answer.content) == (200, BODIES[body][0])
    assert len(well.ledger()) == before + 1


@pytest.mark.parametrize("value", ["86400", "1795000000", "1e300", "-5", "soon"])
def test_retry_after_comes_as_it_is_written(well: Caller, value: str) -> None:
    well.scenario(f'requests = "429 retry-after {value}"')
    assert well.fax(NUMBER).headers["retry-after"] == value


@pytest.mark.parametrize("status", [405, 410, 423, 599])
def test_statuses_that_the_provider_does_not_document_come_too(well: Caller, status: int) -> None:
    well.scenario(f'requests = "{status}"')
    assert well.fax(NUMBER).status_code == status


@pytest.mark.parametrize("name", FIELDS)
def test_a_fax_with_odd_fields_is_shown_with_them_everywhere(well: Caller, name: str) -> None:
    well.scenario(f'fields = "{name}"')
    sent = raw_fax(well.fax(NUMBER))
    always = {field: value for field, value in FIELDS[name].items() if field in sent}
    listed = json.loads(well.get("/faxes", params={"to": NUMBER}).content)["faxes"][0]
    assert {field: sent[field] for field in always} == always
    assert listed["id"] == sent["id"]
    assert {field: listed[field] for field in always} == always


def test_a_list_may_fail_come_late_or_in_small_pages_without_a_count(well: Caller) -> None:
    for _ in range(3):
        well.sent(NUMBER)
    well.scenario('lists = ["500 retry-after 2", "slow 0.2", "page_size 2", "no_total 2", "200 body html", "ok"]')
    failed = well.get("/faxes")
    assert (failed.status_code, failed.headers["retry-after"]) == (500, "2")
    began_s = time.monotonic()
    assert well.get("/faxes").status_code == 200
    assert time.monotonic() - began_s >= 0.2
    small = well.get("/faxes", params={"pageSize": 1000}).json()
    assert (len(small["faxes"]), small["pageSize"]) == (2, 2)
    uncounted = well.get("/faxes").json()
    assert len(uncounted["faxes"]) == 2
    assert "totalPages" not in uncounted
    assert well.get("/faxes").headers["content-type"].startswith("text/html")
    assert len(well.get("/faxes").json()["faxes"]) >= 3


def test_the_read_of_one_fax_may_fail(well: Caller) -> None:
    fax = well.sent(NUMBER)
    well.scenario('reads = ["404", "ok"]')
    assert well.get(f"/faxes/{fax['id']}").status_code == 404
    assert well.get(f"/faxes/{fax['id']}").status_code == 200


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
def test_what_does_not_exist_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ScenarioError, match="allowed"):
        parse_scenario(text)
