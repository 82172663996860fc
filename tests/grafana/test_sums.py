"""Tests with a real Prometheus that scrapes real processes: sums equal the numbers of the API, and panels have data."""

import math
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from promql_parser import VectorSelector

from benchmarks.cluster import DOCUMENT_URL
from benchmarks.monitoring import Monitoring
from benchmarks.recipients import write_csv
from benchmarks.recovery_cluster import RecoveryCluster
from benchmarks.setting import Setting
from dispatcher.client import Batch, Client, NewBatch
from tests.grafana.expressions import annotation_expressions, panels, parse, rules, subexpressions, with_values
from tests.grafana.programs import require_monitoring

JOBS, RATE = 949, 100
#: area codes in which every call fails, each with a different outcome; each has a handful of recipients
FAILING = {
    "201": "busy",
    "202": "no_answer",
    "203": "no_fax_machine",
    "205": "incompatible",
    "206": "protocol",
    "207": "training",
    "208": "dropped",
    "209": "congestion",
    "210": "bad_number",
}
SCENARIO = "\n".join(f'[[numbers]]\nprefix = "+1{area}"\noutcomes = "{outcome}"\n' for area, outcome in FAILING.items())
NO_FUNDS = 'requests = "402_before"\n'
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[tuple[Batch, Monitoring, int]]:
    """A batch that has ended, the Prometheus that monitored it, and the number of faxes that the provider accepted.

    At first the provider answers 402 to everything, so that the account is held and somebody is paged. Somebody tries
    to forge a callback.
    """
    require_monitoring()
    folder = tmp_path_factory.mktemp("sums")
    setting = Setting(folder=folder, say=print)
    policy = repository / "examples" / "fast-policy.toml"
    (folder / "monitoring").mkdir()
    with (
        RecoveryCluster(setting, rate=RATE, services=1, scenario=NO_FUNDS, policy=policy, metrics=True) as cluster,
        Monitoring(
            folder / "monitoring", cluster.local.url, processes=cluster.metrics_addresses, divisor=10
        ) as monitoring,
        cluster.local.client() as client,
    ):
        # what happens before the first scrape is no increase: web is scraped twice, everything else once
        seen = f"count(up == 1) == {2 + len(cluster.metrics_addresses)}"
        cluster.local.wait(lambda: bool(monitoring.query(seen)), PATIENCE_S, "Prometheus did not see the beginning")
        batch = started(client, folder / "recipients.csv")
        forge_callback(cluster.local.url)
        paged = 'count_over_time(ALERTS{alertname="BulkfaxHeld", alertstate="firing"}[1m]) > 2'
        cluster.local.wait(lambda: bool(monitoring.query(paged)), PATIENCE_S, "nobody was paged")
        cluster.local.emulator_api.play(SCENARIO)
        client.release_hold("account")
        client.set_rate(per_second=RATE - 10, per_day=100_000)
        cluster.local.wait(lambda: client.batch(batch).ended, PATIENCE_S, "the batch did not end")
        final = f"sum(bulkfax_jobs_final_total) == {JOBS}"
        cluster.local.wait(lambda: bool(monitoring.query(final)), PATIENCE_S, "Prometheus did not see the end")
        yield client.batch(batch), monitoring, int(cluster.local.emulator_api.stats()["accepted"])


def started(client: Client, path: Path) -> str:
    """Start a batch with a deadline, and return its id."""
    write_csv(path, JOBS)
    deadline = datetime.now(UTC) + timedelta(hours=1)
    batch = client.create_batch(NewBatch(name="first", content_urls=(DOCUMENT_URL,), deadline=deadline)).id
    client.upload_recipients(batch, path)
    client.start(batch, allow_repeat=True)
    return batch


def forge_callback(url: str) -> None:
    """Send a callback with a wrong signature."""
    request = urllib.request.Request(f"{url}/callbacks/sinch/01m8gvdq9c8v91t0qqkhjzt120.1/1/{'x' * 43}", b"{}")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def summed(monitoring: Monitoring, expression: str, label: str) -> dict[str, float]:
    """Return the values other than 0 by a label."""
    values = {sample["metric"][label]: float(sample["value"][1]) for sample in monitoring.query(expression)}
    return {name: value for name, value in values.items() if value}


def test_final_states_add_up_to_those_of_the_batch(finished: tuple[Batch, Monitoring, int]) -> None:
    batch, monitoring, _ = finished
    states = {state: jobs for state, jobs in batch.counts.items() if jobs}
    assert sum(states.values()) == JOBS
    assert states["failed"] > 20
    assert summed(monitoring, "sum by (state) (bulkfax_jobs_final_total)", "state") == states
    growth = summed(monitoring, "sum by (state) (increase(bulkfax_jobs_final_total[10m]))", "state")
    # Prometheus extrapolates to the ends of the window
    assert all(math.isclose(growth[state], jobs, rel_tol=0.1) for state, jobs in states.items()), growth
    assert all(growth[state] >= jobs - 0.01 for state, jobs in states.items()), growth


def test_failed_jobs_add_up_by_category(finished: tuple[Batch, Monitoring, int]) -> None:
    """Every series exists with value 0 before its first job."""
    batch, monitoring, _ = finished
    assert len(batch.categories["failed"]) > 5
    for state, categories in batch.categories.items():
        series = f'bulkfax_jobs_final_total{{state="{state}", category!="none"}}'
        assert summed(monitoring, f"sum by (category) ({series})", "category") == categories
        first = f"sum by (category) (min_over_time({series}[10m]))"
        assert summed(monitoring, first, "category") == {}


def test_jobs_add_up_by_error_type_to_all_of_them(finished: tuple[Batch, Monitoring, int]) -> None:
    batch, monitoring, _ = finished
    types = summed(monitoring, "sum by (error_type) (bulkfax_job_error_types_total)", "error_type")
    assert sum(types.values()) == JOBS
    assert types["none"] == batch.counts["delivered"]


def test_accepted_attempts_are_the_faxes_that_the_provider_took(finished: tuple[Batch, Monitoring, int]) -> None:
    _, monitoring, accepted = finished
    both = 'sum(bulkfax_attempts_total{outcome="accepted"}) + sum(bulkfax_probes_total{outcome="accepted"})'
    assert float(monitoring.query(both)[0]["value"][1]) == accepted


def test_first_calls_are_one_for_each_recipient(finished: tuple[Batch, Monitoring, int]) -> None:
    _, monitoring, _ = finished
    assert float(monitoring.query("sum(bulkfax_first_calls_total)")[0]["value"][1]) == JOBS


def test_the_rate_used_never_exceeds_all_of_it(finished: tuple[Batch, Monitoring, int]) -> None:
    _, monitoring, _ = finished
    maximum = float(monitoring.query("max(max_over_time(bulkfax_rate_used_ratio[10m]))")[0]["value"][1])
    assert 0.0 <= maximum <= 1.0


#: panels and legends whose expressions may have no data in such a run, and why
WITHOUT_DATA = {
    ("Deliveries to webhook endpoints", "{{result}}"): "there is no endpoint",
    ("Drafts that expired", "expired"): "a draft lives for days",
    ("Holds opened, and doubled jobs", "doubled"): "no job is doubled",
    ("Jobs that were not sent to the end", "{{state}}: {{category}}"): "the batch is sent to the end",
    ("Memory of Redis", "limit"): "the memory of the embedded Redis is not limited",
    ("Reads at the provider", "{{kind}}: {{result}}"): "no callback is lost and no send is unclear",
    ("Slots missed, attempts without an end", "missed slot"): "only a busy machine misses slots",
    ("Slots missed, attempts without an end", "without an end"): "no worker ends",
}
#: the same of series that rules read
SERIES_WITHOUT_DATA = {
    'job_kind_category:bulkfax_holds:of_all{kind="provider"}': "the provider answers",
}


def had_data(monitoring: Monitoring, expression: str) -> bool:
    """Return whether an expression had a value at any time. Prometheus refuses a wrong one."""
    return bool(monitoring.query(f"count(last_over_time(({with_values(expression)})[15m:2s]))"))


def test_every_expression_of_every_panel_has_data(finished: tuple[Batch, Monitoring, int]) -> None:
    _, monitoring, _ = finished
    without = {
        (panel["title"], target["legendFormat"])
        for _, panel in panels()
        for target in panel["targets"]
        if not had_data(monitoring, target["expr"])
    }
    assert without <= set(WITHOUT_DATA)


def test_every_annotation_marks_something(finished: tuple[Batch, Monitoring, int]) -> None:
    _, monitoring, _ = finished
    without = {expression for expression in annotation_expressions() if not had_data(monitoring, expression)}
    assert without == set()


def test_every_series_that_a_rule_reads_has_data(finished: tuple[Batch, Monitoring, int]) -> None:
    """An alert that does not fire has none itself. A series with a wrong name or label would never have any."""
    _, monitoring, _ = finished
    without = {
        str(node)
        for rule in rules()
        for node in subexpressions(parse(rule["expr"]))
        if isinstance(node, VectorSelector) and not had_data(monitoring, str(node))
    }
    assert without <= set(SERIES_WITHOUT_DATA)
