"""Constants and enums that Python and the scripts share; each is defined once and rendered as Lua."""

from collections.abc import Mapping
from enum import StrEnum

from dispatcher.core.dead_numbers import PROOF_MEMORY_MS
from dispatcher.core.histograms import FINAL, FIRST_ATTEMPT, Histogram
from dispatcher.core.job import State
from dispatcher.core.limits import holds, rate, shares
from dispatcher.core.limits.allowance import BUCKETS, MAX_AHEAD_US
from dispatcher.core.progress import LATELY_MS
from dispatcher.core.retry_table.rule import Category
from dispatcher.core.suppressions import COUNTED_APART, SuppressionSource
from dispatcher.store import codec, decoding, keys

#: seconds; a process whose heartbeat is older than the newest one by more than this counts as dead
DEAD_S = 3.0
#: maximum sleep of a scheduler in seconds; scripts do not wake it for anything that is due later
LONGEST_SLEEP_S = 1.0
#: score in the due set of a job that is held by itself (9999-12-31 23:59:59 UTC); private to the store
HELD_SCORE = 253_402_300_799_000
#: how long the id of a deleted batch or webhook endpoint is known, anew with each request that names it: four times as
#: long as an idempotency key, so that no key that led to it creates another one
DELETED_KNOWN_MS = 28 * 86_400_000

Value = int | float | str | tuple[str | int, ...] | Mapping[str, int]

_FINAL_STATES = {state.name: int(state) for state in (State.DELIVERED, State.CANCELLED, State.EXPIRED)}
_LIVE_STATES = {
    state.name: int(state) for state in (State.VOID, State.WAITING, State.LEASED, State.SENDING, State.ACCEPTED)
}
_PACING = ("USED", "CATCH_UP_US", "SLOWEST", "FURTHEST_US", "WINDOW_US", "WINDOW_SLOTS", "LONGEST_WAIT_US")


def _whole(histogram: Histogram) -> tuple[int, ...]:
    """Return the bounds of a histogram that a script counts."""
    return tuple(int(bound) for bound in histogram.bounds_s)


#: constants of each script and of each part that is put in front of scripts, by their names in Lua
CONSTANTS: Mapping[str, Mapping[str, Value]] = {
    "damage": {"MAX_NUMBER": decoding.MAX_NUMBER},
    "time": {"US_PER_S": 1_000_000, "US_PER_MS": 1000, "MS_PER_MINUTE": 60_000},
    "keys": {"BLOCK": keys.BLOCK},
    "records": {
        "WIDTH": codec.WIDTH,
        **_LIVE_STATES,
        **_FINAL_STATES,
        # the first final state; all higher ones are final too
        "FINAL": int(State.DELIVERED),
        "HELD_SCORE": HELD_SCORE,
        # how long a key outlives the time that it stores
        "CLEAN_UP_MS": 60_000,
    },
    "counts": {"FAILED": int(State.FAILED), "LATELY_MS": LATELY_MS, "FINAL_S": _whole(FINAL)},
    "wakes": {"LONGEST_SLEEP_MS": round(LONGEST_SLEEP_S * 1000)},
    # batches of a document that are told of its hold one by one
    "scopes": {"BATCHES_TOLD": 100},
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
        # category of a hold of the provider because no list could be read; a probe cannot end it
        "LISTS_FAIL": holds.LISTS_FAIL,
    },
    "parking": {"NO_COUNTRY_CODE": codec.NO_COUNTRY_CODE, "LETTERS": codec.LETTERS},
    "pacing": {
        **{name: getattr(rate, name) for name in _PACING},
        "MAX_AHEAD_US": MAX_AHEAD_US,
        "READ_BURST_US": rate.READ_BURST_US,
        "LEFT_OVER_US": rate.LEFT_OVER_US,
        # length of a bucket, and number of buckets in the period
        "BUCKET_US": {period: length_us for period, (length_us, _) in BUCKETS.items()},
        "BUCKETS": {period: buckets for period, (_, buckets) in BUCKETS.items()},
    },
    "suppressions": {
        "DEAD_NUMBER": SuppressionSource.DEAD_NUMBER.value,
        "PROOF_MEMORY_MS": PROOF_MEMORY_MS,
    },
    "dead_numbers": {"BAD_NUMBERS": Category.BAD_NUMBERS.value},
    "release": {"BAD_NUMBERS": Category.BAD_NUMBERS.value},
    "add_chunk": {
        "APART": COUNTED_APART,
        # hashes of a draft that are kept, in bytes: those of eight million numbers
        "MAX_HASHES": 64_000_000,
        # bytes after which the next piece of the index of all jobs begins
        "PIECE_BYTES": 1_000_000,
    },
    "begin": {
        "SUPPRESSED": Category.SUPPRESSED.value,
        "SUPPRESSED_CODE": codec.category_code(Category.SUPPRESSED),
        # how long a job waits if the maximum number of jobs is being sent
        "FULL_SNOOZE_MS": 250,
        # Nothing is claimed before there is a permit, and jobs have to continue when an operator raises the limit.
        "MAX_RATE_SNOOZE_MS": 30_000,
        "REPEATABLE_MS": 60_000,
        "FIRST_ATTEMPT_S": _whole(FIRST_ATTEMPT),
    },
    "claim": {
        "QUANTUM": shares.QUANTUM,
        "STRIDE": shares.STRIDE,
        "MAX_PASSED": 960,
        "CHUNK": 32,
        "LONG_CHUNK": 240,
        "UNPARKED": 100,
        "YOUNG_MS": 1000,
        # how much of a batch's own rate may be leased at once
        "OWN_BURST_US": shares.OWN_BURST_US,
        "MAX_AHEAD": 4,
        "MAX_LEASES": 1000,
        # what is checked before anything of a batch is leased, and how long a batch that fails it waits
        "FORMAT": codec.FORMAT,
        "MAX_BLOCKS": keys.MAX_BLOCKS,
        "UNREADABLE_AGAIN_MS": 60_000,
        # number of strikes from which a job is leased only if no other such job is, and how long it waits otherwise
        "SUSPECT": 2,
        "SUSPECT_AGAIN_MS": 250,
    },
    # ages of a lease that no worker has fetched: when it is announced again, and when it is taken back
    "reclaim": {"ANNOUNCE_AGAIN_MS": 2000, "UNFETCHED_MS": 10_000},
    "next_due": {"SHOW_LIFE_MS": 3000},
    "end_delivery": {"DELIVERIES_KEPT": 1000},
    # STARTS_KEPT: starts with the same content that are compared with later ones
    "starts": {"STARTS_KEPT": 1000},
    "control": {"DELETED_KNOWN_MS": DELETED_KNOWN_MS},
    "change": {"MAX_VERSIONS": 1000},
    "create": {"DELETED_KNOWN_MS": DELETED_KNOWN_MS},
    "put_endpoint": {"DELETED_KNOWN_MS": DELETED_KNOWN_MS},
    "remove_endpoint": {"DELETED_KNOWN_MS": DELETED_KNOWN_MS},
    "remove_rows": {
        "BATCH_PARTS": keys.BATCH_PARTS,
        "BLOCK_PARTS": keys.BLOCK_PARTS,
        "MAX_BLOCKS": keys.MAX_BLOCKS,
        # what the keys of a batch outside of its blocks count as
        "BATCH_ROWS": 20,
    },
}


class BeginWord(StrEnum):
    """The answer of begin for one job: it may be sent, or the reason why not."""

    GO = "go"
    #: an earlier try of the same call began it, and the answer with its slot was lost
    UNHEARD = "unheard"
    #: it no longer belongs to this lease
    GONE = "gone"
    #: its batch is not running
    BATCH = "batch"
    DEADLINE = "deadline"
    HELD = "held"
    #: the batch was changed since its fax was built
    STALE = "stale"
    #: its number is being called, or may not be called yet
    NUMBER = "number"
    #: its number is on the do-not-fax list, and it has ended
    SUPPRESSED = "suppressed"
    #: no slot is available now
    RATE = "rate"
    #: the maximum number of jobs is being sent
    FULL = "full"


class CreateStatus(StrEnum):
    """The result of creating a draft."""

    CREATED = "created"
    #: the batch exists, because the call is a repeat
    REPEAT = "repeat"
    #: there are too many open drafts
    FULL = "full"
    #: a batch of that id was deleted, so an earlier request with its idempotency key was carried out
    DELETED = "deleted"
    #: one of its documents does not exist
    NO_DOCUMENT = "no_document"


class DocumentDeletionWord(StrEnum):
    """The result of deleting a document."""

    DELETED = "deleted"
    #: there is no such document
    MISSING = "missing"
    #: it was used a short while ago
    RECENT = "recent"
    #: batches that have not ended need it
    NEEDED = "needed"


class ChunkStatus(StrEnum):
    """The result of storing a chunk of an upload, or the selection of a rerun."""

    STORED = "stored"
    #: it had already been stored
    REPEAT = "repeat"
    #: the batch is no longer a draft
    CLOSED = "closed"
    #: the batch does not exist
    MISSING = "missing"
    #: earlier lines are missing
    GAP = "gap"
    #: there is a do-not-fax list, and the numbers were not compared with it
    UNCHECKED = "unchecked"


def constants(name: str) -> str:
    """Return the constants of a script, or of a part of it, as Lua text to put in front of it."""
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
