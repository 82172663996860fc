"""What the provider charges for faxes. Amounts are whole numbers of 1/100,000 of a currency's unit: sums stay exact.

A price counts when a fax has ended. What a job has cost is the sum of its faxes, each by its id, so that repeated and
late updates change nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from dispatcher.core.job import FaxFate, HistoryEntry, Record, State

#: of one unit of a currency
UNITS = 100_000
_DIGITS = 5
#: highest price of a fax that is kept; a higher one counts as not known
MAX_PRICE = 2**32 - 1
_MAX_CHARACTERS = 40

#: of ISO 4217
_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ "
    "GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR "
    "LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN "
    "PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB "
    "TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG "
)
#: these currencies; the position is stored, so new ones are added at the end. A price in another is not known
CURRENCIES = ("", *_CODES.split())
_KNOWN = frozenset(CURRENCIES) - {""}
_ENDED = (FaxFate.DELIVERED, FaxFate.PAGES_ARRIVED, FaxFate.FAILED)


def read_price(amount: str, currency: str) -> tuple[int, str]:
    """Return the provider's price of a fax in units, and its currency; ``(0, "")`` if it names none that can be used.

    The last of more than five decimals is rounded.
    """
    currency = currency.strip().upper()
    if currency not in _KNOWN or not amount or len(amount) > _MAX_CHARACTERS:
        return 0, ""
    try:
        price = Decimal(amount)
        known = price.is_finite() and 0 <= price <= MAX_PRICE // UNITS
        return (int((price * UNITS).to_integral_value()), currency) if known else (0, "")
    except InvalidOperation:
        return 0, ""


@lru_cache(maxsize=1024)
def amount_text(units: int) -> str:
    """Return an amount as a decimal number with two to five decimals, such as ``12.30`` and ``0.045``."""
    sign, (whole, part) = "-" if units < 0 else "", divmod(abs(units), UNITS)
    return f"{sign}{whole}.{f'{part:0{_DIGITS}}'.rstrip('0'):0<2}"


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a job has brought and cost: pages that arrived, and units by currency."""

    pages: int
    costs: Mapping[str, int]

    def since(self, before: "Arrived") -> "Arrived":
        """Return what has been added since then."""
        changed = {name: self.costs.get(name, 0) - before.costs.get(name, 0) for name in {*self.costs, *before.costs}}
        return Arrived(self.pages - before.pages, {name: units for name, units in changed.items() if units})


def arrived(record: Record, history: Iterable[HistoryEntry]) -> Arrived:
    """Return what all faxes of a job that have ended have brought and cost."""
    faxes: dict[str, HistoryEntry | Record] = {entry.fax_id: entry for entry in history if entry.fate in _ENDED}
    costs = Counter[str]()
    if record.state is State.DELIVERED and not (record.fax_id in faxes and not record.currency):
        faxes[record.fax_id] = record
    for fax in faxes.values():
        if fax.currency and fax.price:
            costs[fax.currency] += fax.price
    return Arrived(sum(fax.pages_sent for fax in faxes.values()), costs)


def cost_of(record: Record, history: Sequence[HistoryEntry]) -> dict[str, str]:
    """Return what a job has cost so far, as text by currency."""
    if not history:  # nearly all jobs of a report
        is_priced = record.price and record.currency and record.state is State.DELIVERED
        return {record.currency: amount_text(record.price)} if is_priced else {}
    return cost_texts(arrived(record, history).costs)


def cost_texts(costs: Mapping[str, int]) -> dict[str, str]:
    """Return amounts as text by currency."""
    return {currency: amount_text(units) for currency, units in sorted(costs.items())}
