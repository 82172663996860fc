"""Routes of the account: how its rate is used, changing it, what is held, and letting go by hand."""

from fastapi import APIRouter

from dispatcher.api import convert, validation
from dispatcher.api.limits_now import limits_now
from dispatcher.api.security import RuntimeDep
from dispatcher.schema import responses
from dispatcher.service.account import (
    change_limits,
    forget_changes,
    release_hold,
    unblock_account,
    view_account,
)
from dispatcher.service.rollback import resume, view_rollback

router = APIRouter(prefix="/v1/account", tags=["account"])


@router.get("")
async def show_account(parts: RuntimeDep) -> responses.Account:
    """The rate that is allowed and the one in use, and all holds."""
    limits = await limits_now(parts)
    lost = await view_rollback(parts.store, parts.policy)
    return convert.account(await view_account(parts.store), limits.account, lost)


@router.patch("/rate")
async def change_rate(body: validation.Rate, parts: RuntimeDep) -> responses.Account:
    """Change limits of the account while everything runs. They stand above the settings, also after restarts."""
    await change_limits(parts.store, convert.limits(body))
    return await show_account(parts)


@router.delete("/rate")
async def forget_changed_rate(parts: RuntimeDep) -> responses.Account:
    """Return to the limits of the settings."""
    await forget_changes(parts.store)
    return await show_account(parts)


@router.post("/unblock")
async def unblock(parts: RuntimeDep) -> responses.Account:
    """End the wait that the provider asked for with a 429 or 503; without one nothing changes."""
    await unblock_account(parts.store)
    return await show_account(parts)


@router.post("/resume")
async def resume_account(body: validation.Resume, parts: RuntimeDep) -> responses.Account:
    """Accept that Redis has lost writes. Sending goes on once the provider's faxes of that time are reconciled."""
    await resume(parts.store, accept_rollback=body.accept_rollback)
    return await show_account(parts)


@router.delete("/holds/{scope}", status_code=204)
async def release_one_hold(scope: str, parts: RuntimeDep) -> None:
    """Let a held scope send again without waiting for its probe."""
    await release_hold(parts.store, scope)
