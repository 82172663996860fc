"""What lies between a process and Redis: an outage, a reply that is lost, and a call that takes its time."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import redis

from tests.simulation.clock import SimulatedClock
from tests.simulation.faults import Fault, Weather
from tests.simulation.process import Process
from tests.simulation.redis_client import Ask, Command, Server

#: what ``store/client.py`` sets: tries, and pauses between them in seconds
_TRIES, _PAUSE_S = 3, (0.0, 0.05, 0.1)
_TIMEOUT_S = 2.0
#: share of the calls that take a moment in which others go on, and its mean in seconds
_SLOW, _SLOW_S = 0.1, 0.002


class Network:
    """The way of all processes to one server."""

    def __init__(self, server: Server, clock: SimulatedClock, weather: Weather, seed: int) -> None:
        self.server = server
        self.away_until_s = 0.0
        #: whether calls hang during an outage, instead of being refused at once
        self.hangs = False
        self.lost_replies = 0
        #: until when a command waits for a reply that was lost
        self.hangs_until_s = 0.0
        self._clock = clock
        self._weather = weather
        self._chance = Random(f"network {seed}")

    @property
    def away(self) -> bool:
        return self._clock.now_s < self.away_until_s

    def door(self, process: Process) -> Ask:
        """How the process reaches the server."""

        async def ask(commands: Sequence[Command]) -> list[Any]:
            for tried in range(_TRIES):
                process.check()
                try:
                    return await self._ask(process, commands)
                except (redis.ConnectionError, redis.TimeoutError):
                    if tried == _TRIES - 1:
                        raise
                    await asyncio.sleep(_PAUSE_S[tried])
            raise AssertionError

        return ask

    async def _ask(self, process: Process, commands: Sequence[Command]) -> list[Any]:
        if self._chance.random() < _SLOW:
            await asyncio.sleep(self._chance.expovariate(1 / _SLOW_S))
        if self.away:
            if self.hangs:
                await asyncio.sleep(_TIMEOUT_S)
                raise redis.TimeoutError("Timeout reading from socket")
            raise redis.ConnectionError("Connection refused")
        process.check()
        answers = self.server.call(commands)
        if self._weather.strikes(Fault.REPLY_LOST):
            self.lost_replies += 1
            hangs_s = self._chance.choice((0.0, _TIMEOUT_S))
            self.hangs_until_s = max(self.hangs_until_s, self._clock.now_s + hangs_s)
            await asyncio.sleep(hangs_s)
            raise redis.ConnectionError("Connection closed by server")
        if self._chance.random() < _SLOW:
            await asyncio.sleep(self._chance.expovariate(1 / _SLOW_S))
        process.check()
        return answers
