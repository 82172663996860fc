"""Renders and validates the chart, in the environment of `./run deployment` where Helm's engine is installed.

Reads JSON from standard input, ``[{"name", "namespace", "values"}, ...]``, and writes for each release ``{"manifests",
"faults"}`` or ``{"refused"}``.
"""

import contextlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule, ServiceMonitor
from helm_python import Chart, HelmError, lint

CHART = Path(__file__).parent.parent.parent / "helm" / "bulkfax"
#: the oldest and the newest Kubernetes whose schemas are used
VERSIONS = ("1.25.0", "1.37.0")
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
CUSTOM = {model.__name__: model for model in (ScaledObject, PodMonitor, PrometheusRule, ServiceMonitor)}
#: no package has a schema of it: the fields that the chart writes, by the documentation of the Gateway API
HTTP_ROUTE = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "gateway.networking.k8s.io/v1"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["parentRefs", "rules"],
            "properties": {
                "parentRefs": {"type": "array", "maxItems": 32, "items": {"type": "object", "required": ["name"]}},
                "hostnames": {"type": "array", "maxItems": 16, "items": {"type": "string"}},
                "rules": {
                    "type": "array",
                    "maxItems": 16,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "matches": {
                                "type": "array",
                                "maxItems": 64,
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "properties": {
                                        "path": {
                                            "type": "object",
                                            "additionalProperties": False,
                                            "properties": {
                                                "type": {"enum": ["Exact", "PathPrefix", "RegularExpression"]},
                                                "value": {"type": "string", "pattern": "^/", "maxLength": 1024},
                                            },
                                        }
                                    },
                                },
                            },
                            "backendRefs": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["name", "port"],
                                    "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


class _UniqueKeys(yaml.CSafeLoader):
    """Refuses a mapping that has a key twice, of which YAML would silently take the second."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.YAMLError(f"twice in one mapping: {', '.join(map(str, twice))}")
        return super().construct_mapping(node, deep)


def run(releases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Render and validate each release."""
    chart = Chart.load(CHART)
    return [_release(chart, **release) for release in releases]


def _release(chart: Chart, name: str, namespace: str, values: dict[str, Any]) -> dict[str, Any]:
    try:
        files = chart.render(values, name=name, namespace=namespace)
    except HelmError as error:
        return {"refused": str(error)}
    manifests: list[dict[str, Any]] = []
    faults: list[str] = lint(CHART, values, strict=True)["errors"]
    for file, text in files.items():
        if file.endswith("NOTES.txt"):
            continue
        try:
            manifests += [document for document in yaml.load_all(text, _UniqueKeys) if document]
        except yaml.YAMLError as error:
            faults.append(f"{file}: {error}")
    faults += [f"{m['kind']} {m['metadata']['name']}: {fault}" for m in manifests for fault in _faults(m)]
    return {"manifests": manifests, "faults": faults, "notes": _notes(files)}


def _notes(files: dict[str, str]) -> str:
    return "".join(text for file, text in files.items() if file.endswith("NOTES.txt"))


def _faults(manifest: dict[str, Any]) -> list[str]:
    """Return what is wrong with a manifest, by the strict schemas of its kind."""
    kind = manifest["kind"]
    if kind in CUSTOM:
        return [str(error.message) for error in _custom(kind).iter_errors(manifest)]
    if kind == "HTTPRoute":
        return [str(error.message) for error in jsonschema_rs.validator_for(HTTP_ROUTE).iter_errors(manifest)]
    file = f"{kind.lower()}-{manifest['apiVersion'].replace('.k8s.io', '').replace('/', '-')}.json"
    return [
        f"Kubernetes {version}: {error.message} at {error.instance_path}"
        for version in VERSIONS
        for error in _kubernetes(version, file).iter_errors(manifest)
    ]


@cache
def _kubernetes(version: str, file: str) -> Any:
    """Return a strict validator of a kind. The package's own function reads two megabytes for each manifest."""
    folder = SCHEMAS / f"v{version}-local-strict"
    schema = json.loads((folder / file).read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for(schema, registry=_definitions(version))


@cache
def _definitions(version: str) -> Any:
    text = (SCHEMAS / f"v{version}-local-strict" / "_definitions.json").read_text(encoding="utf-8")
    return jsonschema_rs.Registry([("json-schema:///_definitions.json", json.loads(text))])


@cache
def _custom(kind: str) -> Any:
    """Return a validator of a custom resource, which refuses unknown fields as well."""
    return jsonschema_rs.validator_for(_closed(CUSTOM[kind].model_json_schema(by_alias=True)))


def _closed(schema: Any) -> Any:
    """Return a schema without unknown fields; fields that a model leaves out as None may be null."""
    if isinstance(schema, dict):
        closed = {name: _closed(part) for name, part in schema.items()}
        if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
            closed["additionalProperties"] = False
        return closed
    return [_closed(part) for part in schema] if isinstance(schema, list) else schema


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        answers = run(json.load(sys.stdin))
    json.dump(answers, sys.stdout)
