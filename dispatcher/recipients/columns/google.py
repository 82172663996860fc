"""Numbers whose label says what they are, as in Google Contacts: "Phone 1 - Label" beside "Phone 1 - Value"."""

from collections.abc import Sequence

from dispatcher.recipients.columns.headings import Subject, read_heading
from dispatcher.recipients.columns.roles import LabelledCountry, LabelledNumber

#: what stands between the values of one label
_BETWEEN_VALUES = ":::"


def fax_numbers(columns: Sequence[LabelledNumber], values: Sequence[str]) -> list[tuple[str, str]]:
    """Return the different numbers whose label says fax and nothing else, as "Tel/Fax" does, each with its label."""
    numbers: dict[str, str] = {}
    for label, value in columns:
        if read_heading(values[label]).subject is Subject.FAX:
            for number in values[value].split(_BETWEEN_VALUES):
                if number.strip():
                    numbers.setdefault(number.strip(), values[label])
    return list(numbers.items())


def country_of(columns: Sequence[LabelledCountry], values: Sequence[str], label: str) -> str | None:
    """Return the country of the address that a number with this label belongs to; None if it is not clear.

    It is the country of the address with a label of the same kind, or else of the only address with a country.
    """
    countries = [(values[pair.label] if pair.label >= 0 else "", values[pair.value].strip()) for pair in columns]
    filled = [(address_label, country) for address_label, country in countries if country]
    group = read_heading(label).address
    same = {country for address_label, country in filled if read_heading(address_label).address == group}
    others = {country for _, country in filled}
    if len(same) == 1:
        return same.pop()
    if len(others) == 1 and (not group or not read_heading(filled[0][0]).address):
        return others.pop()
    return None if filled else ""
