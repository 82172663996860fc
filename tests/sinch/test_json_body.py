import json
from dataclasses import replace

from dispatcher.core.options import FaxOptions
from dispatcher.sinch.body import PIECE_BYTES
from dispatcher.sinch.order import EncodedFile, FaxOrder, json_body
from dispatcher.sinch.wire import AttemptLabels

PLAIN = FaxOrder(to=("+12025550123",), labels=AttemptLabels(job="b1.7", attempt=2).labels())


def sent(order: FaxOrder) -> dict[str, object]:
    body = json_body(order)
    joined = b"".join(body.chunks())
    assert len(joined) == body.length
    read = json.loads(joined)
    assert isinstance(read, dict)
    return read


def test_every_send_owns_its_dialling_and_names_job_and_attempt() -> None:
    assert sent(PLAIN) == {
        "to": "+12025550123",
        "maxRetries": 0,
        "labels": {"bulkfax-job": "b1.7", "bulkfax-attempt": "2"},
    }


def test_every_option_reaches_the_provider_under_its_name() -> None:
    order = replace(
        PLAIN,
        content_urls=("https://example.org/a.pdf",),
        options=FaxOptions(
            sender="+12025550100",
            service_id="01SERVICE",
            header_text='Größe "A"',
            header_page_numbers=False,
            header_time_zone="Europe/Berlin",
            resolution="SUPERFINE",
            image_conversion_method="MONOCHROME",
            cover_page_id="01COVER",
            cover_page_data={"name": "Ann"},
        ),
        callback_url="https://example.org/cb",
    )
    body = sent(order)
    for always in ("to", "maxRetries", "labels"):
        del body[always]
    assert body == {
        "contentUrl": ["https://example.org/a.pdf"],
        "from": "+12025550100",
        "serviceId": "01SERVICE",
        "headerText": 'Größe "A"',
        "headerPageNumbers": False,
        "headerTimeZone": "Europe/Berlin",
        "resolution": "SUPERFINE",
        "imageConversionMethod": "MONOCHROME",
        "coverPageId": "01COVER",
        "coverPageData": {"name": "Ann"},
        "callbackUrl": "https://example.org/cb",
        "callbackUrlContentType": "application/json",
    }


def test_documents_are_joined_into_the_body() -> None:
    files = (EncodedFile(file_type="PDF", base64=b"JVBERi0="), EncodedFile(file_type="TXT", base64=b"aGk="))
    body = sent(replace(PLAIN, files=files))
    assert body["files"] == [{"fileType": "PDF", "file": "JVBERi0="}, {"fileType": "TXT", "file": "aGk="}]


def test_a_large_document_is_neither_copied_nor_encoded_for_a_send() -> None:
    document = b"A" * (3 * PIECE_BYTES)
    body = json_body(replace(PLAIN, files=(EncodedFile(file_type="PDF", base64=document),)))
    assert any(piece is document for piece in body.pieces)
    assert any(isinstance(chunk, memoryview) and chunk.obj is document for chunk in body.chunks())
    assert all(len(chunk) <= PIECE_BYTES for chunk in body.chunks())


def test_text_that_utf_8_cannot_hold_is_still_sent() -> None:
    assert sent(replace(PLAIN, options=FaxOptions(header_text="\ud800")))["headerText"] == "\ud800"
