"""Reads a recipient list as it arrives into slices of accepted and refused rows.

Reading is CPU work: callers do it outside the event loop, one piece at a time.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from email.message import Message
from typing import Protocol

from dispatcher.core.destinations import DestinationRules
from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.csv_decoder import CsvDecoder
from dispatcher.recipients.encoding import TextDecoder
from dispatcher.recipients.errors import (
    EmptyInput,
    TooManyRefused,
    UnknownDefaultCountry,
    UnsupportedContentType,
    WrongEncoding,
)
from dispatcher.recipients.json_decoders import JsonArrayDecoder, NdjsonDecoder
from dispatcher.recipients.number_reader import NumberReader
from dispatcher.recipients.refusal_reasons import RefusedNumber
from dispatcher.recipients.rows import Row, Slice, refused

#: bytes that are read at once: some 500 rows, 25 ms if the library has to parse every number
PIECE_BYTES = 32 * 1024
#: refused rows of a list after which the rest is not read
MAX_REFUSED_ROWS = 100_000


class _RowDecoder(Protocol):
    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]: ...


_DECODERS: dict[str, Callable[[], _RowDecoder]] = {
    "text/csv": CsvDecoder,
    "application/x-ndjson": NdjsonDecoder,
    "application/ndjson": NdjsonDecoder,
    "application/jsonl": NdjsonDecoder,
    "application/json": JsonArrayDecoder,
}
_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "utf-16")


class RowReader:
    """Reads one recipient list, piece by piece; every row comes out once, in order, accepted or refused."""

    def __init__(self, content_type: str, default_country: str = "", rules: DestinationRules | None = None) -> None:
        """Create a reader.

        Args:
            content_type: ``text/csv``, ``application/x-ndjson`` or ``application/json``.
            default_country: Country of rows without one: ISO code, name or dialling code.
            rules: Which numbers may be dialled; the rules of a policy without changes by default.

        Raises:
            UnsupportedContentType: The content type is none of these.
            UnknownDefaultCountry: There is no such country.
        """
        self._decoder = _decoder(content_type)
        self._numbers = NumberReader(_default_region(default_country), rules)
        self._text = TextDecoder()
        self._last_line = 0
        self._refused = 0

    def read(self, piece: bytes, final: bool = False) -> Slice:
        """Read the next piece of the list. ``final`` marks its end.

        Raises:
            RecipientListError: The rest of the list cannot be read. Earlier slices remain valid.
        """
        rows = self._decoder.feed(self._text.feed(piece, final), final)
        if rows:
            self._last_line = rows[-1].line
        elif final and not self._last_line:
            raise EmptyInput("There is no recipient in the input.", "Send at least one row.")
        read = _normalized(rows, self._numbers)
        self._refused += len(read.refused)
        if self._refused > MAX_REFUSED_ROWS:
            raise _too_many_refused(read.refused[-1])
        return read


def _too_many_refused(last: RefusedRow) -> TooManyRefused:
    return TooManyRefused(
        f"More than {MAX_REFUSED_ROWS:,} rows of the list are refused. Of this one: {last.detail}",
        "Correct the list and send it into a new batch.",
        last.line,
    )


def _decoder(content_type: str) -> _RowDecoder:
    header = Message()
    header["Content-Type"] = content_type
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _DECODERS:
        raise UnsupportedContentType(
            f"Recipients cannot be read from content type '{media_type}'.",
            "Send text/csv, application/x-ndjson or application/json.",
        )
    charset = str(header.get_param("charset", "")).lower()
    if charset not in _CHARSETS:
        raise WrongEncoding(f"The content type says '{charset}'.", "Save the file as UTF-8 and send it again.")
    return _DECODERS[media_type]()


def _default_region(country: str) -> str | None:
    if not country.strip():
        return None
    region = region_of_country(country)
    if region is None:
        raise UnknownDefaultCountry(
            f"The default country '{country[:40]}' is not known.", "Give an ISO code such as DE or a dialling code."
        )
    return region


async def pieces(chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    """Yield pieces of equal size, so that neither tiny nor huge chunks cost more; True marks the last piece."""
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        end = len(buffer) - len(buffer) % PIECE_BYTES
        for start in range(0, end, PIECE_BYTES):
            yield bytes(buffer[start : start + PIECE_BYTES]), False
        del buffer[:end]
    yield bytes(buffer), True


def _normalized(rows: Sequence[Row | RefusedRow], numbers: NumberReader) -> Slice:
    accepted: list[Recipient] = []
    refused_rows: list[RefusedRow] = []
    for row in rows:
        if isinstance(row, RefusedRow):
            refused_rows.append(row)
            continue
        result = numbers.read(row.number, row.country)
        if isinstance(result, RefusedNumber):
            refused_rows.append(refused(row.line, row.number, result.reason, result.sentence))
            continue
        number, region = result
        accepted.append(
            Recipient(line=row.line, number=number, region=region, reference=row.reference, fields=row.fields)
        )
    return Slice(accepted, refused_rows)
