"""The state of an emulator and the objects that it consists of."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from dispatcher.emulator.auth import Auth
from dispatcher.emulator.bucket import make_bucket
from dispatcher.emulator.callbacks import CallbackSender
from dispatcher.emulator.clock import Clock
from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.documents import MAX_FILE_BYTES, Documents
from dispatcher.emulator.faxes import Faxes
from dispatcher.emulator.fetching import Fetcher
from dispatcher.emulator.hostile import Hostility
from dispatcher.emulator.ids import Ulids
from dispatcher.emulator.outbound import OutboundClient
from dispatcher.emulator.scenario import Outage, ReadFault, RequestFault, Scenario
from dispatcher.emulator.seeded_random import seeded_random
from dispatcher.emulator.service_tables import ServiceTables
from dispatcher.emulator.services import Services
from dispatcher.emulator.simulation import Simulation
from dispatcher.emulator.stats import Stats

#: sender number of the default service that exists from the start; fictional
DEFAULT_FROM = "+12025550100"


class Emulator:
    """The state of one application, all of it in memory."""

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
        self.bucket = make_bucket(config.rate, config.burst, now_s)
        self.token_bucket = make_bucket(config.token_rate, config.token_burst, now_s)
        self.documents = Documents()
        self.faxes = Faxes()
        self.services = Services(config.project_id, self.ids)
        self.emails = ServiceTables("email address")
        self.cover_pages = ServiceTables("cover page")
        self._create_default_service()
        self._requests_to: Counter[str] = Counter()
        self._faxes_to: Counter[str] = Counter()
        self._latency_draws = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.load_scenario(config.scenario)
        self.hostility = Hostility(lambda: (self.scenario.hostile, self.scenario.seed), self.stats.count_fault)
        self._create_clients()

    def _create_default_service(self) -> None:
        numbers = self.config.numbers or (DEFAULT_FROM,)
        fields = {"name": "Default service", "defaultForProject": True, "defaultFrom": numbers[0]}
        service = self.services.create(fields, self.clock.now_ms())
        self.services.numbers.update(dict.fromkeys(numbers, service["id"]))

    def _create_clients(self) -> None:
        config = self.config
        callback_client = OutboundClient(connections=config.callback_connections)
        self.callbacks = CallbackSender(
            clock=self.clock,
            outbound=callback_client,
            stats=self.stats,
            speed=config.speed,
            timeout_s=config.callback_timeout_s,
            change=self.hostility.callback,
        )
        self.downloads = OutboundClient(connections=8, max_body=MAX_FILE_BYTES)
        self.fetcher = Fetcher(self.documents, self.downloads, enabled=config.fetch_content)
        self.simulation = Simulation(
            clock=self.clock,
            documents=self.documents,
            callbacks=self.callbacks,
            speed=config.speed,
            scenario=lambda: self.scenario,
        )

    def load_scenario(self, scenario: Scenario) -> None:
        """Replace the scenario.

        Outages and the faults of lists and reads count from now. Faxes in progress keep their outcome.
        """
        config = self.config
        latency = scenario.latency_s if config.latency_s is None else (config.latency_s, config.latency_s)
        seed = scenario.seed if config.seed is None else config.seed
        self.scenario = replace(scenario, seed=seed, latency_s=latency)
        self._scenario_started_s = time.monotonic()
        self._lists = self._reads = 0

    def add_outage(self, outage: Outage) -> None:
        """Add an outage to the scenario; its ``start_s`` counts from now."""
        elapsed_s = time.monotonic() - self._scenario_started_s
        shifted = replace(outage, start_s=outage.start_s + elapsed_s)
        self.scenario = replace(self.scenario, outages=(*self.scenario.outages, shifted))

    def end_outages(self) -> None:
        """Remove all outages from the scenario, the current one included."""
        self.scenario = replace(self.scenario, outages=())

    def current_outage(self) -> Outage | None:
        """Return the outage that is in effect now, or None."""
        if not self.scenario.outages:
            return None
        return self.scenario.outage_at(time.monotonic() - self._scenario_started_s)

    def latency_s(self) -> float:
        """Return the seconds to wait before the next response."""
        min_s, max_s = self.scenario.latency_s
        if min_s == max_s:
            return min_s
        self._latency_draws += 1
        return min_s + (max_s - min_s) * seeded_random(self.scenario.seed, "latency", self._latency_draws)

    def next_request_fault(self, to: str) -> RequestFault | None:
        """Return the fault of the next request that sends to ``to``, or None."""
        count = self._requests_to[to]
        self._requests_to[to] += 1
        return self.scenario.request_fault(to, count)

    def next_list_fault(self) -> ReadFault | None:
        """Return the fault of the next list request, or None."""
        self._lists += 1
        return self.scenario.list_fault(self._lists - 1)

    def next_read_fault(self) -> ReadFault | None:
        """Return the fault of the next read of a single fax, or None."""
        self._reads += 1
        return self.scenario.read_fault(self._reads - 1)

    def next_ordinal(self, to: str) -> int:
        """Return how many faxes to ``to`` came before the next one, and count the next one."""
        count = self._faxes_to[to]
        self._faxes_to[to] += 1
        return count

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task, which is cancelled when the emulator closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel all tasks and close all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.callbacks.close()
        self.downloads.close()
