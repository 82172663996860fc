"""What a scenario does to requests: statuses, cuts, stalls, outages, the rate limit."""

import time

import httpx
import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.emulator.caller import Caller

NUMBER = "+12025550142"


def requests_to(number: str, *names: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f'[[numbers]]\nto = "{number}"\nrequests = [{listed}]'


def accepted(caller: Caller, number: str) -> int:
    return sum(entry["to"] == number for entry in caller.ledger())


@pytest.mark.parametrize(
    ("name", "status", "taken"),
    [
        ("500_before", 500, 0),
        ("500_after", 500, 1),
        ("502_after", 502, 1),
        ("503_before retry-after 4", 503, 0),
        ("504_after", 504, 1),
        ("408_after", 408, 1),
        ("400", 400, 0),
        ("401", 401, 0),
        ("402", 402, 0),
        ("403", 403, 0),
        ("404", 404, 0),
        ("413", 413, 0),
        ("422 field from", 422, 0),
        ("429 retry-after 7", 429, 0),
    ],
)
def test_a_status_strikes_before_or_after_acceptance(well: Caller, name: str, status: int, taken: int) -> None:
    number = f"+1202557{status:04}" if taken else f"+1202558{status:04}"
    well.scenario(requests_to(number, name, "ok"))
    answer = well.fax(number)
    assert answer.status_code == status
    assert accepted(well, number) == taken
    assert well.fax(number).status_code == 200
    if "retry-after" in name:
        assert answer.headers["retry-after"] == name.rpartition(" ")[2]
    if status == 422:
        assert answer.json()["details"]["fieldViolations"][0]["field"] == "from"
    if status == 402:
        assert answer.json()["code"] == "402"


def test_a_500_comes_mostly_without_and_sometimes_with_a_body(well: Caller) -> None:
    well.scenario('requests = "500_after"')
    bodies = [well.fax("+12025550143").content for _ in range(8)]
    assert bodies.count(b"") == 6
    assert all(b'"code":"500"' in body for body in bodies if body)


@pytest.mark.parametrize(("name", "taken"), [("drop_before", 0), ("drop_after", 1)])
def test_a_drop_closes_the_connection_without_an_answer(well: Caller, name: str, taken: int) -> None:
    number = f"+1202556000{taken}"
    well.scenario(requests_to(number, name))
    with pytest.raises(httpx.RemoteProtocolError):
        well.fax(number)
    assert accepted(well, number) == taken


@pytest.mark.parametrize(("name", "taken"), [("stall_before", 0), ("stall", 1)])
def test_a_stall_never_answers(well: Caller, name: str, taken: int) -> None:
    number = f"+1202556100{taken}"
    well.scenario(requests_to(number, name))
    with Caller(well.where, timeout=0.3) as hasty, pytest.raises(httpx.ReadTimeout):
        hasty.fax(number)
    assert accepted(well, number) == taken


def test_faults_are_counted_by_name(well: Caller) -> None:
    well.scenario(requests_to(NUMBER, "503_before"))
    before = well.stats()["faults"].get("request 503_before", 0)
    well.fax(NUMBER)
    assert well.stats()["faults"]["request 503_before"] == before + 1


def test_a_run_repeats_whatever_the_order_of_requests() -> None:
    numbers = [f"+120255503{i:02}" for i in range(30)]
    text = "seed = 3\n[outcomes]\nbusy = 0.4\n[requests]\n500_after = 0.3\n503_before = 0.2"
    runs = []
    for order in (numbers, numbers[::-1]):
        with running(EmulatorConfig(speed=1000)) as where, Caller(where) as caller:
            caller.scenario(text)
            statuses = {to: caller.fax(to, maxRetries=0).status_code for to in order}
            ends = {entry["to"]: caller.final(entry["id"]).get("errorCode") for entry in caller.ledger()}
            runs.append((statuses, ends))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("how", "status"), [("503", 503), ("500", 500)])
def test_an_outage_refuses_everything_until_it_ends(well: Caller, how: str, status: int) -> None:
    well.tool("POST", "outage", json={"seconds": 60, "how": how})
    assert well.get("/faxes").status_code == status
    assert well.fax(NUMBER).status_code == status
    token = well.post(f"{well.where.url}/oauth2/token", data={"grant_type": "client_credentials"})
    assert token.status_code == status
    well.tool("POST", "outage", json={"seconds": 0})
    assert well.get("/faxes").status_code == 200


def test_an_outage_may_cut_connections(well: Caller) -> None:
    well.tool("POST", "outage", json={"seconds": 60, "how": "drop"})
    with pytest.raises(httpx.RemoteProtocolError):
        well.get("/faxes")


def test_an_outage_in_the_scenario_ends_by_itself(well: Caller) -> None:
    well.scenario("[[outages]]\nstart = 0\nseconds = 0.2")
    assert well.get("/faxes").status_code == 503
    deadline = time.monotonic() + 5
    while well.get("/faxes").status_code == 503:
        assert time.monotonic() < deadline


def test_latency_delays_every_answer(well: Caller) -> None:
    well.scenario("latency = [0.1, 0.12]")
    began = time.monotonic()
    well.get("/faxes")
    assert time.monotonic() - began >= 0.1


def test_over_the_rate_comes_429_and_nothing_is_taken() -> None:
    with running(EmulatorConfig(rate=0.001, burst=3)) as where, Caller(where) as caller:
        answers = [caller.fax() for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert "retry-after" not in answers[-1].headers
        assert answers[-1].json()["code"] == "429"
        stats = caller.stats()
        assert (stats["accepted"], stats["rateLimited"]) == (3, 2)
        caller.scenario("retry_after = 9")
        assert caller.get("/faxes").headers["retry-after"] == "9"


def test_wrong_credentials_cost_no_permit() -> None:
    with running(EmulatorConfig(rate=0.001, burst=1)) as where, Caller(where) as caller:
        assert caller.get("/faxes", auth=("a", "b")).status_code == 401
        assert caller.get("/faxes").status_code == 200


def test_a_bad_scenario_over_http_is_refused_and_the_old_one_stays(well: Caller) -> None:
    well.scenario(requests_to("+12025550188", "402"))
    answer = well.tool("POST", "scenario", content='outcomes = "bussy"')
    assert answer.status_code == 400
    assert "unknown outcome 'bussy'" in answer.json()["message"]
    assert well.fax("+12025550188").status_code == 402


def test_a_scenario_may_come_as_json(well: Caller) -> None:
    text = {"numbers": [{"to": "+12025550187", "requests": ["402"]}]}
    assert well.tool("POST", "scenario", json=text).status_code == 200
    assert well.fax("+12025550187").status_code == 402
