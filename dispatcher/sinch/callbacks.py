"""The provider's callbacks, read without keeping the document that they carry.

Nothing here trusts its input: the provider does not sign, so anything may arrive at the address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dispatcher.core.outcome import FaxUpdate
from dispatcher.sinch.coerce import json_object, mapping, text
from dispatcher.sinch.errors import CallbackError, UnreadableError
from dispatcher.sinch.wire import news

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FAX_COMPLETED = "FAX_COMPLETED"
INCOMING_FAX = "INCOMING_FAX"

#: largest ``event``, ``eventTime`` or ``fax`` part; a fax has 2 kB
LARGEST_FIELD_BYTES = 256 * 1024

_EVENT_CHARS = 64

#: parts that are kept; all others, above all ``file``, are dropped as they come
_KEPT = frozenset({"event", "eventTime", "fax"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackEvent:
    """One callback. Events other than the two that are documented are to be acknowledged and counted."""

    event: str
    #: what it says of its fax; None when it names none
    news: FaxUpdate | None
    fax_id: str = ""


def parse_json(body: bytes | bytearray) -> CallbackEvent:
    """Read a JSON callback. Raises CallbackError."""
    told = json_object(body)
    if told is None:
        raise CallbackError("the body is not a JSON object")
    return _event(told.get("event"), told.get("fax"))


class CallbackReader:
    """Reads one callback of either content type as its bytes arrive: ``feed`` each piece, then ``finish``.

    A multipart document is dropped as it passes; a JSON body is held until the end. The total size is for the
    receiver to bound. Both methods raise CallbackError.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type.encode("latin-1", "replace"))
        self._json = bytearray()
        self._parts: _MultipartFields | None = None
        if kind == b"multipart/form-data":
            self._parts = _MultipartFields(options.get(b"boundary", b""))

    def feed(self, piece: bytes) -> None:
        if self._parts is None:
            self._json += piece
        else:
            self._parts.feed(piece)

    def finish(self) -> CallbackEvent:
        if self._parts is None:
            return parse_json(self._json)
        kept = self._parts.finish()
        return _event(kept.get("event"), kept.get("fax"))


class _MultipartFields:
    """The kept parts of a multipart body, by name. A part that comes twice counts once, as it came first."""

    def __init__(self, boundary: bytes) -> None:
        if not boundary:
            raise CallbackError("the multipart body names no boundary")
        self._kept: dict[str, bytearray] = {}
        self._ended = False
        self._field = b""
        self._value = b""
        self._disposition = b""
        self._part: bytearray | None = None
        try:
            self._parser = MultipartParser(boundary, _callbacks(self))
        except FormParserError as exc:
            raise CallbackError(f"the multipart body cannot be read: {exc}") from exc

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as exc:
            raise CallbackError(f"the multipart body cannot be read: {exc}") from exc

    def finish(self) -> dict[str, str]:
        if not self._ended:
            raise CallbackError("the multipart body is cut off")
        return {name: value.decode("utf-8", "replace") for name, value in self._kept.items()}

    def part_begin(self) -> None:
        self._disposition = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        wanted = name in _KEPT and name not in self._kept
        self._part = self._kept.setdefault(name, bytearray()) if wanted else None

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is None:
            return
        if len(self._part) + end - start > LARGEST_FIELD_BYTES:
            raise CallbackError("a field of the multipart body is too large")
        self._part += data[start:end]

    def end(self) -> None:
        self._ended = True


def _callbacks(parts: _MultipartFields) -> "MultipartCallbacks":
    return {
        "on_part_begin": parts.part_begin,
        "on_header_field": parts.header_field,
        "on_header_value": parts.header_value,
        "on_header_end": parts.header_end,
        "on_headers_finished": parts.headers_finished,
        "on_part_data": parts.part_data,
        "on_end": parts.end,
    }


def _event(event: object, fax: object) -> CallbackEvent:
    name = text(event, _EVENT_CHARS)
    if not name:
        raise CallbackError("the callback names no event")
    try:
        read = news(_fax_object(fax))
    except UnreadableError as exc:
        if name in {FAX_COMPLETED, INCOMING_FAX}:
            raise CallbackError(f"{name} with {exc}") from exc
        return CallbackEvent(event=name, news=None)
    return CallbackEvent(event=name, news=read, fax_id=read.fax_id)


def _fax_object(fax: object) -> Mapping[str, object]:
    return (json_object(fax) or {}) if isinstance(fax, str) else mapping(fax)
