"""The account's shared pace, as kept in Redis."""

from dataclasses import dataclass

from dispatcher.core.pacing import Pace
from dispatcher.core.policy import Policy
from dispatcher.store import keys
from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.lua import Argument, Scripts

#: no further ahead than sends are granted theirs, or a backlog of reads would keep them from the account's pace
_READ_HORIZON_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave for one read at the provider, or when to ask again."""

    granted: bool
    #: seconds until the slot, or until another question makes sense
    wait_s: float
    epoch: int


class Limiter:
    def __init__(self, client: Client, scripts: Scripts, policy: Policy) -> None:
        self._client = client
        self._scripts = scripts
        self._policy = policy

    async def set_ceiling(self, rate_per_second: float, *, by_operator: bool = False) -> float:
        """Give the account's limit. One that an operator gave stands above the settings; returns the one in force."""
        arguments: list[Argument] = [repr(rate_per_second), "operator" if by_operator else "settings"]
        return float(await self._scripts.run("set_ceiling", arguments))

    async def take(self) -> Permit:
        """One permit for a read, at most one second ahead."""
        every_us = int(self._policy.rate_raise_every_s * 1_000_000)
        answer = await self._scripts.run("take", [_READ_HORIZON_US, self._policy.rate_raise, every_us])
        now, slot, again, epoch = map(int, answer)
        wait_us = max(0, (again if slot < 0 else slot) - now)
        return Permit(granted=slot >= 0, wait_s=wait_us / 1_000_000, epoch=epoch)

    async def slow_down(self, epoch: int, retry_after_s: float | None, chance: float) -> float:
        """The provider asked for less. Returns the time until which nothing is sent, in seconds since 1970."""
        base, cap = self._policy.backoff_429_s
        wait_us = -1 if retry_after_s is None else int(retry_after_s * 1_000_000)
        arguments: list[Argument] = [
            epoch,
            wait_us,
            int(base * 1e6),
            int(cap * 1e6),
            repr(chance),
            self._policy.rate_cut,
        ]
        blocked_us, _ = await self._scripts.run("slow_down", arguments)
        return int(blocked_us) / 1_000_000

    async def pace(self) -> Pace:
        """The state of the limiter, for people and metrics."""
        with translated():
            raw = await self._client.hgetall(keys.LIMITER)
        values = {name.decode(): value for name, value in raw.items()}
        rate, ceiling = float(values.pop("rate", 0)), float(values.pop("ceiling", 0))
        values.pop("operator", None)
        return Pace(rate=rate, ceiling=ceiling, **{name: int(value) for name, value in values.items()})
