"""Holds: sending stopped for a scope, with a reason, until a probe succeeds or someone releases it."""

import json
from dataclasses import dataclass

from dispatcher.store import keys
from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.lua import Argument, Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """``scope`` is account, batch:<id>, document:<sha256>, country:<region> or job:<id>."""

    scope: str
    category: str
    cause: str
    since_ms: int
    #: 0: released by hand only
    probe_at_ms: int = 0
    probe_every_ms: int = 0


class Holds:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts

    async def open(
        self, scope: str, category: str, cause: str, probe_after_s: float = 0, probe_every_s: float = 0
    ) -> bool:
        """Hold a scope. False when it was held already."""
        arguments: list[Argument] = [scope, category, cause, int(probe_after_s * 1000), int(probe_every_s * 1000)]
        return bool(await self._scripts.run("hold", arguments))

    async def strike(self, scope: str, hold_after: int, *, attempt: str) -> bool:
        """One more failure of a scope. True when there were enough of them for a hold.

        ``attempt`` (``<job>/<attempt>``) is counted once, however often it is told.
        """
        return bool(await self._scripts.run("strike", [scope, hold_after, attempt]))

    async def release(self, scope: str) -> bool:
        """End a hold. False when there was none."""
        return bool(await self._scripts.run("release", [scope]))

    async def all(self) -> list[Hold]:
        """All holds, the oldest first."""
        with translated():
            raw = await self._client.hvals(keys.HOLDS)
        return sorted((Hold(**json.loads(hold)) for hold in raw), key=lambda hold: hold.since_ms)
