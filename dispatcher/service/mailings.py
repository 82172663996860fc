"""The producer's use-cases: create, start, pause, resume and cancel batches, and send single faxes."""

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from dispatcher.core.batch import COMMAND_TRANSITIONS, FINAL_STATES, Command, CommandRefusal, Control, Definition
from dispatcher.core.counted import counted
from dispatcher.core.job import JobId, Recipient, State
from dispatcher.core.names import KeyUse, UploadKind, UploadName
from dispatcher.service.documents import warnings_to_allow
from dispatcher.service.errors import (
    ActionNotAllowed,
    Deleted,
    InvalidInput,
    Missing,
    NumberSuppressed,
    Repeated,
    StoreError,
    TooManyDrafts,
    WarningsNotAllowed,
    WrongCredentials,
)
from dispatcher.service.idempotency import fingerprint, same_id
from dispatcher.service.ids import batch_id
from dispatcher.service.jobs import view_job
from dispatcher.service.repeats import compared_fax, compared_mailing
from dispatcher.service.rerun import ensure_copied
from dispatcher.service.times import now_ms, rfc3339
from dispatcher.service.views import BatchView, JobView, find_batch, view_batch
from dispatcher.sinch.errors import RefusedError, SinchError
from dispatcher.store.batches import CommandAnswer, Overview, UploadChunk
from dispatcher.store.protocol import ChunkStatus, CreateStatus
from dispatcher.store.store import Store

#: HTTP status for an account without money. A batch may be started nevertheless: sending is held until there is money.
_NO_MONEY = 402
#: seconds for which a successful check of the credentials is reused for single faxes
_CHECK_VALID_S = 300.0
#: how long before now a batch may have to start: more is a wrong date, or a draft that somebody goes on with too late
_LATE_MS = 600_000
_STARTS = (Command.START, Command.START_NOW)
#: comparisons with earlier mailings before a start gives up because something changed after each of them
_COMPARED = 20
_PARTICIPLES = {
    Command.START: "started",
    Command.START_NOW: "started",
    Command.PAUSE: "paused",
    Command.RESUME: "resumed",
    Command.CANCEL: "cancelled",
    Command.EXPIRE: "expired",
    Command.DELETE: "deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the producer allows a start to do, after an answer that named it."""

    #: send documents that have warnings
    warnings: bool = False
    #: send what was sent a short while ago once more
    repeat: bool = False


_NOTHING = Allowed()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedPart:
    """How much of a draft begins at its start; the rest begins with ``continue``. Nothing said: all of it."""

    first: int = 0
    percent: float = 0.0

    def quota(self, jobs: int) -> int:
        """Return how many of the jobs begin; 0 stands for all of them."""
        part = self.first or math.ceil(jobs * self.percent / 100)
        return part if part < jobs else 0


_ALL = StartedPart()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanded:
    """A batch after a command, and how many of its faxes are still in flight."""

    batch: BatchView
    in_flight: int


class Mailings:
    """Batches and single faxes, as producers use them."""

    def __init__(
        self, store: Store, check_credentials: Callable[[], Awaitable[None]], max_drafts: int, number_key: bytes
    ) -> None:
        """Create the use-cases.

        Args:
            store: The store.
            check_credentials: Makes a request to the provider. Raises RefusedError if it rejects project, key or
                secret.
            max_drafts: Maximum number of open drafts.
            number_key: The key with which numbers are hashed.
        """
        self._max_drafts = max_drafts
        self._number_key = number_key
        self._store = store
        self._check_credentials = check_credentials
        self._checked_until_s = 0.0

    async def create(self, definition: Definition, key: str | None) -> BatchView:
        """Create a draft. Sets its id and time of creation.

        Raises:
            InvalidInput: A document does not exist, or the deadline is in the past.
            Conflict: The idempotency key was used before with other content.
            TooManyDrafts: There are as many open drafts as the policy allows.
        """
        batch = await self.create_named(definition, KeyUse.BATCH, key, fingerprint(definition))
        return await view_batch(self._store, batch)

    async def command(
        self, batch: str, command: Command, allowed: Allowed = _NOTHING, part: StartedPart = _ALL
    ) -> Commanded:
        """Start, pause, resume or cancel a batch. A command that was carried out already changes nothing.

        ``allowed`` and ``part`` count for the start of a draft only.

        Raises:
            Missing: There is no such batch.
            ActionNotAllowed: The batch's state does not allow the command, or it was started with another part.
            WarningsNotAllowed: Its documents have warnings that ``allowed`` does not name. It stays a draft.
            WrongCredentials: The provider rejects our credentials. They are checked before a batch starts.
            Repeated: The same was sent to the same recipients a short while ago.
        """
        overview = await find_batch(self._store, batch)
        _ensure_allowed(overview, command)
        if overview.control is not Control.DRAFT:
            _ensure_started_with(overview, part)
        if command in _STARTS and overview.control is Control.DRAFT:
            await self.ensure_looks_allowed(overview.definition, allowed)
        if command in _STARTS and COMMAND_TRANSITIONS[overview.control, command] is not overview.control:
            await self.ensure_credentials()
        answer = await self._carry_out(overview, command, allowed, part=part)
        view = await view_batch(self._store, batch)
        # somebody else may have started another part of it meanwhile
        _ensure_started_with(view.overview, part)
        return Commanded(batch=view, in_flight=answer.in_flight)

    async def continue_batch(self, batch: str) -> Commanded:
        """Let the rest of a batch begin of which only a part was started. Changes nothing if nothing is held back.

        Raises:
            Missing: There is no such batch.
            ActionNotAllowed: The batch is a draft, or has ended.
        """
        overview = await find_batch(self._store, batch)
        if overview.control is Control.DRAFT or overview.control in FINAL_STATES:
            raise ActionNotAllowed(f"batch {batch} is {overview.control.value}: there is nothing that could go on")
        await self._store.batches.continue_batch(batch)
        view = await view_batch(self._store, batch)
        return Commanded(batch=view, in_flight=view.overview.tally.by_state.get(State.SENDING, 0))

    async def fax(
        self, definition: Definition, recipient: Recipient, key: str | None, allowed: Allowed = _NOTHING
    ) -> JobView:
        """Send a single fax now, as a batch with one job. Its draft lasts for this call and is not limited in number.

        Raises:
            InvalidInput: A document does not exist, or the deadline is in the past.
            WarningsNotAllowed: A document has warnings that ``allowed`` does not name. No batch was created.
            Conflict: The idempotency key was used before with other content.
            NumberSuppressed: The number is on the do-not-fax list. No batch was created.
            ActionNotAllowed: The deadline has passed, or an earlier request with the key broke off and its draft ended.
            WrongCredentials: The provider rejects our credentials. No batch was created.
            Repeated: The same fax was sent a few minutes ago.
        """
        await self.ensure_looks_allowed(definition, allowed)
        await self._ensure_not_suppressed(definition, recipient, key)
        # the check is a request to the provider, so it is not made for every fax
        if time.monotonic() > self._checked_until_s:
            await self.ensure_credentials()
        number = recipient.number
        content = fingerprint(definition, {**recipient._asdict(), "fields": dict(recipient.fields)})
        created = await self._named(definition, KeyUse.FAX, key, content)
        # before the draft is created, so that a refused fax leaves none
        await compared_fax(self._store, created, number, self._number_key, allowed=allowed.repeat)
        batch = await self._create_draft(created, max_drafts=0)
        name = UploadName(UploadKind.FAX)
        chunk = UploadChunk(upload=name, first_line=1, last_line=1, recipients=(recipient,), checked=True)
        async with self.kept_if_complete(batch, key):
            if (await self._store.batches.add_chunk(batch, chunk)).status is ChunkStatus.CLOSED:
                raise ActionNotAllowed(f"batch {batch} ended before it had its recipient: send the fax with a new key")
            await self.start_if_draft(batch, allowed, number)
        return await view_job(self._store, JobId(batch, 0))

    async def create_named(self, definition: Definition, use: KeyUse, key: str | None, content: str) -> str:
        """Create a draft, or find that of the same request with this key. Returns its id."""
        created = await self._named(definition, use, key, content)
        return await self._create_draft(created, max_drafts=self._max_drafts)

    async def _named(self, definition: Definition, use: KeyUse, key: str | None, content: str) -> Definition:
        """Return the definition with its id, which an idempotency key may have given it before, and the time."""
        time_ms = now_ms()
        try:
            await self._ensure_usable(definition, time_ms)
        except InvalidInput:
            # it was right when the batch was created: a time has passed since, or a document was deleted
            if not await self._exists(use, key, content):
                raise
        batch = await same_id(self._store, use, key, content, batch_id(time_ms))
        return replace(definition, id=batch, created_ms=time_ms)

    async def _exists(self, use: KeyUse, key: str | None, content: str) -> bool:
        """Return whether an earlier request with this key and content has created its batch."""
        before = await self._store.idempotency_keys.stored(use, key) if key else None
        if before is None or before.fingerprint != content:
            return False
        return await self._store.batches.definition(before.value) is not None or bool(
            await self._store.deletions.deleted([before.value])
        )

    async def _create_draft(self, created: Definition, *, max_drafts: int) -> str:
        match await self._store.batches.create(created, max_drafts=max_drafts):
            case CreateStatus.FULL:
                raise TooManyDrafts(
                    f"there may be {counted(self._max_drafts, 'draft')} that nobody has started, and no more: start or "
                    "cancel some, or raise caps.open_drafts in the policy"
                )
            case CreateStatus.DELETED:
                raise Deleted(
                    f"an earlier request with this idempotency key created batch {created.id}, which was deleted: "
                    "nothing was sent again; use a new key for a new batch"
                )
            case CreateStatus.NO_DOCUMENT:
                raise InvalidInput({"documents": "one of the documents was deleted meanwhile: upload it again"})
        return created.id

    @asynccontextmanager
    async def kept_if_complete(self, batch: str, key: str | None) -> AsyncIterator[None]:
        """Cancel the draft that this request has created if the rest is refused, or fails and no key can continue it.

        With a key, a repeat completes what failed.
        """
        try:
            yield
        except (ActionNotAllowed, Deleted, Repeated, StoreError) as error:
            if not isinstance(error, StoreError) or not key:
                with suppress(StoreError):
                    await self._store.batches.end_draft(batch, Control.CANCELLED)
            raise

    async def _ensure_usable(self, definition: Definition, time_ms: int) -> None:
        faults = definition_faults(definition, time_ms)
        for position, sha256 in enumerate(definition.documents):
            if await self._store.documents.info(sha256) is None:
                faults[f"documents[{position}]"] = f"there is no document {sha256}: upload it first"
        if faults:
            raise InvalidInput(faults)

    async def ensure_looks_allowed(self, definition: Definition, allowed: Allowed) -> None:
        """Raise WarningsNotAllowed if documents have warnings."""
        if not allowed.warnings and (warnings := await warnings_to_allow(self._store, definition)):
            raise WarningsNotAllowed(warnings)

    async def ensure_credentials(self) -> None:
        """Raise WrongCredentials if the provider rejects them.

        If the provider cannot be reached, nothing is raised: the faxes wait until it can.
        """
        try:
            await self._check_credentials()
            self._checked_until_s = time.monotonic() + _CHECK_VALID_S
        except RefusedError as error:
            if error.status != _NO_MONEY:
                raise WrongCredentials(f"the provider rejects our project, key or secret: {error}") from error
        except SinchError:
            return

    async def _ensure_not_suppressed(self, definition: Definition, recipient: Recipient, key: str | None) -> None:
        """Raise NumberSuppressed if the number must not be faxed, unless an earlier request with the key was accepted.

        A number that is put on the list between this and the send is stopped when the send begins.
        """
        ignore = definition.ignore_dead_numbers
        entries = await self._store.suppressions.among([recipient.number], ignore_dead_numbers=ignore)
        if entries and not (key and await self._store.idempotency_keys.is_kept(KeyUse.FAX, key)):
            raise NumberSuppressed(entries[0].sentence() + " Nothing was sent.")

    async def start_if_draft(self, batch: str, allowed: Allowed, fax_number: str = "") -> None:
        """Start a batch, unless an earlier request with the same idempotency key has started it already."""
        overview = await find_batch(self._store, batch)
        if overview.control is Control.DRAFT:
            await self._carry_out(overview, Command.START, allowed, fax_number)

    async def _carry_out(
        self, overview: Overview, command: Command, allowed: Allowed, fax_number: str = "", part: StartedPart = _ALL
    ) -> CommandAnswer:
        batch = overview.definition.id
        if command in _STARTS and overview.control is Control.DRAFT:
            answer = await self._start_draft(overview, command, allowed, fax_number, part)
        else:
            answer = await self._store.batches.command(batch, command)
        if answer is None:
            raise Missing(f"there is no batch {batch}")
        if answer.refusal:
            raise ActionNotAllowed(_refused(overview.definition, answer, command))
        return answer

    async def _start_draft(
        self, overview: Overview, command: Command, allowed: Allowed, fax_number: str, part: StartedPart
    ) -> CommandAnswer | None:
        """Start a draft after everything that may keep it back. Raises Repeated, ActionNotAllowed.

        ``fax_number`` is the number of a single fax.
        """
        definition, quota = overview.definition, part.quota(overview.rows)
        if command is Command.START and is_late(definition, now_ms()):
            raise ActionNotAllowed(
                f"batch {definition.id} was to start at {rfc3339(definition.start_at_ms)}, and is still a draft: start "
                "it with now to send it at once, or cancel it"
            )
        if definition.parent:
            await ensure_copied(self._store, definition.id)
        for _ in range(_COMPARED):
            if fax_number:
                note = await compared_fax(self._store, definition, fax_number, self._number_key, allowed=allowed.repeat)
            else:
                note = await compared_mailing(self._store, definition, allowed=allowed.repeat)
            answer = await self._store.batches.command(definition.id, command, note, quota=quota)
            if answer is None or answer.refusal is not CommandRefusal.CHANGED:
                return answer
            now = await self._store.batches.definition(definition.id)
            if now is not None and now.documents != definition.documents:
                await self.ensure_looks_allowed(now, allowed)
            definition = now or definition
        raise ActionNotAllowed(
            f"batch {definition.id} was not started: it still gets recipients, or others are being started with the "
            "same content: start it again"
        )


def definition_faults(definition: Definition, time_ms: int) -> dict[str, str]:
    """Return what is wrong with a definition, by the field of the request."""
    faults = {}
    if not definition.documents and not definition.content_urls:
        faults["documents"] = "name at least one uploaded document, or a content URL in content_urls"
    if definition.deadline_ms and definition.deadline_ms <= max(time_ms, definition.start_at_ms):
        faults["deadline"] = "the deadline must be in the future and after start_at"
    if is_late(definition, time_ms):
        faults["start_at"] = "this time has passed: give one in the future, or leave start_at out to start at once"
    return faults


def is_late(definition: Definition, time_ms: int) -> bool:
    """Return whether the start time has passed for so long that a start would come at a time that nobody meant."""
    return 0 < definition.start_at_ms < time_ms - _LATE_MS


def _ensure_allowed(overview: Overview, command: Command) -> None:
    batch = overview.definition.id
    if (overview.control, command) not in COMMAND_TRANSITIONS:
        raise ActionNotAllowed(_not_allowed(batch, overview.control, command))
    if command in _STARTS and not overview.rows:
        raise ActionNotAllowed(f"batch {batch} has no valid recipient: upload some before you start it")
    changes = COMMAND_TRANSITIONS[overview.control, command] is not overview.control
    if changes and command in (Command.CANCEL, Command.PAUSE) and overview.finished_ms:
        raise ActionNotAllowed(_nothing_left(batch))


def _ensure_started_with(overview: Overview, part: StartedPart) -> None:
    """Raise ActionNotAllowed if a part is asked for, and the batch was not started with it."""
    if part == _ALL or part.quota(overview.rows) == overview.started_first:
        return
    first = overview.started_first
    what = f"only its first {counted(first, 'job')}; the rest begins with continue" if first else "as a whole"
    raise ActionNotAllowed(
        f"batch {overview.definition.id} is {overview.control.value}: only a draft can be started in part, and this "
        f"one was started {what}"
    )


def _refused(definition: Definition, answer: CommandAnswer, command: Command) -> str:
    batch = definition.id
    match answer.refusal:
        case CommandRefusal.ENDED:
            return _nothing_left(batch)
        case CommandRefusal.LATE:
            deadline = rfc3339(definition.deadline_ms)
            return f"the deadline of batch {batch} ({deadline}) has passed: create a new batch with a later one"
    return _not_allowed(batch, answer.control, command)


def _nothing_left(batch: str) -> str:
    return f"batch {batch} has ended: there is nothing left to stop"


def _not_allowed(batch: str, control: Control, command: Command) -> str:
    return f"batch {batch} is {control.value}: it cannot be {_PARTICIPLES[command]}"
