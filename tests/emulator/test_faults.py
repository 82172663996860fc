"""Faults of requests: error statuses, closed connections, stalls, outages, and the rate limit."""

import time

import httpx
import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.emulator.emulator_client import EmulatorClient

NUMBER = "+12025550142"


def requests_to(number: str, *names: str) -> str:
    quoted_names = ", ".join(f'"{name}"' for name in names)
    return f'[[numbers]]\nto = "{number}"\nrequests = [{quoted_names}]'


def count_accepted(client: EmulatorClient, number: str) -> int:
    return sum(entry["to"] == number for entry in client.ledger())


@pytest.mark.parametrize(
    ("name", "status", "accepted"),
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
def test_a_status_is_returned_before_or_after_acceptance(
    resettable: EmulatorClient, name: str, status: int, accepted: int
) -> None:
    number = f"+1202557{status:04}" if accepted else f"+1202558{status:04}"
    resettable.load_scenario(requests_to(number, name, "ok"))
    answer = resettable.send_fax(number)
    assert answer.status_code == status
    assert count_accepted(resettable, number) == accepted
    assert resettable.send_fax(number).status_code == 200
    if "retry-after" in name:
        assert answer.headers["retry-after"] == name.rpartition(" ")[2]
    if status == 422:
        assert answer.json()["details"]["fieldViolations"][0]["field"] == "from"
    if status == 402:
        assert answer.json()["code"] == "402"


def test_a_500_usually_has_no_body_and_sometimes_has_one(resettable: EmulatorClient) -> None:
    resettable.load_scenario('requests = "500_after"')
    bodies = [resettable.send_fax("+12025550143").content for _ in range(8)]
    assert bodies.count(b"") == 6
    assert all(b'"code":"500"' in body for body in bodies if body)


@pytest.mark.parametrize(("name", "accepted"), [("drop_before", 0), ("drop_after", 1)])
def test_a_drop_closes_the_connection_without_an_answer(resettable: EmulatorClient, name: str, accepted: int) -> None:
    number = f"+1202556000{accepted}"
    resettable.load_scenario(requests_to(number, name))
    with pytest.raises(httpx.RemoteProtocolError):
        resettable.send_fax(number)
    assert count_accepted(resettable, number) == accepted


@pytest.mark.parametrize(("name", "accepted"), [("stall_before", 0), ("stall", 1)])
def test_a_stall_never_answers(resettable: EmulatorClient, name: str, accepted: int) -> None:
    number = f"+1202556100{accepted}"
    resettable.load_scenario(requests_to(number, name))
    with EmulatorClient(resettable.server, timeout=0.3) as impatient_client, pytest.raises(httpx.ReadTimeout):
        impatient_client.send_fax(number)
    assert count_accepted(resettable, number) == accepted


def test_faults_are_counted_by_name(resettable: EmulatorClient) -> None:
    resettable.load_scenario(requests_to(NUMBER, "503_before"))
    before = resettable.stats()["faults"].get("request 503_before", 0)
    resettable.send_fax(NUMBER)
    assert resettable.stats()["faults"]["request 503_before"] == before + 1


def test_a_run_repeats_whatever_the_order_of_requests() -> None:
    numbers = [f"+120255503{i:02}" for i in range(30)]
    text = "seed = 3\n[outcomes]\nbusy = 0.4\n[requests]\n500_after = 0.3\n503_before = 0.2"
    runs = []
    for order in (numbers, numbers[::-1]):
        with running(EmulatorConfig(speed=1000)) as server, EmulatorClient(server) as client:
            client.load_scenario(text)
            statuses = {to: client.send_fax(to, maxRetries=0).status_code for to in order}
            ends = {entry["to"]: client.wait_until_final(entry["id"]).get("errorCode") for entry in client.ledger()}
            runs.append((statuses, ends))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("how", "status"), [("503", 503), ("500", 500)])
def test_an_outage_refuses_everything_until_it_ends(resettable: EmulatorClient, how: str, status: int) -> None:
    resettable.control("POST", "outage", json={"seconds": 60, "how": how})
    assert resettable.get("/faxes").status_code == status
    assert resettable.send_fax(NUMBER).status_code == status
    token = resettable.post(f"{resettable.server.url}/oauth2/token", data={"grant_type": "client_credentials"})
    assert token.status_code == status
    resettable.control("POST", "outage", json={"seconds": 0})
    assert resettable.get("/faxes").status_code == 200


def test_an_outage_may_cut_connections(resettable: EmulatorClient) -> None:
    resettable.control("POST", "outage", json={"seconds": 60, "how": "drop"})
    with pytest.raises(httpx.RemoteProtocolError):
        resettable.get("/faxes")


def test_an_outage_in_the_scenario_ends_by_itself(resettable: EmulatorClient) -> None:
    resettable.load_scenario("[[outages]]\nstart = 0\nseconds = 0.2")
    assert resettable.get("/faxes").status_code == 503
    deadline = time.monotonic() + 5
    while resettable.get("/faxes").status_code == 503:
        assert time.monotonic() < deadline


def test_latency_delays_every_answer(resettable: EmulatorClient) -> None:
    resettable.load_scenario("latency = [0.1, 0.12]")
    started = time.monotonic()
    resettable.get("/faxes")
    assert time.monotonic() - started >= 0.1


def test_a_request_over_the_rate_is_a_429_and_creates_no_fax() -> None:
    with running(EmulatorConfig(rate=0.001, burst=3)) as server, EmulatorClient(server) as client:
        answers = [client.send_fax() for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert "retry-after" not in answers[-1].headers
        assert answers[-1].json()["code"] == "429"
        stats = client.stats()
        assert (stats["accepted"], stats["rateLimited"]) == (3, 2)
        client.load_scenario("retry_after = 9")
        assert client.get("/faxes").headers["retry-after"] == "9"


def test_wrong_credentials_cost_no_permit() -> None:
    with running(EmulatorConfig(rate=0.001, burst=1)) as server, EmulatorClient(server) as client:
        assert client.get("/faxes", auth=("a", "b")).status_code == 401
        assert client.get("/faxes").status_code == 200


def test_a_bad_scenario_over_http_is_refused_and_the_old_one_stays(resettable: EmulatorClient) -> None:
    resettable.load_scenario(requests_to("+12025550188", "402"))
    answer = resettable.control("POST", "scenario", content='outcomes = "bussy"')
    assert answer.status_code == 400
    assert "unknown outcome 'bussy'" in answer.json()["message"]
    assert resettable.send_fax("+12025550188").status_code == 402


def test_a_scenario_may_come_as_json(resettable: EmulatorClient) -> None:
    text = {"numbers": [{"to": "+12025550187", "requests": ["402"]}]}
    assert resettable.control("POST", "scenario", json=text).status_code == 200
    assert resettable.send_fax("+12025550187").status_code == 402
