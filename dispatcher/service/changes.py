"""Mends batches that have not ended: what they send, and when. Nothing that was sent is sent again."""

import secrets
from dataclasses import dataclass, replace

from dispatcher.core.batch import Control, Definition
from dispatcher.core.batch_change import (
    BatchChange,
    ChangeRefusal,
    change_refusal,
    changed_fields,
    ended_categories,
    makes_version,
)
from dispatcher.core.job import State
from dispatcher.service.errors import ActionNotAllowed, InvalidInput
from dispatcher.service.mailings import Allowed, Mailings, definition_faults
from dispatcher.service.repeats import compared_change
from dispatcher.service.times import now_ms, rfc3339
from dispatcher.service.views import BatchView, Hold, find_batch, view_batch
from dispatcher.store.batches import Overview
from dispatcher.store.changes import NewDefinition
from dispatcher.store.repeats import StartNote
from dispatcher.store.store import Store

#: times that a change is decided anew because the batch was changed meanwhile
_TRIES = 20
_CONTENT = frozenset({"documents", "content_urls"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedBatch:
    """A batch after a change; after a dry run as it is."""

    batch: BatchView
    #: names of the fields that differ, those of options as in ``options.sender``
    fields: tuple[str, ...]
    #: jobs whose call goes on as it was begun: they are being sent, or the provider has accepted their fax
    sending: int
    accepted: int
    #: holds that ended by the change, or would
    ended: tuple[Hold, ...]


class BatchChanges:
    """Changes batches that have not ended."""

    def __init__(self, store: Store, mailings: Mailings, number_key: bytes) -> None:
        """Create the use-case. ``number_key`` is the key with which numbers are hashed."""
        self._store = store
        self._mailings = mailings
        self._number_key = number_key

    async def change(
        self, batch: str, change: BatchChange, allowed: Allowed, *, version: int | None = None, is_dry_run: bool = False
    ) -> ChangedBatch:
        """Change a batch. After this has returned, no job begins as it was before.

        Args:
            batch: Its id.
            change: The new values.
            allowed: What a batch that was started may do with its new content.
            version: The version that the caller has seen; None: any.
            is_dry_run: Make all checks, and change nothing.

        Raises:
            Missing: There is no such batch.
            ActionNotAllowed: Its state does not allow the change, or it has another version.
            InvalidInput: A value is wrong.
            WarningsNotAllowed: It was started, and its new documents have warnings that are not allowed.
            Repeated: It was started, and its new content was sent to the same recipients a short while ago.
        """
        for _ in range(_TRIES):
            overview = await find_batch(self._store, batch)
            before = await self._store.changes.read(batch)
            if before is None:
                continue  # it is being deleted
            after = change.applied(before.definition)
            fields = changed_fields(before.definition, after)
            _ensure_version(before.definition, version, changes=bool(fields))
            if not fields:
                await self._store.confirm()
                jobs = overview.tally.by_state
                return await self._seen(batch, (), jobs.get(State.SENDING, 0), jobs.get(State.ACCEPTED, 0))
            holds = await self._store.holds.among(before.definition.scopes)
            new = await self._checked(overview, before.definition, after, fields, allowed)
            answer = await self._store.changes.apply(before, new, is_dry_run=is_dry_run)
            if answer.refusal is ChangeRefusal.CHANGED:
                continue
            if answer.refusal:
                raise ActionNotAllowed(_refused(after, answer.refusal))
            ended = tuple(hold for hold in holds if hold.scope in answer.ended)
            return await self._seen(batch, fields, answer.sending, answer.accepted, ended)
        raise ActionNotAllowed(f"batch {batch} is being changed by others: look at it, and change it again")

    async def _seen(
        self, batch: str, fields: tuple[str, ...], sending: int, accepted: int, ended: tuple[Hold, ...] = ()
    ) -> ChangedBatch:
        view = await view_batch(self._store, batch)
        return ChangedBatch(batch=view, fields=fields, sending=sending, accepted=accepted, ended=ended)

    async def _checked(
        self, overview: Overview, before: Definition, after: Definition, fields: tuple[str, ...], allowed: Allowed
    ) -> NewDefinition:
        """Make all checks that need more than the batch, and return the new definition."""
        refusal = change_refusal(overview.control, fields, held=overview.held, finished=bool(overview.finished_ms))
        if refusal:
            raise ActionNotAllowed(_refused(after, refusal))
        is_draft = overview.control is Control.DRAFT
        begins = is_draft or overview.control is Control.SCHEDULED
        await self._ensure_valid(after if begins else replace(after, start_at_ms=0), fields)
        if not is_draft and "documents" in fields:
            await self._mailings.ensure_looks_allowed(after, allowed)
        note = StartNote()
        if not is_draft and makes_version(fields):
            note = await compared_change(self._store, before, after, self._number_key, allowed=allowed.repeat)
        if makes_version(fields):
            after = replace(after, version=before.version + 1, tag=secrets.token_hex(8))
        return NewDefinition(
            definition=after,
            fields=frozenset(fields),
            of_draft=is_draft,
            ended=ended_categories(fields),
            note=note,
        )

    async def _ensure_valid(self, after: Definition, fields: tuple[str, ...]) -> None:
        """Raise InvalidInput for what changes to something wrong. What stays was checked when it came."""
        faults = definition_faults(after, now_ms())
        named = {
            "documents": _CONTENT.intersection(fields),
            "deadline": {"deadline_ms", "start_at_ms"}.intersection(fields),
            "start_at": {"start_at_ms"}.intersection(fields),
        }
        faults = {name: text for name, text in faults.items() if named.get(name)}
        for position, sha256 in enumerate(after.documents if "documents" in fields else ()):
            if await self._store.documents.info(sha256) is None:
                faults[f"documents[{position}]"] = f"there is no document {sha256}: upload it first"
        options = after.options
        if (
            options.cover_page_data
            and not options.cover_page_id
            and any(name.startswith("options.") for name in fields)
        ):
            faults["options.cover_page_data"] = (
                "these fields fill a cover page: name it in cover_page_id, or remove them too, with null"
            )
        if faults:
            raise InvalidInput(faults)


def _ensure_version(definition: Definition, version: int | None, *, changes: bool) -> None:
    """Raise ActionNotAllowed if the batch has another version, and not because the same request has made it."""
    is_repeat = not changes and version == definition.version - 1
    if version is not None and version != definition.version and not is_repeat:
        raise ActionNotAllowed(
            f"batch {definition.id} has version {definition.version} by now, not {version}: look at it first"
        )


def _refused(definition: Definition, refusal: ChangeRefusal) -> str:
    batch = definition.id
    match refusal:
        case ChangeRefusal.ENDED:
            return f"batch {batch} has ended: run jobs of it again, with what is to be different"
        case ChangeRefusal.RUNNING:
            return (
                f"batch {batch} is being sent: pause it first, and resume it after the change. Its weight, priority, "
                "max_per_second, deadline and metadata can be changed at any time"
            )
        case ChangeRefusal.STARTED:
            return f"batch {batch} was started: only a draft can get another name or start_at"
        case ChangeRefusal.LATE:
            return f"batch {batch} was not changed: the deadline {rfc3339(definition.deadline_ms)} has passed"
        case ChangeRefusal.NO_DOCUMENT:
            return f"batch {batch} was not changed: one of the documents was deleted meanwhile, upload it again"
        case ChangeRefusal.TOO_OFTEN:
            return f"batch {batch} has {definition.version - 1:,} versions, as many as it may have: cancel and rerun it"
    raise AssertionError(refusal)
