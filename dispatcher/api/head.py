"""Answers HEAD wherever GET is answered. The server leaves the body out."""

from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.service.documents import DOCUMENT_PATH


class HeadAsGet:
    """Middleware that passes HEAD on as GET. Documents have a route of their own for it, which reads nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD" and not scope["path"].startswith(DOCUMENT_PATH):
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
