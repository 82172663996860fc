"""The inputs of a fax (recipient, batch and documents), cached per process, and the order built from them.

All three are cached per process. Recipients and documents never change once they are stored. A definition is cached
under its tag, which differs between all its versions.
"""

import asyncio
import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Generic, TypeVar

from dispatcher.core.batch import Definition
from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import JobId, Recipient, Record
from dispatcher.core.options import FaxOptions
from dispatcher.core.retry_table.rule import Scope
from dispatcher.sinch.callback_url import callback_url
from dispatcher.sinch.order import EncodedFile, FaxOrder
from dispatcher.sinch.wire import AttemptLabels
from dispatcher.store.errors import UnreadableData
from dispatcher.store.keys import locate
from dispatcher.store.store import Store

#: entries in each cache; a block has up to 1,000 recipients
_BLOCKS, _DEFINITIONS, _FILES = 64, 512, 16
#: bytes of the HMAC that are used as the hash of a number
_HASH_BYTES = 10

#: no batch was changed
NO_TAGS: Mapping[str, str] = MappingProxyType({})

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class FaxInputsMissing(Exception):
    """Raised when a job names a batch, row or document that the store does not have."""


class FaxInputsUnreadable(Exception):
    """Raised when a definition or a document of the store is damaged. ``scope`` is what cannot be sent for it."""

    def __init__(self, scope: HoldScope, error: UnreadableData) -> None:
        super().__init__(str(error))
        self.scope = scope


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUrls:
    """The URLs at which the provider reaches bulkfax. Without a ``public_url`` it cannot."""

    public_url: str
    callback_key: bytes
    #: returns the signed URL of a document, from its SHA-256
    document_url: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaxInputs:
    """What the fax of one job is built from."""

    job: JobId
    recipient: Recipient
    definition: Definition
    document_urls: tuple[str, ...]
    #: the uploaded documents as base64 in that case
    files: tuple[EncodedFile, ...]


class Cache(Generic[Key, Value]):
    """A least-recently-used cache. Callers that ask for a missing value at the same time share one load."""

    def __init__(self, size: int, load: Callable[[Key], Awaitable[Value]]) -> None:
        self._size = size
        self._load = load
        self._values: OrderedDict[Key, asyncio.Future[Value]] = OrderedDict()

    async def get(self, key: Key) -> Value:
        """Return the value of a key, loading it if needed. A load that fails is not cached."""
        if key in self._values:
            self._values.move_to_end(key)
            return await asyncio.shield(self._values[key])
        loading = self._values[key] = asyncio.ensure_future(self._load(key))
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        try:
            return await asyncio.shield(loading)
        except BaseException:
            self._values.pop(key, None)
            raise

    def forget(self, key: Key) -> None:
        """Load the value anew the next time."""
        self._values.pop(key, None)


class FaxBuilder:
    """Gathers the inputs of jobs and builds faxes from them."""

    def __init__(self, store: Store, public_urls: PublicUrls, number_key: bytes) -> None:
        self._store = store
        self._public_urls = public_urls
        self._number_key = number_key
        self._definitions: Cache[tuple[str, str], Definition] = Cache(_DEFINITIONS, self._read_definition)
        self._blocks: Cache[tuple[str, int], tuple[Recipient, ...]] = Cache(_BLOCKS, self._block)
        self._files: Cache[str, EncodedFile] = Cache(_FILES, self._file)

    async def inputs(self, jobs: Sequence[JobId], tags: Mapping[str, str] = NO_TAGS) -> list[FaxInputs]:
        """Return the inputs of each job, in the order of ``jobs``.

        ``tags`` are those of the definitions that a lease is of, by batch. If a batch was changed since, the newer
        definition may be returned.

        Raises:
            FaxInputsMissing: A batch, row or document does not exist.
            FaxInputsUnreadable: A definition or a document is damaged.
            UnreadableData: A block of recipients is damaged.
        """
        return [await self._inputs_of(job, tags.get(job.batch, "")) for job in jobs]

    async def _inputs_of(self, job: JobId, tag: str) -> FaxInputs:
        recipient = await self._recipient(job)
        definition = await self._definition(job.batch, tag)
        try:
            urls, files = await self._documents(definition)
        except FaxInputsMissing:
            # a document that the batch does not send any more may be deleted
            self._definitions.forget((job.batch, tag))
            newer = await self._definition(job.batch, tag)
            if newer.tag == definition.tag:
                raise
            definition, (urls, files) = newer, await self._documents(newer)
        return FaxInputs(job=job, recipient=recipient, definition=definition, document_urls=urls, files=files)

    async def _recipient(self, job: JobId) -> Recipient:
        block, position = locate(job)
        recipients = await self._blocks.get((job.batch, block))
        if position >= len(recipients):
            raise FaxInputsMissing(f"job {job} has no row")
        return recipients[position]

    async def definition(self, batch: str) -> Definition:
        """Return the definition that a batch has now. Raises FaxInputsMissing, FaxInputsUnreadable."""
        return await self._definition(batch, await self._store.changes.tag(batch))

    async def _definition(self, batch: str, tag: str) -> Definition:
        """Return the definition of a batch that has a tag, or a newer one. Raises FaxInputsMissing."""
        definition = await self._definitions.get((batch, tag))
        if definition.tag != tag:
            self._definitions.forget((batch, tag))
        return definition

    def number_hash(self, number: str) -> str:
        """Return the keyed hash of a number. The lock on the number is named after it."""
        digest = hmac.digest(self._number_key, number.encode(), hashlib.sha256)
        return digest[:_HASH_BYTES].hex()

    async def number_hash_of(self, job: JobId) -> str:
        """Return that hash of a job's number. Raises FaxInputsMissing."""
        return self.number_hash(await self.number(job))

    async def region(self, job: JobId) -> str:
        """Return the region of the number that a job is for. Raises FaxInputsMissing."""
        return (await self._recipient(job)).region

    async def number(self, job: JobId) -> str:
        """Return the number that a job is for. Raises FaxInputsMissing."""
        return (await self._recipient(job)).number

    def fax(self, inputs: FaxInputs, record: Record, write_epoch: int) -> FaxOrder:
        """Build the order for one attempt. ``write_epoch`` is the account's when the attempt began."""
        definition = inputs.definition
        labels = AttemptLabels(job=str(inputs.job), attempt=record.attempt, write_epoch=write_epoch)
        return FaxOrder(
            to=(inputs.recipient.number,),
            content_urls=(*definition.content_urls, *inputs.document_urls),
            files=inputs.files,
            options=options_for(inputs.recipient, definition.options, force_fine=record.force_fine),
            labels=labels.labels(),
            callback_url=self._callback_url(labels),
        )

    def _callback_url(self, labels: AttemptLabels) -> str:
        public_url, key = self._public_urls.public_url, self._public_urls.callback_key
        return callback_url(public_url, labels.job, labels.attempt, key) if public_url else ""

    async def _documents(self, definition: Definition) -> tuple[tuple[str, ...], tuple[EncodedFile, ...]]:
        if self._public_urls.public_url:
            return tuple(map(self._public_urls.document_url, definition.documents)), ()
        return (), tuple([await self._files.get(sha256) for sha256 in definition.documents])

    async def _read_definition(self, key: tuple[str, str]) -> Definition:
        batch, _ = key
        try:
            definition = await self._store.batches.definition(batch)
        except UnreadableData as error:
            raise FaxInputsUnreadable(HoldScope(Scope.BATCH, batch), error) from error
        if definition is None:
            raise FaxInputsMissing(f"there is no batch {batch}")
        return definition

    async def _block(self, key: tuple[str, int]) -> tuple[Recipient, ...]:
        return await self._store.batches.recipients(*key)

    async def _file(self, sha256: str) -> EncodedFile:
        try:
            content = await self._store.documents.content(sha256)
        except UnreadableData as error:
            raise FaxInputsUnreadable(HoldScope(Scope.DOCUMENT, sha256), error) from error
        if content is None:
            raise FaxInputsMissing(f"there is no document {sha256}")
        return EncodedFile(file_type="PDF", base64=base64.b64encode(content))


def options_for(recipient: Recipient, options: FaxOptions, *, force_fine: bool) -> FaxOptions:
    """Return the batch's options as they apply to one recipient. ``force_fine`` overrides the resolution."""
    resolution = "FINE" if force_fine else options.resolution
    return replace(options, resolution=resolution, cover_page_data=merge_fields(options, recipient))


def merge_fields(options: FaxOptions, recipient: Recipient) -> Mapping[str, str]:
    """Return the values for a cover page: the recipient's fields, or the batch's where those are empty.

    Field names are in lower case. Without a cover page the result is empty.
    """
    if not options.cover_page_id:
        return {}
    shared = {name.lower(): value for name, value in options.cover_page_data.items()}
    own = {name.lower(): value for name, value in recipient.fields.items()}
    return shared | {name: value for name, value in own.items() if value or name not in shared}
