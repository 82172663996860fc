"""The account's rate limiter, which all processes share through Redis."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

from dispatcher.core.limits.allowance import Allowance, Period
from dispatcher.core.limits.rate import RateState
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.waits import capped_retry_after_s
from dispatcher.store.client import Client
from dispatcher.store.decoding import finite, readable, whole
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts

#: how far in the future permits for reads may be; further than for sends, so that reads get a share beside them
_READ_HORIZON_US = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A permit for one read at the provider, or the time after which to ask again."""

    granted: bool
    #: seconds until the permit is valid, or until it makes sense to ask again
    wait_s: float
    epoch: int


class RateLimiter:
    def __init__(self, client: Client, scripts: Scripts, policy: Policy) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._policy = policy

    async def set_ceiling(self, rate_per_second: float, *, per_minute: int = 0, per_day: int = 0) -> float:
        """Set the limits of the settings; 0: no limit. Returns the limit per second that is in force."""
        return await self._set(
            "settings", {Period.SECOND: rate_per_second, Period.MINUTE: per_minute, Period.DAY: per_day}
        )

    async def set_by_operator(self, limits: Mapping[Period, float]) -> None:
        """Set limits that override the settings until ``back_to_settings``; the others stay. 0: no limit.

        This and ``back_to_settings`` end a pause that the provider asked for.
        """
        await self._set("operator", limits)

    async def back_to_settings(self) -> None:
        """Remove all limits that operators set."""
        await self._set("default", {})

    async def unblock(self) -> bool:
        """End the pause that the provider asked for. Returns False if there was none."""
        return bool(await self._scripts.run("unblock"))

    async def _set(self, source: str, limits: Mapping[Period, float]) -> float:
        return float(
            await self._scripts.run(
                "set_limits", source=source, limits={period.value: limit for period, limit in limits.items()}
            )
        )

    async def by_operator(self) -> frozenset[Period]:
        """Return the periods whose limit was set by an operator."""
        with translated():
            limits = await self._client.hmget(self._keys.limiter, [f"operator_{period}" for period in Period])
        return frozenset(period for period, limit in zip(Period, limits, strict=True) if limit is not None)

    async def take_permit(self) -> Permit:
        """Take a permit for one read, at most two seconds in the future."""
        policy = self._policy
        answer = await self._scripts.run(
            "take_permit",
            horizon_us=_READ_HORIZON_US,
            cut=policy.rate_cut,
            regain_us=int(policy.rate_regain_s * 1_000_000),
            share=policy.read_share,
        )
        now, slot, again, epoch = map(int, answer)
        wait_us = max(0, (again if slot < 0 else slot) - now)
        return Permit(granted=slot >= 0, wait_s=wait_us / 1_000_000, epoch=epoch)

    async def slow_down(self, epoch: int, retry_after_s: float | None, chance: float) -> float:
        """Reduce the rate, as the provider asked. Returns until when nothing is sent, in seconds since 1970."""
        base, cap = self._policy.backoff_429_s
        named_s = capped_retry_after_s(retry_after_s)
        blocked_us, _ = await self._scripts.run(
            "slow_down",
            epoch=epoch,
            wait_us=-1 if named_s is None else int(named_s * 1_000_000),
            first_us=int(base * 1e6),
            longest_us=int(cap * 1e6),
            chance=chance,
            cut=self._policy.rate_cut,
            probe_gap_us=int(self._policy.probe_gap_s * 1e6),
        )
        return int(blocked_us) / 1_000_000

    async def state(self) -> RateState:
        """Return the state of the limiter, for people and metrics. What cannot be read of it counts as not set."""
        with translated():
            raw = await self._client.hgetall(self._keys.limiter)
        known = {field.name.encode() for field in fields(RateState)} - {b"allowances"}
        stored = [(name, value) for name, value in raw.items() if name in known]
        values = dict(readable(self._keys.limiter, stored, _number))
        rate, ceiling, peak = (values.pop(name, 0.0) for name in ("rate", "ceiling", "peak"))
        lists = readable(self._keys.limiter, [raw.get(b"allowances", b"[]")], lambda text: list(json.loads(text)))
        allowances = tuple(readable(self._keys.limiter, lists[0] if lists else [], lambda values: _allowance(*values)))
        whole_numbers = {name: int(value) for name, value in values.items()}
        return RateState(rate=rate, ceiling=ceiling, peak=peak, allowances=allowances, **whole_numbers)


def _number(item: tuple[bytes, bytes]) -> tuple[str, float]:
    name, value = item
    return name.decode(), finite(value)


def _allowance(period: str, limit: int, newest: int, counts: list[int]) -> Allowance:
    numbers = [whole(number) for number in (limit, newest, *counts)]
    return Allowance(period=Period(period), limit=numbers[0], newest=numbers[1], counts=tuple(numbers[2:]))
