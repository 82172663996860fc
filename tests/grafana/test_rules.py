"""Tests that alerts have a name, a severity and a section in the runbook, and that the rules pass their examples."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.core.policy.policy import Policy
from tests.grafana.expressions import GRAFANA, all_expressions, dashboards, metrics_read, rules
from tests.grafana.markdown import anchors
from tests.grafana.programs import prometheus_program

ALERTS = [rule for rule in rules() if "alert" in rule]
EXAMPLES = sorted((GRAFANA / "rules").glob("*.test.yaml"))
RECORDS = [rule for rule in rules() if "record" in rule]


def name_of(rule: dict[str, Any]) -> str:
    """Return the name of an alerting or recording rule."""
    return str(rule.get("alert") or rule.get("record"))


def test_rules_have_names_of_their_own() -> None:
    names = [name_of(rule) for rule in rules()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_an_alert_says_what_is_wrong_and_how_bad_it_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_an_alert_leads_to_its_section_of_the_runbook(rule: dict[str, Any], repository: Path) -> None:
    path, anchor = rule["annotations"]["runbook_url"].split("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(repository / path)


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_an_alert_leads_to_a_dashboard_of_its_installation(rule: dict[str, Any]) -> None:
    path, query = rule["annotations"]["dashboard_url"].split("?")
    assert path.removeprefix("d/") in dashboards()
    assert query == "var-job={{ $labels.job | urlquery }}"


def test_every_recorded_series_is_used() -> None:
    used = {name for expression in all_expressions() for name in metrics_read(expression)}
    assert {rule["record"] for rule in RECORDS} <= used


def test_a_slow_post_alerts_before_it_is_given_up() -> None:
    (slow,) = (rule for rule in ALERTS if rule["alert"] == "BulkfaxSlowSubmit")
    assert float(slow["expr"].split(">")[1]) < Policy().post_total_s
    assert f"{Policy().post_total_s:g} s" in slow["annotations"]["description"]


@pytest.mark.parametrize("name", ["datasources/prometheus.yaml", "dashboards/bulkfax.yaml"])
def test_provisioning_files_are_of_the_form_that_grafana_reads(name: str) -> None:
    document = yaml.safe_load((GRAFANA / "provisioning" / name).read_text(encoding="utf-8"))
    assert document["apiVersion"] == 1


@cache
def examples() -> list[tuple[str, bool]]:
    """Return the alerts of the promtool examples, and whether each fires. Reading them takes a third of a second."""
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in EXAMPLES]
    checks = [check for document in documents for case in document["tests"] for check in case["alert_rule_test"]]
    return [(check["alertname"], bool(check["exp_alerts"])) for check in checks]


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_an_alert_has_an_example_in_which_it_fires_and_one_in_which_it_does_not(rule: dict[str, Any]) -> None:
    assert {fires for alert, fires in examples() if alert == rule["alert"]} == {True, False}


def test_the_search_for_an_unclear_send_ends_before_the_alert_fires() -> None:
    (old,) = (rule for rule in ALERTS if rule["alert"] == "BulkfaxUnclearOld")
    assert Policy().lookups_s[-1] < float(old["expr"].split(">")[1])


def test_the_rules_do_what_their_examples_say() -> None:
    promtool = prometheus_program("promtool")
    command = [promtool, "test", "rules", *map(str, EXAMPLES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
