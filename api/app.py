"""The composition root of the server: settings in, ASGI application out."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from signal import SIGINT, SIGTERM
from socket import socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from announcing.announcer import announcing
from announcing.feed import MatchFeed
from api.addresses import Addresses
from api.authentication import Authenticator, find_lockout, is_loopback
from api.context import Services
from api.cursors import Cursors
from api.graphiql import ASSETS_ROUTE, GraphiQL
from api.guard import DocumentCache
from api.http_endpoint import HTTPEndpoint
from api.match_channels import MatchChannels
from api.retention import letting_go
from api.schema import build_schema
from api.sse_endpoint import EventStreams
from api.websocket_endpoint import MAX_MESSAGE_CHARACTERS, WebSocketEndpoint
from api.websocket_protocol import FramedProtocol
from core.errors import SettingsError
from core.settings import Environment, Settings
from graph.embedded_engine import EmbeddedEngine
from graph.open import open_engine
from graph.store import GraphStore
from matching.service import Clock, MatchingService, utc_now
from webhooks.addresses import GuardedNetwork, Reach
from webhooks.dispatcher import delivering
from webhooks.registry import WebhookRegistry
from webhooks.trials import WebhookTrials

GRACE_SECONDS = 8

logger = logging.getLogger("offerpath.api")


def create_app(settings: Settings, clock: Clock = utc_now) -> Starlette:
    """The ASGI application; its lifespan opens the graph and the matcher, and closes them.

    Raises (at start-up):
        OfferpathError: when the graph cannot be opened.
    """
    documents = DocumentCache()
    schema = build_schema(documents)
    graphiql = GraphiQL() if settings.environment is Environment.DEVELOPMENT else None
    channels = MatchChannels(schema, documents)
    addresses = Addresses(settings.connections_per_address)
    over_http = HTTPEndpoint(schema, EventStreams(channels, addresses), graphiql)
    over_websocket = WebSocketEndpoint(schema, channels, addresses)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_services(settings, clock) as services, channels.running():
            app.state.services = services
            yield

    async def graphql(request: Request) -> Response:
        return await over_http.answer(request, request.app.state.services)

    async def graphql_socket(websocket: WebSocket) -> None:
        await over_websocket.serve(websocket)

    routes: list[BaseRoute] = [
        Route("/graphql", graphql, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", graphql_socket),
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
    ]
    if graphiql is not None:
        routes.append(Route(ASSETS_ROUTE, graphiql.asset, methods=["GET"]))
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.channels = channels
    app.state.addresses = addresses
    return app


@asynccontextmanager
async def open_services(settings: Settings, clock: Clock = utc_now) -> AsyncIterator[Services]:
    """The services of one process, closed in the reverse order of their opening.

    What is older than the settings keep it (idempotency keys, events) is let go every day.
    """
    engine = await open_engine(settings)
    try:
        store = await GraphStore.open(engine, clock)
    except BaseException:
        await engine.close()
        raise
    try:
        lockout = find_lockout(settings, await store.list_api_keys(), clock())
        if lockout is not None:
            logger.warning("%s", lockout)
        matching = await MatchingService.open(store, settings, clock)
        try:
            cursors = Cursors(store.graph_id + settings.jwt_key.get_secret_value())
            async with (
                letting_go(store, settings, clock),
                feeding(store) as feed,
                posting(store, feed, settings, clock, cursors) as (registry, trials),
                announcing(store, matching, settings, clock) as announcer,
            ):
                yield Services(
                    settings=settings,
                    store=store,
                    matching=matching,
                    cursors=cursors,
                    authenticator=Authenticator(settings, store, clock),
                    clock=clock,
                    feed=feed,
                    announcer=announcer,
                    webhooks=registry,
                    webhook_trials=trials,
                )
        finally:
            await matching.close()
    finally:
        await store.close()


@asynccontextmanager
async def feeding(store: GraphStore) -> AsyncIterator[MatchFeed]:
    """The match events of the log, followed meanwhile."""
    feed = MatchFeed(store)
    await feed.start()
    try:
        yield feed
    finally:
        await feed.stop()


@asynccontextmanager
async def posting(
    store: GraphStore, feed: MatchFeed, settings: Settings, clock: Clock, cursors: Cursors
) -> AsyncIterator[tuple[WebhookRegistry, WebhookTrials]]:
    """What owners of webhooks need, while webhooks are sent."""
    cursor_of = cursors.event_cursor
    with closing(GuardedNetwork(Reach.of(settings))) as network:
        registry = WebhookRegistry(store, settings, clock, network)
        trials = WebhookTrials(store, settings, clock, registry, network, cursor_of=cursor_of)
        sending = delivering(store, feed, settings, clock, network=network, cursor_of=cursor_of)
        async with sending:
            yield registry, trials


async def alive(_request: Request) -> Response:
    """The process answers; says nothing of the graph."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> Response:
    """200 when matching answers, 503 before."""
    health = request.app.state.services.matching.health()
    content = {"ready": health.ready, "seq": health.seq, "modelVersion": health.model_version}
    return JSONResponse(content, 200 if health.ready else 503)


def run_server(settings: Settings, on_started: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then return.

    Running requests get 8 seconds to finish, sockets close with 1012. There is one process: the
    embedded graph has one owner.

    Args:
        settings: where to listen, among others.
        on_started: called with the server's URL once it answers.

    Raises:
        SettingsError: when the settings would open the API to other machines.
        OfferpathError: when the graph cannot be opened.
    """
    check_exposure(settings)
    server = Server(settings, on_started)
    # uvicorn raises the signal again when it has ended: by then there is nothing left to do.
    before = {number: signal.signal(number, _ignore) for number in (SIGINT, SIGTERM)}
    try:
        server.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


class Server(uvicorn.Server):
    """uvicorn with this service's limits; owns the services from before to after its port.

    Args:
        settings: where to listen; port 0 is the system's choice.
        on_started: called with the server's URL once it answers.
        clock: of the services.
    """

    def __init__(
        self,
        settings: Settings,
        on_started: Callable[[str], None] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.app = create_app(settings, clock)
        super().__init__(_server_config(settings, self.app))
        self.url = ""
        self._settings = settings
        self._clock = clock
        self._on_started = on_started
        self._open = AsyncExitStack()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Open the services, then the port, then tell.

        Raises:
            OfferpathError: when a service cannot be opened.
        """
        opened = open_services(self._settings, self._clock)
        services = await self._open.enter_async_context(opened)
        self.app.state.services = services
        await self._open.enter_async_context(self.app.state.channels.running())
        try:
            await super().startup(sockets)
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/graphql"
            if isinstance(services.store.engine, EmbeddedEngine):
                services.store.engine.announce(self.url)
        except BaseException:
            await self._open.aclose()
            raise
        if self._on_started is not None:
            self._on_started(self.url)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Close the port, let running requests finish, then close the services."""
        self.app.state.channels.end()
        try:
            await super().shutdown(sockets)
        finally:
            await self._open.aclose()


def _server_config(settings: Settings, app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        lifespan="off",  # the server owns the services itself, so that failures keep their type
        workers=1,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws=FramedProtocol,
        ws_per_message_deflate=False,
        ws_max_size=MAX_MESSAGE_CHARACTERS * 4,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        server_header=False,
    )


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The server has ended in order; the signal has nothing more to say."""
