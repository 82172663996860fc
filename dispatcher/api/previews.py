"""The route of previews: pages of documents as their recipients will see them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.disconnects import while_connected
from dispatcher.api.full_disk import full_disk_refuses
from dispatcher.api.parameters import DocumentPath
from dispatcher.api.problems import raises
from dispatcher.api.turns import turn_until_answered
from dispatcher.service import errors
from dispatcher.service.previews import ImageConversion, Resolution, preview_page

router = APIRouter(prefix="/v1/documents", tags=["documents"])

#: previews that are drawn at the same time, and others that wait; each has its document in a temporary file
PREVIEWS_AT_ONCE, PREVIEWS_WAITING = 2, 20
#: what every answer says about itself
_CONVERSION = "bulkfax; the conversion of the provider is not public and can differ a little"
_PNG = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}


@router.get(
    "/{sha256}/preview",
    response_class=Response,
    responses={
        200: _PNG,
        **raises(errors.Missing, errors.Unreadable, errors.StoreFull),
    },
    dependencies=[turn_until_answered("preview_turns")],
)
async def preview_document(
    request: Request,
    sha256: DocumentPath,
    runtime: RuntimeDep,
    page: Annotated[int, Query(ge=1, le=100_000, description="Page, counted from 1.")] = 1,
    resolution: Annotated[
        Resolution, Query(description="FINE has 204 x 196 pixels per inch, SUPERFINE 204 x 391.")
    ] = "FINE",
    image_conversion_method: Annotated[
        ImageConversion, Query(description="How grey becomes black and white: by dots, or by one limit for all.")
    ] = "HALFTONE",
) -> Response:
    """Show a page as its recipients will see it: a picture with one bit per pixel, in the resolution of a fax.

    Pixels of a fax are not square; the picture says how large they are. It is bulkfax's own conversion: the provider's
    is not public, so the fax can look a little different. The header `Preview-Conversion` says so too.
    """
    processes = runtime.child_processes
    with full_disk_refuses():
        work = preview_page(runtime.store, processes, sha256, page, resolution, image_conversion_method)
        preview = await while_connected(request, work)
    headers = {"Preview-Conversion": _CONVERSION, "Preview-Pages": str(preview.pages)}
    return Response(preview.png, media_type="image/png", headers=headers)
