"""Which column of a list is used for what, and which lists are refused because nobody can be sure."""

import pytest

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.columns.columns import Columns, UnexpectedValue, find_columns
from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions, Role
from dispatcher.recipients.columns.roles import Fault, Refusal
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row

FAX, GERMAN = "+12025550143", "030 23125123"


def columns_of(*rows: str, options: ColumnOptions = NOTHING_NAMED) -> Columns | Refusal:
    """The columns of rows whose cells are separated by ``|``; the first has the headings."""
    names, *sample = (row.split("|") for row in rows)
    return find_columns(names, sample, options)


def used(*rows: str, options: ColumnOptions = NOTHING_NAMED) -> tuple[str, ...]:
    """The headings of number, country and area code."""
    columns = columns_of(*rows, options=options)
    assert isinstance(columns, Columns), columns
    taken = columns.taken()
    return tuple(", ".join(taken[role]) for role in (Role.NUMBER, Role.COUNTRY, Role.AREA_CODE))


def refusal(*rows: str, options: ColumnOptions = NOTHING_NAMED) -> Refusal:
    columns = columns_of(*rows, options=options)
    assert isinstance(columns, Refusal), columns
    return columns


def values(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


def read(*rows: str, options: ColumnOptions = NOTHING_NAMED) -> list[Row | RefusedRow]:
    columns = columns_of(*rows, options=options)
    assert isinstance(columns, Columns), columns
    return [columns.row(line, row.split("|")) for line, row in enumerate(rows[1:], start=2)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("Company|Phone|Work Fax", "ACME|1234|5678"), ("Work Fax", "", "")),
        (("Phone|Number|Fax", "1|2|3"), ("Fax", "", "")),
        (("Business Phone|Business Fax|Home Fax|Other Fax", "1|2||"), ("Business Fax", "", "")),
        (("Business Fax|Home Fax", "|5678"), ("Home Fax", "", "")),
        (("Fax|Country", "1|DE"), ("Fax", "Country", "")),
        (
            ("Business Fax|Business Country/Region|Home Country/Region", "1|DE|FR"),
            ("Business Fax", "Business Country/Region", ""),
        ),
        (("Home Fax|Business Country|Home Country", "1|DE|FR"), ("Home Fax", "Home Country", "")),
        (("Fax|Mailing Country", "1|DE"), ("Fax", "Mailing Country", "")),
        (("Fax|Mailing Country|Other Country", "1|DE|"), ("Fax", "Mailing Country", "")),
        (("Fax|Country|Shipping Country", "1|DE|FR"), ("Fax", "Country", "")),
        (("Fax|Business Country|Home Country", "1|DE|FR"), ("Fax", "Business Country", "")),
        (("Fax Number|Country/Region|State/Region|IP Country", "1|DE|BE|FR"), ("Fax Number", "Country/Region", "")),
        (("Fax|Country|Region", "1|DE|Hessen"), ("Fax", "Country", "")),
        (
            ("Fax|Address 1: Country/Region|Address 2: Country/Region", "1|DE|FR"),
            ("Fax", "Address 1: Country/Region", ""),
        ),
        (("Fax|Country|Country Code", "1|Germany|49"), ("Fax", "Country, Country Code", "")),
        (("Country Code|Area Code|Fax", "49|30|23125123"), ("Fax", "Country Code", "Area Code")),
        (("Recipient|Phone", "Jane Doe|2025550143"), ("Phone", "", "")),
        (("to", "1"), ("to", "", "")),
        (("Fax|Country", "1|"), ("Fax", "Country", "")),
        (("EU-Land|Land|Fax", "AT|DE|1"), ("Fax", "Land", "")),
        (("LAND1|TELF1|TELFX", "DE|1|2"), ("TELFX", "LAND1", "")),
        (("Fax|Business Country|Home Country", "1||"), ("Fax", "Business Country", "")),
    ],
)
def test_columns_are_recognised_by_their_headings(rows: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert used(*rows) == expected


@pytest.mark.parametrize(
    ("rows", "fault", "candidates", "option"),
    [
        (("Business Fax|Home Fax", "1|2"), Fault.AMBIGUOUS, ["Business Fax", "Home Fax"], "number"),
        (("Fax|Old Fax", "1|2"), Fault.AMBIGUOUS, ["Fax", "Old Fax"], "number"),
        (("Phone|Number", "1234|2345"), Fault.AMBIGUOUS, ["Phone", "Number"], "number"),
        (("Phone|Mobile", "1234|2345"), Fault.AMBIGUOUS, ["Phone", "Mobile"], "number"),
        (("Company|Business Phone", "A|1"), Fault.NO_NUMBER, ["Company", "Business Phone"], "number"),
        (("Phone|Fax Status", "1234|sent"), Fault.UNUSED, ["Fax Status"], "number"),
        (("Fax|Fax extension", "1234|12"), Fault.UNUSED, ["Fax extension"], "number"),
        (("Fax|Billing Country|Shipping Country", "1|DE|FR"), Fault.AMBIGUOUS, ["Billing Country"], "country"),
        (("Business Fax|Home Country", "1|DE"), Fault.UNUSED, ["Home Country"], "country"),
        (("Fax|Region", "1|DE"), Fault.UNUSED, ["Region"], "country"),
        (("Fax|Country|Country of Birth", "1|DE|FR"), Fault.UNUSED, ["Country of Birth"], "country"),
        (("Fax|EU-Land", "1|DE"), Fault.UNUSED, ["EU-Land"], "country"),
        (("Fax|IP Country", "1|DE"), Fault.UNUSED, ["IP Country"], "country"),
        (("Fax|Country|Land", "1|DE|FR"), Fault.AMBIGUOUS, ["Country", "Land"], "country"),
        (("Fax|Phone Area Code", "1|30"), Fault.UNUSED, ["Phone Area Code"], "area-code"),
        (("Fax|Area Code|Vorwahl", "1|30|40"), Fault.AMBIGUOUS, ["Area Code", "Vorwahl"], "area-code"),
        (("Fax|Consent date", "1|2026-01-01"), Fault.UNUSED, ["Consent date"], "opt-out"),
        (("Fax|Fax preference", "1|never"), Fault.UNUSED, ["Fax preference"], "opt-out"),
    ],
)
def test_a_list_is_refused_with_the_candidates_and_the_option_to_type(
    rows: tuple[str, ...], fault: Fault, candidates: list[str], option: str
) -> None:
    refused_list = refusal(*rows)
    assert refused_list.fault is fault
    assert [name for name in candidates if f"'{name}'" not in refused_list.what] == []
    assert f"--{option}-column" in refused_list.what_to_do
    assert f"{option.replace('-', '_')}_column" in refused_list.what_to_do


def test_two_columns_of_one_name_are_refused_only_if_they_are_used() -> None:
    assert refusal("Fax|FAX", "1|2").fault is Fault.DUPLICATE
    columns = columns_of("Fax|Notes|Notes|notes", "1|a|b|c")
    assert isinstance(columns, Columns)
    assert columns.field_names == ("Notes", "Notes (2)", "notes")


NAMED = ColumnOptions(number="Home Fax", country="Land")


@pytest.mark.parametrize(
    "rows",
    [
        ("Business Fax|Home Fax|Country|Land", "1|2|DE|FR"),
        ("Business Fax|Home Fax|Area Code|Land|Region", "1|2|30|FR|DE"),
        ("Fax Status|Home Fax|Consent date|Land|Fax ext", "1|2|30|FR|DE"),
    ],
)
def test_no_heading_refuses_a_list_whose_number_and_country_are_named(rows: tuple[str, ...]) -> None:
    assert used(*rows, options=NAMED)[:2] == ("Home Fax", "Land")
    assert used(*rows, options=ColumnOptions(number="home fax", no_country=True))[:2] == ("Home Fax", "")


@pytest.mark.parametrize("role", Role)
def test_a_name_that_the_list_does_not_have_is_refused(role: Role) -> None:
    refused_list = refusal("Fax|Name", "1|A", options=ColumnOptions(**{role.value: "Teléfax"}))  # type: ignore[arg-type]  # a role is a field
    assert refused_list.fault is Fault.NO_SUCH_COLUMN
    assert role.option in refused_list.what_to_do


def test_named_columns_are_used() -> None:
    options = ColumnOptions("Tel A", "Wo", "Vw", "Nr", "Nein", "Ja")
    columns = columns_of("Tel A|Wo|Vw|Nr|Nein|Ja", "23125123|DE|30|7||x", options=options)
    assert isinstance(columns, Columns)
    assert list(columns.taken().values()) == [("Tel A",), ("Wo",), ("Vw",), ("Nr",), ("Nein",), ("Ja",)]


def test_a_value_in_a_column_that_was_empty_refuses_the_list() -> None:
    columns = columns_of("Business Fax|Home Fax", "1|")
    assert isinstance(columns, Columns)
    assert columns.row(2, ["1", " "]) == Row(2, "1", "", "", {"Home Fax": " "})
    with pytest.raises(UnexpectedValue) as raised:
        columns.row(3, ["", "2"])
    assert "'Home Fax'" in raised.value.refusal.what
    assert "--number-column" in raised.value.refusal.what_to_do


def test_name_and_code_of_a_country_have_to_agree() -> None:
    rows = read("Fax|Country|Country Code", "1|Germany|49", "2||FR", "3|Canada|1", "4|Germany|43", "5|US|")
    assert [row.country if isinstance(row, Row) else row.reason for row in rows] == [
        *("Germany", "FR", "Canada", RefusalReason.UNKNOWN_COUNTRY, "US")
    ]


OUT = """
1|x|X|y|Y|yes|Yes|true|TRUE|opt-out|Opt-Out|optout|do not fax|Do Not Fax!|Do Not Allow|unsubscribed|✓
ja|J|wahr|nicht faxen|kein Fax|abgemeldet|oui|vrai|ne pas faxer|désinscrit|sí|Si|verdadero|no enviar fax|baja
sì|vero|non inviare fax|waar|niet faxen|geen fax|afgemeld|opted out
1.0|Nicht zulassen|Ne pas autoriser|No permitir|Non consentire|Niet toestaan|STOP|no longer wants faxes|non inviare
"""
ALLOWED = """
1|x|yes|Y|true|opt-in|Opted in|allowed|granted|ja|erlaubt|oui|autorisé|sí|vero|waar
"""
NOT_ALLOWED = """|0|no|N|false|opt-out|do not fax|denied|nein|widersprochen|non|falso|nee"""
NOT_OUT = (
    "||0|n|no|No|false|FALSE|nein|falsch|non|faux|falso|nee|onwaar|opt-in|allow|Fax OK|0.0|Zulassen|Autoriser|Permitir"
    "|Consenti|Toestaan"
)
UNCLEAR = "maybe|?|-|2|2026-01-01|ja/nein|unknown|call first"


@pytest.mark.parametrize("value", values(OUT))
def test_a_row_whose_recipient_opted_out_is_not_sent(value: str) -> None:
    (row,) = read("Fax|Opt-out", f"+1|{value}")
    assert isinstance(row, RefusedRow)
    assert (row.number, row.reason) == ("+1", RefusalReason.OPTED_OUT)


@pytest.mark.parametrize("value", NOT_OUT.split("|"))
def test_a_row_whose_recipient_did_not_opt_out_is_sent(value: str) -> None:
    assert read("Fax|Opt-out", f"+1|{value}") == [Row(2, "+1", "", "", {})]


@pytest.mark.parametrize("value", values(ALLOWED))
def test_a_row_with_consent_is_sent(value: str) -> None:
    assert read("Fax|Fax Consent", f"+1|{value}") == [Row(2, "+1", "", "", {})]


@pytest.mark.parametrize("value", NOT_ALLOWED.split("|"))
def test_a_row_without_consent_is_not_sent(value: str) -> None:
    (row,) = read("Fax|Fax Consent", f"+1|{value}")
    assert isinstance(row, RefusedRow)
    assert row.reason == RefusalReason.OPTED_OUT
    assert "no consent" in row.detail


@pytest.mark.parametrize("heading", ["Opt-out", "Fax Consent"])
@pytest.mark.parametrize("value", UNCLEAR.split("|"))
def test_any_other_value_refuses_the_row(heading: str, value: str) -> None:
    (row,) = read(f"Fax|{heading}", f"+1|{value}")
    assert isinstance(row, RefusedRow)
    assert row.reason == RefusalReason.UNCLEAR_PERMISSION


def test_all_columns_about_permission_count() -> None:
    rows = read("Fax|Do Not Contact|Do Not Fax|Consent", "1|||x", "2|x||x", "3||x|x", "4|||")
    assert [isinstance(row, Row) for row in rows] == [True, False, False, False]


GOOGLE = (
    "First Name|Phone 1 - Label|Phone 1 - Value|Phone 2 - Label|Phone 2 - Value"
    "|Address 1 - Label|Address 1 - Region|Address 1 - Country|Address 2 - Label|Address 2 - Country"
)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"A|Mobile|1|Work Fax|{GERMAN}|Work||DE||", (GERMAN, "DE")),
        (f"A|* Work Fax|{GERMAN}|Work|2|Home|CA|US|Work|DE", (GERMAN, "DE")),
        (f"A|Home Fax|{GERMAN}|Work|2|Home|CA|US|Work|DE", (GERMAN, "US")),
        (f"A|Fax|{GERMAN}|||Home|||Work|DE", (GERMAN, "DE")),
        (f"A|Fax (geschäftl.)|{GERMAN}|||||||", (GERMAN, "")),
        (f"A|Work Fax|{GERMAN} ::: {GERMAN}|||||||", (GERMAN, "")),
        (f"A|Fax|{GERMAN}|||Home||US|Work|DE", RefusalReason.NO_COUNTRY),
        (f"A|Work Fax|{GERMAN}|||Home||US||", RefusalReason.NO_COUNTRY),
        (f"A|Work Fax|{FAX}|||Home||DE||", (FAX, "")),
        ("A|Mobile|1|Work|2|||||", RefusalReason.EMPTY),
        ("A|Work Fax|1|Home Fax|2|||||", RefusalReason.TWO_NUMBERS),
        ("A|Work Fax|1 ::: 2||||||||", RefusalReason.TWO_NUMBERS),
    ],
)
def test_a_labelled_number_of_google_contacts_is_dialled_only_if_it_is_a_fax(
    row: str, expected: tuple[str, str] | RefusalReason
) -> None:
    cells = row.split("|")
    columns = find_columns(GOOGLE.split("|"), [])
    assert isinstance(columns, Columns)
    read_row = columns.row(2, (cells + [""] * 10)[:10])
    if isinstance(read_row, Row):
        assert (read_row.number, read_row.country) == expected
        assert read_row.fields["First Name"] == "A"
    else:
        assert read_row.reason == expected


def test_a_column_without_a_name_is_kept_under_its_place() -> None:
    (row,) = read("fax||name", "+1|x|y")
    assert isinstance(row, Row)
    assert row.fields == {"column 2": "x", "name": "y"}


@pytest.mark.parametrize("reference", ["reference", "Customer ID", "id", "ref", "external_id", "Kunden-Nr."])
def test_the_reference_is_recognised(reference: str) -> None:
    assert read(f"{reference}|fax", "K1|+1") == [Row(2, "+1", "", "K1", {})]
