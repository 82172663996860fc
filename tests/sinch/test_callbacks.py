import itertools
import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.outcome import FaxStatus
from dispatcher.sinch.callbacks import MAX_FIELD_BYTES, CallbackEvent, CallbackReader, parse_json
from dispatcher.sinch.errors import CallbackError

FAX = {"id": "01FAX", "status": "COMPLETED", "labels": {"bulkfax-job": "b1.7", "bulkfax-attempt": "2"}}
TYPE = 'multipart/form-data; boundary="--frontier"'


def part(name: str, content: bytes, extra: str = "") -> bytes:
    head = f'----frontier\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"----frontier--\r\n"


COMPLETED = multipart(
    part("event", b"FAX_COMPLETED"),
    part("eventTime", b"2027-01-15T08:00:00Z"),
    part("file", b"%PDF-1.7 \r\n----fronti\r\n--" * 40, '; filename="01FAX.pdf"\r\nContent-Type: application/pdf'),
    part("fax", json.dumps(FAX).encode(), "\r\nContent-Type: application/json"),
)


def read(content_type: str, *pieces: bytes) -> CallbackEvent:
    reader = CallbackReader(content_type)
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


def test_both_content_types_say_the_same() -> None:
    body = json.dumps({"event": "FAX_COMPLETED", "fax": FAX, "file": "JVBERi0=", "fileType": "PDF"}).encode()
    assert read("application/json", body) == read(TYPE, COMPLETED)


def test_the_update_names_job_and_attempt() -> None:
    event = read(TYPE, COMPLETED)
    assert event.update is not None
    assert (event.event, event.fax_id) == ("FAX_COMPLETED", "01FAX")
    assert (event.update.job, event.update.attempt, event.update.status) == ("b1.7", 2, FaxStatus.COMPLETED)


@given(st.lists(st.integers(0, len(COMPLETED)), max_size=12))
def test_a_multipart_body_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(COMPLETED)]
    pieces = [COMPLETED[a:b] for a, b in itertools.pairwise(edges)]
    assert read(TYPE, *pieces) == read(TYPE, COMPLETED)


PREAMBLE = b"This is a message in several parts.\r\n--frontier\r\n ----frontier\r\n-----frontier\r\n"


@given(st.lists(st.integers(0, len(PREAMBLE) + 20), max_size=6))
def test_what_is_before_and_after_the_parts_is_skipped_however_it_is_cut(cuts: list[int]) -> None:
    body = PREAMBLE + COMPLETED + b"The end.\r\n----frontier\r\n"
    edges = [0, *sorted(cuts), len(body)]
    assert read(TYPE, *(body[a:b] for a, b in itertools.pairwise(edges))) == read(TYPE, COMPLETED)


def test_an_endless_preamble_is_not_kept() -> None:
    reader = CallbackReader(TYPE)
    tracemalloc.start()
    try:
        for _ in range(200):
            reader.feed(b"\r\n----front" * 9_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    reader.feed(b"\r\n" + COMPLETED)
    assert reader.finish().fax_id == "01FAX"


def test_media_types_have_no_case() -> None:
    assert read(TYPE.replace("multipart/form-data; boundary", "Multipart/FORM-data ;BOUNDARY"), COMPLETED).fax_id


def test_a_large_document_is_dropped_as_it_passes() -> None:
    reader = CallbackReader(TYPE)
    reader.feed(part("event", b"INCOMING_FAX") + part("file", b"", '; filename="a.pdf"')[:-2])
    for _ in range(200):
        reader.feed(b"x" * 100_000)
    reader.feed(b"\r\n" + multipart(part("fax", json.dumps(FAX).encode())))
    assert reader.finish().event == "INCOMING_FAX"


@pytest.mark.parametrize("fax", [json.dumps(FAX), FAX], ids=["as text", "as an object"])
def test_the_fax_may_come_as_text_or_as_an_object(fax: object) -> None:
    assert parse_json(json.dumps({"event": "FAX_COMPLETED", "fax": fax}).encode()).fax_id == "01FAX"


@pytest.mark.parametrize("fax", [None, {}, "rubbish", {"page": 3}])
def test_an_unknown_event_needs_no_fax(fax: object) -> None:
    event = parse_json(json.dumps({"event": "PAGE_SENT", "fax": fax}).encode())
    assert event == CallbackEvent(event="PAGE_SENT", update=None)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"[]"),
        ("application/json", b"{}"),
        ("application/json", b'{"event": 0.5e'),
        ("application/json", b'{"event": "FAX_COMPLETED"}'),
        ("application/json", b'{"event": "FAX_COMPLETED", "fax": {"id": ""}}'),
        ("application/json", b"[" * 100_000),
        ("", b"event=FAX_COMPLETED"),
        ("multipart/form-data", COMPLETED),
        ("multipart/form-data; boundary=other", COMPLETED),
        (TYPE, COMPLETED[:-30]),
        (TYPE, b""),
        (TYPE, multipart(part("fax", b"{}"))),
        (TYPE, multipart(part("event", b"FAX_COMPLETED"), part("fax", b"{"))),
        (TYPE, multipart(part("event", b"x" * (MAX_FIELD_BYTES + 1)))),
        ("multipart/form-data; boundary=" + "b" * 2000, COMPLETED),
    ],
)
def test_an_invalid_callback_is_an_error_with_one_sentence(content_type: str, body: bytes) -> None:
    with pytest.raises(CallbackError, match=r"^\S.*[^.]$"):
        read(content_type, body)


@given(st.text(max_size=60), st.binary(max_size=300))
def test_any_bytes_are_a_callback_or_a_callback_error(content_type: str, body: bytes) -> None:
    with suppress(CallbackError):
        read(content_type, body)


@given(st.binary(max_size=300))
def test_any_multipart_body_is_a_callback_or_a_callback_error(body: bytes) -> None:
    with suppress(CallbackError):
        read(TYPE, b"----frontier\r\n" + body)


def test_the_first_of_two_parts_with_the_same_name_counts() -> None:
    twice = multipart(part("event", b"PAGE_SENT"), part("event", b"FAX_COMPLETED"))
    assert read(TYPE, twice).event == "PAGE_SENT"
