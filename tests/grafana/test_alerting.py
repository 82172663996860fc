"""The alerts as they reach somebody: real processes, a real Prometheus and Alertmanager, all times divided by ten."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import yaml

from benchmarks.alerts import OUTAGES, Outage, Result, monitored, play
from benchmarks.monitoring import RULES, Page, divided, faster
from benchmarks.setting import Setting
from tests.grafana.programs import need_monitoring

#: all times are divided by it
BY = 10
#: seconds in which all is well before the first outage: longer than any critical alert takes
WELL_S = 20.0


def rule(**of: Any) -> dict[str, Any]:
    return {"groups": [{"name": "g", "rules": [{"alert": "A", "labels": {"severity": "warning"}, **of}]}]}


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
    assert faster(rule(expr=expr), BY) == rule(expr=divided_expr)


def test_the_time_that_an_alert_waits_is_divided() -> None:
    assert faster(rule(expr="a", **{"for": "90s"}), BY) == rule(expr="a", **{"for": "9000ms"})
    assert (divided("1d", 10), divided("15s", 10), divided("1h1m1s", 1)) == ("8640000ms", "1500ms", "3661000ms")


def numbers(rules: dict[str, Any]) -> list[float]:
    """What expressions compare with, and how long alerts wait, in their order."""
    found = list[float]()
    for one in (rule for group in rules["groups"] for rule in group["rules"]):
        found += map(float, re.findall(r"[<>]=? (\d+(?:\.\d+)?)", one["expr"]))
    return found


def test_every_time_of_our_rules_is_divided_and_no_share_or_count() -> None:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    seconds = [60, 60, 10, 60, 60, 60, 3600, 10]
    before, after = numbers(rules), numbers(faster(rules, BY))
    assert [number for number, other in zip(before, after, strict=True) if other == number / BY != number] == seconds
    assert all(other in (number, number / BY) for number, other in zip(before, after, strict=True))
    text = yaml.safe_dump(faster(rules, BY), width=10_000)
    assert not re.findall(r"\[\d+[smhd]\]|for: \d+[smhd]\b", text)


class Watched(NamedTuple):
    """What came of watching an installation: alerts and sends while all was well, then each outage by its name."""

    well: Sequence[Page]
    sent: bool
    results: Mapping[str, Result]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """It sends, and has an idle draft and a paused batch. Outages come in their order: the one that leaves failed calls
    behind is the last."""
    need_monitoring()
    setting = Setting(folder=tmp_path_factory.mktemp("alerts"), say=print)
    with monitored(setting, 6_000, by=BY) as (cluster, monitoring):
        time.sleep(WELL_S)
        well, sent = tuple(monitoring.pages), bool(monitoring.query("sum(bulkfax_attempts_total) > 100"))
        results = {outage.name: play(cluster, monitoring, outage, by=BY) for outage in OUTAGES}
    return Watched(well=well, sent=sent, results=results)


def test_an_idle_draft_and_a_paused_batch_beside_one_that_is_sent_alert_nobody(watched: Watched) -> None:
    assert [page for page in watched.well if page.firing] == []
    assert watched.sent, "and something was sent"


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.name)
def test_an_outage_pages_with_the_alert_that_names_it_and_no_other(watched: Watched, outage: Outage) -> None:
    result = watched.results[outage.name]
    assert result.paged_s is not None
    assert result.others == []
