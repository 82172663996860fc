import json
import re
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.sinch.coerce import flag, identifier, integer, text, texts, time_ms
from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.wire import FaxQuery, fax_update, read_fax, read_page

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["status", "to", "labels", "errorType", "errorCode", "errorMessage", "numberOfPages", "createTime"]


def test_a_fax_is_read_into_an_update() -> None:
    update = fax_update(
        {
            "id": "01FAX",
            "status": "FAILURE",
            "to": "+12025550123",
            "labels": {"bulkfax-job": "b1.7", "bulkfax-attempt": "2", "other": "x"},
            "errorType": "CALL_ERROR",
            "errorCode": 17,
            "errorMessage": "busy",
            "numberOfPages": 3,
            "pagesSentSuccessfully": 1,
            "createTime": "2027-01-15T08:00:00Z",
        }
    )
    assert update == FaxUpdate(
        fax_id="01FAX",
        status=FaxStatus.FAILURE,
        to="+12025550123",
        job="b1.7",
        attempt=2,
        error_type="CALL_ERROR",
        error_code=17,
        message="busy",
        pages_sent=1,
        pages_total=3,
        created_ms=1_800_000_000_000,
    )


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("QUEUED", FaxStatus.UNFINISHED),
        ("IN_PROGRESS", FaxStatus.UNFINISHED),
        ("PENDING", FaxStatus.UNFINISHED),
        ("completed", FaxStatus.COMPLETED),
        ("COMPLETED", FaxStatus.COMPLETED),
        ("FAILURE", FaxStatus.FAILURE),
        ("SOMETHING_NEW", FaxStatus.UNFINISHED),
        (None, FaxStatus.UNFINISHED),
    ],
)
def test_only_the_two_final_statuses_are_final(status: object, read: FaxStatus) -> None:
    assert fax_update({"id": "1", "status": status}).status is read


@given(st.fixed_dictionaries({"id": st.just("01FAX")}, optional=dict.fromkeys(FIELDS, JSON)))
def test_no_value_of_any_field_makes_a_fax_with_an_id_unreadable(fax: dict[str, Any]) -> None:
    assert fax_update(fax).fax_id == "01FAX"


@pytest.mark.parametrize("fax_id", [None, "", {}, []])
def test_a_fax_without_an_id_is_unreadable(fax_id: object) -> None:
    with pytest.raises(UnreadableError):
        fax_update({"id": fax_id})


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_an_unreadable_list_never_passes_for_an_empty_one(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_page(body, FaxQuery(), 1)


LONG = "x" * 201
#: faxes that cannot be used, and the jobs that they name
UNUSABLE = [
    ({}, ""),
    (None, ""),
    ("F1", ""),
    ({"id": ""}, ""),
    ({"id": None, "labels": {"bulkfax-job": "b1.7"}}, "b1.7"),
    ({"id": LONG, "labels": {"bulkfax-job": "b1.7"}}, "b1.7"),
    ({"id": "F\ud83d", "labels": "b1.7"}, ""),
    ({"id": "F\n1"}, ""),
    ({"id": ".."}, ""),
    ({"id": ["F1"]}, ""),
]


@pytest.mark.parametrize(("fax", "job"), UNUSABLE)
def test_a_fax_that_cannot_be_used_harms_no_other_of_its_list_and_is_not_passed_over(fax: object, job: str) -> None:
    """The page names its job, so that the list does not count as proof that the job has no fax."""
    read = read_page(json.dumps({"faxes": [{"id": "1"}, fax, {"id": "2"}]}).encode(), FaxQuery(), 1)
    assert [fax.fax_id for fax in read.faxes] == ["1", "2"]
    assert read.unusable == (job,)


@pytest.mark.parametrize("pages", [10_001, 10**15, "1e300"])
def test_a_list_with_too_many_pages_is_unreadable(pages: object) -> None:
    with pytest.raises(UnreadableError):
        read_page(json.dumps({"faxes": [{"id": "1"}], "totalPages": pages}).encode(), FaxQuery(), 1)


@settings(max_examples=60)
@given(st.lists(JSON | st.sampled_from(["\ud83d", "x" * 5_000, 10**400, -1, 1e308, 70_000]), min_size=1, max_size=4))
def test_all_fields_of_a_fax_are_limited_and_can_be_stored(values: list[object]) -> None:
    fields = dict(zip([*FIELDS, "pagesSentSuccessfully", "completedTime"], cycle(values), strict=False))
    labels = {"bulkfax-job": values[0], "bulkfax-attempt": values[-1]}
    update = fax_update({"id": "01FAX", **fields, "labels": labels})
    for text_field in (update.to, update.job, update.error_type, update.message):
        assert len(text_field.encode()) <= 2_000
        assert text_field == "" or text_field.splitlines() == [text_field]
    assert 0 <= update.attempt < 2**32
    assert max(update.error_code, update.pages_sent, update.pages_total) < 2**16
    assert min(update.error_code, update.pages_sent, update.pages_total) >= 0
    for time in (update.created_ms, update.ended_ms):
        assert time == 0 or 946_684_800_000 <= time < 4_102_444_800_000


@pytest.mark.parametrize(
    ("fax_id", "read"),
    [
        ("01JGF3Q8V7ZC4M5N6P7R8S9T0V", True),
        ("0b9a1a4e-8d0f-4a2c-9d6d-9e2f3a4b5c6d", True),
        (7, True),
        ("é" * 100, True),
        ("é" * 101, False),
        ("x" * 200, True),
        (LONG, False),
        ("a\x00b", False),
        ("a\ud800", False),
        (".", False),
        (True, False),
        (1.5, False),
    ],
)
def test_an_id_is_used_unchanged_or_not_at_all(fax_id: object, read: bool) -> None:
    """A changed ID could not be used in a request."""
    assert identifier(fax_id) == (str(fax_id) if read else "")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("cut in two \ud83d", "cut in two \ufffd"),
        ("two\r\nlines", "two  lines"),
        ("a\x1b[31mb\x00", "a [31mb "),
        ("\u2028\x85", "  "),
        ("grinning \U0001f600", "grinning \U0001f600"),
    ],
)
def test_text_can_be_encoded_and_stays_on_its_line(value: str, read: str) -> None:
    assert text(value) == read


@pytest.mark.parametrize("time", [-(10**18), -1, 0, 253_402_300_799_999, 10**18])
def test_every_window_can_be_queried(time: int) -> None:
    """Including windows with margins at the ends of the calendar."""
    params = dict(FaxQuery(created_from_ms=time, created_to_ms=time).params(1))
    for name in ("createTime>", "createTime<"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", params[name])


@pytest.mark.parametrize(
    ("paging", "page", "total"),
    [
        ({"page": 2, "totalPages": 5}, 2, 5),
        ({"pageNumber": 2, "totalPages": 5}, 2, 5),
        ({"page": "2", "totalPages": "5"}, 2, 5),
        ({"page": 0, "pageNumber": 0, "totalPages": 5}, 2, 5),
        ({"totalItems": 5}, 2, 0),
        ({"totalPages": -1}, 2, 0),
        ({"totalPages": "many"}, 2, 0),
        ({}, 2, 0),
    ],
)
def test_paging_is_read_in_every_form(paging: dict[str, object], page: int, total: int) -> None:
    body = json.dumps({"faxes": [{"id": "1"}, {"id": "2"}], **paging}).encode()
    read = read_page(body, FaxQuery(page_size=2), 2)
    assert (read.page, read.total_pages) == (page, total)


def test_a_fax_alone_and_a_list_of_one_read_the_same() -> None:
    assert read_fax(b'{"id": "1"}') == read_fax(b'{"faxes": [{"id": "1"}]}')


def test_a_window_is_never_narrowed_by_rounding() -> None:
    params = dict(FaxQuery(created_from_ms=1_800_000_000_999, created_to_ms=1_800_000_000_001).params(3))
    assert params["createTime>"] == "2027-01-15T08:00:00Z"
    assert params["createTime<"] == "2027-01-15T08:00:01Z"
    assert params["page"] == "3"


def test_filters_that_are_not_set_are_left_out() -> None:
    assert FaxQuery(direction="", page_size=1).params(1) == (("pageSize", "1"), ("page", "1"))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *[(3, 3), ("3", 3), ("3.0", 3), (3.9, 3), (True, 1), (None, 0), ("x", 0), ([], 0), ("inf", 0), ("nan", 0)],
        *[(10**4000, 2**53 - 1), (-1e308, 1 - 2**53), ("1e300", 2**53 - 1)],
    ],
)
def test_whole_numbers_are_read_from_anything(value: object, number: int) -> None:
    assert integer(value) == number


@pytest.mark.parametrize(
    ("value", "read"), [("a", "a"), (5, "5"), (0.045, "0.045"), (None, ""), ({}, ""), (True, "true")]
)
def test_text_is_read_from_anything(value: object, read: str) -> None:
    assert text(value) == read


@pytest.mark.parametrize(("value", "read"), [(True, True), ("true", True), ("false", False), (None, False), (1, True)])
def test_flags_are_read_from_anything(value: object, read: bool) -> None:
    assert flag(value) is read


@pytest.mark.parametrize(
    ("value", "read"), [("a", ("a",)), (["a", "b"], ("a", "b")), (None, ()), ("", ()), ([None], ())]
)
def test_lists_of_text_are_read_from_a_single_one(value: object, read: tuple[str, ...]) -> None:
    assert texts(value) == read


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000_000),
        ("2027-01-15T08:00:00.250Z", 1_800_000_000_250),
        ("2027-01-15T09:00:00+01:00", 1_800_000_000_000),
        ("2027-01-15T08:00:00", 1_800_000_000_000),
        ("yesterday", 0),
        ("0001-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+14:00", 0),
        ("9999-12-31T23:59:59Z", 0),
        ("9999-12-31T23:59:59-14:00", 0),
        ("1999-12-31T23:59:59.999Z", 0),
        ("2000-01-01T00:00:00Z", 946_684_800_000),
        ("2099-12-31T23:59:59Z", 4_102_444_799_000),
        ("2100-01-01T00:00:00Z", 0),
        (None, 0),
        (5, 0),
    ],
)
def test_times_are_read_as_milliseconds(value: object, ms: int) -> None:
    assert time_ms(value) == ms
