"""Why a document is refused."""

CUT_OFF = "the PDF is cut off, its end is missing: upload it again"
DAMAGED = "the PDF is damaged: open it and export it again"
NO_PAGES = "the PDF has no pages"


class RefusedDocument(Exception):
    """Raised when a document cannot be faxed as it was meant. The text is a sentence for the one who uploaded it."""


def damaged_page(number: int, what: str) -> RefusedDocument:
    """Return the refusal of a document of which a page cannot be read completely."""
    return RefusedDocument(f"the PDF is damaged, {what} of page {number} cannot be read: open it and export it again")
