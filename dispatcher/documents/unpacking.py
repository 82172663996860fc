"""Unpacks the streams of a PDF to see whether they are whole, more strictly than readers do."""

import zlib
from io import BytesIO
from typing import Any

from pikepdf import Array, Dictionary, Name, Pdf, PdfError, Stream

from dispatcher.documents.picture_data import BrokenPicture, ensure_group4, ensure_jpeg, is_group4, needed_bytes
from dispatcher.documents.refusals import RefusedDocument

#: bytes that all streams of a document may have together when they are unpacked; some forty pages scanned in colour
_MAX_UNPACKED = 1_000_000_000
_PIECE = 1 << 20
#: bytes of a stream that is unpacked further or read; others are only counted
_MAX_KEPT = 100_000_000
_JPEG = "/DCTDecode"
_FAX = "/CCITTFaxDecode"
#: what only PDFium unpacks, when it draws the page; of faxes those that are not Group 4
_LEFT_TO_DRAWING = frozenset({"/JPXDecode", "/JBIG2Decode", _FAX})
_PICTURE_FILTERS = _LEFT_TO_DRAWING | {_JPEG}
_SHORT = {
    "/Fl": "/FlateDecode",
    "/AHx": "/ASCIIHexDecode",
    "/A85": "/ASCII85Decode",
    "/LZW": "/LZWDecode",
    "/RL": "/RunLengthDecode",
    "/CCF": _FAX,
    "/DCT": _JPEG,
}


class BrokenStream(Exception):
    """Raised when a stream does not unpack."""


class Unpacker:
    """Unpacks streams of one document, up to a total size."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._unpacked = 0

    def unpack(self, stream: Any, *, keep: bool) -> bytes:
        """Return the content of a stream, or nothing unless it is to be kept. Pictures are never returned.

        Raises:
            BrokenStream: It is damaged.
            RefusedDocument: The document has too much in it.
        """
        names = filters(stream)
        try:
            data = stream.read_raw_bytes()
        except PdfError as error:
            raise BrokenStream from error
        if names and names[-1] in _PICTURE_FILTERS:
            self._unpack_picture(stream, data, names)
            return b""
        size = len(data)
        for position in range(len(names)):
            if not data:
                break
            data, size = self._without_filter(stream, data, position, keep=keep or position + 1 < len(names))
        if stream.get("/Subtype") == Name.Image and size < needed_bytes(stream, _parameters(stream, len(names) - 1)):
            raise BrokenStream
        return data if keep else b""

    def _unpack_picture(self, stream: Any, data: bytes, names: list[str]) -> None:
        for position in range(len(names) - 1):
            data, _ = self._without_filter(stream, data, position, keep=True)
        parameters = _parameters(stream, len(names) - 1)
        try:
            if names[-1] == _JPEG:
                ensure_jpeg(data)
            elif names[-1] == _FAX and is_group4(stream, parameters):
                ensure_group4(data, stream, parameters)
        except BrokenPicture as error:
            raise BrokenStream from error

    def _without_filter(self, stream: Any, data: bytes, position: int, *, keep: bool) -> tuple[bytes, int]:
        """Return what a filter unpacks, and its size."""
        name = filters(stream)[position]
        if name == "/FlateDecode":
            return self._inflated(data, keep=keep)
        if name != "/Crypt":  # decrypted already
            data = self._filtered(data, name, _parameters(stream, position))
        return data, len(data)

    def _inflated(self, data: bytes, *, keep: bool) -> tuple[bytes, int]:
        """Inflate to the end of the data and its checksum. Readers stop at the first fault and show what they have."""
        inflater, kept, size = zlib.decompressobj(), BytesIO(), 0
        while not inflater.eof:
            try:
                piece = inflater.decompress(data, _PIECE)
            except zlib.error as error:
                raise BrokenStream from error
            if not piece and not inflater.eof:
                raise BrokenStream
            data = inflater.unconsumed_tail
            self._count(len(piece))
            size += len(piece)
            if keep and kept.write(piece) and kept.tell() > _MAX_KEPT:
                raise RefusedDocument(
                    f"a part of the PDF unpacks to more than {_MAX_KEPT:,} bytes: print it to a new PDF"
                )
        return kept.getvalue(), size

    def _filtered(self, data: bytes, name: str, parameters: Any) -> bytes:
        early = parameters.get("/EarlyChange") if isinstance(parameters, Dictionary) else None
        packed = Stream(self._pdf, data, Filter=Name(name))
        if early is not None:
            packed.DecodeParms = Dictionary(EarlyChange=early)
        try:
            content = packed.read_bytes()
        except PdfError as error:
            raise BrokenStream from error
        self._count(len(content))
        return content

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > _MAX_UNPACKED:
            raise RefusedDocument(f"the PDF unpacks to more than {_MAX_UNPACKED:,} bytes: print it to a new PDF")


def filters(stream: Any) -> list[str]:
    """Return the names of a stream's filters, in the order in which they unpack it."""
    value = stream.get("/Filter")
    names = list(value) if isinstance(value, Array) else [] if value is None else [value]
    return [_SHORT.get(str(name), str(name)) for name in names]


def _parameters(stream: Any, position: int) -> Any:
    value = stream.get("/DecodeParms", stream.get("/DP"))
    if isinstance(value, Array):
        return value[position] if 0 <= position < len(value) else None
    return value


def checks_itself(stream: Any) -> bool:
    """Return whether a stream has a checksum, so that it proves itself what it was."""
    return "/FlateDecode" in filters(stream)


def drawn_only(stream: Any) -> bool:
    """Return whether only drawing unpacks a stream."""
    names = filters(stream)
    left = not _LEFT_TO_DRAWING.isdisjoint(names)
    return left and not (names[-1] == _FAX and is_group4(stream, _parameters(stream, len(names) - 1)))
