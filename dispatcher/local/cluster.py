"""Runs the whole product in one folder of one machine, with the emulator as provider.

Demonstrations, tests, drills and benchmarks use it. The services are the real ones, each a process of its own, set up
by the same settings as in production; only the addresses differ.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dispatcher.client import Client
from dispatcher.local.emulator_api import EmulatorApi
from dispatcher.local.errors import ProcessEnded, StartFailed, WaitedTooLong
from dispatcher.local.ports import free_port
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.local.services import (
    PROGRAM,
    SERVICES,
    WITH_METRICS_PORT,
    emulator_command,
    environment_without_settings,
    service_processes,
    wait_until_ready,
)
from dispatcher.local.signals import uninterrupted
from dispatcher.local.supervisor import STABLE_AFTER_S, LocalSupervisor, ManagedProcess, Process

#: seconds that the emulator may take to report its address
EMULATOR_TIMEOUT_S = 60.0
_POLL_S = 0.05
_PROJECT, _KEY = "local-project", "local-key"
#: from which the emulator reads its secret: arguments are visible to other users of the machine
_KEY_VARIABLE = "EMULATOR_KEY_SECRET"


def _discard(text: str) -> None:
    """Ignore what a supervisor says."""


class LocalCluster:
    """Redis, the emulator and services in ``folder``. Use it with ``with``.

    Args:
        folder: Holds the data of Redis and a log file of each process.
        services: The services to start.
        emulator_options: Command-line options of the emulator, such as ``--scenario``.
        emulator: Another command in place of the emulator, which must print the same first line.
        settings: Further settings of the services, as environment variables. With BULKFAX_REDIS_URL among them no
            Redis is started.
        polling: Whether the provider cannot reach web, so that results have to be polled.
        restarts: Whether services and Redis are restarted when they die. The emulator never is: its ledger is lost.
        stable_after_s: See ``LocalSupervisor``.
        program: The command that starts a service, without its name.
        metrics: Whether scheduler and worker export their metrics too.
        say: Receives a sentence for people about every death and restart.
    """

    def __init__(
        self,
        folder: Path,
        *,
        services: Sequence[str] = SERVICES,
        emulator_options: Sequence[str] = (),
        emulator: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        polling: bool = False,
        restarts: bool = True,
        stable_after_s: float = STABLE_AFTER_S,
        program: Sequence[str] = PROGRAM,
        metrics: bool = False,
        say: Callable[[str], None] = _discard,
    ) -> None:
        self.folder = folder
        #: environment of the services, for further processes too
        self.env: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        self.server = EmbeddedServer(folder / "redis")
        #: project, key and secret of the account; the first line of the emulator names the first two
        self.account: dict[str, str] = {}
        self._secret = secrets.token_hex(16)
        self.api_key = secrets.token_hex(16)
        self._services = services
        self._settings = dict(settings or {})
        self._polling = polling
        self._restarts = restarts
        self._stable_after_s = stable_after_s
        self._program = program
        #: ports at which services other than web export their metrics
        self.metrics_ports = {name: free_port() for name in WITH_METRICS_PORT if metrics and name in services}
        self._say = say
        self._stop = threading.Event()
        self._supervisor: LocalSupervisor | None = None
        self._watcher: threading.Thread | None = None
        self.emulator = Process(
            "emulator",
            emulator or emulator_command([*_account_options(), *emulator_options]),
            env=environment_without_settings() | self._settings | {_KEY_VARIABLE: self._secret},
            cwd=folder,
            log=folder / "emulator.log",
        )

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.env['BULKFAX_PORT']}"

    @property
    def emulator_url(self) -> str:
        """The address of the emulator."""
        return self.account["url"]

    @property
    def faxes_url(self) -> str:
        """The address at which faxes are sent and listed."""
        return f"{self.emulator_url}/v3/projects/{self.account['project']}/faxes"

    @property
    def emulator_api(self) -> EmulatorApi:
        """The control interface of the emulator."""
        return EmulatorApi(self.emulator_url)

    def client(self, patience_s: float = 30.0) -> Client:
        """Return a client of the API; close it."""
        return Client(self.url, self.api_key, patience_s=patience_s)

    def pid(self, name: str) -> int:
        """Return the process id of a service, of ``emulator`` or of ``redis``."""
        if name == "redis":
            return self.server.pid
        return (self.emulator if name == "emulator" else self.processes[name]).pid

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
        """Stop everything in the reverse order of its start."""
        with uninterrupted():
            self._stop.set()
            if self._watcher:
                self._watcher.join()
            if self._supervisor:
                self._supervisor.stop()
            self.emulator.stop()
            self.server.stop()

    def wait(self, condition: Callable[[], bool], within_s: float, failure: str) -> None:
        """Wait until a condition is true.

        Args:
            condition: Is called until it returns True.
            within_s: Seconds to wait at most.
            failure: What went wrong if it does not become true, as the beginning of a sentence.

        Raises:
            WaitedTooLong: The condition is still false.
            ProcessEnded: A process ended.
        """
        end_s = time.monotonic() + within_s
        while not condition():
            for process in (*self.processes.values(), self.emulator):
                if not process.running:
                    raise ProcessEnded(f"{process.name} {process.how_it_ended()}: {process.last_words()}")
            if time.monotonic() > end_s:
                raise WaitedTooLong(f"{failure}: not within {within_s:.0f} s")
            time.sleep(_POLL_S)

    def _start(self) -> None:
        own_redis = "BULKFAX_REDIS_URL" not in self._settings
        with uninterrupted():
            if own_redis:
                self.server.start()
            self.emulator.start()
        self.account = self._announced_account()
        self.env = self._environment(free_port())
        services = service_processes(
            self.env,
            names=self._services,
            cwd=self.folder,
            logs=self.folder,
            program=self._program,
            metrics_ports=self.metrics_ports,
        )
        self.processes = {process.name: process for process in services}
        supervised: list[ManagedProcess] = [*([self.server] if own_redis else ()), *services]
        self._supervisor = LocalSupervisor(supervised, self._say, stable_after_s=self._stable_after_s)
        with uninterrupted():
            self._supervisor.start()
        if "web" in self.processes:
            wait_until_ready(self.url, self._supervisor, self._stop)
        if self._restarts:
            self._watcher = threading.Thread(target=self._supervisor.watch, args=(self._stop,), name="supervisor")
            self._watcher.start()

    def _announced_account(self) -> dict[str, str]:
        """Wait for the first line of the emulator: its address and the account, as ``emulator: URL name=value ...``."""
        log, end_s = self.folder / "emulator.log", time.monotonic() + EMULATOR_TIMEOUT_S
        while time.monotonic() < end_s and self.emulator.running:
            first, newline, _ = log.read_text(errors="replace").partition("\n")
            if newline and first.startswith("emulator: http"):
                _, url, *pairs = first.split()
                return {"url": url, "secret": self._secret, **dict(pair.split("=", 1) for pair in pairs)}
            time.sleep(_POLL_S)
        raise StartFailed(
            f"the emulator {self.emulator.how_it_ended()} and did not start: {self.emulator.last_words()}"
        )

    def _environment(self, port: int) -> dict[str, str]:
        return environment_without_settings() | {
            "BULKFAX_REDIS_URL": self.server.url,
            "BULKFAX_SINCH__PROJECT_ID": self.account["project"],
            "BULKFAX_SINCH__KEY_ID": self.account["key"],
            "BULKFAX_SINCH__KEY_SECRET": self.account["secret"],
            "BULKFAX_SINCH__BASE_URL": self.emulator_url,
            "BULKFAX_SINCH__AUTH_URL": f"{self.emulator_url}/oauth2/token",
            "BULKFAX_PUBLIC_URL": "" if self._polling else f"http://127.0.0.1:{port}",
            "BULKFAX_HOST": "127.0.0.1",
            "BULKFAX_PORT": str(port),
            "BULKFAX_API_KEYS": self.api_key,
            # whoever receives webhooks of a cluster on this machine is on it too
            "BULKFAX_WEBHOOK_PRIVATE_ADDRESSES": "true",
            **self._settings,
        }


def _account_options() -> list[str]:
    return ["--project-id", _PROJECT, "--key-id", _KEY]


def emulator_options(scenario: Path, *, rate: float, speed: float) -> list[str]:
    """Return command-line options of the emulator.

    Args:
        scenario: What goes wrong with which faxes (TOML).
        rate: Requests a second before it answers with 429.
        speed: Divides the time that calls take.
    """
    return ["--rate", f"{rate:g}", "--speed", f"{speed:g}", "--scenario", str(scenario)]


def scenario_cluster(
    folder: Path,
    *,
    scenario: Path,
    policy: Path,
    rate: float,
    speed: float,
    numbers: Sequence[str] = (),
    polling: bool = False,
    stable_after_s: float = STABLE_AFTER_S,
    program: Sequence[str] = PROGRAM,
    say: Callable[[str], None] = _discard,
) -> LocalCluster:
    """Return a cluster with all services, an emulator with a scenario, and the same rate on both sides.

    Args:
        folder: As in ``LocalCluster``, and so are ``polling``, ``stable_after_s``, ``program`` and ``say``.
        scenario: What goes wrong with which faxes (TOML).
        policy: The policy file.
        rate: Requests a second that the account allows.
        speed: Divides the time that calls take.
        numbers: Numbers of the project, which alone may be senders; empty: any number.
    """
    own = [word for number in numbers for word in ("--number", number)]
    return LocalCluster(
        folder,
        emulator_options=[*emulator_options(scenario, rate=rate, speed=speed), *own],
        settings={"BULKFAX_SINCH__RATE_PER_SECOND": f"{rate:g}", "BULKFAX_POLICY_FILE": str(policy.resolve())},
        polling=polling,
        stable_after_s=stable_after_s,
        program=program,
        say=say,
    )
