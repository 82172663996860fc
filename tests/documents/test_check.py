"""Documents that are taken, and those that are refused, each with its own sentence."""

import pytest

from dispatcher.documents.check import check
from dispatcher.documents.refusals import RefusedDocument
from tests.documents.pdfs import FORMS

MAX_PAGES = 50


def outcome(content: bytes) -> int | str:
    """The number of pages of a document that is taken, or the sentence of its refusal."""
    try:
        pages: int = check(content, MAX_PAGES)["pages"]
    except RefusedDocument as refused:
        return str(refused)
    return pages


@pytest.mark.parametrize("form", FORMS)
def test_a_letter_is_taken_in_every_form_that_programs_write(form: str) -> None:
    assert outcome(FORMS[form]) == 4
