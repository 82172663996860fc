"""Where the drills take place: all processes on this machine, the emulator as provider, and a terminal."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dispatcher.client import Batch, Client, NewBatch, Options
from dispatcher.local.cluster import LocalCluster, emulator_options
from dispatcher.local.fictional_numbers import fictional_numbers
from dispatcher.local.supervisor import Process

#: requests per second that the account allows, and what divides the duration of calls
RATE, SPEED = 40.0, 20.0
#: a number of the project; no other may be a sender
SENDER = "+12025550100"
#: seconds that a command may take, and the width of the terminal
_COMMAND_S, _COLUMNS = 60.0, "80"
_HERE = Path(__file__).parent
_LETTER = _HERE.parent.parent / "examples" / "letter.pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command that was typed, what it printed, and its exit status."""

    command: str
    text: str
    status: int


class Stage:
    """A running installation. The processes are not restarted, so that a drill can end one of them."""

    def __init__(self, local: LocalCluster, client: Client, folder: Path) -> None:
        self.local = local
        self.client = client
        self._folder = folder
        self._numbers = fictional_numbers()
        self._services: list[Process] = []
        self._env = local.env | {
            "BULKFAX_API_URL": local.url,
            "BULKFAX_API_KEY": local.api_key,
            "COLUMNS": _COLUMNS,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def numbers(self, count: int) -> list[str]:
        """Return numbers that no drill has used before."""
        return [next(self._numbers) for _ in range(count)]

    def provider_does(self, scenario: str = "") -> None:
        """Let the provider behave like this from now on; by default, well."""
        self.local.emulator_api.play(scenario)

    def draft(
        self,
        numbers: Sequence[str],
        *,
        sender: str = SENDER,
        max_per_second: float | None = None,
        start_at: datetime | None = None,
    ) -> str:
        """Upload a mailing with the example letter."""
        letter = self.client.upload_document(_LETTER)
        options = Options.model_validate({"from": sender})
        batch = self.client.create_batch(
            NewBatch(
                name="drill",
                documents=(letter.id,),
                options=options,
                max_per_second=max_per_second,
                start_at=start_at,
            )
        )
        path = self._folder / "recipients.csv"
        path.write_text("\n".join(["fax", *numbers, ""]))
        self.client.upload_recipients(batch.id, path)
        return batch.id

    def send(
        self,
        numbers: Sequence[str],
        *,
        sender: str = SENDER,
        max_per_second: float | None = None,
        first: int | None = None,
        start_at: datetime | None = None,
    ) -> str:
        """Upload and start a mailing."""
        batch = self.draft(numbers, sender=sender, max_per_second=max_per_second, start_at=start_at)
        self.client.start(batch, allow_repeat=True, first=first)
        return batch

    def family(self, batch: str) -> list[Batch]:
        """Return a batch and its reruns."""
        first = self.client.batch(batch)
        return [first, *map(self.client.batch, first.reruns)]

    def all_delivered(self, batch: str) -> bool:
        """Return whether every job was delivered, by the batch or by a rerun of it."""
        delivered = sum(member.counts.get("delivered", 0) for member in self.family(batch))
        return delivered == self.client.batch(batch).rows

    def end_service(self, name: str) -> None:
        """End a service, as if it had crashed for good."""
        self.local.processes[name].stop()

    def type(self, command: str) -> Typed:
        """Type a command into a terminal, confirm what it asks, and wait until it has ended."""
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=self._folder,
            env=self._env,
            input="y\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        return Typed(command=command, text=ran.stdout.rstrip(), status=ran.returncode)

    def type_and_leave(self, command: str) -> Typed:
        """Type the command of a service, which runs on."""
        service = Process(
            command, ["sh", "-c", f"exec {command}"], env=self._env, cwd=self._folder, log=self._folder / "service.log"
        )
        self._services.append(service)
        service.start()
        return Typed(command=command, text="(it runs on)", status=0)

    def stop_services(self) -> None:
        for service in self._services:
            service.stop()

    def clear(self) -> None:
        """End what a drill has left: the provider behaves, nothing is held, no limit is changed, no batch runs."""
        self.provider_does()
        self.client.reset_rate()
        for batch in self.client.batches_page(limit=10).batches:
            if not batch.ended:
                self.client.cancel(batch.id)
        self.client.release_holds(everything=True)

    def wait(self, condition: Callable[[], bool], within_s: float, failure: str) -> None:
        """Wait until a condition is true. Raises DrillFailed."""
        end_s = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end_s:
                raise DrillFailed(f"{failure}: not within {within_s:.0f} s")
            time.sleep(0.2)


class DrillFailed(Exception):
    """Raised if a cause is not named, or if the command that is printed does not put it right."""


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Start all processes, and stop them at the end."""
    scenario = folder / "scenario.toml"
    scenario.write_text("")
    # the letter that a command names, saved anew
    (folder / "LETTER.pdf").write_bytes(_LETTER.read_bytes() + b"\n%%EOF\n")
    local = LocalCluster(
        folder,
        emulator_options=[*emulator_options(scenario, rate=RATE, speed=SPEED), "--number", SENDER],
        settings={
            "BULKFAX_SINCH__RATE_PER_SECOND": f"{RATE:g}",
            "BULKFAX_POLICY_FILE": str(_HERE / "policy.toml"),
        },
        restarts=False,
    )
    with local, local.client() as client:
        stage = Stage(local, client, folder)
        try:
            yield stage
        finally:
            stage.stop_services()
