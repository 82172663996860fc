"""Tests that sums over metrics equal the numbers of the API, including the first job of each category."""

import math
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest

from benchmarks.cluster import draft
from benchmarks.monitoring import Monitoring
from benchmarks.recipients import write_csv
from benchmarks.recovery_cluster import RecoveryCluster
from benchmarks.setting import Setting
from dispatcher.client import Batch
from tests.grafana.expressions import panels
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
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[tuple[Batch, Monitoring, int]]:
    """A batch that has ended, the Prometheus that monitored it, and the number of faxes that the provider accepted."""
    require_monitoring()
    folder = tmp_path_factory.mktemp("sums")
    setting = Setting(folder=folder, say=print)
    policy = repository / "examples" / "fast-policy.toml"
    (folder / "monitoring").mkdir()
    with (
        RecoveryCluster(setting, rate=RATE, services=1, scenario=SCENARIO, policy=policy) as cluster,
        Monitoring(folder / "monitoring", cluster.local.url, divisor=10) as monitoring,
        cluster.local.client() as client,
    ):
        path = folder / "recipients.csv"
        write_csv(path, JOBS)
        batch = draft(client, "first", path)
        client.start(batch.id, allow_repeat=True)
        cluster.local.wait(lambda: client.batch(batch.id).ended, PATIENCE_S, "the batch did not end")
        batch = client.batch(batch.id)
        final = f"sum(bulkfax_jobs_final_total) == {JOBS}"
        cluster.local.wait(lambda: bool(monitoring.query(final)), PATIENCE_S, "Prometheus did not see the end")
        yield batch, monitoring, int(cluster.local.emulator_api.stats()["accepted"])


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


#: panels that are empty without such limits and without holds
EMPTY = {"Limits of a minute and a day", "Holds in force"}


def test_every_panel_of_the_dashboard_has_data(finished: tuple[Batch, Monitoring, int]) -> None:
    """Prometheus also accepts every query."""
    _, monitoring, _ = finished
    values = {"$job": "bulkfax", "$__rate_interval": "1m", "$__range": "10m"}
    results = {
        panel["title"]: [
            monitoring.query(reduce(lambda text, name: text.replace(name, values[name]), values, target["expr"]))
            for target in panel["targets"]
        ]
        for panel in panels()
    }
    assert {title for title, samples in results.items() if not any(samples)} == EMPTY
