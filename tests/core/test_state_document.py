"""docs/state_machine.md shows the tables as they are."""

import re
from pathlib import Path

import pytest

from dispatcher.core.job import JOB_STATES, State
from tests.core.state_diagram import batch_table, event_table, job_diagram

DOCUMENT = (Path(__file__).parents[2] / "docs" / "state_machine.md").read_text(encoding="utf-8")


def test_the_diagram_is_the_table_of_moves() -> None:
    """When this fails, put the drawn text into the document."""
    assert re.findall(r"```mermaid\n(.*?)\n```", DOCUMENT, re.DOTALL) == [job_diagram()]


def test_the_document_names_every_event_and_where_it_can_happen() -> None:
    assert event_table() in DOCUMENT


def test_the_document_shows_every_command_on_a_batch() -> None:
    assert batch_table() in DOCUMENT


@pytest.mark.parametrize("state", JOB_STATES, ids=lambda state: state.label)
def test_one_paragraph_for_each_state_says_who_looks_at_it(state: State) -> None:
    """Live states say what happens when their entry comes due, final ones that nobody looks."""
    paragraph = re.search(rf"^### {state.label}\n\n(.+?)\n\n", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert paragraph
    text = paragraph[1].replace("\n", " ")
    assert ("**Nobody looks any more" if state.final else "**When it is due**") in text
