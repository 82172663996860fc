"""The reasons for which a row is refused, each with one sentence for people."""

from enum import StrEnum
from typing import NamedTuple


class RefusalReason(StrEnum):
    """Why a row is refused. The value is the code in reports, ``sentence`` the explanation for people."""

    EMPTY = "empty"
    NOT_A_NUMBER = "not_a_number"
    EXTENSION = "extension"
    UNKNOWN_COUNTRY = "unknown_country"
    NO_COUNTRY = "no_country"
    IMPOSSIBLE = "impossible"
    INVALID = "invalid"
    SHORT_NUMBER = "short_number"
    DAMAGED_BY_SPREADSHEET = "damaged_by_spreadsheet"
    NUMBER_TOO_LONG = "number_too_long"
    TWO_NUMBERS = "two_numbers"
    BRACKETS = "brackets"
    CALLING_CODE = "calling_code"
    OTHER_COUNTRY = "other_country"
    OUTSIDE_LINE = "outside_line"
    TELEPHONE = "telephone"
    THOUSANDS_SEPARATORS = "thousands_separators"
    LOST_ZERO = "lost_zero"
    AREA_CODE = "area_code"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    NUMBER_TYPE_NOT_ALLOWED = "number_type_not_allowed"
    PRICE_TOO_HIGH = "price_too_high"
    BROKEN_ROW = "broken_row"
    TOO_LONG = "too_long"
    OPTED_OUT = "opted_out"
    UNCLEAR_PERMISSION = "unclear_permission"

    @property
    def sentence(self) -> str:
        """The explanation for people: what is wrong and, if it helps, what to do."""
        return _SENTENCES[self]


class RefusedNumber(NamedTuple):
    """The reason why a text is not a fax number, as a code and as a sentence."""

    reason: RefusalReason
    sentence: str


_SENTENCES = {
    RefusalReason.EMPTY: "The row has no fax number.",
    RefusalReason.NOT_A_NUMBER: "This is not a phone number.",
    RefusalReason.EXTENSION: "The number has an extension, which a fax cannot dial; give a direct number.",
    RefusalReason.UNKNOWN_COUNTRY: "The country is not known; give an ISO code (DE) or a dialling code (+49).",
    RefusalReason.NO_COUNTRY: "The number has no country code; write it as +49... or give a country.",
    RefusalReason.IMPOSSIBLE: "The number has a length that no number of this country has.",
    RefusalReason.INVALID: "The number's digits fit no number range of this country.",
    RefusalReason.SHORT_NUMBER: "This is an emergency or short number, which cannot receive a fax.",
    RefusalReason.DAMAGED_BY_SPREADSHEET: "A spreadsheet has changed this number; format it as text and export again.",
    RefusalReason.NUMBER_TOO_LONG: "The number has more than 100 characters; write only the number into its column.",
    RefusalReason.TWO_NUMBERS: "The cell seems to have more than one number; write each into a row of its own.",
    RefusalReason.BRACKETS: "Brackets stand around something other than an area code; write the number without them.",
    RefusalReason.CALLING_CODE: (
        "The digits are valid with the calling code of the country and without it; write the number with + or with the "
        "prefix of national calls, such as +49... or 0..."
    ),
    RefusalReason.OTHER_COUNTRY: (
        "The digits are valid in the row's country, and in another one with + before them; write the number with + or "
        "with the prefix of national calls, such as +49... or 0..."
    ),
    RefusalReason.TELEPHONE: "The field says that this is a telephone number; give the fax number, or only the digits.",
    RefusalReason.OUTSIDE_LINE: (
        "The number seems to begin with a prefix for an outside line; write it without, best as +49..."
    ),
    RefusalReason.THOUSANDS_SEPARATORS: (
        "The digits are grouped like an amount, so zeros may be lost; format the column as text and export again."
    ),
    RefusalReason.LOST_ZERO: (
        "The number may have lost its zero or its area code; write it completely, best as +49..., and format the "
        "column as text."
    ),
    RefusalReason.AREA_CODE: "The area code does not fit the number; write the complete number, best as +49...",
    RefusalReason.COUNTRY_NOT_ALLOWED: "The policy does not allow faxes to this country (destinations.countries).",
    RefusalReason.NUMBER_TYPE_NOT_ALLOWED: "The policy forbids numbers of this type (destinations.forbidden_types).",
    RefusalReason.PRICE_TOO_HIGH: "A page costs more than the policy allows (destinations.max_price_per_page).",
    RefusalReason.BROKEN_ROW: "The row cannot be read.",
    RefusalReason.TOO_LONG: "The row is longer than 65,536 characters.",
    RefusalReason.OPTED_OUT: "The recipient does not want faxes, so the row is not sent.",
    RefusalReason.UNCLEAR_PERMISSION: "It is not clear whether the recipient wants faxes; write yes, no or nothing.",
}
