"""Real endpoints on ports of the system's choice, which behave as badly as a test wants."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[["Receiver", "Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    text: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(slots=True)
class Receiver:
    """An HTTP server; ``answer`` is what it does with the requests to come."""

    answer: Answer
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    connections: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.requests]

    async def wait_for(self, count: int, seconds: float = 20) -> list[Received]:
        """The requests, once there are that many."""
        async with asyncio.timeout(seconds):
            while len(self.requests) < count:
                self._news.clear()
                await self._news.wait()
        return self.requests

    async def wait_taken(self, count: int, seconds: float = 20) -> list[str]:
        """The ids that were answered with a success, once there are that many."""
        async with asyncio.timeout(seconds):
            while len(self.taken) < count:
                self._news.clear()
                await self._news.wait()
        return self.taken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self._news.set()
                await self.answer(self, request, writer)
                await writer.drain()
                self._news.set()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test has ended
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def receiving(answer: Answer | None = None) -> AsyncIterator[Receiver]:
    """A receiver that is there while the context is; takes everything unless told otherwise."""
    receiver = Receiver(answer or status(204))
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            await receiver.serve(reader, writer)
        finally:
            open_now.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


def status(code: int, *headers: str, body: str = "") -> Answer:
    """Answer at once."""

    async def answer(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {code} Status", f"Content-Length: {len(body)}", *headers, "", body]
        writer.write("\r\n".join(lines).encode())
        if 200 <= code < 300:
            receiver.taken.append(request.id)

    return answer


async def hang(_receiver: Receiver, _request: Received, _writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.sleep(3600)


async def reset(_receiver: Receiver, _request: Received, writer: asyncio.StreamWriter) -> None:
    """Drop the connection with a reset."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError


async def drip(_receiver: Receiver, _request: Received, writer: asyncio.StreamWriter) -> None:
    """Send the head of an answer so slowly that no single read ever times out."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(3600):
        writer.write(b"X-Drip-%d: 1\r\n" % number)
        await writer.drain()
        await asyncio.sleep(0.05)


async def flood(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
    """Answer 200 with a body that has no end."""
    receiver.taken.append(request.id)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


def refusing(event_ids: set[str], code: int = 422) -> Answer:
    """Refuse some events and take the others."""
    refuse, take = status(code), status(200, body="ok")

    async def answer(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        await (refuse if request.id in event_ids else take)(receiver, request, writer)

    return answer


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(first.split(" ")[1], headers, body.decode())
