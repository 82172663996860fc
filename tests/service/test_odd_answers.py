"""Whatever the provider answers, a mailing is neither used up nor stopped for good: with the default policy, by the
real client, on a clock that jumps."""

import random
from collections.abc import AsyncIterator
from itertools import cycle

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import Recipient, State
from dispatcher.local.ledger import OurJob, compare
from dispatcher.service import permits
from dispatcher.store.batches import UploadChunk
from tests.service.wire import WireShift
from tests.sinch.odd import EVERY_ODD_ANSWER, HTML
from tests.sinch.wire_server import reply
from tests.store.fixture import number, open_world

pytestmark = pytest.mark.anyio

ROWS, HOUR_S = 40, 3600
RATE = 100.0


@pytest.fixture
async def shift(redis_url: str) -> AsyncIterator[WireShift]:
    async with open_world(redis_url) as world:
        await world.limiter.set_ceiling(RATE)
        shift = WireShift(world, redis_url)
        yield shift
        await shift.wire.client.aclose()
        await shift.store.aclose()


async def release_by_hand(shift: WireShift) -> list[str]:
    """What waits for a person. Holds that are probed end by themselves."""
    by_hand = [hold.scope for hold in await shift.store.holds.all() if not hold.probe_at_ms]
    for scope in by_hand:
        await shift.store.holds.release(scope)
    return sorted(by_hand)


async def assert_nobody_lost_or_doubled(shift: WireShift) -> None:
    records = await shift.records()
    jobs = [OurJob(id=f"a.{row}", number=number(row), state=one.state.label) for row, one in enumerate(records)]
    found = compare(jobs, shift.wire.ledger())
    assert (found.lost, found.doubled, found.wrong_state, found.strays) == ((), (), (), ())


async def assert_all_delivered_once(shift: WireShift) -> None:
    await assert_nobody_lost_or_doubled(shift)
    assert await shift.states() == {State.DELIVERED: ROWS}
    assert await shift.holds() == []


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
async def test_an_hour_of_it_uses_nobody_up(shift: WireShift, kind: str) -> None:
    """After the first sends one at a time is tried, or none. When the provider works again all are delivered, after a
    release where a person has to see to the cause."""
    answers, by_hand = HOURS[kind]
    given = cycle(answers)
    await shift.world.running("a", ROWS)
    shift.wire.odd = lambda method, path: next(given) if method == "POST" else None
    await shift.run(60)
    assert by_hand == [hold.scope for hold in await shift.store.holds.all() if not hold.probe_at_ms]
    assert any("no usable answer: " in hold.cause for hold in await shift.store.holds.all())
    await (shift.world.pass_ms(HOUR_S * 1000) if by_hand else shift.run(HOUR_S))
    await shift.run(10)
    assert set(await shift.states()) <= {State.WAITING, State.SENDING}
    assert shift.wire.sends <= ROWS + 20
    shift.wire.odd = lambda method, path: None
    await release_by_hand(shift)
    await shift.run(2 * HOUR_S)
    await assert_all_delivered_once(shift)


@pytest.mark.parametrize("said", ["1795000000", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT", "nan"])
async def test_one_retry_after_stops_the_account_for_an_hour_at_most(shift: WireShift, said: str) -> None:
    await shift.world.running("a", ROWS)
    answers = [reply(429, Retry_After=said)]
    shift.wire.odd = lambda method, path: answers.pop() if method == "POST" and answers else None
    await shift.run(HOUR_S + 60)
    await assert_all_delivered_once(shift)


async def test_an_operator_need_not_wait_for_it(shift: WireShift) -> None:
    await shift.world.running("a", ROWS)
    shift.wire.odd = lambda method, path: reply(429, Retry_After="3600") if method == "POST" else None
    await shift.run(60)
    sends = shift.wire.sends
    shift.wire.odd = lambda method, path: None
    await shift.run(60)
    assert shift.wire.sends == sends
    await shift.store.rate_limiter.unblock()
    await shift.run(60)
    await assert_all_delivered_once(shift)


@pytest.mark.parametrize("seed", range(2))
async def test_no_answer_breaks_anything_off(shift: WireShift, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any odd answer to any request, reads included. In the end no fax was lost or sent twice, and who failed was
    refused."""
    monkeypatch.setattr(permits, "LONGEST_WAIT_S", 0.1)  # the clock stands still while a read waits for its permit
    dice = random.Random(seed)
    answers = list(EVERY_ODD_ANSWER.values())
    shift.wire.odd = lambda method, path: dice.choice(answers) if dice.random() < 0.5 else None
    await shift.world.running("a", ROWS)
    for _ in range(12):
        await shift.run(20)
        await release_by_hand(shift)
        await shift.store.rate_limiter.unblock()
        await shift.world.pass_ms(20_000)
    assert shift.wire.reads > 5
    shift.wire.odd = lambda method, path: None
    await shift.run(4 * HOUR_S)
    await assert_nobody_lost_or_doubled(shift)
    assert set(await shift.states()) <= {State.DELIVERED, State.FAILED}


async def running_to(shift: WireShift, *countries: str) -> None:
    """A batch whose recipients take turns by country."""
    await shift.world.draft("a", [])
    to = zip(range(ROWS), cycle(countries), strict=False)
    rows = [Recipient(line=at + 1, number=number(at), region=country) for at, country in to]
    part = UploadChunk(upload="v", first_line=1, last_line=ROWS, recipients=rows)
    await shift.world.batches.add_chunk("a", part)
    await shift.world.batches.command("a", Command.START)


async def test_a_key_without_access_is_found_out_by_the_third_country(shift: WireShift) -> None:
    await running_to(shift, "US", "GB", "DE", "FR")
    shift.wire.odd = lambda method, path: reply(403) if method == "POST" else None
    await shift.run(60)
    holds = {hold.scope: hold.category for hold in await shift.store.holds.all()}
    assert holds["account"] == "config"
    assert {"country:US", "country:GB", "country:DE"} <= holds.keys()
    assert shift.wire.sends <= ROWS
    await shift.world.pass_ms(24 * HOUR_S * 1000)
    shift.wire.odd = lambda method, path: None
    await release_by_hand(shift)
    await shift.run(HOUR_S)
    await assert_all_delivered_once(shift)


async def test_a_barred_country_holds_only_itself(shift: WireShift) -> None:
    await running_to(shift, "US", "GB")
    barred = {number(at) for at in range(0, ROWS, 2)}
    shift.wire.odd_to = lambda to: reply(403) if to in barred else None
    await shift.run(600)
    assert await shift.holds() == ["country:US"]
    assert await shift.states() == {State.WAITING: ROWS // 2, State.DELIVERED: ROWS // 2}
    shift.wire.odd_to = lambda to: None
    await release_by_hand(shift)
    await shift.run(HOUR_S)
    await assert_all_delivered_once(shift)
