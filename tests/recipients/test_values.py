"""Values of columns that nobody uses: those that say another country, or that somebody opted out, are asked about."""

import json

import pytest

from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions
from dispatcher.recipients.errors import NoNumberColumn, RecipientListError, SecondHeading, UnusedColumn
from dispatcher.recipients.read_rows import RowReader

US, DE, GB = "202-555-0143", "030 23125123", "020 7946 0958"


def dialled(*rows: str, home: str = "US", options: ColumnOptions = NOTHING_NAMED) -> list[str]:
    """The numbers that are dialled of rows whose cells are separated by ``|``."""
    text = "\n".join(rows).encode()
    return [row.number for row in RowReader("text/csv", home, options=options).read(text, final=True).accepted]


def json_dialled(*rows: dict[str, object], options: ColumnOptions = NOTHING_NAMED) -> list[str]:
    text = "\n".join(map(json.dumps, rows)).encode()
    reader = RowReader("application/x-ndjson", "US", options=options)
    return [row.number for row in reader.read(text, final=True).accepted]


OTHER_COUNTRY = [
    (("Prefix|Fax", f"44|{GB}"), "US"),
    (("Prefix|Fax", f"Mr|{US}", f"+44|{GB}"), "US"),
    (("CC|Fax", "+49|3023125123"), "US"),
    (("Code|Fax", "0049|3023125123"), "US"),
    (("Code|Fax", "1|2025550143", "49|3023125123"), "US"),
    (("Phone prefix|Fax", "(+49)|3023125123"), "US"),
    (("Fax prefix|Fax", "49|3023125123"), "US"),
    (("Market|Fax", f"DE|{DE}"), "US"),
    (("Market|Fax", f"EMEA|{US}", f"de|{DE}"), "US"),
    (("Markt|Fax", f"Deutschland|{DE}"), "US"),
    (("Locale|Fax", f"en-GB|{GB}"), "DE"),
    (("Locale|Fax", f"de_DE.UTF-8|{DE}"), "US"),
    (("Sprache|Fax", f"de-DE|{DE}"), "US"),
    (("A|Fax", f"DEU|{DE}"), "US"),
    (("A|Fax", f"DE - Germany|{DE}"), "US"),
    (("A|Fax", f"Germany (DE)|{DE}"), "US"),
    (("A|Fax", f"US-CA|{US}"), "DE"),
    (("A|Fax", "NO|22 12 34 56", "SE|08 123 456 78"), "US"),
    (("Country|Market|Fax", f"US|DE|{US}", f"|DE|{DE}"), "US"),
    (("Country|Prefix|Fax", f"US|+49|{DE}"), "US"),
    (("Vorwahl|Fax", "+49|3023125123"), "US"),
]


@pytest.mark.parametrize(("rows", "home"), OTHER_COUNTRY)
def test_a_column_that_says_another_country_is_asked_about(rows: tuple[str, ...], home: str) -> None:
    with pytest.raises(UnusedColumn) as raised:
        dialled(*rows, home=home)
    assert "--country-column" in str(raised.value)
    assert "country_column=" in str(raised.value)
    name = raised.value.what_to_do.partition("country_column=")[2].partition(" (on")[0]
    dialled(*rows, home=home, options=ColumnOptions(country=name))
    if "Vorwahl" not in rows[0]:
        dialled(*rows, home=home, options=ColumnOptions(no_country=True))


NO_OTHER_COUNTRY = [
    (("Prefix|Fax", f"Mr|{US}", f"MS|{US}", f"Dr.|{US}"), "US"),
    (("St|Fax", f"DE|{US}", f"CA|{US}"), "US"),
    (("State|Fax", f"Georgia|{US}"), "US"),
    (("Language|Fax", f"de|{US}", f"FR|{US}"), "US"),
    (("Market|Fax", f"US|{US}", f"CA|{US}"), "US"),
    (("Market|Fax", "DE|+49 30 23125123"), "US"),
    (("Prefix|Fax", "49|0049 30 23125123"), "US"),
    (("First Name|Fax", f"Jordan|{US}"), "US"),
    (("Age|Copies|Fax", f"49|1|{US}"), "DE"),
    (("Newsletter|Fax", f"NO|{US}"), "US"),
    (("Active|Fax", f"1|{DE}"), "DE"),
    (("Department|Fax", f"IT|{US}", f"HR|{US}", f"Sales|{US}"), "US"),
    (("Branch|Fax", f"41|{US}", f"47|{US}"), "US"),
    (("Country|Market|Fax", f"US|DE|{US}"), "DE"),
    (("Code|Fax", f"A12|{US}"), "US"),
    (("Degree|Fax", f"PA|{US}", f"MD|{US}"), "US"),
    (("Dept|Fax", f"IT|{US}"), "US"),
    (("City|Fax", f"Singapore|{US}"), "US"),
]


@pytest.mark.parametrize(("rows", "home"), NO_OTHER_COUNTRY)
def test_a_column_whose_values_only_look_like_countries_is_left_alone(rows: tuple[str, ...], home: str) -> None:
    assert len(dialled(*rows, home=home)) == len(rows) - 1


def test_a_later_row_that_says_another_country_ends_the_list() -> None:
    rows = [f"US|{US}"] * 150
    with pytest.raises(UnusedColumn, match="Line 152"):
        dialled("Market|Fax", *rows, f"DE|{DE}")
    with pytest.raises(UnusedColumn, match="Line 152"):
        dialled("Prefix|Fax", *[f"|{US}"] * 150, f"49|{DE}")


OUT = [
    *(
        "Status|opted out",
        "Status|Opt-Out",
        "Status|inactive/do not contact",
        "Status|Unsubscribed",
        "Notes|do not fax!",
    ),
    *("Kategorie|verstorben", "Bemerkung|Kein Fax!", "Remarks|deceased 2020", "Tags|DNC", "List|blacklisted"),
    *("Estado|no contactar", "Statut|désinscrit", "Stato|disiscritto", "X|Patient deceased", "Opmerking|niet faxen"),
    *(
        "Status|Wrong number",
        "Fax Status|disconnected",
        "Status|widerrufen",
        "Info|revoked",
        "Info|not in service",
    ),
    *("Notes|asked not to be faxed again", "Notes|took part in May, but asked that we do not fax any more"),
    *("X|take off list", "X|passed away", "X|Widerspruch vom 1.2.2026", "X|nicht mehr faxen", "X|no quiere fax"),
    *("X|ne plus envoyer de fax", "X|plus de fax", "X|non inviare pi\u00f9 fax", "X|niet meer faxen", "X|do not send"),
    *(
        "Preferred Contact|Do not fax",
        "Group|Opted Out of fax",
        "Lifecycle|Do Not Contact (legal)",
        "Flag|no marketing",
        "Typ|gesperrt",
    ),
]


@pytest.mark.parametrize("column", OUT)
def test_a_column_with_a_value_about_opting_out_is_asked_about(column: str) -> None:
    name, value = column.split("|")
    rows = f"{name}|Fax", f"active|{US}", f"{value}|{US}"
    with pytest.raises(UnusedColumn) as raised:
        dialled(*rows)
    assert f"opt_out_column={name}" in str(raised.value)
    assert "--opt-out-column" in str(raised.value)
    assert dialled(*rows, options=ColumnOptions(opt_out=name)) == ["+12025550143"]
    assert len(dialled(*rows, options=ColumnOptions(number="Fax", no_country=True))) == 2


@pytest.mark.parametrize(
    "column",
    [
        *("Last Name|Robinson", "City|Baja", "Email status|unsubscribed", "Notes|no email please", "Status|active"),
        *("Notes|Opted out of newsletter e-mails", "Company|Death Valley Tours", "Claim|denied", "Notes|No. 12"),
        *(
            "Company|No Fax Solutions",
            "Company|Fax Stop Ltd",
            "Remark|Blocked drain in room 3",
            "Notes|not in on Friday",
        ),
        *("Marketing contact status|Non-marketing contact", "Street|Opposition Rd. 1", "Notes|not opted out"),
        *("Lead Status|Open - Not Contacted", "Status|never contacted", "Remark|Dead end road", "X|remove hat"),
    ],
)
def test_a_column_that_says_nothing_about_faxes_is_left_alone(column: str) -> None:
    name, value = column.split("|")
    assert dialled(f"{name}|Fax", f"{value}|{US}") == ["+12025550143"]


@pytest.mark.parametrize("rows", ["Include|1|0", "Exclude||x", "Remove||yes", "Skip|no|yes", "Ausgeschlossen|nein|ja"])
def test_a_column_of_yes_and_no_that_says_who_gets_something_is_asked_about(rows: str) -> None:
    name, first, second = rows.split("|")
    with pytest.raises(UnusedColumn, match=f"opt_out_column={name}"):
        dialled(f"{name}|Fax", f"{first}|{US}", f"{second}|{US}")


def test_a_value_about_opting_out_is_no_news_of_somebody_who_is_not_sent_to() -> None:
    rows = f"{US}|x|do not fax", f"202-555-0144||{'-' * 3}"
    assert dialled("Fax|Opt-out|Notes", *rows) == ["+12025550144"]
    assert dialled("Fax|Opt-out|Notes", *[f"{US}||"] * 150, *rows)[-1] == "+12025550144"


def test_a_later_row_that_says_that_somebody_opted_out_ends_the_list() -> None:
    with pytest.raises(UnusedColumn, match="Line 152"):
        dialled("Status|Fax", *[f"active|{US}"] * 150, f"unsubscribed|{US}")


@pytest.mark.parametrize(
    "heading",
    [
        "Deceased",
        "Verstorben",
        "Décédé",
        "Fallecido",
        "Deceduto",
        "Overleden",
        "Fax verboten",
        "Stop fax",
        "Fax prohibido",
    ],
)
def test_a_row_of_somebody_who_must_not_be_faxed_is_not_sent(heading: str) -> None:
    assert dialled(f"Fax|{heading}", f"{US}|x", "202-555-0144|") == ["+12025550144"]


@pytest.mark.parametrize("heading", ["DNC", "DNC flag", "Date of death", "Fax do not use"])
def test_an_unclear_heading_about_permission_is_asked_about(heading: str) -> None:
    with pytest.raises(UnusedColumn, match="--opt-out-column"):
        dialled(f"Fax|{heading}", f"{US}|x")
    assert dialled(f"Fax|{heading}", f"{US}|") == ["+12025550143"]


@pytest.mark.parametrize(
    "heading",
    [
        *(
            "Old Fax",
            "Former fax",
            "Previous Fax",
            "Fax (alt)",
            "Alte Faxnummer",
            "Ancien fax",
            "Fax anterior",
            "Oude fax",
        ),
        *(
            "Vecchio fax",
            "Invalid fax",
            "Our Fax",
            "Sender Fax",
            "Fax Account Number",
            "Fax ID",
            "Fax date",
            "Fax server",
        ),
        *("Faxserver", "Fax-ID", "Fax prefix", "Faxed", "Fax Provider", "Fax verified"),
    ],
)
def test_a_fax_column_that_perhaps_nobody_wants_to_dial_is_asked_about(heading: str) -> None:
    with pytest.raises(UnusedColumn, match="--number-column"):
        dialled(f"Name|{heading}", f"A|{US}")
    assert dialled(f"Name|{heading}", f"A|{US}", options=ColumnOptions(number=heading)) == ["+12025550143"]
    assert dialled(f"Fax|{heading}", f"{US}|") == ["+12025550143"]


@pytest.mark.parametrize(
    "fields",
    [{"do_not_fax": True}, {"Opt-out": "yes"}, {"deceased": "x"}, {"consent": ""}, {"Fax allowed": "no"}],
)
def test_fields_of_json_that_say_that_somebody_opted_out_are_heeded(fields: dict[str, object]) -> None:
    assert json_dialled({"number": US, "fields": fields}) == []


@pytest.mark.parametrize(
    ("fields", "option"),
    [
        ({"status": "opted out"}, "opt_out_column=status"),
        ({"consent date": "2026-01-01"}, "opt_out_column=consent date"),
        ({"country": "Germany"}, "country_column=country"),
        ({"market": "DE"}, "country_column=market"),
    ],
)
def test_fields_of_json_are_asked_about(fields: dict[str, object], option: str) -> None:
    row: dict[str, object] = {"number": "3023125123", "fields": fields}
    with pytest.raises(UnusedColumn) as raised:
        json_dialled(row)
    assert option in str(raised.value)
    assert "out of 'fields'" in str(raised.value)
    assert json_dialled(row, options=ColumnOptions(number="number", no_country=True)) == ["+13023125123"]
    assert json_dialled({"number": "+493023125123", "fields": {"market": "DE"}}) == ["+493023125123"]


@pytest.mark.parametrize(
    ("rows", "error", "line"),
    [
        (("Kundenliste 2026", "", "Firma;Ort;Fax", f"A;B;{US}"), SecondHeading, 3),
        (("Faxliste", "Firma;Ort;Fax", f"A;B;{US}"), SecondHeading, 2),
        (("Customers;;", "as of 1/1/2026;;", "Company;City;Fax", f"A;B;{US}"), NoNumberColumn, 3),
        (("Export|||", "|||", "Stand: 3. Mai 2026|||", "Name|Ort|Tel|Fax", f"A|B|1|{US}"), NoNumberColumn, 4),
    ],
)
def test_the_line_of_headings_below_a_title_is_named(
    rows: tuple[str, ...], error: type[RecipientListError], line: int
) -> None:
    with pytest.raises(error, match=f"Line {line} seems to have the headings"):
        dialled(*rows)


@pytest.mark.parametrize(
    ("heading", "value"),
    [
        *(
            ("type", "phone"),
            ("Type", "Mobile"),
            ("label", "cell"),
            ("Kind", "Tel"),
            ("Art", "Telefon"),
            ("Typ", "Handy"),
        ),
        *(
            ("tipo", "m\u00f3vil"),
            ("Tipo", "cellulare"),
            ("Soort", "vast/voice"),
            ("Line type", "landline"),
            ("X", "Festnetz"),
        ),
    ],
)
def test_a_column_that_says_that_numbers_are_those_of_telephones_is_asked_about(heading: str, value: str) -> None:
    value = value.rpartition("/")[2]
    rows = f"Number|{heading}", f"{US}|fax", f"202-555-0144|{value}"
    with pytest.raises(UnusedColumn, match="those of a fax"):
        dialled(*rows)
    assert len(dialled(*rows, options=ColumnOptions(number="Number", no_country=True))) == 2
    assert len(dialled(*rows[:2])) == 1
    assert len(dialled(f"Fax|{heading}", *rows[1:])) == 2


def test_a_later_row_with_the_number_of_a_telephone_ends_the_list() -> None:
    with pytest.raises(UnusedColumn, match="Line 152"):
        dialled("Number|Type", *[f"{US}|fax"] * 150, f"{US}|mobile")


def test_a_preferred_kind_says_nothing_about_the_number() -> None:
    assert dialled("Number|Preferred method", f"{US}|Phone") == ["+12025550143"]


@pytest.mark.parametrize(
    "heading",
    [
        *(
            "Send fax",
            "Fax senden",
            "Faxversand",
            "Receive faxes",
            "Fax?",
            "Send?",
            "Senden",
            "Mailing",
            "Werbung",
            "Contact",
        ),
        *("Permission", "Envoyer", "Enviar", "Versturen"),
    ],
)
def test_a_column_of_yes_and_no_about_sending_is_asked_about(heading: str) -> None:
    rows = f"Fax number|{heading}", f"{US}|yes", "202-555-0144|no"
    with pytest.raises(UnusedColumn, match="--consent-column"):
        dialled(*rows)
    assert dialled(*rows, options=ColumnOptions(consent=heading)) == ["+12025550143"]
    assert dialled(*rows, options=ColumnOptions(opt_out=heading)) == ["+12025550144"]


@pytest.mark.parametrize("heading", ["Primary contact", "Newsletter", "Active", "Main mailing address"])
def test_another_column_of_yes_and_no_is_left_alone(heading: str) -> None:
    assert len(dialled(f"Fax|{heading}", f"{US}|yes", f"{US}|no")) == 2


@pytest.mark.parametrize("heading", ["Extension", "Ext.", "Durchwahl", "Fax-DW"])
def test_an_extension_that_belongs_to_no_telephone_is_asked_about(heading: str) -> None:
    with pytest.raises(UnusedColumn, match="--number-column"):
        dialled(f"Fax|{heading}", f"{US}|12")
    assert dialled(f"Fax|{heading}", f"{US}|") == ["+12025550143"]
    if "Fax" not in heading:
        assert dialled(f"Fax|Phone|{heading}", f"{US}|1|12") == ["+12025550143"]
