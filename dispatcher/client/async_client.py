"""The client for asyncio.

Generated from ``client.py`` by ``./run generate``; change that.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from dispatcher.client.answers import (
    DEFAULT_URL,
    PATIENCE_S,
    Model,
    Page,
    Readiness,
    access_from_environment,
    endpoint_path,
    model_of,
    new_key,
    with_query,
)
from dispatcher.client.async_transport import AsyncTransport
from dispatcher.client.contents import (
    CSV,
    PDF,
    LineProgress,
    Progress,
    RecipientList,
    Share,
    list_content,
    no_progress,
    no_share,
    stored_content,
)
from dispatcher.client.errors import ApiError, BadInput, TimedOut, Unavailable
from dispatcher.client.waiting import AsyncFetching, async_opened, async_sleep
from dispatcher.schema.requests import (
    CancelJobs,
    ChangeBatch,
    ChangeWebhookEndpoint,
    DryRunOptions,
    ListOptions,
    NewBatch,
    NewFax,
    NewRerun,
    NewReruns,
    NewSuppression,
    NewWebhookEndpoint,
    Rate,
    ReleaseHolds,
    Replay,
    Resume,
    StartBatch,
)
from dispatcher.schema.responses import (
    Account,
    Batch,
    BatchPage,
    CancelledJobs,
    ChangedBatch,
    CommandedBatch,
    Diagnosis,
    Document,
    Event,
    EventPage,
    Explanation,
    Forecast,
    Hold,
    HoldPage,
    Job,
    JobPage,
    JobStory,
    LookupPage,
    RefusedPage,
    RefusedRow,
    ReleasedHolds,
    Removed,
    RerunBatches,
    RerunPreview,
    Status,
    Suppression,
    SuppressionImport,
    SuppressionPage,
    Upload,
    WebhookDeliveryPage,
    WebhookEndpoint,
    WebhookEndpoints,
    WebhookEndpointSecret,
)

_PAGE = 1000
_BATCHES_PAGE = _LOOKUP_PAGE = 100
_LOOK_S = 2.0


class AsyncClient:
    """Speaks to one API. Every method raises ClientError; its text says what is wrong and what to do.

    ``patience_s`` bounds how long connection errors and answers of 408, 429 and 503 are repeated. ``transport`` is
    httpx's, for tests.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        api_key: str = "",
        *,
        patience_s: float = PATIENCE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._transport = AsyncTransport(url.rstrip("/"), api_key, patience_s, transport)

    @classmethod
    def from_environment(cls, *, patience_s: float = PATIENCE_S) -> Self:
        """The API named by BULKFAX_API_URL and BULKFAX_API_KEY, in the environment or in ``.env``.

        Without an address it is the one on this machine, at BULKFAX_PORT.
        """
        url, key = access_from_environment()
        return cls(url, key, patience_s=patience_s)

    @property
    def url(self) -> str:
        return self._transport.url

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def upload_document(
        self, document: Path | bytes, *, name: str = "", progress: Progress = no_progress
    ) -> Document:
        """Upload a PDF. The same bytes again give the same id. ``name`` is that of the file, if it has another one."""
        content = stored_content(document, PDF)
        name = name or (document.name if isinstance(document, Path) else "")
        headers = {"Content-Type": content.kind, "Content-Length": str(content.size)}
        if name:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        answer = await self._transport.upload("/v1/documents", headers, content, progress)
        return self._read(Document, answer)

    async def document(self, sha256: str) -> Document:
        return await self._get(Document, f"/v1/documents/{sha256}")

    async def delete_document(self, sha256: str) -> Removed:
        """Delete a document that no batch needs any more; ``removed`` is 0 when there is none (any more)."""
        return await self._delete(f"/v1/documents/{sha256}")

    async def create_batch(self, new: NewBatch, *, key: str = "") -> Batch:
        """Create a draft. ``key`` is the Idempotency-Key; without one each call creates a new batch."""
        return await self._create(Batch, "/v1/batches", new.sent(), key)

    async def batch(self, batch: str) -> Batch:
        return await self._get(Batch, f"/v1/batches/{batch}")

    async def update_batch(self, batch: str, change: ChangeBatch) -> ChangedBatch:
        """Change a batch that has not ended. Fields that are not set stay; None brings back the default."""
        return self._read(ChangedBatch, await self._transport.call("PATCH", f"/v1/batches/{batch}", json=change.sent()))

    async def batches_page(
        self,
        *,
        states: Sequence[str] = (),
        name: str = "",
        since: str = "",
        until: str = "",
        metadata: Mapping[str, str] | None = None,
        after: str = "",
        limit: int = _BATCHES_PAGE,
    ) -> BatchPage:
        """One page of batches that match, newest first. It may be short, or empty, although ``next`` names another.

        ``name`` is a part of the name; ``since`` and ``until`` are RFC 3339 times of the creation.
        """
        pairs = [f"{key}={value}" for key, value in (metadata or {}).items()]
        query = {"state": list(states) or None, "metadata": pairs or None, "name": name, "since": since, "until": until}
        return await self._get(BatchPage, "/v1/batches", after=after, limit=limit, **query)

    async def batches(
        self,
        *,
        states: Sequence[str] = (),
        name: str = "",
        since: str = "",
        until: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Batch]:
        """All batches that match, newest first, page by page, as in ``batches_page``."""
        async for page in self._pages(
            lambda after: self.batches_page(
                states=states, name=name, since=since, until=until, metadata=metadata, after=after
            )
        ):
            for item in page.batches:
                yield item

    async def upload_recipients(
        self,
        batch: str,
        recipients: RecipientList,
        *,
        kind: str = "",
        options: ListOptions | None = None,
        progress: Progress = no_progress,
        key: str = "",
    ) -> Upload:
        """Stream a list into a draft: a file (CSV, NDJSON, JSON or a workbook), the bytes of one, or rows.

        Rows are dictionaries, or sequences of which the first has the headings. ``kind`` is the media type of bytes;
        they are CSV without it. ``key`` names the upload: a repeat with the same key goes on after the lines that are
        stored already.
        """
        async with async_opened(list_content(recipients, kind)) as content:
            headers = {"Content-Type": content.kind, "Idempotency-Key": key or new_key()}
            path = with_query(f"/v1/batches/{batch}/recipients", options)
            answer = await self._transport.upload(path, headers, content, progress)
        return self._read(Upload, answer)

    async def try_recipients(
        self,
        recipients: RecipientList,
        *,
        kind: str = "",
        options: DryRunOptions | None = None,
        progress: Progress = no_progress,
    ) -> Upload:
        """Read a list without storing anything; the answer has the first rows as they would be dialled."""
        async with async_opened(list_content(recipients, kind)) as content:
            path = with_query("/v1/recipients/dry-run", options)
            answer = await self._transport.upload(path, {"Content-Type": content.kind}, content, progress)
        return self._read(Upload, answer)

    async def start(
        self,
        batch: str,
        *,
        allow_warnings: bool = False,
        allow_repeat: bool = False,
        first: int | None = None,
        percent: float | None = None,
        now: bool = False,
    ) -> CommandedBatch:
        """Start a draft, or only its ``first`` jobs or some ``percent``; the rest begins with ``continue_batch``.

        A batch with a ``start_at`` waits for that time. With ``now`` it does not wait, also if it was started before.
        """
        flags = {"allow_warnings": allow_warnings, "allow_repeat": allow_repeat, "now": now}
        body = StartBatch(**{name: True for name, yes in flags.items() if yes}, first=first, percent=percent).sent()
        return await self._command(batch, "start", body or None)

    async def continue_batch(self, batch: str) -> CommandedBatch:
        """Let the rest begin of a batch of which only a part was started."""
        return await self._command(batch, "continue", once=True)

    async def diagnosis(self, batch: str) -> Diagnosis:
        """What is wrong with a batch, and the commands that put it right."""
        return await self._get(Diagnosis, f"/v1/batches/{batch}/diagnosis")

    async def forecast(self, batch: str) -> Forecast:
        """What the batch will send, and when it will have sent it at today's rate."""
        return await self._get(Forecast, f"/v1/batches/{batch}/forecast")

    async def pause(self, batch: str) -> CommandedBatch:
        """Stop sending; ``in_flight`` of the answer is the number of calls that end on their own."""
        return await self._command(batch, "pause")

    async def resume(self, batch: str) -> CommandedBatch:
        return await self._command(batch, "resume", once=True)

    async def cancel(self, batch: str) -> CommandedBatch:
        """End the batch; ``in_flight`` of the answer is the number of calls that end on their own."""
        return await self._command(batch, "cancel")

    async def delete_batch(self, batch: str) -> Removed:
        """Delete a batch that has ended, with all that is stored of it; ``removed`` is 0 when there is none."""
        return await self._delete(f"/v1/batches/{batch}")

    async def rerun(self, batch: str, new: NewRerun, *, key: str = "") -> Batch:
        """A new batch of jobs of an old one, with what was wrong put right."""
        return await self._create(Batch, f"/v1/batches/{batch}/rerun", new.sent(), key)

    async def rerun_batches(self, new: NewReruns, *, key: str = "") -> RerunBatches:
        """New batches of jobs of several batches: one of all that send the same."""
        return await self._create(RerunBatches, "/v1/reruns", new.sent(), key)

    async def preview_rerun(self, batch: str, new: NewRerun, *, progress: Share = no_share) -> RerunPreview:
        """What a rerun would do; nothing is created. ``progress`` is told the share of the jobs that were counted."""
        return await self._previewed(f"/v1/batches/{batch}/rerun", new, progress)

    async def preview_reruns(self, new: NewReruns, *, progress: Share = no_share) -> RerunPreview:
        """What a rerun of several batches would do."""
        return await self._previewed("/v1/reruns", new, progress)

    async def _previewed(self, path: str, new: NewRerun, progress: Share) -> RerunPreview:
        asked = new.model_copy(update={"preview": True})
        body = asked.sent() | {"preview": True}
        preview = self._read(RerunPreview, await self._transport.call("POST", path, json=body))
        while not preview.complete:
            progress(preview.progress)
            preview = await self._get(RerunPreview, f"/v1/rerun-previews/{preview.id}")
        return preview

    async def report(self, batch: str, path: Path, *, progress: LineProgress = no_progress) -> int:
        """Write the report (CSV, one line per line of the upload) to ``path``; returns its bytes."""
        return await self._transport.save(f"/v1/batches/{batch}/report", path, progress)

    async def wait(self, batch: str, *, timeout_s: float | None = None, every_s: float = _LOOK_S) -> Batch:
        """Wait until a batch sends nothing more by itself: it has ended, or all that is left needs ``continue_batch``.

        Raises TimedOut after ``timeout_s`` seconds, and BadInput for a draft, which somebody has to start.
        """
        end_s = None if timeout_s is None else monotonic() + timeout_s
        while True:
            seen = await self.batch(batch)
            if seen.at_rest:
                return seen
            if seen.state == "draft":
                raise BadInput(f"batch {batch} is a draft: start it, then wait for it")
            if end_s is not None and monotonic() + every_s > end_s:
                raise TimedOut(seen)
            await async_sleep(every_s)

    async def cancel_jobs(self, batch: str, named: CancelJobs) -> CancelledJobs:
        """Cancel single jobs, or with ``preview`` count them. Of a large batch, several requests are made."""
        jobs = in_flight = 0
        after: str | None = ""
        while after is not None:
            asked = named.model_copy(update={"after": after})
            body = asked.sent() | {"after": after}
            answer = await self._transport.call("POST", f"/v1/batches/{batch}/jobs/cancel", json=body)
            part = self._read(CancelledJobs, answer)
            jobs, in_flight, after = (jobs + part.jobs, in_flight + part.in_flight, part.next)
        return part.model_copy(update={"jobs": jobs, "in_flight": in_flight})

    async def jobs_page(
        self,
        batch: str,
        *,
        state: str | Sequence[str] = (),
        category: str | Sequence[str] = (),
        reference: str = "",
        number: str = "",
        after: str = "",
        limit: int = _PAGE,
    ) -> JobPage:
        """One page of the jobs that match all filters given, in the order of their rows."""
        query = {"state": state, "category": category, "reference": reference, "number": number}
        return await self._get(JobPage, f"/v1/batches/{batch}/jobs", after=after, limit=limit, **query)

    async def jobs(
        self,
        batch: str,
        *,
        state: str | Sequence[str] = (),
        category: str | Sequence[str] = (),
        reference: str = "",
        number: str = "",
    ) -> AsyncIterator[Job]:
        """All jobs that match, page by page, as in ``jobs_page``."""
        filters = {"state": state, "category": category, "reference": reference, "number": number}
        path = f"/v1/batches/{batch}/jobs"
        async for page in self._pages(lambda after: self._get(JobPage, path, after=after, limit=_PAGE, **filters)):
            for item in page.jobs:
                yield item

    async def look_up_page(
        self,
        *,
        number: str = "",
        reference: str = "",
        state: str | Sequence[str] = (),
        since: datetime | str = "",
        after: str = "",
        limit: int = _LOOKUP_PAGE,
    ) -> LookupPage:
        """One page of the jobs of all batches to a number or of a reference, newest first."""
        changed = since.isoformat() if isinstance(since, datetime) else since
        query = {"number": number, "reference": reference, "state": state, "since": changed, "after": after}
        return await self._get(LookupPage, "/v1/jobs", limit=limit, **query)

    async def look_up(
        self, *, number: str = "", reference: str = "", state: str | Sequence[str] = (), since: datetime | str = ""
    ) -> AsyncIterator[Job]:
        """All jobs of all batches that match, page by page, as in ``look_up_page``."""
        async for page in self._pages(
            lambda after: self.look_up_page(number=number, reference=reference, state=state, since=since, after=after)
        ):
            for item in page.jobs:
                yield item

    async def job(self, job: str) -> JobStory:
        """One job with its history and what it waits for."""
        return await self._get(JobStory, f"/v1/jobs/{job}")

    async def refused_page(self, batch: str, *, after: str = "", limit: int = _PAGE) -> RefusedPage:
        return await self._get(RefusedPage, f"/v1/batches/{batch}/refused", after=after, limit=limit)

    async def refused(self, batch: str) -> AsyncIterator[RefusedRow]:
        """All lines that became no job, page by page."""
        async for page in self._pages(lambda after: self.refused_page(batch, after=after)):
            for item in page.refused:
                yield item

    async def send_fax(self, new: NewFax, *, key: str = "") -> Job:
        """Send one fax at once, before the bulk work."""
        return await self._create(Job, "/v1/faxes", new.sent(), key)

    async def fax(self, fax: str) -> JobStory:
        """A single fax with its history, by the id of its job or of its batch."""
        return await self._get(JobStory, f"/v1/faxes/{fax}")

    async def suppressions_page(
        self, *, source: str = "", batch: str = "", after: str = "", limit: int = _PAGE
    ) -> SuppressionPage:
        """One page of the do-not-fax list, by number."""
        return await self._get(
            SuppressionPage, "/v1/suppressions", source=source, batch=batch, after=after, limit=limit
        )

    async def suppressions(self, *, source: str = "", batch: str = "") -> AsyncIterator[Suppression]:
        """All numbers that must not be faxed, of a source or proved by jobs of a batch, page by page."""
        async for page in self._pages(lambda after: self.suppressions_page(source=source, batch=batch, after=after)):
            for item in page.suppressions:
                yield item

    async def suppression(self, number: str) -> Suppression:
        """The entry of a number, in any form."""
        return await self._get(Suppression, f"/v1/suppressions/{quote(number, safe='')}")

    async def suppress(self, new: NewSuppression) -> Suppression:
        """Put a number on the do-not-fax list, or edit its entry."""
        return self._read(Suppression, await self._transport.call("POST", "/v1/suppressions", json=new.sent()))

    async def unsuppress(self, number: str) -> Removed:
        """Take a number off the list; ``removed`` is 0 when it was not on it."""
        return await self._delete(f"/v1/suppressions/{quote(number, safe='')}")

    async def unsuppress_all(self, source: str, *, batch: str = "") -> Removed:
        """Take all numbers of a source off the list, or only those that jobs of a batch proved."""
        params, removed, more = ({"source": source} | ({"batch": batch} if batch else {}), 0, True)
        while more:
            answer = await self._delete("/v1/suppressions", params)
            removed, more = (removed + answer.removed, answer.more)
        return Removed(removed=removed)

    async def import_suppressions(
        self, numbers: Path | bytes, *, source: str = "import", country: str = "", progress: Progress = no_progress
    ) -> SuppressionImport:
        """Put the numbers of a CSV file on the list."""
        query = urlencode({"source": source, "country": country})
        content = stored_content(numbers, CSV)
        headers = {"Content-Type": content.kind}
        answer = await self._transport.upload(f"/v1/suppressions/import?{query}", headers, content, progress)
        return self._read(SuppressionImport, answer)

    async def export_suppressions(self, path: Path, *, progress: LineProgress = no_progress) -> int:
        """Write the whole list to ``path`` as CSV; returns its bytes."""
        return await self._transport.save("/v1/suppressions/export", path, progress)

    async def events_page(
        self, *, types: Sequence[str] = (), batch: str = "", after: str = "", limit: int = _PAGE
    ) -> EventPage:
        """One page of events behind an id. Pass ``next`` as ``after`` for the next page, and for the next poll."""
        return await self._get(EventPage, "/v1/events", type=list(types) or None, batch=batch, after=after, limit=limit)

    async def events(self, *, types: Sequence[str] = (), batch: str = "", after: str = "") -> AsyncIterator[Event]:
        """All events behind an id that have happened by now, page by page."""
        while True:
            page = await self.events_page(types=types, batch=batch, after=after)
            for item in page.events:
                yield item
            if not page.more:
                return
            after = page.next

    async def create_webhook_endpoint(self, new: NewWebhookEndpoint, *, key: str = "") -> WebhookEndpointSecret:
        """Create an endpoint, which gets the events from now on. Keep its ``secret``: it is not shown again."""
        return await self._create(WebhookEndpointSecret, "/v1/webhook-endpoints", new.sent(), key)

    async def webhook_endpoints(self) -> WebhookEndpoints:
        """All endpoints, the oldest first."""
        return await self._get(WebhookEndpoints, "/v1/webhook-endpoints")

    async def webhook_endpoint(self, endpoint: str) -> WebhookEndpoint:
        """An endpoint, how far it is, and why it is disabled."""
        return await self._get(WebhookEndpoint, endpoint_path(endpoint))

    async def change_webhook_endpoint(self, endpoint: str, change: ChangeWebhookEndpoint) -> WebhookEndpoint:
        """Change an endpoint, or enable it again."""
        answer = await self._transport.call("PATCH", endpoint_path(endpoint), json=change.sent())
        return self._read(WebhookEndpoint, answer)

    async def rotate_webhook_secret(self, endpoint: str) -> WebhookEndpointSecret:
        """Give an endpoint a new secret. The present one signs for a day as well."""
        answer = await self._transport.call("POST", f"{endpoint_path(endpoint)}/rotate-secret", once=True)
        return self._read(WebhookEndpointSecret, answer)

    async def delete_webhook_endpoint(self, endpoint: str) -> Removed:
        """Delete an endpoint; ``removed`` is 0 when there is none (any more)."""
        return await self._delete(endpoint_path(endpoint))

    async def webhook_deliveries_page(
        self, endpoint: str, *, after: str = "", limit: int = _PAGE
    ) -> WebhookDeliveryPage:
        """One page of the attempts to deliver to an endpoint, newest first."""
        path = f"{endpoint_path(endpoint)}/deliveries"
        return await self._get(WebhookDeliveryPage, path, after=after, limit=limit)

    async def replay_webhook_events(self, endpoint: str, replay: Replay) -> WebhookEndpoint:
        """Let an endpoint get events again, as far as they are kept."""
        answer = await self._transport.call("POST", f"{endpoint_path(endpoint)}/replay", json=replay.sent())
        return self._read(WebhookEndpoint, answer)

    async def explanation(self, error_type: str, error_code: int) -> Explanation:
        """What happens after a failure under the policy of the server."""
        return await self._get(Explanation, "/v1/policy/explanation", error_type=error_type, error_code=error_code)

    async def status(self) -> Status:
        """All that runs: account, holds, processes, provider, and batches that have not ended."""
        return await self._get(Status, "/v1/status")

    async def account(self) -> Account:
        return await self._get(Account, "/v1/account")

    async def set_rate(
        self, *, per_second: float | None = None, per_minute: int | None = None, per_day: int | None = None
    ) -> Account:
        """Change limits of the account at once, above the settings; None: as it is, 0 for a minute or day: none."""
        rate = Rate(per_second=per_second, per_minute=per_minute, per_day=per_day)
        return self._read(Account, await self._transport.call("PATCH", "/v1/account/rate", json=rate.sent()))

    async def reset_rate(self) -> Account:
        """Return to the limits of the settings."""
        return self._read(Account, await self._transport.call("DELETE", "/v1/account/rate"))

    async def unblock(self) -> Account:
        """End the wait that the provider asked for; without one nothing changes."""
        return self._read(Account, await self._transport.call("POST", "/v1/account/unblock", once=True))

    async def resume_account(self, *, accept_rollback: bool) -> Account:
        """Accept that Redis has lost writes: sending goes on once the provider's faxes are reconciled."""
        body = Resume(accept_rollback=accept_rollback).sent()
        return self._read(Account, await self._transport.call("POST", "/v1/account/resume", once=True, json=body))

    async def holds_page(
        self, *, categories: Sequence[str] = (), batch: str = "", fold: bool = True, after: str = "", limit: int = _PAGE
    ) -> HoldPage:
        """One page of the holds, the widest first. ``fold``: jobs of one batch and category are one entry."""
        query = {"category": list(categories) or None, "batch": batch, "fold": str(fold).lower(), "after": after}
        return await self._get(HoldPage, "/v1/holds", limit=limit, **query)

    async def holds(self, *, categories: Sequence[str] = (), batch: str = "", fold: bool = True) -> AsyncIterator[Hold]:
        """All holds that match, page by page, as in ``holds_page``."""
        async for page in self._pages(
            lambda after: self.holds_page(categories=categories, batch=batch, fold=fold, after=after)
        ):
            for item in page.holds:
                yield item

    async def release_hold(self, scope: str) -> Removed:
        """Let a held scope send again without waiting for its probe; ``removed`` is 0 when it is not held."""
        return await self._delete(f"/v1/account/holds/{quote(scope, safe='')}", once=True)

    async def release_holds(
        self, *, category: str = "", batch: str = "", everything: bool = False, dry_run: bool = False
    ) -> ReleasedHolds:
        """Release the holds of a category, of a batch and its jobs, or all. A dry run only says which these are."""
        named = {"category": category, "batch": batch, "all": everything, "dry_run": dry_run}
        body = ReleaseHolds(**{name: value for name, value in named.items() if value}).sent()
        released = 0
        while True:
            part = self._read(
                ReleasedHolds,
                await self._transport.call("POST", "/v1/account/holds/release", once=not dry_run, json=body),
            )
            released += part.released
            if not part.more:
                return part.model_copy(update={"released": released})

    async def alive(self) -> None:
        """Returns when the API process answers; it does not look at Redis."""
        await self._transport.call("GET", "/healthz")

    async def receiver(self) -> None:
        """Returns when the receiver of the provider's callbacks answers at this address.

        It is asked with a method that it refuses, so that nothing is counted as a callback.
        """
        try:
            await self._transport.call("GET", "/callbacks/sinch/incoming")
        except ApiError as error:
            if error.problem.status != httpx.codes.METHOD_NOT_ALLOWED:
                raise

    async def ready(self) -> Readiness:
        """Whether the API can work, and why not. Raises NotReachable when it does not run."""
        try:
            await self._transport.call("GET", "/readyz")
        except Unavailable as error:
            return Readiness(ready=False, reason=str(error))
        return Readiness(ready=True)

    async def _command(
        self, batch: str, verb: str, body: dict[str, Any] | None = None, *, once: bool = False
    ) -> CommandedBatch:
        path = f"/v1/batches/{batch}/{verb}"
        return self._read(CommandedBatch, await self._transport.call("POST", path, once=once, json=body))

    async def _delete(self, path: str, query: dict[str, str] | None = None, *, once: bool = False) -> Removed:
        return self._read(Removed, await self._transport.call("DELETE", path, once=once, params=query))

    async def _create(self, model: type[Model], path: str, body: Any, key: str) -> Model:
        return self._read(model, await self._transport.call("POST", path, key=key or new_key(), json=body))

    async def _get(self, model: type[Model], path: str, **query: object) -> Model:
        params = {name: value for name, value in query.items() if value not in ("", None, (), [])}
        return self._read(model, await self._transport.call("GET", path, params=params))

    async def _pages(self, fetch: AsyncFetching[Page]) -> AsyncIterator[Page]:
        """Yield pages up to the last one. ``fetch`` gets the one after a cursor."""
        after: str | None = ""
        while after is not None:
            page = await fetch(after)
            yield page
            after = page.next

    def _read(self, model: type[Model], answer: Any) -> Model:
        return model_of(model, answer, self.url)
