"""The composition root of the server: settings in, ASGI application out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from api.authentication import Authenticator, is_loopback
from api.context import Services
from api.cursors import Cursors
from api.guard import DocumentCache
from api.http_endpoint import HTTPEndpoint
from api.schema import build_schema
from api.websocket_endpoint import MAX_MESSAGE_CHARACTERS, WebSocketEndpoint
from core.errors import SettingsError
from core.settings import Environment, Settings
from graph.open import open_engine
from graph.store import GraphStore
from matching.service import Clock, MatchingService, utc_now

GRACE_SECONDS = 8
logger = logging.getLogger("offerpath.api")


def create_app(settings: Settings, clock: Clock = utc_now) -> Starlette:
    """The ASGI application; its lifespan opens the graph and the matcher, and closes them.

    Raises (at start-up):
        OfferpathError: when the graph cannot be opened.
    """
    documents = DocumentCache()
    schema = build_schema(documents)
    over_http = HTTPEndpoint(schema)
    over_websocket = WebSocketEndpoint(schema, documents)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_services(settings, clock) as services:
            app.state.services = services
            yield

    async def graphql(request: Request) -> Response:
        return await over_http.answer(request, request.app.state.services)

    async def graphql_socket(websocket: WebSocket) -> None:
        await over_websocket.serve(websocket)

    return Starlette(
        routes=[
            Route("/graphql", graphql, methods=None),
            WebSocketRoute("/graphql", graphql_socket),
            Route("/healthz", alive, methods=["GET"]),
            Route("/readyz", ready, methods=["GET"]),
        ],
        lifespan=lifespan,
    )


@asynccontextmanager
async def open_services(settings: Settings, clock: Clock = utc_now) -> AsyncIterator[Services]:
    """The services of one process, closed in the reverse order of their opening."""
    engine = await open_engine(settings)
    try:
        store = await GraphStore.open(engine, clock)
    except BaseException:
        await engine.close()
        raise
    try:
        matching = await MatchingService.open(store, settings, clock)
        try:
            yield Services(
                settings=settings,
                store=store,
                matching=matching,
                cursors=Cursors(store.graph_id + settings.jwt_key.get_secret_value()),
                authenticator=Authenticator(settings, store, clock),
            )
        finally:
            await matching.close()
    finally:
        await store.close()


async def alive(_request: Request) -> Response:
    """The process answers; says nothing of the graph."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> Response:
    """200 when matching answers, 503 before."""
    health = request.app.state.services.matching.health()
    content = {"ready": health.ready, "seq": health.seq, "modelVersion": health.model_version}
    return JSONResponse(content, 200 if health.ready else 503)


def run_server(settings: Settings, on_started: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; running requests then get 8 seconds to finish.

    Sockets close with 1012. There is one process: the embedded graph has one owner.

    Args:
        settings: where to listen, among others.
        on_started: called with the server's URL once it answers.

    Raises:
        SettingsError: when the settings would open the API to other machines.
    """
    check_exposure(settings)
    _Server(_server_config(settings), on_started).run()


def check_exposure(settings: Settings) -> None:
    """Refuse to serve without credentials to anybody but this machine.

    Raises:
        SettingsError: in development on a host that is not loopback.
    """
    if settings.environment is Environment.DEVELOPMENT and not is_loopback(settings.host):
        raise SettingsError(
            f"In development the API is open to everybody, and {settings.host} can be reached "
            "from other machines.",
            mend="Set OFFERPATH_ENVIRONMENT=production, or OFFERPATH_HOST=127.0.0.1.",
            field=("OFFERPATH_HOST",),
        )


def _server_config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        workers=1,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws_max_size=MAX_MESSAGE_CHARACTERS * 4,
        ws_max_queue=32,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        server_header=False,
    )


class _Server(uvicorn.Server):
    """Says where it listens once it does: the port may be the system's choice."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Open the services and the port, then tell."""
        await super().startup(sockets)
        if self._on_started is not None and not self.should_exit:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            self._on_started(f"http://{host}:{port}/graphql")
