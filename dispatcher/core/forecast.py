"""When a mailing will have been sent, at the rate of now, and what it costs. Pure; times are microseconds since 1970.

The rate, the limits of a minute and of a day, and a wait that the provider asked for decide when each send may be
made. Other mailings of the same priority get their shares meanwhile, and urgent ones come first.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dispatcher.core.batch import Priority
from dispatcher.core.destinations import PriceList
from dispatcher.core.limits.allowance import Allowance, Period, advanced_to_now
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.limits.rate import USED, RateState, blocked_until_us

#: buckets of a day's limit that are looked at one by one, about a month of them
_LOOKED_AHEAD = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Jobs of one mailing that are still to be sent, and its claim on the rate."""

    jobs: int
    priority: Priority = Priority.BULK
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """When the last send of a mailing is made, and what keeps it from being earlier."""

    at_us: int
    limited_by: LimitedBy
    #: jobs of other mailings that are sent until then
    others: int


def finish(share: Share, others: Iterable[Share], rate_state: RateState, begin_us: int, now_us: int) -> Finish:
    """Return when a mailing that begins to send at ``begin_us`` has made its last send."""
    sent_meanwhile = sum(_sent_meanwhile(share, other) for other in others)
    jobs = share.jobs + sent_meanwhile
    blocked_us = blocked_until_us(rate_state, now_us)
    start_us = max(begin_us, now_us, blocked_us)
    by_rate_us = start_us + _duration_us(jobs, rate_state.rate * USED)
    limits = [allowance for allowance in rate_state.allowances if allowance.limit > 0]
    at_us = max([by_rate_us, *(_last_slot_us(jobs, start_us, rate_state, allowance) for allowance in limits)])
    if at_us > by_rate_us:
        limited_by = LimitedBy.ALLOWANCE
    else:
        limited_by = LimitedBy.PROVIDER_WAIT if blocked_us > max(begin_us, now_us) else LimitedBy.RATE
    return Finish(at_us=at_us, limited_by=limited_by, others=sent_meanwhile)


def _sent_meanwhile(share: Share, other: Share) -> int:
    """Return how many jobs of another mailing are sent while this one is."""
    if other.priority is share.priority:
        return min(other.jobs, share.jobs * other.weight // share.weight)
    return other.jobs if other.priority is Priority.URGENT else 0


def _duration_us(jobs: int, per_second: float) -> int:
    return round(jobs * 1_000_000 / per_second) if per_second > 0 else 0


def _last_slot_us(jobs: int, start_us: int, rate_state: RateState, allowance: Allowance) -> int:
    """Return when the last of the jobs may be sent under the limit of a minute or a day.

    The limit of a minute is a rate. Of a day, permits become free as those of the day before grow old.
    """
    if allowance.period is Period.MINUTE:
        rate = min(rate_state.rate * USED, allowance.limit / 60)
        return start_us + _duration_us(jobs, rate)
    bucket_us, moved = allowance.bucket_us, advanced_to_now(allowance, start_us)
    per_bucket = rate_state.rate * USED * bucket_us / 1_000_000
    # oldest first; the newest is the bucket of the start
    window, left, at_us = deque(map(float, reversed(moved.counts))), float(jobs), start_us
    granted = sum(window)
    for _ in range(_LOOKED_AHEAD):
        end_us = (at_us // bucket_us + 1) * bucket_us
        possible = min(per_bucket * (end_us - at_us) / bucket_us, max(0.0, allowance.limit - granted))
        if possible >= left:
            return at_us + round(left / per_bucket * bucket_us)
        left, at_us = left - possible, end_us
        window[-1] += possible
        window.append(0.0)
        granted += possible - window.popleft()
    return at_us + round(left * bucket_us * (len(window) - 1) / allowance.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingPrice:
    """What all faxes of a mailing cost if each arrives at its first attempt."""

    amount: Decimal
    currency: str
    #: recipients for whom the list has no price; they are not counted
    unpriced: int
    #: prices depend on the numbers, and not all of them were looked at
    estimated: bool


def price_of(
    prices: PriceList, pages: int, countries: Mapping[str, int], numbers: Mapping[str, Sequence[str]]
) -> MailingPrice | None:
    """Return the price of a mailing; None without a price list.

    Args:
        prices: The price list.
        pages: Pages of a fax.
        countries: Recipients by country.
        numbers: Numbers of some of the recipients by country. A list with prices by prefix prices a country by them.
    """
    if not prices:
        return None
    amount, unpriced, estimated = Decimal(0), 0.0, False
    for country, recipients in countries.items():
        seen = numbers.get(country, ()) if prices.by_prefix else ()
        known = [prices.per_page(number, country) for number in seen] or [prices.by_region.get(country)]
        priced = [price for price in known if price is not None]
        unpriced += recipients * (len(known) - len(priced)) / len(known)
        amount += sum(priced, Decimal(0)) * recipients / len(known)
        estimated |= bool(prices.by_prefix) and len(seen) < recipients
    return MailingPrice(amount=amount * pages, currency=prices.currency, unpriced=round(unpriced), estimated=estimated)
