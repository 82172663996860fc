"""Bytes become text whatever the chunks are, or the fault is named with its line and byte."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.recipients.encoding import TextDecoder
from dispatcher.recipients.errors import NotText, WrongEncoding


def decode(data: bytes, size: int = 7) -> str:
    decoder = TextDecoder()
    parts = [decoder.feed(data[start : start + size]) for start in range(0, len(data), size)]
    return "".join(parts) + decoder.feed(b"", final=True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_unicode_with_a_mark_or_without_is_decoded_from_chunks_of_any_size(encoding: str, size: int) -> None:
    assert decode("Größe;ñ\n漢字;😀".encode(encoding), size) == "Größe;ñ\n漢字;😀"


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_every_kind_of_line_end_becomes_a_newline(size: int) -> None:
    assert decode(b"a\r\nb\rc\nd\r\n\r\n\r", size) == "a\nb\nc\nd\n\n\n"


def test_a_short_text_is_not_held_back_at_the_end() -> None:
    assert decode(b"a", 1) == "a"
    assert decode(b"", 1) == ""


@pytest.mark.parametrize("size", [1, 2, 3, 4, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_byte_of_another_encoding_is_named_with_line_and_position(size: int, end: bytes) -> None:
    data = b"fax" + end + b"M\xc3\xbcller" + end + b"M\xfcller" + end
    with pytest.raises(WrongEncoding) as caught:
        decode(data, size)
    assert caught.value.line == 3
    assert f"Byte {data.index(0xFC) + 1} (0xfc) is not UTF-8." in str(caught.value)
    assert "UTF-8" in caught.value.what_to_do


def test_text_that_ends_inside_a_character_is_refused() -> None:
    with pytest.raises(WrongEncoding):
        decode("fax\nü".encode()[:-1])
    with pytest.raises(WrongEncoding):
        decode("fax".encode("utf-16")[:-1])


def test_utf16_without_a_mark_is_refused_for_its_zero_bytes() -> None:
    with pytest.raises(NotText) as caught:
        decode("fax\n+12025550143".encode("utf-16-le"))
    assert caught.value.line == 1


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1", b"%PDF-1.7"])
def test_a_workbook_or_document_is_named_as_such(start: bytes) -> None:
    with pytest.raises(NotText, match=r"This is (a|an) "):
        decode(start + b"rest")


def test_utf32_is_refused() -> None:
    with pytest.raises(WrongEncoding, match="UTF-32"):
        decode(codecs.BOM_UTF32_LE + "fax".encode("utf-32-le"))


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_are_text_or_a_named_error(data: bytes, size: int) -> None:
    try:
        decode(data, size)
    except (NotText, WrongEncoding) as error:
        assert error.what_to_do  # noqa: PT017  # either outcome is right
