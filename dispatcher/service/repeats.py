"""Compares a mailing that is to start with those that were started lately, so that nobody is faxed twice by accident.

Two mailings have the same content if they have the same documents, content URLs and options. A mailing that was ended
before anything was sent does not count, and a rerun is not compared with the batches that it is a rerun of.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatcher.core.batch import Control, Definition
from dispatcher.core.repeats import FAX_MS, Overlap, Sketch, pack_hashes
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import Repeated
from dispatcher.service.idempotency import fingerprint
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData
from dispatcher.store.repeats import Started, StartNote
from dispatcher.store.store import Store

#: sketches that are read at a time
_SKETCHES = 20
#: bytes of hashes that are gathered before they are sorted into a sketch: sorting is what costs time
_UNSORTED = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier mailing that the new one repeats."""

    batch: str
    overlap: Overlap
    #: both are reruns of one batch
    sibling: bool = False
    #: it was deleted since then
    deleted: bool = False

    def sentence(self, verb: str = "start") -> str:
        """Return what is repeated, and what to do."""
        about = "" if self.overlap.exact else "about "
        look = "it was deleted since then" if self.deleted else "look at it first"
        what = "as a rerun of the same jobs" if self.sibling else "with the same content"
        return (
            f"batch {self.batch} was started lately {what}, to {about}{self.overlap.shared:,} of the "
            f"same recipients (the shorter of the two lists has {about}{self.overlap.shorter:,}): {look}, "
            f"and {verb} this one with allow_repeat (--allow-repeat) if they are to get it again"
        )


def content_of(definition: Definition) -> str:
    """Return the digest of what is sent to each recipient, and how."""
    return fingerprint(definition.documents, definition.content_urls, definition.options)


def fax_content(definition: Definition, number: str, key: bytes) -> str:
    """Return the digest of a single fax. The number is part of it, by a keyed hash."""
    return hmac.digest(key, f"{content_of(definition)} {number}".encode(), "sha256").hex()


async def compared_mailing(store: Store, definition: Definition, *, allowed: bool) -> StartNote:
    """Compare a draft with earlier mailings, and return what its start leaves for later ones.

    Raises Repeated unless that is ``allowed``.
    """
    content = content_of(definition)
    reruns_started = await store.repeats.reruns_started(definition.parents)
    started, last = await store.repeats.starts(content)
    sketch, hashes = await _sketch(store, definition.id)
    if not allowed and (earlier := await _earlier(store, definition, sketch, started)):
        raise Repeated(earlier.sentence(), batch=earlier.batch, shared=earlier.overlap.shared)
    until_ms = max((entry.until_ms for entry in started), default=0)
    return StartNote(
        content=content,
        last=last,
        until_ms=until_ms,
        reruns_started=reruns_started,
        tag=definition.tag,
        hashes=hashes,
        sketch=sketch.packed,
    )


async def earlier_mailing(store: Store, definition: Definition) -> Earlier | None:
    """Return the mailing that a draft repeats if it is started now. Nothing is changed."""
    started, _ = await store.repeats.starts(content_of(definition))
    # without a mailing to compare with, the numbers are not looked at
    if not (await _still_counting(store, definition, started) or await _siblings(store, definition)):
        return None
    sketch, _ = await _sketch(store, definition.id)
    return await _earlier(store, definition, sketch, started)


async def compared_fax(store: Store, definition: Definition, number: str, key: bytes, *, allowed: bool) -> StartNote:
    """Compare a single fax with earlier ones to the same number, and return what its start leaves for later ones.

    Raises Repeated unless that is ``allowed``.
    """
    content = fax_content(definition, number, key)
    started, last = await store.repeats.starts(content)
    if not allowed:
        for entry in await _still_counting(store, definition, started):
            if await _was_sent(store, entry.batch):
                raise Repeated(_fax_sentence(entry.batch), batch=entry.batch, shared=1)
    until_ms = max((entry.until_ms for entry in started), default=0)
    return StartNote(content=content, last=last, until_ms=until_ms, tag=definition.tag, life_ms=FAX_MS)


async def compared_change(
    store: Store, before: Definition, after: Definition, number_key: bytes, *, allowed: bool
) -> StartNote:
    """Compare what a started batch is to send from now on with earlier mailings, and return what it leaves for later.

    Raises Repeated unless that is ``allowed``.
    """
    content = content_of(after)
    if content == content_of(before):
        return StartNote()
    started, last = await store.repeats.starts(content)
    left_out = await _forebears(store, after)
    same = [entry.batch for entry in await _still_counting(store, after, started) if entry.batch not in left_out]
    sketch, _ = await _sketch(store, after.id)
    if not len(sketch):  # it began more than a day ago
        sketch = await _sketch_of_rows(store, after.id, number_key)
    if not allowed and (earlier := await _first_repeated(store, after, sketch, same)):
        raise Repeated(earlier.sentence("change"), batch=earlier.batch, shared=earlier.overlap.shared)
    until_ms = max((entry.until_ms for entry in started), default=0)
    return StartNote(content=content, last=last, until_ms=until_ms, tag=before.tag, sketch=sketch.packed)


async def earlier_of_numbers(store: Store, definition: Definition, sketch: Sketch) -> Earlier | None:
    """Return the mailing that the start of a batch with these numbers would repeat. The batch need not exist."""
    started, _ = await store.repeats.starts(content_of(definition))
    return await _earlier(store, definition, sketch, started)


async def _sketch(store: Store, batch: str) -> tuple[Sketch, int]:
    """Return the sketch of a draft's numbers, and the bytes of hashes that it was made of."""
    sketch, done = Sketch(), 0
    while part := await store.repeats.hashes(batch, done):
        await on_cpu_thread(sketch.add, part)
        done += len(part)
    return sketch, done


async def _sketch_of_rows(store: Store, batch: str, number_key: bytes) -> Sketch:
    """Return the sketch of a batch's numbers from its rows. A million rows take some seconds."""
    overview, sketch, hashes = await store.batches.overview(batch), Sketch(), b""
    for block in range(overview.blocks if overview else 0):
        try:
            numbers = [recipient.number for recipient in await store.batches.recipients(batch, block)]
        except UnreadableData as error:
            left_out(error)
            continue
        hashes += await on_cpu_thread(pack_hashes, numbers, number_key)
        if len(hashes) >= _UNSORTED:
            await on_cpu_thread(sketch.add, hashes)
            hashes = b""
    await on_cpu_thread(sketch.add, hashes)
    return sketch


async def _earlier(store: Store, definition: Definition, sketch: Sketch, started: Iterable[Started]) -> Earlier | None:
    """Return the latest mailing that a draft repeats: of the same content, or another rerun of one of its parents.

    Whoever gets what was put right has not asked for both.
    """
    left_out = await _forebears(store, definition)
    same = [entry.batch for entry in await _still_counting(store, definition, started) if entry.batch not in left_out]
    siblings = await _siblings(store, definition)
    compared = list(dict.fromkeys([*same, *(batch for batch in siblings if batch not in left_out)]))
    return await _first_repeated(store, definition, sketch, compared, siblings)


async def _first_repeated(
    store: Store, definition: Definition, sketch: Sketch, compared: Sequence[str], siblings: Sequence[str] = ()
) -> Earlier | None:
    """Return the first of these mailings that is repeated."""
    for first in range(0, len(compared), _SKETCHES):
        some = compared[first : first + _SKETCHES]
        stored = await store.repeats.sketches(some)
        for batch, packed in zip(some, stored, strict=True):
            overlap = await on_cpu_thread(_overlap, sketch, packed)
            if await _repeats(store, definition, batch, overlap, sibling=batch in siblings):
                deleted = bool(await store.deletions.deleted([batch]))
                return Earlier(batch=batch, overlap=overlap, sibling=batch in siblings, deleted=deleted)
    return None


async def _siblings(store: Store, definition: Definition) -> list[str]:
    """Return the other reruns of a rerun's parents that have left a draft, newest first."""
    siblings = list[str]()
    for parent in definition.parents or filter(None, [definition.parent]):
        overview = await store.batches.overview(parent)
        siblings += overview.reruns if overview else ()
    return [batch for batch in dict.fromkeys(siblings) if batch != definition.id and await _has_started(store, batch)]


async def _has_started(store: Store, batch: str) -> bool:
    overview = await store.batches.overview(batch)
    if overview is None:
        return await store.repeats.was_sent(batch)
    return overview.control is not Control.DRAFT


def _overlap(sketch: Sketch, packed: bytes) -> Overlap:
    return sketch.overlap(Sketch(packed))


async def _repeats(store: Store, definition: Definition, earlier: str, overlap: Overlap, *, sibling: bool) -> bool:
    if not overlap.shared:
        return False
    if not overlap.repeats and not sibling:
        # of two reruns, none may take a single job of the other
        other = await store.batches.definition(earlier) if definition.parent else None
        # of a deleted one nobody knows whether it was a rerun
        if not definition.parent or (other is not None and not other.parent):
            return False
    return await _was_sent(store, earlier)


async def _still_counting(store: Store, definition: Definition, started: Iterable[Started]) -> list[Started]:
    """Return the other mailings that are still compared with new ones, newest first."""
    now_ms = await store.clock.ask()
    others = [entry for entry in started if entry.batch != definition.id and entry.until_ms > now_ms]
    return others[::-1]


async def _was_sent(store: Store, batch: str) -> bool:
    """Return whether a batch that was started has sent something, or still can."""
    overview = await store.batches.overview(batch)
    if overview is None:
        return await store.repeats.was_sent(batch)
    ended = overview.control in (Control.CANCELLED, Control.EXPIRED)
    return not ended or bool(overview.attempts or overview.tally.live)


async def _forebears(store: Store, definition: Definition) -> frozenset[str]:
    """Return the batches that a rerun is a rerun of: its parents, the parents of those, and so on."""
    forebears, above = set[str](), [definition]
    while above:
        child = above.pop()
        parents = {*child.parents, child.parent} - forebears - {""}
        forebears |= parents
        above += [known for parent in parents if (known := await store.batches.definition(parent))]
    return frozenset(forebears)


def _fax_sentence(batch: str) -> str:
    return (
        f"the same fax to this number was sent within the last ten minutes, as batch {batch}: send it with "
        "allow_repeat if it is to arrive twice"
    )
