import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.models import (
    CoverPage,
    Email,
    EmailNumber,
    Fax,
    Price,
    Resource,
    Service,
    ServiceNumber,
    read_resource,
    read_response,
)
from tests.sinch.test_wire import JSON

MODELS: list[tuple[type[Resource], str]] = [
    (Fax, "id"),
    (Service, "id"),
    (ServiceNumber, "phoneNumber"),
    (Email, "email"),
    (EmailNumber, "number"),
    (CoverPage, "id"),
]


@given(st.sampled_from(MODELS), st.data())
def test_no_value_of_any_field_makes_a_named_resource_unreadable(model: tuple[type[Resource], str], data: Any) -> None:
    kind, key = model
    names = [field.alias or name for name, field in kind.model_fields.items()]
    odd = data.draw(st.dictionaries(st.sampled_from([*names, "unknown"]), JSON, max_size=5))
    assert read_resource(kind, {**odd, key: "x"})


@pytest.mark.parametrize(("kind", "key"), MODELS)
@pytest.mark.parametrize("value", [None, "", [], {}])
def test_a_resource_without_its_key_is_unreadable(kind: type[Resource], key: str, value: object) -> None:
    with pytest.raises(UnreadableError):
        read_resource(kind, {key: value})


@pytest.mark.parametrize("body", [b"", b"[]", b'"01FAX"', b"<html>"])
def test_an_answer_that_is_no_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_response(Fax, body)


def test_a_fax_is_read_whole() -> None:
    fax = read_response(
        Fax,
        json.dumps(
            {
                "id": "01FAX",
                "direction": "INBOUND",
                "from": "+12025550100",
                "status": "COMPLETED",
                "numberOfPages": "2",
                "price": {"amount": 0.045, "currencyCode": "USD"},
                "createTime": "2027-01-15T08:00:00Z",
                "contentUrl": "https://example.org/a.pdf",
                "hasFile": "true",
                "labels": {"a": 1},
                "barCodes": [{"type": "CODE_128", "page": 1, "value": "x"}, "odd"],
            }
        ).encode(),
    )
    assert (fax.from_, fax.number_of_pages, fax.has_file, fax.final) == ("+12025550100", 2, True, True)
    assert fax.price == Price(currency_code="USD", amount="0.045")
    assert fax.create_time == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert fax.content_url == ("https://example.org/a.pdf",)
    assert fax.labels == {"a": "1"}
    assert [code.value for code in fax.bar_codes] == ["x"]


def test_numbers_of_an_address_may_be_plain_text() -> None:
    email = read_resource(
        Email,
        {"email": "a@b.example", "phoneNumbers": ["+12025550101", {"number": "+12025550102", "permissions": "send"}]},
    )
    assert [(number.number, number.permissions) for number in email.phone_numbers] == [
        ("+12025550101", "both"),
        ("+12025550102", "send"),
    ]
