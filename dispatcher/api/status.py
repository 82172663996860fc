"""The route of the status: all that runs."""

from fastapi import APIRouter, Response

from dispatcher.api import convert
from dispatcher.api.account import shown_account
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.pages import PAGE_TURN, page_response
from dispatcher.api.progress import progress_now
from dispatcher.schema import responses
from dispatcher.service.status import view_status

router = APIRouter(prefix="/v1/status", tags=["account"])


@router.get("", response_model=responses.Status, dependencies=[PAGE_TURN])
async def get_status(runtime: RuntimeDep) -> Response:
    """Show all that runs: the account, its holds, the processes, the provider, and the batches that have not ended.

    At most 50 batches, the newest of the last 2,000; drafts are not among them.
    """
    view = await view_status(runtime.store)
    seen = await progress_now(runtime, *view.batches)
    return await page_response(convert.status, view, await shown_account(runtime, view.account), seen)
