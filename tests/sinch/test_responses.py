import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sinch.errors import NotFoundError, RateLimitedError, RefusedError, SinchError, UnclearError
from dispatcher.sinch.responses import SinchResponse, error_from_response, retry_after_s

NOW_S = 1_800_000_000.0


def refusal(body: object, status: int = 422) -> RefusedError:
    error = error_from_response(SinchResponse(status=status, body=json.dumps(body).encode()))
    assert isinstance(error, RefusedError)
    return error


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_no_error(status: int) -> None:
    assert error_from_response(SinchResponse(status=status)) is None


@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        (301, RefusedError),
        (302, UnclearError),
        (303, UnclearError),
        (307, RefusedError),
        (308, RefusedError),
        (400, RefusedError),
        (401, RefusedError),
        (402, RefusedError),
        (403, RefusedError),
        (404, NotFoundError),
        (408, UnclearError),
        (422, RefusedError),
        (429, RateLimitedError),
        (500, UnclearError),
        (502, UnclearError),
        (503, UnclearError),
        (504, UnclearError),
        (800, UnclearError),
    ],
)
def test_each_status_has_one_meaning(status: int, error_type: type[SinchError]) -> None:
    assert type(error_from_response(SinchResponse(status=status))) is error_type


@given(st.integers(100, 999), st.binary(max_size=200))
def test_any_status_with_any_body_is_understood(status: int, body: bytes) -> None:
    error = error_from_response(SinchResponse(status=status, body=body))
    assert (error is None) == (200 <= status < 300)


def test_a_refusal_names_the_fields_and_why() -> None:
    error = refusal(
        {
            "code": "422",
            "error": "Unprocessable",
            "message": "Validation failed",
            "details": {"fieldViolations": [{"field": "to", "description": "not a number"}, {"field": "from"}]},
        }
    )
    assert error.fields == ("to", "from")
    assert error.message == "Validation failed; to: not a number"
    assert (error.status, error.code) == (422, "422")


def test_the_status_line_wins_over_the_code_in_the_body() -> None:
    error = refusal({"code": "404", "message": "bad JSON"}, status=400)
    assert (error.status, error.code, type(error)) == (400, "404", RefusedError)


def test_a_problem_document_is_read() -> None:
    body = {"type": "about:blank", "title": "Forbidden", "detail": "no access to the project"}
    assert refusal(body, status=403).message == "no access to the project"


def test_an_error_wrapped_in_a_field_of_that_name_is_read() -> None:
    body = {"error": {"message": "no", "details": [{"fieldViolations": [{"field": "to"}]}]}}
    assert (refusal(body).message, refusal(body).fields) == ("no", ("to",))


@pytest.mark.parametrize("details", [None, "to", [], {}, {"fieldViolations": "to"}, {"fieldViolations": ["to"]}])
def test_details_of_another_form_are_passed_over(details: object) -> None:
    assert refusal({"message": "no", "details": details}).fields == ()


def test_a_long_text_of_the_provider_is_cut() -> None:
    assert len(refusal({"message": "x" * 10_000}).message) == 500


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, NOW_S) == seconds


def test_a_date_is_measured_on_the_clock_of_the_server_that_wrote_it() -> None:
    headers = {"retry-after": "Fri, 15 Jan 2027 09:00:10 GMT", "date": "Fri, 15 Jan 2027 09:00:00 GMT"}
    error = error_from_response(SinchResponse(status=429, headers=headers), now_s=NOW_S)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == 10.0


def test_a_moved_address_is_named() -> None:
    error = error_from_response(SinchResponse(status=308, headers={"location": "https://fax.example.org/"}))
    assert "https://fax.example.org/" in str(error)
