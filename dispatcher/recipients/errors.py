"""Errors that make a whole recipient list unreadable. A single bad row is not an error; it is refused (see ``rows``).

RecipientListError
├── UnsupportedContentType
├── UnknownDefaultCountry
├── EmptyInput
├── NotText
├── WrongEncoding
├── NoNumberColumn
├── NoSuchColumn
├── AmbiguousColumns
├── UnusedColumn
├── SecondHeading
├── DuplicateColumn
├── UnusableColumns
├── UnusableWorkbook
├── TooManyRefused
└── BrokenJson
"""

from dispatcher.recipients.columns.roles import Fault, Refusal


class RecipientListError(Exception):
    """Raised when a recipient list cannot be read any further.

    Args:
        what: What is wrong, as a sentence for the sender.
        what_to_do: How to correct it, as a sentence for the sender.
        line: The line, from 1, or the item of a JSON array; None if the error has no line.
        unit: What ``line`` counts, if it is not a line.
    """

    #: short name for programs; it stays the same in every version
    code = "intake_error"
    #: what ``line`` counts
    unit = "Line"

    def __init__(self, what: str, what_to_do: str, line: int | None = None, unit: str = "") -> None:
        self.what = what
        self.what_to_do = what_to_do
        self.line = line
        where = "" if line is None else f"{unit or self.unit} {line}: "
        super().__init__(f"{where}{what} {what_to_do}")


class UnsupportedContentType(RecipientListError):
    """Raised when the content type is none of CSV, NDJSON and JSON."""

    code = "unsupported_content_type"


class UnknownDefaultCountry(RecipientListError):
    """Raised when the default country of the batch is not a country."""

    code = "unknown_default_country"


class EmptyInput(RecipientListError):
    """Raised at the end of an input without any row."""

    code = "empty_input"


class NotText(RecipientListError):
    """Raised when the input is a workbook, an archive, a PDF or another binary file."""

    code = "not_text"


class WrongEncoding(RecipientListError):
    """Raised when the bytes are neither UTF-8 nor UTF-16 with a byte order mark."""

    code = "wrong_encoding"


class NoNumberColumn(RecipientListError):
    """Raised when no column of a CSV header names the fax number."""

    code = "no_number_column"


class NoSuchColumn(RecipientListError):
    """Raised when the caller names a column that the list does not have."""

    code = "no_such_column"


class AmbiguousColumns(RecipientListError):
    """Raised when more than one column could be meant."""

    code = "ambiguous_columns"


class UnusedColumn(RecipientListError):
    """Raised when a column says something about number, country or permission, and would not be used."""

    code = "unused_column"


class SecondHeading(RecipientListError):
    """Raised when the row after the headings is a row of headings too."""

    code = "second_heading"


class DuplicateColumn(RecipientListError):
    """Raised when the number, the country or the area code has two columns of the same name."""

    code = "duplicate_column"


class UnusableColumns(RecipientListError):
    """Raised when a CSV header has too many columns, or too long a name."""

    code = "unusable_columns"


class UnusableWorkbook(RecipientListError):
    """Raised when a workbook cannot be read, or when it is not clear which of its sheets is meant."""

    code = "unusable_workbook"
    unit = "Row"


class TooManyRefused(RecipientListError):
    """Raised when so many rows are refused that the rest of the list is not read."""

    code = "too_many_refused"


class BrokenJson(RecipientListError):
    """Raised when the text is not a JSON array; items after the error cannot be separated."""

    code = "broken_json"
    unit = "Item"


_OF_FAULTS = {
    Fault.NO_NUMBER: NoNumberColumn,
    Fault.NO_SUCH_COLUMN: NoSuchColumn,
    Fault.AMBIGUOUS: AmbiguousColumns,
    Fault.UNUSED: UnusedColumn,
    Fault.SECOND_HEADING: SecondHeading,
    Fault.DUPLICATE: DuplicateColumn,
}


def error_of(refusal: Refusal, line: int | None, unit: str = "") -> RecipientListError:
    """Return the error for a list whose columns are not clear."""
    return _OF_FAULTS[refusal.fault](refusal.what, refusal.what_to_do, line, unit)
