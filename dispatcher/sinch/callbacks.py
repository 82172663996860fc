"""Reads the provider's callbacks without storing the document that they contain.

The provider does not sign callbacks, so the input may be anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dispatcher.core.outcome import FaxUpdate
from dispatcher.sinch.coerce import json_object, mapping, text
from dispatcher.sinch.errors import CallbackError, UnreadableError
from dispatcher.sinch.wire import fax_update

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FAX_COMPLETED = "FAX_COMPLETED"
INCOMING_FAX = "INCOMING_FAX"

#: Maximum size of the part ``fax``, and of a JSON body without long strings. A fax has about 2 kB, but it repeats the
#: merge fields of its cover page, which have up to 1 MB in a request for one fax, and less in a row of a list. The
#: provider may write each character as an escape, which has three times as many bytes.
MAX_FAX_BYTES = 4 * 1024 * 1024
#: maximum size of the parts ``event`` and ``eventTime``
MAX_FIELD_BYTES = 64 * 1024
#: longer strings of a JSON body, such as the document, count as empty
MAX_STRING_BYTES = 16 * 1024
#: maximum strings in a JSON body; a fax with a cover page has up to 1,200
_MAX_STRINGS = 10_000
#: maximum bytes of the name and of the value of a part's header, and maximum characters of the content type
_MAX_HEADER_BYTES = 4 * 1024

_EVENT_CHARS = 64

#: parts that are stored, and their maximum size; all others, such as ``file``, are discarded
_STORED_PARTS = {"event": MAX_FIELD_BYTES, "eventTime": MAX_FIELD_BYTES, "fax": MAX_FAX_BYTES}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackEvent:
    """A callback.

    Callers acknowledge and count events other than the two documented ones.
    """

    event: str
    #: what it says about its fax; None if it contains no fax
    update: FaxUpdate | None
    fax_id: str = ""


def parse_json(body: bytes | bytearray) -> CallbackEvent:
    """Read a JSON callback.

    Raises:
        CallbackError: the body is not a callback.
    """
    fields = json_object(body)
    if fields is None:
        raise CallbackError("the body is not a JSON object")
    return _event(fields.get("event"), fields.get("fax"))


class CallbackReader:
    """Reads one callback of either content type while it arrives: ``feed`` each chunk, then ``finish``.

    The document is discarded while it arrives. The caller limits the total size.
    """

    def __init__(self, content_type: str) -> None:
        media_type, options = parse_options_header(content_type[:_MAX_HEADER_BYTES].encode("latin-1", "replace"))
        self._json = _JsonWithoutDocument()
        self._multipart: _MultipartFields | None = None
        if media_type == b"multipart/form-data":
            self._multipart = _MultipartFields(options.get(b"boundary", b""))

    def feed(self, chunk: bytes) -> None:
        """Read the next chunk of the body.

        Raises:
            CallbackError: the body is not a callback.
        """
        if self._multipart is None:
            self._json.feed(chunk)
        else:
            self._multipart.feed(chunk)

    def finish(self) -> CallbackEvent:
        """Return the callback after its last chunk.

        Raises:
            CallbackError: the body is not a callback.
        """
        if self._multipart is None:
            return parse_json(self._json.kept)
        fields = self._multipart.finish()
        return _event(fields.get("event"), fields.get("fax"))


class _JsonWithoutDocument:
    """Keeps a JSON text, with an empty string in place of each one that is longer than ``MAX_STRING_BYTES``."""

    #: strings that end, with what is between them
    _WHOLE_STRINGS = re.compile(rb'(?:[^"]*+"[^"]*+")*+')
    #: what belongs to a string; without its end, which may be in a later chunk
    _IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)

    def __init__(self) -> None:
        self.kept = bytearray()
        #: where the present string begins in what is kept; None outside of strings
        self._string: int | None = None
        self._strings = 0
        self._is_long = False
        self._is_escaped = False

    def feed(self, chunk: bytes) -> None:
        position = 0
        while position < len(chunk):
            if self._string is None:
                position = self._feed_structure(chunk, position)
            else:
                position = self._feed_string(chunk, position, self._string)
            if len(self.kept) > MAX_FAX_BYTES or self._strings > _MAX_STRINGS:
                raise CallbackError("the body is too large")

    def _feed_structure(self, chunk: bytes, start: int) -> int:
        start = self._feed_short_strings(chunk, start)
        end = chunk.find(b'"', start) + 1
        self.kept += chunk[start : end or start + MAX_FAX_BYTES + 1]
        if end:
            self._string, self._is_long = len(self.kept), False
            self._strings += 1
        return end or len(chunk)

    def _feed_short_strings(self, chunk: bytes, start: int) -> int:
        """Keep the next strings at once, as far as they surely are short and nothing is escaped in them."""
        window = start + MAX_STRING_BYTES
        escape = chunk.find(b"\\", start, window)
        match = self._WHOLE_STRINGS.match(chunk, start, window if escape < 0 else escape)
        end = match.end() if match else start
        self.kept += chunk[start:end]
        self._strings += chunk.count(b'"', start, end) // 2
        return end

    def _feed_string(self, chunk: bytes, start: int, string: int) -> int:
        end = self._string_end(chunk, start + self._is_escaped)
        self._is_escaped = chunk[end : end + 1] == b"\\"  # the last byte: what it escapes is in the next chunk
        end += self._is_escaped
        self._is_long = self._is_long or len(self.kept) - string + end - start > MAX_STRING_BYTES
        if self._is_long:
            del self.kept[string:]
        else:
            self.kept += chunk[start:end]
        if end < len(chunk):
            self.kept += b'"'
            self._string = None
        return end + 1

    def _string_end(self, chunk: bytes, start: int) -> int:
        """Return where the string ends: at its quote, at an escape that the chunk cuts in two, or with the chunk."""
        quote = chunk.find(b'"', start)
        end = quote if quote >= 0 else len(chunk)
        if chunk.find(b"\\", start, end) < 0:  # as in every document: ten times as quick as the expression
            return end
        match = self._IN_STRING.match(chunk, start)
        return match.end() if match else len(chunk)


class _Preamble:
    """Drops what comes before the first boundary of a multipart body, which the parser would refuse.

    RFC 2046, section 5.1.1, allows any text there. What follows the last boundary is dropped by the parser.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\n--" + boundary
        #: the end of what has been dropped: a boundary may begin in it. The body begins like a line
        self._end = b"\n"

    def rest(self, chunk: bytes) -> bytes:
        """Return what follows the preamble; nothing before its end."""
        if self._end == b"\n" and chunk.startswith(self._delimiter[1:]):  # nearly always: nothing is copied
            return chunk
        text = self._end + chunk
        start = text.find(self._delimiter)
        if start >= 0:
            return text[start + 1 :]
        self._end = text[-len(self._delimiter) + 1 :]
        return b""


class _MultipartFields:
    """Reads the stored parts of a multipart body. It implements the callbacks of ``MultipartParser``.

    If a name is repeated, its first part counts.
    """

    def __init__(self, boundary: bytes) -> None:
        if not boundary:
            raise CallbackError("the multipart body names no boundary")
        self._fields: dict[str, bytearray] = {}
        self._ended = False
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._part: bytearray | None = None
        self._max_bytes = 0
        self._preamble: _Preamble | None = _Preamble(boundary)
        try:
            self._parser = MultipartParser(boundary, _callbacks(self))
        except FormParserError as error:
            raise CallbackError(f"the multipart body cannot be read: {error}") from error

    def feed(self, chunk: bytes) -> None:
        if self._preamble is not None:
            chunk = self._preamble.rest(chunk)
            if not chunk:
                return
            self._preamble = None
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise CallbackError(f"the multipart body cannot be read: {error}") from error

    def finish(self) -> dict[str, str]:
        if not self._ended:
            raise CallbackError("the multipart body is cut off")
        return {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}

    def part_begin(self) -> None:
        self._disposition = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += self._checked_header(self._header_name, data, start, end)

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += self._checked_header(self._header_value, data, start, end)

    @staticmethod
    def _checked_header(before: bytes, data: bytes, start: int, end: int) -> bytes:
        if len(before) + end - start > _MAX_HEADER_BYTES:
            raise CallbackError("a header of the multipart body is too large")
        return data[start:end]

    def header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def headers_finished(self) -> None:
        name = _field_name(self._disposition)
        is_stored = name in _STORED_PARTS and name not in self._fields
        self._part = self._fields.setdefault(name, bytearray()) if is_stored else None
        self._max_bytes = _STORED_PARTS.get(name, 0)

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is None:
            return
        if len(self._part) + end - start > self._max_bytes:
            raise CallbackError("a field of the multipart body is too large")
        self._part += data[start:end]

    def end(self) -> None:
        self._ended = True


@lru_cache(maxsize=64)  # every callback has the same names
def _field_name(disposition: bytes) -> str:
    _, options = parse_options_header(disposition)
    return options.get(b"name", b"").decode("utf-8", "replace")


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
        update = fax_update(_fax_object(fax))
    except UnreadableError as error:
        if name in {FAX_COMPLETED, INCOMING_FAX}:
            raise CallbackError(f"{name} with {error}") from error
        return CallbackEvent(event=name, update=None)
    return CallbackEvent(event=name, update=update, fax_id=update.fax_id)


def _fax_object(fax: object) -> Mapping[str, object]:
    return (json_object(fax) or {}) if isinstance(fax, str) else mapping(fax)
