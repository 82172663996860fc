"""What the description of the API says of every operation and every model."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jsonschema_rs
import pytest
from pydantic import BaseModel

from dispatcher.api.description import TAGS, examples
from dispatcher.schema import requests, responses
from dispatcher.schema.problem_types import PROBLEM_TYPES
from dispatcher.schema.requests import CATEGORIES, ERROR_TYPES
from generators.__main__ import GENERATED
from tests.api.described import document

SCHEMAS: Mapping[str, Any] = document()["components"]["schemas"]
#: names of fields and parameters whose values are of a closed set
CLOSED = {
    *("state", "category", "priority", "on_partial", "error_type", "limited_by", "outcome", "fate", "source"),
    *("resolution", "image_conversion_method", "per", "blocked_by", "expired_because"),
}


def operations() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(operations())
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def fields() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for model, schema in SCHEMAS.items():
        for name, field in schema.get("properties", {}).items():
            yield model, name, field


def test_each_operation_has_an_id_of_its_own() -> None:
    """Generated clients name their functions so."""
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert not [name for name in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)]


@each_operation
def test_an_operation_has_a_summary_a_text_and_a_known_tag(operation: Mapping[str, Any]) -> None:
    assert len(operation["summary"]) <= 120
    assert operation["description"].startswith(operation["summary"])
    (tag,) = operation["tags"]
    assert tag in TAGS


def test_every_tag_has_a_text_and_operations() -> None:
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == TAGS.keys()
    assert all(tag["description"] for tag in document()["tags"])


@each_operation
def test_every_parameter_is_explained(operation: Mapping[str, Any]) -> None:
    assert not [item["name"] for item in operation.get("parameters", ()) if not item.get("description")]


@each_operation
def test_problems_are_one_component(operation: Mapping[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if status >= "4":
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        else:
            assert "application/problem+json" not in content


def test_times_are_times() -> None:
    texts = {
        f"{model}.{name}"
        for model, name, field in fields()
        if re.search(r"((?<!looked)_at|^since|^until|^deadline)$", name) and "date-time" not in json.dumps(field)
    }
    assert texts == set()


def test_words_of_closed_sets_are_named() -> None:
    open_ones = {
        f"{model}.{name}"
        for model, name, field in fields()
        if name in CLOSED and not re.search('"(enum|const)"', json.dumps(field)) and field.get("type") != "object"
    }
    assert open_ones == set()
    assert set(SCHEMAS["Job"]["properties"]["category"]["anyOf"][0]["enum"]) == set(CATEGORIES)
    assert set(SCHEMAS["Job"]["properties"]["error_type"]["anyOf"][0]["enum"]) == set(ERROR_TYPES)
    types = SCHEMAS["Problem"]["properties"]["type"]["enum"]
    assert types == [problem_type.uri for problem_type in PROBLEM_TYPES.values()]


def test_the_types_of_problems_are_those_that_producers_know() -> None:
    """They are stable: a name may be added, and never changes its meaning."""
    assert PROBLEM_TYPES.keys() >= {
        *("unauthorized", "forbidden", "forged", "not-found", "not-allowed", "document-warnings", "suppressed"),
        *("key-reused", "repeat", "too-many-drafts", "unreadable-data", "deleted", "too-large", "invalid", "full"),
        *("unsupported-content-type", "unreadable", "unreadable-list", "wrong-credentials", "store-unavailable"),
    }


def test_cursors_are_texts() -> None:
    """What a page calls ``next`` is what the next request calls ``after``."""
    for model, name, field in fields():
        if name in ("next", "after"):
            assert "integer" not in json.dumps(field), model
    for operation in OPERATIONS.values():
        names = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert "before" not in names
        assert ("after" in names) == ("limit" in names), operation["operationId"]


def models_of_bodies() -> set[str]:
    """Return the names of the models of all bodies and answers."""
    contents = [
        content
        for operation in OPERATIONS.values()
        for place in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in place.get("content", {}).values()
    ]
    return set(re.findall(r"#/components/schemas/(\w+)", json.dumps(contents)))


def test_each_model_of_a_body_or_an_answer_has_an_example() -> None:
    assert examples().keys() == models_of_bodies()


@pytest.mark.parametrize("name", examples())
def test_an_example_is_as_described(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(examples()[name])


@pytest.mark.parametrize("name", examples())
def test_an_example_has_what_the_api_takes_or_gives(name: str) -> None:
    """An example of an answer has every field, as every answer; one of a body is accepted and says nothing twice."""
    example = examples()[name]
    model: type[BaseModel] | None = getattr(requests, name, None)
    if model is None:
        answer = getattr(responses, name).model_validate(example)
        assert json.loads(answer.model_dump_json(exclude_none=name == "Problem", exclude_unset=True)) == example
    else:
        assert model.model_validate(example, extra="forbid").model_dump(mode="json", by_alias=True, exclude_unset=True)


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Any) -> None:
    """If this fails, run ``./run generate``."""
    assert path.read_text(encoding="utf-8") == GENERATED[path]()


@pytest.mark.anyio
async def test_the_page_of_the_description_needs_no_other_host(api: httpx.AsyncClient) -> None:
    page = (await api.get("/docs")).text
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert addresses == ["docs/swagger-ui.css", "docs/favicon.png", "docs/swagger-ui-bundle.js"]
    for address in (*addresses, "openapi.json"):
        assert (await api.get(f"/{address}")).status_code == 200
    assert not re.findall(r"https?://", page)
    assert (await api.get("/docs/other.js")).status_code == 404
    assert (await api.get("/")).headers["location"] == "docs"


@pytest.mark.anyio
async def test_each_answer_has_the_id_of_its_request(api: httpx.AsyncClient) -> None:
    for path, status in (("/healthz", 200), ("/v1/batches/x", 404), ("/nothing", 404), ("/v1/batches?a=1", 422)):
        answer = await api.get(path, headers={"X-Request-Id": "order-7:a/b"})
        assert (answer.status_code, answer.headers["X-Request-Id"]) == (status, "order-7:a/b")


@pytest.mark.anyio
@pytest.mark.parametrize("offered", ["", " ", "a b", "a" * 129, "a\x1b[2J", "ä"])
async def test_an_id_that_cannot_be_logged_is_replaced(api: httpx.AsyncClient, offered: str) -> None:
    answers = [await api.get("/healthz", headers={b"X-Request-Id": offered.encode("latin-1")}) for _ in range(2)]
    first, second = (answer.headers["X-Request-Id"] for answer in answers)
    assert first != second
    assert re.fullmatch("[0-9a-f]{16}", first)


@pytest.mark.anyio
async def test_addresses_that_answer_get_answer_head(api: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/v1/account", "/v1/batches", "/v1/batches/x", "/openapi.json", "/docs", "/nothing"):
        asked, got = await api.head(path), await api.get(path)
        assert (asked.status_code, asked.content) == (got.status_code, b"")
        assert asked.headers["content-type"] == got.headers["content-type"]
    assert (await api.head("/v1/reruns")).status_code == 405
