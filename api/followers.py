"""One who follows match events: a position, a connection, and why it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from typing import Protocol

from api.context import RequestContext
from api.selections import Message
from core.errors import OfferpathError, UnauthenticatedError


class ServerEndingError(OfferpathError):
    """The server ends; who follows should connect again."""


def ending() -> ServerEndingError:
    """What followers are told when the server ends."""
    return ServerEndingError("The server ends.", mend="Connect again.")


def expired() -> UnauthenticatedError:
    """What a follower is told whose credential was revoked, or has expired."""
    return UnauthenticatedError("The credential is not valid any more.")


class Sink(Protocol):
    """A follower's way out: its connection and its operation."""

    @property
    def form(self) -> Hashable:
        """Sinks of the same form encode the same messages to the same bytes."""

    def is_ready(self) -> bool:
        """Whether it takes more without keeping it."""

    async def wait_ready(self) -> None:
        """Wait until it does.

        Raises:
            OfferpathError: when that takes too long; the follower is given up.
        """

    def encode(self, messages: Sequence[Message]) -> bytes:
        """What write() takes for these messages."""

    def write(self, encoded: bytes) -> None:
        """Send what encode() made."""

    def beat(self, cursor: str) -> None:
        """Say that the connection lives, and where it stands."""


class Follower:
    """One who follows.

    Args:
        context: of its connection; its credential is checked again and again.
        sink: where its messages go.
        position: the seq it stands behind; with its channel it may stand further on.
    """

    def __init__(self, context: RequestContext, sink: Sink, position: int) -> None:
        self.context = context
        self.sink = sink
        self.position = position
        self.is_live = False
        self.failure: OfferpathError | None = None
        self.silent_since = asyncio.get_running_loop().time()
        self._apart: asyncio.Future[None] | None = None
        principal = context.principal
        self._expires_at = principal.expires_at if principal else None

    def has_expired(self) -> bool:
        """Whether its credential is known to have ended by now."""
        ends = self._expires_at
        return ends is not None and ends <= self.context.services.clock()

    def end(self, failure: OfferpathError) -> None:
        """Let check() raise this, and wait no longer."""
        self.failure = failure
        self.part(self.position)

    def part(self, position: int) -> None:
        """Let it go on by itself from there, outside of its channel."""
        self.position = max(self.position, position)
        self.is_live = False
        if self._apart is not None and not self._apart.done():
            self._apart.set_result(None)

    async def wait_apart(self) -> None:
        """Be live until part() or end() is called."""
        self._apart = asyncio.get_running_loop().create_future()
        self.is_live = True
        try:
            await self._apart
        finally:
            self.is_live = False

    def check(self) -> None:
        """Raise what it ends with, if it ends."""
        if self.failure is not None:
            raise self.failure

    def send(self, messages: Sequence[Message]) -> None:
        """Send those that are new to it."""
        fresh = [message for message in messages if message.seq > self.position]
        if fresh:
            self.sink.write(self.sink.encode(fresh))
            self.position = fresh[-1].seq
            self.silent_since = asyncio.get_running_loop().time()
