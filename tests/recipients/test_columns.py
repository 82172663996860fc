"""Columns are found by the names that customers give them."""

import pytest

from dispatcher.recipients.columns import duplicate_name, find_columns
from dispatcher.recipients.rows import Row


@pytest.mark.parametrize(
    "name",
    [
        "number",
        "Fax",
        "FAX NUMBER",
        "fax_number",
        " Fax-Number ",
        "faxNumber",
        "Fax No.",
        "Faxnr.",
        "Telefax",
        "to",
        "phone",
    ],
)
def test_the_number_column_is_found_by_its_usual_names(name: str) -> None:
    columns = find_columns(["Company", name])
    assert columns is not None
    assert columns.row(2, ["ACME", "+1"]) == Row(2, "+1", "", "", {"Company": "ACME"})


def test_a_fax_column_is_preferred_to_a_phone_column_which_becomes_a_field() -> None:
    columns = find_columns(["Phone", "Number", "Fax"])
    assert columns is not None
    assert columns.row(2, ["1", "2", "3"]) == Row(2, "3", "", "", {"Phone": "1", "Number": "2"})


@pytest.mark.parametrize("country", ["country", "Country Code", "land", "ISO", "country_iso"])
@pytest.mark.parametrize("reference", ["reference", "Customer ID", "id", "ref", "external_id", "Kunden-Nr."])
def test_country_and_reference_are_found(country: str, reference: str) -> None:
    columns = find_columns([reference, country, "fax"])
    assert columns is not None
    assert columns.row(2, ["K1", "DE", "+1"]) == Row(2, "+1", "DE", "K1", {})


def test_a_column_without_a_name_is_kept_under_its_place() -> None:
    columns = find_columns(["fax", "", "name"])
    assert columns is not None
    assert columns.row(2, ["+1", "x", "y"]).fields == {"column 2": "x", "name": "y"}


def test_without_a_number_there_are_no_columns() -> None:
    assert find_columns(["company", "mail"]) is None


def test_a_name_that_occurs_twice_is_found_whatever_its_notation() -> None:
    assert duplicate_name(["Fax", "name", "FAX "]) == "FAX"
    assert duplicate_name(["Fax", "", ""]) is None
