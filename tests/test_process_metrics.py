"""Tests of the metrics of a process: their labels, initial values and names."""

import pytest
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from dispatcher.core.policy.policy import Policy
from dispatcher.metrics.process import MessageMetrics, ProcessMetrics, RequestMetrics, TurnMetrics
from dispatcher.service.permits import ReadPermits
from dispatcher.sinch.client import SinchAccount, make_client
from dispatcher.store.store import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def metrics(redis_url: str) -> ProcessMetrics:
    """Return metrics of all kinds, as if a process were web, scheduler and worker at once."""
    metrics = ProcessMetrics("web", "worker-1")
    RequestMetrics(metrics.registry, [("GET", "/v1/batches/{batch}")])
    MessageMetrics(metrics.registry, ["bulk", "urgent"])
    TurnMetrics(metrics.registry)
    store = Store(redis_url, Policy(), documents_max_bytes=1_000_000)
    sinch = make_client(SinchAccount(project_id="p", key_id="k", key_secret="s"))
    async with metrics.watching(sinch, store, ReadPermits(store.rate_limiter, at_once=1)):
        pass
    await sinch.aclose()
    await store.aclose()
    return metrics


async def test_every_sample_has_the_label_of_its_process(metrics: ProcessMetrics) -> None:
    assert {sample.labels["process"] for metric in metrics.collect() for sample in metric.samples} == {"worker-1"}


async def test_every_series_exists_from_the_start(metrics: ProcessMetrics) -> None:
    """Otherwise ``increase()`` misses the first increment."""
    assert [metric.name for metric in metrics.collect() if not metric.samples] == []
    text = generate_latest(metrics).decode()
    for series in (
        'bulkfax_http_requests_total{method="GET",process="worker-1",route="/v1/batches/{batch}",status="5xx"} 0.0',
        'bulkfax_callback_seconds_count{process="worker-1",result="forged"} 0.0',
        'bulkfax_messages_total{process="worker-1",queue="bulk",result="failed"} 0.0',
        'bulkfax_token_requests_total{process="worker-1",result="refused"} 0.0',
        'bulkfax_provider_reads_total{kind="number",process="worker-1",result="no_permit"} 0.0',
        'bulkfax_log_lines_total{level="error",process="worker-1"}',
    ):
        assert series in text


async def test_names_do_not_clash_in_openmetrics(metrics: ProcessMetrics) -> None:
    families: list[Metric] = list(read_openmetrics(as_openmetrics(metrics).decode()))  # type: ignore[no-untyped-call]
    assert len({family.name for family in families}) == len(families) > 20


async def test_names_have_a_unit_or_say_what_they_count(metrics: ProcessMetrics) -> None:
    for metric in metrics.collect():
        if metric.name.startswith("bulkfax_") and metric.type == "histogram":
            assert metric.name.endswith("_seconds"), metric.name


async def test_labels_are_of_closed_sets(metrics: ProcessMetrics) -> None:
    """No number, name, host or URL can become one: a route is the template of a path."""
    labels = {label for metric in metrics.collect() for sample in metric.samples for label in sample.labels}
    python = {"version", "python", "implementation", "major", "minor", "patchlevel", "generation"}
    closed = {"component", "kind", "le", "level", "method", "pool", "process", "queue", "result", "state", "status"}
    assert labels <= python | closed | {"route"}
