"""Reads a recipient list as it arrives into slices of accepted and refused rows.

Reading is CPU work: callers do it outside the event loop, one piece at a time.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from email.message import Message
from typing import Protocol

from dispatcher.core.destinations import DestinationRules
from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.recipients.columns.columns import Columns
from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions, Role
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.csv_decoder import CsvDecoder
from dispatcher.recipients.encoding import TextDecoder
from dispatcher.recipients.errors import (
    EmptyInput,
    UnknownDefaultCountry,
    UnsupportedContentType,
    WrongEncoding,
)
from dispatcher.recipients.json_decoders import JsonArrayDecoder, NdjsonDecoder
from dispatcher.recipients.number_reader import NumberReader
from dispatcher.recipients.refusal_reasons import RefusedNumber
from dispatcher.recipients.rows import Row, Slice, ensure_few_refused, refused
from dispatcher.recipients.workbook_decoder import WorkbookDecoder

#: bytes that are read at once: some 500 rows, 25 ms if the library has to parse every number
PIECE_BYTES = 32 * 1024


class _RowDecoder(Protocol):
    @property
    def columns(self) -> Columns | None: ...

    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]: ...


class _SniffingDecoder:
    """Decodes a list of a type that says little: the first character tells JSON from NDJSON and CSV."""

    def __init__(self, options: ColumnOptions) -> None:
        self._options = options
        self._start = ""
        self._decoder: _RowDecoder | None = None

    @property
    def columns(self) -> Columns | None:
        return self._decoder.columns if self._decoder else None

    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]:
        if self._decoder is None:
            self._start += text
            first = self._start.lstrip()[:1]
            if not first and not final and len(self._start) < PIECE_BYTES:
                return []
            text, self._start = self._start, ""
            self._decoder = self._decoder_of(first)
        return self._decoder.feed(text, final)

    def _decoder_of(self, first: str) -> _RowDecoder:
        match first:
            case "[":
                return JsonArrayDecoder(self._options)
            case "{":
                return NdjsonDecoder(self._options)
        return CsvDecoder(self._options)


_DECODERS: dict[str, Callable[[ColumnOptions], _RowDecoder]] = {
    "text/csv": CsvDecoder,
    "text/tab-separated-values": CsvDecoder,
    "application/csv": CsvDecoder,
    "application/x-ndjson": NdjsonDecoder,
    "application/ndjson": NdjsonDecoder,
    "application/jsonl": NdjsonDecoder,
    "application/x-jsonlines": NdjsonDecoder,
    "application/json": JsonArrayDecoder,
    # browsers and mail programs give these to CSV, too
    "application/vnd.ms-excel": _SniffingDecoder,
    "application/octet-stream": _SniffingDecoder,
    "": _SniffingDecoder,
}
_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "utf-16")


class RowReader:
    """Reads one recipient list, piece by piece; every row comes out once, in order, accepted or refused."""

    def __init__(
        self,
        content_type: str,
        default_country: str = "",
        rules: DestinationRules | None = None,
        options: ColumnOptions = NOTHING_NAMED,
        *,
        workbook: bool = False,
    ) -> None:
        """Create a reader.

        Args:
            content_type: The type of CSV, NDJSON or JSON; any other text type, or none, if the text shows what it is.
            default_country: Country of rows without one: ISO code, name or dialling code.
            rules: Which numbers may be dialled; the rules of a policy without changes by default.
            options: What the caller says about the columns.
            workbook: The list is not of this type: it is what ``workbook_rows`` writes.

        Raises:
            UnsupportedContentType: The content type is none of these.
            UnknownDefaultCountry: There is no such country.
        """
        self._home = _default_region(default_country)
        options = options._replace(home=self._home or "")
        self._decoder = WorkbookDecoder(options) if workbook else _decoder(content_type, options)
        self._numbers = NumberReader(self._home, rules)
        self._text = TextDecoder()
        self._last_line = 0
        self._refused = 0
        #: accepted rows in national form that name no country, so that the default country was assumed
        self.assumed = 0

    @property
    def columns(self) -> dict[Role, tuple[str, ...]]:
        """The names of the columns that are used; empty as long as they are not known."""
        columns = self._decoder.columns
        return columns.taken() if columns else {}

    @property
    def home(self) -> str:
        """The default country as two letters, or empty."""
        return self._home or ""

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
        read, assumed = _normalized(rows, self._numbers)
        self.assumed += assumed
        self._refused += len(read.refused)
        if read.refused:
            ensure_few_refused(self._refused, read.refused[-1], "Correct the list and send it into a new batch.")
        return read


def _decoder(content_type: str, options: ColumnOptions) -> _RowDecoder:
    header = Message()
    header["Content-Type"] = content_type
    media_type = content_type.partition(";")[0].strip().lower()
    decoder = _DECODERS.get(media_type, _SniffingDecoder if media_type.startswith("text/") else None)
    if decoder is None:
        raise UnsupportedContentType(
            f"Recipients cannot be read from content type '{media_type}'.",
            "Send text/csv, application/x-ndjson or application/json, or a workbook.",
        )
    charset = str(header.get_param("charset", "")).lower()
    if charset not in _CHARSETS:
        raise WrongEncoding(f"The content type says '{charset}'.", "Save the file as UTF-8 and send it again.")
    return decoder(options)


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


def _normalized(rows: Sequence[Row | RefusedRow], numbers: NumberReader) -> tuple[Slice, int]:
    """Return the rows with their numbers in E.164, and how many of them are in the default country by assumption."""
    assumed = 0
    accepted: list[Recipient] = []
    refused_rows: list[RefusedRow] = []
    for row in rows:
        if isinstance(row, RefusedRow):
            refused_rows.append(row)
            continue
        number = row.number
        region = None if row.area_code else numbers.allowed_region(number)
        if region is None:
            result = numbers.read(number, row.country, row.area_code)
            if isinstance(result, RefusedNumber):
                refused_rows.append(refused(row.line, number, result.reason, result.sentence))
                continue
            number, region = result
            if not row.country and number != row.number:
                assumed += not row.number.lstrip().startswith(("+", "(+", "00"))
        accepted.append(Recipient(row.line, number, region, row.reference, row.fields))
    return Slice(accepted, refused_rows), assumed
