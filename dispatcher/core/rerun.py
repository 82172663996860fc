"""The definition of a rerun: what it takes over from the batches that it runs again, and what is put right. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dispatcher.core.batch import Definition, Priority
from dispatcher.core.counted import counted

_SUFFIX = " (rerun)"
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a rerun does differently from its parents. None: as they did; the times are not taken over."""

    name: str = ""
    #: documents and content URLs replace both of the parents
    documents: tuple[str, ...] | None = None
    content_urls: tuple[str, ...] | None = None
    #: fields of ``FaxOptions``; those that are left out stay as they are
    options: Mapping[str, Any] = field(default_factory=dict)
    on_partial: str | None = None
    priority: Priority | None = None
    weight: int | None = None
    max_per_second: float | None = None
    #: replaces the parents' as a whole
    metadata: Mapping[str, str] | None = None
    start_at_ms: int = 0
    deadline_ms: int = 0

    @property
    def new_content(self) -> bool:
        """Whether other documents are sent."""
        return self.documents is not None or self.content_urls is not None

    def applied(self, definition: Definition) -> Definition:
        """Return a parent's definition with what is put right."""
        named = {"on_partial", "priority", "weight", "max_per_second", "metadata"}
        changes: dict[str, Any] = {name: value for name in named if (value := getattr(self, name)) is not None}
        if self.new_content:
            changes |= {"documents": self.documents or (), "content_urls": self.content_urls or ()}
        return replace(
            definition,
            options=replace(definition.options, **self.options),
            start_at_ms=self.start_at_ms,
            deadline_ms=self.deadline_ms,
            **changes,
        )


def rerun_definition(parents: Sequence[Definition], overrides: Overrides, reason: str) -> Definition:
    """Return the definition of a rerun of batches that are the same but for their names, times and metadata.

    Of the metadata of several parents, it takes over what all of them have.
    """
    first, *others = parents
    count = f" (rerun of {counted(len(parents), 'batch', 'batches')})" if others else _SUFFIX
    name = overrides.name or first.name.removesuffix(_SUFFIX)[: _MAX_NAME - len(count)] + count
    shared = {key: value for key, value in first.metadata.items() if all(o.metadata.get(key) == value for o in others)}
    return replace(
        overrides.applied(replace(first, metadata=shared)),
        id="",
        created_ms=0,
        name=name,
        parent=first.id,
        parents=tuple(parent.id for parent in parents),
        reason=reason,
        version=1,
        tag="",
    )


def alike(parents: Sequence[Definition], overrides: Overrides) -> list[list[Definition]]:
    """Return the parents in groups that a single batch can send again: what they send is the same with the overrides.

    The groups, and the parents in each, keep their order.
    """
    groups: list[tuple[Definition, list[Definition]]] = []
    for parent in dict.fromkeys(parent.id for parent in parents):
        definition = next(known for known in parents if known.id == parent)
        sent = _without_names(overrides.applied(definition))
        for known, group in groups:
            if known == sent:
                group.append(definition)
                break
        else:
            groups.append((sent, [definition]))
    return [group for _, group in groups]


def _without_names(definition: Definition) -> Definition:
    """Return a definition without what does not change what is sent."""
    unnamed = replace(definition, id="", name="", created_ms=0, metadata={}, version=1, tag="")
    return replace(unnamed, parent="", parents=(), reason="")
