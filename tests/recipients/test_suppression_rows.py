"""Do-not-fax lists as people have them: with and without headings, several delimiters, rows that cannot be used."""

import pytest

from dispatcher.core.suppressions import SuppressionSource
from dispatcher.recipients.errors import (
    AmbiguousColumns,
    EmptyInput,
    NoNumberColumn,
    RecipientListError,
    UnusableColumns,
)
from dispatcher.recipients.suppression_rows import SuppressionReader, SuppressionRows


def read(text: str, region: str = "US", piece: int = 10**6) -> SuppressionRows:
    reader, content, rows = SuppressionReader(SuppressionSource.IMPORT, region), text.encode(), SuppressionRows([], [])
    for start in range(0, len(content) + 1, piece):
        more = reader.read(content[start : start + piece], start + piece > len(content))
        rows.accepted.extend(more.accepted)
        rows.refused.extend(more.refused)
        rows = rows._replace(left_out=rows.left_out + more.left_out)
    return rows


@pytest.mark.parametrize(
    "text",
    [
        "number\n(202) 555-0143\n",
        "(202) 555-0143\n",
        "\ufeffFax;Name\r\n202-555-0143;A. Person\r\n",
        "name\tnumber\nA\t+1 202 555 0143\n",
        "name|fax_number\nA|+12025550143",
        'number,reason\n"+1 202 555 0143",\n',
        "number,country\n202 555 0143,United States\n",
        "number,Fax,Phone\n202 555 0143,1,2\n",
        "Name,Business Fax\nA,202 555 0143\n",
        "Firma;Telefaxnummer;Land\nA;202 555 0143;USA\n",
        "Tel,Fax No.\n202 555 0100,202 555 0143\n",
        "Vorwahl,Fax\n202,555 0143\n",
        "N\u00ba de fax,Pa\u00eds\n202 555 0143,US\n",
        "TELFX,LAND1\n202 555 0143,US\n",
    ],
)
def test_a_number_is_read_from_any_list(text: str) -> None:
    """Also when it arrives in small pieces."""
    for piece in (3, 10**6):
        rows = read(text, piece=piece)
        assert [entry.number for entry in rows.accepted] == ["+12025550143"]
        assert rows.refused == []


@pytest.mark.parametrize("heading", ["number" + ",notes" * 400, "number," + "n" * 201])
def test_very_many_or_long_columns_are_refused_as_in_lists_of_recipients(heading: str) -> None:
    """Each row would be looked up in each of them."""
    with pytest.raises(UnusableColumns):
        read(heading + "\n+12025550143\n")


def test_the_columns_of_an_export_are_read() -> None:
    text = "number,reason,source,job,added_at,expires_at\n+12025550143,'=moved,dead_number,b1.7,,2027-01-31T00:00:00Z\n"
    (entry,) = read(text).accepted
    assert (entry.source, entry.reason, entry.job, entry.expires_ms) == (
        *("dead_number", "=moved", "b1.7"),
        1_801_353_600_000,
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,,", "not_a_number"),
        (",,", "empty"),
        ("+12025550143,other,", "broken_row"),
        ("+12025550143,unreadable,", "broken_row"),
        ("+12025550143,manual,soon", "broken_row"),
        ('"+12025550143,manual,', "broken_row"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_alone(row: str, reason: str) -> None:
    rows = read(f"number,source,expires_at\n{row}\n+12025550144,,\n")
    assert [(refused.line, refused.reason) for refused in rows.refused] == [(2, reason)]
    assert [entry.number for entry in rows.accepted] == ["+12025550144"]


@pytest.mark.parametrize(("text", "error"), [("name\nA\n", NoNumberColumn), ("", EmptyInput), ("\n\n", EmptyInput)])
def test_a_list_without_numbers_is_refused(text: str, error: type[RecipientListError]) -> None:
    with pytest.raises(error):
        read(text)


def test_of_a_list_of_recipients_only_those_who_opted_out_are_taken() -> None:
    """An unclear mark is taken as opting out; somebody who may be faxed is never put on the list."""
    rows = read("Fax,Do Not Fax\n202-555-0143,yes\n202-555-0144,no\n202-555-0145,\n202-555-0146,2026-01-31\n")
    assert [entry.number for entry in rows.accepted] == ["+12025550143", "+12025550146"]
    assert (rows.refused, rows.left_out) == ([], 2)


def test_who_may_be_faxed_is_no_refused_row_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.recipients.rows.MAX_REFUSED_ROWS", 1)
    rows = read("Fax,Do Not Fax\n202-555-0144,no\nno number,no\n202-555-0145,\n202-555-0143,yes\n")
    assert ([entry.number for entry in rows.accepted], rows.left_out) == (["+12025550143"], 3)


def test_of_a_list_with_consent_those_without_are_taken() -> None:
    rows = read("Fax,Fax Consent\n202-555-0143,no\n202-555-0144,yes\n202-555-0145,\n202-555-0146,later\n")
    assert [entry.number for entry in rows.accepted] == ["+12025550143", "+12025550145", "+12025550146"]
    assert (rows.refused, rows.left_out) == ([], 1)


def test_somebody_who_opted_out_is_taken_in_spite_of_an_earlier_consent() -> None:
    rows = read("Fax,Opt-out,Consent\n202-555-0143,x,yes\n202-555-0144,,yes\n")
    assert [entry.number for entry in rows.accepted] == ["+12025550143"]


@pytest.mark.parametrize("heading", ["expires_at", "Expires", "Expiry date", "valid until", "G\u00fcltig bis"])
def test_the_end_of_an_entry_is_read(heading: str) -> None:
    rows = read(f"Fax,{heading}\n202-555-0143,2027-01-31\n202-555-0144,\n202-555-0145,soon\n")
    assert [entry.expires_ms for entry in rows.accepted] == [1_801_353_600_000, 0]
    assert [row.line for row in rows.refused] == [4]


def test_an_entry_that_is_marked_as_expired_is_left_out() -> None:
    rows = read("Fax,Expired\n202-555-0143,yes\n202-555-0144,no\n")
    assert [entry.number for entry in rows.accepted] == ["+12025550144"]


@pytest.mark.parametrize("heading", ["Business Fax,Home Fax", "Old Fax", "Fax,FAX", "Phone 1 - Label,Phone 1 - Value"])
def test_a_list_with_more_than_one_column_of_numbers_is_refused(heading: str) -> None:
    with pytest.raises(AmbiguousColumns, match="'number'"):
        read(f"{heading}\n202-555-0143,202-555-0144\n")
