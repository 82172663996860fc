import string
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from dispatcher.core.prices import CURRENCIES
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES
from dispatcher.store import codec

#: JSON keeps every text but halves of surrogate pairs, which no decoded input has
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BYTE, SHORT, INT = st.integers(0, 255), st.integers(0, 65_535), st.integers(0, 2**32 - 1)
NUMBERS = st.integers(1, 10**15 - 1).map("+{}".format)
#: until the year 10,000
MS = st.integers(0, 253_402_300_799_000)
LETTERS = st.sampled_from(string.ascii_uppercase)
COUNTRY = st.sampled_from(("", "001")) | st.tuples(LETTERS, LETTERS).map("".join)
FAX_ID = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=codec.ID_WIDTH)

CURRENCY = st.sampled_from(CURRENCIES)
_FIELDS: dict[str, Any] = {
    "country": COUNTRY,
    "attempt": INT,
    "failure": st.builds(
        FailureCode, category=st.sampled_from(CATEGORIES), error_type=st.sampled_from(ERROR_TYPES), error_code=SHORT
    ),
    "counters": st.builds(FailureCounters, dials=BYTE, tries=BYTE, server_errors=BYTE),
    "lookups": BYTE,
    "doubled": st.booleans(),
    "unclear": st.booleans(),
    "force_fine": st.booleans(),
    "history_revision": st.integers(0, REVISION_MODULUS - 1),
    "confirming_reads": BYTE,
    "pages_sent": SHORT,
    "pages_total": SHORT,
    "began_ms": MS,
    "changed_ms": MS,
    "fax_id": FAX_ID,
}
_LIVE_OR_FAILED = [state for state in State if state not in (State.UNREADABLE, State.DELIVERED)]
#: what is delivered has a price in place of strikes and a lease
records = st.builds(Record, state=st.sampled_from(_LIVE_OR_FAILED), strikes=BYTE, lease=INT, **_FIELDS) | st.builds(
    Record, state=st.just(State.DELIVERED), price=INT, currency=CURRENCY, **_FIELDS
)
recipients = st.builds(
    Recipient,
    line=st.integers(1, 10_000_000),
    number=NUMBERS,
    region=st.sampled_from(("", "US", "GB", "001")),
    reference=TEXT,
    fields=st.dictionaries(TEXT, TEXT, max_size=4),
)
entries = st.builds(
    HistoryEntry,
    attempt=SHORT,
    at_ms=MS,
    outcome=st.sampled_from(AttemptOutcome),
    fate=st.none() | st.sampled_from(FaxFate),
    created_ms=MS,
    ended_ms=MS,
    failure=st.builds(
        FailureCode, category=st.sampled_from(CATEGORIES), error_type=TEXT, error_code=st.integers(0, 99_999)
    ),
    fax_id=TEXT,
    pages_sent=SHORT,
    pages_total=SHORT,
    price=INT,
    currency=CURRENCY,
    why=TEXT,
)

KNOWN = Record(
    state=State.ACCEPTED,
    strikes=1,
    country="DE",
    attempt=0x02030405,
    lease=0x04050607,
    failure=FailureCode(category="busy", error_type="LINE_ERROR", error_code=0x0809),
    counters=FailureCounters(dials=10, tries=11, server_errors=12),
    lookups=13,
    doubled=True,
    force_fine=True,
    history_revision=5,
    confirming_reads=14,
    pages_sent=0x0E0F,
    pages_total=0x1011,
    began_ms=1_795_000_000_000,
    changed_ms=1_795_000_000_001,
    fax_id="01JD0000000000000000000000",
)
KNOWN_HEX = (
    "0401530005040302070605040a0609080a0b0c0d2d0e0f0e11100000e065e51e7a420010"
    "e065e51e7a4230314a443030303030303030303030303030303030303030303000000000"
)


@given(records)
def test_a_record_survives_its_72_bytes(record: Record) -> None:
    raw = codec.encode_record(record)
    assert len(raw) == 72
    assert codec.decode_record(raw) == record


def test_format_1_puts_a_known_record_into_known_bytes() -> None:
    """Stored records outlive every release: whoever changes this test needs a new format number."""
    assert codec.FORMAT == 2
    assert codec.encode_record(KNOWN).hex() == KNOWN_HEX
    assert codec.decode_record(bytes.fromhex(KNOWN_HEX)) == KNOWN


def test_categories_and_error_types_keep_the_numbers_that_are_stored() -> None:
    """New ones are added at the end."""
    assert CATEGORIES[:1] == ("",)
    assert [codec.category_code(name) for name in CATEGORIES] == list(range(len(CATEGORIES)))
    assert [codec.type_code(name) for name in ERROR_TYPES] == list(range(len(ERROR_TYPES)))


def test_an_error_type_of_a_later_provider_is_kept_as_other() -> None:
    record = codec.decode_record(
        codec.encode_record(Record(failure=FailureCode(error_type="NEW_KIND_OF_ERROR", error_code=7)))
    )
    assert (record.failure.error_type, record.failure.error_code) == ("other", 7)


@given(st.integers(256, 10**9))
def test_counters_stop_at_their_width(many: int) -> None:
    record = codec.decode_record(
        codec.encode_record(Record(counters=FailureCounters(dials=many, tries=many), lookups=many, strikes=many))
    )
    assert (record.counters.dials, record.counters.tries, record.lookups, record.strikes) == (255, 255, 255, 255)


def test_numbers_that_the_provider_should_not_send_do_not_break_a_record() -> None:
    record = codec.decode_record(
        codec.encode_record(Record(failure=FailureCode(error_code=-1), pages_sent=70_000, pages_total=-3))
    )
    assert (record.failure.error_code, record.pages_sent, record.pages_total) == (0, 65_535, 0)


def test_a_fax_id_that_is_too_long_is_left_out_of_the_record() -> None:
    assert codec.decode_record(codec.encode_record(Record(fax_id="x" * 31))).fax_id == ""
    assert codec.decode_record(codec.encode_record(Record(fax_id="x" * 30))).fax_id == "x" * 30


def test_anything_but_64_bytes_is_no_record() -> None:
    with pytest.raises(struct.error):
        codec.decode_record(b"\0" * 71)


@given(st.lists(records, max_size=5))
def test_a_block_of_records_is_cut_where_they_were_joined(rows: list[Record]) -> None:
    raw = [codec.encode_record(row) for row in rows]
    assert codec.split_records(b"".join(raw)) == raw


@given(st.lists(recipients, min_size=1, max_size=20))
def test_recipients_survive_their_block(rows: list[Recipient]) -> None:
    assert codec.decode_recipients(codec.encode_recipients(rows)) == tuple(rows)


@given(st.lists(st.builds(RefusedRow, line=INT, number=TEXT, reason=TEXT, detail=TEXT), max_size=20))
def test_refused_rows_survive_their_chunk(rows: list[RefusedRow]) -> None:
    assert codec.decode_refused(codec.encode_refused(rows)) == rows


@given(st.lists(entries, min_size=1, max_size=5))
def test_a_history_survives_its_lines(history: list[HistoryEntry]) -> None:
    """The scripts join entries by line ends, so no entry may hold one, whatever the provider says in it."""
    lines = [codec.encode_entry(entry) for entry in history]
    assert codec.decode_history(b"\n".join(lines)) == history


@given(st.lists(NUMBERS, max_size=20))
def test_numbers_of_up_to_15_digits_are_packed_exactly(numbers: list[str]) -> None:
    raw = codec.pack_numbers(numbers)
    unpacked = struct.unpack(f"<{len(numbers)}d", raw)
    assert [f"+{value:.0f}" for value in unpacked] == numbers


@given(records, st.integers(len(CATEGORIES), 255), st.integers(len(ERROR_TYPES), 255))
def test_what_a_newer_process_wrote_is_read_and_written_back_as_it_was(
    record: Record, category: int, kind: int
) -> None:
    """While both run, an older one must neither fail nor forget it."""
    raw = bytearray(codec.encode_record(record))
    raw[12], raw[13] = category, kind
    read = codec.decode_record(bytes(raw))
    assert (read.failure.category, read.failure.error_type) == ("unknown", "other")
    assert codec.encode_record(read) == bytes(raw)
    changed = bytearray(codec.encode_record(replace(read, strikes=read.strikes ^ 1)))
    assert changed[12:14] == raw[12:14]
    judged = codec.encode_record(replace(read, failure=FailureCode(category="unknown", error_type="other")))
    assert (
        judged[12:14] == codec.encode_record(Record(failure=FailureCode(category="unknown", error_type="other")))[12:14]
    )


def test_a_history_of_a_newer_process_is_read_as_far_as_it_is_known() -> None:
    """What it says of a fax that only it knows is no reason to send another one."""
    line = b'{"attempt":1,"at_ms":2,"outcome":"teleported","fate":"lost in space","colour":"red","why":"so"}'
    (read,) = codec.decode_history(line)
    assert read == HistoryEntry(attempt=1, at_ms=2, outcome=AttemptOutcome.LATE, fate=FaxFate.UNFINISHED, why="so")
