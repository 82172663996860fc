"""Decodes bytes to text piece by piece: byte order marks, line ends, and files that are not text."""

import codecs
import io

from dispatcher.recipients.errors import NotText, WrongEncoding

#: bytes needed to recognize a byte order mark
_SNIFFED_BYTES = 4

_SAVE_AS_UTF8 = "Save the file as UTF-8 (in Excel: 'CSV UTF-8') and send it again."

_BINARY = {
    b"PK\x03\x04": "This is a workbook or a ZIP archive.",
    b"\xd0\xcf\x11\xe0": "This is an old Excel workbook.",
    b"%PDF": "This is a PDF document.",
}


class TextDecoder:
    """Decodes UTF-8 (with or without byte order mark) and UTF-16 (with one); every line end becomes ``\\n``."""

    def __init__(self) -> None:
        self._start = b""
        self._bytes: codecs.IncrementalDecoder | None = None
        self._line_ends = io.IncrementalNewlineDecoder(None, translate=True)
        self._lines_before = 0
        self._bytes_before = 0

    def feed(self, data: bytes, final: bool = False) -> str:
        """Decode the next bytes.

        Args:
            data: The bytes that follow the bytes of the call before.
            final: Whether this is the end of the input.

        Raises:
            WrongEncoding: The bytes are neither UTF-8 nor UTF-16 with a byte order mark.
            NotText: The input is a binary file.
        """
        if self._bytes is None:
            data, self._start = self._start + data, b""
            if len(data) < _SNIFFED_BYTES and not final:
                self._start = data
                return ""
            self._bytes = codecs.getincrementaldecoder(_sniff(data))()
        text = self._decode(self._bytes, data, final)
        if "\0" in text:
            line = self._lines_before + text[: text.index("\0")].count("\n") + 1
            raise NotText("There is a zero byte, so this is not text in UTF-8.", _SAVE_AS_UTF8, line)
        self._lines_before += text.count("\n")
        self._bytes_before += len(data)
        return text

    def _decode(self, decoder: codecs.IncrementalDecoder, data: bytes, final: bool) -> str:
        try:
            return self._line_ends.decode(decoder.decode(data, final), final)
        except UnicodeDecodeError as error:
            raise self._located(error, data) from error

    def _located(self, error: UnicodeDecodeError, data: bytes) -> WrongEncoding:
        """Return the error with its line and byte; its bytes begin with the rest of the piece before."""
        good = self._line_ends.decode(error.object[: error.start].decode(error.encoding, "ignore"), final=True)
        line = self._lines_before + good.count("\n") + 1
        position = self._bytes_before + len(data) - len(error.object) + error.start + 1
        value = error.object[error.start]
        name = "UTF-16" if error.encoding.startswith("utf-16") else "UTF-8"
        return WrongEncoding(f"Byte {position} (0x{value:02x}) is not {name}.", _SAVE_AS_UTF8, line)


def _sniff(start: bytes) -> str:
    for magic, sentence in _BINARY.items():
        if start.startswith(magic):
            raise NotText(sentence, "Export the recipients as CSV in UTF-8 and send that file.")
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise WrongEncoding("The file is UTF-32.", _SAVE_AS_UTF8, 1)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"
