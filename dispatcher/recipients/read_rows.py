"""Reads a recipient list as it arrives into slices of accepted and refused rows."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from email.message import Message
from typing import Protocol

from anyio.lowlevel import checkpoint

from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.csv_decoder import CsvDecoder
from dispatcher.recipients.e164 import region_of_e164
from dispatcher.recipients.encoding import TextDecoder
from dispatcher.recipients.errors import EmptyInput, UnknownDefaultCountry, UnsupportedContentType, WrongEncoding
from dispatcher.recipients.json_decoders import JsonArrayDecoder, NdjsonDecoder
from dispatcher.recipients.numbers import RefusedNumber, normalize_number
from dispatcher.recipients.rows import Row, Slice, refused

#: bytes processed before other tasks may run: some 300 rows, 15 ms if the library has to parse every number
PIECE_BYTES = 16 * 1024


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


async def read_rows(chunks: AsyncIterable[bytes], content_type: str, default_country: str = "") -> AsyncIterator[Slice]:
    """Read a recipient list and yield every row once, in order, accepted or refused.

    Args:
        chunks: The list in pieces of any size.
        content_type: ``text/csv``, ``application/x-ndjson`` or ``application/json``.
        default_country: Country of rows without one: ISO code, name or dialling code.

    Yields:
        Slices of some hundred rows; a slice is never empty.

    Raises:
        RecipientListError: The rest of the input cannot be read. Slices that were yielded before remain valid.
    """
    decoder = _decoder(content_type)
    home = _default_region(default_country)
    text = TextDecoder()
    last_line = 0
    async for piece, final in _pieces(chunks):
        rows = decoder.feed(text.feed(piece, final), final)
        if rows:
            last_line = rows[-1].line
            yield _normalized(rows, home)
        await checkpoint()
    if not last_line:
        raise EmptyInput("There is no recipient in the input.", "Send at least one row.")


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


async def _pieces(chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    """Yield pieces of equal size, so that neither tiny nor huge chunks cost more; True marks the last piece."""
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        end = len(buffer) - len(buffer) % PIECE_BYTES
        for start in range(0, end, PIECE_BYTES):
            yield bytes(buffer[start : start + PIECE_BYTES]), False
        del buffer[:end]
    yield bytes(buffer), True


def _normalized(rows: Sequence[Row | RefusedRow], home: str | None) -> Slice:
    accepted: list[Recipient] = []
    refused_rows: list[RefusedRow] = []
    for row in rows:
        if isinstance(row, RefusedRow):
            refused_rows.append(row)
            continue
        number = row.number
        # normalize_number gives the same result in twice the time
        region = region_of_e164(number) if number.startswith("+") else None
        if region is None:
            result = normalize_number(number, row.country, home)
            if isinstance(result, RefusedNumber):
                refused_rows.append(refused(row.line, number, result.reason, result.sentence))
                continue
            number, region = result
        accepted.append(
            Recipient(line=row.line, number=number, region=region, reference=row.reference, fields=row.fields)
        )
    return Slice(accepted, refused_rows, rows[-1].line)
