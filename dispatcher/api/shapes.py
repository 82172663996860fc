"""From what producers send to what the service takes, and from what it answers to JSON."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from dispatcher.api import models
from dispatcher.core.batch import Definition, FaxOptions, Priority, Tally
from dispatcher.core.job import JOB_STATES, HistoryEntry, RefusedRow
from dispatcher.core.limits.allowance import Period
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.service.account import AccountView, Limit
from dispatcher.service.documents import DocumentInfo
from dispatcher.service.jobs import JobPage
from dispatcher.service.rollback import RollbackView, UnknownFax
from dispatcher.service.times import rfc3339
from dispatcher.service.uploads import UploadAnswer
from dispatcher.service.views import BatchView, Hold, JobStory, JobView


def batch_definition(body: models.NewBatch, default_country: str) -> Definition:
    """Id and time of creation are the service's."""
    return _definition(
        body,
        name=body.name,
        priority=Priority(body.priority),
        weight=body.weight,
        default_country=body.default_country or default_country,
        start_at_ms=_ms(body.start_at),
    )


def fax_definition(body: models.NewFax, default_country: str) -> Definition:
    name = f"fax {body.reference}" if body.reference else "single fax"
    return _definition(body, name=name, priority=Priority.URGENT, default_country=body.country or default_country)


def _definition(body: models.Content, **more: Any) -> Definition:
    given = body.options.model_dump(exclude_none=True)
    return Definition(
        id="",
        created_ms=0,
        documents=tuple(body.documents),
        content_urls=tuple(body.content_urls),
        options=FaxOptions(**given),
        on_partial=body.on_partial or "",
        deadline_ms=_ms(body.deadline),
        **more,
    )


def _ms(at: datetime | None) -> int:
    return round(at.timestamp() * 1000) if at else 0


def _time(at_ms: int | None) -> str | None:
    return rfc3339(at_ms) if at_ms else None


def batch(view: BatchView, limited_by: LimitedBy | None) -> models.Batch:
    return models.Batch(**_batch_fields(view), limited_by=limited_by)


def commanded_batch(view: BatchView, in_flight: int, limited_by: LimitedBy | None) -> models.CommandedBatch:
    return models.CommandedBatch(**_batch_fields(view), in_flight=in_flight, limited_by=limited_by)


def _batch_fields(view: BatchView) -> dict[str, Any]:
    overview, definition = view.overview, view.definition
    return {
        **{name: getattr(definition, name) for name in ("id", "name", "priority", "weight", "default_country")},
        **{name: getattr(overview, name) for name in ("rows", "lines", "refused", "duplicates", "attempts", "doubled")},
        "state": view.state,
        "created_at": rfc3339(definition.created_ms),
        "started_at": _time(overview.started_ms),
        "finished_at": _time(overview.finished_ms),
        "start_at": _time(definition.start_at_ms),
        "deadline": _time(definition.deadline_ms),
        "parent": definition.parent or None,
        "documents": list(definition.documents),
        "content_urls": list(definition.content_urls),
        "options": _options(definition.options),
        "on_partial": definition.on_partial or None,
        "counts": {state.label: overview.tally.by_state.get(state, 0) for state in JOB_STATES},
        "categories": _categories(overview.tally),
        "holds": [hold(one) for one in view.holds],
        "refused_reasons": dict(overview.refused_reasons),
    }


def _options(options: FaxOptions) -> dict[str, str | bool | dict[str, str]]:
    given = {name: value for name, value in asdict(options).items() if value not in ("", None, {})}
    return {"from" if name == "sender" else name: value for name, value in given.items()}


def _categories(tally: Tally) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (state, category), jobs in tally.by_category.items():
        if state.final and category and jobs:
            found.setdefault(state.label, {})[category] = jobs
    return found


def hold(view: Hold) -> models.Hold:
    return models.Hold(
        scope=view.scope,
        category=view.category,
        cause=view.cause,
        since=rfc3339(view.since_ms),
        probe_at=_time(view.probe_at_ms),
    )


def upload(answer: UploadAnswer) -> models.Upload:
    return models.Upload(
        upload=answer.key,
        lines=answer.lines,
        accepted=answer.accepted,
        refused=answer.refused,
        duplicates=answer.duplicates,
        refused_sample=[refused_row(row) for row in answer.sample],
    )


def account(view: AccountView, limited_by: LimitedBy | None, lost: RollbackView | None) -> models.Account:
    return models.Account(
        limited_by=limited_by,
        rate_per_second=view.ceiling,
        rate_now=view.rate,
        limits=[_limit(one) for one in view.limits],
        blocked_until=_time(view.blocked_until_ms),
        blocked_by=view.blocked_by or None,
        used_ratio=round(view.used_ratio, 4),
        in_flight=view.in_flight,
        unclear=view.unclear,
        inbox=view.inbox,
        holds=[hold(one) for one in view.holds],
        rollback=_rollback(lost) if lost else None,
    )


def _rollback(view: RollbackView) -> models.Rollback:
    found = view.rollback
    return models.Rollback(
        cause=found.cause,
        noticed_at=rfc3339(found.noticed_ms),
        since=rfc3339(found.since_ms),
        ready_at=rfc3339(view.ready_ms),
        reconciled_at=_time(found.reconciled_ms),
        accepted_at=_time(found.accepted_ms),
        resumed_at=_time(found.resumed_ms),
        adopted=found.adopted,
        accepted_twice=found.accepted_twice,
        unknown=found.unknown,
        unknown_faxes=[_unknown_fax(fax) for fax in view.unknown],
    )


def _unknown_fax(fax: UnknownFax) -> models.UnknownFax:
    created_at = _time(fax.created_ms)
    return models.UnknownFax(fax_id=fax.fax_id, job=fax.job, attempt=fax.attempt, created_at=created_at)


def _limit(view: Limit) -> models.Limit:
    return models.Limit(per=view.period.value, limit=view.limit, source=view.source, used=view.used)


def limits(body: models.Rate) -> dict[Period, float]:
    """The limits that are given, by their periods."""
    return {Period(name.removeprefix("per_")): value for name, value in body.model_dump(exclude_none=True).items()}


def document(info: DocumentInfo) -> models.Document:
    return models.Document(id=info.sha256, size=info.size, pages=info.pages, name=info.name)


def refused_row(row: RefusedRow) -> models.RefusedRow:
    return models.RefusedRow(**asdict(row))


def job(view: JobView) -> models.Job:
    return models.Job(**_job_fields(view))


def job_page(page: JobPage) -> models.JobPage:
    return models.JobPage(jobs=[job(view) for view in page.jobs], next=page.next_row)


def job_story(story: JobStory) -> models.JobStory:
    history = [_history_entry(entry) for entry in story.history]
    return models.JobStory(**_job_fields(story.job), history=history, explanation=story.explanation)


_OF_RECIPIENT = ("line", "number", "reference")
_OF_RECORD = ("attempt", "pages_sent", "pages_total", "fax_id", "doubled")
_OF_ENTRY = ("attempt", "outcome", "fax_id", "fate", "pages_sent", "pages_total", "why")


def _job_fields(view: JobView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "batch": view.id.batch,
        "row": view.id.row,
        **{name: getattr(view.recipient, name) for name in _OF_RECIPIENT},
        "fields": dict(view.recipient.fields),
        "state": view.record.state.label,
        **{name: getattr(view.record, name) for name in _OF_RECORD},
        **asdict(view.record.failure),
        "dials": view.record.counters.dials,
        "tries": view.record.counters.tries,
        "changed_at": _time(view.record.changed_ms),
        "next_at": _time(view.next_ms),
    }


def _history_entry(entry: HistoryEntry) -> models.HistoryEntry:
    return models.HistoryEntry(
        **{name: getattr(entry, name) for name in _OF_ENTRY},
        **asdict(entry.failure),
        at=rfc3339(entry.at_ms),
        created_at=_time(entry.created_ms),
        ended_at=_time(entry.ended_ms),
    )
