"""Unclear sends are looked for in windows of the provider's list, which only find: nothing is written off by them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dispatcher.core.job import State
from dispatcher.core.outcome import Unclear
from dispatcher.service.permits import ReadKind
from dispatcher.sinch.wire import FaxQuery, ListPage
from tests.service.fake_provider import Call, FaultyProvider
from tests.service.system import FaultySystem

pytestmark = pytest.mark.anyio

ROWS = 20
#: requests a second: a window around the sends of a moment has fewer pages than there are jobs
RATE = 50.0


class FreePermits:
    """Reads wait for nothing here: the clock stands still while they do."""

    @asynccontextmanager
    async def read(self, kind: ReadKind) -> AsyncIterator[int]:
        yield 0


class Lists:
    """The lists of a provider, by a clock that is ahead of ours, and how often each kind was asked for."""

    def __init__(self, provider: FaultyProvider, ahead_ms: int) -> None:
        self._provider = provider
        self._ahead_ms = ahead_ms
        self.windows = 0
        self.numbers = 0

    async def page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        low, high = query.created_from_ms or 0, query.created_to_ms or 0
        self.windows += not query.to
        self.numbers += bool(query.to)
        listed = [
            call
            for call in self._provider.calls
            if low <= call.created_ms + self._ahead_ms <= high and call.to.startswith(query.to)
        ]
        return ListPage(faxes=tuple(call.fax_update for call in listed), page=1, total_pages=1)


async def unclear(system: FaultySystem, monkeypatch: pytest.MonkeyPatch, *, ahead_ms: int) -> Lists:
    """All sends are taken and answered with a 500, and looked for until that has an end."""
    lists = Lists(system.provider, ahead_ms)
    monkeypatch.setattr(system.provider, "list_page", lists.page)
    monkeypatch.setattr(system.runtime.reconciler._reads, "_permits", FreePermits())
    monkeypatch.setattr(system.provider, "end_calls", lambda share: [])
    await system.db.limiter.set_ceiling(RATE)
    await system.db.running("a", ROWS)
    # one in four is answered, so that the breaker waits until most are sent
    system.provider.refusal = lambda order: (
        Unclear(reason="answered 500", status=500) if int(order.to[0][-1]) % 4 else None
    )
    system.provider.takes_unclear = True
    await system.work(60)
    return lists


def sent(system: FaultySystem) -> dict[str, int]:
    calls: list[Call] = system.provider.calls
    return {job: sum(call.job == job for call in calls) for job in {call.job for call in calls}}


@pytest.mark.parametrize("ahead_s", [-300, 300])
async def test_nobody_is_faxed_twice_when_the_providers_clock_is_five_minutes_off(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    """No window shows the faxes at any look-up. The list of each number does, before the attempt is written off."""
    lists = await unclear(system, monkeypatch, ahead_ms=ahead_s * 1000)
    system.provider.refusal = lambda fax: None
    await system.store.holds.release("provider")
    await system.work(40)
    assert (len(sent(system)), set(sent(system).values())) == (ROWS, {1})
    assert {record.state for record in await system.records()} == {State.ACCEPTED}
    assert lists.windows > 0
    assert lists.numbers >= 10


async def test_one_window_finds_all_of_a_moment(system: FaultySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = await unclear(system, monkeypatch, ahead_ms=0)
    accepted = [record for record in await system.records() if record.state is State.ACCEPTED]
    assert len(accepted) >= 10
    assert set(sent(system).values()) == {1}
    assert lists.windows < 10
    assert lists.numbers < 5, "only the probes of the held provider, each alone, are asked about by themselves"
