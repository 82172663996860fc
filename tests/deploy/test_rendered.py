"""The chart rendered by Helm's engine, for many values: valid for Kubernetes, and its objects fit together."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.settings import load_settings
from grafana.files import with_addresses
from tests.deploy import helm_releases
from tests.deploy.helm_releases import ACCEPTED, GRAFANA, REFUSED, RUNBOOK
from tests.grafana.expressions import all_expressions, metrics_read

Manifest = dict[str, Any]
#: longest name of a label's value and of a Service, and longest name of a CronJob
MAX_NAME, MAX_CRONJOB = 63, 52


@pytest.fixture(scope="module")
def rendered(tools: Path) -> dict[str, dict[str, Any]]:
    """What Helm made of each release, by its title."""
    refused = {title: helm_releases.release(values) for title, (values, _) in REFUSED.items()}
    misspelt = helm_releases.release({"extraObjects": helm_releases.MISSPELT})
    releases = {**ACCEPTED, **refused, "objects with a misspelt field": misspelt}
    program = Path(helm_releases.__file__).with_name("helm_tools.py")
    ran = subprocess.run(
        [tools / "python", program], input=json.dumps([*releases.values()]), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return dict(zip(releases, json.loads(ran.stdout), strict=True))


@pytest.fixture
def manifests(rendered: dict[str, dict[str, Any]], title: str) -> list[Manifest]:
    """The objects of a release."""
    assert "refused" not in rendered[title], rendered[title]["refused"]
    objects: list[Manifest] = rendered[title]["manifests"]
    return objects


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Return the objects of a kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def named(manifests: list[Manifest], kind: str, suffix: str) -> Manifest:
    """Return the object of a kind whose name ends so."""
    return next(each for each in of_kind(manifests, kind) if each["metadata"]["name"].endswith(suffix))


def pods(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield metadata and specification of the pods of this chart; those of extraObjects belong to somebody else."""
    for manifest in manifests:
        match manifest["kind"]:
            case "Deployment":
                pod = manifest["spec"]["template"]
            case "CronJob":
                pod = manifest["spec"]["jobTemplate"]["spec"]["template"]
            case "Pod":
                pod = manifest
            case _:
                continue
        if "app.kubernetes.io/component" in pod["metadata"]["labels"]:
            yield pod["metadata"], pod["spec"]


each = pytest.mark.parametrize("title", ACCEPTED)


@each
def test_a_release_is_valid_for_kubernetes(rendered: dict[str, dict[str, Any]], title: str) -> None:
    assert "refused" not in rendered[title], rendered[title]["refused"]
    assert rendered[title]["faults"] == []


def test_a_misspelt_field_of_any_kind_is_seen(rendered: dict[str, dict[str, Any]]) -> None:
    """The validation is as strict as the tests above rely on."""
    faults = rendered["objects with a misspelt field"]["faults"]
    assert {fault.split()[0] for fault in faults} == {broken["kind"] for broken in helm_releases.MISSPELT}
    assert all("wrongField" in fault for fault in faults)


@pytest.mark.parametrize("title", REFUSED)
def test_a_wrong_value_is_refused_by_name(rendered: dict[str, dict[str, Any]], title: str) -> None:
    name = REFUSED[title][1]
    assert name in rendered[title].get("refused", "accepted")


@each
def test_names_are_short_and_such_as_services_may_have(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        name, labels = manifest["metadata"]["name"], manifest["metadata"].get("labels", {})
        assert len(name) <= (MAX_CRONJOB if manifest["kind"] == "CronJob" else MAX_NAME)
        assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)
        assert all(len(value) <= MAX_NAME for value in labels.values())


@each
def test_selectors_select_pods_of_the_release(manifests: list[Manifest]) -> None:
    labels = [metadata["labels"] for metadata, _ in pods(manifests)]

    def selects(labels_needed: dict[str, str]) -> bool:
        return any(labels_needed.items() <= pod.items() for pod in labels)

    for manifest in manifests:
        match manifest["kind"]:
            case "Service" if "app.kubernetes.io/component" in manifest["spec"]["selector"]:
                assert selects(manifest["spec"]["selector"])
            case "NetworkPolicy":
                assert selects(manifest["spec"]["podSelector"]["matchLabels"])
            case "Deployment" | "PodDisruptionBudget" | "ServiceMonitor" | "PodMonitor":
                selector = manifest["spec"]["selector"]["matchLabels"]
                assert selects(selector) or "app.kubernetes.io/component" not in selector


@each
def test_what_an_object_refers_to_is_there(manifests: list[Manifest]) -> None:
    services = {service["metadata"]["name"] for service in of_kind(manifests, "Service")}
    config_maps = {config["metadata"]["name"] for config in of_kind(manifests, "ConfigMap")}
    deployments = {deployment["metadata"]["name"] for deployment in of_kind(manifests, "Deployment")}
    for _, pod in pods(manifests):
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for c in pod["containers"] for mount in c["volumeMounts"]} <= volumes
        assert {v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v} <= config_maps | {"my-files"}
    for manifest in [*of_kind(manifests, "Ingress"), *of_kind(manifests, "HTTPRoute")]:
        assert set(re.findall(r"'name': '([a-z0-9-]+-web)'", str(manifest["spec"]))) <= services
    for scaler in [*of_kind(manifests, "HorizontalPodAutoscaler"), *of_kind(manifests, "ScaledObject")]:
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
        assert "replicas" not in named(manifests, "Deployment", "-worker")["spec"]


@each
def test_pods_have_minimal_privileges_and_a_read_only_root(manifests: list[Manifest]) -> None:
    for _, pod in pods(manifests):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            security = container["securityContext"]
            assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
            assert security["capabilities"] == {"drop": ["ALL"]}


@each
def test_every_process_is_probed_and_no_liveness_depends_on_redis(manifests: list[Manifest]) -> None:
    for deployment in of_kind(manifests, "Deployment"):
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "livenessProbe"} <= container.keys()
        probe = container["livenessProbe"]
        assert probe.get("httpGet", {}).get("path") != "/readyz"
        if "exec" in probe:
            assert probe["exec"]["command"] == ["bulkfax", "alive"]
            assert "BULKFAX_ALIVE_DIR" in {variable["name"] for variable in container["env"]}


@each
def test_the_environment_of_a_pod_is_valid_settings(
    manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for metadata, pod in pods(manifests):
        if metadata["labels"]["app.kubernetes.io/component"] == "emulator":
            continue
        with monkeypatch.context() as context:
            for variable in pod["containers"][0]["env"]:
                optional = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("optional")
                if not optional:
                    context.setenv(variable["name"], variable.get("value", "secret"))
            load_settings()


def test_only_what_the_provider_needs_is_exposed_to_it(rendered: dict[str, dict[str, Any]]) -> None:
    ingress = named(rendered["callbacks through nginx"]["manifests"], "Ingress", "-callbacks")
    paths = [path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]]
    assert paths == ["/callbacks", "/documents"]
    assert ingress["metadata"]["annotations"] == {
        "nginx.ingress.kubernetes.io/proxy-body-size": "28m",
        "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
        "nginx.ingress.kubernetes.io/whitelist-source-range": "192.0.2.0/24,2001:db8::/32",
    }
    assert "WARNING: callbacks are only accepted from" in rendered["callbacks through nginx"]["notes"]
    producers = named(rendered["callbacks through nginx"]["manifests"], "Ingress", "-api")
    assert "nginx.ingress.kubernetes.io/whitelist-source-range" not in producers["metadata"]["annotations"]


def test_values_of_a_component_replace_those_of_all(rendered: dict[str, dict[str, Any]]) -> None:
    manifests = rendered["scheduling of one component"]["manifests"]
    worker, web = (named(manifests, "Deployment", name)["spec"]["template"]["spec"] for name in ("-worker", "-web"))
    assert (worker["nodeSelector"], web["nodeSelector"]) == ({"pool": "fax"}, {"pool": "all"})
    assert (worker["priorityClassName"], web["priorityClassName"]) == ("high", "usual")
    assert worker["containers"][0]["env"][-1] == {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}


def test_the_demo_sends_to_the_emulator_only(rendered: dict[str, dict[str, Any]]) -> None:
    manifests = rendered["demo"]["manifests"]
    for metadata, pod in pods(manifests):
        env = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
        if metadata["labels"]["app.kubernetes.io/component"] != "emulator":
            assert env["BULKFAX_SINCH__BASE_URL"] == "http://bulkfax-emulator.fax.svc"
            assert env["BULKFAX_SINCH__AUTH_URL"] == "http://bulkfax-emulator.fax.svc/oauth2/token"
            assert env["BULKFAX_PUBLIC_URL"] == "http://bulkfax-web.fax.svc:80"


def test_a_digest_names_exactly_one_image(rendered: dict[str, dict[str, Any]]) -> None:
    images = {c["image"] for _, pod in pods(rendered["digest"]["manifests"]) for c in pod["containers"]}
    assert images == {f"registry.example.com/bulkfax@sha256:{'0' * 64}"}


def test_the_query_of_the_autoscaler_is_promql_of_our_metrics(rendered: dict[str, dict[str, Any]]) -> None:
    [trigger] = named(rendered["large"]["manifests"], "ScaledObject", "-worker")["spec"]["triggers"]
    used = {name for expression in all_expressions() for name in metrics_read(expression)}
    read = metrics_read(trigger["metadata"]["query"])
    assert read == {"bulkfax_rate_per_second", "bulkfax_submit_seconds_bucket", "bulkfax_jobs_due"}
    assert read <= used, "dashboard or rules show what the service exports"
    assert trigger["metadata"]["threshold"] == "179.2"


def test_dashboards_and_rules_are_those_of_grafana(rendered: dict[str, dict[str, Any]], repository: Path) -> None:
    manifests = rendered["small"]["manifests"]
    boards = {name: text for config in of_kind(manifests, "ConfigMap") for name, text in config["data"].items()}
    files = (repository / "grafana" / "dashboards").glob("*.json")
    assert {name: json.loads(text) for name, text in boards.items()} == {
        file.name: json.loads(file.read_text(encoding="utf-8")) for file in files
    }
    rules = yaml.safe_load((repository / "grafana" / "rules" / "bulkfax.yaml").read_text(encoding="utf-8"))
    assert of_kind(manifests, "PrometheusRule")[0]["spec"] == rules


def test_dashboards_and_rules_lead_to_addresses_of_ones_own(rendered: dict[str, dict[str, Any]]) -> None:
    manifests = rendered["monitoring"]["manifests"]
    files = with_addresses(runbook=RUNBOOK, grafana=GRAFANA)
    boards = {name: text for config in of_kind(manifests, "ConfigMap") for name, text in config["data"].items()}
    for name, text in boards.items():
        assert json.loads(text) == json.loads(files[f"dashboards/{name}"])
    assert of_kind(manifests, "PrometheusRule")[0]["spec"] == yaml.safe_load(files["rules/bulkfax.yaml"])


def test_a_changed_policy_restarts_the_pods(rendered: dict[str, dict[str, Any]]) -> None:
    def checksums(title: str) -> set[str]:
        deployments = of_kind(rendered[title]["manifests"], "Deployment")
        return {d["spec"]["template"]["metadata"]["annotations"]["checksum/policy"] for d in deployments}

    assert len(checksums("policy")) == 1
    assert checksums("policy") != checksums("defaults")


def _schedulable(manifests: list[Manifest], check: Callable[[Manifest], bool]) -> list[str]:
    return [d["metadata"]["name"] for d in of_kind(manifests, "Deployment") if check(d["spec"]["template"]["spec"])]


def test_pods_of_a_component_are_spread_unless_told_otherwise(rendered: dict[str, dict[str, Any]]) -> None:
    def spread(pod: Manifest) -> bool:
        return "topologySpreadConstraints" in pod

    assert len(_schedulable(rendered["defaults"]["manifests"], spread)) == 3
    assert _schedulable(rendered["not spread"]["manifests"], spread) == ["bulkfax-web"]
