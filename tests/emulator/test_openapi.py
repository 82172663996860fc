"""Property tests of the OpenAPI document: no request causes a 5xx, and all responses match their schemas."""

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dispatcher.emulator import openapi
from dispatcher.emulator.app import _ROUTES
from tests.emulator.emulator_client import EmulatorClient

schema = schemathesis.openapi.from_dict(openapi.document())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_every_response_matches_the_document(emulator: EmulatorClient, case: schemathesis.Case[Any]) -> None:
    config = emulator.config
    service = emulator.post("/services", json={}).json()["id"]
    case.path_parameters = {
        **case.path_parameters,
        "projectId": config.project_id,
        **({"serviceId": service} if "serviceId" in case.path_parameters else {}),
    }
    case.call_and_validate(base_url=emulator.server.url, auth=(config.key_id, config.key_secret), checks=CHECKS)


def test_every_path_of_the_provider_is_described() -> None:
    routed = {(method.lower(), path) for method, path, _ in _ROUTES if path.startswith("/v3/")}
    described = {(method, path) for path, methods in openapi.document()["paths"].items() for method in methods}
    assert routed == described


@pytest.mark.parametrize("path", list(openapi.document()["paths"]))
def test_each_operation_names_its_path_parameters(path: str) -> None:
    for operation in openapi.document()["paths"][path].values():
        named = {entry["name"] for entry in operation["parameters"] if entry["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))
