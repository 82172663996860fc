"""The route of the status: all that runs."""

from fastapi import APIRouter, Response

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.limited_by import limited_by_now
from dispatcher.api.pages import PAGE_TURN, page_response
from dispatcher.schema import responses
from dispatcher.service.rollback import view_rollback
from dispatcher.service.status import view_status

router = APIRouter(prefix="/v1/status", tags=["account"])


@router.get("", response_model=responses.Status, dependencies=[PAGE_TURN])
async def show_status(runtime: RuntimeDep) -> Response:
    """Show all that runs: the account, its holds, the processes, the provider, and the batches that have not ended.

    At most 50 batches, the newest of the last 1,000; drafts are not among them.
    """
    view = await view_status(runtime.store)
    limits = await limited_by_now(runtime, *view.batches)
    rollback = await view_rollback(runtime.store, runtime.policy)
    account = convert.account(view.account, limits.account, rollback, runtime.policy.open_drafts)
    return await page_response(convert.status, view, account, limits.batches)
