"""What is wrong with a batch, in plain words, and what to do about it: facts in, findings out. Pure.

The first finding is what to look at first: what stops bulkfax itself, then holds, the widest first, then what was asked
for, then failures: an area that stands out, then categories, the largest first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from dispatcher.core.counted import counted
from dispatcher.core.durations import duration_text
from dispatcher.core.hold_scope import what_is_held
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.retry_table.rule import Category, Scope
from dispatcher.core.times import clock_text

#: failures that are named at most, and the least share of a batch's jobs that is worth a finding
_FAILURES, _MIN_SHARE = 3, 0.005
#: calls to a prefix from which its failures say something, and the shares that make it stand out
_PREFIX_CALLS, _PREFIX_FAILS, _OTHERS_FAIL = 10, 0.5, 0.25
#: calls that have ended since the last callback from which callbacks count as missing
_ENDED_CALLS = 5


class Cause(StrEnum):
    """What a finding is about."""

    STORE = "store"
    NO_SCHEDULER = "no_scheduler"
    NO_WORKER = "no_worker"
    REPLICAS = "replicas"
    HELD = "held"
    WRONG_SENDER = "wrong_sender"
    WRONG_REQUEST = "wrong_request"
    BAD_DOCUMENT = "bad_document"
    NO_FUNDS = "no_funds"
    CREDENTIALS = "credentials"
    NOT_PERMITTED = "not_permitted"
    PROVIDER_FAILS = "provider_fails"
    DEAD_NUMBERS = "dead_numbers"
    FAX_UNKNOWN = "fax_unknown"
    RECORD_ROLLED_BACK = "record_rolled_back"
    INTERNAL = "internal"
    NO_CALLBACKS = "no_callbacks"
    PROVIDER_WAIT = "provider_wait"
    ALLOWANCE = "allowance"
    IN_FLIGHT = "in_flight"
    PAUSED = "paused"
    NOT_STARTED = "not_started"
    SCHEDULED = "scheduled"
    PARTIAL_START = "partial_start"
    PREFIX_FAILS = "prefix_fails"
    RECIPIENTS = "recipients"
    WAITING_FOR_RETRY = "waiting_for_retry"
    NOTHING_WRONG = "nothing_wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFact:
    """A hold that concerns the batch, or several of jobs of it. Without a probe somebody has to end it."""

    scope: str
    category: str
    cause: str
    since_ms: int
    probe_at_ms: int = 0
    #: number of jobs that are held one by one; 0 for a wider scope
    jobs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFact:
    """Jobs of a category that have failed or may not have arrived."""

    category: str
    jobs: int
    #: the earliest of the jobs that were looked at, and some of their ids
    since_ms: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixFact:
    """Calls to numbers that begin alike, and all others, among the jobs that were looked at."""

    prefix: str
    calls: int
    failed: int
    other_calls: int
    other_failed: int
    examples: tuple[str, ...] = ()

    @property
    def stands_out(self) -> bool:
        """Whether this prefix fails and the others do not."""
        enough = self.calls >= _PREFIX_CALLS and self.other_calls >= _PREFIX_CALLS
        return (
            enough
            and self.failed >= _PREFIX_FAILS * self.calls
            and self.other_failed <= _OTHERS_FAIL * self.other_calls
        )


class UsedUp(NamedTuple):
    """A limit of the account that is used up: its period as `account rate` takes it, and its size."""

    unit: str
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a batch. Times are milliseconds since 1970; 0 stands for none."""

    batch: str
    rows: int
    #: jobs that are not final
    live: int
    now_ms: int
    #: what stops every batch, and what limits this one
    stopped_by: LimitedBy | None = None
    limited_by: LimitedBy | None = None
    withheld: int = 0
    #: the start time that the batch waits for
    start_at_ms: int = 0
    #: the start time of a draft that has passed, so that only `--now` starts it
    missed_start_ms: int = 0
    holds: Sequence[HoldFact] = ()
    failures: Sequence[FailureFact] = ()
    prefixes: Sequence[PrefixFact] = ()
    #: jobs that wait for another attempt by category, and when the first and the last of them is due
    retries: Mapping[str, int] | None = None
    next_try_ms: int = 0
    last_try_ms: int = 0
    #: callbacks are expected; when the last was stored; calls of the batch that ended well after that
    expects_callbacks: bool = False
    last_callback_ms: int = 0
    calls_without_callback: int = 0
    #: the limit of a minute or a day that is used up
    used_up: UsedUp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFinding:
    """One thing about a batch. ``commands`` put it right, in this order."""

    cause: Cause
    sentence: str
    meaning: str
    commands: tuple[str, ...] = ()
    jobs: int = 0
    #: of all jobs of the batch
    share: float = 0.0
    since_ms: int = 0
    #: when it goes on, or is looked at again, without anybody's doing
    until_ms: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Advice:
    """What a category says about its cause. In ``commands``, ``{batch}`` and ``{scope}`` are filled in."""

    cause: Cause
    meaning: str
    #: for jobs that have failed
    commands: tuple[str, ...]
    #: for a hold; None: release it once the cause is gone
    when_held: tuple[str, ...] | None = None


_RERUN = "bulkfax batches rerun {batch} --category {category}"
#: it says first what would be sent, and asks
_LATER = (f"{_RERUN} --reason 'another try'",)
#: nobody here knows which number is right. The command line refuses this word
_NUMBERS = "bulkfax provider numbers list"
_OTHER_SENDER = (_NUMBERS, "bulkfax batches change {batch} --sender YOUR-NUMBER")
_OTHER_LETTER = ("bulkfax batches change {batch} --letter LETTER.pdf",)
_SENDER = _Advice(
    Cause.WRONG_SENDER,
    "The sender, the project, the service or the cover page is wrong. All jobs of the batch share it. The first "
    "command names the numbers of the project: put one of them in place of YOUR-NUMBER. With that a hold ends, and the "
    "batch goes on; jobs that have failed already can be run again.",
    (_NUMBERS, f"{_RERUN} --sender YOUR-NUMBER --reason 'wrong sender'"),
    _OTHER_SENDER,
)
_DOCUMENT = _Advice(
    Cause.BAD_DOCUMENT,
    "The provider cannot fetch or convert the document, which all jobs of the batch share. Send another PDF: the batch "
    "goes on with it, and jobs that have failed already can be run again. If the provider could not fetch it, check "
    "that BULKFAX_PUBLIC_URL is reachable from outside.",
    (f"{_RERUN} --letter LETTER.pdf --reason 'bad PDF'",),
    _OTHER_LETTER,
)
_PROVIDER = _Advice(
    Cause.PROVIDER_FAILS,
    "The provider or the network between it and you fails. Look at the provider's status page; `bulkfax provider "
    "check` says whether it answers you. Nothing is lost: a probe ends a hold then, or the command does at once.",
    _LATER,
)
_LINES = replace(
    _PROVIDER,
    meaning="Calls did not reach their numbers: the provider's lines, or a carrier. Often it is better hours later.",
)
_RECIPIENT = _Advice(
    Cause.RECIPIENTS,
    "The recipients' lines were reached and took no fax: they were busy, nobody answered, or no machine did. All "
    "attempts of the retry policy are used up.",
    _LATER,
)
_UNCONFIRMED = _Advice(
    Cause.RECIPIENTS,
    "Some or all pages may have arrived. Ask before you send again: some of these recipients have the fax.",
    ("bulkfax jobs list {batch} --category {category}",),
)
_BAD_NUMBERS = _Advice(
    Cause.DEAD_NUMBERS,
    "Numbers are not in operation, or are no fax numbers: `bulkfax jobs list` with `--category bad_number` has them. "
    "Compare some of them with the source of the list. If the list is wrong, cancel the batch; if the numbers are "
    "right, release the hold.",
    ("bulkfax jobs list {batch} --category bad_number",),
    ("bulkfax batches cancel {batch}", "bulkfax holds release {scope}"),
)
_ADVICE: Mapping[str, _Advice] = {
    Category.CONFIG: _SENDER,
    Category.INVALID_REQUEST: _Advice(
        Cause.WRONG_REQUEST,
        "The provider refuses the form of the requests: an option of the batch is wrong. `bulkfax jobs show` of a job "
        "has the provider's words. Put the right option in place of --OPTION VALUE.",
        (f"{_RERUN} --OPTION VALUE --reason 'wrong option'",),
        ("bulkfax batches change {batch} --OPTION VALUE",),
    ),
    **dict.fromkeys(
        (
            Category.DOCUMENT_CONVERT,
            Category.DOCUMENT_FETCH,
            Category.DOCUMENT_INVALID,
            Category.DOCUMENT_UNSUPPORTED,
            Category.DOCUMENT_TOO_LARGE,
        ),
        _DOCUMENT,
    ),
    Category.FUNDS: _Advice(
        Cause.NO_FUNDS,
        "The account's balance is used up. Have it topped up. Nothing is lost: a probe ends the hold after that, or "
        "the command does at once.",
        _LATER,
    ),
    Category.AUTH: _Advice(
        Cause.CREDENTIALS,
        "The provider refuses the credentials. Correct BULKFAX_SINCH__KEY_ID and BULKFAX_SINCH__KEY_SECRET and restart "
        "worker and web; a probe then ends the hold, or the command does at once.",
        _LATER,
    ),
    Category.NOT_PERMITTED: _Advice(
        Cause.NOT_PERMITTED,
        "The account may not send there. Have the country permitted at the provider first.",
        _LATER,
    ),
    **dict.fromkeys(
        (
            Category.PROVIDER_UNAVAILABLE,
            Category.PROVIDER_ERROR,
            Category.PROVIDER_STORAGE,
            Category.TRANSPORT,
        ),
        _PROVIDER,
    ),
    Category.CONGESTION: _LINES,
    Category.CALL_SETUP: _LINES,
    Category.BAD_NUMBER: _BAD_NUMBERS,
    Category.BAD_NUMBERS: _BAD_NUMBERS,
    Category.SUBMIT_UNKNOWN: _Advice(
        Cause.FAX_UNKNOWN,
        "The provider accepted these faxes, or may have, and does not know them. They may have arrived. Was it told to "
        "delete them, or do the settings name another project? If you release the hold, they are sent again.",
        _UNCONFIRMED.commands,
    ),
    Category.CALLBACK_MISSING: _UNCONFIRMED,
    Category.PAGE_UNCONFIRMED: _UNCONFIRMED,
    Category.CALLBACK_UNREACHABLE: _Advice(
        Cause.NO_CALLBACKS,
        "The provider cannot reach BULKFAX_PUBLIC_URL. The faxes are fine: their results are read, which is slower.",
        ("bulkfax provider check",),
    ),
    Category.RECORD_ROLLED_BACK: _Advice(
        Cause.RECORD_ROLLED_BACK,
        "Redis lost writes. See BulkfaxRecordRolledBack in the runbook before you continue.",
        ("bulkfax account resume",),
        ("bulkfax account resume",),
    ),
    Category.INTERNAL: _Advice(
        Cause.INTERNAL,
        "Workers ended while they held the job, or stored data is missing. Read the workers' logs first.",
        ("bulkfax doctor",),
        ("bulkfax doctor", "bulkfax holds release {scope}"),
    ),
}
_UNKNOWN_HOLD = replace(_SENDER, cause=Cause.HELD, meaning="See what opened it, and release it once that is gone.")

_STOPS: Mapping[LimitedBy, tuple[str, str, tuple[str, ...]]] = {
    LimitedBy.STORE: (
        "Redis takes no writes, so nothing is sent or accepted.",
        "Its memory or disk is full, or it is a read-only replica. Accepted work is safe.",
        ("bulkfax doctor",),
    ),
    LimitedBy.NO_SCHEDULER: (
        "No scheduler runs, so no job is leased.",
        "Nothing is lost. Read the scheduler's log and start it.",
        ("bulkfax scheduler",),
    ),
    LimitedBy.NO_WORKER: (
        "No worker runs, so nothing is sent and no result is settled.",
        "Nothing is lost. Read the workers' log and start one.",
        ("bulkfax worker",),
    ),
    LimitedBy.REPLICAS: (
        "Too few replicas of Redis confirm what is written, so every send is given back unsent.",
        "Start the replicas, or lower BULKFAX_REDIS_WAIT_REPLICAS.",
        ("bulkfax doctor",),
    ),
}
_WAITS: Mapping[LimitedBy, tuple[str, str, tuple[str, ...]]] = {
    LimitedBy.PROVIDER_WAIT: (
        "The provider asked to wait (429, or 503 with a time).",
        "It ends by itself after one hour at most. Does something else use the same account?",
        ("bulkfax account unblock",),
    ),
    LimitedBy.ALLOWANCE: (
        "The account's limit of a minute or of a day is used up.",
        "It goes on by itself when the limit allows it: `bulkfax account` says when. If the account may send more, the "
        "command raises the limit.",
        ("bulkfax account rate {more}",),
    ),
    LimitedBy.IN_FLIGHT: (
        "As many sends are in flight as the settings allow.",
        "The provider answers slowly, or BULKFAX_SINCH__MAX_IN_FLIGHT is low for this rate.",
        ("bulkfax account",),
    ),
    LimitedBy.PAUSED: ("The batch is paused.", "Somebody paused it.", ("bulkfax batches resume {batch}",)),
    LimitedBy.NOT_STARTED: (
        "The batch is a draft: nobody has started it.",
        "Nothing of it is sent before its start. `bulkfax batches forecast` says what that would send.",
        ("bulkfax batches start {batch}",),
    ),
    LimitedBy.PARTIAL_START: (
        "Only a part of the batch was started.",
        "The other jobs wait until somebody lets them begin.",
        ("bulkfax batches continue {batch}",),
    ),
}


def diagnose(facts: Facts) -> tuple[BatchFinding, ...]:
    """Return what is wrong, the most important first. There is always one finding."""
    parts: tuple[Callable[[Facts], Iterator[BatchFinding]], ...] = (
        _stopped, _held, _callbacks, _waits, _prefix, _failed, _retries,
    )  # fmt: skip
    findings = tuple(finding for part in parts for finding in part(facts))
    return findings or (_nothing_wrong(facts),)


def _stopped(facts: Facts) -> Iterator[BatchFinding]:
    word = facts.stopped_by
    if facts.live and word and word in _STOPS:
        yield _named(facts, word, _STOPS[word], facts.live)


def _held(facts: Facts) -> Iterator[BatchFinding]:
    if not facts.live:
        return
    for hold in facts.holds:
        advice = _ADVICE.get(hold.category, _UNKNOWN_HOLD)
        name = hold.scope.partition(":")[2]
        release = f"--batch {facts.batch} --category {hold.category}" if hold.jobs > 1 else hold.scope
        by_batch = advice.when_held if not _is_beyond(hold, advice) else None
        commands = by_batch or ("bulkfax holds release {scope}",)
        what = f"{counted(hold.jobs, 'job')} of the batch" if hold.jobs else what_is_held(hold.scope)
        yield BatchFinding(
            cause=advice.cause,
            sentence=f"{what} {'are' if hold.jobs > 1 else 'is'} held ({hold.category}): {hold.cause.rstrip('.')}.",
            meaning=advice.meaning,
            commands=_filled(commands, facts.batch, hold.category, release),
            jobs=hold.jobs or facts.live,
            share=_share(hold.jobs or facts.live, facts.rows),
            since_ms=hold.since_ms,
            until_ms=hold.probe_at_ms,
            examples=(name,) if hold.jobs else (),
        )


def _is_beyond(hold: HoldFact, advice: _Advice) -> bool:
    """Return whether a change of this batch would not end the hold: its cause is the account's."""
    return advice.cause in (Cause.WRONG_SENDER, Cause.WRONG_REQUEST) and hold.scope in (Scope.ACCOUNT, Scope.PROVIDER)


def _callbacks(facts: Facts) -> Iterator[BatchFinding]:
    if facts.expects_callbacks and facts.calls_without_callback >= _ENDED_CALLS:
        calls = counted(facts.calls_without_callback, "call")
        yield BatchFinding(
            cause=Cause.NO_CALLBACKS,
            sentence=f"No callback has arrived although {calls} ended since the last one.",
            meaning="The provider cannot reach BULKFAX_PUBLIC_URL. Results are read instead, which is slower. Check "
            "that the address is reachable from outside.",
            commands=("bulkfax provider check",),
            jobs=facts.calls_without_callback,
            since_ms=facts.last_callback_ms,
        )


def _waits(facts: Facts) -> Iterator[BatchFinding]:
    word = facts.limited_by
    if word is LimitedBy.NOT_STARTED and facts.start_at_ms:
        yield _scheduled(facts)
    elif word is LimitedBy.NOT_STARTED and facts.missed_start_ms:
        yield _missed(facts)
    elif word and word in _WAITS:
        yield _named(facts, word, _WAITS[word], facts.withheld if word is LimitedBy.PARTIAL_START else facts.live)


def _scheduled(facts: Facts) -> BatchFinding:
    """Say when it begins. No command is among those to type that would make it begin before."""
    return BatchFinding(
        cause=Cause.SCHEDULED,
        sentence=f"Nothing is wrong: the batch is scheduled, and begins at {clock_text(facts.start_at_ms)}.",
        meaning="It waits for its start time, and begins then by itself. Only if it should begin before that: "
        f"`bulkfax batches start {facts.batch} --now`.",
        jobs=facts.live,
        share=_share(facts.live, facts.rows),
        until_ms=facts.start_at_ms,
    )


def _missed(facts: Facts) -> BatchFinding:
    return BatchFinding(
        cause=Cause.NOT_STARTED,
        sentence=f"The batch is a draft: it was to start at {clock_text(facts.missed_start_ms)}, and nobody has "
        "started it.",
        meaning="A start would come at a time that nobody meant. Ask whoever made it. The command sends it now; "
        f"`bulkfax batches cancel {facts.batch}` ends it.",
        commands=(f"bulkfax batches start {facts.batch} --now",),
        jobs=facts.live,
        share=_share(facts.live, facts.rows),
        since_ms=facts.missed_start_ms,
    )


def _failed(facts: Facts) -> Iterator[BatchFinding]:
    largest = sorted(facts.failures, key=lambda failure: (-failure.jobs, failure.category))
    for failure in largest[:_FAILURES]:
        share = _share(failure.jobs, facts.rows)
        if share < _MIN_SHARE:
            return
        advice = _ADVICE.get(failure.category, _RECIPIENT)
        yield BatchFinding(
            cause=advice.cause,
            sentence=f"{counted(failure.jobs, 'job')} ended as {failure.category} ({share:.1%} of the batch).",
            meaning=advice.meaning,
            commands=_filled(advice.commands, facts.batch, failure.category),
            jobs=failure.jobs,
            share=share,
            since_ms=failure.since_ms,
            examples=failure.examples,
        )


def _prefix(facts: Facts) -> Iterator[BatchFinding]:
    for fact in facts.prefixes:
        if fact.stands_out:
            yield BatchFinding(
                cause=Cause.PREFIX_FAILS,
                sentence=f"Calls to numbers that begin with {fact.prefix} fail: {fact.failed} of {fact.calls} that "
                f"were looked at, and {fact.other_failed} of {fact.other_calls} elsewhere.",
                meaning="A carrier or the route to this area is at fault, or these numbers are wrong in the list. Call "
                "one of them by hand. Their jobs can be run again when it works.",
                commands=(f"bulkfax batches rerun {facts.batch} --prefix {fact.prefix} --reason 'route works again'",),
                jobs=fact.failed,
                examples=fact.examples,
            )


def _retries(facts: Facts) -> Iterator[BatchFinding]:
    if facts.limited_by is not LimitedBy.WAITING_FOR_RETRY:
        return
    jobs = sum((facts.retries or {}).values()) or facts.live
    yield BatchFinding(
        cause=Cause.WAITING_FOR_RETRY,
        sentence=f"All that is left waits for another attempt: {waiting_text(facts)}.",
        meaning="Nothing is wrong: the retry policy calls again later. `bulkfax policy explain` has the delays.",
        commands=(f"bulkfax jobs list {facts.batch} --state waiting",),
        jobs=jobs,
        share=_share(jobs, facts.rows),
        until_ms=facts.next_try_ms,
    )


def waiting_text(facts: Facts) -> str:
    """Return what the waiting jobs wait for: ``18 busy; next try in 12 m, the last at 2026-01-02 04:10 UTC``."""
    parts = sorted((facts.retries or {}).items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{jobs:,} {category}" for category, jobs in parts) or counted(facts.live, "job")
    if not facts.next_try_ms:
        return text
    wait = duration_text(max(0, facts.next_try_ms - facts.now_ms) // 1000, units=1)
    return f"{text}; next try in {wait}, the last at {clock_text(facts.last_try_ms)}"


def _named(facts: Facts, word: LimitedBy, texts: tuple[str, str, tuple[str, ...]], jobs: int) -> BatchFinding:
    sentence, meaning, commands = texts
    return BatchFinding(
        cause=Cause(word.value),
        sentence=sentence,
        meaning=meaning,
        commands=_filled(commands, facts.batch, more=_twice(facts.used_up)),
        jobs=jobs,
        share=_share(jobs, facts.rows),
    )


def _nothing_wrong(facts: Facts) -> BatchFinding:
    left = (
        f"{counted(facts.live, 'job')} are left and are sent at the account's rate." if facts.live else "It has ended."
    )
    return BatchFinding(
        cause=Cause.NOTHING_WRONG,
        sentence=f"Nothing is wrong. {left}",
        meaning="No hold, no process and no category of failures stands out.",
        jobs=facts.live,
        share=_share(facts.live, facts.rows),
    )


def _filled(
    commands: Sequence[str], batch: str, category: str = "", scope: str = "", more: str = ""
) -> tuple[str, ...]:
    return tuple(command.format(batch=batch, category=category, scope=scope, more=more) for command in commands)


def _twice(used_up: UsedUp | None) -> str:
    """Return twice a limit as `account rate` takes it; the usual limit of a day if none is used up any more."""
    return f"{2 * used_up.limit:.0f}/{used_up.unit}" if used_up else "200000/d"


def _share(jobs: int, rows: int) -> float:
    return jobs / rows if rows else 0.0
