"""Reads which batches run, and how far they are, without reading all that is known of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dispatcher.core.batch import Control
from dispatcher.core.job import State
from dispatcher.core.progress import Lately
from dispatcher.store.client import Client
from dispatcher.store.decoding import readable, whole
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys

_FIELDS = ("control", "started_ms", "finished_ms", "deadline_ms", "lately")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBatch:
    """A batch that runs. Times are milliseconds since 1970; 0: none."""

    batch: str
    started_ms: int
    deadline_ms: int
    lately: Lately
    jobs: Mapping[State, int] = field(default_factory=dict)


class Running:
    """Reads running batches; it writes nothing."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def among(self, batches: Iterable[str], max_batches: int) -> list[RunningBatch]:
        """Return the first of these batches that run, with their jobs by state, without those that cannot be read."""
        names = list(batches)
        running = [batch for batch in await self._read(names) if batch is not None][:max_batches]
        counts = await self._pipeline(("hgetall", self._keys.of_batch(batch.batch, "counts")) for batch in running)
        return readable("the counts of a batch", list(zip(running, counts, strict=True)), _with_counts)

    async def _read(self, names: Sequence[str]) -> list[RunningBatch | None]:
        answers = await self._pipeline(("hmget", self._keys.batch(name), *_FIELDS) for name in names)
        return readable("a batch", list(zip(names, answers, strict=True)), _running)

    async def _pipeline(self, commands: Iterable[tuple[str, ...]]) -> list[object]:
        """Return the answers to commands; an error is the answer to its command alone."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for name, *arguments in commands:
                    getattr(pipe, name)(*arguments)
                answers: list[object] = await pipe.execute(raise_on_error=False)
                return answers


def _running(read: tuple[str, object]) -> RunningBatch | None:
    name, fields = read
    if not isinstance(fields, list):
        raise TypeError(f"it is {fields!r}")
    control, started_ms, finished_ms, deadline_ms, lately = fields
    if control != Control.RUNNING.value.encode() or not started_ms or finished_ms:
        return None
    return RunningBatch(
        batch=name,
        started_ms=whole(started_ms),
        deadline_ms=whole(deadline_ms or 0),
        lately=Lately.parse((lately or b"").decode()),
    )


def _with_counts(read: tuple[RunningBatch, object]) -> RunningBatch:
    batch, counts = read
    if not isinstance(counts, dict):
        raise TypeError(f"they are {counts!r}")
    jobs: dict[State, int] = {}
    for count, number in counts.items():
        state = State(whole(count.split(b":")[0]))
        jobs[state] = jobs.get(state, 0) + whole(number)
    return RunningBatch(
        batch=batch.batch,
        started_ms=batch.started_ms,
        deadline_ms=batch.deadline_ms,
        lately=batch.lately,
        jobs=jobs,
    )
