"""The values that fill a cover page."""

from collections.abc import Mapping

import pytest

from dispatcher.core.job import Recipient
from dispatcher.core.options import FaxOptions
from dispatcher.service.fax_builder import merge_fields


@pytest.mark.parametrize(
    ("shared", "own", "filled"),
    [
        ({}, {}, {}),
        ({}, {"First Name": "Ann"}, {"first name": "Ann"}),
        ({"Subject": "Spring"}, {}, {"subject": "Spring"}),
        ({"City": "Everywhere"}, {"CITY": "Bath"}, {"city": "Bath"}),
        ({"city": "Everywhere"}, {"City": ""}, {"city": "Everywhere"}),
        ({}, {"City": ""}, {"city": ""}),
    ],
)
def test_a_recipients_own_fields_come_before_those_of_the_batch_unless_they_are_empty(
    shared: Mapping[str, str], own: Mapping[str, str], filled: Mapping[str, str]
) -> None:
    options = FaxOptions(cover_page_id="01ABC", cover_page_data=shared)
    assert merge_fields(options, Recipient(line=2, number="+12025550100", fields=own)) == filled


def test_without_a_cover_page_no_field_of_a_recipient_is_sent() -> None:
    recipient = Recipient(line=2, number="+12025550100", fields={"Name": "Ann"})
    assert merge_fields(FaxOptions(), recipient) == {}
