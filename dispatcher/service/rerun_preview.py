"""Says what a rerun would do: how many jobs, pages and minutes, the price, what is left out and why.

The blocks of the parents are looked at for some seconds at a time. What was counted until then is stored, so that a
preview of millions of jobs continues with the next request, in whichever process.
"""

import base64
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from dispatcher.core.batch import Priority
from dispatcher.core.destinations import PriceList
from dispatcher.core.forecast import MailingPrice, price_of
from dispatcher.core.job import JOB_STATES, Recipient
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.repeats import Sketch, pack_hashes
from dispatcher.core.rerun import Overrides
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import Missing
from dispatcher.service.forecast import Outlook, look_ahead
from dispatcher.service.ids import batch_id
from dispatcher.service.repeats import Earlier, earlier_of_numbers
from dispatcher.service.rerun import Check, ParentBlock, checked
from dispatcher.service.reruns import Group, RerunOrder, Reruns
from dispatcher.service.rows import block_recipients, ensure_not_deleted, matching_jobs
from dispatcher.service.times import now_ms
from dispatcher.store.decoding import decoding, whole
from dispatcher.store.store import Store

#: seconds for which one request looks at blocks
BUDGET_S = 7.0
#: numbers of each country that are kept for prices by prefix
_SAMPLE = 200
#: numbers of a block that may be among them
_SAMPLE_OF_BLOCK = 50
#: bytes of hashes that are gathered before they are sorted into the sketch: sorting is what costs time
_UNSORTED = 400_000
SUPPRESSED, DUPLICATE, NOT_MATCHING = "suppressed", "duplicate", "not_matching"


@dataclass(slots=True, kw_only=True)
class Scan:
    """What was counted in the first blocks of a group's parents."""

    blocks_done: int = 0
    jobs: int = 0
    countries: Counter[str] = field(default_factory=Counter)
    #: jobs that match and are not sent, by reason
    left_out: Counter[str] = field(default_factory=Counter)
    #: some numbers by country, for prices
    numbers: dict[str, list[str]] = field(default_factory=dict)
    sketch: Sketch = field(default_factory=Sketch)
    unsorted: bytes = b""

    def add(self, recipients: Sequence[Recipient], left_out: Mapping[str, int], number_key: bytes) -> None:
        """Count a block."""
        self.blocks_done += 1
        self.jobs += len(recipients)
        self.countries.update(recipient.region for recipient in recipients)
        self.left_out.update(left_out)
        for recipient in recipients[:_SAMPLE_OF_BLOCK]:
            sample = self.numbers.setdefault(recipient.region, [])
            if len(sample) < _SAMPLE:
                sample.append(recipient.number)
        self.unsorted += pack_hashes((recipient.number for recipient in recipients), number_key)
        if len(self.unsorted) >= _UNSORTED:
            self.sort()

    def sort(self) -> None:
        """Sort what was gathered into the sketch."""
        self.sketch.add(self.unsorted)
        self.unsorted = b""

    def stored(self) -> dict[str, Any]:
        self.sort()
        packed = base64.b64encode(self.sketch.packed).decode()
        values = {name: getattr(self, name) for name in ("blocks_done", "jobs", "countries", "left_out", "numbers")}
        return {**values, "sketch": packed}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Self:
        counters = {name: Counter(values[name]) for name in ("countries", "left_out")}
        numbers = {name: whole(values[name]) for name in ("blocks_done", "jobs")}
        sketch = Sketch(base64.b64decode(values["sketch"]))
        return cls(**{**values, **counters, **numbers, "sketch": sketch})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPreview:
    """What the rerun of one group would do; of a part of its blocks while the preview is not complete."""

    group: Group
    jobs: int
    countries: Mapping[str, int]
    #: jobs of the parents that would not be sent, by reason
    left_out: Mapping[str, int]
    #: some of the jobs have the same number in several parents, and their number is estimated
    estimated: bool
    outlook: Outlook
    price: MailingPrice | None
    #: the batch that the start would repeat
    earlier: Earlier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunPreview:
    """What a rerun would do. An incomplete one has an ``id``, under which it continues."""

    id: str
    groups: tuple[GroupPreview, ...]
    blocks_done: int
    blocks: int

    @property
    def complete(self) -> bool:
        return self.blocks_done >= self.blocks


class RerunPreviews:
    """Previews of reruns. Nothing of a batch is changed."""

    def __init__(self, store: Store, reruns: Reruns, number_key: bytes, prices: PriceList, max_in_flight: int) -> None:
        self._store = store
        self._reruns = reruns
        self._number_key = number_key
        self._prices = prices
        self._max_in_flight = max_in_flight

    async def begin(self, batches: Sequence[str], order: RerunOrder) -> RerunPreview:
        """Look at what a rerun would do. Raises Missing, and ActionNotAllowed if no job can match."""
        groups = await self._reruns.groups(batches, order)
        return await self._go_on("", groups, [Scan() for _ in groups], order)

    async def go_on(self, preview: str, check: Check) -> RerunPreview:
        """Continue a preview. Raises Missing if there is none of this id, or it is older than an hour."""
        stored = await self._store.previews.get(preview) if preview.isalnum() else None
        if stored is None:
            raise Missing(f"there is no preview {preview}: previews are kept for an hour")
        with decoding(f"preview {preview}"):
            batches, scans, order = _restored(stored, check)
        groups = await self._reruns.groups(batches, order)
        return await self._go_on(preview, groups, scans, order)

    async def _go_on(self, preview: str, groups: list[Group], scans: list[Scan], order: RerunOrder) -> RerunPreview:
        until_s = time.monotonic() + BUDGET_S
        for group, scan in zip(groups, scans, strict=True):
            while scan.blocks_done < group.parents.blocks and time.monotonic() < until_s:
                block = group.parents.block(scan.blocks_done)
                await self._count(scan, block, order, ignore_dead_numbers=group.definition.ignore_dead_numbers)
        await ensure_not_deleted(self._store, *(batch for group in groups for batch in group.parents.ids))
        done, blocks = sum(scan.blocks_done for scan in scans), sum(group.parents.blocks for group in groups)
        if done < blocks:
            preview = preview or batch_id(now_ms())
            await self._store.previews.put(preview, await on_cpu_thread(_stored, groups, scans, order))
        shown = [await self._shown(group, scan, order) for group, scan in zip(groups, scans, strict=True)]
        return RerunPreview(id=preview, groups=tuple(shown), blocks_done=done, blocks=blocks)

    async def _count(self, scan: Scan, block: ParentBlock, order: RerunOrder, *, ignore_dead_numbers: bool) -> None:
        matching = await matching_jobs(self._store, block.batch, block.number, order.selected)
        rows = await block_recipients(self._store, block.batch, block.number) if matching else ()
        recipients = [rows[position] for position, _ in matching if position < len(rows)]
        permitted, left_out = await on_cpu_thread(_permitted, recipients, order)
        suppressed = await self._store.suppressions.among(
            [recipient.number for recipient in permitted], ignore_dead_numbers=ignore_dead_numbers
        )
        if suppressed:
            permitted = [recipient for position, recipient in enumerate(permitted) if position not in suppressed]
            left_out[SUPPRESSED] += len(suppressed)
        await on_cpu_thread(scan.add, permitted, left_out, self._number_key)

    async def _shown(self, group: Group, scan: Scan, order: RerunOrder) -> GroupPreview:
        await on_cpu_thread(scan.sort)
        parents = group.parents.overviews
        left_out = scan.left_out + Counter(_unmatched(group, scan, order.selected))
        double = max(0, scan.jobs - scan.sketch.numbers) if len(parents) > 1 else 0
        jobs = scan.jobs - double
        outlook = await look_ahead(self._store, group.definition, jobs, max_in_flight=self._max_in_flight)
        complete = scan.blocks_done == group.parents.blocks
        return GroupPreview(
            group=group,
            jobs=jobs,
            countries=scan.countries,
            left_out=dict(left_out + Counter({DUPLICATE: double})),
            estimated=bool(double) and scan.sketch.full,
            outlook=outlook,
            price=price_of(self._prices, outlook.pages, scan.countries, scan.numbers) if outlook.pages else None,
            earlier=await earlier_of_numbers(self._store, group.definition, scan.sketch) if complete and jobs else None,
        )


def _permitted(recipients: Sequence[Recipient], order: RerunOrder) -> tuple[list[Recipient], Counter[str]]:
    selected = order.selected
    if selected.needs_recipient:
        recipients = [recipient for recipient in recipients if selected.matches_recipient(recipient)]
    permitted, refused = checked(recipients, order.check)
    return permitted, Counter(row.reason for row in refused)


def _unmatched(group: Group, scan: Scan, selected: JobFilter) -> dict[str, int]:
    """Return the jobs that the filter leaves out: by state, and those in its states that do not match otherwise.

    They are known once all blocks were looked at.
    """
    if scan.blocks_done < group.parents.blocks:
        return {}
    by_state = {
        state: sum(parent.tally.by_state.get(state, 0) for parent in group.parents.overviews) for state in JOB_STATES
    }
    others = {state.label: jobs for state, jobs in by_state.items() if jobs and state not in selected.states}
    rest = sum(by_state.values()) - sum(others.values()) - scan.jobs - sum(scan.left_out.values())
    return {**others, NOT_MATCHING: rest} if rest > 0 else others


def _restored(stored: str, check: Check) -> tuple[list[str], list[Scan], RerunOrder]:
    """Return the batches of a stored preview, what it has counted of each group, and its order."""
    values = json.loads(stored)
    overrides = values["overrides"]
    overrides["priority"] = overrides["priority"] and Priority(overrides["priority"])
    for name in ("documents", "content_urls"):
        overrides[name] = None if overrides[name] is None else tuple(overrides[name])
    selected = JobFilter.from_plain(values["selected"])
    order = RerunOrder(selected=selected, overrides=Overrides(**overrides), check=check)
    return [str(batch) for batch in values["batches"]], [Scan.restored(scan) for scan in values["scans"]], order


def _stored(groups: Sequence[Group], scans: Sequence[Scan], order: RerunOrder) -> str:
    """Return a preview as it is stored. The batches are those of the request, in the order of the groups."""
    batches = [overview.definition.id for group in groups for overview in group.parents.overviews]
    return json.dumps(
        {
            "batches": batches,
            "selected": order.selected.plain(),
            "overrides": asdict(order.overrides),
            "scans": [scan.stored() for scan in scans],
        }
    )
