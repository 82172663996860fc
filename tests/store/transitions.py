"""Which states jobs have before and after each script, held against the table of transitions."""

from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.core.job import JobId, State
from dispatcher.core.lifecycle import TRANSITIONS
from dispatcher.store import codec
from dispatcher.store.keys import BLOCK
from dispatcher.store.lua import Argument, Option
from tests.store.fixture import KEYS, StoreFixture

_ALLOWED = frozenset((old, new) for (old, _), new in TRANSITIONS.items())
#: a script that puts a job back to wait ends it at once when its batch has ended
_ENDINGS = frozenset({State.CANCELLED, State.EXPIRED})


class TransitionCheck:
    """Runs scripts in place of ``Scripts._call`` and reads all records after each of them."""

    def __init__(self, db: StoreFixture) -> None:
        self._world = db
        self._run = db.scripts._call
        self._states: dict[JobId, State] = {}
        #: every change of a state that a script has made
        self.seen: set[tuple[State, State]] = set()

    async def call(
        self, verb: str, values: Sequence[Argument], options: Mapping[str, Option], wait_s: float
    ) -> tuple[Any, bool]:
        answer = await self._run(verb, values, options, wait_s)
        states = await self._read()
        changes = {(self._states[job], state) for job, state in states.items() if self._states.get(job, state) != state}
        self._states = states
        self.seen |= changes
        assert [change for change in changes if not is_allowed(*change)] == [], verb
        return answer

    async def _read(self) -> dict[JobId, State]:
        client = self._world.client
        batches = [name.decode() for name in await client.zrange(KEYS.batches, 0, -1)]
        blocks = [int(await client.hget(KEYS.batch(batch), "blocks") or 0) for batch in batches]
        places = [(batch, block) for batch, count in zip(batches, blocks, strict=True) for block in range(count)]
        raw = await client.mget([KEYS.of_block(batch, "records", block) for batch, block in places]) if places else []
        return {
            JobId(batch, block * BLOCK + position): State(record[0])
            for (batch, block), records in zip(places, raw, strict=True)
            for position, record in enumerate(codec.split_records(records or b""))
        }


def is_allowed(old: State, new: State) -> bool:
    """Whether one script may change a job's state like this."""
    put_back = (old, State.WAITING) in _ALLOWED and new in _ENDINGS
    return (old, new) in _ALLOWED or put_back
