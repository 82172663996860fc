"""What makes a whole recipient list unreadable. A single bad row is no error: it is refused (see ``rows``).

IntakeError
├── UnsupportedContentType
├── UnknownDefaultCountry
├── EmptyInput
├── NotText
├── WrongEncoding
├── NoNumberColumn
├── DuplicateColumn
└── BrokenJson
"""


class IntakeError(Exception):
    """A recipient list cannot be read any further.

    ``line`` is the 1-based line (for a JSON array: the item), or None where none is to blame; ``what`` says what is
    wrong and ``what_to_do`` how to get past it, each as a sentence for the sender.
    """

    #: Short name for machines, the same in every version.
    code = "intake_error"

    def __init__(self, what: str, what_to_do: str, line: int | None = None) -> None:
        self.what = what
        self.what_to_do = what_to_do
        self.line = line
        where = "" if line is None else f"Line {line}: "
        super().__init__(f"{where}{what} {what_to_do}")


class UnsupportedContentType(IntakeError):
    """Raised when the content type is none of CSV, NDJSON and JSON."""

    code = "unsupported_content_type"


class UnknownDefaultCountry(IntakeError):
    """Raised when the batch's default country is no country."""

    code = "unknown_default_country"


class EmptyInput(IntakeError):
    """Raised at the end of an input that held no row at all."""

    code = "empty_input"


class NotText(IntakeError):
    """Raised when the input is a workbook, an archive, a PDF or another binary file."""

    code = "not_text"


class WrongEncoding(IntakeError):
    """Raised when the bytes are neither UTF-8 nor UTF-16 with a byte order mark."""

    code = "wrong_encoding"


class NoNumberColumn(IntakeError):
    """Raised when no column of a CSV header names the fax number."""

    code = "no_number_column"


class DuplicateColumn(IntakeError):
    """Raised when two columns of a CSV header have the same name, so that one would hide the other."""

    code = "duplicate_column"


class BrokenJson(IntakeError):
    """Raised when the text is not a JSON array; what follows the fault cannot be told apart."""

    code = "broken_json"
