"""The account's rate from the command line, against a real cluster."""

import json

import httpx
import pytest

from dispatcher.client import Client
from tests.cli.conftest import Bulkfax

NOW = "2026-11-26T12:00:00Z"
LOST = {
    "cause": "Redis has lost writes",
    "noticed_at": NOW,
    "since": NOW,
    "ready_at": NOW,
    "adopted": 5,
    "accepted_twice": 7,
    "unknown": 1,
    "unknown_faxes": [{"fax_id": "01FAX", "job": "gone.1", "attempt": 1, "created_at": None}],
}


def test_a_limit_is_changed_shown_and_given_back(connected: Bulkfax) -> None:
    before = json.loads(connected("account", "--json").last_line)
    changed = json.loads(connected("account", "rate", "50000/d", "--json").last_line)
    assert [(limit["per"], limit["source"]) for limit in changed["limits"]] == [
        ("second", "settings"),
        ("day", "operator"),
    ]
    shown = connected("account").out
    assert "50,000" in shown
    assert "operator" in shown
    ran = connected("account", "rate", "default")
    assert "limits of the settings" in ran.err
    after = json.loads(connected("account", "--json").last_line)
    assert after["limits"] == before["limits"]


def test_a_wait_is_ended(connected: Bulkfax) -> None:
    ran = connected("account", "unblock")
    assert ran.status == 0
    assert "no longer waits" in ran.err
    assert json.loads(connected("account", "unblock", "--json").last_line)["blocked_until"] is None


def test_an_account_that_lost_nothing_has_nothing_to_resume(connected: Bulkfax) -> None:
    ran = connected("account", "resume", "--accept-rollback")
    assert (ran.status, ran.err) == (1, "error: the account is not held because of lost writes\n")


@pytest.mark.parametrize("accepts", [True, False])
def test_what_was_found_after_lost_writes_is_shown_before_it_is_accepted(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, accepts: bool
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx.Response(200, json={"rollback": LOST | ({"accepted_at": NOW} if len(asked) > 1 else {})})

    client = Client("http://localhost", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(Client, "from_environment", lambda: client)
    ran = bulkfax("account", "resume", *(["--accept-rollback"] if accepts else []))
    assert asked == ["GET /v1/account", *(["POST /v1/account/resume"] if accepts else [])]
    assert "7 attempts for which the provider has two faxes" in ran.out
    assert "01FAX" in ran.out
    assert ran.status == (0 if accepts else 1)
    assert ("Accepted." if accepts else "bulkfax account resume --accept-rollback") in ran.err


@pytest.mark.parametrize(
    ("limit", "message"),
    [("50", "50/s, 3000/m or 100000/d"), ("0/s", "stop all sending"), ("1.5/m", "whole number"), ("5/h", "50/s")],
)
def test_a_limit_that_cannot_be_is_refused_before_anything_is_asked(bulkfax: Bulkfax, limit: str, message: str) -> None:
    ran = bulkfax("account", "rate", limit)
    assert ran.status == 2
    assert message in " ".join(ran.err.replace("│", " ").split())
