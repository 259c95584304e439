"""uvicorn's WebSocket protocol, with a way to write the same bytes to many connections.

ASGI takes a message at a time, as text, and a task that waits for each. Whoever tells many the same
writes ready bytes here, after asking whether the connection takes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "offerpath.frames"
"""Where a connection's scope has its FrameWriter, among its extensions."""

_TEXT = 0x81  # a whole text message in one frame
_ABORT_SECONDS = 5.0


class FrameWriter(Protocol):
    """Writes whole text messages to one WebSocket, past ASGI."""

    def is_writable(self) -> bool:
        """Whether less waits to be sent than the connection may keep."""

    async def wait_writable(self) -> None:
        """Wait until it is writable, or gone."""

    def write_frames(self, frames: bytes) -> None:
        """Write what text_frames() made; nothing happens when the connection is gone."""

    def give_up(self, code: int, reason: str) -> None:
        """Close it without waiting for a reader that does not read."""


class FramedProtocol(WebSocketsSansIOProtocol):
    """A WebSocket connection that is its own FrameWriter.

    Compression must be off: its state would have to be kept for each connection.
    """

    def handle_connect(self, event: Request) -> None:
        """Answer the handshake; a connection that stands shows itself in its scope."""
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][EXTENSION] = self

    def is_writable(self) -> bool:
        """See FrameWriter."""
        return self.writable.is_set()

    async def wait_writable(self) -> None:
        """See FrameWriter."""
        await self.writable.wait()

    def write_frames(self, frames: bytes) -> None:
        """See FrameWriter."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.transport.write(frames)

    def give_up(self, code: int, reason: str) -> None:
        """See FrameWriter."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()  # as soon as what waits has been read; else:
        asyncio.get_running_loop().call_later(_ABORT_SECONDS, self.transport.abort)


def text_frames(texts: Iterable[bytes]) -> bytes:
    """One frame for each message in UTF-8, in order."""
    parts: list[bytes] = []
    for text in texts:
        parts += (_header(len(text)), text)
    return b"".join(parts)


def _header(length: int) -> bytes:
    """The header of an unmasked text frame, RFC 6455, section 5.2."""
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65_536:
        return bytes((_TEXT, 126)) + length.to_bytes(2, "big")
    return bytes((_TEXT, 127)) + length.to_bytes(8, "big")
