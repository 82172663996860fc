"""Checks the types of the account's keys. One of another type stops what needs it, until somebody has restored it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dispatcher.store.client import Client
from dispatcher.store.errors import UnreadableData, WrongKeyType, translated
from dispatcher.store.keys import ACCOUNT_TYPES, SENDING_KEYS, Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherType:
    """A key that is of another type than it must be."""

    key: str
    type: str
    expected: str

    def __str__(self) -> str:
        return f"{self.key} is a {self.type} and must be a {self.expected}"


class KeyTypes:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._expected = {keys.prefix + name: kind for name, kind in ACCOUNT_TYPES.items()}
        self._sending = {keys.prefix + name for name in SENDING_KEYS}

    async def others(self) -> list[OtherType]:
        """Return the keys of the account that are of another type than they must be."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for key in self._expected:
                    pipe.type(key)
                types = [kind.decode() for kind in await pipe.execute()]
        return [
            OtherType(key=key, type=kind, expected=expected)
            for (key, expected), kind in zip(self._expected.items(), types, strict=True)
            if kind not in (expected, "none")
        ]

    async def check(self) -> None:
        """Raise WrongKeyType if a key of the account is of another type than it must be."""
        if others := await self.others():
            raise WrongKeyType("; ".join(map(str, others)))

    @asynccontextmanager
    async def named(self) -> AsyncIterator[None]:
        """Name the keys of another type if the block meets one. Raises WrongKeyType."""
        try:
            yield
        except UnreadableData:
            await self.check()
            raise

    async def let_send(self) -> bool:
        """Return whether all keys are ours without which nothing is sent."""
        return self._sending.isdisjoint(other.key for other in await self.others())
