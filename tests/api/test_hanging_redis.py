"""A Redis that takes connections and answers nothing: whoever asks us is told so within seconds."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.runtime import open_runtime
from dispatcher.settings import Settings
from tests.api.clients import client_of

pytestmark = pytest.mark.anyio
#: seconds; the goals are 1 and 3, and the rest is for a machine that is busy
READ_S, WRITE_S = 2.0, 4.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path_factory.mktemp("hanging")) as server:
        yield server


@pytest.fixture
async def hanging(settings: Settings, server: EmbeddedServer) -> AsyncIterator[httpx.AsyncClient]:
    """The API in front of a server that hangs."""
    own = settings.model_copy(update={"redis_url": server.url})
    async with open_runtime(own, answers_people=True) as runtime, client_of(runtime) as client:
        assert (await client.get("/readyz")).status_code == 200
        os.kill(server.pid, signal.SIGSTOP)
        try:
            yield client
        finally:
            os.kill(server.pid, signal.SIGCONT)


async def test_health_and_reads_say_so_within_a_second(hanging: httpx.AsyncClient) -> None:
    assert (await hanging.get("/healthz")).status_code == 200
    for path in ("/readyz", "/metrics/installation", "/v1/batches", "/v1/batches/abc", "/v1/account"):
        began_s = time.monotonic()
        answer = await hanging.get(path)
        assert time.monotonic() - began_s < READ_S, path
        assert answer.status_code == 503, path
        assert "hangs" in answer.json()["detail"], path
        assert answer.headers["retry-after"], path


async def test_a_write_is_refused_within_three_seconds_and_may_be_repeated(hanging: httpx.AsyncClient) -> None:
    fax = {"to": "+12025550101", "content_urls": ["https://example.com/a.pdf"]}
    for path, body in (
        ("/v1/batches", {"name": "a", "content_urls": ["https://example.com/a.pdf"]}),
        ("/v1/faxes", fax),
    ):
        began_s = time.monotonic()
        answer = await hanging.post(path, json=body)
        assert time.monotonic() - began_s < WRITE_S, path
        assert answer.status_code == 503, (path, answer.text)
        assert answer.headers["retry-after"], path


async def test_the_doctor_says_that_it_hangs(
    hanging: httpx.AsyncClient, server: EmbeddedServer, tmp_path: Path
) -> None:
    env = {**os.environ, "BULKFAX_REDIS_URL": server.url}
    doctor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatcher.cli", "doctor"), env=env, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(doctor.communicate(), 30)
    assert doctor.returncode == 1
    assert b"Redis hangs" in said
