"""What happens to which fax: the parsed scenario and the choices that follow from it.

Three things are chosen apart from each other: how a call ends (`Outcome`), what goes wrong with
a `POST /faxes` (`RequestFault`), what goes wrong with a callback (`CallbackFault`).
Nothing here acts; the file format is in `scenario_file`.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dispatcher.emulator.seeded_random import draw

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one call. No error type means delivered; `stuck` means it never ends.

    `pages_sent` and `seconds` None take what is usual for the error. Seconds are divided by the speed.
    """

    error_type: str | None = None
    error_code: int | None = None
    pages_sent: int | None = None
    seconds: float | None = None
    stuck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault:
    """What a sender gets instead of the ordinary answer.

    `kind` is `status`, `drop` (the connection closes without an answer) or `stall` (no answer until the
    client gives up). `accepts` says whether the fax is taken all the same.
    `field` is the field that a 422 complains about; `retry_after` goes into `Retry-After` as it is written.
    `location` is where a redirect leads. `body` names one of `odd_content.BODIES`; empty: the ordinary one.
    """

    name: str
    kind: str
    accepts: bool
    status: int = 0
    retry_after: str = ""
    field: str = "to"
    location: str = "/login"
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFault:
    """What a reader gets instead of the ordinary list or fax.

    `kind` is `status`, `drop`, `stall`, `slow` (after `seconds`), `page_size` (no page holds more than `size`, whatever
    was asked for) or `no_total` (`page_size` without `totalPages` and `totalItems`).
    """

    name: str
    kind: str
    status: int = 0
    retry_after: str = ""
    body: str = ""
    seconds: float = 0.0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFault:
    """`lost`, `doubled`, `late`, `early` (before the answer to the POST) or `out_of_order`.

    `seconds` is how late, how long after the first the second one comes, or how long one that shall
    come out of order waits at most for another one to overtake it.
    """

    kind: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """Either a sequence (the first, the second, ...; the last one repeats) or shares of one.

    `None` is the ordinary course. What the shares leave over is ordinary too.
    """

    sequence: tuple[T | None, ...] = ()
    shares: tuple[tuple[float, T | None], ...] = ()

    def pick(self, seed: int, dimension: str, to: str, count: int) -> T | None:
        """Choose for the thing number `count` (from 0) that concerns the number `to`."""
        if self.sequence:
            return self.sequence[min(count, len(self.sequence) - 1)]
        return self.share(draw(seed, dimension, to, count)) if self.shares else None

    def share(self, chance: float) -> T | None:
        """The item whose share `chance` falls into; `chance` is in [0, 1)."""
        for share, item in self.shares:
            if chance < share:
                return item
            chance -= share
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRule:
    """What holds for one number or for all numbers that begin alike; None asks the general choice."""

    outcomes: Choice[Outcome] | None = None
    requests: Choice[RequestFault] | None = None
    callbacks: Choice[CallbackFault] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The provider is away from `start_s` after the scenario was loaded, for `seconds`.

    `how` is `503`, `500` or `drop`.
    """

    start_s: float
    seconds: float
    how: str = "503"


_DELIVERED = Outcome()
_NO_RULE = NumberRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario. The empty one delivers everything at once and without any fault."""

    seed: int = 1
    #: Least and most seconds before an answer.
    latency_s: tuple[float, float] = (0.0, 0.0)
    #: Seconds between acceptance and the fax showing in the list.
    list_delay_s: float = 0.0
    #: `Retry-After` of the 429s of the rate limit; the provider is not known to send one.
    retry_after_s: int | None = None
    outcomes: Choice[Outcome] = Choice()
    requests: Choice[RequestFault] = Choice()
    callbacks: Choice[CallbackFault] = Choice()
    #: what `GET /faxes` gets, and what `GET /faxes/{id}` gets
    lists: Choice[ReadFault] = Choice()
    reads: Choice[ReadFault] = Choice()
    #: names of `odd_content.FIELDS`
    fields: Choice[str] = Choice()
    numbers: dict[str, NumberRule] = field(default_factory=dict)
    #: Longest prefix first.
    prefixes: tuple[tuple[str, NumberRule], ...] = ()
    outages: tuple[Outage, ...] = ()

    def outcome(self, to: str, call: int) -> Outcome:
        """How call number `call` (from 0) to the number `to` ends."""
        choice = self._rule(to).outcomes or self.outcomes
        return choice.pick(self.seed, "outcome", to, call) or _DELIVERED

    def request_fault(self, to: str, request: int) -> RequestFault | None:
        """What goes wrong with request number `request` (from 0) that sends to `to`."""
        choice = self._rule(to).requests or self.requests
        return choice.pick(self.seed, "request", to, request)

    def callback_fault(self, to: str, fax: int) -> CallbackFault | None:
        """What goes wrong with the callback of fax number `fax` (from 0) to `to`."""
        choice = self._rule(to).callbacks or self.callbacks
        return choice.pick(self.seed, "callback", to, fax)

    def odd_fields(self, to: str, fax: int) -> str | None:
        """How fax number `fax` (from 0) to `to` is shown; None: as it is."""
        return self.fields.pick(self.seed, "fields", to, fax)

    def list_fault(self, count: int) -> ReadFault | None:
        """What goes wrong with list number `count` (from 0)."""
        return self.lists.pick(self.seed, "list", "", count)

    def read_fault(self, count: int) -> ReadFault | None:
        """What goes wrong with read number `count` (from 0) of a single fax."""
        return self.reads.pick(self.seed, "read", "", count)

    def outage_at(self, seconds: float) -> Outage | None:
        """The outage that holds `seconds` after the scenario was loaded."""
        for outage in self.outages:
            if outage.start_s <= seconds < outage.start_s + outage.seconds:
                return outage
        return None

    def _rule(self, to: str) -> NumberRule:
        if not self.numbers and not self.prefixes:
            return _NO_RULE
        rule = self.numbers.get(to)
        if rule is not None:
            return rule
        return next((rule for prefix, rule in self.prefixes if to.startswith(prefix)), _NO_RULE)
