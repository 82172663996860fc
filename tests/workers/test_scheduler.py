"""The scheduler goes on when Redis goes away while it tells the workers."""

import asyncio

import pytest
from structlog.testing import capture_logs

from dispatcher.cli.services import free_port
from dispatcher.runtime import make_queues, open_runtime
from dispatcher.settings import Settings
from workers.actors import declare
from workers.broker import make_broker
from workers.scheduler import Scheduler

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """A store that is there, and a broker that nobody answers for."""
    return Settings(redis_url=redis_url, broker_url=f"redis://127.0.0.1:{free_port()}/0", allow_unsafe_redis=True)


async def test_a_broker_that_is_away_does_not_end_the_scheduler(settings: Settings) -> None:
    async with open_runtime(settings) as runtime:
        await runtime.store.inbox.add([b"{}"])
        await runtime.store.workers.register("host/1", "first", room=8)  # without a worker nobody is told anything
        queues = make_queues(settings)
        scheduler = Scheduler(runtime, declare(make_broker(queues), runtime), queues)
        with capture_logs() as said:
            running = asyncio.create_task(scheduler.run())
            async with asyncio.timeout(30):
                while not said:
                    assert not running.done(), "the scheduler ended"
                    await asyncio.sleep(0.01)
        scheduler.stop()
        await running
    assert said[0]["event"] == "Redis is away, looking again soon"
    assert said[0]["error"].startswith("Redis does not answer")
