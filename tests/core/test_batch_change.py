"""What a change of a batch may change when, and which holds it ends."""

from dataclasses import fields, replace

import pytest

from dispatcher.core.batch import Control, Definition, Priority
from dispatcher.core.batch_change import (
    BatchChange,
    ChangeRefusal,
    change_refusal,
    changed_fields,
    ended_categories,
    makes_version,
)
from dispatcher.core.options import FaxOptions
from dispatcher.core.retry_table.rule import Category

BEFORE = Definition(
    id="a",
    name="March",
    created_ms=1,
    documents=("d0c",),
    options=FaxOptions(sender="+12025550100", header_text="Hello"),
    weight=3,
    deadline_ms=5,
)
ENDED, RUNNING, STARTED = ChangeRefusal.ENDED, ChangeRefusal.RUNNING, ChangeRefusal.STARTED
ANY_TIME = ("weight", "priority", "max_per_second", "deadline_ms", "metadata")
CONTENT = ("options.sender", "options.cover_page_data", "documents", "content_urls", "on_partial")


def test_a_change_keeps_what_it_does_not_name() -> None:
    change = BatchChange(fields={"weight": 7, "deadline_ms": 0}, options={"sender": "+12025550101"})
    after = change.applied(BEFORE)
    assert after.options == FaxOptions(sender="+12025550101", header_text="Hello")
    assert (after.weight, after.deadline_ms, after.documents) == (7, 0, ("d0c",))
    assert changed_fields(BEFORE, after) == ("deadline_ms", "options.sender", "weight")


def test_a_change_to_what_is_there_already_changes_nothing() -> None:
    change = BatchChange(fields={"weight": 3, "documents": ("d0c",)}, options={"header_text": "Hello"})
    assert changed_fields(BEFORE, change.applied(BEFORE)) == ()


@pytest.mark.parametrize("name", CONTENT)
def test_what_is_sent_makes_a_version(name: str) -> None:
    assert makes_version([name, "weight"])


@pytest.mark.parametrize("name", [*ANY_TIME, "name", "start_at_ms"])
def test_when_it_is_sent_makes_none(name: str) -> None:
    assert not makes_version([name])


def test_every_option_makes_a_version() -> None:
    for option in fields(FaxOptions):
        assert makes_version([f"options.{option.name}"])


@pytest.mark.parametrize(
    ("control", "held", "names", "refusal"),
    [
        *((Control.DRAFT, False, (name,), None) for name in (*CONTENT, *ANY_TIME, "name", "start_at_ms")),
        *((control, False, CONTENT, None) for control in (Control.SCHEDULED, Control.PAUSED)),
        *((control, False, (name,), STARTED) for control in (Control.PAUSED, Control.RUNNING) for name in ("name",)),
        (Control.SCHEDULED, False, ("start_at_ms",), STARTED),
        (Control.RUNNING, True, CONTENT, None),
        *((Control.RUNNING, False, (name,), RUNNING) for name in CONTENT),
        (Control.RUNNING, False, ANY_TIME, None),
        (Control.RUNNING, False, ("weight", "documents"), RUNNING),
        *((control, True, (name,), ENDED) for control in (Control.CANCELLED, Control.EXPIRED) for name in ANY_TIME),
    ],
)
def test_when_what_may_be_changed(
    control: Control, held: bool, names: tuple[str, ...], refusal: ChangeRefusal | None
) -> None:
    assert change_refusal(control, names, held=held) is refusal


@pytest.mark.parametrize("control", [Control.RUNNING, Control.PAUSED, Control.SCHEDULED])
def test_nothing_of_a_batch_whose_jobs_have_all_ended(control: Control) -> None:
    assert change_refusal(control, ["weight"], held=False, finished=True) is ENDED


#: category of a batch's hold -> the changes that may have removed its cause, and some that have not
ENDS = {
    Category.CONFIG: (
        ("options.sender", "options.service_id", "options.cover_page_id"),
        ("options.header_text", "options.resolution", "documents"),
    ),
    Category.INVALID_REQUEST: (("options.header_text", "options.sender", "documents", "content_urls"), ()),
    Category.UNKNOWN: (("options.header_text", "documents"), ()),
    **dict.fromkeys(
        (
            Category.DOCUMENT_CONVERT,
            Category.DOCUMENT_FETCH,
            Category.DOCUMENT_INVALID,
            Category.DOCUMENT_UNSUPPORTED,
            Category.DOCUMENT_TOO_LARGE,
        ),
        (("documents", "content_urls"), ("options.sender", "options.resolution")),
    ),
    # what somebody has to look at, and what is not the batch's
    **dict.fromkeys(
        (
            Category.BAD_NUMBER,
            Category.BAD_NUMBERS,
            Category.FUNDS,
            Category.AUTH,
            Category.INTERNAL,
            Category.NOT_PERMITTED,
        ),
        ((), ("options.sender", "documents", "content_urls")),
    ),
}


@pytest.mark.parametrize("category", ENDS)
def test_which_change_ends_which_hold(category: Category) -> None:
    ends, leaves = ENDS[category]
    for name in ends:
        assert category in ended_categories([name]), name
    for name in (*leaves, "on_partial", "weight", "priority", "max_per_second", "deadline_ms", "name", "start_at_ms"):
        assert category not in ended_categories([name]), name


def test_a_changed_name_or_priority_is_seen() -> None:
    after = replace(BEFORE, name="April", priority=Priority.URGENT)
    assert changed_fields(BEFORE, after) == ("name", "priority")
