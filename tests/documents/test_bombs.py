"""Documents that are built to harm: each is refused in time, and alone."""

import asyncio
import time

import httpx
import pytest

from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.server import running
from dispatcher.runtime import open_runtime
from dispatcher.settings import Settings
from tests.api.clients import account_of, client_of
from tests.documents.bombs import BOMBS

#: seconds of a check with its start and end, and of the storage around it
LONGEST_S = 10
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


async def upload(api: httpx.AsyncClient, content: bytes, turn: asyncio.Semaphore) -> tuple[int, str, float]:
    """Status, sentence and seconds of an upload."""
    async with turn:
        started = time.monotonic()
        answer = await api.post("/v1/documents", content=content)
        return answer.status_code, answer.json()["detail"], time.monotonic() - started


async def poll(api: httpx.AsyncClient, waits: list[float]) -> None:
    while True:
        started = time.monotonic()
        assert (await api.get("/healthz")).status_code == 200
        waits.append(time.monotonic() - started)
        await asyncio.sleep(0.01)


async def test_bombs_are_refused_in_time_while_others_are_answered(redis_url: str) -> None:
    contents = {name: build() for name, build in BOMBS.items()}
    assert max(map(len, contents.values())) < 20_000_000
    turn, waits = asyncio.Semaphore(2), list[float]()
    with running(EmulatorConfig()) as emulator:
        async with (
            open_runtime(Settings(redis_url=redis_url, sinch=account_of(emulator))) as runtime,
            client_of(runtime) as api,
        ):
            polling = asyncio.create_task(poll(api, waits))
            uploads = await asyncio.gather(*(upload(api, content, turn) for content in contents.values()))
            polling.cancel()
    for name, (status, sentence, seconds) in zip(contents, uploads, strict=True):
        assert (status, seconds < LONGEST_S) == (422, True), f"{name}: {status} {sentence} after {seconds:.1f} s"
    waits.sort()
    assert waits[len(waits) * 99 // 100] < 0.25
    assert waits[-1] < 1
