"""GraphQL over WebSocket: the graphql-transport-ws protocol, and no other.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from graphql import GraphQLError, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry import UNSET, Schema
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message
from strawberry.types.unset import UnsetType

from api.addresses import Addresses
from api.context import RequestContext, Services
from api.errors import present_errors
from api.followers import ServerEndingError
from api.http_endpoint import OPERATION_SECONDS, open_context
from api.http_request import GraphQLParameters, RequestError, check_json
from api.match_channels import MatchChannels
from api.selections import Message as MatchMessage
from api.stream_opening import operation_type
from api.websocket_protocol import EXTENSION, FrameWriter, text_frames
from core.errors import OfferpathError, UnauthenticatedError

INIT_SECONDS = 10
MAX_OPERATIONS = 20
MAX_MESSAGE_CHARACTERS = 200_000
SLOW_SECONDS = 30.0
"""How long a reader may take nothing before its connection is given up."""

RESTART = 1012
BAD_REQUEST = 4400
FORBIDDEN = 4403
TOO_SLOW = 4410
TOO_MANY = 4429


class TooSlowError(OfferpathError):
    """A reader has not read for SLOW_SECONDS."""


class SocketSink:
    """One subscription's way out over a WebSocket; see match_channels.Sink."""

    def __init__(self, writer: FrameWriter, operation_id: str) -> None:
        self._writer = writer
        self._id = operation_id
        self._head = f'{{"id":{json.dumps(operation_id)},"type":"next","payload":'.encode()

    def is_ready(self) -> bool:
        """Whether the connection keeps less than its mark."""
        return self._writer.is_writable()

    async def wait_ready(self) -> None:
        """Wait until it does.

        Raises:
            TooSlowError: when the reader takes too long.
        """
        if self._writer.is_writable():
            return
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await self._writer.wait_writable()
        except TimeoutError as error:
            raise TooSlowError("The reader does not read.") from error

    @property
    def form(self) -> bytes:
        """What stands around a message: clients that number their operations share it."""
        return self._head

    def encode(self, messages: Sequence[MatchMessage]) -> bytes:
        """Frames of `next` messages: the shared bytes with this operation's id around them."""
        head = self._head
        return text_frames([head + message.payload + b"}" for message in messages])

    def write(self, encoded: bytes) -> None:
        """Write frames."""
        self._writer.write_frames(encoded)

    def beat(self, cursor: str) -> None:
        """The protocol's ping; clients answer with its pong."""
        payload = {"id": self._id, "cursor": cursor}
        text = json.dumps({"type": "ping", "payload": payload})
        self._writer.write_frames(text_frames([text.encode()]))


class TransportHandler(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """Checks the form of messages before the protocol looks at them; ends with the credential."""

    _expiry: asyncio.TimerHandle | None = None

    async def handle_message(self, message: Message) -> None:
        """Refuse what is not a message of the protocol with 4400; pass on what is."""
        problem = _problem_of(message)
        if problem is not None:
            await self.websocket.close(code=BAD_REQUEST, reason=problem)
            return
        await super().handle_message(message)
        if self.connection_acknowledged and self._expiry is None:
            self._close_on_expiry()

    async def run_operation(self, operation: Operation[RequestContext, None]) -> None:
        """Run one operation, if the credential that opened the socket is still good.

        One that is no subscription gets the time that HTTP gives it.
        """
        try:
            await self.context.identify_again()
        except UnauthenticatedError:
            await self.websocket.close(code=FORBIDDEN, reason="The credential is not valid")
            return
        endpoint = cast(WebSocketEndpoint, self.view)
        parameters = GraphQLParameters(
            operation.query, operation.variables, operation.operation_name
        )
        if operation_type(parameters, endpoint.channels.documents) is OperationType.SUBSCRIPTION:
            await self._follow(operation, parameters, endpoint.channels)
            return
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                await super().run_operation(operation)
        except TimeoutError as error:
            late = GraphQLError("", original_error=error)
            await operation.send_initial_errors(present_errors([late], hints=False))

    async def _follow(
        self,
        operation: Operation[RequestContext, None],
        parameters: GraphQLParameters,
        channels: MatchChannels,
    ) -> None:
        opening = await channels.open(parameters, self.context)
        if isinstance(opening, list):
            await operation.send_initial_errors(opening)
            return
        writer = cast(ASGIWebSocketAdapter, self.websocket).ws.scope["extensions"][EXTENSION]
        try:
            await channels.follow(opening, self.context, SocketSink(writer, operation.id))
        except UnauthenticatedError as error:
            ended = GraphQLError("", original_error=error)
            await operation.send_initial_errors(present_errors([ended], hints=False))
            await self.websocket.close(code=FORBIDDEN, reason="The credential is not valid")
        except TooSlowError as error:
            writer.give_up(TOO_SLOW, str(error))
        except ServerEndingError:
            await self.websocket.close(code=RESTART, reason="The server restarts")
        else:
            await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def shutdown(self) -> None:
        """End every operation of the connection."""
        if self._expiry is not None:
            self._expiry.cancel()
        await super().shutdown()

    def _close_on_expiry(self) -> None:
        principal = self.context.principal
        if principal is None or principal.expires_at is None:
            return
        seconds = max(0.0, (principal.expires_at - datetime.now(UTC)).total_seconds())
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        task = asyncio.ensure_future(
            self.websocket.close(code=FORBIDDEN, reason="The credential has expired")
        )
        task.add_done_callback(self._task_done)


class WebSocketEndpoint(GraphQL[RequestContext, None]):
    """Serves WebSocket connections; HTTP goes another way."""

    graphql_transport_ws_handler_class = TransportHandler

    def __init__(self, schema: Schema, channels: MatchChannels, addresses: Addresses) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=MAX_OPERATIONS,
        )
        self.channels = channels
        self._addresses = addresses

    async def serve(self, websocket: WebSocket) -> None:
        """Speak with one connection until it ends."""
        with self._addresses.place(websocket) as taken:
            if not taken:
                await websocket.accept()
                await websocket.close(code=TOO_MANY, reason="Too many connections")
                return
            await self.run(websocket)

    def decode_json(self, data: str | bytes) -> object:
        """JSON of a bounded size; what nests too deeply is no message."""
        if len(data) > MAX_MESSAGE_CHARACTERS:
            raise json.JSONDecodeError("message too long", "", 0)
        try:
            value: object = json.loads(data)
            check_json(value, "The message")
        except (RecursionError, RequestError) as error:
            raise json.JSONDecodeError("nested too deeply", "", 0) from error
        return value

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002 - Strawberry's signature
    ) -> RequestContext:
        """A context without a principal yet: who it is comes with connection_init."""
        return open_context(cast(Services, request.app.state.services), request)

    async def on_ws_connect(self, context: RequestContext) -> UnsetType | dict[str, object] | None:
        """Let the connection in when connection_init or the handshake carries a credential."""
        given = {name.lower() for name in context.connection_params}
        names_one = bool(given & {"authorization", "x-api-key"})
        try:
            await context.identify(context.connection_params if names_one else context.headers)
            context.require_principal()
        except UnauthenticatedError as error:
            raise ConnectionRejectionError from error
        nothing_to_say: UnsetType = UNSET
        return nothing_to_say


def _problem_of(message: object) -> str | None:
    """Why a message is none of the protocol; None when its form is right."""
    if not isinstance(message, dict):
        return "A message must be an object"
    if not isinstance(message.get("type"), str):
        return "A message must have a type"
    if message["type"] == "subscribe":
        return _problem_of_subscribe(message)
    if message["type"] == "complete" and not isinstance(message.get("id"), str):
        return "A complete message must have an id"
    return None


def _problem_of_subscribe(message: Mapping[str, Any]) -> str | None:
    payload = message.get("payload")
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "A subscribe message must have an id"
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return "A subscribe message must have a payload with a query"
    if not isinstance(payload.get("variables"), dict | None):
        return "The variables must be an object"
    if not isinstance(payload.get("operationName"), str | None):
        return "The operationName must be a string"
    return None
