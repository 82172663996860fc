"""The policy: every time, limit and share that a decision rests on, read from one TOML file.

The defaults are meant for production. ``examples/policy.toml`` explains each of them to those who run it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from dispatcher.core.durations import duration_text, parse_duration
from dispatcher.core.policy_document import PolicyError, count, durations, number, options, pair, read, table, text
from dispatcher.core.policy_rules import rules_from
from dispatcher.core.retry_table.rule import Rule

__all__ = ["OnPartial", "Policy", "PolicyError", "policy_from", "zone"]

OnPartial = Literal["resume", "resend", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All figures of the decisions. Times are seconds. Raises PolicyError if the figures do not fit together."""

    #: hard total time of one POST of a fax; shorter than a lease
    post_total_s: float = 20.0
    #: hard total time of one read
    read_total_s: float = 20.0
    lease_s: float = 30.0
    #: how long after its slot a job may still be sent
    send_window_s: float = 0.25
    #: when an unclear send is looked for, after the attempt's send deadline; the last is the settling time
    looks_s: tuple[float, ...] = (15.0, 45.0, 120.0, 300.0)
    #: margin on both sides of the time range in which faxes are listed
    clock_skew_s: float = 60.0
    callback_overdue_s: float = 900.0
    #: an accepted fax of which the provider told no end for so long ends its job as ``delivered_unconfirmed``; the
    #: provider repeats a callback for 73 hours
    unended_s: float = 80 * 3600.0
    #: between read-backs of an overdue fax; the last repeats
    readback_s: tuple[float, ...] = (120.0, 300.0, 600.0)
    #: without callbacks: from the acceptance to the first poll, then between polls; the last repeats
    poll_first_s: float = 20.0
    poll_s: tuple[float, ...] = (20.0, 30.0, 60.0)
    #: least distance between two calls to one number
    number_distance_s: float = 60.0
    #: how long a job waits when another one is calling its number
    number_busy_s: float = 15.0
    #: when the job whose failure opened a hold is looked at again
    hold_snooze_s: float = 60.0
    #: without a usable answer to any send for so long, a few failures hold the provider
    breaker_quiet_s: float = 60.0
    #: failures of a batch or a document that lie further apart are no run
    failure_run_s: float = 3600.0
    #: between probes of refused credentials; the last repeats
    probe_auth_s: tuple[float, ...] = (60.0, 300.0)
    probe_funds_s: float = 900.0
    #: without a list that can be read for so long, while attempts are unclear, the provider is held
    lists_fail_s: float = 600.0
    #: between probes of a provider that failed again and again; the last repeats
    probe_provider_s: tuple[float, ...] = (30.0, 60.0, 120.0, 300.0)

    #: calls of one job that no machine answered
    max_dials: int = 12
    #: calls of one job that a machine answered, without a page more than before
    max_tries: int = 4
    #: answers of 5xx and vanished sends of one job
    max_server_errors: int = 6
    #: leases of one job in a row that ended before the worker began
    max_strikes: int = 5
    #: refusals of the request's form, or of its content, in a row that hold a batch
    reject_run: int = 5
    #: refusals of the recipient's number in a row that hold a batch
    number_run: int = 20
    #: countries refused with 403 that hold the account, within so many sends
    forbidden_countries: int = 3
    forbidden_sends: int = 20
    #: sends without a connection or an answer, or with a 5xx, that hold the provider, among so many sends
    breaker_failures: int = 10
    breaker_sends: int = 20
    #: sends in a row that failed so, with no other answer for some time, that hold it too
    breaker_run: int = 3
    #: the share of the last so many sends whose unclear end holds the provider when there are more
    unclear_share: float = 0.30
    unclear_sends: int = 200

    #: share of the rate that retries keep while a batch's first pass runs
    retry_floor: float = 0.10
    #: share of the rate that reads have while faxes are due, and no more of it; all that is left when none are
    read_share: float = 0.10
    #: factor of the shared rate after a 429
    rate_cut: float = 0.5
    #: after a cut the rate is back where it was after this time, and goes on to the ceiling
    rate_regain_s: float = 10.0
    #: from the first request after a 429, which is a probe, to the second
    probe_gap_s: float = 1.0
    #: base and cap of the full jitter after a 429, and after a request that did not leave
    backoff_429_s: tuple[float, float] = (1.0, 60.0)
    backoff_transport_s: tuple[float, float] = (1.0, 60.0)

    #: share by which a delay is moved either way
    jitter: float = 0.20
    #: factor of every delay of the table; with any other than 1 a named time counts as one day times it
    delay_scale: float = 1.0
    #: longest delay of the table, after the factor; None: no limit
    max_delay_s: float | None = None
    #: name of the time zone of the business morning, as in the tz database
    time_zone: str = "UTC"
    #: hours and minutes at which calls on the next business morning begin
    business_morning: str = "09:00"

    #: when some pages arrived before the call failed
    on_partial: OnPartial = "stop"
    #: rows that differ from the table, by (error type, error code)
    rules: Mapping[tuple[str, int], Rule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for section, keys in _SECTIONS.items():
            for key, option in keys.items():
                _check_bound(f"{section}.{key}", option, getattr(self, option.name))
        _check_nesting(self)

    @property
    def settling_s(self) -> float:
        """How long an unclear send is looked for before it is believed not to exist."""
        return self.looks_s[-1]


def policy_from(document: Mapping[str, object]) -> Policy:
    """A policy from a parsed TOML document; what it does not name keeps its default.

    Raises PolicyError for unknown keys, wrong types and values that do not fit together.
    """
    options("", document, (*_SECTIONS, "rules"))
    values: dict[str, object] = {}
    for section, keys in _SECTIONS.items():
        given = table(section, document.get(section, {}))
        options(section, given, keys)
        for key, value in given.items():
            values[keys[key].name] = read(f"{section}.{key}", keys[key].reader, value)
    return Policy(**values, rules=rules_from(document.get("rules", {})))  # type: ignore[arg-type]  # read above


def zone(name: str) -> tzinfo:
    """The time zone of that name. Raises ValueError if the machine does not know it."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a known time zone such as Europe/Berlin") from None


@dataclass(frozen=True, slots=True)
class _Option:
    """One key of the file: the field it fills, how it is read, and what its values must be."""

    name: str
    reader: Callable[[object], object]
    allowed: str
    holds: Callable[..., bool]


def _above_zero(value: float) -> bool:
    return 0 < value < float("inf")


def _time(name: str, reader: Callable[[object], object] = parse_duration) -> _Option:
    return _Option(name, reader, "more than 0 seconds", _above_zero)


def _margin(name: str) -> _Option:
    return _Option(name, parse_duration, "0 seconds or more", lambda value: 0 <= value < float("inf"))


def _limit(name: str) -> _Option:
    return _Option(name, count, "1 or more", lambda value: value >= 1)


def _share(name: str, *, most: float = 1.0) -> _Option:
    return _Option(name, number, f"from 0 to {most:g}", lambda value: 0 <= value <= most)


def _known_zone(value: str) -> bool:
    try:
        return bool(zone(value))
    except ValueError:
        return False


#: reads that take more than sends would leave nothing to read about
_MOST_READ_SHARE = 0.5

_SECTIONS: Mapping[str, Mapping[str, _Option]] = {
    "times": {
        "post_total": _time("post_total_s"),
        "read_total": _time("read_total_s"),
        "lease": _time("lease_s"),
        "send_window": _time("send_window_s"),
        "looks": _time("looks_s", durations),
        "clock_skew": _margin("clock_skew_s"),
        "callback_overdue": _time("callback_overdue_s"),
        "unended": _time("unended_s"),
        "readback": _time("readback_s", durations),
        "poll_first": _time("poll_first_s"),
        "poll": _time("poll_s", durations),
        "number_distance": _margin("number_distance_s"),
        "number_busy": _time("number_busy_s"),
        "hold_snooze": _time("hold_snooze_s"),
        "breaker_quiet": _time("breaker_quiet_s"),
        "failure_run": _time("failure_run_s"),
        "probe_auth": _time("probe_auth_s", durations),
        "probe_funds": _time("probe_funds_s"),
        "lists_fail": _time("lists_fail_s"),
        "probe_provider": _time("probe_provider_s", durations),
    },
    "caps": {
        "max_dials": _limit("max_dials"),
        "max_tries": _limit("max_tries"),
        "max_server_errors": _limit("max_server_errors"),
        "max_strikes": _limit("max_strikes"),
        "reject_run": _limit("reject_run"),
        "number_run": _limit("number_run"),
        "forbidden_countries": _limit("forbidden_countries"),
        "forbidden_sends": _limit("forbidden_sends"),
        "breaker_failures": _limit("breaker_failures"),
        "breaker_sends": _limit("breaker_sends"),
        "breaker_run": _limit("breaker_run"),
        "unclear_share": _share("unclear_share"),
        "unclear_sends": _limit("unclear_sends"),
    },
    "rate": {
        "retry_floor": _share("retry_floor"),
        "read_share": _Option(
            "read_share", number, "more than 0 and at most 0.5", lambda value: 0 < value <= _MOST_READ_SHARE
        ),
        "rate_cut": _Option("rate_cut", number, "more than 0 and less than 1", lambda value: 0 < value < 1),
        "rate_regain": _time("rate_regain_s"),
        "probe_gap": _Option("probe_gap_s", parse_duration, "from 0 to 10 seconds", lambda value: 0 <= value <= 10),
        "backoff_429": _time("backoff_429_s", pair),
        "backoff_transport": _time("backoff_transport_s", pair),
    },
    "delays": {
        "jitter": _share("jitter", most=0.5),
        "scale": _Option("delay_scale", number, "more than 0", _above_zero),
        "most": _time("max_delay_s"),
        "time_zone": _Option("time_zone", text, "a time zone such as UTC or Europe/Berlin", _known_zone),
        "business_morning": _Option(
            "business_morning",
            text,
            "a time from 00:00 to 23:59",
            lambda value: re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value) is not None,
        ),
    },
    "delivery": {
        "on_partial": _Option(
            "on_partial", text, "resume, resend or stop", lambda value: value in ("resume", "resend", "stop")
        ),
    },
}


def _check_bound(path: str, option: _Option, value: object) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if item is not None and not option.holds(item):
            raise PolicyError(f"{path} must be {option.allowed}, not {item!r}")


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
    if policy.breaker_failures > policy.breaker_sends:
        raise PolicyError(f"caps.breaker_failures must be at most caps.breaker_sends ({policy.breaker_sends})")
    for key, series in (
        ("times.looks", policy.looks_s),
        ("rate.backoff_429", policy.backoff_429_s),
        ("rate.backoff_transport", policy.backoff_transport_s),
    ):
        if not series or any(later <= earlier for earlier, later in pairwise(series)):
            raise PolicyError(f"{key} must rise from each value to the next, not {list(series)}")
