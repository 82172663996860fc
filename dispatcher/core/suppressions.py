"""The do-not-fax list: an entry is a number that must not be faxed, with the reason and where it comes from."""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.visible import visible

#: reasons of rows that are listed and not sent, and are counted apart from rows that are wrong
OPTED_OUT, SUPPRESSED = "opted_out", "suppressed"
#: rows with these reasons are counted apart from the refused ones
COUNTED_APART = (OPTED_OUT, SUPPRESSED)


class SuppressionSource(StrEnum):
    """Where an entry comes from."""

    #: somebody entered it
    MANUAL = "manual"
    #: it was in an imported list
    IMPORT = "import"
    #: the recipient asked for it
    OPT_OUT = "opt_out"
    #: a call proved that the number is not in operation
    DEAD_NUMBER = "dead_number"
    #: stands for an entry that cannot be read; it is never stored
    UNREADABLE = "unreadable"


#: maximum number of characters of a reason
MAX_REASON = 200


def one_line(text: str) -> str:
    """Return a text without line ends and repeated blanks, that is safe to show."""
    return visible(" ".join(text.split()))


#: sources that can be stored
SOURCES = tuple(source for source in SuppressionSource if source is not SuppressionSource.UNREADABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One entry. Times are milliseconds since 1970."""

    #: E.164 with a plus sign
    number: str
    source: SuppressionSource
    reason: str = ""
    #: id of the job whose call proved it; empty if none did
    job: str = ""
    added_ms: int = 0
    #: 0: it does not expire
    expires_ms: int = 0

    def is_active(self, now_ms: int, *, ignore_dead_numbers: bool = False) -> bool:
        """Return whether the number must not be faxed now, by a batch that may ignore dead numbers."""
        ignored = ignore_dead_numbers and self.source is SuppressionSource.DEAD_NUMBER
        return not ignored and not 0 < self.expires_ms <= now_ms

    def replaces(self, other: "Suppression", now_ms: int) -> bool:
        """Return whether this entry takes the place of another of the same number.

        An import leaves the entries of people as they are, so that its removal does not remove who opted out.
        """
        of_people = other.source in (SuppressionSource.MANUAL, SuppressionSource.OPT_OUT)
        return not (self.source is SuppressionSource.IMPORT and of_people and other.is_active(now_ms))

    def sentence(self) -> str:
        """Return the sentence for a row or a job that is not sent because of this entry."""
        reason = f": {self.reason.rstrip('.')}" if self.reason else ""
        return f"The number is on the do-not-fax list ({self.source}){reason}."
