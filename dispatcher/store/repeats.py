"""Stores what was started lately: which batches sent the same content, and the sketches of their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.core.repeats import HASH_BYTES, MAILING_MS
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, whole, whole_or_0
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys
from dispatcher.store.lua import Option

#: bytes of hashes that are read in one call: as many hashes as are sorted in some 20 ms
_READ_BYTES = 32_768 * HASH_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A batch that was started, and until when later ones are compared with it."""

    batch: str
    until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNote:
    """What a start leaves for the comparison with later ones, and what it was compared with itself.

    The start is not carried out if another batch with the same content was started, or rows were added, since then.
    """

    #: digest of the content; empty: nothing is left and compared
    content: str = ""
    #: how long later batches are compared with this one
    life_ms: int = MAILING_MS
    #: the last start that was looked at, as it is stored
    last: str = ""
    #: until when the starts that were looked at are compared with later ones
    until_ms: int = 0
    #: how many reruns of the parents of a rerun had started
    reruns_started: int = 0
    #: tag of the definition that was compared
    tag: str = ""
    #: bytes of hashes of the draft that were looked at
    hashes: int = 0
    #: sketch of the numbers
    sketch: bytes = b""

    @property
    def options(self) -> dict[str, Option]:
        """Options of the script ``control``."""
        return {
            "content": self.content,
            "life_ms": self.life_ms,
            "last": self.last,
            "reruns_started": self.reruns_started,
            "until_ms": self.until_ms,
            "tag": self.tag,
            "hashes": self.hashes,
        }


class Repeats:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def starts(self, content: str) -> tuple[list[Started], str]:
        """Return the batches of a content that were started, oldest first, and the last of them as it is stored."""
        key = self._keys.starts(content)
        with translated():
            raw = await self._client.lrange(key, 0, -1)
        with decoding(key):
            texts = [entry.decode() for entry in raw]
            started = [Started(batch=batch, until_ms=whole(until)) for batch, until in map(str.split, texts)]
        return started, texts[-1] if texts else ""

    async def reruns_started(self, parents: Sequence[str]) -> int:
        """Return how many reruns of batches have started."""
        if not parents:
            return 0
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for parent in parents:
                    pipe.hget(self._keys.batch(parent), "reruns_started")
                counts = await pipe.execute()
        return sum(map(whole_or_0, counts))

    async def hashes(self, batch: str, first: int) -> bytes:
        """Return a part of the hashes of a draft's numbers, from a position in bytes on. Empty: there are no more."""
        with translated():
            raw = await self._client.getrange(self._keys.of_batch(batch, "hashes"), first, first + _READ_BYTES - 1)
        return bytes(raw)

    async def sketches(self, batches: Sequence[str]) -> list[bytes]:
        """Return the sketches of started batches, deleted ones included; empty for one whose sketch has ended."""
        with translated():
            raw = await self._client.mget(
                [
                    *(self._keys.of_batch(batch, "hashes") for batch in batches),
                    *(self._keys.sent_sketch(batch) for batch in batches),
                ]
            )
        return [bytes(own or kept or b"") for own, kept in zip(raw[: len(batches)], raw[len(batches) :], strict=True)]

    async def was_sent(self, batch: str) -> bool:
        """Return whether a deleted batch that is still compared with new ones has sent something."""
        with translated():
            return bool(await self._client.exists(self._keys.sent_sketch(batch)))
