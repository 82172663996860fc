"""The simulated network between the processes and Redis: outages, lost replies and slow calls."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import redis

from tests.simulation.clock import SimulatedClock
from tests.simulation.faults import Fault, FaultSchedule
from tests.simulation.process import Process
from tests.simulation.redis_client import Ask, Command, Server

#: tries, and pauses between them in seconds, as in ``store/client.py``
_TRIES, _PAUSE_S = 3, (0.0, 0.05, 0.1)
_TIMEOUT_S = 2.0
#: share of slow calls, during which other tasks continue, and their mean duration in seconds
_SLOW, _SLOW_S = 0.1, 0.002


class Network:
    """Connects all processes to one server."""

    def __init__(self, server: Server, clock: SimulatedClock, schedule: FaultSchedule, seed: int) -> None:
        self.server = server
        self.down_until_s = 0.0
        #: whether calls hang during an outage; otherwise connections are refused at once
        self.hangs = False
        self.lost_replies = 0
        #: time of the clock until which a command waits for a lost reply, in seconds
        self.hangs_until_s = 0.0
        self._clock = clock
        self._schedule = schedule
        self._rng = Random(f"network {seed}")

    @property
    def down(self) -> bool:
        """Whether Redis cannot be reached now."""
        return self._clock.now_s < self.down_until_s

    def connect(self, process: Process) -> Ask:
        """Return the function with which a process sends commands."""

        async def ask(commands: Sequence[Command]) -> list[Any]:
            for attempt in range(_TRIES):
                process.check()
                try:
                    return await self._ask(process, commands)
                except (redis.ConnectionError, redis.TimeoutError):
                    if attempt == _TRIES - 1:
                        raise
                    await asyncio.sleep(_PAUSE_S[attempt])
            raise AssertionError

        return ask

    async def _ask(self, process: Process, commands: Sequence[Command]) -> list[Any]:
        if self._rng.random() < _SLOW:
            await asyncio.sleep(self._rng.expovariate(1 / _SLOW_S))
        if self.down:
            if self.hangs:
                await asyncio.sleep(_TIMEOUT_S)
                raise redis.TimeoutError("Timeout reading from socket")
            raise redis.ConnectionError("Connection refused")
        process.check()
        answers = self.server.call(commands)
        if self._schedule.occurs(Fault.REPLY_LOST):
            self.lost_replies += 1
            hangs_s = self._rng.choice((0.0, _TIMEOUT_S))
            self.hangs_until_s = max(self.hangs_until_s, self._clock.now_s + hangs_s)
            await asyncio.sleep(hangs_s)
            raise redis.ConnectionError("Connection closed by server")
        if self._rng.random() < _SLOW:
            await asyncio.sleep(self._rng.expovariate(1 / _SLOW_S))
        process.check()
        return answers
