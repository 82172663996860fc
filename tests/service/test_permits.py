"""Permits for reads: one task asks for all reads, the kinds take turns, and no permit is taken without a connection."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from dispatcher.service.permits import MAX_WAIT_S, NoPermit, ReadKind, ReadPermits
from dispatcher.store.errors import StoreUnavailable
from dispatcher.store.rate_limiter import Permit

pytestmark = pytest.mark.anyio

GRANTED = Permit(granted=True, wait_s=0.0, epoch=7)
FAR_AWAY = Permit(granted=False, wait_s=3600.0, epoch=7)


class FakeRateLimiter:
    """Grants a number of permits, then answers ``then``. Allows only one request at a time."""

    def __init__(self, permits: int, then: Permit | Exception = FAR_AWAY) -> None:
        self.left = permits
        self.then = then
        self.asked = 0
        self.asking = 0

    async def take_permit(self) -> Permit:
        assert not self.asking, "only one asks at a time"
        self.asking += 1
        self.asked += 1
        await asyncio.sleep(0)
        self.asking -= 1
        if self.left:
            self.left -= 1
            return GRANTED
        if isinstance(self.then, Exception):
            raise self.then
        return self.then


def permits(limiter: FakeRateLimiter, at_once: int = 100) -> ReadPermits:
    return ReadPermits(limiter, at_once=at_once)  # type: ignore[arg-type]  # the part of RateLimiter that is asked for


async def read(permits: ReadPermits, kind: ReadKind, log: list[str]) -> None:
    try:
        async with permits.read(kind) as epoch:
            log.append(f"{kind}")
            assert epoch == 7
    except NoPermit:
        log.append("none")
    except StoreUnavailable:
        log.append("away")


async def test_one_asks_for_all_who_wait_and_those_without_a_permit_are_told_at_once() -> None:
    limiter, log = FakeRateLimiter(20), list[str]()
    waiting = permits(limiter)
    await asyncio.gather(*(read(waiting, ReadKind.FAX, log) for _ in range(1000)))
    assert (log.count("fax"), log.count("none"), limiter.asked) == (20, 980, 21)


async def test_kinds_of_reads_take_turns() -> None:
    """Thousands of faxes to read do not block the lists."""
    limiter, log = FakeRateLimiter(9), list[str]()
    waiting = permits(limiter, at_once=1)
    faxes = [read(waiting, ReadKind.FAX, log) for _ in range(50)]
    others = [read(waiting, kind, log) for kind in (ReadKind.WINDOW, ReadKind.NUMBER) for _ in range(3)]
    await asyncio.gather(*faxes, *others)
    assert [log.count(kind) for kind in ReadKind] == [3, 3, 3]
    assert all(set(log[first : first + 3]) == set(ReadKind) for first in (0, 3, 6))


async def test_no_permit_is_taken_while_there_is_no_connection_for_it() -> None:
    limiter = FakeRateLimiter(100)
    waiting = permits(limiter, at_once=2)
    async with AsyncExitStack() as reading:
        await reading.enter_async_context(waiting.read(ReadKind.FAX))
        await reading.enter_async_context(waiting.read(ReadKind.FAX))
        third = asyncio.create_task(waiting.read(ReadKind.FAX).__aenter__())
        for _ in range(20):
            await asyncio.sleep(0)
        assert (limiter.asked, third.done()) == (2, False)
    assert await third == 7
    assert limiter.asked == 3


async def test_a_read_that_is_given_up_leaves_its_turn_and_its_connection_to_others() -> None:
    limiter, log = FakeRateLimiter(2), list[str]()
    waiting = permits(limiter, at_once=1)
    for stage in range(3):
        given_up = asyncio.create_task(read(waiting, ReadKind.NUMBER, log))
        for _ in range(stage):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    limiter.left = 1
    await read(waiting, ReadKind.FAX, log)
    assert log[-1] == "fax"


async def test_a_store_that_is_away_is_told_to_all_who_wait_and_asked_again_by_the_next() -> None:
    limiter, log = FakeRateLimiter(1, StoreUnavailable("away")), list[str]()
    waiting = permits(limiter)
    await asyncio.gather(*(read(waiting, ReadKind.FAX, log) for _ in range(3)))
    assert log == ["away", "away", "fax"] or log == ["fax", "away", "away"]
    limiter.left = 1
    await read(waiting, ReadKind.FAX, log)
    assert log[-1] == "fax"


async def test_nobody_waits_longer_than_he_would_anyway() -> None:
    limiter, log = FakeRateLimiter(0, Permit(granted=False, wait_s=MAX_WAIT_S + 1, epoch=7)), list[str]()
    await read(permits(limiter), ReadKind.WINDOW, log)
    assert log == ["none"]


async def test_a_process_that_stops_waits_for_no_permit() -> None:
    """Work that waits for one would keep its process from stopping for half a minute."""
    soon = Permit(granted=False, wait_s=20.0, epoch=7)
    waiting, log = permits(FakeRateLimiter(0, soon)), list[str]()
    reads = [asyncio.create_task(read(waiting, kind, log)) for kind in ReadKind]
    await asyncio.sleep(0.01)
    assert log == []
    waiting.close()
    await asyncio.wait_for(asyncio.gather(*reads), 1)
    await read(waiting, ReadKind.FAX, log)
    assert log == ["none"] * 4
