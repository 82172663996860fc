"""Converts between the models of the API and the values of the service."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from dispatcher.core.batch import Control, Definition, Priority, Tally
from dispatcher.core.batch_change import BatchChange
from dispatcher.core.batch_events import EventType
from dispatcher.core.counted import share_of
from dispatcher.core.diagnosis import BatchFinding
from dispatcher.core.forecast import MailingPrice
from dispatcher.core.job import FINAL, JOB_STATES, HistoryEntry, RefusedRow, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.limits.allowance import Period
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.options import FaxOptions
from dispatcher.core.prices import amount_text, cost_of, cost_texts
from dispatcher.core.progress import Wait
from dispatcher.core.rerun import Overrides
from dispatcher.core.suppressions import Suppression
from dispatcher.core.times import in_range, to_ms
from dispatcher.core.webhooks import Endpoint
from dispatcher.recipients.columns.options import ColumnOptions
from dispatcher.recipients.read_rows import RowReader
from dispatcher.schema import requests, responses
from dispatcher.service.account import AccountView, Limit, ReleasedHolds
from dispatcher.service.changes import ChangedBatch
from dispatcher.service.diagnosis import Diagnosis
from dispatcher.service.documents import DocumentInfo, DocumentWarning
from dispatcher.service.events import EventPage
from dispatcher.service.forecast import Forecast
from dispatcher.service.holds import HoldPage, hold_lines, widest_first
from dispatcher.service.jobs import JobPage, RefusedPage
from dispatcher.service.lookup import LookupPage
from dispatcher.service.mailings import Allowed
from dispatcher.service.progress import BatchProgress
from dispatcher.service.repeats import Earlier
from dispatcher.service.rerun_preview import GroupPreview, RerunPreview
from dispatcher.service.rollback import RollbackView, UnknownFax
from dispatcher.service.status import StatusView
from dispatcher.service.suppressions import SuppressionPage
from dispatcher.service.trial import Trial
from dispatcher.service.uploads import UploadAnswer
from dispatcher.service.views import BatchView, Hold, JobStory, JobView, UnreadableBatch
from dispatcher.service.webhooks import DeliveryPage, DeliveryRecord, EndpointChange, EndpointView

Model = TypeVar("Model", bound=responses.Response)
Number = TypeVar("Number", int, float)

#: released holds that an answer names
_HOLDS_SHOWN = 100
#: job states by their names in the API
STATES: Mapping[str, State] = {state.label: state for state in JOB_STATES}
FINAL_STATES: Mapping[str, State] = {state.label: state for state in FINAL}


def batch_definition(body: requests.NewBatch, default_country: str) -> Definition:
    """Return the definition of a new batch; the service sets its id and the time of its creation."""
    return _definition(
        body,
        name=body.name,
        priority=Priority(body.priority),
        weight=body.weight,
        max_per_second=body.max_per_second or 0.0,
        default_country=body.default_country or default_country,
        start_at_ms=ms(body.start_at),
    )


def fax_definition(body: requests.NewFax, default_country: str) -> Definition:
    """Return the definition of the urgent batch that a single fax is sent as."""
    name = f"fax {body.reference}" if body.reference else "single fax"
    return _definition(body, name=name, priority=Priority.URGENT, default_country=body.country or default_country)


def forecast(seen: Forecast, allowed: Allowed) -> responses.Forecast:
    """Return the public form of a forecast, for a request whose key allows something already."""
    overview, outlook, earlier = seen.overview, seen.outlook, seen.earlier
    needs = {"allow_warnings": seen.warned and not allowed.warnings, "allow_repeat": earlier is not None}
    return responses.Forecast(
        batch=overview.definition.id,
        recipients=overview.rows,
        countries=dict(sorted(seen.countries.items(), key=lambda item: (-item[1], item[0]))),
        lines=overview.lines,
        refused=overview.refused,
        refused_reasons=overview.refused_reasons,
        duplicates=overview.duplicates,
        opted_out=overview.opted_out,
        suppressed=overview.suppressed,
        pages=outlook.pages,
        pages_total=None if outlook.pages is None else outlook.pages * overview.rows,
        unchecked_urls=overview.definition.content_urls,
        sending_s=outlook.sending_s,
        sending_minutes=None if outlook.sending_s is None else round(outlook.sending_s * overview.rows / 60, 1),
        warnings=tuple(_warning(warning) for document in outlook.documents for warning in document.warnings),
        repeats=_repeat(earlier),
        start_needs=tuple(name for name, needed in needs.items() if needed),
        price=seen.price and _price(seen.price),
        jobs=outlook.jobs,
        other_jobs=outlook.other_jobs,
        rate=outlook.rate,
        starts_at=_time(outlook.starts_ms) if outlook.jobs else None,
        finishes_at=_time(outlook.finishes_ms),
        limited_by=outlook.limited_by,
    )


def rerun_preview(seen: RerunPreview) -> responses.RerunPreview:
    new_batches = tuple(map(_rerun, seen.groups))
    return responses.RerunPreview(
        id=seen.id or None,
        complete=seen.complete,
        progress=share_of(seen.blocks_done, seen.blocks) if seen.blocks else 1.0,
        jobs=sum(group.jobs for group in new_batches),
        pages_total=_sum(group.pages_total for group in new_batches),
        sending_minutes=_sum(group.sending_minutes for group in new_batches),
        new_batches=new_batches,
    )


def _sum(values: Iterable[Number | None]) -> Number | None:
    """Return the sum; None if one of the values is not known."""
    total: Any = 0
    for value in values:
        if value is None:
            return None
        total += value
    return cast(Number, total)


def _repeat(earlier: Earlier | None) -> responses.Repeat | None:
    if earlier is None:
        return None
    return responses.Repeat(batch=earlier.batch, shared=earlier.overlap.shared, sentence=earlier.sentence())


def _rerun(seen: GroupPreview) -> responses.Rerun:
    definition, outlook = seen.group.definition, seen.outlook
    return responses.Rerun(
        batches=definition.parents,
        name=definition.name,
        jobs=seen.jobs,
        countries=dict(sorted(seen.countries.items(), key=lambda item: (-item[1], item[0]))),
        left_out=dict(sorted(seen.left_out.items(), key=lambda item: (-item[1], item[0]))),
        estimated=seen.estimated,
        pages=outlook.pages,
        pages_total=None if outlook.pages is None else outlook.pages * seen.jobs,
        sending_minutes=None if outlook.sending_s is None else round(outlook.sending_s * seen.jobs / 60, 1),
        price=seen.price and _price(seen.price),
        rate=outlook.rate,
        starts_at=_time(outlook.starts_ms) if seen.jobs else None,
        finishes_at=_time(outlook.finishes_ms),
        limited_by=outlook.limited_by,
        repeats=_repeat(seen.earlier),
    )


def job_filter(body: requests.JobFilter, states: Iterable[str], numbers: Iterable[str]) -> JobFilter:
    """Return the filter of a request. ``numbers`` are its numbers in E.164."""
    return JobFilter(
        states=frozenset(STATES[name] for name in states),
        categories=frozenset(body.categories),
        error_types=frozenset(body.error_types),
        error_codes=frozenset(body.error_codes),
        countries=frozenset(body.countries),
        prefixes=body.prefixes,
        numbers=frozenset(numbers),
        references=frozenset(body.references),
        since_ms=ms(body.since),
        until_ms=ms(body.until),
        min_attempts=body.min_attempts,
        max_attempts=body.max_attempts,
    )


def batch_change(body: requests.ChangeBatch) -> BatchChange:
    """Return the new values of a request. A field that is null has the value that it has by default."""
    fields: dict[str, Any] = {}
    for name in body.changes - {"options"}:
        value = getattr(body, name)
        if name in ("start_at", "deadline"):
            fields[f"{name}_ms"] = ms(value)
        elif name == "priority":
            fields[name] = Priority(value or Priority.BULK)
        else:
            fields[name] = _DEFAULTS[name] if value is None else value
    return BatchChange(fields=fields, options=_changed_options(body) if "options" in body.changes else {})


#: values of the fields of a definition that a request may set to null
_DEFAULTS: Mapping[str, object] = {
    "documents": (),
    "content_urls": (),
    "on_partial": "",
    "weight": 1,
    "max_per_second": 0.0,
    "metadata": {},
}


def _changed_options(body: requests.ChangeBatch) -> dict[str, Any]:
    defaults = {item.name: getattr(FaxOptions(), item.name) for item in dataclasses.fields(FaxOptions)}
    if body.options is None:
        return defaults
    values = {name: getattr(body.options, name) for name in body.options.model_fields_set}
    return {name: defaults[name] if value is None else value for name, value in values.items()}


def overrides(body: requests.Overrides) -> Overrides:
    return Overrides(
        name=body.name or "",
        documents=body.documents,
        content_urls=body.content_urls,
        options=body.options.model_dump(exclude_none=True, exclude_unset=True),
        on_partial=body.on_partial,
        priority=Priority(body.priority) if body.priority else None,
        weight=body.weight,
        max_per_second=body.max_per_second,
        metadata=body.metadata,
        start_at_ms=ms(body.start_at),
        deadline_ms=ms(body.deadline),
    )


def _price(price: MailingPrice) -> responses.Price:
    return responses.Price(
        amount=f"{price.amount:.2f}",
        currency=price.currency or None,
        unpriced=price.unpriced,
        estimated=price.estimated,
    )


def _definition(body: requests.Content, **values: Any) -> Definition:
    return Definition(
        id="",
        created_ms=0,
        documents=body.documents,
        content_urls=body.content_urls,
        options=FaxOptions(**body.options.model_dump(exclude_none=True)),
        on_partial=body.on_partial or "",
        deadline_ms=ms(body.deadline),
        ignore_dead_numbers=body.ignore_dead_numbers,
        job_events=body.job_events,
        metadata=body.metadata,
        **values,
    )


def limits(body: requests.Rate) -> dict[Period, float]:
    """Return the limits that the request contains, by period."""
    return {Period(name.removeprefix("per_")): value for name, value in body.limits().items()}


def batch(view: BatchView, seen: BatchProgress) -> responses.Batch:
    return _batch(responses.Batch, view, seen)


def listed_batch(view: BatchView | UnreadableBatch, seen: BatchProgress | None) -> responses.Batch:
    if isinstance(view, UnreadableBatch) or seen is None:
        return responses.Batch(id=view.id, state="unreadable")
    return batch(view, seen)


def commanded_batch(view: BatchView, in_flight: int, seen: BatchProgress) -> responses.CommandedBatch:
    return _batch(responses.CommandedBatch, view, seen, in_flight=in_flight, not_checked=view.definition.content_urls)


def changed_batch(changed: ChangedBatch, seen: BatchProgress, *, dry_run: bool) -> responses.ChangedBatch:
    return _batch(
        responses.ChangedBatch,
        changed.batch,
        seen,
        changed=tuple(map(_field_name, changed.fields)),
        ended_holds=[hold(item) for item in changed.ended],
        in_flight=changed.sending + changed.accepted,
        not_checked=changed.batch.definition.content_urls,
        dry_run=dry_run,
    )


def _field_name(name: str) -> str:
    """Return the name of a field of a definition in the API."""
    group, dot, option = name.partition(".")
    if dot:
        return f"{group}.{requests.Options.model_fields[option].alias or option}"
    return name.removesuffix("_ms")


def _batch(model: type[Model], view: BatchView, seen: BatchProgress, **values: Any) -> Model:
    overview, definition = view.overview, view.definition
    return _from_sources(
        model,
        (overview, definition),
        state=view.state.value,
        created_at=_time(definition.created_ms),
        started_at=_time(overview.started_ms),
        finished_at=_time(overview.finished_ms),
        expired_because=_expired_because(view),
        start_at=_time(definition.start_at_ms),
        deadline=_time(definition.deadline_ms),
        parent=definition.parent or None,
        parents=definition.parents or tuple(filter(None, [definition.parent])),
        reason=definition.reason or None,
        max_per_second=definition.max_per_second or None,
        deleted=tuple(sorted(view.deleted)),
        options=requests.api_options(definition.options),
        on_partial=definition.on_partial or None,
        counts={state.label: overview.tally.by_state.get(state, 0) for state in JOB_STATES},
        categories=_final_counts_by_category(overview.tally),
        holds=[hold(item) for item in view.holds],
        held_jobs=dict(sorted(overview.held_jobs.items(), key=lambda item: (-item[1], item[0]))),
        limited_by=seen.limited_by,
        progress=share_of(overview.tally.final, overview.rows) if overview.rows else None,
        rate_now=None if seen.rate is None else round(seen.rate, 2),
        eta=_time(seen.end.at_ms) if seen.end else None,
        eta_basis=seen.end.basis.value if seen.end else None,
        waits=None if seen.waits is None else tuple(map(_wait, seen.waits)),
        cost=cost_texts(overview.costs),
        **values,
    )


def _wait(wait: Wait) -> responses.Wait:
    return _from_sources(responses.Wait, (wait,), next_at=_time(wait.next_ms), last_at=_time(wait.last_ms))


def _expired_because(view: BatchView) -> str | None:
    if view.overview.control is not Control.EXPIRED:
        return None
    return "not_started" if view.overview.draft_ended_ms else "deadline"


def _final_counts_by_category(tally: Tally) -> dict[str, dict[str, int]]:
    """Return the number of final jobs by state and category."""
    categories: dict[str, dict[str, int]] = {}
    for (state, category), jobs in tally.by_category.items():
        if state.final and category and jobs:
            categories.setdefault(state.label, {})[category] = jobs
    return categories


def hold(view: Hold, batch: str = "", jobs: int = 0) -> responses.Hold:
    """Return the public form of a hold, or of those of several jobs of a batch."""
    times = {"since": _time(view.since_ms), "probe_at": _time(view.probe_at_ms)}
    return _from_sources(responses.Hold, (view,), batch=batch or None, jobs=jobs or None, **times)


def hold_page(page: HoldPage) -> responses.HoldPage:
    lines = tuple(hold(line.hold, line.batch, line.jobs) for line in page.lines)
    return responses.HoldPage(holds=lines, total=page.total, next=page.cursor or None)


def diagnosis(seen: Diagnosis) -> responses.Diagnosis:
    return responses.Diagnosis(
        batch=seen.batch.id,
        state=seen.batch.state.value,
        limited_by=seen.limited_by,
        findings=tuple(map(_finding, seen.findings)),
        looked_at=seen.looked_at,
    )


def _finding(finding: BatchFinding) -> responses.Finding:
    return _from_sources(
        responses.Finding,
        (finding,),
        share=round(finding.share, 4),
        since=_time(finding.since_ms),
        until=_time(finding.until_ms),
    )


def released_holds(done: ReleasedHolds, *, dry_run: bool) -> responses.ReleasedHolds:
    lines = widest_first(hold_lines(done.holds, fold=True))[:_HOLDS_SHOWN]
    shown = tuple(hold(line.hold, line.batch, line.jobs) for line in lines)
    return responses.ReleasedHolds(
        released=len(done.holds), holds=shown, kept=done.kept, dry_run=dry_run, more=done.more
    )


def upload(answer: UploadAnswer, rows: RowReader) -> responses.Upload:
    sample = tuple(map(_refused_row, answer.sample))
    return _from_sources(
        responses.Upload,
        (answer,),
        upload=answer.key,
        refused_sample=sample,
        columns=_used_columns(rows),
        dry_run=False,
        first_rows=(),
    )


def dry_run(trial: Trial, rows: RowReader) -> responses.Upload:
    return responses.Upload(
        upload=None,
        lines=trial.accepted + trial.refused + trial.opted_out + trial.suppressed + trial.duplicates,
        accepted=trial.accepted,
        refused=trial.refused,
        opted_out=trial.opted_out,
        suppressed=trial.suppressed,
        duplicates=trial.duplicates,
        refused_sample=tuple(map(_refused_row, trial.sample)),
        columns=_used_columns(rows),
        dry_run=True,
        first_rows=tuple(
            responses.FirstRow(line=row.line, number=row.number, region=row.region, reference=row.reference or None)
            for row in trial.first_rows
        ),
    )


def _used_columns(rows: RowReader) -> responses.UsedColumns:
    names = {role.value: ", ".join(columns) or None for role, columns in rows.columns.items()}
    return responses.UsedColumns(**names, assumed_country=rows.home or None, assumed_rows=rows.assumed)


def column_options(options: requests.ListOptions) -> ColumnOptions:
    return ColumnOptions(
        number=options.number_column,
        country=options.country_column,
        area_code=options.area_code_column,
        reference=options.reference_column,
        opt_out=options.opt_out_column,
        consent=options.consent_column,
        no_country=options.no_country,
    )


def refused_page(page: RefusedPage) -> responses.RefusedPage:
    return responses.RefusedPage(refused=tuple(map(_refused_row, page.rows)), next=cursor(page.next_row))


def _refused_row(row: RefusedRow) -> responses.RefusedRow:
    return _from_sources(responses.RefusedRow, (row,))


def suppression(entry: Suppression, now_ms: int) -> responses.Suppression:
    return _from_sources(
        responses.Suppression,
        (entry,),
        source=entry.source.value,
        job=entry.job or None,
        added_at=_time(entry.added_ms),
        expires_at=_time(entry.expires_ms),
        active=entry.is_active(now_ms),
    )


def suppression_page(page: SuppressionPage, now_ms: int) -> responses.SuppressionPage:
    entries = tuple(suppression(entry, now_ms) for entry in page.entries)
    return responses.SuppressionPage(suppressions=entries, next=page.next_number or None)


def suppression_import(
    accepted: int, added: int, refused: int, sample: Sequence[RefusedRow], left_out: int
) -> responses.SuppressionImport:
    return responses.SuppressionImport(
        accepted=accepted,
        added=added,
        refused=refused,
        left_out=left_out,
        refused_sample=tuple(map(_refused_row, sample)),
    )


def account(
    view: AccountView, limited_by: LimitedBy | None, rollback: RollbackView | None, max_open_drafts: int
) -> responses.Account:
    return _from_sources(
        responses.Account,
        (view,),
        limited_by=limited_by,
        rate_per_second=view.ceiling,
        rate_now=view.rate,
        limits=[_limit(limit) for limit in view.limits],
        blocked_until=_time(view.blocked_until_ms),
        blocked_by=view.blocked_by or None,
        used_ratio=round(view.used_ratio, 4),
        max_open_drafts=max_open_drafts,
        holds=hold_page(view.holds).holds,
        holds_total=view.holds.total,
        rollback=_rollback(rollback) if rollback else None,
    )


def status(view: StatusView, account: responses.Account, seen: Mapping[str, BatchProgress]) -> responses.Status:
    return responses.Status(
        account=account,
        scheduler_alive=view.scheduler_alive,
        scheduler_seen_at=_time(view.scheduler_seen_ms),
        workers_alive=view.workers_alive,
        worker_seen_at=_time(view.worker_seen_ms),
        provider=view.provider,
        provider_answered_at=_time(view.provider_answered_ms),
        batches=tuple(batch(shown, seen[shown.id]) for shown in view.batches),
        more=view.more,
    )


def _limit(view: Limit) -> responses.Limit:
    return _from_sources(responses.Limit, (view,), per=view.period.value)


def _rollback(view: RollbackView) -> responses.Rollback:
    rollback = view.rollback
    return _from_sources(
        responses.Rollback,
        (rollback,),
        noticed_at=_time(rollback.noticed_ms),
        since=_time(rollback.since_ms),
        ready_at=_time(view.ready_ms),
        reconciled_at=_time(rollback.reconciled_ms),
        accepted_at=_time(rollback.accepted_ms),
        resumed_at=_time(rollback.resumed_ms),
        unknown_faxes=[_unknown_fax(fax) for fax in view.unknown],
    )


def _unknown_fax(fax: UnknownFax) -> responses.UnknownFax:
    return _from_sources(responses.UnknownFax, (fax,), created_at=_time(fax.created_ms))


def document(info: DocumentInfo) -> responses.Document:
    warnings = tuple(map(_warning, info.warnings))
    return _from_sources(
        responses.Document, (info,), id=info.sha256, warnings=warnings, sending_s=info.sending_s or None
    )


def _warning(warning: DocumentWarning) -> responses.DocumentWarning:
    return _from_sources(responses.DocumentWarning, (warning,), page=warning.page or None)


def job(view: JobView) -> responses.Job:
    return _job(responses.Job, view)


def job_page(page: JobPage) -> responses.JobPage:
    return responses.JobPage(jobs=tuple(map(job, page.jobs)), next=cursor(page.next_row))


def lookup_page(page: LookupPage) -> responses.LookupPage:
    return responses.LookupPage(jobs=tuple(map(job, page.jobs)), next=page.cursor or None)


def job_story(story: JobStory) -> responses.JobStory:
    history = [_history_entry(entry, story.versions.get(entry.attempt, 1)) for entry in story.history]
    return _job(
        responses.JobStory,
        story.job,
        history=history,
        explanation=story.explanation,
        version=story.versions.get(story.job.record.attempt),
        cost=cost_of(story.job.record, story.history),
        metadata=story.metadata,
    )


def _job(model: type[Model], view: JobView, **values: Any) -> Model:
    record = view.record
    return _from_sources(
        model,
        (view.id, view.recipient, record, record.failure, record.counters),
        id=str(view.id),
        state=record.state.label,
        price=_fax_price(record.price, record.currency),
        line=view.recipient.line or None,
        error_code=record.failure.error_code or None,
        pages_total=record.pages_total or None,
        changed_at=_time(record.changed_ms),
        next_at=_time(view.next_ms),
        **values,
    )


def _history_entry(entry: HistoryEntry, version: int) -> responses.HistoryEntry:
    times = {"at": _time(entry.at_ms), "created_at": _time(entry.created_ms), "ended_at": _time(entry.ended_ms)}
    price = _fax_price(entry.price, entry.currency)
    numbers = {"error_code": entry.failure.error_code or None, "pages_total": entry.pages_total or None}
    return _from_sources(
        responses.HistoryEntry, (entry, entry.failure), version=version, price=price, **times, **numbers
    )


def _fax_price(price: int, currency: str) -> responses.FaxPrice | None:
    return responses.FaxPrice(amount=amount_text(price), currency=currency) if currency else None


def event_page(page: EventPage) -> responses.EventPage:
    events = tuple(responses.Event.model_validate(view.as_json()) for view in page.events)
    return responses.EventPage(events=events, next=page.cursor, more=page.more)


def new_endpoint(body: requests.NewWebhookEndpoint) -> Endpoint:
    return Endpoint(id="", url=body.url, types=tuple(map(EventType, body.types)), description=body.description)


def endpoint_change(body: requests.ChangeWebhookEndpoint) -> EndpointChange:
    types = None if body.types is None else tuple(map(EventType, body.types))
    return EndpointChange(url=body.url, types=types, description=body.description, enabled=body.enabled)


def webhook_endpoint(view: EndpointView) -> responses.WebhookEndpoint:
    return responses.WebhookEndpoint(**_endpoint(view))


def webhook_endpoint_secret(view: EndpointView) -> responses.WebhookEndpointSecret:
    return responses.WebhookEndpointSecret(**_endpoint(view), secret=view.endpoint.secrets[0].value)


def _endpoint(view: EndpointView) -> dict[str, Any]:
    endpoint, status = view.endpoint, view.status
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "types": endpoint.types,
        "description": endpoint.description or None,
        "created_at": _time(endpoint.created_ms),
        "enabled": not status.disabled_ms,
        "disabled_at": _time(status.disabled_ms),
        "disabled_reason": status.reason or None,
        "position": status.position,
        "delivered_at": _time(status.delivered_ms),
        "waiting_since": _time(view.waiting_since_ms),
        "failures": status.delivery.failures if status.delivery else 0,
        "failing_since": _time(status.delivery.failing_since_ms) if status.delivery else None,
    }


def delivery_page(page: DeliveryPage) -> responses.WebhookDeliveryPage:
    return responses.WebhookDeliveryPage(
        deliveries=tuple(map(_delivery, page.records)), next=cursor(page.cursor or None)
    )


def _delivery(record: DeliveryRecord) -> responses.WebhookDelivery:
    return _from_sources(
        responses.WebhookDelivery,
        (record,),
        time=_time(record.at_ms),
        status=record.status or None,
        error=record.error or None,
        next_at=_time(record.again_ms),
    )


def _from_sources(model: type[Model], sources: tuple[object, ...], **values: Any) -> Model:
    """Build a model: each field from ``values``, else from the first source with an attribute of that name.

    A field that is in neither has its default.
    """
    for name in model.model_fields.keys() - values.keys():
        for source in sources:
            if hasattr(source, name):
                values[name] = _known(model, name, getattr(source, name))
                break
    return model(**values)


def _known(model: type[Model], name: str, value: object) -> object:
    """Return a value, or None for an empty text where the model can say so."""
    return None if value == "" and model.model_fields[name].default is None else value


def cursor(row: int | None) -> str | None:
    """Return the cursor of a page in the order of rows."""
    return None if row is None else str(row)


def ms(time: datetime | None) -> int:
    """Return milliseconds since 1970; 0 stands for no time."""
    return to_ms(time) if time else 0


def _time(time_ms: int | None) -> datetime | None:
    """Return the time of milliseconds since 1970; None for no time, and for a stored value that can be none."""
    return datetime.fromtimestamp(time_ms / 1000, UTC) if time_ms and in_range(time_ms) else None
