"""The client returns the models that the description of the API names for the same routes."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest

from dispatcher.api.app import create_app
from dispatcher.client import (
    ApiError,
    CancelJobs,
    ChangeBatch,
    ChangeWebhookEndpoint,
    Client,
    NewBatch,
    NewFax,
    NewRerun,
    NewReruns,
    NewSuppression,
    NewWebhookEndpoint,
    Replay,
)
from dispatcher.schema import responses

#: by method of the client; the path of a file is that of an existing one
CALLS: dict[str, Callable[[Client, Path], object]] = {
    "upload_document": lambda client, file: client.upload_document(file),
    "delete_document": lambda client, _: client.delete_document("ab"),
    "delete_batch": lambda client, _: client.delete_batch("b1"),
    "delete_webhook_endpoint": lambda client, _: client.delete_webhook_endpoint("we_1"),
    "release_hold": lambda client, _: client.release_hold("account"),
    "document": lambda client, _: client.document("ab"),
    "create_batch": lambda client, _: client.create_batch(NewBatch(name="n")),
    "batch": lambda client, _: client.batch("b1"),
    "batches_page": lambda client, _: client.batches_page(),
    "upload_recipients": lambda client, file: client.upload_recipients("b1", file),
    "try_recipients": lambda client, file: client.try_recipients(file),
    "start": lambda client, _: client.start("b1"),
    "continue_batch": lambda client, _: client.continue_batch("b1"),
    "cancel_jobs": lambda client, _: client.cancel_jobs("b1", CancelJobs(categories=("busy",), reason="r")),
    "diagnosis": lambda client, _: client.diagnosis("b1"),
    "forecast": lambda client, _: client.forecast("b1"),
    "pause": lambda client, _: client.pause("b1"),
    "resume": lambda client, _: client.resume("b1"),
    "cancel": lambda client, _: client.cancel("b1"),
    "rerun": lambda client, _: client.rerun("b1", NewRerun(reason="r")),
    "update_batch": lambda client, _: client.update_batch("b1", ChangeBatch(weight=2, max_per_second=None)),
    "rerun_batches": lambda client, _: client.rerun_batches(NewReruns(batches=("b1",), reason="r")),
    "preview_rerun": lambda client, _: client.preview_rerun("b1", NewRerun()),
    "preview_reruns": lambda client, _: client.preview_reruns(NewReruns(batches=("b1",))),
    "jobs_page": lambda client, _: client.jobs_page("b1"),
    "look_up_page": lambda client, _: client.look_up_page(number="+12025550143"),
    "job": lambda client, _: client.job("b1.0"),
    "refused_page": lambda client, _: client.refused_page("b1"),
    "send_fax": lambda client, _: client.send_fax(NewFax(to="+12025550101")),
    "fax": lambda client, _: client.fax("b1.0"),
    "suppressions_page": lambda client, _: client.suppressions_page(),
    "suppression": lambda client, _: client.suppression("+12025550143"),
    "suppress": lambda client, _: client.suppress(NewSuppression(number="+12025550143")),
    "unsuppress": lambda client, _: client.unsuppress("+12025550143"),
    "unsuppress_all": lambda client, _: client.unsuppress_all("dead_number"),
    "import_suppressions": lambda client, file: client.import_suppressions(file),
    "events_page": lambda client, _: client.events_page(),
    "create_webhook_endpoint": lambda client, _: client.create_webhook_endpoint(NewWebhookEndpoint(url="https://a.de")),
    "webhook_endpoints": lambda client, _: client.webhook_endpoints(),
    "webhook_endpoint": lambda client, _: client.webhook_endpoint("we_1"),
    "change_webhook_endpoint": lambda client, _: client.change_webhook_endpoint("we_1", ChangeWebhookEndpoint()),
    "rotate_webhook_secret": lambda client, _: client.rotate_webhook_secret("we_1"),
    "webhook_deliveries_page": lambda client, _: client.webhook_deliveries_page("we_1"),
    "replay_webhook_events": lambda client, _: client.replay_webhook_events("we_1", Replay(after="1-0")),
    "holds_page": lambda client, _: client.holds_page(),
    "explanation": lambda client, _: client.explanation("CALL_ERROR", 17),
    "status": lambda client, _: client.status(),
    "account": lambda client, _: client.account(),
    "set_rate": lambda client, _: client.set_rate(per_minute=3000),
    "reset_rate": lambda client, _: client.reset_rate(),
    "unblock": lambda client, _: client.unblock(),
    "release_holds": lambda client, _: client.release_holds(everything=True),
    "resume_account": lambda client, _: client.resume_account(accept_rollback=True),
}
#: methods that return no answer of one route: they follow pages, write a file, or say yes or no
WITHOUT_MODEL = {
    "batches",
    "jobs",
    "look_up",
    "events",
    "holds",
    "refused",
    "report",
    "wait",
    "suppressions",
    "export_suppressions",
    "alive",
    "receiver",
    "ready",
    "close",
    "from_environment",
}


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    paths: dict[str, Any] = create_app().openapi()["paths"]
    return paths


def request_of(call: Callable[[Client, Path], object], file: Path) -> httpx.Request:
    """Return the request that a method makes."""
    requests: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(418, json={"title": "no"})

    with Client("http://api.test", transport=httpx.MockTransport(refuse)) as client, pytest.raises(ApiError):
        call(client, file)
    return requests[0]


def described_model(operations: dict[str, Any], request: httpx.Request) -> str:
    """Return the name of the model of a success in the description of the request's route."""
    exact = operations.get(request.url.path)
    path = exact or next(item for path, item in operations.items() if matches(path, request.url.path))
    successes = {
        status: answer for status, answer in path[request.method.lower()]["responses"].items() if status[0] == "2"
    }
    is_preview = request.url.path.endswith(("/rerun", "/reruns")) and b'"preview":true' in request.content
    success = successes["200"] if is_preview else successes.get("201") or next(iter(successes.values()))
    reference: str = success["content"]["application/json"]["schema"]["$ref"]
    return reference.rpartition("/")[2]


def matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


def public_methods() -> Iterator[str]:
    return (
        name for name, value in vars(Client).items() if not name.startswith("_") and not isinstance(value, property)
    )


def test_every_method_is_compared_or_returns_no_model() -> None:
    assert set(public_methods()) == CALLS.keys() | WITHOUT_MODEL


@pytest.mark.parametrize("method", CALLS)
def test_a_method_returns_the_model_of_its_route(method: str, operations: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text("fax\n")
    returned = get_type_hints(getattr(Client, method))["return"]
    assert returned.__name__ == described_model(operations, request_of(CALLS[method], file))
    assert getattr(responses, returned.__name__) is returned


def test_the_description_explains_every_field_of_its_models() -> None:
    schemas = create_app().openapi()["components"]["schemas"]
    models = {name: schema for name, schema in schemas.items() if schema["type"] == "object"}
    assert {"NewBatch", "Options", "Batch", "JobStory", "Account", "Rollback"} <= models.keys()
    for name, schema in models.items():
        for field, described in schema["properties"].items():
            assert described.get("description"), f"{name}.{field}"
