"""Tests that a stopped process of the simulation stands still, and continues where it was."""

import asyncio

import pytest

from tests.simulation import clock as simulated_clock
from tests.simulation.clock import SimulatedClock
from tests.simulation.process import Process, task_factory


def test_a_task_that_is_cancelled_while_its_process_is_stopped_ends_when_the_process_resumes() -> None:
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
        process.resume()
        assert await other == "slept"
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert clock.passed_s == pytest.approx(12.0)

    simulated_clock.run(play, seed=1)
