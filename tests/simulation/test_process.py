"""A process of the simulation that is stopped stands still, and goes on where it stood."""

import asyncio

import pytest

from tests.simulation import clock as simulated
from tests.simulation.clock import SimulatedClock
from tests.simulation.process import Process, task_factory


def test_a_task_that_is_cancelled_while_its_process_is_stopped_ends_when_that_goes_on() -> None:
    async def play(clock: SimulatedClock) -> None:
        asyncio.get_running_loop().set_task_factory(task_factory)
        process = Process("worker")
        cancelled, other = process.run(asyncio.sleep(5.0)), process.run(asyncio.sleep(5.0, "slept"))
        await asyncio.sleep(1.0)
        process.stop()
        await asyncio.sleep(10.0)
        cancelled.cancel()
        await asyncio.sleep(1.0)
        assert not cancelled.done()
        assert not other.done()
        process.proceed()
        assert await other == "slept"
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert clock.passed_s == pytest.approx(12.0)

    simulated.run(play, seed=1)
