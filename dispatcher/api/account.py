"""Routes of the account: how its rate is used, what is held, and letting go by hand."""

from fastapi import APIRouter

from dispatcher.api import models, shapes
from dispatcher.api.security import Parts
from dispatcher.service.account import release_hold, view_account

router = APIRouter(prefix="/v1/account", tags=["account"])


@router.get("")
async def show_account(parts: Parts) -> models.Account:
    """The rate that is allowed and the one in use, and all holds."""
    return shapes.account(await view_account(parts.store))


@router.delete("/holds/{scope}", status_code=204)
async def release_one_hold(scope: str, parts: Parts) -> None:
    """Let a held scope send again without waiting for its probe."""
    await release_hold(parts.store, scope)
