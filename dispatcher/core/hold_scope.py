"""The scope of a hold as a value, with the one text that stands for it everywhere: in Redis, in the API, in logs."""

from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.core.retry_table.rule import Scope

#: kinds of scopes, the widest first
WIDEST_FIRST = (Scope.ACCOUNT, Scope.PROVIDER, Scope.DOCUMENT, Scope.BATCH, Scope.COUNTRY, Scope.JOB)


@dataclass(frozen=True, slots=True)
class HoldScope:
    """The scope of a hold: what it stops. Account and provider scopes have no name."""

    kind: Scope
    name: str = ""

    def __str__(self) -> str:
        """The text of the scope, such as ``account`` or ``batch:<id>``."""
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value

    @classmethod
    def parse(cls, text: str) -> "HoldScope":
        """Read the text of a scope. Raises ValueError when there is no such kind."""
        kind, _, name = text.partition(":")
        return cls(Scope(kind), name)


def width_of(scope: str) -> int:
    """Return the position of a scope among ``WIDEST_FIRST``; -1 for a text that is no scope, so that it is seen."""
    try:
        return WIDEST_FIRST.index(HoldScope.parse(scope).kind)
    except ValueError:
        return -1


#: what a hold of each kind stops, as the beginning of a sentence
_SUBJECTS: Mapping[str, str] = {
    Scope.ACCOUNT: "The account",
    Scope.PROVIDER: "All sending to the provider",
    Scope.DOCUMENT: "A document of the batch",
    Scope.BATCH: "The batch",
    Scope.COUNTRY: "A country of the batch",
}


def what_is_held(scope: str) -> str:
    """Return what a hold of this scope stops, seen from a batch, as the beginning of a sentence."""
    return _SUBJECTS.get(scope.partition(":")[0], scope)


def batch_of_job(scope: str) -> str:
    """Return the batch of the job that is held; empty for another scope."""
    kind, _, name = scope.partition(":")
    return name.rpartition(".")[0] if kind == Scope.JOB else ""
