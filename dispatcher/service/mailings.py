"""Batches and single faxes, from the producer's side: made, started, paused, cancelled, run again."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from dispatcher.core.batch import COMMAND_TRANSITIONS, Command, CommandRefusal, Control, Definition
from dispatcher.core.job import JobId, Recipient
from dispatcher.service.errors import ActionNotAllowed, InvalidInput, Missing, WrongCredentials
from dispatcher.service.idempotency import fingerprint, same_id
from dispatcher.service.ids import batch_id
from dispatcher.service.jobs import view_job
from dispatcher.service.rerun import Selection, copy_selected, ensure_copied
from dispatcher.service.times import now_ms, rfc3339
from dispatcher.service.views import BatchView, JobView, find_batch, view_batch
from dispatcher.sinch.errors import RefusedError, SinchError
from dispatcher.store.batches import CommandAnswer, Overview, UploadChunk
from dispatcher.store.store import Store

#: HTTP status of an account without money: sending is held until there is some, so starting is no mistake
_NO_MONEY = 402
#: how long a check that went well counts for single faxes
_CHECK_HOLDS_S = 300.0
_RERUN = " (rerun)"
_DONE = {
    Command.START: "started",
    Command.PAUSE: "paused",
    Command.RESUME: "resumed",
    Command.CANCEL: "cancelled",
    Command.EXPIRE: "expired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanded:
    """A batch after a command, and how many of its calls are still running out."""

    batch: BatchView
    in_flight: int


class Mailings:
    """The producer's use-cases. ``credentials`` asks the provider and raises RefusedError when it rejects our key."""

    def __init__(self, store: Store, credentials: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._credentials = credentials
        self._good_until_s = 0.0

    async def create(self, wanted: Definition, key: str | None) -> BatchView:
        """A new draft. Id and time of creation are set here.

        Raises Invalid for documents that are not there and times that are past, Conflict for a used key.
        """
        batch = await self._create(wanted, "batch", key, fingerprint(wanted))
        return await view_batch(self._store, batch)

    async def command(self, batch: str, command: Command) -> Commanded:
        """Start, pause, resume or cancel; asking again for what is so already changes nothing.

        Raises Missing, NotAllowed, and WrongCredentials, which is found out before a batch starts.
        """
        overview = await find_batch(self._store, batch)
        _ensure_allowed(overview, command)
        if command is Command.START and overview.control is not Control.RUNNING:
            await self._ensure_credentials()
        answer = await self._carry_out(overview, command)
        return Commanded(batch=await view_batch(self._store, batch), in_flight=answer.in_flight)

    async def rerun(self, parent: str, selection: Selection, *, start: bool, key: str | None) -> BatchView:
        """A new batch of the parent's final jobs, with the parent's documents and options but none of its times.

        Raises Missing, NotAllowed when nothing is selected, Conflict, and WrongCredentials before anything is made.
        """
        overview = await find_batch(self._store, parent)
        if not selection.count(overview.tally):
            raise ActionNotAllowed(
                f"batch {parent} has no final job in these states and categories: nothing to run again"
            )
        if start:
            await self._ensure_credentials()
        old = overview.definition
        name = old.name.removesuffix(_RERUN) + _RERUN
        wanted = replace(old, name=name, start_at_ms=0, deadline_ms=0, parent=parent)
        content = fingerprint(parent, sorted(selection.states), sorted(selection.categories or ()), start)
        child = await self._create(wanted, "rerun", key, content)
        await copy_selected(self._store, overview, child, selection)
        if start:
            await self._start(child)
        return await view_batch(self._store, child)

    async def fax(self, wanted: Definition, recipient: Recipient, key: str | None) -> JobView:
        """One fax, at once: a batch of one job.

        Raises Invalid, Conflict, and WrongCredentials before anything is made.
        """
        # a check is a call to the provider: not one more for every fax
        if time.monotonic() > self._good_until_s:
            await self._ensure_credentials()
        batch = await self._create(wanted, "fax", key, fingerprint(wanted, recipient))
        part = UploadChunk(upload="fax", first_line=1, last_line=1, recipients=(recipient,), refused=())
        await self._store.batches.add_chunk(batch, part)
        await self._start(batch)
        return await view_job(self._store, JobId(batch, 0))

    async def _create(self, wanted: Definition, kind: str, key: str | None, content: str) -> str:
        at_ms = now_ms()
        await self._ensure_usable(wanted, at_ms)
        batch = await same_id(self._store, kind, key, content, batch_id(at_ms))
        await self._store.batches.create(replace(wanted, id=batch, created_ms=at_ms))
        return batch

    async def _ensure_usable(self, wanted: Definition, at_ms: int) -> None:
        faults = _faults(wanted, at_ms)
        for position, sha256 in enumerate(wanted.documents):
            if await self._store.documents.info(sha256) is None:
                faults[f"documents[{position}]"] = f"no document {sha256} is here: upload it first"
        if faults:
            raise InvalidInput(faults)

    async def _ensure_credentials(self) -> None:
        """A provider that cannot be reached stops nobody: faxes wait for it as they would at any later moment."""
        try:
            await self._credentials()
            self._good_until_s = time.monotonic() + _CHECK_HOLDS_S
        except RefusedError as error:
            if error.status != _NO_MONEY:
                raise WrongCredentials(f"the provider refuses our project, key or secret: {error}") from error
        except SinchError:
            return

    async def _start(self, batch: str) -> None:
        """Start a batch made by this request or by an earlier one with the same key, which may have started it."""
        overview = await find_batch(self._store, batch)
        if overview.control is Control.DRAFT:
            await self._carry_out(overview, Command.START)

    async def _carry_out(self, overview: Overview, command: Command) -> CommandAnswer:
        batch = overview.definition.id
        if command is Command.START and overview.control is Control.DRAFT and overview.definition.parent:
            await ensure_copied(self._store, batch)
        answer = await self._store.batches.command(batch, command)
        if answer is None:
            raise Missing(f"there is no batch {batch}")
        if answer.refusal:
            raise ActionNotAllowed(_refused(overview.definition, answer, command))
        return answer


def _faults(wanted: Definition, at_ms: int) -> dict[str, str]:
    faults = {}
    if not wanted.documents and not wanted.content_urls:
        faults["documents"] = "name at least one uploaded document, or a content URL in content_urls"
    if wanted.deadline_ms and wanted.deadline_ms <= max(at_ms, wanted.start_at_ms):
        faults["deadline"] = "the deadline must be in the future and after start_at"
    return faults


def _ensure_allowed(overview: Overview, command: Command) -> None:
    batch = overview.definition.id
    if (overview.control, command) not in COMMAND_TRANSITIONS:
        raise ActionNotAllowed(_not_allowed(batch, overview.control, command))
    if command is Command.START and not overview.rows:
        raise ActionNotAllowed(f"batch {batch} has no valid recipient: upload some before you start it")
    changes = COMMAND_TRANSITIONS[overview.control, command] is not overview.control
    if changes and command in (Command.CANCEL, Command.PAUSE) and overview.finished_ms:
        raise ActionNotAllowed(_nothing_left(batch))


def _refused(definition: Definition, answer: CommandAnswer, command: Command) -> str:
    batch = definition.id
    match answer.refusal:
        case CommandRefusal.ENDED:
            return _nothing_left(batch)
        case CommandRefusal.LATE:
            deadline = rfc3339(definition.deadline_ms)
            return f"the deadline of batch {batch} ({deadline}) has passed: make a new batch with a later one"
    return _not_allowed(batch, answer.control, command)


def _nothing_left(batch: str) -> str:
    return f"batch {batch} has ended: there is nothing left to stop"


def _not_allowed(batch: str, control: Control, command: Command) -> str:
    return f"batch {batch} is {control.value}: it cannot be {_DONE[command]}"
