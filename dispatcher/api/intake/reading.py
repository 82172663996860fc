"""A recipient list as it arrives, to slices of accepted and refused rows."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from email.message import Message
from typing import Protocol

from anyio.lowlevel import checkpoint

from dispatcher.api.intake.countries import region_of_country
from dispatcher.api.intake.csv_decoder import CsvDecoder
from dispatcher.api.intake.e164 import region_of_e164
from dispatcher.api.intake.encoding import TextDecoder
from dispatcher.api.intake.errors import EmptyInput, UnknownDefaultCountry, UnsupportedContentType, WrongEncoding
from dispatcher.api.intake.json_decoders import JsonArrayDecoder, NdjsonDecoder
from dispatcher.api.intake.numbers import RefusedNumber, normalize_number
from dispatcher.api.intake.rows import Row, Slice, refused
from dispatcher.core.job import Recipient, RefusedRow

#: Bytes worked on between two looks at the event loop: some 300 rows, 15 ms where every number takes the library.
PIECE_BYTES = 16 * 1024


class _Decoder(Protocol):
    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]: ...


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "text/csv": CsvDecoder,
    "application/x-ndjson": NdjsonDecoder,
    "application/ndjson": NdjsonDecoder,
    "application/jsonl": NdjsonDecoder,
    "application/json": JsonArrayDecoder,
}
_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "utf-16")


async def read_rows(chunks: AsyncIterable[bytes], content_type: str, default_country: str = "") -> AsyncIterator[Slice]:
    """Read a recipient list from chunks of any size and yield every row once, in order, accepted or refused.

    ``content_type`` is ``text/csv``, ``application/x-ndjson`` or ``application/json``; ``default_country`` (ISO code,
    name or dialling code) counts for rows without a country. A slice has some hundred rows and is never empty.
    Raises IntakeError where the input cannot be read on; slices yielded before that stand.
    """
    decoder = _decoder(content_type)
    home = _default_region(default_country)
    text = TextDecoder()
    last_line = 0
    async for piece, final in _pieces(chunks):
        rows = decoder.feed(text.feed(piece, final), final)
        if rows:
            last_line = rows[-1].line
            yield _judged(rows, home)
        await checkpoint()
    if not last_line:
        raise EmptyInput("There is no recipient in the input.", "Send at least one row.")


def _decoder(content_type: str) -> _Decoder:
    header = Message()
    header["Content-Type"] = content_type
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _DECODERS:
        raise UnsupportedContentType(
            f"Recipients cannot be read from content type '{kind}'.",
            "Send text/csv, application/x-ndjson or application/json.",
        )
    charset = str(header.get_param("charset", "")).lower()
    if charset not in _CHARSETS:
        raise WrongEncoding(f"The content type says '{charset}'.", "Save the file as UTF-8 and send it again.")
    return _DECODERS[kind]()


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
    """Even out the chunks, so that neither tiny nor huge ones cost more; the last piece says so."""
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        end = len(buffer) - len(buffer) % PIECE_BYTES
        for start in range(0, end, PIECE_BYTES):
            yield bytes(buffer[start : start + PIECE_BYTES]), False
        del buffer[:end]
    yield bytes(buffer), True


def _judged(rows: Sequence[Row | RefusedRow], home: str | None) -> Slice:
    accepted: list[Recipient] = []
    turned_down: list[RefusedRow] = []
    for row in rows:
        if isinstance(row, RefusedRow):
            turned_down.append(row)
            continue
        number = row.number
        # normalize_number would say the same, in twice the time
        region = region_of_e164(number) if number.startswith("+") else None
        if region is None:
            result = normalize_number(number, row.country, home)
            if isinstance(result, RefusedNumber):
                turned_down.append(refused(row.line, number, result.reason, result.sentence))
                continue
            number, region = result
        accepted.append(
            Recipient(line=row.line, number=number, region=region, reference=row.reference, fields=row.fields)
        )
    return Slice(accepted, turned_down, rows[-1].line)
