"""The producer of the drill: uploads and starts batches one after the other, whatever happens to the API meanwhile."""

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

#: batches that the jobs are divided into; some of them wait while others are sent
BATCHES = 20
#: share of all jobs that may be uploaded ahead of what is final
AHEAD = 0.2
#: how long the API may be away before the producer gives up
PATIENCE_S = 120.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """One batch and, as the last number, one single fax beside it."""

    name: str
    numbers: tuple[str, ...]


def make_mailings(jobs: int) -> tuple[Mailing, ...]:
    """Divide so many fictional numbers, no two alike. Raises DrillFailed when there are not enough of them."""
    numbers = list(islice(fictional_numbers(), jobs))
    if len(numbers) < jobs:
        raise DrillFailed(f"there are {len(numbers):,} fictional numbers: ask for no more jobs than that")
    return tuple(
        Mailing(name=f"chaos-{n}", numbers=tuple(part)) for n in range(BATCHES) if (part := numbers[n::BATCHES])
    )


@dataclass(slots=True, kw_only=True)
class Accepted:
    """What the API has said yes to."""

    #: batch -> numbers uploaded
    batches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: job of a single fax -> number
    singles: dict[str, str] = field(default_factory=dict)


class Producer(threading.Thread):
    """Sends the mailings. ``reached`` says up to which share of all jobs the drill has come."""

    def __init__(self, client: Client, mailings: Sequence[Mailing], folder: Path, reached: Callable[[], float]) -> None:
        super().__init__(name="producer", daemon=True)
        self._client = client
        self._mailings = mailings
        self._folder = folder
        self._reached = reached
        self._stop_asked = threading.Event()
        self.accepted = Accepted()
        #: why it ended before its work was done; empty when it did not
        self.error = ""

    def run(self) -> None:
        try:
            document = self._client.upload_document(EXAMPLES / "letter.pdf").id
            for mailing in self._released():
                self._send(mailing, document)
        except (ClientError, OSError) as error:
            self.error = f"the producer gave up: {error}"

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def _released(self) -> Iterator[Mailing]:
        """The mailings, each as soon as it is its turn."""
        for place, mailing in enumerate(self._mailings):
            while place / len(self._mailings) > self._reached() + AHEAD:
                if self._stop_asked.wait(_LOOK_S):
                    return
            yield mailing

    def _send(self, mailing: Mailing, document: str) -> None:
        *listed, single = mailing.numbers
        if listed:
            self._send_list(mailing.name, listed, document)
        fax = NewFax(to=single, documents=(document,))
        self.accepted.singles[self._client.send_fax(fax, key=f"{mailing.name}-single").id] = single

    def _send_list(self, name: str, numbers: Sequence[str], document: str) -> None:
        path = self._folder / f"{name}.csv"
        path.write_text("\n".join(["fax", *numbers, ""]))
        batch = self._client.create_batch(NewBatch(name=name, documents=(document,)), key=f"{name}-batch").id
        self._client.upload_recipients(batch, path, key=f"{name}-list")
        self._client.start(batch)
        self.accepted.batches[batch] = tuple(numbers)


def wait_for(what: Callable[[], bool], end_s: float) -> bool:
    """Whether it came true before that moment of the steady clock."""
    while not what():
        if time.monotonic() > end_s:
            return False
        time.sleep(_LOOK_S)
    return True
