"""Routes of the account: its rate limits and how much of them is used, its holds, and releasing them."""

from typing import Annotated

from fastapi import APIRouter, Path

from dispatcher.api import convert, validation
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.problems import raises
from dispatcher.runtime import Runtime
from dispatcher.schema import responses
from dispatcher.service import account, errors
from dispatcher.service.limits import what_limits
from dispatcher.service.rollback import resume, view_rollback

router = APIRouter(prefix="/v1/account", tags=["account"])


@router.get("")
async def get_account(runtime: RuntimeDep) -> responses.Account:
    """Show the rate limits, the current rate and all holds."""
    return await shown_account(runtime, await account.view_account(runtime.store))


async def shown_account(runtime: Runtime, view: account.AccountView) -> responses.Account:
    """Return the public form of the account as it was read."""
    max_in_flight = runtime.settings.sinch.max_in_flight
    limits = await what_limits(runtime.store, max_in_flight=max_in_flight, holds=view.wide_holds)
    rollback = await view_rollback(runtime.store, runtime.policy)
    return convert.account(view, limits.account, rollback, runtime.policy.open_drafts)


@router.patch("/rate")
async def update_rate(body: validation.Rate, runtime: RuntimeDep) -> responses.Account:
    """Change limits of the account without a restart. They override the settings, also after restarts."""
    await account.change_limits(runtime.store, convert.limits(body))
    return await get_account(runtime)


@router.delete("/rate")
async def reset_rate(runtime: RuntimeDep) -> responses.Account:
    """Return to the limits of the settings."""
    await account.forget_changes(runtime.store)
    return await get_account(runtime)


@router.post("/unblock")
async def unblock_account(runtime: RuntimeDep) -> responses.Account:
    """End the pause that the provider asked for with a 429 or 503. Without such a pause, nothing changes."""
    await account.unblock_account(runtime.store)
    return await get_account(runtime)


@router.post("/resume", responses=raises(errors.Missing, errors.ActionNotAllowed))
async def resume_account(body: validation.Resume, runtime: RuntimeDep) -> responses.Account:
    """Accept that Redis has lost writes. Sending continues once the provider's faxes of that time are reconciled."""
    await resume(runtime.store, accept_rollback=body.accept_rollback)
    return await get_account(runtime)


@router.post("/holds/release")
async def release_holds(body: validation.ReleaseHolds, runtime: RuntimeDep) -> responses.ReleasedHolds:
    """Release the holds of a category, of a batch and its jobs, or all. With `dry_run`, only say which these are."""
    done = await account.release_holds(
        runtime.store, category=body.category or "", batch=body.batch or "", dry_run=body.dry_run
    )
    return convert.released_holds(done, dry_run=body.dry_run)


@router.delete("/holds/{scope}", responses=raises(errors.ActionNotAllowed))
async def release_hold(
    scope: Annotated[str, Path(description="What is held, as `scope` of a hold says.")], runtime: RuntimeDep
) -> responses.Removed:
    """Release a hold, so that its scope sends again without waiting for a probe."""
    return responses.Removed(removed=await account.release_hold(runtime.store, scope))
