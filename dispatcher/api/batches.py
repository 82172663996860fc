"""Routes of batches: create, list, show, start, pause, resume, cancel, report."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from dispatcher.api import convert, validation
from dispatcher.api.allowing import AllowedDep, allowed, allowed_by_key
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.headers import IdempotencyKey
from dispatcher.api.pages import PAGE_TURN, in_pieces, page_response
from dispatcher.api.parameters import After, BatchPath, LimitOf100
from dispatcher.api.problems import raises
from dispatcher.api.progress import progress_now, progress_now_of
from dispatcher.api.turns import turn_until_answered
from dispatcher.api.validation import QueryTime
from dispatcher.core.batch import BatchState as BatchWord
from dispatcher.core.batch import Command
from dispatcher.core.batch_filter import BatchFilter
from dispatcher.runtime import Runtime
from dispatcher.schema import responses
from dispatcher.schema.states import BatchState
from dispatcher.service import deletions, diagnosis, errors
from dispatcher.service.forecast import forecast
from dispatcher.service.mailings import Commanded, StartedPart
from dispatcher.service.progress import BatchProgress
from dispatcher.service.report import report
from dispatcher.service.views import BatchList, BatchView, newest_batches, view_batch

router = APIRouter(prefix="/v1/batches", tags=["batches"])

#: what every route of a batch can raise, and every command
_FIND = (errors.Missing, errors.Deleted)
_COMMAND = (*_FIND, errors.ActionNotAllowed)
#: reports that are sent at the same time, each with a block of some megabytes in memory, and how many others wait
REPORTS_AT_ONCE, REPORTS_WAITING = 8, 64


@router.post("", status_code=201, responses=raises(errors.TooManyDrafts, errors.Conflict, errors.Deleted))
async def create_batch(
    body: validation.NewBatch, runtime: RuntimeDep, response: Response, key: IdempotencyKey = None
) -> responses.Batch:
    """Create a draft. Recipients can be uploaded until it is started. If nobody starts it, it expires after a week."""
    view = await runtime.mailings.create(convert.batch_definition(body, runtime.settings.default_country), key)
    response.headers["Location"] = f"/v1/batches/{view.definition.id}"
    return await _shown(runtime, view)


@router.get("", response_model=responses.BatchPage, dependencies=[PAGE_TURN])
async def list_batches(
    runtime: RuntimeDep,
    state: Annotated[
        frozenset[BatchState], Query(description="Only batches in this state; may be given several times.")
    ] = frozenset(),
    name: Annotated[str, Query(max_length=200, description="A part of the name, in either case.")] = "",
    metadata: Annotated[
        frozenset[Annotated[str, Field(pattern="^[^=]{1,40}=", max_length=541)]],
        Query(max_length=20, description="`key=value` that the batch has; may be given several times."),
    ] = frozenset(),
    since: Annotated[QueryTime | None, Query(description="Only batches created at this time or later.")] = None,
    until: Annotated[QueryTime | None, Query(description="Only batches created before this time.")] = None,
    limit: LimitOf100 = 20,
    after: After = "",
) -> Response:
    """List batches, newest first. A short page may have more after it.

    With a filter, one request looks at 2,000 batches at most: a page may be empty although `next` is not null. A batch
    whose stored data is damaged has the state `unreadable` and nothing but its id, and every filter shows it;
    `bulkfax doctor` says more.
    """
    batch_filter = BatchFilter(
        states=frozenset(map(BatchWord, state)),
        name=name,
        metadata=frozenset((key, value) for key, _, value in (text.partition("=") for text in metadata)),
        since_ms=convert.ms(since),
        until_ms=convert.ms(until),
    )
    listed = await newest_batches(runtime.store, limit, after, batch_filter)
    seen = await progress_now(runtime, *listed.views)
    return await page_response(_page, listed, seen)


def _page(listed: BatchList, seen: Mapping[str, BatchProgress]) -> responses.BatchPage:
    shown = [convert.listed_batch(view, seen.get(view.id)) for view in listed.views]
    return responses.BatchPage(batches=tuple(shown), next=listed.cursor or None)


@router.get("/{batch}", responses=raises(*_FIND))
async def get_batch(batch: BatchPath, runtime: RuntimeDep) -> responses.Batch:
    """Show one batch with its counts by state and category."""
    return await _shown(runtime, await view_batch(runtime.store, batch))


@router.patch("/{batch}", responses=raises(*_COMMAND, errors.WarningsNotAllowed, errors.WrongCredentials))
async def update_batch(
    batch: BatchPath, body: validation.ChangeBatch, runtime: RuntimeDep, allowing: AllowedDep
) -> responses.ChangedBatch:
    """Change a batch that has not ended: a draft, or one that is paused or held. No job is sent as before any more.

    Weight, priority, `max_per_second` and deadline can be changed at any time. What is left out stays, and null brings
    back the default. A change that removes the cause of a hold ends the hold.
    """
    changed = await runtime.batch_changes.change(
        batch,
        convert.batch_change(body),
        allowed(allowing, body),
        version=body.version,
        is_dry_run=body.dry_run,
    )
    seen = await progress_now_of(runtime, changed.batch)
    return convert.changed_batch(changed, seen, dry_run=body.dry_run)


@router.delete("/{batch}", responses=raises(errors.ActionNotAllowed))
async def delete_batch(batch: BatchPath, runtime: RuntimeDep) -> responses.Removed:
    """Delete a batch that has ended, with its recipients, results and report. A repeat changes nothing.

    It is gone at once (410, after four weeks 404); its data is removed within minutes. Numbers that it put on the
    do-not-fax list stay there.
    """
    return responses.Removed(removed=await deletions.delete_batch(runtime.store, batch))


@router.get("/{batch}/forecast", dependencies=[PAGE_TURN], responses=raises(*_FIND))
async def forecast_batch(batch: BatchPath, request: Request, runtime: RuntimeDep) -> responses.Forecast:
    """Show what a batch will send, and when it will have sent it at today's rate. Nothing is changed.

    Of a draft, `start_needs` names what its start would be refused without.
    """
    prices, max_in_flight = runtime.policy.destinations.prices, runtime.settings.sinch.max_in_flight
    seen = await forecast(runtime.store, batch, prices, max_in_flight=max_in_flight)
    return convert.forecast(seen, allowed_by_key(request, runtime))


@router.get("/{batch}/diagnosis", dependencies=[PAGE_TURN], responses=raises(*_FIND))
async def diagnose_batch(batch: BatchPath, runtime: RuntimeDep) -> responses.Diagnosis:
    """Say in plain words what is wrong with a batch, the most important first, and which commands put it right.

    Counts are of the whole batch. Examples, times and prefixes are of 20,000 jobs at most, spread over the batch.
    """
    settings = runtime.settings
    seen = await diagnosis.diagnose_batch(
        runtime.store,
        batch,
        runtime.policy,
        max_in_flight=settings.sinch.max_in_flight,
        expects_callbacks=bool(settings.public_url),
    )
    return convert.diagnosis(seen)


@router.post(
    "/{batch}/start",
    responses=raises(*_COMMAND, errors.WarningsNotAllowed, errors.Repeated, errors.WrongCredentials),
)
async def start_batch(
    batch: BatchPath, runtime: RuntimeDep, allowing: AllowedDep, body: validation.StartBatch | None = None
) -> responses.CommandedBatch:
    """Start sending, or wait for `start_at`. The provider's credentials are checked first.

    With `now`, the batch does not wait for `start_at` (any more). A repeat of either changes nothing.

    If documents have warnings, the answer is 409 with all of them until the request has `allow_warnings`.
    """
    part = StartedPart(first=(body and body.first) or 0, percent=(body and body.percent) or 0.0)
    command = Command.START_NOW if body and body.now else Command.START
    started = await runtime.mailings.command(batch, command, allowed(allowing, body), part)
    return await _commanded(runtime, started)


@router.post("/{batch}/continue", responses=raises(*_COMMAND))
async def continue_batch(batch: BatchPath, runtime: RuntimeDep) -> responses.CommandedBatch:
    """Let the rest begin of a batch of which only a part was started (`first` or `percent`)."""
    return await _commanded(runtime, await runtime.mailings.continue_batch(batch))


@router.post("/{batch}/pause", responses=raises(*_COMMAND))
async def pause_batch(batch: BatchPath, runtime: RuntimeDep) -> responses.CommandedBatch:
    """Stop starting jobs. Jobs in flight continue to their end; `in_flight` is their number."""
    return await _command(runtime, batch, Command.PAUSE)


@router.post("/{batch}/resume", responses=raises(*_COMMAND))
async def resume_batch(batch: BatchPath, runtime: RuntimeDep) -> responses.CommandedBatch:
    """Continue after a pause."""
    return await _command(runtime, batch, Command.RESUME)


@router.post("/{batch}/cancel", responses=raises(*_COMMAND))
async def cancel_batch(batch: BatchPath, runtime: RuntimeDep) -> responses.CommandedBatch:
    """End a batch permanently. Jobs in flight continue to their end; `in_flight` is their number."""
    return await _command(runtime, batch, Command.CANCEL)


async def _command(runtime: Runtime, batch: str, command: Command) -> responses.CommandedBatch:
    return await _commanded(runtime, await runtime.mailings.command(batch, command))


async def _commanded(runtime: Runtime, commanded: Commanded) -> responses.CommandedBatch:
    seen = await progress_now_of(runtime, commanded.batch)
    return convert.commanded_batch(commanded.batch, commanded.in_flight, seen)


async def _shown(runtime: RuntimeDep, view: BatchView) -> responses.Batch:
    return convert.batch(view, await progress_now_of(runtime, view))


@router.get(
    "/{batch}/report",
    response_class=StreamingResponse,
    dependencies=[turn_until_answered("report_turns")],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **raises(*_FIND)},
)
async def get_batch_report(batch: BatchPath, runtime: RuntimeDep) -> StreamingResponse:
    """Return every uploaded line with its result, as CSV."""
    name = f'attachment; filename="{batch}.csv"'
    return StreamingResponse(
        in_pieces(await report(runtime.store, batch)), media_type="text/csv", headers={"Content-Disposition": name}
    )
