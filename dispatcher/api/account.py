"""Routes of the account: its rate limits and how much of them is used, its holds, and releasing them."""

from fastapi import APIRouter

from dispatcher.api import convert, validation
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.schema import responses
from dispatcher.service.account import (
    change_limits,
    forget_changes,
    release_hold,
    release_holds,
    unblock_account,
    view_account,
)
from dispatcher.service.limits import what_limits
from dispatcher.service.rollback import resume, view_rollback

router = APIRouter(prefix="/v1/account", tags=["account"])


@router.get("")
async def show_account(runtime: RuntimeDep) -> responses.Account:
    """Show the rate limits, the current rate and all holds."""
    limits = await what_limits(runtime.store, max_in_flight=runtime.settings.sinch.max_in_flight)
    rollback = await view_rollback(runtime.store, runtime.policy)
    view = await view_account(runtime.store)
    return convert.account(view, limits.account, rollback, runtime.policy.open_drafts)


@router.patch("/rate")
async def change_rate(body: validation.Rate, runtime: RuntimeDep) -> responses.Account:
    """Change limits of the account without a restart. They override the settings, also after restarts."""
    await change_limits(runtime.store, convert.limits(body))
    return await show_account(runtime)


@router.delete("/rate")
async def forget_changed_rate(runtime: RuntimeDep) -> responses.Account:
    """Return to the limits of the settings."""
    await forget_changes(runtime.store)
    return await show_account(runtime)


@router.post("/unblock")
async def unblock(runtime: RuntimeDep) -> responses.Account:
    """End the pause that the provider asked for with a 429 or 503. Without such a pause, nothing changes."""
    await unblock_account(runtime.store)
    return await show_account(runtime)


@router.post("/resume")
async def resume_account(body: validation.Resume, runtime: RuntimeDep) -> responses.Account:
    """Accept that Redis has lost writes. Sending continues once the provider's faxes of that time are reconciled."""
    await resume(runtime.store, accept_rollback=body.accept_rollback)
    return await show_account(runtime)


@router.post("/holds/release")
async def release_several_holds(body: validation.ReleaseHolds, runtime: RuntimeDep) -> responses.ReleasedHolds:
    """Release the holds of a category, of a batch and its jobs, or all. With `dry_run`, only say which these are."""
    done = await release_holds(
        runtime.store, category=body.category or "", batch=body.batch or "", dry_run=body.dry_run
    )
    return convert.released_holds(done, dry_run=body.dry_run)


@router.delete("/holds/{scope}", status_code=204)
async def release_one_hold(scope: str, runtime: RuntimeDep) -> None:
    """Release a hold, so that its scope sends again without waiting for a probe."""
    await release_hold(runtime.store, scope)
