"""Held work with the default policy and a clock that jumps: it fails nobody, costs nothing, and stops nobody else."""

from collections.abc import AsyncIterator, Callable

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.core.limits.holds import ACCOUNT, PROVIDER
from dispatcher.core.limits.rate import blocked_until_us
from dispatcher.core.outcome import FaxStatus, FaxUpdate, NotSent, Refused, SendOutcome, Unclear
from dispatcher.service.account import view_account
from dispatcher.service.doctor import examine
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from tests.service.fake_provider import Call, FaultyProvider
from tests.service.system import RATE, InProcessSystem, store_in
from tests.store.fixture import KEYS, StoreFixture, number, open_store, upload_chunk

pytestmark = pytest.mark.anyio

MAX_IN_FLIGHT = 512
#: rows of a country that the account may not send to, and those behind them
BARRED, OTHERS = 300, 60
#: milliseconds: between two looks of the scheduler, of one call, and of a clock that nothing is due by
STEP_MS, CALL_MS, FAR_MS = 500, 2_000, 3_600_000


class Line(FaultyProvider):
    """A provider whose calls take two seconds and end as the test says."""

    def __init__(self, db: StoreFixture) -> None:
        super().__init__(db)
        #: how a call ends that fails; None delivers it
        self.failure: Callable[[Call], tuple[str, int] | None] = lambda call: None

    def end_calls(self, share: float) -> list[FaxUpdate]:
        over = [c for c in self.calls if c.status is FaxStatus.UNFINISHED and c.created_ms + CALL_MS <= self._world.ms]
        for call in over:
            error = self.failure(call)
            call.status = FaxStatus.FAILURE if error else FaxStatus.COMPLETED
            call.error, call.ended_ms = error or call.error, self._world.ms
        return [call.fax_update for call in over]


class DefaultPolicySystem(InProcessSystem[Line]):
    """A system with the default policy, whose clock jumps over times without work."""

    def __init__(self, db: StoreFixture, url: str, line: Line | None = None) -> None:
        self.line = line or Line(db)
        super().__init__(store_in(db, url), db, self.line, "system", db.policy, MAX_IN_FLIGHT)

    async def run(self, seconds: float) -> None:
        """Work for so long; while there is nothing to do the clock jumps to the next time at which something is due."""
        end_ms = self.db.ms + round(seconds * 1000)
        while self.db.ms < end_ms:
            before = self.line.sends
            await self._call_back(self.line.end_calls(1.0))
            await self.begin_due()
            await self.finish()
            next_ms = self.db.ms + STEP_MS
            if self.line.sends == before:
                next_ms = max(next_ms, await self._next_due_ms())
            await self.db.set_clock(min(end_ms, next_ms) * 1000)
        assert self.failures == []

    async def _call_back(self, fax_update: list[FaxUpdate]) -> None:
        events = [
            encode(update.job, update.attempt, CallbackEvent(event=FAX_COMPLETED, update=update))
            for update in fax_update
        ]
        if events:
            await self.store.inbox.add(events)

    async def _next_due_ms(self) -> int:
        now_ms, client = self.db.ms, self.db.client
        holds = await self.store.holds.all()
        paused_until_ms = blocked_until_us(await self.store.rate_limiter.state(), now_ms * 1000) // 1000
        stopped = any(hold.scope in (ACCOUNT, PROVIDER) and hold.probe_at_ms > now_ms for hold in holds)
        if not stopped and paused_until_ms <= now_ms and await client.zcount(KEYS.timers, "-inf", now_ms):
            return now_ms
        times = [call.created_ms + CALL_MS for call in self.line.calls if call.status is FaxStatus.UNFINISHED]
        times += [hold.probe_at_ms for hold in holds] + [paused_until_ms]
        for key in (KEYS.timers, KEYS.deadlines, *KEYS.watch.values()):
            times += [
                int(due_ms)
                for _, due_ms in await client.zrangebyscore(key, f"({now_ms}", "+inf", 0, 1, withscores=True)
            ]
        return min((due_ms for due_ms in times if due_ms > now_ms), default=now_ms + FAR_MS)

    async def states(self, batch: str = "a") -> dict[State, int]:
        states = [record.state for record in await self.records(batch)]
        return {state: states.count(state) for state in {*states}}

    async def holds(self) -> list[str]:
        return [hold.scope for hold in (await view_account(self.store)).holds]


@pytest.fixture
async def system(redis_url: str) -> AsyncIterator[DefaultPolicySystem]:
    async with open_store(redis_url) as db:
        await db.limiter.set_ceiling(20.0)
        system = DefaultPolicySystem(db, redis_url)
        yield system
        await system.store.aclose()


NO_FUNDS = ("FAX_ERROR", 46)


@pytest.mark.parametrize("status", [200, 402], ids=["faxes that fail", "refusals"])
async def test_an_empty_account_is_asked_with_one_fax_each_quarter_of_an_hour(
    system: DefaultPolicySystem, status: int
) -> None:
    """The 200 of a probe says nothing of funds; its fax does, when it has ended. Then all the others go."""
    await system.db.running("a", 50)
    if status == 200:
        system.line.failure = lambda call: NO_FUNDS
    else:
        system.line.refusal = lambda fax: Refused(status=status)
    await system.run(60)
    sent = system.line.sends
    assert await system.holds() == ["account"]
    assert sent < 45, "what is sent within one call's time"
    await system.run(3600)
    assert system.line.sends == sent + 4
    system.line.failure, system.line.refusal = lambda call: None, lambda fax: None
    await system.run(900 + 30)
    assert await system.holds() == []
    await system.run(120)
    assert await system.states() == {State.DELIVERED: 50}


async def test_a_probe_whose_call_fails_for_another_cause_shows_that_there_are_funds(
    system: DefaultPolicySystem,
) -> None:
    await system.db.running("a", 10)
    system.line.failure = lambda call: NO_FUNDS
    await system.run(30)
    system.line.failure = lambda call: ("CALL_ERROR", 17)
    await system.run(900)
    assert await system.holds() == []


async def test_nothing_that_has_ended_is_held(system: DefaultPolicySystem) -> None:
    """Batches that were cancelled or expired under a hold, and one that was held when its last job ended."""
    for name, deadline_s in (("a", 0), ("b", 600), ("c", 0)):
        deadline_ms = system.db.ms + deadline_s * 1000 if deadline_s else 0
        await system.db.running(name, 10, deadline_ms=deadline_ms)
    system.line.refusal = lambda fax: Refused(status=404)
    await system.run(20)
    assert sorted(await system.holds()) == ["batch:a", "batch:b", "batch:c"]
    await system.db.batches.command("a", Command.CANCEL)
    await system.run(600)
    assert await system.holds() == ["batch:c"]
    findings = {finding.check: finding for finding in await examine(system.store, fix=False, progress=lambda *_: None)}
    assert findings["holds"].ok


CONVERTER = ("DOCUMENT_CONVERSION_ERROR", 4)


@pytest.mark.parametrize("apart", [40, 1], ids=["with deliveries between", "in a row"])
async def test_two_stumbles_of_the_converter_hold_a_document_only_in_a_row(
    system: DefaultPolicySystem, apart: int
) -> None:
    """Among faxes that are delivered they say nothing of the document; of one job twice they do."""
    sha256 = (await system.store.documents.put(b"%", "letter.pdf", 1)).sha256
    await system.db.running("a", 60, documents=(sha256,))
    stumbling = {f"a.{row}": 0 for row in (3, 3 + apart)}

    def failure(call: Call) -> tuple[str, int] | None:
        stumbling[call.job] = stumbling.get(call.job, 9) + 1
        return CONVERTER if stumbling[call.job] == 1 or apart == 1 else None

    system.line.failure = failure
    await system.run(300)
    assert await system.holds() == [f"document:{sha256}"] * (apart == 1)
    assert apart == 1 or await system.states() == {State.DELIVERED: 60}


async def test_rows_of_a_barred_country_cost_the_others_nothing_and_go_when_it_is_released(
    system: DefaultPolicySystem,
) -> None:
    """They stand first. Those behind them begin at once, at the full rate."""
    numbers = [number(index) for index in range(BARRED + OTHERS)]
    await system.db.draft("a", [])
    for first in range(0, BARRED, 1000):
        rows = numbers[first : min(first + 1000, BARRED)]
        more = upload_chunk(rows, upload=f"u{first}", regions=["US"] * len(rows))
        await system.db.batches.add_chunk("a", more)
    others = upload_chunk(numbers[BARRED:], upload="others", regions=["GB"] * OTHERS)
    await system.db.batches.add_chunk("a", others)
    await system.db.batches.command("a", Command.START)
    barred = {*numbers[:BARRED]}
    system.line.refusal = lambda order: Refused(status=403) if order.to[0] in barred else None
    await system.run(2)
    assert await system.holds() == ["country:US"]
    assert any(call.to not in barred for call in system.line.calls), "within two seconds"
    await system.run(OTHERS / 20 + 3)
    assert len(system.line.calls) == OTHERS
    refused = system.line.sends - OTHERS
    assert refused < 20, "what had a slot when the hold came"
    await system.run(6 * 3600)
    assert (system.line.sends, await system.holds()) == (OTHERS + refused, ["country:US"])
    system.line.refusal = lambda fax: None
    await system.db.limiter.set_ceiling(200.0)
    await system.store.holds.release("country:US")
    await system.run(60)
    assert len(system.line.calls) == BARRED + OTHERS
    blocks = range(-(-BARRED // 1000) + 2)
    states = [record.state for block in blocks for record in await system.store.batches.records("a", block)]
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
    system: DefaultPolicySystem, jobs: int, hours: float, outcome: SendOutcome
) -> None:
    """However small the mailing is: the provider is held, asked with one fax at a time, and then all are delivered."""
    await system.db.limiter.set_ceiling(RATE)
    await system.db.running("a", jobs)
    system.line.refusal = lambda fax: outcome
    await system.run(1800)
    assert await system.holds() == ["provider"]
    sent = system.line.sends
    assert sent <= 2 * jobs + 10
    await system.run(hours * 3600)
    assert hours * 10 <= system.line.sends - sent <= hours * 12 + 1, "one each five minutes"
    assert {*await system.states()} <= {State.WAITING, State.SENDING}
    system.line.refusal = lambda fax: None
    await system.run(1800)
    assert await system.states() == {State.DELIVERED: jobs}
    assert await system.holds() == []
