"""Tests of alerts with real processes, a real Prometheus and Alertmanager, and all times divided by ten."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import yaml

from benchmarks.alerts import OUTAGES, Outage, Result, monitored, play
from benchmarks.monitoring import RULES, Page, divide_duration, divide_rules
from benchmarks.setting import Setting
from tests.grafana.programs import require_monitoring

#: all times are divided by this
DIVISOR = 10
#: seconds without an outage at first: longer than any critical alert takes to fire
HEALTHY_S = 20.0


def rule(**fields: Any) -> dict[str, Any]:
    """Return a rule file with one alert."""
    return {"groups": [{"name": "g", "rules": [{"alert": "A", "labels": {"severity": "warning"}, **fields}]}]}


@pytest.mark.parametrize(
    ("expr", "divided_expr"),
    [
        ("increase(a_total[5m]) > 10", "increase(a_total[30000ms]) > 10"),
        ("rate(a_total[1h30m])", "rate(a_total[540000ms])"),
        ('max by (job) (a_seconds{process="worker"}) > 60', 'max by (job) (a_seconds{process="worker"}) > 6'),
        ("max by (job) (a_seconds) >= 15 unless b > 60", "max by (job) (a_seconds) >= 1.5 unless b > 60"),
        ("(sum(increase(a[1m])) >= 20) > 0.8", "(sum(increase(a[6000ms])) >= 20) > 0.8"),
        ("max_over_time(a_seconds[1m]) > 10", "max_over_time(a_seconds[6000ms]) > 1"),
        ("job:a_seconds:p95_5m > 10", "job:a_seconds:p95_5m > 1"),
        ('a{le="5"} == 0', 'a{le="5"} == 0'),
    ],
)
def test_windows_and_seconds_are_divided_and_nothing_else(expr: str, divided_expr: str) -> None:
    assert divide_rules(rule(expr=expr), DIVISOR) == rule(expr=divided_expr)


def test_the_time_that_an_alert_waits_is_divided() -> None:
    assert divide_rules(rule(expr="a", **{"for": "90s"}), DIVISOR) == rule(expr="a", **{"for": "9000ms"})
    assert (divide_duration("1d", 10), divide_duration("15s", 10), divide_duration("1h1m1s", 1)) == (
        "8640000ms",
        "1500ms",
        "3661000ms",
    )


def numbers(rules: dict[str, Any]) -> list[float]:
    """Return the numbers that expressions are compared with, in their order."""
    numbers = list[float]()
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        numbers += map(float, re.findall(r"[<>]=? (\d+(?:\.\d+)?)", rule["expr"]))
    return numbers


def test_every_time_of_our_rules_is_divided_and_no_share_or_count() -> None:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    seconds = [60, 60, 10, 60, 60, 60, 3600, 3600, 10, 3600]
    before, after = numbers(rules), numbers(divide_rules(rules, DIVISOR))
    assert [
        number for number, other in zip(before, after, strict=True) if other == number / DIVISOR != number
    ] == seconds
    assert all(other in (number, number / DIVISOR) for number, other in zip(before, after, strict=True))
    text = yaml.safe_dump(divide_rules(rules, DIVISOR), width=10_000)
    assert not re.findall(r"\[\d+[smhd]\]|for: \d+[smhd]\b", text)


class Observation(NamedTuple):
    """What was observed in a monitored system."""

    #: alerts before the first outage
    healthy: Sequence[Page]
    #: whether faxes were sent before the first outage
    sent: bool
    #: the result of each outage, by its name
    results: Mapping[str, Result]


@pytest.fixture(scope="module")
def observation(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    """The observation of a system that sends faxes and has an idle draft and a paused batch.

    Outages are played in their order. The one that leaves failed calls behind is the last.
    """
    require_monitoring()
    setting = Setting(folder=tmp_path_factory.mktemp("alerts"), say=print)
    with monitored(setting, 6_000, divisor=DIVISOR) as (cluster, monitoring):
        time.sleep(HEALTHY_S)
        healthy, sent = tuple(monitoring.pages), bool(monitoring.query("sum(bulkfax_attempts_total) > 100"))
        results = {outage.name: play(cluster, monitoring, outage, divisor=DIVISOR) for outage in OUTAGES}
    return Observation(healthy=healthy, sent=sent, results=results)


def test_an_idle_draft_and_a_paused_batch_beside_one_that_is_sent_alert_nobody(observation: Observation) -> None:
    assert [page for page in observation.healthy if page.firing] == []
    assert observation.sent, "no fax was sent"


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.name)
def test_an_outage_pages_with_the_alert_that_names_it_and_no_other(observation: Observation, outage: Outage) -> None:
    result = observation.results[outage.name]
    assert result.paged_s is not None
    assert result.others == []
