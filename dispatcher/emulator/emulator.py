"""One emulator: everything it knows and runs, put together in one place."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from dispatcher.emulator.auth import Auth
from dispatcher.emulator.bucket import bucket
from dispatcher.emulator.callbacks import Callbacks
from dispatcher.emulator.clock import Clock
from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.documents import MAX_FILE_BYTES, Documents
from dispatcher.emulator.faxes import Faxes
from dispatcher.emulator.fetching import Fetcher
from dispatcher.emulator.ids import Ulids
from dispatcher.emulator.outbound import Outbound
from dispatcher.emulator.scenario import Outage, ReadFault, RequestFault, Scenario
from dispatcher.emulator.seeded_random import draw
from dispatcher.emulator.service_tables import ServiceTables
from dispatcher.emulator.services import Services
from dispatcher.emulator.simulation import Simulation
from dispatcher.emulator.stats import Stats

#: Sender of the service that is there from the start; a fictional number.
DEFAULT_FROM = "+12025550100"


class Emulator:
    """The state behind one application. All of it lives in memory."""

    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.ids = Ulids()
        self.stats = Stats()
        self.auth = Auth(
            project_id=config.project_id,
            key_id=config.key_id,
            key_secret=config.key_secret,
            token_life_s=config.token_life_s,
        )
        now_s = time.monotonic()
        self.bucket = bucket(config.rate, config.burst, now_s)
        self.token_bucket = bucket(config.token_rate, config.token_burst, now_s)
        self.documents = Documents()
        self.faxes = Faxes()
        self.services = Services(config.project_id, self.ids)
        self.emails = ServiceTables("email address")
        self.cover_pages = ServiceTables("cover page")
        self._start_services()
        self._requests_to: Counter[str] = Counter()
        self._faxes_to: Counter[str] = Counter()
        self._requests = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.use(config.scenario)
        self._start_machinery()

    def _start_services(self) -> None:
        numbers = self.config.numbers or (DEFAULT_FROM,)
        first = {"name": "Default service", "defaultForProject": True, "defaultFrom": numbers[0]}
        service = self.services.create(first, self.clock.now_ms())
        self.services.numbers.update(dict.fromkeys(numbers, service["id"]))

    def _start_machinery(self) -> None:
        config = self.config
        calls = Outbound(connections=config.callback_connections)
        self.callbacks = Callbacks(
            clock=self.clock,
            outbound=calls,
            stats=self.stats,
            speed=config.speed,
            timeout_s=config.callback_timeout_s,
        )
        self.downloads = Outbound(connections=8, max_body=MAX_FILE_BYTES)
        self.fetcher = Fetcher(self.documents, self.downloads, enabled=config.fetch_content)
        self.lives = Simulation(
            clock=self.clock,
            documents=self.documents,
            callbacks=self.callbacks,
            speed=config.speed,
            scenario=lambda: self.scenario,
        )

    def use(self, scenario: Scenario) -> None:
        """Go on with another scenario; its outages, lists and reads count from now. Faxes under way keep their fate."""
        config = self.config
        latency = scenario.latency_s if config.latency_s is None else (config.latency_s, config.latency_s)
        seed = scenario.seed if config.seed is None else config.seed
        self.scenario = replace(scenario, seed=seed, latency_s=latency)
        self._scenario_began_s = time.monotonic()
        self._lists = self._reads = 0

    def add_outage(self, outage: Outage) -> None:
        """Let an outage begin `start_s` from now."""
        elapsed_s = time.monotonic() - self._scenario_began_s
        shifted = replace(outage, start_s=outage.start_s + elapsed_s)
        self.scenario = replace(self.scenario, outages=(*self.scenario.outages, shifted))

    def end_outages(self) -> None:
        self.scenario = replace(self.scenario, outages=())

    def outage(self) -> Outage | None:
        """The outage that holds now."""
        if not self.scenario.outages:
            return None
        return self.scenario.outage_at(time.monotonic() - self._scenario_began_s)

    def latency_s(self) -> float:
        """Seconds to wait before the next answer."""
        least, most = self.scenario.latency_s
        if least == most:
            return least
        self._requests += 1
        return least + (most - least) * draw(self.scenario.seed, "latency", self._requests)

    def next_request_fault(self, to: str) -> RequestFault | None:
        """What goes wrong with the next request that sends to `to`."""
        count = self._requests_to[to]
        self._requests_to[to] += 1
        return self.scenario.request_fault(to, count)

    def next_list_fault(self) -> ReadFault | None:
        """What goes wrong with the next list."""
        self._lists += 1
        return self.scenario.list_fault(self._lists - 1)

    def next_read_fault(self) -> ReadFault | None:
        """What goes wrong with the next read of a single fax."""
        self._reads += 1
        return self.scenario.read_fault(self._reads - 1)

    def next_ordinal(self, to: str) -> int:
        """How many faxes to `to` there were before the one that asks."""
        count = self._faxes_to[to]
        self._faxes_to[to] += 1
        return count

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the requests; it is cancelled when the emulator closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.callbacks.close()
        self.downloads.close()
