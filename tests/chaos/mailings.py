"""The producer of the drill: uploads and starts batches one after the other while the API keeps failing."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from dispatcher.client import Client, ClientError, NewBatch, NewFax
from dispatcher.local.fictional_numbers import fictional_numbers
from tests.chaos.errors import DrillFailed

EXAMPLES = Path(__file__).parents[2] / "examples"

#: number of batches; some wait while others are sent
BATCHES = 20
#: share of all jobs by which uploads may be ahead of the final jobs
AHEAD = 0.2
#: seconds without the API after which the producer gives up
PATIENCE_S = 120.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """The numbers of a batch, and, as the last number, that of a single fax."""

    name: str
    numbers: tuple[str, ...]


def make_mailings(jobs: int) -> tuple[Mailing, ...]:
    """Divide distinct fictional numbers into mailings.

    Raises:
        DrillFailed: There are not enough fictional numbers.
    """
    numbers = list(islice(fictional_numbers(), jobs))
    if len(numbers) < jobs:
        raise DrillFailed(f"there are only {len(numbers):,} fictional numbers; choose fewer jobs")
    return tuple(
        Mailing(name=f"chaos-{n}", numbers=tuple(part)) for n in range(BATCHES) if (part := numbers[n::BATCHES])
    )


@dataclass(slots=True, kw_only=True)
class Accepted:
    """What the API has accepted."""

    #: uploaded numbers by batch
    batches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: number by job of a single fax
    singles: dict[str, str] = field(default_factory=dict)


class Producer(threading.Thread):
    """Uploads and starts the mailings. ``reached`` returns the progress of the drill as a share of all jobs."""

    def __init__(self, client: Client, mailings: Sequence[Mailing], folder: Path, reached: Callable[[], float]) -> None:
        super().__init__(name="producer", daemon=True)
        self._client = client
        self._mailings = mailings
        self._folder = folder
        self._reached = reached
        self._stop_asked = threading.Event()
        self.accepted = Accepted()
        #: why the producer gave up; empty if it did not
        self.error = ""

    def run(self) -> None:
        """Upload and start the mailings, until done or asked to stop."""
        try:
            document = self._client.upload_document(EXAMPLES / "letter.pdf").id
            for mailing in self._due_mailings():
                self._send(mailing, document)
        except (ClientError, OSError) as error:
            self.error = f"the producer gave up: {error}"

    def stop(self) -> None:
        """Stop the producer, and wait for its thread."""
        self._stop_asked.set()
        self.join()

    def _due_mailings(self) -> Iterator[Mailing]:
        """Yield each mailing as soon as the drill has progressed far enough."""
        for index, mailing in enumerate(self._mailings):
            while index / len(self._mailings) > self._reached() + AHEAD:
                if self._stop_asked.wait(_LOOK_S):
                    return
            yield mailing

    def _send(self, mailing: Mailing, document: str) -> None:
        *listed, single = mailing.numbers
        if listed:
            self._send_list(mailing.name, listed, document)
        fax = NewFax(to=single, documents=(document,), allow_repeat=True)
        self.accepted.singles[self._client.send_fax(fax, key=f"{mailing.name}-single").id] = single

    def _send_list(self, name: str, numbers: Sequence[str], document: str) -> None:
        path = self._folder / f"{name}.csv"
        path.write_text("\n".join(["fax", *numbers, ""]))
        batch = self._client.create_batch(NewBatch(name=name, documents=(document,)), key=f"{name}-batch").id
        self._client.upload_recipients(batch, path, key=f"{name}-list")
        self._client.start(batch, allow_repeat=True)
        self.accepted.batches[batch] = tuple(numbers)


def wait_for(condition: Callable[[], bool], end_s: float) -> bool:
    """Wait for a condition, until ``end_s`` on the monotonic clock, and return whether it was met."""
    while not condition():
        if time.monotonic() > end_s:
            return False
        time.sleep(_LOOK_S)
    return True
