"""The scheduler continues while Redis is unavailable, and sends a limited number of messages to inactive workers."""

import asyncio

import pytest
from structlog.testing import capture_logs

from dispatcher.core.batch import Priority
from dispatcher.core.job import JobId
from dispatcher.local.ports import free_port
from dispatcher.runtime import make_queues, open_runtime
from dispatcher.service.scheduling import DueTasks
from dispatcher.settings import Settings
from dispatcher.store.queues import MAX_MESSAGES
from workers.actors import declare
from workers.broker import make_broker
from workers.scheduler import SchedulerLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """Settings with an available store and an unavailable broker."""
    return Settings(redis_url=redis_url, broker_url=f"redis://127.0.0.1:{free_port()}/0", allow_unsafe_redis=True)


async def test_an_unavailable_broker_does_not_end_the_scheduler(settings: Settings) -> None:
    async with open_runtime(settings) as runtime:
        await runtime.store.inbox.add([b"{}"])
        await runtime.store.workers.register("host/1", "first", room=8)  # without a worker, no messages are sent
        queues = make_queues(settings)
        scheduler = SchedulerLoop(runtime, declare(make_broker(queues), runtime), queues)
        with capture_logs() as log_lines:
            running = asyncio.create_task(scheduler.run())
            async with asyncio.timeout(30):
                while not log_lines:
                    assert not running.done(), "the scheduler ended"
                    await asyncio.sleep(0.01)
        scheduler.stop()
        await running
    assert log_lines[0]["event"] == "Redis is away, looking again soon"
    assert log_lines[0]["error"].startswith("Redis does not answer")


async def test_messages_do_not_grow_while_no_worker_takes_them(redis_url: str) -> None:
    """However often the scheduler finds the same work due."""
    settings = Settings(redis_url=redis_url, broker_url=redis_url, allow_unsafe_redis=True)
    async with open_runtime(settings) as runtime:
        queues = make_queues(settings)
        scheduler = SchedulerLoop(runtime, declare(make_broker(queues), runtime), queues)
        jobs = tuple(JobId("a", row) for row in range(2000))
        for _ in range(50):
            scheduler._send_messages(DueTasks(leases=(), reconcile=jobs, events=100_000))
        assert queues.lengths(["lookups", "callbacks"]) == {"lookups": 4, "callbacks": 4}
        assert not scheduler._send_messages(DueTasks(leases=(), reconcile=jobs, events=100_000)), (
            "the scheduler would not sleep"
        )
        for number in range(1500):
            scheduler._send_messages(DueTasks(leases=((Priority.BULK, f"lease{number}"),), reconcile=(), events=0))
        assert queues.lengths(["bulk"])["bulk"] == MAX_MESSAGES
        queues.close()
