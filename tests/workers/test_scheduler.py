"""The scheduler goes on when Redis goes away while it tells the workers."""

import asyncio

import pytest
from dramatiq import Worker
from structlog.testing import capture_logs

from dispatcher.cli.services import free_port
from dispatcher.runtime import broker_client, open_runtime
from dispatcher.settings import Settings
from workers import parts as parts_module
from workers.actors import declare
from workers.broker import make_broker
from workers.parts import Parts
from workers.scheduler import Scheduler

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """A store that is there, and a broker that nobody answers for."""
    return Settings(redis_url=redis_url, broker_url=f"redis://127.0.0.1:{free_port()}/0", allow_unsafe_redis=True)


async def test_a_broker_that_is_away_does_not_end_the_scheduler(settings: Settings) -> None:
    async with open_runtime(settings) as runtime:
        await runtime.store.inbox.add([b"{}"])
        parts = Parts(settings)
        scheduler = Scheduler(runtime.upkeep, declare(make_broker(broker_client(settings), parts), parts))
        with capture_logs() as said:
            running = asyncio.create_task(scheduler.run())
            while not said:
                assert not running.done(), "the scheduler ended"
                await asyncio.sleep(0.01)
        scheduler.stop()
        await running
    assert said[0]["event"] == "Redis is away, looking again soon"
    assert said[0]["error"].startswith("Redis does not answer")


async def test_a_message_that_comes_while_the_store_is_away_leaves_one_plain_line(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dramatiq would write a stack trace for each of them."""
    monkeypatch.setattr(parts_module, "configure_logs", lambda _: None)  # it would take the lines from us
    away = settings.model_copy(update={"redis_url": settings.broker_url})
    parts = Parts(away)
    broker = make_broker(broker_client(settings.model_copy(update={"broker_url": settings.redis_url})), parts)
    actors = declare(broker, parts)
    worker = Worker(broker, worker_threads=1, worker_timeout=100)
    with capture_logs() as said:
        actors.submit.send("lease")
        worker.start()
        try:
            async with asyncio.timeout(30):
                while not any("done later" in line["event"] for line in said):  # noqa: ASYNC110  # dramatiq's thread says it
                    await asyncio.sleep(0.01)
        finally:
            worker.stop()
    assert [line["actor"] for line in said if "actor" in line] == ["submit"]
    assert "unhandled exception" not in caplog.text
