"""Tests that dashboards and rules read metrics that bulkfax exports, and are correct with several web processes."""

import re
from functools import cache
from pathlib import Path

import pytest
from promql_parser import AggregateExpr

from dispatcher.metrics.installation import Exposition
from tests.grafana.expressions import all_expressions, first_aggregations, metrics_read, parse, rules, subexpressions

#: series that Prometheus itself adds
PROMETHEUS_SERIES = {"up", "ALERTS"}
METRICS = Path(__file__).parent.parent.parent / "docs" / "metrics.md"


@cache
def exported() -> tuple[frozenset[str], frozenset[str]]:
    """Return the series of the installation, and those of processes, from the generated description of all metrics."""
    _, installation, *processes = re.split(r"^## .*$", METRICS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return series_of(installation), series_of("".join(processes))


def series_of(text: str) -> frozenset[str]:
    """Return the names of all series that the rows of a table of metrics describe."""
    names = set[str]()
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return frozenset(names)


def test_every_metric_that_is_read_is_exported_by_the_service() -> None:
    installation, processes = exported()
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    read = {name for expression in all_expressions() for name in metrics_read(expression)}
    assert read - installation - processes - recorded - PROMETHEUS_SERIES == set()


@pytest.mark.parametrize("expression", sorted(set(all_expressions())))
def test_an_expression_is_promql(expression: str) -> None:
    parse(expression)


@pytest.mark.parametrize("expression", sorted(set(all_expressions())))
def test_web_processes_export_the_same_totals_so_they_are_never_added_up(expression: str) -> None:
    """Metrics of processes may be added up."""
    installation, _ = exported()
    operators = {operator for name, operator in first_aggregations(expression) if name in installation}
    assert operators <= {"max"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_installations_in_the_same_prometheus_are_told_apart(rule: dict[str, str]) -> None:
    for node in subexpressions(parse(rule["expr"])):
        if isinstance(node, AggregateExpr):
            assert node.modifier is not None, rule["expr"]
            assert "job" in node.modifier.labels, rule["expr"]


def test_counters_of_one_process_never_go_back() -> None:
    """Totals in Redis go back when it loses writes. Jobs by state are a gauge, which may go down."""
    exposition, accepted, waiting = Exposition(), ("attempts", "accepted"), ("jobs", "1")
    stored: list[dict[tuple[str, ...], int]] = [
        {accepted: 100, waiting: 9},
        {accepted: 60, waiting: 7},
        {accepted: 65, waiting: 8},
        {waiting: 3},
        {accepted: 2, waiting: 3},
    ]
    exported = [exposition.forward(totals) for totals in stored]
    assert [totals[accepted] for totals in exported] == [100, 100, 105, 105, 107]
    assert [totals[waiting] for totals in exported] == [9, 7, 8, 3, 3]
