"""What Python and the scripts agree on: numbers that both know, each defined once and rendered as Lua."""

from collections.abc import Mapping
from enum import StrEnum

from dispatcher.core.job import State
from dispatcher.core.limits import holds, rate, shares
from dispatcher.core.limits.allowance import BUCKETS, MOST_AHEAD_US
from dispatcher.store import codec, keys

#: seconds by which a living process's heartbeat may lie behind the newest one
DEAD_S = 3.0
#: seconds; the scripts wake nobody for what is due later than this
LONGEST_SLEEP_S = 1.0
#: score in its batch's due set of a job that its own hold keeps back (9999-12-31 23:59:59 UTC); private to the store
HELD_SCORE = 253_402_300_799_000

Value = int | float | str | tuple[str, ...] | Mapping[str, int]

_FINAL_STATES = {state.name: int(state) for state in (State.DELIVERED, State.CANCELLED, State.EXPIRED)}
_LIVE_STATES = {
    state.name: int(state) for state in (State.VOID, State.WAITING, State.LEASED, State.SENDING, State.ACCEPTED)
}
_PACING = ("USED", "CATCH_UP_US", "SLOWEST", "FURTHEST_US", "WINDOW_US", "WINDOW_SLOTS", "LONGEST_WAIT_US")

#: numbers of each script and each part that is put in front of scripts, by their names in Lua
CONSTANTS: Mapping[str, Mapping[str, Value]] = {
    "time": {"US_PER_S": 1_000_000, "US_PER_MS": 1000, "MS_PER_MINUTE": 60_000},
    "keys": {"BLOCK": keys.BLOCK},
    "records": {
        "WIDTH": codec.WIDTH,
        **_LIVE_STATES,
        **_FINAL_STATES,
        # the first final state: all above are final as well
        "FINAL": int(State.DELIVERED),
        "HELD_SCORE": HELD_SCORE,
        # how much longer a key lives than the time that it stores
        "CLEAN_UP_MS": 60_000,
    },
    "wakes": {"LONGEST_SLEEP_MS": round(LONGEST_SLEEP_S * 1000)},
    "workers": {
        "DEAD_MS": round(DEAD_S * 1000),
        "FORGET_MS": 3_600_000,
        "LONGEST_STEP_MS": 1000,
        "RENEW_MS": 250,
        "CLOCK_STEP_MS": 50,
    },
    "holds": {
        "PROBES_KEPT": holds.PROBES_KEPT,
        "STEP_MS": holds.STEP_MS,
        # the category of a hold of the provider whose cause is that no list could be read: no probe disproves it
        "LISTS_FAIL": holds.LISTS_FAIL,
    },
    "parking": {"NO_COUNTRY_CODE": codec.NO_COUNTRY_CODE, "LETTERS": codec.LETTERS},
    "pacing": {
        **{name: getattr(rate, name) for name in _PACING},
        "MAX_AHEAD_US": MOST_AHEAD_US,
        "READ_BURST_US": rate.READ_BURST_US,
        "LEFT_OVER_US": rate.LEFT_OVER_US,
        # length of a bucket, and how many make the period
        "BUCKET_US": {period: length_us for period, (length_us, _) in BUCKETS.items()},
        "BUCKETS": {period: buckets for period, (_, buckets) in BUCKETS.items()},
    },
    "begin": {
        # how long a job waits when as many are being sent as may be
        "FULL_SNOOZE_MS": 250,
        # Nothing is claimed before there is a permit, and an operator who raises the limit wants all jobs to go on.
        "MAX_RATE_SNOOZE_MS": 30_000,
        "REPEATABLE_MS": 60_000,
    },
    "claim": {
        "QUANTUM": shares.QUANTUM,
        "STRIDE": shares.STRIDE,
        "MAX_PASSED": 960,
        "CHUNK": 32,
        "LONG_CHUNK": 240,
        "UNPARKED": 100,
        "YOUNG_MS": 1000,
        "MAX_AHEAD": 4,
        "MAX_LEASES": 1000,
        # strikes from which a job is leased only while no other such job is, and when it is looked at again meanwhile
        "SUSPECT": 2,
        "SUSPECT_AGAIN_MS": 250,
    },
    # ages of a lease that nobody has fetched: when it is announced again, and again, and when it is given back
    "reclaim": {"ANNOUNCE_AGAIN_MS": 2000, "UNFETCHED_MS": 10_000},
    "next_due": {"SHOW_LIFE_MS": 3000},
}


class BeginWord(StrEnum):
    """What begin says of one job: it may be sent, or why not."""

    GO = "go"
    #: the same call began it before, and the answer that named its slot was lost
    UNHEARD = "unheard"
    #: it is not this lease's any more
    GONE = "gone"
    #: its batch does not run
    BATCH = "batch"
    DEADLINE = "deadline"
    HELD = "held"
    #: its number is in a call, or rests
    NUMBER = "number"
    #: there is no permit now
    RATE = "rate"
    #: as many are being sent as may be
    FULL = "full"


class ChunkStatus(StrEnum):
    """What became of a chunk of an upload, or of the selection of a rerun."""

    STORED = "stored"
    #: it was stored before
    REPEAT = "repeat"
    #: the batch is no draft any more
    CLOSED = "closed"
    #: there is no such batch
    MISSING = "missing"
    #: lines before it are not stored
    GAP = "gap"


def constants(name: str) -> str:
    """The numbers of a script or of a part of it, as Lua text in front of it."""
    return "".join(f"local {constant} = {_literal(value)}\n" for constant, value in CONSTANTS.get(name, {}).items())


def _literal(value: Value) -> str:
    match value:
        case str():
            return f"'{value}'"
        case tuple():
            return "{" + ", ".join(map(_literal, value)) + "}"
        case Mapping():
            return "{" + ", ".join(f"{name} = {number}" for name, number in value.items()) + "}"
    return f"{value:.17g}" if isinstance(value, float) and not value.is_integer() else f"{int(value)}"
