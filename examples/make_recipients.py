"""Writes recipients.csv: 1,000 rows as they come out of a customer database, the same at every run.

Every number is of a range that its regulator has set aside for fiction (NANPA 555-01xx, Ofcom, Bundesnetzagentur, ARCEP
and ACMA), so that nobody's fax rings if the file is ever sent for real.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROWS = 1000
SEED = 7946

COLUMNS = ("Customer ID", "Company", "Fax", "Country", "Contact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A national number in its usual groups; ``trunk`` is the digit dialled before it at home."""

    region: str
    code: str
    trunk: str
    groups: tuple[str, ...]


#: Area and exchange of every range used, the digits that vary as x.
RANGES = {
    "US": tuple(
        f"{area} 555 01xx"
        for area in (
            *(202, 206, 212, 213, 214, 215, 216, 303, 305, 312, 313, 314, 316, 404, 412, 415, 503, 504),
            *(512, 602, 612, 615, 617, 702, 704, 713, 801, 804, 816, 919),
        )
    ),
    "GB": (
        *("20 7946 0xxx", "113 496 0xxx", "114 496 0xxx", "116 496 0xxx", "117 496 0xxx", "118 496 0xxx"),
        *("121 496 0xxx", "131 496 0xxx", "141 496 0xxx", "151 496 0xxx", "161 496 0xxx", "191 498 0xxx"),
        *("28 9649 6xxx", "29 2018 0xxx"),
    ),
    "DE": ("30 23125 xxx", "69 90009 xxx", "40 66969 xxx", "221 4710 xxx", "89 99998 xxx"),
    "FR": ("1 99 00 xx xx", "2 61 91 xx xx", "3 53 01 xx xx", "4 65 71 xx xx", "5 36 49 xx xx"),
    "AU": ("2 5550 xxxx", "2 7010 xxxx", "3 5550 xxxx", "3 7010 xxxx", "7 5550 xxxx", "7 7010 xxxx", "8 5550 xxxx"),
}
#: Share of the customers, in percent.
SHARES = {"US": 36, "GB": 26, "DE": 20, "FR": 10, "AU": 8}
CODES = {"US": "1", "GB": "44", "DE": "49", "FR": "33", "AU": "61"}

COUNTRIES = {
    "US": ("US", "US", "USA", "United States", "us", "+1"),
    "GB": ("GB", "UK", "United Kingdom", "Great Britain", "+44", "0044"),
    "DE": ("DE", "Germany", "Deutschland", "DEU", "+49", "49"),
    "FR": ("FR", "France", "FRA", "+33"),
    "AU": ("AU", "Australia", "AUS", "61"),
}

SURNAMES = {
    "US": ("Walker", "Nguyen", "Peña", "O'Brien", "Washington", "Kowalski", "Carter", "Lindqvist"),
    "GB": ("Hughes", "Patel", "MacLeod", "Brontë", "Ashworth", "Okafor", "Siân Rees", "Fairclough"),
    "DE": ("Müller", "Schäfer", "Weiß", "Böhm", "Yılmaz", "Großkopf", "Krüger", "Öztürk"),
    "FR": ("Lefèvre", "Benoît", "Garçon", "Noël", "Dubois", "Périer", "Haÿ", "Œillet"),
    "AU": ("Campbell", "Nikolić", "Tran", "Fitzgerald", "Papadopoulos", "Zoë Hart"),
}
TRADES = {
    "US": ("{0} Dental Group", "{0} & Sons Roofing, Inc.", 'The "{0}" Inn', "Law Offices of {0}", "{0} Auto Parts LLC"),
    "GB": ("{0} Estates Ltd", "{0}, {0} & Co", "{0} Dental Surgery", "{0} Freight; Leeds", "{0} Pharmacy"),
    "DE": ("{0} & Söhne GmbH", "Praxis Dr. {0}", "Bäckerei {0} OHG", "{0} Bau; Inh. K. {0}", "Apotheke {0}"),
    "FR": ("Établissements {0}", "Pharmacie {0}", "{0} & Fils SARL", "Hôtel {0}"),
    "AU": ("{0} Plumbing Pty Ltd", "{0} Conveyancing", "{0} Medical Centre"),
}
FIRST_NAMES = (
    "Ana",
    "Björn",
    "Chloé",
    "David",
    "Elif",
    "François",
    "Grace",
    "Håkon",
    "Ines",
    "Jürgen",
    "Maeve",
    "Søren",
)


def _international(number: Number) -> str:
    return f"+{number.code} {' '.join(number.groups)}"


def _national(number: Number, separator: str = " ") -> str:
    return number.trunk + separator.join(number.groups)


def _in_parentheses(number: Number) -> str:
    """(202) 555-0143 and (020) 7946-0958."""
    area, *rest = number.groups
    return f"({number.trunk}{area}) {'-'.join(rest)}"


#: Notations that say the country themselves.
ABROAD: tuple[Callable[[Number], str], ...] = (
    _international,
    _international,
    lambda number: f"+{number.code}{''.join(number.groups)}",
    lambda number: f"+{number.code}-{'-'.join(number.groups)}",
    lambda number: f"00{number.code} {' '.join(number.groups)}",
    lambda number: (
        f"+{number.code} ({number.trunk}){' '.join(number.groups)}" if number.trunk else _international(number)
    ),
    lambda number: f"tel:+{number.code}-{'-'.join(number.groups)}",
    lambda number: _international(number).replace(" ", "\u00a0"),
)
#: Notations that need the country column.
AT_HOME: tuple[Callable[[Number], str], ...] = (
    _national,
    _national,
    _in_parentheses,
    lambda number: _national(number, "-"),
    lambda number: _national(number, "."),
    lambda number: _national(number, ""),
    lambda number: f" {_national(number)}  ",
    lambda number: f"Fax: {_national(number)}",
    lambda number: f"1-{'-'.join(number.groups)}" if number.region == "US" else _national(number, "/"),
)

#: Rows that no fax can reach: number and country. What becomes of them is in the tests.
REFUSED = (
    *(("", "US"), ("", "GB"), ("", "Germany"), ("   ", "US"), ("", ""), ("", "AU"), ("", "DE"), ("", "USA")),
    *(("202-555-0117 x12", "US"), ("(312) 555-0160 ext. 4", "USA"), ("020 7946 0321 ext 7", "UK")),
    *(("+49 30 23125-0 Durchwahl 12", "DE"), ("+1 415 555 0125 x300", ""), ("0161 496 0411 #21", "GB")),
    *(("+44 20 7946 0877 x5", ""), ("089 99998 100 DW 44", "DE"), ("(504) 555-0133 extension 9", "US")),
    *(("555-0142", "US"), ("+44 20 7946", "GB"), ("7946 0958", "UK"), ("+1 212 555 01", "")),
    *(("01 99 00 12", "FR"), ("+61 2 5550 12345678", "AU"), ("0", "GB")),
    *(("(202) 055-0142", "US"), ("01632 960123", "GB"), ("0115 496 0222", "GB")),
    *(("n/a", "GB"), ("unbekannt", "DE"), ("see notes", "US"), ("1-800-555-FAXX", "US")),
    *(("2.02556E+09", "US"), ("4,42079E+11", "GB"), ("493023125123.0", "DE")),
    *(("020 7946 0444", ""), ("(617) 555-0171", ""), ("030 23125-444", " ")),
    *(("8 5550 4321", "Atlantis"), ("212 555 0181", "N/A"), ("112", "DE")),
)
#: Customers that are in the database twice, mostly in another notation.
DOUBLES = 12


def main() -> None:
    """Write the file beside this script."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(recipients(Random(SEED)))
    path = Path(__file__).with_name("recipients.csv")
    path.write_bytes(text.getvalue().encode("utf-8-sig"))


def recipients(random: Random) -> list[tuple[str, ...]]:
    """The rows in order: good ones, and among them refused ones and doubles."""
    numbers = _numbers(random, ROWS - len(REFUSED) - DOUBLES)
    numbers += random.sample(numbers[: len(numbers) // 2], DOUBLES)
    good = [(*_written(random, number), number.region) for number in numbers]
    bad = [(fax, country, random.choice(list(SHARES))) for fax, country in REFUSED]
    for row in bad:
        good.insert(random.randrange(len(good) + 1), row)
    return [
        (f"K-{100_000 + 17 * place}", _company(random, region), fax, country, _contact(random, region))
        for place, (fax, country, region) in enumerate(good)
    ]


def _numbers(random: Random, count: int) -> list[Number]:
    """Different numbers of all countries, by their shares."""
    numbers: dict[Number, None] = {}
    while len(numbers) < count:
        (region,) = random.choices(list(SHARES), list(SHARES.values()))
        pattern = random.choice(RANGES[region])
        digits = "".join(str(random.randrange(10)) if sign == "x" else sign for sign in pattern)
        trunk = "" if region == "US" else "0"
        numbers[Number(region=region, code=CODES[region], trunk=trunk, groups=tuple(digits.split()))] = None
    return list(numbers)


def _written(random: Random, number: Number) -> tuple[str, str]:
    """The number in some notation, and its country in some form: left out only where the number says it."""
    if random.random() < 0.45:
        country = "" if random.random() < 0.3 else random.choice(COUNTRIES[number.region])
        return random.choice(ABROAD)(number), country
    return random.choice(AT_HOME)(number), random.choice(COUNTRIES[number.region])


def _company(random: Random, region: str) -> str:
    return random.choice(TRADES[region]).format(random.choice(SURNAMES[region]))


def _contact(random: Random, region: str) -> str:
    return f"{random.choice(FIRST_NAMES)} {random.choice(SURNAMES[region]).split()[-1]}"


if __name__ == "__main__":
    main()
