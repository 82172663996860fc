"""The ledger, the counts, and the other paths that the provider does not have."""

from tests.emulator.caller import Caller


def test_the_ledger_tells_what_was_accepted_with_times_in_ms(well: Caller) -> None:
    well.scenario('[[numbers]]\nto = "+12025550181"\nattempts = ["FAX_ERROR 8"]')
    fax = well.sent("+12025550181", maxRetries=0, labels={"job": "b.1", "attempt": "1"})
    well.final(fax["id"])
    entry = next(entry for entry in well.ledger() if entry["id"] == fax["id"])
    assert entry["to"] == "+12025550181"
    assert entry["labels"] == {"job": "b.1", "attempt": "1"}
    assert (entry["status"], entry["errorType"], entry["errorCode"]) == ("FAILURE", "FAX_ERROR", 8)
    assert (entry["pages"], entry["pagesSent"]) == (2, 1)
    assert 0 <= entry["finalTime"] - entry["createTime"] < 60_000
    assert 0 <= entry["createTime"] - entry["requestTime"] < 10_000, "it came before it was accepted"
    assert entry["createTime"] > 1_700_000_000_000
    assert entry["callbacks"] == []


def test_an_unfinished_fax_has_no_final_time(well: Caller) -> None:
    well.scenario('outcomes = "stuck"')
    fax = well.sent("+12025550182")
    entry = next(entry for entry in well.ledger() if entry["id"] == fax["id"])
    assert (entry["finalTime"], entry["errorType"]) == (None, None)
    assert well.stats()["unfinished"] >= 1


def test_the_ledger_can_be_read_on_from_where_one_was(well: Caller) -> None:
    before = len(well.ledger())
    fax = well.sent("+12025550183")
    lines = well.tool("GET", f"ledger?after={before}").text.splitlines()
    assert len(lines) == 1
    assert fax["id"] in lines[0]
    assert well.tool("GET", "ledger?after=x").status_code == 400


def test_the_counts_tell_requests_by_status_and_posts_by_second(well: Caller) -> None:
    before = well.stats()
    well.sent()
    well.post("/faxes", json={})
    after = well.stats()
    assert after["accepted"] == before["accepted"] + 1
    assert after["requestsByStatus"]["422"] == before["requestsByStatus"].get("422", 0) + 1
    assert sum(after["postsPerSecond"].values()) == sum(before["postsPerSecond"].values()) + 2
    assert sum(after["acceptedPerSecond"].values()) == after["accepted"]


def test_bad_input_to_these_paths_is_a_400(well: Caller) -> None:
    assert well.tool("POST", "outage", json={"how": "503"}).status_code == 400
    assert well.tool("POST", "clock", json={"advanceSeconds": -1}).status_code == 400
    assert well.tool("POST", "scenario", content=b"\xff").status_code == 400
    assert well.tool("POST", "numbers", json={"phoneNumber": "1"}).status_code == 422
