"""Routes of the do-not-fax list: list, show, add, remove, import and export its entries."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from dispatcher.api import convert, validation
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.pages import PAGE_TURN, in_pieces, page_response
from dispatcher.api.parameters import After, LimitOf1000, NumberPath
from dispatcher.api.problems import raises
from dispatcher.api.turns import Turns, turn_until_answered
from dispatcher.core.job import RefusedRow
from dispatcher.core.suppressions import MAX_REASON, Suppression, SuppressionSource, one_line
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.errors import RecipientListError
from dispatcher.recipients.numbers import RefusedNumber, normalize_number
from dispatcher.recipients.read_rows import pieces
from dispatcher.recipients.suppression_rows import SuppressionReader
from dispatcher.runtime import Runtime
from dispatcher.schema import responses
from dispatcher.service import errors, suppressions
from dispatcher.service.errors import InvalidInput, not_a_cursor
from dispatcher.service.suppressions import SuppressionFilter
from dispatcher.service.times import now_ms

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])

#: refused rows in the answer to an import
_SAMPLE_ROWS = 100

Source = Literal["manual", "import", "opt_out", "dead_number"]
BatchId = Annotated[str, Query(max_length=64, description="Only entries that jobs of this batch proved.")]
Country = Annotated[str, Query(max_length=60, description="Country of numbers in national form.")]


@router.get(
    "",
    response_model=responses.SuppressionPage,
    dependencies=[PAGE_TURN],
)
async def list_suppressions(
    runtime: RuntimeDep,
    source: Annotated[Source | None, Query(description="Only entries of this source.")] = None,
    batch: BatchId = "",
    after: After = "",
    limit: LimitOf1000 = 100,
) -> Response:
    """List the do-not-fax list by number. A short page may have more after it."""
    number = after.lstrip(" +")  # a plus sign arrives as a blank
    if after and not (number.isascii() and number.isdigit()):
        raise not_a_cursor()
    criteria = SuppressionFilter(source=source or "", batch=batch)
    page = await suppressions.list_suppressions(runtime.store, criteria, after=number, limit=limit)
    return await page_response(convert.suppression_page, page, now_ms())


@router.post("")
async def create_suppression(body: validation.NewSuppression, runtime: RuntimeDep) -> responses.Suppression:
    """Put a number on the do-not-fax list, or edit its entry. A repeat changes nothing."""
    entry = Suppression(
        number=_number(runtime, body.number, body.country or ""),
        source=SuppressionSource(body.source),
        reason=one_line(body.reason)[:MAX_REASON],
        expires_ms=convert.ms(body.expires_at),
    )
    return convert.suppression(await suppressions.add_suppression(runtime.store, entry), now_ms())


@router.delete("")
async def delete_suppressions(
    runtime: RuntimeDep,
    source: Annotated[Source, Query(description="Only entries of this source.")],
    batch: BatchId = "",
) -> responses.Removed:
    """Remove entries of a source, such as the dead numbers that a batch has proved. Repeat it while `more` is true."""
    removed, more = await suppressions.remove_suppressions(runtime.store, SuppressionFilter(source=source, batch=batch))
    return responses.Removed(removed=removed, more=more)


@router.get(
    "/export",
    response_class=StreamingResponse,
    dependencies=[turn_until_answered("report_turns")],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_suppressions(runtime: RuntimeDep) -> StreamingResponse:
    """Return the whole list as CSV, in a form that an import takes."""
    name = 'attachment; filename="do-not-fax.csv"'
    return StreamingResponse(
        in_pieces(suppressions.export_suppressions(runtime.store)),
        media_type="text/csv",
        headers={"Content-Disposition": name},
    )


@router.post(
    "/import",
    responses=raises(RecipientListError),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def import_suppressions(
    request: Request,
    runtime: RuntimeDep,
    source: Annotated[
        Literal["import", "opt_out", "manual"], Query(description="Source of entries that name none.")
    ] = "import",
    country: Country = "",
) -> responses.SuppressionImport:
    """Stream a CSV list into the do-not-fax list. Entries are stored as they arrive; a repeat changes nothing."""
    turns: Turns = request.app.state.list_turns
    async with turns.turn():
        return await _import(request, runtime, SuppressionReader(SuppressionSource(source), _region(runtime, country)))


async def _import(request: Request, runtime: Runtime, reader: SuppressionReader) -> responses.SuppressionImport:
    accepted, added, refused, left_out = 0, 0, 0, 0
    sample: list[RefusedRow] = []
    async for piece, final in pieces(request.stream()):
        rows = await on_cpu_thread(partial(reader.read, piece, final))
        added += await runtime.store.suppressions.put(rows.accepted)
        accepted, refused = accepted + len(rows.accepted), refused + len(rows.refused)
        left_out += rows.left_out
        sample += rows.refused[: _SAMPLE_ROWS - len(sample)]
    return convert.suppression_import(accepted, added, refused, sample, left_out)


@router.get("/{number}", responses=raises(errors.Missing))
async def get_suppression(number: NumberPath, runtime: RuntimeDep) -> responses.Suppression:
    """Show the entry of a number, in any form."""
    return convert.suppression(await suppressions.show_suppression(runtime.store, _number(runtime, number)), now_ms())


@router.delete("/{number}")
async def delete_suppression(number: NumberPath, runtime: RuntimeDep) -> responses.Removed:
    """Take a number off the list. It is no error if it is not on it."""
    return responses.Removed(removed=await runtime.store.suppressions.remove([_number(runtime, number)]))


def _number(runtime: Runtime, text: str, country: str = "") -> str:
    number = normalize_number(text, default_region=_region(runtime, country))
    if isinstance(number, RefusedNumber):
        raise InvalidInput({"number": number.sentence})
    return number.number


def _region(runtime: Runtime, country: str) -> str:
    region = region_of_country(country or runtime.settings.default_country)
    if region is None:
        raise InvalidInput({"country": "this country is not known: give two letters, such as DE"})
    return region
