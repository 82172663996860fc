"""Changes the definitions of batches that have not ended, and reads by which version of them a job was sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dispatcher.core.batch import Control, Definition
from dispatcher.core.batch_change import ChangeRefusal, makes_version, needs_draft
from dispatcher.core.job import JobId
from dispatcher.core.versions import NotedAttempt, VersionStart, version_of
from dispatcher.store.batches import changeable_fields, decode_definition, encode_definition
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, whole
from dispatcher.store.errors import translated
from dispatcher.store.keys import locate
from dispatcher.store.lua import Argument, Scripts
from dispatcher.store.repeats import StartNote

_DELETING = Control.DELETING.value.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDefinition:
    """A definition and the text by which it is stored, for compare-and-set."""

    definition: Definition
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDefinition:
    """The definition that takes the place of another, and what follows from what changes."""

    definition: Definition
    #: names of the fields that have another value, as ``changed_fields`` returns them
    fields: frozenset[str]
    #: whether the batch was a draft when the change was checked
    of_draft: bool
    #: categories of holds of the batch that end by it
    ended: frozenset[str] = frozenset()
    #: what a change of a started batch was compared with; empty for any other
    note: StartNote = field(default_factory=StartNote)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAnswer:
    """What became of a change."""

    #: None: the definition was changed
    refusal: ChangeRefusal | None
    #: jobs that were being sent then, and jobs whose fax the provider had accepted, without a result so far
    sending: int
    accepted: int
    #: scopes of the holds that ended by it
    ended: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVersions:
    """By which versions of the definition a job was sent, and the definition as it is now."""

    row: int
    definition: Definition
    starts: tuple[VersionStart, ...]
    noted: tuple[NotedAttempt, ...]

    def of(self, attempt: int) -> int:
        """Return the version by which an attempt was sent."""
        return version_of(attempt, self.row, self.starts, self.noted)


class Changes:
    """Changes what batches send, and says what was sent."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def read(self, batch: str) -> StoredDefinition | None:
        """Return the definition of a batch; None if there is no such batch. Raises UnreadableData."""
        key = self._keys.batch(batch)
        with translated():
            text, control = await self._client.hmget(key, "definition", "control")
        if control in (None, _DELETING):
            return None
        with decoding(key):
            return StoredDefinition(definition=decode_definition(text), text=text)

    async def apply(self, before: StoredDefinition, new: NewDefinition, *, is_dry_run: bool = False) -> ChangeAnswer:
        """Replace a definition, unless another one is stored by now. A dry run says what would become of it."""
        definition, is_new_version = new.definition, makes_version(new.fields)
        documents_change = "documents" in new.fields
        fields = [item for field in _stored_fields(new).items() for item in field]
        values: list[Argument] = [before.text, encode_definition(definition), new.note.sketch, *fields]
        refusal, sending, accepted, *ended = await self._scripts.accept(
            "change",
            *values,
            batch=definition.id,
            version=definition.version if is_new_version else 0,
            tag=definition.tag if is_new_version else "",
            of_draft=new.of_draft,
            before_start=needs_draft(new.fields),
            ended=sorted(new.ended),
            documents_change=documents_change,
            documents=definition.documents if documents_change else (),
            deadline_changes="deadline_ms" in new.fields,
            deadline_ms=definition.deadline_ms,
            is_dry_run=is_dry_run,
            content=new.note.content,
            life_ms=new.note.life_ms,
            last=new.note.last,
            until_ms=new.note.until_ms,
        )
        return ChangeAnswer(
            refusal=ChangeRefusal(refusal.decode()) if refusal else None,
            sending=sending,
            accepted=accepted,
            ended=frozenset(scope.decode() for scope in ended),
        )

    async def tag(self, batch: str) -> str:
        """Return the tag of a batch's definition; empty if it was never changed."""
        with translated():
            raw = await self._client.hget(self._keys.batch(batch), "definition_tag")
        return (raw or b"").decode(errors="replace")

    async def versions_of(self, job: JobId) -> JobVersions | None:
        """Return by which versions a job was sent; None if there is no such batch. Raises UnreadableData."""
        key, (block, _) = self._keys.batch(job.batch), locate(job)
        noted_key = self._keys.of_block(job.batch, "versions", block)
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hmget(key, "definition", "control", "version_starts")
                pipe.hget(noted_key, str(job.row))
                (text, control, starts), noted = await pipe.execute()
        if control in (None, _DELETING):
            return None
        with decoding(key):
            definition, pairs = decode_definition(text), _pairs(starts)
        with decoding(f"{noted_key} {job.row}"):
            return JobVersions(
                row=job.row,
                definition=definition,
                starts=tuple(VersionStart(*pair) for pair in pairs),
                noted=tuple(NotedAttempt(*pair) for pair in _pairs(noted)),
            )


def _stored_fields(new: NewDefinition) -> dict[str, Argument]:
    """Return the fields of the batch's hash that change. The others may differ from the definition by now."""
    names = {"class" if name == "priority" else name for name in new.fields}
    return {name: value for name, value in changeable_fields(new.definition).items() if name in names}


def _pairs(text: bytes | None) -> Sequence[tuple[int, int]]:
    """Read pairs of numbers as in ``2:0 3:1200``."""
    pairs: Iterable[list[bytes]] = (pair.split(b":") for pair in (text or b"").split())
    return [(whole(first), whole(second)) for first, second in pairs]
