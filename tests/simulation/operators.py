"""What goes wrong between processes, and what people do, at times that follow from the seed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from dispatcher.core.batch import Command
from dispatcher.core.limits.allowance import Period
from dispatcher.runtime import Runtime
from dispatcher.service.account import change_limits, forget_changes, release_hold, unblock_account
from dispatcher.service.errors import Missing
from dispatcher.store.errors import StoreError
from tests.simulation.engine import Engine
from tests.simulation.faults import OPERATOR_FAULTS, PROCESS_FAULTS, Fault

#: mean seconds between two acts of one class
_BETWEEN_S = (1.0, 3.0, 10.0, 40.0)
#: seconds between two of them at the least
_APART_S = 0.3


class Storm:
    """Acts of all classes that the history has, until the storm is over."""

    def __init__(self, engine: Engine, batches: list[str], seed: int) -> None:
        self._engine = engine
        self._batches = batches
        self._chance = Random(f"storm {seed}")
        self._seed = seed

    async def run(self) -> None:
        classes = [fault for fault in (*PROCESS_FAULTS, *OPERATOR_FAULTS) if self._engine.weather.has(fault)]
        await asyncio.gather(*map(self._repeat, classes))

    async def _repeat(self, fault: Fault) -> None:
        engine, chance = self._engine, Random(f"{fault} {self._seed}")
        mean_s = chance.choice(_BETWEEN_S)
        while True:
            await asyncio.sleep(chance.expovariate(1 / mean_s) + _APART_S)
            if engine.weather.over or engine.clock.passed_s > engine.weather.storm_s:
                return
            engine.counts[str(fault)] += 1
            try:
                await _ACTS[fault](self, chance)
            except StoreError as error:
                engine.log("operator", fault, "is not possible:", error)

    async def _kill_worker(self, chance: Random) -> None:
        chance.choice(self._engine.workers).process.kill()

    async def _kill_scheduler(self, chance: Random) -> None:
        chance.choice(self._engine.schedulers).process.kill()

    async def _kill_web(self, chance: Random) -> None:
        self._engine.web.process.kill()

    async def _stop(self, chance: Random) -> None:
        member = chance.choice(self._engine.members)
        seconds = chance.choice((0.3, 2.0, 5.0, 40.0, 400.0))
        process = member.process
        self._engine.log(member.name, f"is stopped for {seconds} s")
        process.stop()
        await asyncio.sleep(seconds)
        if member.process is process and process.alive:
            self._engine.log(member.name, "goes on")
            member.proceed()

    async def _redis_away(self, chance: Random) -> None:
        network, clock = self._engine.network, self._engine.clock
        seconds = chance.choice((0.5, 3.0, 10.0, 60.0))
        network.hangs = chance.random() < 0.5
        network.away_until_s = max(network.away_until_s, clock.now_s + seconds)
        self._engine.log("redis", f"is away for {seconds} s{', hanging' if network.hangs else ''}")

    async def _redis_restarted(self, chance: Random) -> None:
        self._engine.log("redis", "is restarted")
        self._engine.server.forget_scripts()
        self._engine.network.hangs = False
        self._engine.network.away_until_s = self._engine.clock.now_s + 0.5

    async def _step_clock(self, chance: Random) -> None:
        seconds = chance.choice((-600, -60, -3, 3, 60, 3600))
        self._engine.log("redis", f"has its clock set by {seconds} s")
        self._engine.server.stepped_us += seconds * 1_000_000

    async def _pause_batch(self, chance: Random) -> None:
        batch = chance.choice(self._batches)
        await self._ask(lambda runtime: runtime.store.batches.command(batch, Command.PAUSE), "pauses", batch)
        await asyncio.sleep(chance.choice((1.0, 20.0, 120.0)))
        await self._ask(lambda runtime: runtime.store.batches.command(batch, Command.RESUME), "resumes", batch)

    async def _cancel_batch(self, chance: Random) -> None:
        batch = chance.choice(self._batches)
        await self._ask(lambda runtime: runtime.store.batches.command(batch, Command.CANCEL), "cancels", batch)

    async def _release_hold(self, chance: Random) -> None:
        await self._ask(lambda runtime: release(runtime, 1), "releases the oldest hold")

    async def _change_rate(self, chance: Random) -> None:
        rate = chance.choice((1.0, 10.0, 200.0))
        await self._ask(lambda runtime: change_limits(runtime.store, {Period.SECOND: rate}), "sets the rate to", rate)

    async def _unblock_account(self, chance: Random) -> None:
        await self._ask(unblock, "unblocks the account")
        self._engine.provider.asked_until_s = self._engine.clock.now_s

    async def _ask(self, call: Callable[[Runtime], Awaitable[Any]], *words: object) -> None:
        self._engine.log("operator", *words)
        await self._engine.ask_web(call)


async def release(runtime: Runtime, most: int = 1000) -> None:
    """Release holds by hand, the oldest first."""
    for hold in (await runtime.store.holds.all())[:most]:
        with suppress(Missing):  # it ended by itself meanwhile
            await release_hold(runtime.store, hold.scope)


async def unblock(runtime: Runtime) -> None:
    """Forget limits that operators gave, and waits that the provider named."""
    await forget_changes(runtime.store)
    await unblock_account(runtime.store)


_ACTS: Mapping[Fault, Callable[[Storm, Random], Awaitable[None]]] = {
    Fault.WORKER_KILLED: Storm._kill_worker,
    Fault.SCHEDULER_KILLED: Storm._kill_scheduler,
    Fault.WEB_KILLED: Storm._kill_web,
    Fault.PROCESS_STOPPED: Storm._stop,
    Fault.REDIS_AWAY: Storm._redis_away,
    Fault.REDIS_RESTARTED: Storm._redis_restarted,
    Fault.CLOCK_STEPPED: Storm._step_clock,
    Fault.BATCH_PAUSED: Storm._pause_batch,
    Fault.BATCH_CANCELLED: Storm._cancel_batch,
    Fault.HOLD_RELEASED: Storm._release_hold,
    Fault.RATE_CHANGED: Storm._change_rate,
    Fault.ACCOUNT_UNBLOCKED: Storm._unblock_account,
}
