"""Routes of batches: made, listed, shown, commanded, run again, reported."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from dispatcher.api import convert, validation
from dispatcher.api.headers import IdempotencyKey
from dispatcher.api.limits_now import limits_now
from dispatcher.api.security import RuntimeDep
from dispatcher.core.batch import Command
from dispatcher.schema import responses
from dispatcher.service.report import report
from dispatcher.service.rerun import Selection
from dispatcher.service.views import BatchView, newest_batches, view_batch

router = APIRouter(prefix="/v1/batches", tags=["batches"])


@router.post("", status_code=201)
async def create_batch(
    body: validation.NewBatch, parts: RuntimeDep, response: Response, key: IdempotencyKey = None
) -> responses.Batch:
    """Create a draft. It takes recipients until it is started."""
    view = await parts.mailings.create(convert.batch_definition(body, parts.settings.default_country), key)
    response.headers["Location"] = f"/v1/batches/{view.definition.id}"
    return await _shown(parts, view)


@router.get("")
async def list_batches(
    parts: RuntimeDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[str, Query(max_length=64)] = "",
) -> responses.BatchPage:
    """Batches, newest first. `next` goes into `before`."""
    views = await newest_batches(parts.store, limit, before)
    more = views[-1].definition.id if len(views) == limit else None
    words = (await limits_now(parts, *views)).batches
    shown = [convert.batch(view, words.get(view.definition.id)) for view in views]
    return responses.BatchPage(batches=tuple(shown), next=more)


@router.get("/{batch}")
async def show_batch(batch: str, parts: RuntimeDep) -> responses.Batch:
    """One batch with its counts by state and category."""
    return await _shown(parts, await view_batch(parts.store, batch))


@router.post("/{batch}/start")
async def start_batch(batch: str, parts: RuntimeDep) -> responses.CommandedBatch:
    """Start sending, or wait for `start_at`. The provider's credentials are checked before."""
    return await _command(parts, batch, Command.START)


@router.post("/{batch}/pause")
async def pause_batch(batch: str, parts: RuntimeDep) -> responses.CommandedBatch:
    """Begin no further job. Those that were begun end on their own; `in_flight` says how many."""
    return await _command(parts, batch, Command.PAUSE)


@router.post("/{batch}/resume")
async def resume_batch(batch: str, parts: RuntimeDep) -> responses.CommandedBatch:
    """Go on after a pause."""
    return await _command(parts, batch, Command.RESUME)


@router.post("/{batch}/cancel")
async def cancel_batch(batch: str, parts: RuntimeDep) -> responses.CommandedBatch:
    """End a batch for good. Calls under way end on their own; `in_flight` says how many."""
    return await _command(parts, batch, Command.CANCEL)


async def _command(parts: RuntimeDep, batch: str, command: Command) -> responses.CommandedBatch:
    commanded = await parts.mailings.command(batch, command)
    words = (await limits_now(parts, commanded.batch)).batches
    return convert.commanded_batch(commanded.batch, commanded.in_flight, words.get(batch))


async def _shown(parts: RuntimeDep, view: BatchView) -> responses.Batch:
    words = (await limits_now(parts, view)).batches
    return convert.batch(view, words.get(view.definition.id))


@router.post("/{batch}/rerun", status_code=201)
async def rerun_batch(
    batch: str, body: validation.NewRerun, parts: RuntimeDep, response: Response, key: IdempotencyKey = None
) -> responses.Batch:
    """A new batch of those jobs of this one that ended in one of the states (and categories)."""
    selection = Selection(
        states=frozenset(convert.FINAL_STATES[name] for name in body.states),
        categories=None if body.categories is None else frozenset(body.categories),
    )
    view = await parts.mailings.rerun(batch, selection, start=body.start, key=key)
    response.headers["Location"] = f"/v1/batches/{view.definition.id}"
    return await _shown(parts, view)


@router.get(
    "/{batch}/report",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def report_batch(batch: str, parts: RuntimeDep) -> StreamingResponse:
    """Every line that was uploaded and what became of it, as CSV."""
    name = f'attachment; filename="{batch}.csv"'
    return StreamingResponse(
        await report(parts.store, batch), media_type="text/csv", headers={"Content-Disposition": name}
    )
