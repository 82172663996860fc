"""The ledger, the statistics and the other control paths."""

from tests.emulator.emulator_client import EmulatorClient


def test_the_ledger_lists_accepted_faxes_with_times_in_ms(resettable: EmulatorClient) -> None:
    resettable.load_scenario('[[numbers]]\nto = "+12025550181"\nattempts = ["FAX_ERROR 8"]')
    fax = resettable.send_accepted("+12025550181", maxRetries=0, labels={"job": "b.1", "attempt": "1"})
    resettable.wait_until_final(fax["id"])
    entry = next(entry for entry in resettable.ledger() if entry["id"] == fax["id"])
    assert entry["to"] == "+12025550181"
    assert entry["labels"] == {"job": "b.1", "attempt": "1"}
    assert (entry["status"], entry["errorType"], entry["errorCode"]) == ("FAILURE", "FAX_ERROR", 8)
    assert (entry["pages"], entry["pagesSent"]) == (2, 1)
    assert 0 <= entry["finalTime"] - entry["createTime"] < 60_000
    assert 0 <= entry["createTime"] - entry["requestTime"] < 10_000, "the request arrived before the fax was accepted"
    assert entry["createTime"] > 1_700_000_000_000
    assert entry["callbacks"] == []


def test_an_unfinished_fax_has_no_final_time(resettable: EmulatorClient) -> None:
    resettable.load_scenario('outcomes = "stuck"')
    fax = resettable.send_accepted("+12025550182")
    entry = next(entry for entry in resettable.ledger() if entry["id"] == fax["id"])
    assert (entry["finalTime"], entry["errorType"]) == (None, None)
    assert resettable.stats()["unfinished"] >= 1


def test_the_ledger_can_be_read_from_a_position(resettable: EmulatorClient) -> None:
    before = len(resettable.ledger())
    fax = resettable.send_accepted("+12025550183")
    lines = resettable.control("GET", f"ledger?after={before}").text.splitlines()
    assert len(lines) == 1
    assert fax["id"] in lines[0]
    assert resettable.control("GET", "ledger?after=x").status_code == 400


def test_the_stats_count_requests_by_status_and_posts_by_second(resettable: EmulatorClient) -> None:
    before = resettable.stats()
    resettable.send_accepted()
    resettable.post("/faxes", json={})
    after = resettable.stats()
    assert after["accepted"] == before["accepted"] + 1
    assert after["requestsByStatus"]["422"] == before["requestsByStatus"].get("422", 0) + 1
    assert sum(after["postsPerSecond"].values()) == sum(before["postsPerSecond"].values()) + 2
    assert sum(after["acceptedPerSecond"].values()) == after["accepted"]


def test_bad_input_to_these_paths_is_a_400(resettable: EmulatorClient) -> None:
    assert resettable.control("POST", "outage", json={"how": "503"}).status_code == 400
    assert resettable.control("POST", "clock", json={"advanceSeconds": -1}).status_code == 400
    assert resettable.control("POST", "scenario", content=b"\xff").status_code == 400
    assert resettable.control("POST", "numbers", json={"phoneNumber": "1"}).status_code == 422
