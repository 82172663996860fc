"""Every script against the model over random histories, on a real server."""

from itertools import count, pairwise
from typing import Any

import pytest

from dispatcher.core.job import State
from dispatcher.service.doctor import examine
from dispatcher.store import client
from dispatcher.store.lua import Argument, Option, Scripts
from dispatcher.store.store import Store
from tests.store.fixture import KEYS, StoreFixture, dump, open_store
from tests.store.lossy_proxy import LossyProxy
from tests.store.random_history import RandomHistory
from tests.store.transitions import is_allowed

pytestmark = pytest.mark.anyio

STEPS = 120


@pytest.mark.parametrize("seed", range(5))
async def test_every_script_does_what_the_model_says(db: StoreFixture, seed: int) -> None:
    """Answers and everything stored agree after each step, and every live job is in exactly one place."""
    await RandomHistory(db, seed).live(STEPS)


async def test_scripts_change_states_as_the_table_says(redis_url: str) -> None:
    """Every history checks it after each script; these show that it sees the ways of claim, begin and settle."""
    ways = {*pairwise([State.WAITING, State.LEASED, State.SENDING, State.ACCEPTED])}
    ways |= {(State.LEASED, State.WAITING), (State.SENDING, State.WAITING)}
    seen = set[tuple[State, State]]()
    for seed in range(19, 31):
        async with open_store(redis_url) as db:
            history = RandomHistory(db, seed)
            await history.live(STEPS)
        seen |= history.transitions.seen
        if ways <= seen:
            break
    assert ways <= seen
    assert not is_allowed(State.WAITING, State.SENDING)
    assert not is_allowed(State.DELIVERED, State.CANCELLED)


@pytest.mark.parametrize("seed", range(405, 408))
async def test_leases_of_workers_that_end_go_on_as_the_model_says(db: StoreFixture, seed: int) -> None:
    """Strikes, jobs that are leased alone, suspects that are tried one at a time, jobs that are held."""
    walk = RandomHistory(db, seed, crashing=True)
    await walk.live(STEPS)
    assert walk.max_strikes >= 2


async def test_the_doctor_finds_nothing_after_a_random_history(db: StoreFixture, redis_url: str) -> None:
    """It looks at records, places and counts by code of its own."""
    await RandomHistory(db, 300).live(STEPS // 2)
    store = Store(redis_url, db.policy, documents_max_bytes=1)
    findings = await examine(store, fix=False, progress=lambda done, total: None)
    await store.aclose()
    checks = ("one place", "counts", "number locks", "server settings", "server writes")
    assert [(finding.check, finding.text) for finding in findings if finding.check in checks and not finding.ok] == []
    assert set(checks) < {finding.check for finding in findings}


class Twice(Scripts):
    """Runs everything twice with the same arguments, except for permits, which a repetition only wastes."""

    async def run(self, verb: str, /, *values: Argument, **options: Option) -> Any:
        first = await super().run(verb, *values, **options)
        if verb == "take_permit":
            return first
        before = await self._dump()
        second = await super().run(verb, *values, **options)
        assert await self._dump() == before, verb
        assert second == first or verb not in ("claim", "begin", "control"), verb
        return first

    async def _dump(self) -> dict[str, Any]:
        """A scheduler may be woken for nothing."""
        everything = await dump(self._client)
        everything.pop(KEYS.wake, None)
        return everything


@pytest.mark.parametrize("seed", range(100, 102))
async def test_any_script_run_twice_with_the_same_arguments_changes_nothing(redis_url: str, seed: int) -> None:
    """Compared is everything in the database; claim, begin and control also give the first answer again."""
    async with open_store(redis_url, Twice) as db:
        await RandomHistory(db, seed).live(STEPS // 2)


@pytest.mark.parametrize("seed", range(200, 202))
async def test_answers_that_are_lost_on_their_way_lead_to_the_same_store(
    redis_url: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has done its work, the connection ends before the answer, the client asks again: nothing doubles."""
    monkeypatch.setattr(client, "_RETRY_BASE_S", 0.001)
    answers = count(1)
    async with LossyProxy(redis_url, lose=lambda: next(answers) % 9 == 0) as proxy, open_store(proxy.url) as db:
        await RandomHistory(db, seed, lossy=True).live(STEPS // 2)
        assert proxy.lost > 10
