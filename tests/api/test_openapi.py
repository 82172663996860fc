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


def described() -> dict[str, Any]:
    """The document without ``default``, which would name every status."""
    document = create_app().openapi()
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("default")
    return document


@schemathesis.serializer("application/pdf", "application/x-ndjson")
def as_bytes(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


schema = schemathesis.openapi.from_dict(described())
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
    # Not positive_data_acceptance: no schema says that a document must exist, that a deadline lies in the future, or
    # that bytes are a PDF. Not negative_data_rejection: numbers are taken from texts and from true and false too.
]


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


@schema.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_every_response_is_described(url: str, case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, checks=CHECKS)
