"""The account's rate from the command line, against a real site."""

import json

import pytest

from tests.cli.conftest import Bulkfax


def test_a_limit_is_changed_shown_and_given_back(connected: Bulkfax) -> None:
    before = json.loads(connected("account", "--json").last_line)
    changed = json.loads(connected("account", "rate", "50000/d", "--json").last_line)
    assert [(one["per"], one["source"]) for one in changed["limits"]] == [("second", "settings"), ("day", "operator")]
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
    assert "does not wait" in ran.err
    assert json.loads(connected("account", "unblock", "--json").last_line)["blocked_until"] is None


@pytest.mark.parametrize(
    ("limit", "told"),
    [("50", "50/s, 3000/m or 100000/d"), ("0/s", "stop all sending"), ("1.5/m", "whole number"), ("5/h", "50/s")],
)
def test_a_limit_that_cannot_be_is_refused_before_anything_is_asked(bulkfax: Bulkfax, limit: str, told: str) -> None:
    ran = bulkfax("account", "rate", limit)
    assert ran.status == 2
    assert told in " ".join(ran.err.replace("│", " ").split())
