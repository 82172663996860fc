"""What a rerun takes over, and what it puts right."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import Definition, Priority
from dispatcher.core.closed_sets import unknown_word
from dispatcher.core.options import FaxOptions
from dispatcher.core.rerun import Overrides, alike, rerun_definition

PARENT = Definition(
    id="b1",
    name="March",
    created_ms=5,
    documents=("d1",),
    options=FaxOptions(sender="+12025550100", header_text="From us"),
    start_at_ms=10,
    deadline_ms=20,
    weight=7,
    on_partial="stop",
    default_country="DE",
)


def test_a_rerun_is_as_its_parent_but_for_its_times() -> None:
    rerun = rerun_definition([PARENT], Overrides(), "busy lines")
    expected = replace(
        *(PARENT,), id="", created_ms=0, name="March (rerun)", start_at_ms=0, deadline_ms=0, parent="b1",
        parents=("b1",), reason="busy lines",
    )  # fmt: skip
    assert rerun == expected
    assert rerun_definition([replace(rerun, id="b2")], Overrides(), "").name == "March (rerun)"


def test_options_that_are_put_right_leave_the_others() -> None:
    rerun = rerun_definition([PARENT], Overrides(options={"sender": "+12025550111"}), "")
    assert rerun.options == FaxOptions(sender="+12025550111", header_text="From us")


def test_everything_else_that_can_be_put_right() -> None:
    overrides = Overrides(
        name="Again", priority=Priority.URGENT, weight=1, on_partial="resend", start_at_ms=30, deadline_ms=40
    )
    rerun = rerun_definition([PARENT], overrides, "")
    assert (rerun.name, rerun.priority, rerun.weight, rerun.on_partial) == ("Again", Priority.URGENT, 1, "resend")
    assert (rerun.start_at_ms, rerun.deadline_ms) == (30, 40)


@pytest.mark.parametrize(
    ("overrides", "documents", "urls"),
    [
        (Overrides(documents=("d2",)), ("d2",), ()),
        (
            Overrides(content_urls=("https://documents.example.com/a.pdf",)),
            (),
            ("https://documents.example.com/a.pdf",),
        ),
        (Overrides(), ("d1",), ("https://documents.example.com/old.pdf",)),
    ],
)
def test_other_documents_replace_all_that_was_sent(
    overrides: Overrides, documents: tuple[str, ...], urls: tuple[str, ...]
) -> None:
    parent = replace(PARENT, content_urls=("https://documents.example.com/old.pdf",))
    rerun = rerun_definition([parent], overrides, "")
    assert (rerun.documents, rerun.content_urls) == (documents, urls)


def test_batches_that_send_the_same_are_run_again_together() -> None:
    others = [replace(PARENT, id="b2", name="April"), replace(PARENT, id="b3", documents=("d2",))]
    assert [[parent.id for parent in group] for group in alike([PARENT, *others, PARENT], Overrides())] == [
        ["b1", "b2"],
        ["b3"],
    ]
    together = alike([PARENT, *others], Overrides(documents=("d9",)))
    assert [[parent.id for parent in group] for group in together] == [["b1", "b2", "b3"]]
    rerun = rerun_definition(together[0], Overrides(documents=("d9",)), "")
    assert (rerun.parent, rerun.parents, rerun.name) == ("b1", ("b1", "b2", "b3"), "March (rerun of 3 batches)")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("no_anwser", "did you mean no_answer?"),
        ("BUSY", "did you mean busy?"),
        ("xyz", "use one of busy, no_answer"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(word: str, says: str) -> None:
    assert unknown_word(word, ("no_answer", "busy")) == f"there is no {word!r}: {says}"
