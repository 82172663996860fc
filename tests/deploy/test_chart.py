"""Tests that the Helm chart fits the service: settings, version and times. They need no Helm; test_rendered.py does."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from dispatcher.api.body_limit import largest_body
from dispatcher.core.policy.policy import Policy
from dispatcher.settings import Settings, SinchSettings
from tests.deploy.helm_releases import ACCEPTED, REFUSED
from workers.process import stop_s

CHART = Path(__file__).parent.parent.parent / "helm" / "bulkfax"
TEMPLATES = sorted(file for file in (CHART / "templates").rglob("*") if file.is_file())
PODS = ("web", "scheduler", "worker")
#: seconds that a worker has after its last POST to store the result
MARGIN_S = 5.0


def values() -> dict[str, Any]:
    """Return the default values."""
    document: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return document


def schema() -> dict[str, Any]:
    """Return the schema of the values."""
    document: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return document


def template(name: str) -> str:
    """Return the text of a template."""
    return (CHART / "templates" / name).read_text(encoding="utf-8")


def settings_names() -> set[str]:
    """Return the environment variables of all settings."""
    plain = {f"BULKFAX_{name.upper()}" for name in Settings.model_fields}
    return plain | {f"BULKFAX_SINCH__{name.upper()}" for name in SinchSettings.model_fields}


def worker_stop_s() -> float:
    """Return the seconds that a worker takes at most to stop."""
    return stop_s(Policy())


def test_the_values_satisfy_their_schema() -> None:
    jsonschema_rs.meta.validate(schema())
    jsonschema_rs.validate(schema(), values())


def test_the_schema_knows_every_value_and_no_other() -> None:
    # "global" is reserved by Helm
    assert set(schema()["properties"]) - {"global"} == set(values())


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return values with changes, as Helm merges them."""
    inner = {
        name: merged(values[name], value) if isinstance(value, dict) and isinstance(values.get(name), dict) else value
        for name, value in changes.items()
    }
    return {**values, **inner}


@pytest.mark.parametrize("title", ACCEPTED)
def test_the_schema_accepts(title: str) -> None:
    jsonschema_rs.validate(schema(), merged(values(), ACCEPTED[title]["values"]))


@pytest.mark.parametrize("title", REFUSED)
def test_the_schema_refuses_a_wrong_value_by_name(title: str) -> None:
    wrong, name = REFUSED[title]
    errors = jsonschema_rs.validator_for(schema()).iter_errors(merged(values(), wrong))
    assert any(name in f"{error.instance_path} {error.message}" for error in errors)


@pytest.mark.parametrize("file", [*TEMPLATES, CHART / "values.yaml", CHART / "README.md"], ids=lambda file: file.name)
def test_every_variable_in_the_chart_is_a_setting(file: Path) -> None:
    variables = set(re.findall(r"BULKFAX_[A-Z0-9_]+", file.read_text(encoding="utf-8")))
    # NOTES.txt and the test name variables of the command line
    assert variables - settings_names() <= {"BULKFAX_API_KEY", "BULKFAX_API_URL"}


def test_every_value_is_used_by_a_template() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in TEMPLATES)
    # these are read by the name of what they concern
    indirect = {*PODS, "callbacks", "api"}
    unused = [name for name in values() if name not in indirect and not re.search(rf"[vV]alues\.{name}\b", text)]
    unused += [name for name in values()["settings"] if not re.search(rf"\.{name}\b", text)]
    assert not unused


def test_the_defaults_of_the_chart_are_valid_settings() -> None:
    settings = values()["settings"]
    sinch = SinchSettings(
        rate_per_second=settings["ratePerSecond"],
        rate_per_minute=settings["ratePerMinute"],
        rate_per_day=settings["ratePerDay"],
        auth=settings["auth"],
        connections=settings["connections"],
        max_in_flight=settings["maxInFlight"],
    )
    worker = values()["worker"]
    Settings(
        _env_file=None,
        sinch=sinch,
        redis_wait_replicas=settings["redisWaitReplicas"],
        redis_durability=settings["redisDurability"],
        public_url=settings["publicUrl"],
        default_country=settings["defaultCountry"],
        log_level=settings["logLevel"],
        log_format=settings["logFormat"],
        documents_max_bytes=settings["documentsMaxBytes"],
        webhook_private_addresses=settings["webhookPrivateAddresses"],
        worker_processes=worker["processes"],
        worker_threads=worker["threads"],
    )


def test_the_chart_has_the_version_of_the_project(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_a_worker_may_finish_its_sends_before_it_is_killed() -> None:
    policy = Policy()
    longest_s = policy.send_window_s + policy.post_total_s
    grace_s = values()["worker"]["terminationGracePeriodSeconds"]
    assert grace_s >= longest_s + MARGIN_S
    assert grace_s >= worker_stop_s() + MARGIN_S
    assert schema()["properties"]["worker"]["properties"]["terminationGracePeriodSeconds"]["minimum"] >= longest_s


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_the_command_of_its_name_with_the_settings_of_all(name: str, repository: Path) -> None:
    text = template(f"{name}.yaml")
    assert f"command: [bulkfax, {name}]" in text
    assert f"{name}: bulkfax {name}" in (repository / "Procfile").read_text(encoding="utf-8")
    for shared in ("deployment", "container", "env"):
        assert f'include "bulkfax.{shared}"' in text


@pytest.mark.parametrize(
    "line",
    [
        *("runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "drop: [ALL]"),
        *("automountServiceAccountToken: false", "type: RuntimeDefault", "enableServiceLinks: false"),
    ],
)
def test_pods_run_with_minimal_privileges(line: str) -> None:
    assert line in template("_helpers.tpl")


def test_the_defaults_of_the_chart_are_those_of_the_service() -> None:
    chart, ours = values()["settings"], SinchSettings()
    assert (chart["connections"], chart["maxInFlight"]) == (ours.connections, ours.max_in_flight)
    assert chart["documentsMaxBytes"] == Settings.model_fields["documents_max_bytes"].default


def test_web_is_alive_without_redis_and_ready_only_with_it() -> None:
    web = template("web.yaml")
    assert re.search(r"livenessProbe:\n\s+httpGet: {path: /healthz,", web)
    assert re.search(r"readinessProbe:\n\s+httpGet: {path: /readyz,", web)


def test_bodies_that_web_takes_pass_the_ingress() -> None:
    bodies = {"callbacks": "/callbacks/sinch/x", "api": "/v1/batches/b/recipients"}
    for name, path in bodies.items():
        assert int(values()[name]["ingress"]["bodySize"].removesuffix("m")) * 1024**2 >= largest_body(path)


def test_callbacks_and_the_api_are_not_exposed_and_metrics_never() -> None:
    for name in ("callbacks", "api"):
        assert not values()[name]["ingress"]["enabled"]
        assert not values()[name]["route"]["enabled"]
    assert values()["api"]["ingress"]["paths"] == ["/v1"]
    assert 'dict "callbacks" (list "/callbacks" "/documents")' in template("exposure.yaml")


def test_the_rules_of_the_chart_are_the_rules_of_grafana(repository: Path) -> None:
    rules = repository / "grafana" / "rules" / "bulkfax.yaml"
    assert (CHART / "files" / "rules.yaml").read_bytes() == rules.read_bytes()
    dashboards = repository / "grafana" / "dashboards"
    assert (CHART / "files" / "dashboards").resolve() == dashboards
