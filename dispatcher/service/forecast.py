"""What a batch will send: to how many recipients of which countries, how many pages, and when it will have sent them.

Everything comes from totals that are kept as rows are added, so a million recipients take no longer than one. Only a
draft whose content was sent a short while ago is compared by its numbers, as its start will be.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.batch import Control, Definition
from dispatcher.core.destinations import PriceList
from dispatcher.core.forecast import MailingPrice, Share, finish, price_of
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.service.documents import warnings_to_allow
from dispatcher.service.limits import what_stops
from dispatcher.service.repeats import Earlier, earlier_mailing
from dispatcher.service.views import find_batch
from dispatcher.store.backlog import LOOKED_AT
from dispatcher.store.batches import Overview
from dispatcher.store.documents import DocumentInfo
from dispatcher.store.store import Store

#: blocks of a batch whose numbers are looked at for their prices
_BLOCKS_PRICED = 10
_ENDED = (Control.CANCELLED, Control.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long it takes to send a number of jobs, beside all that is sent now. Times are milliseconds since 1970."""

    #: jobs that are still to be sent, and those of other batches that are sent meanwhile
    jobs: int
    other_jobs: int
    #: requests to the provider in a second, now
    rate: float
    #: when sending begins and when the last fax is sent, at today's rate; 0: nobody can say
    starts_ms: int
    finishes_ms: int
    limited_by: LimitedBy | None
    #: its documents; those of content URLs are not known
    documents: tuple[DocumentInfo, ...]
    #: pages of a fax, without a cover page; None if a document is not known
    pages: int | None

    @property
    def sending_s(self) -> float | None:
        """Least seconds in which a line sends a fax. None if that of a document is not known."""
        seconds = [document.sending_s for document in self.documents]
        return None if self.pages is None or not all(seconds) else sum(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a batch will send."""

    overview: Overview
    #: recipients by country (two letters; ``001`` for numbers of no country)
    countries: Mapping[str, int]
    outlook: Outlook
    #: None without a price list, or if the pages are not known
    price: MailingPrice | None
    #: whether its documents have warnings that the start of this draft has to be allowed
    warned: bool
    #: a mailing that the start of this draft would repeat
    earlier: Earlier | None


async def forecast(store: Store, batch: str, prices: PriceList, *, max_in_flight: int) -> Forecast:
    """Return what a batch will send. Nothing is changed. Raises Missing, StoreError."""
    overview = await find_batch(store, batch)
    jobs = 0 if overview.control in _ENDED else overview.tally.live
    countries = await store.batches.countries(batch)
    seen = await look_ahead(store, overview.definition, jobs, max_in_flight=max_in_flight)
    is_draft = overview.control is Control.DRAFT
    return Forecast(
        overview=overview,
        countries=countries,
        outlook=seen,
        price=await _price(store, overview, prices, countries, seen.pages),
        warned=is_draft and bool(await warnings_to_allow(store, overview.definition)),
        earlier=await earlier_mailing(store, overview.definition) if is_draft else None,
    )


async def look_ahead(store: Store, definition: Definition, jobs: int, *, max_in_flight: int) -> Outlook:
    """Return how long it takes to send a number of jobs of a batch, which need not exist. Nothing is changed."""
    now_ms = await store.clock.ask()
    rate_state = await store.rate_limiter.state()
    begin_ms = max(now_ms, definition.start_at_ms)
    share = Share(jobs=jobs, priority=definition.priority, weight=definition.weight)
    others = await _others(store, definition.id, now_ms)
    end = finish(share, others, rate_state, begin_ms * 1000, now_ms * 1000)
    by_own_rate_us = (
        begin_ms * 1000 + round(jobs / definition.max_per_second * 1_000_000) if definition.max_per_second else 0
    )
    limited_by = LimitedBy.BATCH_RATE if by_own_rate_us > end.at_us else end.limited_by
    documents = await _documents(store, definition.documents)
    stopped = await what_stops(store, max_in_flight=max_in_flight)
    return Outlook(
        documents=documents,
        pages=_pages(definition, documents),
        jobs=jobs,
        other_jobs=end.others,
        rate=rate_state.rate,
        starts_ms=begin_ms,
        finishes_ms=0 if stopped or not jobs else max(end.at_us, by_own_rate_us) // 1000,
        limited_by=(stopped or limited_by) if jobs else None,
    )


def _pages(definition: Definition, documents: Sequence[DocumentInfo]) -> int | None:
    known = not definition.content_urls and len(documents) == len(definition.documents)
    return sum(document.pages for document in documents) if known else None


async def _price(
    store: Store, overview: Overview, prices: PriceList, countries: Mapping[str, int], pages: int | None
) -> MailingPrice | None:
    if pages is None or not prices:
        return None
    numbers: dict[str, list[str]] = {}
    if prices.by_prefix:
        step = max(1, -(-overview.blocks // _BLOCKS_PRICED))
        for block in range(0, overview.blocks, step):
            for recipient in await store.batches.recipients(overview.definition.id, block):
                numbers.setdefault(recipient.region, []).append(recipient.number)
    return price_of(prices, pages, countries, numbers)


async def _others(store: Store, batch: str, now_ms: int) -> list[Share]:
    """Return what other running batches have to send."""
    held = [hold.scope for hold in (await store.holds.summary()).wide]
    names = [name for name in await store.backlog.with_work(held, LOOKED_AT) if name != batch]
    return [
        Share(jobs=backlog.due - backlog.held, priority=backlog.priority, weight=backlog.weight)
        for backlog in await store.backlog.of(names, now_ms)
        if backlog.control is Control.RUNNING and backlog.scopes.isdisjoint(held)
    ]


async def _documents(store: Store, names: Iterable[str]) -> tuple[DocumentInfo, ...]:
    known = [await store.documents.info(sha256) for sha256 in names]
    return tuple(document for document in known if document)
