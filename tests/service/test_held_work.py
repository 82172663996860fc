"""Held work with the default policy and a clock that jumps: it fails nobody, costs nothing, and stops nobody else."""

from collections.abc import AsyncIterator, Callable

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.holding import ACCOUNT, PROVIDER
from dispatcher.core.job import State
from dispatcher.core.outcome import FaxStatus, FaxUpdate, NotSent, Refused, SendOutcome, Unclear
from dispatcher.core.pacing import blocked_until_us
from dispatcher.service.account import view_account
from dispatcher.service.doctor import examine
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.store import keys
from tests.service.fake_provider import Call, Mailroom, store_in
from tests.service.system import RATE, FaultyProvider, InProcessSystem
from tests.store.fixture import StoreFixture, number, open_world, part

pytestmark = pytest.mark.anyio

MAX_IN_FLIGHT = 512
#: rows of a country that the account may not send to, and those behind them
BARRED, OTHERS = 300, 60
#: milliseconds: between two looks of the scheduler, of one call, and of a clock that nothing is due by
STEP_MS, CALL_MS, FAR_MS = 500, 2_000, 3_600_000


class Line(FaultyProvider):
    """A provider whose calls take two seconds and end as the test says."""

    def __init__(self, world: StoreFixture) -> None:
        super().__init__(world)
        #: how a call ends that fails; None delivers it
        self.failure: Callable[[Call], tuple[str, int] | None] = lambda call: None

    def end_calls(self, share: float) -> list[FaxUpdate]:
        over = [c for c in self.calls if c.status is FaxStatus.UNFINISHED and c.created_ms + CALL_MS <= self._world.ms]
        for call in over:
            error = self.failure(call)
            call.status = FaxStatus.FAILURE if error else FaxStatus.COMPLETED
            call.error, call.ended_ms = error or call.error, self._world.ms
        return [call.news for call in over]


class Shift(InProcessSystem):
    """An office with the default policy."""

    def __init__(self, world: StoreFixture, url: str) -> None:
        store = store_in(world, url)
        super().__init__(world, store, world.policy)
        self.provider = self.line = Line(world)
        self.room = Mailroom(store, world, self.line, "room", world.policy, MAX_IN_FLIGHT)

    async def run(self, seconds: float) -> None:
        """Work for so long; while there is nothing to do the clock jumps to the next time at which something is due."""
        end_ms = self.world.ms + round(seconds * 1000)
        while self.world.ms < end_ms:
            before = self.line.sends
            await self._call_back(self.line.end_calls(1.0))
            await self.room.work()
            await self.room.rest()
            next_ms = self.world.ms + STEP_MS
            if self.line.sends == before:
                next_ms = max(next_ms, await self._next_due_ms())
            await self.world.at(min(end_ms, next_ms) * 1000)
        assert self.room.failures == []

    async def _call_back(self, news: list[FaxUpdate]) -> None:
        events = [encode(one.job, one.attempt, CallbackEvent(event=FAX_COMPLETED, news=one)) for one in news]
        if events:
            await self.store.inbox.add(events)

    async def _next_due_ms(self) -> int:
        now_ms, client = self.world.ms, self.world.client
        holds = await self.store.holds.all()
        paused_until_ms = blocked_until_us(await self.store.rate_limiter.state(), now_ms * 1000) // 1000
        stopped = any(hold.scope in (ACCOUNT, PROVIDER) and hold.probe_at_ms > now_ms for hold in holds)
        if not stopped and paused_until_ms <= now_ms and await client.zcount(keys.TIMERS, "-inf", now_ms):
            return now_ms
        times = [call.created_ms + CALL_MS for call in self.line.calls if call.status is FaxStatus.UNFINISHED]
        times += [hold.probe_at_ms for hold in holds] + [paused_until_ms]
        for key in (keys.TIMERS, keys.DEADLINES, *keys.WATCH.values()):
            times += [int(at) for _, at in await client.zrangebyscore(key, f"({now_ms}", "+inf", 0, 1, withscores=True)]
        return min((at for at in times if at > now_ms), default=now_ms + FAR_MS)

    async def states(self, batch: str = "a") -> dict[State, int]:
        states = [one.state for one in await self.records(batch)]
        return {state: states.count(state) for state in {*states}}

    async def holds(self) -> list[str]:
        return [hold.scope for hold in (await view_account(self.store)).holds]


@pytest.fixture
async def shift(redis_url: str) -> AsyncIterator[Shift]:
    async with open_world(redis_url) as world:
        await world.limiter.set_ceiling(20.0)
        shift = Shift(world, redis_url)
        yield shift
        await shift.store.aclose()


NO_FUNDS = ("FAX_ERROR", 46)


@pytest.mark.parametrize("status", [200, 402], ids=["faxes that fail", "refusals"])
async def test_an_empty_account_is_asked_with_one_fax_each_quarter_of_an_hour(shift: Shift, status: int) -> None:
    """The 200 of a probe says nothing of funds; its fax does, when it has ended. Then all the others go."""
    await shift.world.running("a", 50)
    if status == 200:
        shift.line.failure = lambda call: NO_FUNDS
    else:
        shift.line.refusal = lambda fax: Refused(status=status)
    await shift.run(60)
    sent = shift.line.sends
    assert await shift.holds() == ["account"]
    assert sent < 45, "what is sent within one call's time"
    await shift.run(3600)
    assert shift.line.sends == sent + 4
    shift.line.failure, shift.line.refusal = lambda call: None, lambda fax: None
    await shift.run(900 + 30)
    assert await shift.holds() == []
    await shift.run(120)
    assert await shift.states() == {State.DELIVERED: 50}


async def test_a_probe_whose_call_fails_for_another_cause_shows_that_there_are_funds(shift: Shift) -> None:
    await shift.world.running("a", 10)
    shift.line.failure = lambda call: NO_FUNDS
    await shift.run(30)
    shift.line.failure = lambda call: ("CALL_ERROR", 17)
    await shift.run(900)
    assert await shift.holds() == []


async def test_nothing_that_has_ended_is_held(shift: Shift) -> None:
    """Batches that were cancelled or expired under a hold, and one that was held when its last job ended."""
    for name, deadline_s in (("a", 0), ("b", 600), ("c", 0)):
        deadline_ms = shift.world.ms + deadline_s * 1000 if deadline_s else 0
        await shift.world.running(name, 10, deadline_ms=deadline_ms)
    shift.line.refusal = lambda fax: Refused(status=404)
    await shift.run(20)
    assert sorted(await shift.holds()) == ["batch:a", "batch:b", "batch:c"]
    await shift.world.batches.command("a", Command.CANCEL)
    await shift.run(600)
    assert await shift.holds() == ["batch:c"]
    findings = {one.check: one for one in await examine(shift.store, fix=False, progress=lambda *_: None)}
    assert findings["holds"].ok


CONVERTER = ("DOCUMENT_CONVERSION_ERROR", 4)


@pytest.mark.parametrize("apart", [40, 1], ids=["with deliveries between", "in a row"])
async def test_two_stumbles_of_the_converter_hold_a_document_only_in_a_row(shift: Shift, apart: int) -> None:
    """Among faxes that are delivered they say nothing of the document; of one job twice they do."""
    sha256 = (await shift.store.documents.put(b"%", "letter.pdf", 1)).sha256
    await shift.world.running("a", 60, documents=(sha256,))
    stumbling = {f"a.{row}": 0 for row in (3, 3 + apart)}

    def failure(call: Call) -> tuple[str, int] | None:
        stumbling[call.job] = stumbling.get(call.job, 9) + 1
        return CONVERTER if stumbling[call.job] == 1 or apart == 1 else None

    shift.line.failure = failure
    await shift.run(300)
    assert await shift.holds() == [f"document:{sha256}"] * (apart == 1)
    assert apart == 1 or await shift.states() == {State.DELIVERED: 60}


async def test_rows_of_a_barred_country_cost_the_others_nothing_and_go_when_it_is_released(shift: Shift) -> None:
    """They stand first. Those behind them begin at once, at the full rate."""
    numbers = [number(at) for at in range(BARRED + OTHERS)]
    await shift.world.draft("a", [])
    for first in range(0, BARRED, 1000):
        rows = numbers[first : min(first + 1000, BARRED)]
        more = part(rows, upload=f"u{first}", regions=["US"] * len(rows))
        await shift.world.batches.add_chunk("a", more)
    others = part(numbers[BARRED:], upload="others", regions=["GB"] * OTHERS)
    await shift.world.batches.add_chunk("a", others)
    await shift.world.batches.command("a", Command.START)
    barred = {*numbers[:BARRED]}
    shift.line.refusal = lambda fax: Refused(status=403) if fax.to in barred else None
    await shift.run(2)
    assert await shift.holds() == ["country:US"]
    assert any(call.to not in barred for call in shift.line.calls), "within two seconds"
    await shift.run(OTHERS / 20 + 3)
    assert len(shift.line.calls) == OTHERS
    refused = shift.line.sends - OTHERS
    assert refused < 20, "what had a slot when the hold came"
    await shift.run(6 * 3600)
    assert (shift.line.sends, await shift.holds()) == (OTHERS + refused, ["country:US"])
    shift.line.refusal = lambda fax: None
    await shift.world.limiter.set_ceiling(200.0)
    await shift.store.holds.release("country:US")
    await shift.run(60)
    assert len(shift.line.calls) == BARRED + OTHERS
    blocks = range(-(-BARRED // 1000) + 2)
    states = [one.state for block in blocks for one in await shift.store.batches.records("a", block)]
    assert states == [State.DELIVERED] * (BARRED + OTHERS)


@pytest.mark.parametrize(
    ("jobs", "hours", "outcome"),
    [
        (1, 4, Unclear(reason="down", status=503)),
        (3, 1, Unclear(reason="no answer")),
        (9, 1, NotSent(reason="no connection")),
        (40, 1, Unclear(reason="down", status=500)),
    ],
    ids=["one", "three", "nine", "forty"],
)
async def test_a_provider_that_is_away_for_hours_fails_nobody(
    shift: Shift, jobs: int, hours: float, outcome: SendOutcome
) -> None:
    """However small the mailing is: the provider is held, asked with one fax at a time, and then all are delivered."""
    await shift.world.limiter.set_ceiling(RATE)
    await shift.world.running("a", jobs)
    shift.line.refusal = lambda fax: outcome
    await shift.run(1800)
    assert await shift.holds() == ["provider"]
    sent = shift.line.sends
    assert sent <= 2 * jobs + 10
    await shift.run(hours * 3600)
    assert hours * 10 <= shift.line.sends - sent <= hours * 12 + 1, "one each five minutes"
    assert {*await shift.states()} <= {State.WAITING, State.SENDING}
    shift.line.refusal = lambda fax: None
    await shift.run(1800)
    assert await shift.states() == {State.DELIVERED: jobs}
    assert await shift.holds() == []
