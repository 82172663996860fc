"""A change of a batch that has not ended: what it may change when, and which holds it ends. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from dispatcher.core.batch import FINAL_STATES, Control, Definition
from dispatcher.core.retry_table.rule import Category

_OPTIONS = "options"
#: what is sent to each recipient, and what becomes of a fax that was sent in part. A change makes a new version
_CONTENT = frozenset({"documents", "content_urls", "on_partial"})
#: what is settled once a batch is started
_BEFORE_START = frozenset({"name", "start_at_ms"})
#: the options that name what has to exist at the provider
_NAMED_AT_PROVIDER = frozenset({"options.sender", "options.service_id", "options.cover_page_id"})
_OF_DOCUMENTS = frozenset(
    {
        Category.DOCUMENT_CONVERT,
        Category.DOCUMENT_FETCH,
        Category.DOCUMENT_INVALID,
        Category.DOCUMENT_UNSUPPORTED,
        Category.DOCUMENT_TOO_LARGE,
    }
)
#: refusals whose cause may be anything that the requests of a batch have in common
_OF_REQUESTS = frozenset({Category.INVALID_REQUEST, Category.UNKNOWN})


class ChangeRefusal(StrEnum):
    """Why a batch was not changed."""

    #: all its jobs are final, or it was cancelled or has expired
    ENDED = "ended"
    #: it is being sent: what is sent can be changed only while it is paused or held
    RUNNING = "running"
    #: it was started, and only a draft can get this change
    STARTED = "started"
    #: the new deadline has passed
    LATE = "late"
    #: one of the new documents does not exist
    NO_DOCUMENT = "no_document"
    #: it has as many versions as a batch may have
    TOO_OFTEN = "too_often"
    #: the batch, or what it was compared with, has changed meanwhile: decide again
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchChange:
    """New values of fields of a definition and of its options, by their names. What is left out stays."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, definition: Definition) -> Definition:
        """Return the definition with the change, of the same version."""
        return replace(definition, options=replace(definition.options, **self.options), **self.fields)


def changed_fields(before: Definition, after: Definition) -> tuple[str, ...]:
    """Return the names of the fields that differ; those of options as in ``options.sender``."""
    return tuple(sorted(name for name, value in _values(after).items() if value != _values(before)[name]))


def _values(definition: Definition) -> dict[str, Any]:
    values = asdict(definition)
    options = values.pop(_OPTIONS)
    return values | {f"{_OPTIONS}.{name}": value for name, value in options.items()}


def makes_version(changed: Iterable[str]) -> bool:
    """Return whether these fields belong to what is sent."""
    return any(name in _CONTENT or name.startswith(f"{_OPTIONS}.") for name in changed)


def needs_draft(changed: Iterable[str]) -> bool:
    """Return whether only a draft can get these changes."""
    return bool(_BEFORE_START.intersection(changed))


def change_refusal(
    control: Control, changed: Iterable[str], *, held: bool, finished: bool = False
) -> ChangeRefusal | None:
    """Return why these fields of a batch may not be changed now; None if they may.

    Weight, priority, own rate and deadline may be changed at any time: they decide when a job is sent, and not what.
    Metadata decides nothing.
    """
    names = frozenset(changed)
    if control in FINAL_STATES or finished:
        return ChangeRefusal.ENDED
    if control is not Control.DRAFT and needs_draft(names):
        return ChangeRefusal.STARTED
    if control is Control.RUNNING and not held and makes_version(names):
        return ChangeRefusal.RUNNING
    return None


def ended_categories(changed: Iterable[str]) -> frozenset[str]:
    """Return the categories of holds of a batch whose cause these changes may have removed.

    A hold of a document stops the batches that send it. Whoever sends another one is not stopped by it any more.
    """
    names = frozenset(changed)
    if not makes_version(names - {"on_partial"}):
        return frozenset()
    ended = set(_OF_REQUESTS)
    if names & _NAMED_AT_PROVIDER:
        ended.add(Category.CONFIG)
    if names & {"documents", "content_urls"}:
        ended |= _OF_DOCUMENTS
    return frozenset(category.value for category in ended)
