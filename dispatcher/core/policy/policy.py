"""The policy: every time, limit and share that a decision rests on, read from one TOML file.

The defaults are meant for production. ``examples/policy.toml`` explains each of them to those who run it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, tzinfo
from itertools import pairwise
from typing import Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

from dispatcher.core.batch_events import EventRules
from dispatcher.core.destinations import DestinationRules
from dispatcher.core.durations import duration_text, parse_duration
from dispatcher.core.policy.destination_tables import destinations_from
from dispatcher.core.policy.document import (
    PolicyError,
    check_keys,
    checked_table,
    convert,
    count,
    durations,
    number,
    percents,
    text,
    two_durations,
)
from dispatcher.core.policy.rules import rules_from
from dispatcher.core.retry_table.rule import Rule
from dispatcher.core.times import LONGEST_S

__all__ = ["OnPartial", "Policy", "PolicyError", "policy_from", "zone"]

OnPartial = Literal["resume", "resend", "stop"]
T = TypeVar("T")

#: the metadata of a field that the policy file sets
OPTION = "option"

#: reads that take more than sends would leave nothing to read about
_MAX_READ_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class _Option:
    """How the policy file sets a field: the table and key, how the value is read, and what it must be."""

    table_name: str
    key: str
    reader: Callable[[object], object]
    allowed: str
    holds: Callable[..., bool]

    @property
    def path(self) -> str:
        """The key with its table, as error texts name it."""
        return f"{self.table_name}.{self.key}"

    def check(self, value: object) -> None:
        """Raise PolicyError if the value, or an item of it, is not allowed."""
        for item in value if isinstance(value, tuple) else (value,):
            if item is not None and not self.holds(item):
                raise PolicyError(f"{self.path} must be {self.allowed}, not {item!r}")


def _option(path: str, default: T, reader: Callable[[object], object], allowed: str, holds: Callable[..., bool]) -> T:
    """Declare a field of the policy that the file sets under ``path``, its table and key."""
    table_name, _, key = path.partition(".")
    return field(default=default, metadata={OPTION: _Option(table_name, key, reader, allowed, holds)})


def _above_zero(value: float) -> bool:
    return 0 < value <= LONGEST_S


def _time(path: str, default: T, reader: Callable[[object], object] = parse_duration) -> T:
    return _option(path, default, reader, "more than 0 seconds", _above_zero)


def _keep(path: str, default: float | None) -> float | None:
    return _option(path, default, _duration_or_never, 'a duration, or "never"', _above_zero)


def _duration_or_never(value: object) -> float | None:
    return None if value == "never" else parse_duration(value)


def _margin(path: str, default: float) -> float:
    return _option(path, default, parse_duration, "0 seconds or more", lambda value: 0 <= value <= LONGEST_S)


def _limit(path: str, default: int) -> int:
    return _option(path, default, count, "1 or more", lambda value: value >= 1)


def _percents(path: str, default: tuple[int, ...]) -> tuple[int, ...]:
    return _option(path, default, percents, "from 1 to 99", lambda value: 1 <= value <= 99)


def _share(path: str, default: float, *, max_value: float = 1.0) -> float:
    return _option(path, default, number, f"from 0 to {max_value:g}", lambda value: 0 <= value <= max_value)


def zone(name: str) -> tzinfo:
    """Return the time zone of that name. Raises ValueError if the machine does not know it."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a known time zone such as Europe/Berlin") from None


def _known_zone(value: str) -> bool:
    try:
        return bool(zone(value))
    except ValueError:
        return False


def _is_time_of_day(value: str) -> bool:
    return re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All figures of the decisions. Times are seconds. Raises PolicyError if the figures do not fit together."""

    #: hard total time of one POST of a fax; shorter than a lease
    post_total_s: float = _time("times.post_total", 20.0)
    #: hard total time of one read
    read_total_s: float = _time("times.read_total", 20.0)
    lease_s: float = _time("times.lease", 30.0)
    #: how long after its slot a job may still be sent
    send_window_s: float = _time("times.send_window", 0.25)
    #: when an unclear send is searched for, after the attempt's send deadline; the last is the search period
    lookups_s: tuple[float, ...] = _time("times.looks", (15.0, 45.0, 120.0, 300.0), durations)
    #: margin on both sides of the time range in which faxes are listed
    clock_skew_s: float = _margin("times.clock_skew", 60.0)
    callback_overdue_s: float = _time("times.callback_overdue", 900.0)
    #: how long to wait for the result of an accepted fax before the job ends as ``delivered_unconfirmed``; the
    #: provider repeats a callback for 73 hours
    unended_s: float = _time("times.unended", 80 * 3600.0)
    #: how long a draft may stay unchanged before it expires
    draft_life_s: float = _time("times.draft_life", 7 * 86_400.0)
    #: between read-backs of an overdue fax; the last repeats
    readback_s: tuple[float, ...] = _time("times.readback", (120.0, 300.0, 600.0), durations)
    #: without callbacks: from the acceptance to the first poll, then between polls; the last repeats
    poll_first_s: float = _time("times.poll_first", 20.0)
    poll_s: tuple[float, ...] = _time("times.poll", (20.0, 30.0, 60.0), durations)
    #: minimum time between two calls to one number
    number_distance_s: float = _margin("times.number_distance", 60.0)
    #: how long a job waits when another one is calling its number
    number_busy_s: float = _time("times.number_busy", 15.0)
    #: when the job whose failure opened a hold is due again
    hold_snooze_s: float = _time("times.hold_snooze", 60.0)
    #: time without a usable answer to any send after which a few failures (``breaker_run``) hold the provider
    breaker_quiet_s: float = _time("times.breaker_quiet", 60.0)
    #: maximum time between the first and the last failure of a batch or a document that count as consecutive
    failure_run_s: float = _time("times.failure_run", 3600.0)
    #: between probes of refused credentials; the last repeats
    probe_auth_s: tuple[float, ...] = _time("times.probe_auth", (60.0, 300.0), durations)
    probe_funds_s: float = _time("times.probe_funds", 900.0)
    #: time without a readable list, while attempts are unclear, after which the provider is held
    lists_fail_s: float = _time("times.lists_fail", 600.0)
    #: between probes of a provider that failed again and again; the last repeats
    probe_provider_s: tuple[float, ...] = _time("times.probe_provider", (30.0, 60.0, 120.0, 300.0), durations)

    #: calls of one job that no machine answered
    max_dials: int = _limit("caps.max_dials", 12)
    #: calls of one job that a machine answered, without a page more than before
    max_tries: int = _limit("caps.max_tries", 4)
    #: answers of 5xx and vanished sends of one job
    max_server_errors: int = _limit("caps.max_server_errors", 6)
    #: leases of one job in a row that ended before the worker began
    max_strikes: int = _limit("caps.max_strikes", 5)
    #: refusals of the request's form, or of its content, in a row that hold a batch
    reject_run: int = _limit("caps.reject_run", 5)
    #: refusals of the recipient's number in a row that hold a batch
    number_run: int = _limit("caps.number_run", 20)
    #: number of countries refused with 403, within the last ``forbidden_sends``, that hold the account
    forbidden_countries: int = _limit("caps.forbidden_countries", 3)
    forbidden_sends: int = _limit("caps.forbidden_sends", 20)
    #: number of sends without a connection or an answer, or with a 5xx, within the last ``breaker_sends``, that hold
    #: the provider
    breaker_failures: int = _limit("caps.breaker_failures", 10)
    breaker_sends: int = _limit("caps.breaker_sends", 20)
    #: maximum number of open drafts; single faxes are not refused because of it
    open_drafts: int = _limit("caps.open_drafts", 1000)
    #: number of such failures in a row, with no other answer for ``breaker_quiet_s``, that hold it too
    breaker_run: int = _limit("caps.breaker_run", 3)
    #: the provider is held if more than this share of the last ``unclear_sends`` ended unclear
    unclear_share: float = _share("caps.unclear_share", 0.30)
    unclear_sends: int = _limit("caps.unclear_sends", 200)

    #: maximum number of pages of a document
    max_pages: int = _limit("documents.max_pages", 200)
    #: documents that take longer to send, at least, have a warning
    warn_sending_time_s: float = _time("documents.warn_sending_time", 900.0)

    #: share of the rate that retries keep while a batch's first pass runs
    retry_floor: float = _share("rate.retry_floor", 0.10)
    #: share of the rate for reads while faxes are due; without due faxes, reads may use the whole rest
    read_share: float = _option(
        "rate.read_share", 0.10, number, "more than 0 and at most 0.5", lambda value: 0 < value <= _MAX_READ_SHARE
    )
    #: factor of the shared rate after a 429
    rate_cut: float = _option("rate.rate_cut", 0.5, number, "more than 0 and less than 1", lambda value: 0 < value < 1)
    #: time after which a reduced rate is back at its former value; it then rises to the ceiling
    rate_regain_s: float = _time("rate.rate_regain", 10.0)
    #: from the first request after a 429, which is a probe, to the second
    probe_gap_s: float = _option(
        "rate.probe_gap", 1.0, parse_duration, "from 0 to 10 seconds", lambda value: 0 <= value <= 10
    )
    #: base and cap of the full jitter after a 429, and after a request that did not leave
    backoff_429_s: tuple[float, float] = _time("rate.backoff_429", (1.0, 60.0), two_durations)
    backoff_transport_s: tuple[float, float] = _time("rate.backoff_transport", (1.0, 60.0), two_durations)

    #: share by which a delay is moved either way
    jitter: float = _share("delays.jitter", 0.20, max_value=0.5)
    #: factor of every delay of the table; with any other than 1 a named time counts as one day times it
    delay_scale: float = _option("delays.scale", 1.0, number, "more than 0", _above_zero)
    #: longest delay of the table, after the factor; None: no limit
    max_delay_s: float | None = _time("delays.most", None)
    #: name of the time zone of the business morning, as in the tz database
    time_zone: str = _option("delays.time_zone", "UTC", text, "a time zone such as UTC or Europe/Berlin", _known_zone)
    #: hours and minutes at which calls on the next business morning begin
    business_morning: str = _option(
        "delays.business_morning", "09:00", text, "a time from 00:00 to 23:59", _is_time_of_day
    )

    #: when some pages arrived before the call failed
    on_partial: OnPartial = _option(  # noqa: RUF009  # declares a field, as the others do
        "delivery.on_partial", "stop", text, "resume, resend or stop", lambda value: value in get_args(OnPartial)
    )
    #: how long a number is not faxed after a call has proved that it is dead; after a second proof until edited
    dead_life_s: float = _time("dead_numbers.life", 30 * 86_400.0)
    #: a batch is held if more than this share of the last ``dead_calls`` ended calls were of dead numbers
    dead_share: float = _share("dead_numbers.share", 0.05)
    dead_calls: int = _limit("dead_numbers.calls", 200)
    #: or if this many dead numbers of one area code were called within ``dead_area_s``
    dead_area_numbers: int = _limit("dead_numbers.area_numbers", 20)
    dead_area_s: float = _time("dead_numbers.area_time", 3600.0)

    #: how long jobs can be looked up by number and reference over all batches
    lookup_life_s: float = _time("retention.lookup", 90 * 86_400.0)
    #: how long a batch is kept after its end, and a document after its last use; None: until it is deleted
    keep_batches_s: float | None = _keep("retention.batches", 90 * 86_400.0)
    keep_documents_s: float | None = _keep("retention.documents", 90 * 86_400.0)
    #: how long events can be read and delivered
    keep_events_s: float = _time("retention.events", 7 * 86_400.0)

    #: shares in percent at which a batch tells of its progress, and of its failures once so many jobs have ended
    event_progress: tuple[int, ...] = _percents("events.progress", (25, 50, 75))
    event_failed: tuple[int, ...] = _percents("events.failed", (5, 20, 50))
    event_failed_jobs: int = _limit("events.failed_jobs", 20)

    #: hard total time of one request to a webhook endpoint
    webhook_total_s: float = _time("webhooks.total", 15.0)
    #: between attempts to deliver events to an endpoint; the last repeats
    webhook_delays_s: tuple[float, ...] = _time(
        "webhooks.delays", (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 10_800.0), durations
    )
    #: how long deliveries may fail before the endpoint is disabled
    webhook_give_up_s: float = _time("webhooks.give_up", 3 * 86_400.0)

    #: rows that differ from the table, by (error type, error code)
    rules: Mapping[tuple[str, int], Rule] = field(default_factory=dict)
    #: which numbers may be dialled, and what a page to them costs
    destinations: DestinationRules = field(default_factory=DestinationRules)

    def __post_init__(self) -> None:
        for name, option in _OPTIONS.items():
            option.check(getattr(self, name))
        _check_nesting(self)

    @property
    def event_rules(self) -> EventRules:
        """At which shares a batch tells of itself."""
        return EventRules(progress=self.event_progress, failed=self.event_failed, failed_jobs=self.event_failed_jobs)

    @property
    def search_period_s(self) -> float:
        """How long an unclear send is looked for before it is believed not to exist."""
        return self.lookups_s[-1]


#: options of the policy file by the field that they set
_OPTIONS: Mapping[str, _Option] = {
    item.name: item.metadata[OPTION] for item in fields(Policy) if OPTION in item.metadata
}
#: the file's tables, and the field that each of their keys sets
_TABLES = {
    name: {option.key: field_name for field_name, option in _OPTIONS.items() if option.table_name == name}
    for name in dict.fromkeys(option.table_name for option in _OPTIONS.values())
}


def policy_from(document: Mapping[str, object]) -> Policy:
    """Read a policy from a parsed TOML document; what it does not name keeps its default.

    Raises:
        PolicyError: A key is unknown, a value has the wrong type, or values do not fit together.
    """
    check_keys("", document, (*_TABLES, "rules", "destinations", "prices"))
    values: dict[str, object] = {}
    for name, keys in _TABLES.items():
        entries = checked_table(name, document.get(name, {}))
        check_keys(name, entries, keys)
        for key, value in entries.items():
            option = _OPTIONS[keys[key]]
            values[keys[key]] = convert(option.path, option.reader, value)
    return Policy(
        **values,  # type: ignore[arg-type]  # read above
        rules=rules_from(document.get("rules", {})),
        destinations=destinations_from(document.get("destinations", {}), document.get("prices", {})),
    )


def _check_nesting(policy: Policy) -> None:
    sending_s = policy.send_window_s + policy.post_total_s
    if sending_s >= policy.lease_s:
        raise PolicyError(
            f"times.lease must be more than times.send_window and times.post_total together "
            f"({duration_text(sending_s)}), not {duration_text(policy.lease_s)}"
        )
    if policy.unended_s <= policy.callback_overdue_s:
        raise PolicyError(
            f"times.unended must be more than times.callback_overdue ({duration_text(policy.callback_overdue_s)}), "
            f"not {duration_text(policy.unended_s)}"
        )
    if policy.keep_events_s <= policy.webhook_give_up_s:
        raise PolicyError(
            f"retention.events must be more than webhooks.give_up ({duration_text(policy.webhook_give_up_s)}), "
            f"not {duration_text(policy.keep_events_s)}"
        )
    if policy.breaker_failures > policy.breaker_sends:
        raise PolicyError(f"caps.breaker_failures must be at most caps.breaker_sends ({policy.breaker_sends})")
    for key, series in (
        ("times.looks", policy.lookups_s),
        ("rate.backoff_429", policy.backoff_429_s),
        ("rate.backoff_transport", policy.backoff_transport_s),
    ):
        if not series or any(later <= earlier for earlier, later in pairwise(series)):
            raise PolicyError(f"{key} must rise from each value to the next, not {list(series)}")
