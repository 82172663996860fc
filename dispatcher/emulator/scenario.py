"""A parsed scenario: the outcomes of calls, and the faults of requests, reads, callbacks and fax fields.

All are chosen independently of each other. This module only makes the choices; ``scenario_file`` reads the file format.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dispatcher.emulator.seeded_random import seeded_random

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one call."""

    #: None: the fax is delivered
    error_type: str | None = None
    error_code: int | None = None
    #: None: the usual number for the error
    pages_sent: int | None = None
    #: duration of the call before it is varied by up to 25 % and divided by the speed; None: the usual duration
    seconds: float | None = None
    #: the call never ends
    stuck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault:
    """A fault of a ``POST /faxes``: the response that replaces the ordinary one."""

    #: text in the scenario
    name: str
    #: ``status``, ``drop`` (the connection closes without a response) or ``stall`` (no response at all)
    kind: str
    #: whether the fax is accepted anyway
    accepts: bool
    status: int = 0
    #: value of ``Retry-After``, sent unchanged
    retry_after: str = ""
    #: field that a 422 names as invalid
    field: str = "to"
    #: target of a redirect
    location: str = "/login"
    #: name in ``odd_content.BODIES``; empty: the ordinary body
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFault:
    """A fault of a list request or of the read of a single fax."""

    #: text in the scenario
    name: str
    #: ``status``, ``drop``, ``stall``, ``slow`` (the response is late), ``page_size`` (smaller pages than requested) or
    #: ``no_total`` (like ``page_size``, and without ``totalPages`` and ``totalItems``)
    kind: str
    status: int = 0
    #: value of ``Retry-After``, sent unchanged
    retry_after: str = ""
    #: name in ``odd_content.BODIES``; empty: the ordinary body
    body: str = ""
    #: delay of ``slow``
    seconds: float = 0.0
    #: maximum page size of ``page_size`` and ``no_total``
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFault:
    """A fault of a callback."""

    #: ``lost``, ``doubled``, ``late``, ``early`` (before the response to the POST) or ``out_of_order``
    kind: str
    #: delay of ``late`` and of the second delivery of ``doubled``; for ``out_of_order``, the maximum wait for
    #: another callback to be delivered first
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A choice of outcomes or faults: either a sequence, whose last item repeats, or shares that add up to at most 1.

    The item None means no fault. It is also chosen for the remainder if the shares add up to less than 1.
    """

    sequence: tuple[T | None, ...] = ()
    shares: tuple[tuple[float, T | None], ...] = ()

    def pick(self, seed: int, purpose: str, to: str, count: int) -> T | None:
        """Choose an item for one event.

        The choice depends on the arguments only.

        Args:
            seed: The seed of the scenario.
            purpose: What is chosen, for example ``outcome``; choices for different purposes are independent.
            to: The recipient number.
            count: How many events of this kind came before.
        """
        if self.sequence:
            return self.sequence[min(count, len(self.sequence) - 1)]
        return self.item_at(seeded_random(seed, purpose, to, count)) if self.shares else None

    def item_at(self, draw: float) -> T | None:
        """Return the item whose share contains ``draw``, a random number in [0, 1)."""
        for share, item in self.shares:
            if draw < share:
                return item
            draw -= share
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRule:
    """Choices for one number or for all numbers with a prefix.

    For None, the choice of the scenario applies.
    """

    outcomes: Choice[Outcome] | None = None
    requests: Choice[RequestFault] | None = None
    callbacks: Choice[CallbackFault] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A period in which the provider is not available."""

    #: seconds from the loading of the scenario to the start
    start_s: float
    seconds: float
    #: ``503``, ``500`` or ``drop``
    how: str = "503"


_DELIVERED = Outcome()
_NO_RULE = NumberRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A complete scenario.

    The default scenario delivers every fax without faults.
    """

    seed: int = 1
    #: minimum and maximum delay before a response, in seconds
    latency_s: tuple[float, float] = (0.0, 0.0)
    #: seconds from acceptance until the list contains the fax
    list_delay_s: float = 0.0
    #: ``Retry-After`` in 429 responses of the rate limit; the provider is not known to send the header
    retry_after_s: int | None = None
    outcomes: Choice[Outcome] = Choice()
    requests: Choice[RequestFault] = Choice()
    callbacks: Choice[CallbackFault] = Choice()
    #: faults of ``GET /faxes`` and of ``GET /faxes/{faxId}``
    lists: Choice[ReadFault] = Choice()
    reads: Choice[ReadFault] = Choice()
    #: names in ``odd_content.FIELDS``
    fields: Choice[str] = Choice()
    numbers: dict[str, NumberRule] = field(default_factory=dict)
    #: longest prefix first
    prefixes: tuple[tuple[str, NumberRule], ...] = ()
    outages: tuple[Outage, ...] = ()
    #: share of answers and callbacks that are replaced by extremes, as in ``hostile``
    hostile: float = 0.0

    def outcome(self, to: str, call: int) -> Outcome:
        """Return the outcome of call number ``call`` (from 0) to ``to``."""
        choice = self._rule(to).outcomes or self.outcomes
        return choice.pick(self.seed, "outcome", to, call) or _DELIVERED

    def request_fault(self, to: str, request: int) -> RequestFault | None:
        """Return the fault of request number ``request`` (from 0) that sends to ``to``, or None."""
        choice = self._rule(to).requests or self.requests
        return choice.pick(self.seed, "request", to, request)

    def callback_fault(self, to: str, fax: int) -> CallbackFault | None:
        """Return the fault of the callback of fax number ``fax`` (from 0) to ``to``, or None."""
        choice = self._rule(to).callbacks or self.callbacks
        return choice.pick(self.seed, "callback", to, fax)

    def odd_fields(self, to: str, fax: int) -> str | None:
        """Return the name of the odd fields of fax number ``fax`` (from 0) to ``to``, or None."""
        return self.fields.pick(self.seed, "fields", to, fax)

    def list_fault(self, count: int) -> ReadFault | None:
        """Return the fault of list request number ``count`` (from 0), or None."""
        return self.lists.pick(self.seed, "list", "", count)

    def read_fault(self, count: int) -> ReadFault | None:
        """Return the fault of read number ``count`` (from 0) of a single fax, or None."""
        return self.reads.pick(self.seed, "read", "", count)

    def outage_at(self, seconds: float) -> Outage | None:
        """Return the outage that is in effect ``seconds`` after the scenario was loaded, or None."""
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
