"""Injects process and network faults and actions of operators, at times that depend only on the seed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

from dispatcher.core.batch import Command
from dispatcher.core.limits.allowance import Period
from dispatcher.runtime import Runtime
from dispatcher.service.account import change_limits, forget_changes, release_hold, unblock_account
from dispatcher.store.errors import StoreError
from tests.simulation.engine import Engine
from tests.simulation.faults import OPERATOR_FAULTS, PROCESS_FAULTS, Fault

#: possible mean seconds between two faults of a class
_BETWEEN_S = (1.0, 3.0, 10.0, 40.0)
#: minimum seconds between two faults of a class
_MIN_PAUSE_S = 0.3


class FaultInjector:
    """Injects faults and operator actions of the enabled classes, until the fault phase is over."""

    def __init__(self, engine: Engine, batches: list[str], seed: int) -> None:
        self._engine = engine
        self._batches = batches
        self._rng = Random(f"storm {seed}")
        self._seed = seed

    async def run(self) -> None:
        """Inject faults until the fault phase is over."""
        classes = [fault for fault in (*PROCESS_FAULTS, *OPERATOR_FAULTS) if self._engine.schedule.enabled(fault)]
        await asyncio.gather(*map(self._repeat, classes))

    async def _repeat(self, fault: Fault) -> None:
        engine, rng = self._engine, Random(f"{fault} {self._seed}")
        mean_s = rng.choice(_BETWEEN_S)
        while True:
            await asyncio.sleep(rng.expovariate(1 / mean_s) + _MIN_PAUSE_S)
            if engine.schedule.over or engine.clock.passed_s > engine.schedule.fault_phase_s:
                return
            engine.counts[str(fault)] += 1
            try:
                await _ACTIONS[fault](self, rng)
            except StoreError as error:
                engine.log("operator", fault, "failed:", error)

    async def _kill_worker(self, rng: Random) -> None:
        rng.choice(self._engine.workers).process.kill()

    async def _kill_scheduler(self, rng: Random) -> None:
        rng.choice(self._engine.schedulers).process.kill()

    async def _kill_web(self, rng: Random) -> None:
        self._engine.web.process.kill()

    async def _stop(self, rng: Random) -> None:
        slot = rng.choice(self._engine.slots)
        seconds = rng.choice((0.3, 2.0, 5.0, 40.0, 400.0))
        process = slot.process
        self._engine.log(slot.name, f"is stopped for {seconds} s")
        process.stop()
        await asyncio.sleep(seconds)
        if slot.process is process and process.alive:
            self._engine.log(slot.name, "resumes")
            slot.resume()

    async def _take_redis_down(self, rng: Random) -> None:
        network, clock = self._engine.network, self._engine.clock
        seconds = rng.choice((0.5, 3.0, 10.0, 60.0))
        network.hangs = rng.random() < 0.5
        network.down_until_s = max(network.down_until_s, clock.now_s + seconds)
        self._engine.log("redis", f"is down for {seconds} s{', hanging' if network.hangs else ''}")

    async def _restart_redis(self, rng: Random) -> None:
        self._engine.log("redis", "is restarted")
        self._engine.server.flush_scripts()
        self._engine.network.hangs = False
        self._engine.network.down_until_s = self._engine.clock.now_s + 0.5

    async def _step_clock(self, rng: Random) -> None:
        seconds = rng.choice((-600, -60, -3, 3, 60, 3600))
        self._engine.log("redis", f"has its clock set by {seconds} s")
        self._engine.server.clock_offset_us += seconds * 1_000_000

    async def _pause_batch(self, rng: Random) -> None:
        batch = rng.choice(self._batches)
        await self._ask(lambda runtime: runtime.store.batches.command(batch, Command.PAUSE), "pauses", batch)
        await asyncio.sleep(rng.choice((1.0, 20.0, 120.0)))
        await self._ask(lambda runtime: runtime.store.batches.command(batch, Command.RESUME), "resumes", batch)

    async def _cancel_batch(self, rng: Random) -> None:
        batch = rng.choice(self._batches)
        await self._ask(lambda runtime: runtime.store.batches.command(batch, Command.CANCEL), "cancels", batch)

    async def _release_hold(self, rng: Random) -> None:
        await self._ask(lambda runtime: release(runtime, 1), "releases the oldest hold")

    async def _change_rate(self, rng: Random) -> None:
        rate = rng.choice((1.0, 10.0, 200.0))
        await self._ask(lambda runtime: change_limits(runtime.store, {Period.SECOND: rate}), "sets the rate to", rate)

    async def _unblock_account(self, rng: Random) -> None:
        await self._ask(unblock, "unblocks the account")
        self._engine.provider.pause_until_s = self._engine.clock.now_s

    async def _ask(self, call: Callable[[Runtime], Awaitable[Any]], *words: object) -> None:
        self._engine.log("operator", *words)
        await self._engine.ask_web(call)


async def release(runtime: Runtime, max_holds: int = 1000) -> None:
    """Release holds as an operator does, the oldest first."""
    for hold in (await runtime.store.holds.all())[:max_holds]:
        await release_hold(runtime.store, hold.scope)


async def unblock(runtime: Runtime) -> None:
    """Restore the configured limits, and forget pauses that the provider asked for."""
    await forget_changes(runtime.store)
    await unblock_account(runtime.store)


_ACTIONS: Mapping[Fault, Callable[[FaultInjector, Random], Awaitable[None]]] = {
    Fault.WORKER_KILLED: FaultInjector._kill_worker,
    Fault.SCHEDULER_KILLED: FaultInjector._kill_scheduler,
    Fault.WEB_KILLED: FaultInjector._kill_web,
    Fault.PROCESS_STOPPED: FaultInjector._stop,
    Fault.REDIS_AWAY: FaultInjector._take_redis_down,
    Fault.REDIS_RESTARTED: FaultInjector._restart_redis,
    Fault.CLOCK_STEPPED: FaultInjector._step_clock,
    Fault.BATCH_PAUSED: FaultInjector._pause_batch,
    Fault.BATCH_CANCELLED: FaultInjector._cancel_batch,
    Fault.HOLD_RELEASED: FaultInjector._release_hold,
    Fault.RATE_CHANGED: FaultInjector._change_rate,
    Fault.ACCOUNT_UNBLOCKED: FaultInjector._unblock_account,
}
