import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.outcome import FaxNews, FaxStatus
from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.reading import flag, text, texts, time_ms, whole
from dispatcher.sinch.wire import FaxQuery, news, read_fax, read_page

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["status", "to", "labels", "errorType", "errorCode", "errorMessage", "numberOfPages", "createTime"]


def test_a_fax_is_read_into_our_terms() -> None:
    told = news(
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
    assert told == FaxNews(
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
    assert news({"id": "1", "status": status}).status is read


@given(st.fixed_dictionaries({"id": st.just("01FAX")}, optional=dict.fromkeys(FIELDS, JSON)))
def test_no_value_of_any_field_makes_a_fax_with_an_id_unreadable(fax: dict[str, Any]) -> None:
    assert news(fax).fax_id == "01FAX"


@pytest.mark.parametrize("fax_id", [None, "", {}, []])
def test_a_fax_without_an_id_is_unreadable(fax_id: object) -> None:
    with pytest.raises(UnreadableError):
        news({"id": fax_id})


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_an_unreadable_list_never_passes_for_an_empty_one(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_page(body, FaxQuery(), 1)


def test_one_fax_without_an_id_makes_the_whole_list_unreadable() -> None:
    with pytest.raises(UnreadableError):
        read_page(b'{"faxes": [{"id": "1"}, {}]}', FaxQuery(), 1)


@pytest.mark.parametrize(
    ("paging", "page", "total"),
    [
        ({"page": 2, "totalPages": 5}, 2, 5),
        ({"pageNumber": 2, "totalPages": 5}, 2, 5),
        ({"page": "2", "totalPages": "5"}, 2, 5),
        ({"page": 0, "pageNumber": 0, "totalPages": 5}, 2, 5),
        ({"totalItems": 5}, 2, 3),
        ({}, 2, 3),
    ],
)
def test_paging_is_read_in_every_form(paging: dict[str, object], page: int, total: int) -> None:
    body = json.dumps({"faxes": [{"id": "1"}, {"id": "2"}], **paging}).encode()
    read = read_page(body, FaxQuery(page_size=2), 2)
    assert (read.page, read.total_pages) == (page, total)


def test_a_short_page_without_paging_fields_is_the_last() -> None:
    assert read_page(b'{"faxes": [{"id": "1"}]}', FaxQuery(page_size=2), 4).total_pages == 4


def test_a_fax_alone_and_a_list_of_one_read_the_same() -> None:
    assert read_fax(b'{"id": "1"}') == read_fax(b'{"faxes": [{"id": "1"}]}')


def test_a_window_is_never_narrowed_by_rounding() -> None:
    params = dict(FaxQuery(created_from_ms=1_800_000_000_999, created_to_ms=1_800_000_000_001).params(3))
    assert params["createTime>"] == "2027-01-15T08:00:00Z"
    assert params["createTime<"] == "2027-01-15T08:00:01Z"
    assert params["page"] == "3"


def test_what_a_query_does_not_name_is_not_asked_for() -> None:
    assert FaxQuery(direction="", page_size=1).params(1) == (("pageSize", "1"), ("page", "1"))


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), ("3", 3), ("3.0", 3), (3.9, 3), (True, 1), (None, 0), ("x", 0), ([], 0), ("inf", 0), ("nan", 0)],
)
def test_whole_numbers_are_read_from_anything(value: object, number: int) -> None:
    assert whole(value) == number


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
        (None, 0),
        (5, 0),
    ],
)
def test_times_are_read_as_milliseconds(value: object, ms: int) -> None:
    assert time_ms(value) == ms
