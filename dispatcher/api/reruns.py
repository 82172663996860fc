"""Routes of reruns: send jobs of batches again, with what was wrong put right, and say before what would be sent."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from dispatcher.api import convert, validation
from dispatcher.api.allowing import AllowedDep, allowed
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.headers import IdempotencyKey
from dispatcher.api.numbers import e164_of
from dispatcher.api.parameters import BatchPath
from dispatcher.api.problems import raises
from dispatcher.api.progress import progress_now
from dispatcher.api.turns import Turns
from dispatcher.recipients.number_reader import NumberReader
from dispatcher.runtime import Runtime
from dispatcher.schema import requests, responses
from dispatcher.service import errors
from dispatcher.service.mailings import Allowed
from dispatcher.service.rerun_preview import RerunPreview
from dispatcher.service.reruns import RerunOrder
from dispatcher.service.views import find_batch

router = APIRouter(prefix="/v1", tags=["reruns"])

#: previews that are counted at the same time, each for some seconds, and how many others wait
PREVIEWS_AT_ONCE, PREVIEWS_WAITING = 2, 16

#: what a rerun can raise
_RERUN = raises(
    errors.Missing,
    errors.Deleted,
    errors.ActionNotAllowed,
    errors.WarningsNotAllowed,
    errors.NumberSuppressed,
    errors.Repeated,
    errors.Conflict,
    errors.TooManyDrafts,
    errors.WrongCredentials,
)
_PREVIEW: dict[int | str, dict[str, Any]] = {
    200: {"model": responses.RerunPreview, "description": "The preview is complete. Nothing was created."},
    202: {
        "model": responses.RerunPreview,
        "description": "The preview goes on at the address in `Location`. Nothing was created.",
    },
}


def _turns(request: Request) -> Turns:
    turns: Turns = request.app.state.rerun_preview_turns
    return turns


@router.post("/batches/{batch}/rerun", status_code=201, response_model=responses.Batch, responses=_RERUN | _PREVIEW)
async def rerun_batch(
    batch: BatchPath,
    body: validation.NewRerun,
    runtime: RuntimeDep,
    allowing: AllowedDep,
    response: Response,
    turns: Turns = Depends(_turns),
    key: IdempotencyKey = None,
) -> responses.Batch | Response:
    """Send jobs of a batch again as a new batch, with what was wrong put right.

    With `preview`, the answer says what would be sent. Otherwise it is the new batch.
    """
    order = await _order(runtime, [batch], body, allowed(allowing, body))
    if body.preview:
        return await _previewed(runtime, turns, [batch], order)
    (new,) = await _run(runtime, [batch], order, key)
    response.headers["Location"] = f"/v1/batches/{new.id}"
    return new


@router.post("/reruns", status_code=201, response_model=responses.RerunBatches, responses=_RERUN | _PREVIEW)
async def rerun_batches(
    body: validation.NewReruns,
    runtime: RuntimeDep,
    allowing: AllowedDep,
    turns: Turns = Depends(_turns),
    key: IdempotencyKey = None,
) -> responses.RerunBatches | Response:
    """Send jobs of several batches again. Batches that send the same with the overrides are run again as one.

    Nothing is started before all new batches have their recipients.
    """
    order = await _order(runtime, body.batches, body, allowed(allowing, body))
    if body.preview:
        return await _previewed(runtime, turns, body.batches, order)
    return responses.RerunBatches(batches=tuple(await _run(runtime, body.batches, order, key)))


@router.get(
    "/rerun-previews/{preview}",
    response_model=responses.RerunPreview,
    responses=_PREVIEW | raises(errors.Missing, errors.Deleted),
)
async def continue_rerun_preview(
    preview: Annotated[str, Path(description="Id of the preview.")],
    runtime: RuntimeDep,
    turns: Turns = Depends(_turns),
) -> Response:
    """Continue a preview that was not complete, for some seconds. It is kept for an hour after each look."""
    async with turns.turn():
        seen = await runtime.rerun_previews.go_on(preview, _numbers_allowed(runtime))
    return _answer(seen)


async def _order(runtime: Runtime, batches: Sequence[str], body: requests.NewRerun, allows: Allowed) -> RerunOrder:
    country = ""
    if body.numbers:
        # numbers in national form are understood only if all of the batches have one default country
        countries = {(await find_batch(runtime.store, batch)).definition.default_country for batch in batches}
        country = countries.pop() if len(countries) == 1 else ""
    return RerunOrder(
        selected=convert.job_filter(body, body.states, e164_of(body.numbers, country)),
        overrides=convert.overrides(body.overrides),
        reason=body.reason.strip(),
        start=body.start,
        allowed=allows,
        check=_numbers_allowed(runtime),
    )


def _numbers_allowed(runtime: Runtime) -> Any:
    return NumberReader(None, runtime.policy.destinations).refused_recipient


async def _run(runtime: Runtime, batches: Sequence[str], order: RerunOrder, key: str | None) -> list[responses.Batch]:
    views = await runtime.reruns.run(batches, order, key)
    seen = await progress_now(runtime, *views)
    return [convert.batch(view, seen[view.id]) for view in views]


async def _previewed(runtime: Runtime, turns: Turns, batches: Sequence[str], order: RerunOrder) -> Response:
    async with turns.turn():
        seen = await runtime.rerun_previews.begin(batches, order)
    return _answer(seen)


def _answer(seen: RerunPreview) -> Response:
    content = convert.rerun_preview(seen).model_dump(mode="json")
    if seen.complete:
        return JSONResponse(content)
    return JSONResponse(content, 202, {"Location": f"/v1/rerun-previews/{seen.id}"})
