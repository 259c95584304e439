"""GraphQL over Server-Sent Events, in distinct connections: one request, one stream of results.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md

Each event of a subscription carries its cursor as its id, so that a client that reconnects with
Last-Event-ID goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress

from graphql import GraphQLError, OperationType
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus, SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.addresses import Addresses
from api.context import RequestContext
from api.errors import present_errors
from api.http_request import GraphQLParameters
from api.match_channels import MatchChannels
from api.selections import Message, encode_errors
from api.stream_opening import Opening, operation_type
from core.errors import OfferpathError, UnauthenticatedError

EVENT_STREAM = "text/event-stream"
SLOW_SECONDS = 30.0
MOST_WAITING = 64 * 1024
"""Bytes kept for a connection that takes no more."""

_COMPLETE = b"event: complete\ndata:\n\n"

# The library would end every stream of the process when a server in it is told to; streams here
# end with their own server (MatchChannels.end).
AppStatus.enable_automatic_graceful_drain = False


def wants_events(accept: str | None) -> bool:
    """Whether a client asks for an event stream, and for nothing more than for it."""
    qualities: dict[str, float] = {}
    for part in (accept or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        with suppress(ValueError):
            qualities[name] = float(quality)
    asked = qualities.pop(EVENT_STREAM, 0.0)
    return asked > 0 and all(asked >= other for other in qualities.values())


class StreamSink:
    """A subscription's way out as an event stream; see match_channels.Sink."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()
        self._taken.set()

    def is_ready(self) -> bool:
        """Whether it keeps less than MOST_WAITING."""
        return self._size < MOST_WAITING

    async def wait_ready(self) -> None:
        """Wait until it does; EventStream gives a reader up that does not read."""
        while not self.is_ready():
            self._taken.clear()
            await self._taken.wait()

    @property
    def form(self) -> str:
        """All event streams look the same."""
        return EVENT_STREAM

    def encode(self, messages: Sequence[Message]) -> bytes:
        """`next` events, each with its cursor."""
        # The id comes last: who reads line by line notes it when the event has been handled.
        return b"".join(
            b"%bid: %b\n\n" % (next_event(message.payload)[:-1], message.cursor.encode())
            for message in messages
        )

    def write(self, encoded: bytes) -> None:
        """Keep events until the connection takes them."""
        self._waiting.append(encoded)
        self._size += len(encoded)
        self._filled.set()

    def beat(self, cursor: str) -> None:
        """A comment; it moves what the client sends as Last-Event-ID."""
        self.write(b": still here\nid: %b\n\n" % cursor.encode())

    def close(self) -> None:
        """Nothing more will come."""
        self._filled.set()

    async def take(self) -> bytes:
        """All there is; waits for something, and is empty only after close()."""
        await self._filled.wait()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._filled.clear()
        self._taken.set()
        return taken


def next_event(payload: bytes) -> bytes:
    """A result as the protocol's `next` event; JSON has no line breaks of its own."""
    return b"event: next\ndata: %b\n\n" % payload


class EventStream(EventSourceResponse):
    """An event stream that counts among its address's lasting connections."""

    def __init__(
        self, events: AsyncIterator[bytes], request: Request, addresses: Addresses
    ) -> None:
        # Followers are kept alive by MatchChannels; sep is what next_event() writes.
        super().__init__(events, ping=0, sep="\n", send_timeout=SLOW_SECONDS)
        self._request = request
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the events or the connection end, or the reader does not read."""
        with self._addresses.place(self._request) as taken:
            if not taken:
                await Response("Too many connections.\n", 429)(scope, receive, send)
                return
            with suppress(SendTimeoutError):
                await super().__call__(scope, receive, send)


class EventStreams:
    """Answers requests with event streams.

    Args:
        channels: of the process.
        addresses: how many lasting connections each may have.
    """

    def __init__(self, channels: MatchChannels, addresses: Addresses) -> None:
        self._channels = channels
        self._addresses = addresses

    def is_subscription(self, parameters: GraphQLParameters) -> bool:
        """Whether a subscription is asked for."""
        kind = operation_type(parameters, self._channels.documents)
        return kind is OperationType.SUBSCRIPTION

    def once(self, request: Request, payload: bytes) -> Response:
        """The stream of an operation with one result."""

        async def events() -> AsyncGenerator[bytes, None]:
            yield next_event(payload) + _COMPLETE

        return EventStream(events(), request, self._addresses)

    async def subscribe(
        self, request: Request, parameters: GraphQLParameters, context: RequestContext
    ) -> Response:
        """The stream of a subscription; what refuses it is told as its only result."""
        context.resume_after = request.headers.get("last-event-id") or None
        opening = await self._channels.open(parameters, context)
        if isinstance(opening, list):
            return self.once(request, encode_errors(opening))
        return EventStream(self._events(opening, context), request, self._addresses)

    async def _events(
        self, opening: Opening, context: RequestContext
    ) -> AsyncGenerator[bytes, None]:
        sink = StreamSink()
        following = asyncio.get_running_loop().create_task(
            self._channels.follow(opening, context, sink)
        )
        following.add_done_callback(lambda _: sink.close())
        try:
            yield b": welcome\n\n"  # the headers go out with the first bytes
            while taken := await sink.take():
                yield taken
            yield _last_words(following)
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError, OfferpathError):
                await following


def _last_words(following: asyncio.Task[None]) -> bytes:
    """What ends a stream: `complete`, unless the client should come again."""
    error = following.exception()
    if error is None:
        return _COMPLETE
    if isinstance(error, UnauthenticatedError):
        refused = GraphQLError("", original_error=error)
        return next_event(encode_errors(present_errors([refused], hints=False))) + _COMPLETE
    if not isinstance(error, OfferpathError):
        raise error
    return b""
