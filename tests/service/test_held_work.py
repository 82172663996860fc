"""Held work with the default policy and a clock that jumps: it fails nobody, costs nothing, and stops nobody else."""

from collections.abc import AsyncIterator

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.core.outcome import NotSent, Refused, SendOutcome, Unclear
from dispatcher.service.doctor import examine
from tests.service.default_policy_system import DefaultPolicySystem, open_default_policy_system
from tests.service.fake_provider import Call
from tests.service.system import RATE
from tests.store.fixture import number, upload_chunk

pytestmark = pytest.mark.anyio

#: rows of a country that the account may not send to, and those behind them
BARRED, OTHERS = 300, 60


@pytest.fixture
async def system(redis_url: str) -> AsyncIterator[DefaultPolicySystem]:
    async with open_default_policy_system(redis_url) as opened:
        yield opened


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
