"""The reasons for which a row is refused, each with one sentence for people."""

from enum import StrEnum


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
    BROKEN_ROW = "broken_row"
    TOO_LONG = "too_long"

    @property
    def sentence(self) -> str:
        """The explanation for people: what is wrong and, if it helps, what to do."""
        return _SENTENCES[self]


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
    RefusalReason.BROKEN_ROW: "The row cannot be read.",
    RefusalReason.TOO_LONG: "The row is longer than 65,536 characters.",
}
