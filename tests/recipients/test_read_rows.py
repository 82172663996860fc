"""A recipient list in, slices of accepted and refused rows out."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterable

import pytest

from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.recipients import rows as module
from dispatcher.recipients.errors import (
    BrokenJson,
    EmptyInput,
    TooManyRefused,
    UnknownDefaultCountry,
    UnsupportedContentType,
    WrongEncoding,
)
from dispatcher.recipients.lines import ROW_CHARACTERS
from dispatcher.recipients.read_rows import RowReader, pieces
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Slice


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def read(data: bytes, content_type: str, country: str = "", size: int = 1000) -> list[Slice]:
    async def gather() -> list[Slice]:
        rows = RowReader(content_type, country)
        chunks = stream(data[start : start + size] for start in range(0, len(data), size))
        return [rows.read(piece, final) async for piece, final in pieces(chunks)]

    return [part for part in asyncio.run(gather()) if part.accepted or part.refused]


@pytest.mark.parametrize("size", [1, 1000, 10**6])
def test_a_messy_csv_file_is_accounted_for_line_by_line(size: int) -> None:
    data = (
        "\ufeffKunden-Nr;Firma;Telefax;Land\r\n"
        '1;"Müller; Söhne";030 23125-123;DE\r\n'
        "2;Smith;020 7946 0958 x12;UK\r\n"
        "3;Nobody;;UK\r\n"
        "4;Acme;(202) 555-0143;\r\n"
    ).encode()
    (part,) = read(data, "text/csv; charset=UTF-8", "US", size)
    assert part.accepted == [
        Recipient(line=2, number="+493023125123", region="DE", reference="1", fields={"Firma": "Müller; Söhne"}),
        Recipient(line=5, number="+12025550143", region="US", reference="4", fields={"Firma": "Acme"}),
    ]
    assert [(row.line, row.number, row.reason) for row in part.refused] == [
        (3, "020 7946 0958 x12", RefusalReason.EXTENSION),
        (4, "", RefusalReason.EMPTY),
    ]


def test_ndjson_and_json_are_read_by_their_content_types() -> None:
    expected = [Slice([Recipient(line=1, number="+12025550143", region="US")], [])]
    assert read(b'{"number": "+12025550143"}\n', "application/x-ndjson") == expected
    assert read(b'["+1 202 555 0143"]', "application/json") == expected


def test_a_refused_number_is_shown_as_given_and_cut_to_forty_characters() -> None:
    (part,) = read(b'["' + b"x" * 50 + b'"]', "application/json")
    reason = RefusalReason.NOT_A_NUMBER
    assert part.refused == [RefusedRow(line=1, number="x" * 40, reason=reason, detail=reason.sentence)]


def test_slices_follow_one_another_without_gap_or_overlap() -> None:
    data = b"fax\n" + b"+12025550143\n" * 5000
    parts = read(data, "text/csv", size=4096)
    assert len(parts) > 1
    assert [row.line for part in parts for row in part.accepted] == list(range(2, 5002))


@pytest.mark.parametrize("data", [b"", b"\n\n", b"fax\n", b"[]"])
def test_an_input_without_a_row_is_an_error(data: bytes) -> None:
    with pytest.raises(EmptyInput):
        read(data, "application/json" if data == b"[]" else "text/csv")


def test_an_unknown_content_type_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(UnsupportedContentType, match="text/csv, application/x-ndjson or application/json"):
        read(b"fax", "application/pdf")


def test_a_declared_encoding_that_is_not_unicode_is_an_error() -> None:
    with pytest.raises(WrongEncoding, match="iso-8859-1"):
        read(b"fax", 'text/csv; charset="ISO-8859-1"')


def test_a_default_country_that_is_none_is_an_error() -> None:
    with pytest.raises(UnknownDefaultCountry, match="Narnia"):
        read(b"fax\n1", "text/csv", "Narnia")


def test_rows_before_a_fault_are_delivered_before_the_error() -> None:
    rows = RowReader("application/json")
    good = rows.read(b'["+12025550143"' + b',"+12025550143"' * 5000)
    assert len(good.accepted) == 5000
    with pytest.raises(BrokenJson) as raised:
        rows.read(b" oops", final=True)
    assert raised.value.line == 5001


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-ndjson", "application/json"])
def test_memory_does_not_grow_with_the_input(content_type: str) -> None:
    def chunks(rows: int) -> Iterable[bytes]:
        first, row, last = {
            "text/csv": (b"fax,name\n+12025550143,A\n", b"+12025550143,A\n", b""),
            "application/x-ndjson": (b"", b'{"fax":"+12025550143"}\n', b""),
            "application/json": (b'["+12025550143"', b',"+12025550143"', b"]"),
        }[content_type]
        yield first
        for _ in range(rows // 100):
            yield row * 100
        yield last

    async def peak(rows: int) -> int:
        tracemalloc.start()
        reader = RowReader(content_type)
        async for piece, final in pieces(stream(chunks(rows))):
            reader.read(piece, final)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    few, many = asyncio.run(peak(2_000)), asyncio.run(peak(20_000))
    assert many < few * 1.5


def test_a_list_of_refused_rows_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 MB of ``x`` behind a quotation mark that nobody closes would be 15 million refused rows."""
    monkeypatch.setattr(module, "MAX_REFUSED_ROWS", 1_000)
    rows = RowReader("text/csv")
    rows.read(b'fax\n"' + b"x\n" * 100)
    with pytest.raises(TooManyRefused, match="More than 1,000 rows of the list are refused"):
        rows.read(b"x\n" * ROW_CHARACTERS)
