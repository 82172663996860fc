"""What a row shows about its country refuses a national number that would be dialled in another one."""

import pytest

from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions
from dispatcher.recipients.read_rows import RowReader
from dispatcher.recipients.rows import Slice

US, DE, GB = "202-555-0143", "030 23125123", "020 7946 0958"
GOOGLE = "Phone 1 - Label;Phone 1 - Value;Phone 2 - Label;Phone 2 - Value"


def read(*rows: str, home: str, options: ColumnOptions = NOTHING_NAMED) -> Slice:
    return RowReader("text/csv", home, options=options).read("\n".join(rows).encode(), final=True)


OF_ANOTHER_COUNTRY = [
    ("Phone;Fax", f"+44 20 7946 0100;{GB}", "DE"),
    ("Telefon;Fax", f"+49 30 23125100;{DE}", "AT"),
    ("Mobil;Fax", "+34 600 123 456;91 060 12 34", "DE"),
    ("T\u00e9l.;Mobile;Fax", f";0044 7700 900123;{GB}", "DE"),
    ("Phone;Fax", f"Tel: +44 (0)20 7946 0100;{GB}", "DE"),
    ("PLZ;Ort;Fax", "A-1010;Wien;01 58058", "BE"),
    ("PLZ/Ort;Fax", f"D-10115 Berlin;{DE}", "AT"),
    ("CP;Ville;Fax", "CH-8001;Z\u00fcrich;044 234 56 78", "FR"),
    ("Postcode;Fax", "NL-1011 AB;020 123 4567", "DE"),
    ("USt-IdNr.;Fax", f"DE 123 456 789;{DE}", "AT"),
    ("VAT number;Fax", "ESB12345678;91 060 12 34", "DE"),
    ("IBAN;Fax", f"DE02 1203 0000 0000 2020 51;{DE}", "AT"),
    ("Anschrift;Fax", f'"Weg 1, 10115 Berlin, Deutschland";{DE}', "AT"),
    (GOOGLE, f"Work;+44 20 7946 0100;Work Fax;{GB}", "DE"),
    ("Vorwahl;Telefon;Fax", "030;+49 30 23125100;23125123", "AT"),
    ("Country;Phone;Fax", f";+44 20 7946 0100;{GB}", "DE"),
]


@pytest.mark.parametrize(("heading", "row", "home"), OF_ANOTHER_COUNTRY)
def test_a_national_number_of_a_row_of_another_country_is_refused(heading: str, row: str, home: str) -> None:
    accepted, (refused,) = read(heading, row, home=home)
    assert not accepted
    assert refused.reason == "other_country"
    assert "no_country=true (--no-country)" in refused.detail


OF_THIS_COUNTRY = [
    ("Telefon;Fax", f"+49 30 23125100;{DE}", "DE"),
    ("Telefon;Mobil;Fax", f"+49 30 23125100;+43 664 1234567;{DE}", "DE"),
    ("Phone;Fax", f"+1 416 555 0100;{US}", "US"),
    ("Phone;Fax", "+44 20 7946 0100;+49 30 23125123", "DE"),
    # these are no numbers of the other country
    ("Telefon;Fax", f"+34 910 601 200;{DE}", "DE"),
    ("Zip;Fax", f"MA-02139;{US}", "US"),
    ("Zip;Fax", f"CA-90210;{US}", "US"),
    ("Phone;Fax", f"+;{US}", "US"),
    ("Address;Fax", f'"1 Main St, Atlanta, Georgia";{US}', "US"),
    ("Address;Fax", f'"1 Main St, Washington, DE";{US}', "US"),
    ("IBAN;Fax", f"pending;{US}", "US"),
    ("PLZ;Fax", "10115;01 58058", "AT"),
    ("Land;Telefon;Fax", f"DE;+43 1 580580;{DE}", "AT"),
    ("Room;Fax", f"A-1010;{DE}", "DE"),
]


@pytest.mark.parametrize(("heading", "row", "home"), OF_THIS_COUNTRY)
def test_a_number_of_a_row_that_shows_no_other_country_is_dialled(heading: str, row: str, home: str) -> None:
    accepted, refused = read(heading, row, home=home)
    assert len(accepted) == 1, refused


@pytest.mark.parametrize(("heading", "row", "home"), OF_ANOTHER_COUNTRY)
def test_a_caller_who_says_that_there_is_no_other_country_is_believed(heading: str, row: str, home: str) -> None:
    if "Country" not in heading:
        _, refused = read(heading, row, home=home, options=ColumnOptions(no_country=True))
        assert all(row.reason != "other_country" for row in refused)
