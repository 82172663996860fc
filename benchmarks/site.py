"""The product as it runs in earnest, and the provider's double beside it: real processes, set up by settings."""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.processor import cpu_s
from dispatcher.cli.emulator import emulator_command
from dispatcher.cli.output import CommandFailed
from dispatcher.cli.processes import Process, uninterrupted
from dispatcher.cli.services import free_port
from dispatcher.cli.up import service_processes
from dispatcher.client import Batch, Client, ClientError, NewBatch
from dispatcher.store.server import EmbeddedServer

START_S = 60.0
_LOOK_S = 0.05
_PROJECT, _KEY, _SECRET, API_KEY = "bench-project", "bench-key", "bench-secret", "bench-api-key"
#: a document by address, which no bench lets the emulator fetch
DOCUMENT_URL = "http://127.0.0.1:9/letter.pdf"
EMULATOR_OPTIONS = ("--project-id", _PROJECT, "--key-id", _KEY, "--key-secret", _SECRET, "--no-fetch")


class Site:
    """Redis with ``appendfsync always``, an emulator, and those processes that ``parts`` names. Use it with ``with``.

    ``emulator`` are the emulator's further options, ``env`` further settings; ``provider`` is another command in
    the emulator's place, which begins with the same line.
    """

    def __init__(
        self,
        folder: Path,
        *,
        parts: Sequence[str] = ("web", "scheduler", "worker"),
        emulator: Sequence[str] = (),
        provider: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.server = EmbeddedServer(folder / "redis")
        self.emulator = self._process("emulator", [*provider] or emulator_command([*EMULATOR_OPTIONS, *emulator]))
        self.env: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        self._parts = parts
        self._more_env = dict(env or {})
        self._project: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.env['BULKFAX_PORT']}"

    @property
    def emulator_url(self) -> str:
        return self._project["url"]

    @property
    def project(self) -> str:
        return self._project["project"]

    @property
    def faxes_url(self) -> str:
        """Where faxes are posted and listed."""
        return f"{self.emulator_url}/v3/projects/{self.project}/faxes"

    @property
    def credentials(self) -> tuple[str, str]:
        """Key id and secret that the emulator wants."""
        return self._project["key"], self._project["secret"]

    def client(self) -> Client:
        return Client(self.url, API_KEY)

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
        """Stop everything, in the opposite order of its start."""
        with uninterrupted():
            started = [*self.processes.values()]
            for process in reversed(started):
                process.ask_to_stop()
            for process in [*reversed(started), self.emulator]:
                process.stop()
            self.server.stop()

    def cpu_s(self, *names: str) -> float:
        """Seconds of processor used so far by parts: ``web``, ``scheduler``, ``worker``, ``emulator``, ``redis``."""
        return sum(cpu_s(self.pid(name)) for name in names)

    def pid(self, name: str) -> int:
        if name == "redis":
            return self.server.pid
        return (self.emulator if name == "emulator" else self.processes[name]).pid

    def stats(self) -> dict[str, Any]:
        """What the emulator counted."""
        answer: dict[str, Any] = read_json(f"{self.emulator_url}/emulator/stats")
        return answer

    def play(self, scenario: str) -> None:
        """Let the emulator go on with another scenario (TOML); an empty one: all goes well."""
        url = f"{self.emulator_url}/emulator/scenario"
        request = urllib.request.Request(url, data=scenario.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass

    def accepted_at(self) -> list[float]:
        """When the emulator accepted each fax, seconds since 1970, in that order."""
        return [fax["createTime"] / 1000 for fax in self.ledger()]

    def ledger(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.emulator_url}/emulator/ledger", timeout=300) as answer:
            return [json.loads(line) for line in answer]

    def wait(self, until: Callable[[], bool], within_s: float, what: str) -> None:
        """Wait until something is so. Raises Failure after ``within_s``, and when a process ends."""
        end_s = time.monotonic() + within_s
        while not until():
            for process in (*self.processes.values(), self.emulator):
                if not process.running:
                    raise CommandFailed(f"{process.name} {process.how_it_ended()}: {process.last_words()}")
            if time.monotonic() > end_s:
                raise CommandFailed(f"{what}: not within {within_s:.0f} s")
            time.sleep(_LOOK_S)

    def _start(self) -> None:
        with uninterrupted():
            self.server.start()
            self.emulator.start()
        self.wait(self._emulator_speaks, START_S, "the emulator did not start")
        self.env = self._environment()
        services = service_processes(self.env, cwd=self.folder, logs=self.folder)
        self.processes = {process.name: process for process in services if process.name in self._parts}
        with uninterrupted():
            for process in self.processes.values():
                process.start()
        if "web" in self.processes:
            self.wait(self._ready, START_S, "web did not get ready")

    def _emulator_speaks(self) -> bool:
        """Its first line says where it is and what it wants."""
        first, newline, _ = (self.folder / "emulator.log").read_text().partition("\n")
        if not newline:
            return False
        _, url, *words = first.split()
        self._project = {"url": url, **dict(word.split("=", 1) for word in words)}
        return True

    def _ready(self) -> bool:
        try:
            with Client(self.url, patience_s=0) as client:
                return client.ready().ready
        except ClientError:
            return False

    def _process(self, name: str, command: list[str]) -> Process:
        return Process(name, command, env=clean_environment(), cwd=self.folder, log=self.folder / f"{name}.log")

    def _environment(self) -> dict[str, str]:
        port = str(free_port())
        return clean_environment() | {
            "BULKFAX_REDIS_URL": self.server.url,
            "BULKFAX_SINCH__PROJECT_ID": self.project,
            "BULKFAX_SINCH__KEY_ID": self._project["key"],
            "BULKFAX_SINCH__KEY_SECRET": self._project["secret"],
            "BULKFAX_SINCH__BASE_URL": self.emulator_url,
            "BULKFAX_SINCH__AUTH_URL": f"{self.emulator_url}/oauth2/token",
            "BULKFAX_HOST": "127.0.0.1",
            "BULKFAX_PORT": port,
            "BULKFAX_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "BULKFAX_API_KEYS": API_KEY,
            "BULKFAX_LOG_LEVEL": "warning",
            **self._more_env,
        }


def clean_environment() -> dict[str, str]:
    """Our environment without the user's own settings, and with this repository in sight of every process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BULKFAX_")}
    return kept | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}


def read_json(url: str, body: object = None) -> Any:
    """GET, or POST with a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def draft(client: Client, name: str, path: Path, *, documents: tuple[str, ...] = ()) -> Batch:
    """A batch with the recipients of a file, not yet started; by address where no document is named."""
    urls = () if documents else (DOCUMENT_URL,)
    batch = client.create_batch(NewBatch(name=name, documents=documents, content_urls=urls))
    client.upload_recipients(batch.id, path)
    return client.batch(batch.id)


def module(name: str, *arguments: str) -> list[str]:
    """The command of one of our own modules."""
    return [sys.executable, "-m", name, *arguments]
