"""Whatever the provider answers, a mailing is neither used up nor stopped for good: with the default policy, by the
real client, on a clock that jumps."""

import random
from collections.abc import AsyncIterator
from itertools import cycle

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import Recipient, State
from dispatcher.core.names import UploadName
from dispatcher.local.ledger import OurJob, compare
from dispatcher.service import permits
from dispatcher.store.batches import UploadChunk
from tests.service.wire import WireSystem
from tests.sinch.odd_responses import EVERY_ODD_RESPONSE, HTML
from tests.sinch.wire_server import reply
from tests.store.fixture import number, open_store

pytestmark = pytest.mark.anyio

ROWS, HOUR_S = 40, 3600
RATE = 100.0


@pytest.fixture
async def system(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WireSystem]:
    monkeypatch.setattr(permits, "MAX_WAIT_S", 0.02)  # the clock stands still while a read waits for its permit
    async with open_store(redis_url) as db:
        await db.limiter.set_ceiling(RATE)
        system = WireSystem(db, redis_url)
        yield system
        await system.wire.client.aclose()
        await system.store.aclose()


async def release_by_hand(system: WireSystem) -> list[str]:
    """What waits for a person. Holds that are probed end by themselves."""
    by_hand = [hold.scope for hold in await system.store.holds.all() if not hold.probe_at_ms]
    for scope in by_hand:
        await system.store.holds.release(scope)
    return sorted(by_hand)


async def assert_nobody_lost_or_doubled(system: WireSystem) -> None:
    records = await system.records()
    jobs = [OurJob(id=f"a.{row}", number=number(row), state=record.state.label) for row, record in enumerate(records)]
    comparison = compare(jobs, system.wire.ledger())
    assert (comparison.lost, comparison.doubled, comparison.wrong_state, comparison.strays) == ((), (), (), ())


async def assert_all_delivered_once(system: WireSystem) -> None:
    await assert_nobody_lost_or_doubled(system)
    assert await system.states() == {State.DELIVERED: ROWS}
    assert await system.holds() == []


#: the answers to all POSTs of an hour, and what waits for a person then
HOURS = {
    "no usable answer": (
        [
            reply(302, Location="https://login.example.org/"),
            reply(303),
            reply(200, HTML, Content_Type="text/html"),
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
        ],
        [],
    ),
    "statuses that nobody knows": ([reply(405, HTML), reply(410), reply(423)], ["batch:a"]),
    "a moved address": ([reply(301, Location="https://fax.example.org/"), reply(307), reply(308)], ["account"]),
}


@pytest.mark.parametrize("kind", HOURS)
async def test_an_hour_of_it_uses_nobody_up(system: WireSystem, kind: str) -> None:
    """After the first sends one at a time is tried, or none. When the provider works again all are delivered, after a
    release where a person has to see to the cause."""
    answers, by_hand = HOURS[kind]
    responses = cycle(answers)
    await system.db.running("a", ROWS)
    system.wire.odd = lambda method, path: next(responses) if method == "POST" else None
    await system.run(60)
    assert by_hand == [hold.scope for hold in await system.store.holds.all() if not hold.probe_at_ms]
    assert any("no usable answer: " in hold.cause for hold in await system.store.holds.all())
    await (system.db.pass_ms(HOUR_S * 1000) if by_hand else system.run(HOUR_S))
    await system.run(10)
    assert set(await system.states()) <= {State.WAITING, State.SENDING}
    assert system.wire.sends <= ROWS + 20
    system.wire.odd = lambda method, path: None
    await release_by_hand(system)
    await system.run(2 * HOUR_S)
    await assert_all_delivered_once(system)


@pytest.mark.parametrize("said", ["1795000000", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT", "nan"])
async def test_one_retry_after_stops_the_account_for_an_hour_at_most(system: WireSystem, said: str) -> None:
    await system.db.running("a", ROWS)
    answers = [reply(429, Retry_After=said)]
    system.wire.odd = lambda method, path: answers.pop() if method == "POST" and answers else None
    await system.run(HOUR_S + 60)
    await assert_all_delivered_once(system)


async def test_an_operator_need_not_wait_for_it(system: WireSystem) -> None:
    await system.db.running("a", ROWS)
    system.wire.odd = lambda method, path: reply(429, Retry_After="3600") if method == "POST" else None
    await system.run(60)
    sends = system.wire.sends
    system.wire.odd = lambda method, path: None
    await system.run(60)
    assert system.wire.sends == sends
    await system.store.rate_limiter.unblock()
    await system.run(60)
    await assert_all_delivered_once(system)


@pytest.mark.parametrize("seed", range(2))
async def test_no_answer_breaks_anything_off(system: WireSystem, seed: int) -> None:
    """Any odd answer to any request, reads included. In the end no fax was lost or sent twice, and who failed was
    refused."""
    dice = random.Random(seed)
    answers = list(EVERY_ODD_RESPONSE.values())
    system.wire.odd = lambda method, path: dice.choice(answers) if dice.random() < 0.5 else None
    await system.db.running("a", ROWS)
    for _ in range(12):
        await system.run(20)
        await release_by_hand(system)
        await system.store.rate_limiter.unblock()
        await system.db.pass_ms(20_000)
    assert system.wire.reads > 5
    system.wire.odd = lambda method, path: None
    await system.run(4 * HOUR_S)
    await assert_nobody_lost_or_doubled(system)
    assert set(await system.states()) <= {State.DELIVERED, State.FAILED}


async def running_to(system: WireSystem, *countries: str) -> None:
    """A batch whose recipients take turns by country."""
    await system.db.draft("a", [])
    to = zip(range(ROWS), cycle(countries), strict=False)
    rows = [Recipient(line=index + 1, number=number(index), region=country) for index, country in to]
    part = UploadChunk(upload=UploadName.of_key("v"), first_line=1, last_line=ROWS, recipients=rows)
    await system.db.batches.add_chunk("a", part)
    await system.db.batches.command("a", Command.START)


async def test_a_key_without_access_is_found_out_by_the_third_country(system: WireSystem) -> None:
    await running_to(system, "US", "GB", "DE", "FR")
    system.wire.odd = lambda method, path: reply(403) if method == "POST" else None
    await system.run(60)
    holds = {hold.scope: hold.category for hold in await system.store.holds.all()}
    assert holds["account"] == "config"
    assert {"country:US", "country:GB", "country:DE"} <= holds.keys()
    assert system.wire.sends <= ROWS
    await system.db.pass_ms(24 * HOUR_S * 1000)
    system.wire.odd = lambda method, path: None
    await release_by_hand(system)
    await system.run(HOUR_S)
    await assert_all_delivered_once(system)


async def test_a_barred_country_holds_only_itself(system: WireSystem) -> None:
    await running_to(system, "US", "GB")
    barred = {number(index) for index in range(0, ROWS, 2)}
    system.wire.odd_to = lambda to: reply(403) if to in barred else None
    await system.run(600)
    assert await system.holds() == ["country:US"]
    assert await system.states() == {State.WAITING: ROWS // 2, State.DELIVERED: ROWS // 2}
    system.wire.odd_to = lambda to: None
    await release_by_hand(system)
    await system.run(HOUR_S)
    await assert_all_delivered_once(system)
