"""The page ``/docs``: the description of the API in Swagger UI. Its files are served from here, for networks without
internet.
"""

from importlib.resources import files
from pathlib import Path

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

_STATIC = Path(str(files("fastapi_standalone_docs"))) / "static"
#: the files of the page by their names
_FILES = {
    "swagger-ui.css": _STATIC / "swagger" / "swagger-ui.css",
    "swagger-ui-bundle.js": _STATIC / "swagger" / "swagger-ui-bundle.js",
    "favicon.png": _STATIC / "fastapi" / "favicon.png",
}


async def _page(_: Request) -> Response:
    # addresses without a host: a proxy may serve the API under a path of its own
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="bulkfax",
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon.png",
    )


async def _file(request: Request) -> Response:
    path = _FILES.get(request.path_params["name"])
    if path is None:
        raise HTTPException(404)
    return FileResponse(path)


async def _to_page(_: Request) -> Response:
    return RedirectResponse("docs")


ROUTES = (Route("/", _to_page), Route("/docs", _page), Route("/docs/{name}", _file))
