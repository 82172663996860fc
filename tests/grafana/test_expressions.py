"""Dashboard and rules ask for what the service tells, in a way that is right with several web processes."""

import re
from collections.abc import AsyncIterator

import pytest

from dispatcher.core.policy import Policy
from dispatcher.metrics import Exposition
from dispatcher.store.store import Store
from tests.grafana.expressions import all_expressions, first_aggregations, metrics_read, parsed, rules

#: told by Prometheus itself
ITS_OWN = {"up"}


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
    """Names of all series that a text for Prometheus may hold, by its TYPE lines."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return names


@pytest.mark.anyio
async def test_every_metric_that_is_asked_for_is_told_by_the_service(store: Store) -> None:
    told = series_of((await Exposition().text(store, 512)).decode())
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for expression in all_expressions() for name in metrics_read(expression)}
    assert asked - told - recorded - ITS_OWN == set()


@pytest.mark.parametrize("expression", sorted(set(all_expressions())))
def test_an_expression_is_promql(expression: str) -> None:
    parsed(expression)


@pytest.mark.parametrize("expression", sorted(set(all_expressions())))
def test_web_processes_tell_the_same_totals_so_they_are_never_added_up(expression: str) -> None:
    met = {(name, operator) for name, operator in first_aggregations(expression) if name.startswith("bulkfax_")}
    assert {operator for _, operator in met} <= {"max"}


def test_counters_of_one_process_never_go_back() -> None:
    """When Redis loses writes its own do. Jobs by state are a gauge."""
    exposition, accepted, waiting = Exposition(), ("attempts", "accepted"), ("jobs", "1")
    told: list[dict[tuple[str, ...], int]] = [
        {accepted: 100, waiting: 9},
        {accepted: 60, waiting: 7},
        {accepted: 65, waiting: 8},
        {waiting: 3},
        {accepted: 2, waiting: 3},
    ]
    shown = [exposition.forward(totals) for totals in told]
    assert [totals[accepted] for totals in shown] == [100, 100, 105, 105, 107]
    assert [totals[waiting] for totals in shown] == [9, 7, 8, 3, 3]
