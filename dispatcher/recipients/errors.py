"""Errors that make a whole recipient list unreadable. A single bad row is not an error; it is refused (see ``rows``).

RecipientListError
├── UnsupportedContentType
├── UnknownDefaultCountry
├── EmptyInput
├── NotText
├── WrongEncoding
├── NoNumberColumn
├── DuplicateColumn
├── UnusableColumns
├── TooManyRefused
└── BrokenJson
"""


class RecipientListError(Exception):
    """Raised when a recipient list cannot be read any further.

    Args:
        what: What is wrong, as a sentence for the sender.
        what_to_do: How to correct it, as a sentence for the sender.
        line: The line, from 1, or the item of a JSON array; None if the error has no line.
    """

    #: short name for programs; it stays the same in every version
    code = "intake_error"
    #: what ``line`` counts
    unit = "Line"

    def __init__(self, what: str, what_to_do: str, line: int | None = None) -> None:
        self.what = what
        self.what_to_do = what_to_do
        self.line = line
        where = "" if line is None else f"{self.unit} {line}: "
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


class DuplicateColumn(RecipientListError):
    """Raised when two columns of a CSV header have the same name."""

    code = "duplicate_column"


class UnusableColumns(RecipientListError):
    """Raised when a CSV header has too many columns, or too long a name."""

    code = "unusable_columns"


class TooManyRefused(RecipientListError):
    """Raised when so many rows are refused that the rest of the list is not read."""

    code = "too_many_refused"


class BrokenJson(RecipientListError):
    """Raised when the text is not a JSON array; items after the error cannot be separated."""

    code = "broken_json"
    unit = "Item"
