"""Property tests of the OpenAPI document, over a real server: no 5xx, no status that it does not name."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from dispatcher.api.app import create_app
from dispatcher.emulator.server import RunningEmulator
from dispatcher.runtime import open_runtime
from dispatcher.settings import Settings
from tests.api.clients import account_of, served

KEY = "key"


@schemathesis.serializer("application/pdf", "application/x-ndjson")
def as_bytes(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


EXAMPLES = settings(
    max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
schema = schemathesis.openapi.from_dict(create_app().openapi())
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.ignored_auth,
    checks.use_after_free,
    checks.ensure_resource_availability,
]
_CONTENT = "a deadline in the past is refused, as is a country or a number that does not exist"
_NUMBER = "a number that nobody can have is refused"
_LIST = "bytes are refused that are no list of recipients"
_LAX = "numbers, true and false are taken from texts too, and numbers from true and false"
#: operations that may refuse what their schema allows, and why
_RERUN = "a rerun without a reason is refused, and numbers that nobody can have"
_CANCEL = "a cancellation that names no jobs, or no reason, is refused"
_CURSOR = "what is no value of `next` of this list is refused"
MAY_REFUSE = {
    "GET /v1/batches": "a time before 2000 or after 2099 is refused, and what is no value of `next`",
    "GET /v1/holds": _CURSOR,
    "GET /v1/suppressions": _CURSOR,
    "POST /v1/batches": _CONTENT,
    "POST /v1/faxes": _CONTENT,
    "PATCH /v1/batches/{batch}": "a change that names nothing is refused, and one to what cannot be sent",
    "POST /v1/batches/{batch}/rerun": _RERUN,
    "POST /v1/reruns": _RERUN,
    "POST /v1/batches/{batch}/jobs/cancel": _CANCEL,
    "POST /v1/batches/{batch}/start": "one of first and percent may be given, not both",
    "POST /v1/documents": "bytes are refused that are no PDF",
    "POST /v1/batches/{batch}/recipients": _LIST,
    "POST /v1/recipients/dry-run": _LIST,
    "POST /v1/account/holds/release": "a request that names no holds is refused",
    "PATCH /v1/account/rate": "a change that names no limit is refused",
    "GET /v1/jobs": "a number or a reference is needed, and a number that can be dialled",
    "POST /v1/suppressions": _NUMBER,
    "POST /v1/suppressions/import": _LIST,
    "GET /v1/suppressions/{number}": _NUMBER,
    "POST /v1/webhook-endpoints": "an address is refused that cannot be called from here",
    "PATCH /v1/webhook-endpoints/{endpoint}": "an address is refused that cannot be called from here",
    "POST /v1/webhook-endpoints/{endpoint}/replay": "one of after and since is needed, and nothing to come",
    "GET /v1/events": "what has the form of no event's id is refused",
    "DELETE /v1/suppressions/{number}": _NUMBER,
}
#: operations that may accept what their schema does not allow, and why
MAY_ACCEPT = {
    "GET /v1/holds": _LAX,
    "POST /v1/batches": _LAX,
    "PATCH /v1/batches/{batch}": _LAX,
    "POST /v1/faxes": _LAX,
    "POST /v1/batches/{batch}/start": _LAX,
    "POST /v1/batches/{batch}/rerun": _LAX,
    "POST /v1/reruns": _LAX,
    "POST /v1/batches/{batch}/jobs/cancel": _LAX,
    "POST /v1/batches/{batch}/recipients": _LAX,
    "POST /v1/recipients/dry-run": _LAX,
    "PATCH /v1/account/rate": _LAX,
    "POST /v1/account/holds/release": _LAX,
    "POST /v1/account/resume": _LAX,
}


def checks_of(operation: str) -> list[Any]:
    """Return the checks of an operation, such as ``GET /v1/account``."""
    accepts = [] if operation in MAY_REFUSE else [checks.positive_data_acceptance]
    rejects = [] if operation in MAY_ACCEPT else [checks.negative_data_rejection]
    return CHECKS + accepts + rejects


def test_the_exceptions_are_operations() -> None:
    paths = create_app().openapi()["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {*MAY_REFUSE, *MAY_ACCEPT} <= operations


@pytest.fixture(scope="module")
def url(redis_server: str, emulator: RunningEmulator) -> Iterator[str]:
    """Address of the API on a server with an event loop of its own."""
    ready: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]] = queue.Queue()
    api = Settings(
        redis_url=redis_server,
        api_keys=[SecretStr(KEY)],
        sinch=account_of(emulator),
    )

    async def serve() -> None:
        ended = asyncio.Event()
        async with open_runtime(api) as runtime, served(runtime) as (host, port):
            ready.put((asyncio.get_running_loop(), ended, f"http://{host}:{port}"))
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop, ended, address = ready.get(timeout=30)
    yield address
    loop.call_soon_threadsafe(ended.set)
    thread.join()


class LinkedOperations(schema.as_state_machine()):  # type: ignore[misc]  # made when it is imported
    """Follows the links of answers: what was created is read, started, cancelled and deleted."""

    url = ""

    def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
        return {"base_url": self.url, "headers": {"Authorization": f"Bearer {KEY}"}}

    def validate_response(self, response: Any, case: schemathesis.Case[Any], **kwargs: Any) -> None:
        checks = checks_of(case.operation.label)
        case.validate_response(response, checks=checks, transport_kwargs=kwargs, recorder=self.recorder)


def test_what_was_created_is_used_by_other_operations(url: str) -> None:
    LinkedOperations.url = url
    LinkedOperations.run(settings=settings(EXAMPLES, max_examples=20, stateful_step_count=8))


@schema.parametrize()
@EXAMPLES
def test_every_response_is_described(url: str, case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(
        base_url=url, headers={"Authorization": f"Bearer {KEY}"}, checks=checks_of(case.operation.label)
    )
