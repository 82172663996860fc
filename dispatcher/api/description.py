"""The description of the API, ``/openapi.json``: what FastAPI derives from the routes, and what all routes share.

Routes name the problems of their own (``problems.raises``). Those that any request can meet are added here, as are
links between operations, examples, and summaries, which are the first sentences of the routes' texts.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from dispatcher.api.problems import TYPES_KEY, answers
from dispatcher.schema.problem_types import PROBLEM_TYPES
from dispatcher.schema.responses import Problem

TAGS: Mapping[str, str] = {
    "documents": "PDFs that are sent. The same bytes have the same id, so each document is stored once.",
    "batches": "Mailings: a batch is a draft until it is started, and ends when each of its jobs is final.",
    "recipients": "The lists of a draft, and their rows that cannot be faxed.",
    "jobs": "The work for one recipient of a batch each, with the history of its attempts.",
    "reruns": "New batches with jobs of old ones, with what was wrong put right.",
    "faxes": "Single faxes: one request each, before all bulk work.",
    "events": "What happens to batches and jobs: a feed to poll, and signed webhooks to your own addresses.",
    "suppressions": "The do-not-fax list: numbers that must not be faxed.",
    "account": "The rate at which the provider is called, and holds: why sending is stopped.",
    "policy": "What happens after a failure.",
    "health": "For probes and monitoring.",
}
_TEXT = """Large mailings as faxes: upload a document, create a batch, stream recipients into it, start it.

Errors are problem documents (RFC 9457); `type` is one of a closed set. Times are RFC 3339 in UTC. What is not known is
null. Lists are read in pages: pass `next` of a page as `after` to get the page after it, until it is null. Every answer
has an `X-Request-Id`: that of the request, or a new one. Addresses that answer GET answer HEAD as well."""

#: types of problems that every operation may answer with, whatever it does
_EVERYWHERE = (
    "bad-request",
    "forbidden",
    "too-slow",
    "too-large",
    "address-too-long",
    "unsupported-content-type",
    "headers-too-large",
    "internal",
    "unavailable",
)
_BODY = ("invalid", "unreadable")

#: by operation and status: operations that go on with an answer, each with the parameter that takes its ``id``
_LINKS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("uploadDocument", "201"): {"getDocument": "sha256", "previewDocument": "sha256", "deleteDocument": "sha256"},
    ("createBatch", "201"): {
        "getBatch": "batch",
        "uploadRecipients": "batch",
        "listRefusedRows": "batch",
        "forecastBatch": "batch",
        "startBatch": "batch",
        "listBatchJobs": "batch",
        "diagnoseBatch": "batch",
        "cancelBatch": "batch",
        "getBatchReport": "batch",
        "deleteBatch": "batch",
    },
    ("sendFax", "202"): {"getFax": "fax", "getJob": "job"},
    ("rerunBatch", "201"): {"getBatch": "batch", "cancelBatch": "batch"},
}


def operation_id(route: APIRoute) -> str:
    """Return the id of an operation: the name of its function as one word, such as ``createBatch``."""
    first, *others = route.name.split("_")
    return first + "".join(word.capitalize() for word in others)


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document. It is made once for each application."""
    if app.openapi_schema is None:
        app.openapi_schema = _described(app)
    return app.openapi_schema


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_TEXT,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[{"url": "/", "description": "where this document was read"}],
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
    )
    schemas = document["components"]["schemas"]
    # FastAPI describes its own errors, which no route answers with
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= _problem_schemas()
    for name, example in examples().items():
        schemas[name]["examples"] = [example]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    return document


@cache
def examples() -> Mapping[str, Any]:
    """Return an example of each model of a body or an answer, by its name."""
    loaded: dict[str, Any] = json.loads(files("dispatcher.api").joinpath("examples.json").read_text(encoding="utf-8"))
    return loaded


def _problem_schemas() -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {**problem.pop("$defs"), "Problem": problem}


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add to an operation what its function does not say."""
    operation["summary"] = operation["description"].partition(".")[0].replace("\n", " ")
    named = [name for answer in operation["responses"].values() for name in answer.pop(TYPES_KEY, ())]
    # FastAPI's own answer to what it cannot validate
    operation["responses"].pop("422", None)
    types = [*_common(path, operation), *named]
    problems = answers(name for name in PROBLEM_TYPES if name in types)
    answered = operation["responses"] | {str(status): answer for status, answer in problems.items()}
    operation["responses"] = dict(sorted(answered.items()))
    for (name, status), targets in _LINKS.items():
        if name == operation["operationId"]:
            operation["responses"][status]["links"] = dict(_links(targets))


def _common(path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the types of problems that any operation like this one can meet."""
    yield from _EVERYWHERE
    if path.startswith("/v1"):
        yield from ("unauthorized", "invalid")
    if path != "/healthz":
        yield from ("store-unavailable", "unreadable-data")
    if "requestBody" in operation:
        yield from _BODY
    if "parameters" in operation:
        yield "invalid"


def _links(targets: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for target, parameter in targets.items():
        yield target, {"operationId": target, "parameters": {parameter: "$response.body#/id"}}
