from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from dispatcher.core.options import FaxOptions
from dispatcher.sinch.body import PIECE_BYTES
from dispatcher.sinch.order import FaxOrder, json_body, multipart_body


def parts(order: FaxOrder) -> list[tuple[str, str | None, bytes]]:
    """Return name, file name and content of each part, as another implementation reads them."""
    body = multipart_body(order)
    joined = b"".join(body.chunks())
    assert len(joined) == body.length
    message = BytesParser().parsebytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + joined)
    parts_read = []
    for part in message.get_payload():
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts_read.append((str(part.get_param("name", header="content-disposition")), part.get_filename(), content))
    return parts_read


def test_fields_go_out_as_text_in_the_forms_that_the_provider_takes() -> None:
    order = FaxOrder(
        to=("+12025550123", "+12025550124"),
        content_urls=("https://example.org/a.pdf", "https://example.org/b.pdf"),
        options=FaxOptions(header_page_numbers=False, cover_page_data={"name": "Ann"}),
        retry_delay_s=60,
        labels={"run": "7"},
        callback_url="https://example.org/cb",
    )
    assert [(name, content.decode()) for name, _, content in parts(order)] == [
        ("to", "+12025550123"),
        ("to", "+12025550124"),
        ("contentUrl", "https://example.org/a.pdf,https://example.org/b.pdf"),
        ("coverPageData[name]", "Ann"),
        ("labels[run]", "7"),
        ("callbackUrl", "https://example.org/cb"),
        ("callbackUrlContentType", "application/json"),
        ("headerPageNumbers", "false"),
        ("maxRetries", "0"),
        ("retryDelaySeconds", "60"),
    ]


@pytest.mark.parametrize("size", [0, 10, PIECE_BYTES, 3 * PIECE_BYTES + 1])
def test_files_are_read_while_they_are_sent(tmp_path: Path, size: int) -> None:
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"x" * size)
    order = FaxOrder(to=("+12025550123",), paths=(path, path))
    assert [part for part in parts(order) if part[0] == "file"] == [("file", "letter.pdf", b"x" * size)] * 2


def test_a_missing_file_is_an_error_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        multipart_body(FaxOrder(to=("+12025550123",), paths=(tmp_path / "none.pdf",)))


def test_no_value_can_break_out_of_its_part(tmp_path: Path) -> None:
    path = tmp_path / 'a"\r\nX-Odd: 1.pdf'
    path.write_bytes(b"x")
    names = [name for name, _, _ in parts(FaxOrder(to=("+1",), paths=(path,), labels={'k"\r\n': "v"}))]
    assert names == ["to", "labels[k%22%0D%0A]", "maxRetries", "file"]


def test_one_recipient_is_text_and_several_are_a_list() -> None:
    single = b"".join(json_body(FaxOrder(to=("+1",), max_retries=None)).chunks())
    several = b"".join(json_body(FaxOrder(to=("+1", "+2"), max_retries=None)).chunks())
    assert (single, several) == (b'{"to":"+1"}', b'{"to":["+1","+2"]}')
