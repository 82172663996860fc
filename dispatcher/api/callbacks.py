"""Routes that the provider calls. No API key: the address itself is signed."""

from fastapi import APIRouter, Request

from dispatcher.api import models
from dispatcher.api.security import Parts

router = APIRouter(prefix="/callbacks/sinch", tags=["callbacks"])


@router.post("/incoming")
async def incoming_fax(request: Request, parts: Parts) -> models.Alive:
    """Incoming faxes are acknowledged and dropped: this software only sends."""
    await parts.receiver.drop_incoming(request.stream())
    return models.Alive()


@router.post("/{job}/{attempt}/{signature}")
async def fax_event(job: str, attempt: int, signature: str, request: Request, parts: Parts) -> models.Alive:
    """News of one attempt, on disk before it is acknowledged."""
    await parts.receiver.receive(
        job=job,
        attempt=attempt,
        signature=signature,
        content_type=request.headers.get("content-type", ""),
        body=request.stream(),
    )
    return models.Alive()
