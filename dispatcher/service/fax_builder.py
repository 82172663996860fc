"""What a fax is made of: recipient, batch and documents, gathered for a lease and cached per process.

Everything cached here never changes once it is stored.
"""

import asyncio
import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dispatcher.core.batch import Definition, FaxOptions
from dispatcher.core.job import JobId, Recipient, Record
from dispatcher.sinch.callback_url import callback_url
from dispatcher.sinch.outgoing import EncodedFile, OutgoingFax
from dispatcher.store import keys
from dispatcher.store.store import Store

#: entries; a block has up to 1,000 recipients
_BLOCKS, _DEFINITIONS, _FILES = 64, 512, 16
_HASH_BYTES = 10

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class FaxInputsMissing(Exception):
    """Raised when a job names a batch, row or document that the store does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUrls:
    """Where the provider reaches us; an empty address means that it does not."""

    public_url: str
    callback_key: bytes
    #: address of a document, signed and expiring
    document_url: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaxInputs:
    """All that one job's fax is made of."""

    job: JobId
    recipient: Recipient
    definition: Definition
    #: uploaded documents as addresses of ours when the provider can reach us, else as base64
    document_urls: tuple[str, ...]
    files: tuple[EncodedFile, ...]


class Cache(Generic[Key, Value]):
    """The values used last; one load for callers that ask at the same time."""

    def __init__(self, size: int, load: Callable[[Key], Awaitable[Value]]) -> None:
        self._size = size
        self._load = load
        self._kept: OrderedDict[Key, asyncio.Future[Value]] = OrderedDict()

    async def get(self, key: Key) -> Value:
        if key in self._kept:
            self._kept.move_to_end(key)
            return await asyncio.shield(self._kept[key])
        loading = self._kept[key] = asyncio.ensure_future(self._load(key))
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        try:
            return await asyncio.shield(loading)
        except BaseException:
            self._kept.pop(key, None)
            raise


class FaxBuilder:
    """Finds the material of jobs and turns it into faxes."""

    def __init__(self, store: Store, publication: PublicUrls, number_key: bytes) -> None:
        self._store = store
        self._publication = publication
        self._number_key = number_key
        self._definitions: Cache[str, Definition] = Cache(_DEFINITIONS, self._read_definition)
        self._blocks: Cache[tuple[str, int], tuple[Recipient, ...]] = Cache(_BLOCKS, self._block)
        self._files: Cache[str, EncodedFile] = Cache(_FILES, self._file)

    async def inputs(self, jobs: Sequence[JobId]) -> list[FaxInputs]:
        """In the order of ``jobs``. Raises MaterialMissing."""
        return [await self._material(job) for job in jobs]

    async def _material(self, job: JobId) -> FaxInputs:
        recipient = await self._recipient(job)
        definition = await self.definition(job.batch)
        urls, files = await self._documents(definition)
        return FaxInputs(job=job, recipient=recipient, definition=definition, document_urls=urls, files=files)

    async def _recipient(self, job: JobId) -> Recipient:
        block, at = keys.locate(job)
        recipients = await self._blocks.get((job.batch, block))
        if at >= len(recipients):
            raise FaxInputsMissing(f"job {job} has no row")
        return recipients[at]

    async def definition(self, batch: str) -> Definition:
        """What was asked of a batch. Raises MaterialMissing."""
        return await self._definitions.get(batch)

    def number_hash(self, number: str) -> str:
        """The keyed hash under which calls to a number are locked."""
        digest = hmac.digest(self._number_key, number.encode(), hashlib.sha256)
        return digest[:_HASH_BYTES].hex()

    async def number_hash_of(self, job: JobId) -> str:
        """The same for a job's number. Raises MaterialMissing."""
        return self.number_hash(await self.number(job))

    async def number(self, job: JobId) -> str:
        """The number that a job is for. Raises MaterialMissing."""
        return (await self._recipient(job)).number

    def fax(self, material: FaxInputs, record: Record, write_epoch: int) -> OutgoingFax:
        """One attempt, ready to be sent. ``write_epoch`` is the account's at its begin."""
        definition, recipient, options = material.definition, material.recipient, material.definition.options
        job, publication = str(material.job), self._publication
        public_url = publication.public_url
        return OutgoingFax(
            to=recipient.number,
            job=job,
            attempt=record.attempt,
            write_epoch=write_epoch,
            content_urls=(*definition.content_urls, *material.document_urls),
            files=material.files,
            sender=options.sender,
            service_id=options.service_id,
            header_text=options.header_text,
            header_page_numbers=options.header_page_numbers,
            header_time_zone=options.header_time_zone,
            resolution="FINE" if record.force_fine else options.resolution,
            image_conversion_method=options.image_conversion_method,
            cover_page_id=options.cover_page_id,
            cover_page_data=merge_fields(options, recipient),
            callback_url=callback_url(public_url, job, record.attempt, publication.callback_key) if public_url else "",
        )

    async def _documents(self, definition: Definition) -> tuple[tuple[str, ...], tuple[EncodedFile, ...]]:
        if self._publication.public_url:
            return tuple(map(self._publication.document_url, definition.documents)), ()
        return (), tuple([await self._files.get(sha256) for sha256 in definition.documents])

    async def _read_definition(self, batch: str) -> Definition:
        definition = await self._store.batches.definition(batch)
        if definition is None:
            raise FaxInputsMissing(f"there is no batch {batch}")
        return definition

    async def _block(self, key: tuple[str, int]) -> tuple[Recipient, ...]:
        return await self._store.batches.recipients(*key)

    async def _file(self, sha256: str) -> EncodedFile:
        content = await self._store.documents.content(sha256)
        if content is None:
            raise FaxInputsMissing(f"there is no document {sha256}")
        return EncodedFile(file_type="PDF", base64=base64.b64encode(content))


def merge_fields(options: FaxOptions, recipient: Recipient) -> Mapping[str, str]:
    """What fills a cover page, names in lower case: the recipient's fields, and the batch's where they say nothing."""
    if not options.cover_page_id:
        return {}
    shared = {name.lower(): value for name, value in options.cover_page_data.items()}
    own = {name.lower(): value for name, value in recipient.fields.items()}
    return shared | {name: value for name, value in own.items() if value or name not in shared}
