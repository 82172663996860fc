"""Tests that the Helm chart fits the service: its settings, version and times. They do not need Helm."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from dispatcher.core.policy.policy import Policy
from dispatcher.settings import Settings, SinchSettings
from workers.process import stop_s

CHART = Path(__file__).parent.parent.parent / "helm" / "bulkfax"
TEMPLATES = sorted((CHART / "templates").glob("*"))
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"setings": {}},
        {"existingSecret": ""},
        {"settings": {**values()["settings"], "publicUrl": "fax.example.com"}},
        {"worker": {**values()["worker"], "terminationGracePeriodSeconds": 10}},
        {"ingress": {**values()["ingress"], "enabled": True}},
    ],
    ids=["a misspelt name", "no secret", "no address", "too short a time to end", "an ingress without host"],
)
def test_the_schema_refuses(wrong: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(schema(), values() | wrong)


@pytest.mark.parametrize("file", [*TEMPLATES, CHART / "values.yaml", CHART / "README.md"], ids=lambda file: file.name)
def test_every_variable_in_the_chart_is_a_setting(file: Path) -> None:
    variables = set(re.findall(r"BULKFAX_[A-Z0-9_]+", file.read_text(encoding="utf-8")))
    # NOTES.txt names the variable of the command line
    assert variables - settings_names() <= {"BULKFAX_API_KEY"}


def test_every_value_is_used_by_a_template() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in TEMPLATES)
    unused = [name for name in values() if name not in PODS and f"Values.{name}" not in text]
    unused += [name for name in values()["settings"] if not re.search(rf"\.{name}\b", text)]
    assert not unused


def test_the_defaults_of_the_chart_are_valid_settings() -> None:
    settings = values()["settings"]
    sinch = SinchSettings(
        rate_per_second=settings["ratePerSecond"],
        rate_per_minute=settings["ratePerMinute"],
        rate_per_day=settings["ratePerDay"],
        auth=settings["auth"],
    )
    worker = values()["worker"]
    Settings(
        _env_file=None,
        sinch=sinch,
        redis_wait_replicas=settings["redisWaitReplicas"],
        public_url=settings["publicUrl"],
        default_country=settings["defaultCountry"],
        log_level=settings["logLevel"],
        log_format=settings["logFormat"],
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


def test_only_web_is_probed_and_its_liveness_does_not_depend_on_redis() -> None:
    web = template("web.yaml")
    assert re.search(r"livenessProbe:\n\s+httpGet: {path: /healthz,", web)
    assert re.search(r"readinessProbe:\n\s+httpGet: {path: /readyz,", web)
    assert "Probe:" not in template("scheduler.yaml") + template("worker.yaml")


def test_the_ingress_lets_in_only_what_the_provider_needs() -> None:
    assert values()["ingress"]["paths"] == ["/callbacks", "/documents"]


def test_the_rules_of_the_chart_are_the_rules_of_grafana(repository: Path) -> None:
    rules = repository / "grafana" / "rules" / "bulkfax.yaml"
    assert (CHART / "files" / "rules.yaml").read_bytes() == rules.read_bytes()
