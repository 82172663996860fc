"""Encodes and decodes rows, records and histories as they are stored in Redis. Format 2.

A record has 72 bytes, little-endian. The scripts read only some of its fields: the first twelve bytes (state, strikes,
country, attempt, lease; ``records.lua``), the category and error type, by which jobs are counted, and the flags.
``begin`` also starts a new attempt: it clears the fields about the previous fax (look-ups, confirming reads, pages, id)
and sets both times. A delivered job has neither strikes nor a lease: it keeps currency and price of its fax there.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache, lru_cache
from typing import Any

from dispatcher.core.job import (
    REVISION_MODULUS,
    AttemptOutcome,
    FailureCode,
    FailureCounters,
    FaxFate,
    HistoryEntry,
    Recipient,
    Record,
    RefusedRow,
    State,
)
from dispatcher.core.job_filter import JobFacts
from dispatcher.core.prices import CURRENCIES
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES, OTHER
from dispatcher.store.decoding import typed, whole

#: version of the format, stored with every batch; increase it if the meaning of anything below changes
FORMAT = 2

_RECORD = struct.Struct("<BBHIIBBHBBBBBBHHdd30s")
WIDTH = _RECORD.size
ID_WIDTH = 30
_STATE_AT, _CATEGORY_AT = 0, 12
_DOUBLED, _UNCLEAR, _FINE, _EVIDENCE = 1, 2, 4, 8
_BYTE, _SHORT = 0xFF, 0xFFFF
#: states by their stored numbers
_STATES: dict[int, State] = {int(state): state for state in State if state is not State.UNREADABLE}
_CATEGORY_CODE = {name: code for code, name in enumerate(CATEGORIES)}
_CURRENCY_CODE = {name: code for code, name in enumerate(CURRENCIES)}
_TYPE_CODE = {name: code for code, name in enumerate(ERROR_TYPES)}
_OTHER_TYPE = _TYPE_CODE[OTHER]
_OUTCOMES, _FATES = frozenset(AttemptOutcome), frozenset(FaxFate)
#: fields of a history line: those of an entry, with the fields of the failure in place of ``failure``
_ENTRY_FIELDS, _FAILURE_FIELDS = frozenset(HistoryEntry.__slots__) - {"failure"}, FailureCode.__slots__
#: stands for a record that cannot be decoded; it is never stored
UNREADABLE_RECORD = Record(state=State.UNREADABLE)
#: no time of a record is later (milliseconds)
_LATEST_MS = 2.0**53
LETTERS = 26
#: region of numbers that belong to no country, such as those of satellite networks
_NO_COUNTRY, NO_COUNTRY_CODE = "001", LETTERS * LETTERS + 1


class _UnknownCode(str):
    """A known name that stands for a code of a newer version. It keeps the code, which is written back unchanged."""

    __slots__ = ("code",)
    code: int

    @classmethod
    def named(cls, name: str, code: int) -> "_UnknownCode":
        newer = cls(name)
        newer.code = code
        return newer


def category_code(category: str) -> int:
    return category.code if isinstance(category, _UnknownCode) else _CATEGORY_CODE[category]


def _currency_code(currency: str) -> int:
    return currency.code if isinstance(currency, _UnknownCode) else _CURRENCY_CODE.get(currency, 0)


def _currency_name(code: int) -> str:
    """Return the currency of a stored number; a number from a newer version is read as no currency's."""
    return CURRENCIES[code] if code < len(CURRENCIES) else _UnknownCode.named("", code)


def type_code(error_type: str) -> int:
    """Return the stored number of an error type; types that are not in the table are stored as ``other``."""
    return error_type.code if isinstance(error_type, _UnknownCode) else _TYPE_CODE.get(error_type, _OTHER_TYPE)


def category_name(code: int) -> str:
    """Return the category of a stored number; a number from a newer version is read as ``unknown``."""
    return CATEGORIES[code] if code < len(CATEGORIES) else _UnknownCode.named("unknown", code)


def type_name(code: int) -> str:
    """Return the error type of a stored number; a number from a newer version is read as ``other``."""
    return ERROR_TYPES[code] if code < len(ERROR_TYPES) else _UnknownCode.named(OTHER, code)


@lru_cache(maxsize=LETTERS * LETTERS + 2)
def country_code(country: str) -> int:
    """Return the stored number of a country: 0 for none, 1 to 676 for two letters, 677 for ``001``."""
    if not country:
        return 0
    if country == _NO_COUNTRY:
        return NO_COUNTRY_CODE
    first, second = (ord(letter) - ord("A") for letter in country)
    return first * LETTERS + second + 1


@cache
def country_name(code: int) -> str:
    """Return the country of a stored number."""
    if code in (0, NO_COUNTRY_CODE):
        return _NO_COUNTRY if code else ""
    first, second = divmod(code - 1, LETTERS)
    if code > NO_COUNTRY_CODE:
        raise ValueError(f"no country has the code {code}")
    return chr(ord("A") + first) + chr(ord("A") + second)


def rows_of(bitmap: bytes) -> Iterator[int]:
    """Return the rows whose bits are set, in ascending order."""
    for index, byte in enumerate(bitmap):
        if byte:
            yield from (index * 8 + bit for bit in range(8) if byte & (0x80 >> bit))


def encode_record(record: Record) -> bytes:
    """Encode a record as 72 bytes. A fax id that does not fit is left out; the caller stores it separately."""
    if record.state is State.UNREADABLE:
        raise ValueError("an unreadable record is never stored")
    failure, counters = record.failure, record.counters
    delivered = record.state is State.DELIVERED
    return _RECORD.pack(
        record.state,
        _currency_code(record.currency) if delivered else min(record.strikes, _BYTE),
        country_code(record.country),
        record.attempt,
        record.price if delivered else record.lease,
        category_code(failure.category),
        type_code(failure.error_type),
        min(max(failure.error_code, 0), _SHORT),
        min(counters.dials, _BYTE),
        min(counters.tries, _BYTE),
        min(counters.server_errors, _BYTE),
        min(record.lookups, _BYTE),
        _flags(record),
        min(record.confirming_reads, _BYTE),
        min(max(record.pages_sent, 0), _SHORT),
        min(max(record.pages_total, 0), _SHORT),
        float(record.began_ms),
        float(record.changed_ms),
        record.fax_id.encode("ascii") if fits(record.fax_id) else b"",
    )


def fits(fax_id: str) -> bool:
    """Return whether a fax id is stored in the record: at most 30 characters, all of them ASCII."""
    return len(fax_id) <= ID_WIDTH and fax_id.isascii()


def _flags(record: Record) -> int:
    """Return three flags as bits, and above them five bits of the revision of the history."""
    bits = record.doubled * _DOUBLED | record.unclear * _UNCLEAR | record.force_fine * _FINE
    return bits | record.history_revision % REVISION_MODULUS * _EVIDENCE


def decode_record(raw: bytes) -> Record:
    """Decode a record. Raises struct.error or ValueError if ``raw`` is none."""
    (
        state, strikes, country, attempt, lease, category, error_type, code, dials, tries, server_errors, lookups,
        flags, confirming_reads, pages_sent, pages_total, began, changed, fax_id,
    ) = _RECORD.unpack(raw)  # fmt: skip
    if state not in _STATES or not (0 <= began < _LATEST_MS and 0 <= changed < _LATEST_MS):
        raise ValueError("the state or a time of a record is impossible")
    delivered = state == State.DELIVERED
    return Record(
        state=_STATES[state],
        strikes=0 if delivered else strikes,
        country=country_name(country),
        attempt=attempt,
        lease=0 if delivered else lease,
        price=lease if delivered else 0,
        currency=_currency_name(strikes) if delivered else "",
        failure=_failure(category, error_type, code),
        counters=_counters(dials, tries, server_errors),
        lookups=lookups,
        doubled=bool(flags & _DOUBLED),
        unclear=bool(flags & _UNCLEAR),
        force_fine=bool(flags & _FINE),
        history_revision=flags // _EVIDENCE,
        confirming_reads=confirming_reads,
        pages_sent=pages_sent,
        pages_total=pages_total,
        began_ms=int(began),
        changed_ms=int(changed),
        fax_id=fax_id.rstrip(b"\0").decode("ascii"),
    )


@lru_cache(maxsize=4096)
def _failure(category: int, error_type: int, code: int) -> FailureCode:
    """Return the failure of stored numbers. Most records share a few, and making them takes a quarter of the time."""
    return FailureCode(category=category_name(category), error_type=type_name(error_type), error_code=code)


@lru_cache(maxsize=4096)
def _counters(dials: int, tries: int, server_errors: int) -> FailureCounters:
    return FailureCounters(dials=dials, tries=tries, server_errors=server_errors)


def readable_records(raw: bytes) -> list[Record]:
    """Decode the records of a block. One that cannot be decoded is UNREADABLE_RECORD."""
    return list(map(record_or_mark, split_records(raw)))


def record_or_mark(raw: bytes) -> Record:
    """Decode a record; one that cannot be decoded is UNREADABLE_RECORD."""
    try:
        return decode_record(raw)
    except (struct.error, ValueError):
        return UNREADABLE_RECORD


def may_hold(records: bytes, states: Set[int], categories: Set[int]) -> bool:
    """Return False if no record of a block can be in one of the states and one of the categories (empty: any)."""
    return not (states and states.isdisjoint(records[_STATE_AT::WIDTH])) and not (
        categories and categories.isdisjoint(records[_CATEGORY_AT::WIDTH])
    )


#: of a record: state, country, attempt, category, error type, error code, time of the last change
_FACTS = struct.Struct("<BxHI4xBBH18xd30x")


def job_facts(records: bytes, first_row: int, waiting: State, cursor: int) -> Iterator[JobFacts]:
    """Yield what a filter looks at of the readable records of a block, in a fifth of the time of decoding them.

    ``waiting`` is the state in which waiting jobs from the row ``cursor`` on are shown.
    """
    whole_records = memoryview(records)[: len(records) // WIDTH * WIDTH]
    for row, fields in enumerate(_FACTS.iter_unpack(whole_records), start=first_row):
        number, country, attempt, category, error_type, error_code, changed_ms = fields
        state = _STATES.get(number)
        if state is State.WAITING and row >= cursor:
            state = waiting
        if state is not None and country <= NO_COUNTRY_CODE and 0 <= changed_ms < _LATEST_MS:
            yield JobFacts(
                row,
                state,
                category_name(category),
                type_name(error_type),
                error_code,
                country_name(country),
                attempt,
                int(changed_ms),
            )


def split_records(raw: bytes) -> list[bytes]:
    return [raw[start : start + WIDTH] for start in range(0, len(raw), WIDTH)]


#: rows have no cycles, and to look for them takes a quarter of the time
_ROWS = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def _json(rows: list[list[object]]) -> bytes:
    return _ROWS.encode(rows).encode()


def _packed(rows: bytes) -> bytes:
    return zlib.compress(rows, level=6)


def _unpack(raw: bytes) -> list[list[object]]:
    rows: list[list[object]] = json.loads(zlib.decompress(raw))
    return rows


def encode_recipients(recipients: Sequence[Recipient], as_json: bytes = b"") -> bytes:
    """Encode the recipients of one block. ``as_json`` is what ``recipients_as_json`` returns, if the caller has it."""
    return _packed(as_json or recipients_as_json(recipients))


def recipients_as_json(recipients: Sequence[Recipient]) -> bytes:
    """Return the recipients as a JSON array. Trailing empty columns of each row are left out."""
    return _json([_trimmed([r.line, r.number, r.region, r.reference, dict(r.fields) or ""]) for r in recipients])


def _trimmed(row: list[object]) -> list[object]:
    while row and row[-1] == "":
        row.pop()
    return row


def decode_recipients(raw: bytes) -> tuple[Recipient, ...]:
    return tuple(_recipient(*row) for row in _unpack(raw))  # type: ignore[arg-type]  # rows are written above


def _recipient(
    line: int, number: str, region: str = "", reference: str = "", fields: dict[str, str] | str = ""
) -> Recipient:
    if fields and not (isinstance(fields, dict) and all(type(value) is str for value in fields.values())):
        raise TypeError("the columns of a recipient are no texts")
    if type(line) is not int:
        raise TypeError("the line of a recipient is no whole number")
    if not type(number) is type(region) is type(reference) is str:
        raise TypeError("the number, region or reference of a recipient is no text")
    return Recipient(whole(line), number, region, reference, fields or {})


def encode_refused(rows: Sequence[RefusedRow]) -> bytes:
    return _packed(_json([[r.line, r.number, r.reason, r.detail] for r in rows]))


def decode_refused(raw: bytes) -> list[RefusedRow]:
    return [
        RefusedRow(line=whole(str(line)), number=str(number), reason=str(reason), detail=str(detail))
        for line, number, reason, detail in _unpack(raw)
    ]


def pack_numbers(numbers: Iterable[str]) -> bytes:
    """Encode E.164 numbers as eight-byte floats, which are exact, since a number has at most 15 digits."""
    values = [float(number[1:]) for number in numbers]
    return struct.pack(f"<{len(values)}d", *values)


def pack_countries(countries: Iterable[str]) -> bytes:
    """Encode countries as codes of two bytes each."""
    codes = [country_code(country) for country in countries]
    return struct.pack(f"<{len(codes)}H", *codes)


def encode_entry(entry: HistoryEntry) -> bytes:
    """Encode one entry of a history; empty fields are left out."""
    full = {name: value for name, value in _flat(entry) if value or name in ("attempt", "at_ms")}
    return json.dumps(full, ensure_ascii=False, separators=(",", ":")).encode()


def _flat(entry: HistoryEntry) -> Iterator[tuple[str, object]]:
    for name in HistoryEntry.__slots__:
        if name == "failure":
            yield from ((field, getattr(entry.failure, field)) for field in _FAILURE_FIELDS)
        else:
            yield name, getattr(entry, name)


def decode_history(raw: bytes) -> list[HistoryEntry]:
    # decoded first: ``loads`` would look for the encoding of each line
    return [_entry(json.loads(line)) for line in raw.decode().split("\n")]


def _entry(fields: dict[str, Any]) -> HistoryEntry:
    """Decode one entry of a history. Fields of a newer version are ignored; stored lines are never rewritten."""
    values = {name: value for name, value in fields.items() if name in _ENTRY_FIELDS}
    values["outcome"] = AttemptOutcome(fields["outcome"]) if fields["outcome"] in _OUTCOMES else AttemptOutcome.LATE
    values["failure"] = typed(FailureCode, {name: fields[name] for name in _FAILURE_FIELDS if name in fields})
    values["fate"] = _fate(fields.get("fate"))
    return typed(HistoryEntry, values)


def _fate(value: str | None) -> FaxFate | None:
    """Decode the fate of a fax. A value of a newer version counts as unfinished, so that nothing is sent again."""
    if value is None:
        return None
    return FaxFate(value) if value in _FATES else FaxFate.UNFINISHED
