"""Which jobs of a batch are meant: the one filter of reruns, cancellations and lists of jobs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from dispatcher.core.batch import Tally
from dispatcher.core.job import Recipient, Record, State

#: states in which the fax has arrived, or may have arrived
ARRIVED = frozenset({State.DELIVERED, State.DELIVERED_UNCONFIRMED})


class JobFacts(NamedTuple):
    """The fields of a job that a filter looks at, without its recipient. A million of them are made in a second."""

    row: int
    state: State
    category: str
    error_type: str
    error_code: int
    country: str
    attempt: int
    changed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """A job matches if it matches every field. An empty field matches all jobs. Times are milliseconds since 1970."""

    states: frozenset[State] = frozenset()
    categories: frozenset[str] = frozenset()
    error_types: frozenset[str] = frozenset()
    error_codes: frozenset[int] = frozenset()
    #: two letters, or ``001``
    countries: frozenset[str] = frozenset()
    #: first characters of E.164 numbers, with the plus sign
    prefixes: tuple[str, ...] = ()
    #: E.164
    numbers: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    #: when the state changed last, which is the time of the failure of a failed job; 0: at any time. A job whose state
    #: never changed matches no time. ``until_ms`` is exclusive.
    since_ms: int = 0
    until_ms: int = 0
    #: number of the latest attempt
    min_attempts: int = 0
    max_attempts: int | None = None
    #: rows of single jobs; None: all
    rows: frozenset[int] | None = None

    @property
    def needs_recipient(self) -> bool:
        """Whether the record of a job alone does not decide."""
        return bool(self.prefixes or self.numbers or self.references)

    @property
    def names_outcome(self) -> bool:
        """Whether only jobs in some states, or of some categories, are meant. An unreadable job is none of them."""
        return bool(self.states or self.categories)

    def matches(self, row: int, recipient: Recipient, record: Record) -> bool:
        """Return whether a job is meant."""
        return self.matches_record(row, record) and self.matches_recipient(recipient)

    def matches_record(self, row: int, record: Record) -> bool:
        """Return whether the row and what the record decides match. Rows without a job never match."""
        failure = record.failure
        # the outcome alone decides about most jobs
        return self.matches_outcome(record.state, failure.category) and self.matches_facts(
            JobFacts(
                row,
                record.state,
                failure.category,
                failure.error_type,
                failure.error_code,
                record.country,
                record.attempt,
                record.changed_ms,
            )
        )

    def matches_facts(self, job: "JobFacts") -> bool:
        """Return whether the row and what the record decides match, by these of its fields alone."""
        return (
            (self.rows is None or job.row in self.rows)
            and self.matches_outcome(job.state, job.category)
            and (not self.error_types or job.error_type in self.error_types)
            and (not self.error_codes or job.error_code in self.error_codes)
            and (not self.countries or job.country in self.countries)
            and self._matches_time(job.changed_ms)
            and job.attempt >= self.min_attempts
            and (self.max_attempts is None or job.attempt <= self.max_attempts)
        )

    def matches_recipient(self, recipient: Recipient) -> bool:
        """Return whether what the recipient decides matches."""
        return (
            (not self.references or recipient.reference in self.references)
            and (not self.numbers or recipient.number in self.numbers)
            and (not self.prefixes or recipient.number.startswith(self.prefixes))
        )

    def matches_outcome(self, state: State, category: str) -> bool:
        """Return whether state and category match."""
        return (
            state is not State.VOID
            and (not self.states or state in self.states)
            and (not self.categories or category in self.categories)
        )

    def limit_of(self, tally: Tally) -> int:
        """Return how many jobs of a batch can match at most, by its counts. 0: none does."""
        return sum(jobs for outcome, jobs in tally.by_category.items() if self.matches_outcome(*outcome))

    def _matches_time(self, changed_ms: int) -> bool:
        if not self.since_ms and not self.until_ms:
            return True
        return changed_ms > 0 and self.since_ms <= changed_ms and (not self.until_ms or changed_ms < self.until_ms)

    def plain(self) -> dict[str, Any]:
        """Return the filter as values of JSON, the same for equal filters."""
        values = {name: getattr(self, name) for name in JobFilter.__slots__}
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Return the filter of such values."""
        sets = {name: frozenset(value) for name, value in values.items() if isinstance(value, list)}
        states = frozenset(map(State, values["states"]))
        return cls(**{**values, **sets, "states": states, "prefixes": tuple(values["prefixes"])})
