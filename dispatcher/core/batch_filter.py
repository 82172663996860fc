"""Which batches of a list are meant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.core.batch import BatchState, Control

_ENDED = {Control.CANCELLED: BatchState.CANCELLED, Control.EXPIRED: BatchState.EXPIRED}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLabels:
    """What is read of a batch to find out whether it may match: little, and without its counts and holds."""

    control: Control
    #: whether all its jobs are final
    ended: bool
    name: str
    metadata: Mapping[str, str]

    @property
    def states(self) -> frozenset[BatchState]:
        """The states that it may be in; which one depends on its holds and on calls that run out."""
        if self.control is Control.DRAFT:
            return frozenset({BatchState.DRAFT})
        if self.control in _ENDED:
            return frozenset({_ENDED[self.control], BatchState.ENDING})
        if self.ended or self.control is Control.DELETING:
            return frozenset({BatchState.FINISHED})
        held = {BatchState.HELD} if self.control is Control.RUNNING else set()
        return frozenset({BatchState(self.control.value), *held})


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """A batch has to match everything that is given."""

    #: one of these; empty: any
    states: frozenset[BatchState] = frozenset()
    #: a part of its name, in either case
    name: str = ""
    #: keys with their values
    metadata: frozenset[tuple[str, str]] = frozenset()
    #: created at this time or later, and before this time (ms); 0: at any
    since_ms: int = 0
    until_ms: int = 0

    @property
    def needs_labels(self) -> bool:
        """Whether more than the time of a batch has to be looked at."""
        return bool(self.states or self.name or self.metadata)

    def may_match(self, labels: BatchLabels) -> bool:
        """Return False if a batch with these labels cannot match."""
        in_states = not self.states or not self.states.isdisjoint(labels.states)
        return in_states and self._matches_texts(labels.name, labels.metadata)

    def matches(self, state: BatchState, name: str, metadata: Mapping[str, str]) -> bool:
        """Return whether a batch of the right time matches."""
        return (not self.states or state in self.states) and self._matches_texts(name, metadata)

    def _matches_texts(self, name: str, metadata: Mapping[str, str]) -> bool:
        return self.name.casefold() in name.casefold() and self.metadata <= metadata.items()
