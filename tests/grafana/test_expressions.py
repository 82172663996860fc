"""Tests that dashboard and rules read metrics that bulkfax exports, and are correct with several web processes."""

import re
from collections.abc import AsyncIterator

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.metrics.installation import Exposition
from dispatcher.store.store import Store
from tests.grafana.expressions import all_expressions, first_aggregations, metrics_read, parse, rules

#: series that Prometheus itself adds
PROMETHEUS_SERIES = {"up"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, Policy(), documents_max_bytes=1_000_000)
    await store.rate_limiter.set_ceiling(10.0)
    yield store
    await store.aclose()


def series_of(text: str) -> set[str]:
    """Return the names of all series that the TYPE lines of an exposition declare."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return names


@pytest.mark.anyio
async def test_every_metric_that_is_read_is_exported_by_the_service(store: Store) -> None:
    exported = series_of((await Exposition().text(store, 512)).decode())
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    read = {name for expression in all_expressions() for name in metrics_read(expression)}
    assert read - exported - recorded - PROMETHEUS_SERIES == set()


@pytest.mark.parametrize("expression", sorted(set(all_expressions())))
def test_an_expression_is_promql(expression: str) -> None:
    parse(expression)


@pytest.mark.parametrize("expression", sorted(set(all_expressions())))
def test_web_processes_export_the_same_totals_so_they_are_never_added_up(expression: str) -> None:
    aggregations = {
        (name, operator) for name, operator in first_aggregations(expression) if name.startswith("bulkfax_")
    }
    assert {operator for _, operator in aggregations} <= {"max"}


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
