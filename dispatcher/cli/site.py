"""Everything on one machine and in one folder, with the emulator in the provider's place.

For demonstrations and drills: the processes are the ones that run in earnest, each on its own and set up by the
same settings; only the addresses differ. Whoever dies is started again, but for the emulator, whose ledger is the
evidence.
"""

import json
import os
import secrets
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dispatcher.cli.emulator import emulator_command
from dispatcher.cli.ledger import LedgerFax, fax_from
from dispatcher.cli.output import CommandFailed, note
from dispatcher.cli.processes import STEADY_S, LocalSupervisor, Process, uninterrupted
from dispatcher.cli.redis_part import RedisProcess
from dispatcher.cli.services import free_port
from dispatcher.cli.up import PROGRAM, service_processes, wait_until_ready
from dispatcher.client import Client
from dispatcher.store.server import EmbeddedServer

EMULATOR_START_S = 30.0
_PROJECT, _KEY = "demo-project", "demo-key"


class LocalCluster:
    """Redis, emulator, web, scheduler and worker in ``folder``; use it with ``with``.

    ``rate`` is the account's limit in requests a second, ``speed`` divides the lives of faxes at the emulator,
    ``polling`` takes away the address under which the provider would reach us. ``steady_s`` is the supervisor's.
    ``program`` starts web, scheduler and worker.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scenario: Path,
        policy: Path,
        rate: float,
        speed: float,
        polling: bool = False,
        steady_s: float = STEADY_S,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.folder = folder
        self._steady_s = steady_s
        self._program = program
        self._policy = policy
        self._rate = rate
        self._polling = polling
        self._secret, self._api_key = secrets.token_hex(16), secrets.token_hex(16)
        self._stop = threading.Event()
        self.server = EmbeddedServer(folder / "redis")
        options = ["--project-id", _PROJECT, "--key-id", _KEY, "--key-secret", self._secret, "--rate", f"{rate:g}"]
        self.emulator = Process(
            "emulator",
            emulator_command([*options, "--speed", f"{speed:g}", "--scenario", str(scenario)]),
            env=_clean_environment(),
            cwd=folder,
            log=folder / "emulator.log",
        )
        self.emulator_url = ""
        #: what every process but the emulator is set up by; for further ones, too
        self.env: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        self._supervisor: LocalSupervisor | None = None
        self._watcher: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.env['BULKFAX_PORT']}"

    def client(self, patience_s: float = 30.0) -> Client:
        return Client(self.url, self._api_key, patience_s=patience_s)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop everything that was started, in the opposite order."""
        with uninterrupted():
            self._stop.set()
            if self._watcher:
                self._watcher.join()
            if self._supervisor:
                self._supervisor.stop()
            self.emulator.stop()
            self.server.stop()

    def ledger(self) -> list[LedgerFax]:
        """What the provider accepted. Raises Failure when the emulator is gone, and the evidence with it."""
        try:
            with urllib.request.urlopen(f"{self.emulator_url}/emulator/ledger", timeout=60) as answer:  # noqa: S310  # our own address
                return [fax_from(json.loads(line)) for line in answer]
        except OSError as error:
            raise CommandFailed(
                f"the emulator does not answer any more ({error}); see {self.folder}/emulator.log"
            ) from error

    def _start(self) -> None:
        with uninterrupted():
            self.server.start()
            self.emulator.start()
        self.emulator_url = self._emulator_address()
        self.env = self._environment(free_port())
        services = service_processes(self.env, cwd=self.folder, logs=self.folder, program=self._program)
        self.processes = {process.name: process for process in services}
        self._supervisor = LocalSupervisor([RedisProcess(self.server), *services], note, steady_s=self._steady_s)
        with uninterrupted():
            self._supervisor.start()
        wait_until_ready(self.url, self._supervisor, self._stop)
        self._watcher = threading.Thread(target=self._supervisor.watch, args=(self._stop,), name="supervisor")
        self._watcher.start()

    def _emulator_address(self) -> str:
        """The emulator says where it is in its first line."""
        log, end_s = self.folder / "emulator.log", time.monotonic() + EMULATOR_START_S
        while time.monotonic() < end_s and self.emulator.running:
            first, newline, _ = log.read_text(errors="replace").partition("\n")
            if newline and first.startswith("emulator: http"):
                return first.split()[1]
            time.sleep(0.05)
        raise CommandFailed(
            f"the emulator {self.emulator.how_it_ended()} and did not start: {self.emulator.last_words()}"
        )

    def _environment(self, port: int) -> dict[str, str]:
        return _clean_environment() | {
            "BULKFAX_REDIS_URL": self.server.url,
            "BULKFAX_SINCH__PROJECT_ID": _PROJECT,
            "BULKFAX_SINCH__KEY_ID": _KEY,
            "BULKFAX_SINCH__KEY_SECRET": self._secret,
            "BULKFAX_SINCH__BASE_URL": self.emulator_url,
            "BULKFAX_SINCH__AUTH_URL": f"{self.emulator_url}/oauth2/token",
            "BULKFAX_SINCH__RATE_PER_SECOND": f"{self._rate:g}",
            "BULKFAX_POLICY_FILE": str(self._policy.resolve()),
            "BULKFAX_PUBLIC_URL": "" if self._polling else f"http://127.0.0.1:{port}",
            "BULKFAX_HOST": "127.0.0.1",
            "BULKFAX_PORT": str(port),
            "BULKFAX_API_KEYS": self._api_key,
        }


def _clean_environment() -> dict[str, str]:
    """Our environment without the user's own settings: nothing here may reach the real provider."""
    kept = {"BULKFAX_LOG_LEVEL", "BULKFAX_LOG_FORMAT"}
    return {name: value for name, value in os.environ.items() if name in kept or not name.startswith("BULKFAX_")}
