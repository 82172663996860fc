"""Compares answers with the description of the API."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from dispatcher.api.app import create_app
from dispatcher.api.problems import TYPES_KEY
from dispatcher.schema.problem_types import PROBLEM_TYPES


@cache
def document() -> dict[str, Any]:
    """Return the description of the API. It does not depend on the settings."""
    return create_app().openapi()


@cache
def _paths() -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
    """Return the operations of each path. Paths without parameters come first: they win against those with some."""
    paths = sorted(document()["paths"].items(), key=lambda item: "{" in item[0])
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations) for path, operations in paths]


def operations_of(path: str) -> Mapping[str, Any]:
    """Return the described operations of a path by their methods; none if there is no such path."""
    matching = (operations for pattern, operations in _paths() if pattern.fullmatch(path))
    operations = next(matching, {})
    return {"head": operations["get"], **operations} if "get" in operations else operations


async def ensure_described(response: httpx.Response) -> None:
    """Fail for an answer whose status, or type of problem, the description does not have for its operation.

    It is a hook of clients, so all tests that use the API test its description.
    """
    assert response.headers["X-Request-Id"]
    operation = operations_of(response.request.url.path).get(response.request.method.lower())
    if operation is None:
        return
    answer = operation["responses"].get(str(response.status_code))
    named = f"{operation['operationId']} answered {response.status_code}"
    assert answer is not None, named
    if response.status_code >= 400 and response.request.method != "HEAD":
        await response.aread()
        name = response.json()["type"].rpartition(":")[2]
        assert name in answer[TYPES_KEY], f"{named} {name}"
        assert PROBLEM_TYPES[name].status == response.status_code
