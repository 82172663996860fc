"""``pacing.lua`` against ``core/reference/pacing.py`` over random histories, clocks that are set included."""

import math
import random

import pytest

from dispatcher.core.limits.allowance import Period
from dispatcher.core.limits.rate import RateState, blocked_until_us, bounded_wait
from dispatcher.core.reference.pacing import Adaptation, reserve_read, slow_down, unblock, with_ceiling
from dispatcher.core.retry.waits import capped_retry_after_s
from dispatcher.store.rate_limiter import _READ_HORIZON_US
from tests.store.fixture import RATE, StoreFixture

pytestmark = pytest.mark.anyio

ADAPT = Adaptation(cut=0.5, regain_us=10_000_000, probe_gap_us=1_000_000)
#: what a provider may say
WAITS_S = (0.0, 0.3, 2.0, 600.0, 3600.0, 86_400.0, 1_795_000_000.0, 1e300, -7.0, math.inf)
#: how time passes, and how far the clock is set
PASSES_MS = (0, 1, 50, 300, 2_000, 30_000, 3_700_000)
STEPS_S = (-1, -3, -60, -3_599, -86_400, -40_000_000, 60, 86_400)


class History:
    """The pace of the store and that of the core, side by side."""

    def __init__(self, db: StoreFixture, seed: int) -> None:
        self.db, self.dice = db, random.Random(seed)
        self.pace = RateState(ceiling=RATE, rate=RATE)

    async def take(self) -> None:
        permit = await self.db.limiter.take_permit()
        self.pace, slot = reserve_read(self.pace, self.db.us, _READ_HORIZON_US, ADAPT, self.db.policy.read_share)
        assert permit.granted is (slot is not None)
        if slot is not None:
            assert permit.wait_s == max(0, slot - self.db.us) / 1_000_000

    async def refuse(self) -> None:
        epoch, wait_s = max(0, self.pace.epoch - self.dice.choice((0, 0, 1))), self.dice.choice(WAITS_S)
        until_s = await self.db.limiter.slow_down(epoch, wait_s, 0.5)
        named_s = capped_retry_after_s(wait_s) or 0.0
        self.pace = slow_down(self.pace, epoch, self.db.us, int(named_s * 1_000_000), ADAPT)
        assert until_s == self.pace.blocked_until_us / 1_000_000
        assert until_s <= self.db.us / 1_000_000 + 3600

    async def unblock(self) -> None:
        was = blocked_until_us(self.pace, self.db.us) > self.db.us
        assert await self.db.limiter.unblock() is was
        self.pace = unblock(self.pace, self.db.us)

    async def set_limits(self) -> None:
        rate = self.dice.choice((0.1, 7.3, 100.0, 400.0))
        await self.db.limiter.set_by_operator({Period.SECOND: rate})
        self.pace = with_ceiling(unblock(self.pace, self.db.us), rate)

    async def claim(self) -> None:
        await self.db.claim()
        self.pace = bounded_wait(self.pace, self.db.us)

    async def pass_time(self) -> None:
        await self.db.pass_ms(self.dice.choice(PASSES_MS))

    async def step(self) -> None:
        await self.db.step_s(self.dice.choice(STEPS_S))

    async def live(self, steps: int) -> None:
        verbs = (self.take, self.refuse, self.unblock, self.set_limits, self.claim, self.pass_time, self.step)
        done = []
        for verb in self.dice.choices(verbs, (8, 3, 1, 1, 2, 6, 2), k=steps):
            done.append(verb.__name__)
            await verb()
            assert await self.db.limiter.state() == self.pace, done


@pytest.mark.parametrize("seed", range(4))
async def test_the_script_and_the_core_agree_whatever_the_clock_does(db: StoreFixture, seed: int) -> None:
    await History(db, seed).live(200)


@pytest.mark.parametrize("by", ["unblock", "a limit", "the settings again"])
async def test_an_operator_ends_the_wait_and_a_process_that_starts_does_not(db: StoreFixture, by: str) -> None:
    """Seconds later sends go on."""
    await db.running("a", 3)
    await db.limiter.slow_down(0, 1e300, 0.0)
    assert await db.claim() is None
    await db.limiter.set_ceiling(RATE)
    assert await db.claim() is None
    match by:
        case "unblock":
            assert await db.limiter.unblock()
            assert not await db.limiter.unblock()
        case "a limit":
            await db.limiter.set_by_operator({Period.SECOND: 50.0})
        case _:
            await db.limiter.back_to_settings()
    await db.pass_ms(5_000)
    assert [begun.word for begun in (await db.begin(await db.leased(max_jobs=1))).jobs] == ["go"]


@pytest.mark.parametrize("back_s", [3, 1_800, 3_600, 86_400])
async def test_a_clock_set_back_keeps_no_account_blocked(db: StoreFixture, back_s: int) -> None:
    """Not with a 429 of two seconds."""
    await db.running("a", 3)
    await db.leased(max_jobs=1)
    await db.limiter.slow_down(0, 2.0, 0.0)
    await db.step_s(-back_s)
    assert await db.claim() is None
    await db.pass_ms(2_000)
    assert await db.claim() is not None


@pytest.mark.parametrize("back_s", [-1_800, -86_400])
async def test_a_clock_set_back_puts_off_no_probe(db: StoreFixture, back_s: int) -> None:
    await db.running("a", 3)
    await db.leased(max_jobs=1)
    await db.holds.open("account", "funds", "why", probes_s=(900,))
    await db.pass_ms(1_000)
    assert await db.claim() is None
    await db.step_s(back_s)
    lease = await db.leased()
    assert [*lease.probes] == ["account"]
    assert await db.claim() is None, "one at a time all the same"


@pytest.mark.parametrize("back_s", [60, 3_600])
async def test_a_clock_set_back_behind_the_last_slot_puts_off_no_lease_for_long(db: StoreFixture, back_s: int) -> None:
    await db.running("a", 3)
    await db.begin(await db.leased(max_jobs=1))
    await db.step_s(-back_s)
    assert await db.claim() is None, "slots may have been granted ahead"
    await db.pass_ms(5_000)
    assert await db.claim() is not None
