"""The inputs that every decision about a job shares."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.core.job import HistoryEntry
from dispatcher.core.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """Inputs of a decision other than the job's record and what was learned of it."""

    policy: Policy
    #: milliseconds since 1970
    now_ms: int
    #: a random number from 0 up to but not including 1
    chance: float
    #: what became of earlier attempts
    history: Sequence[HistoryEntry] = ()
    #: the batch's choice of what happens when some pages arrived before a call failed; empty: the policy's
    on_partial: str = ""
    #: without a public URL results come by polling
    polling: bool = False

    def after_ms(self, seconds: float) -> int:
        """Return the time that many seconds from now, in milliseconds since 1970."""
        return self.now_ms + round(seconds * 1000)

    @property
    def partial_choice(self) -> str:
        """Return what happens if only some pages arrived: ``stop``, ``resend`` or ``resume``."""
        return self.on_partial or self.policy.on_partial
