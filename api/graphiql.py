"""GraphiQL, the query editor for browsers: its page and files, all of them part of this package."""

from __future__ import annotations

import hashlib
import html
from importlib.resources import files

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from api.authentication import is_loopback

ASSETS_ROUTE = "/graphiql/{digest}/{name}"
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the editor sizes itself by style attributes
        "img-src 'self' data:",
        "font-src 'self' data:",  # the style sheet carries its fonts and a few images as data
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

_FOLDER = files("api") / "static" / "graphiql"
_MEDIA_TYPES = {
    "react.production.min.js": "text/javascript",
    "react-dom.production.min.js": "text/javascript",
    "graphiql.min.js": "text/javascript",
    "boot.js": "text/javascript",
    "graphiql.min.css": "text/css",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}
_FOREVER = "public, max-age=31536000, immutable"


class GraphiQL:
    """The page and the files it loads, read once.

    The files' URLs carry a digest of their contents, so that browsers may keep them for ever and
    still load the new ones after an upgrade.
    """

    def __init__(self) -> None:
        self._assets = {name: (_FOLDER / name).read_bytes() for name in _MEDIA_TYPES}
        digest = hashlib.sha256()
        for name, content in self._assets.items():
            digest.update(f"{name} {len(content)}\n".encode() + content)
        self._digest = digest.hexdigest()[:16]
        self._page = (
            _text("page.html")
            .replace("{{assets}}", f"/graphiql/{self._digest}")
            .replace("{{first-query}}", html.escape(_text("first.graphql")))
        )

    def page(self) -> Response:
        """The page; it loads nothing from anywhere else, and its policy forbids that it does."""
        return Response(
            self._page,
            media_type="text/html",
            headers={
                "Cache-Control": "no-store",
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "Referrer-Policy": "no-referrer",
                "Vary": "Accept",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def asset(self, request: Request) -> Response:
        """One of the page's files; 404 for anything else and for callers on other machines."""
        name = request.path_params["name"]
        known = request.path_params["digest"] == self._digest and name in self._assets
        if not known or not is_local(request):
            return Response("Not found\n", 404, media_type="text/plain")
        return Response(
            self._assets[name],
            media_type=_MEDIA_TYPES[name],
            headers={"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"},
        )


def is_local(connection: HTTPConnection) -> bool:
    """Whether the caller is on this machine."""
    return is_loopback(connection.client.host if connection.client else None)


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
