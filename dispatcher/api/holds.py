"""Route of the list of holds. Releasing them is a route of the account."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.pages import PAGE_TURN, page_response
from dispatcher.api.parameters import After, LimitOf1000
from dispatcher.api.problems import raises
from dispatcher.schema import requests, responses
from dispatcher.service import errors, holds

router = APIRouter(prefix="/v1/holds", tags=["account"])


@router.get(
    "",
    response_model=responses.HoldPage,
    dependencies=[PAGE_TURN],
    responses=raises(errors.Missing, errors.Deleted),
)
async def list_holds(
    runtime: RuntimeDep,
    category: Annotated[
        frozenset[Annotated[str, *requests.known_word(requests.CATEGORIES)]],
        Query(description="Only holds of this category; may be given several times."),
    ] = frozenset(),
    batch: Annotated[
        str, Query(max_length=64, description="Only holds that stop this batch, a part of it, or jobs of it.")
    ] = "",
    fold: Annotated[
        bool, Query(description="Whether jobs of one batch that are held for one category are one entry.")
    ] = True,
    after: After = "",
    limit: LimitOf1000 = 100,
) -> Response:
    """List holds, the widest scope first: account, provider, documents, batches, countries, jobs."""
    page = await holds.list_holds(runtime.store, batch=batch, categories=category, fold=fold, after=after, limit=limit)
    return await page_response(convert.hold_page, page)
