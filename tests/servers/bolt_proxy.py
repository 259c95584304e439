"""A TCP proxy before a Neo4j server that cuts connections right before or right after a COMMIT."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from urllib.parse import urlsplit

# The Bolt message COMMIT, whole: a chunk of two bytes (a structure without fields, its tag), end.
COMMIT = b"\x00\x02\xb0\x12\x00\x00"
_READ_BYTES = 65_536


class Cut(StrEnum):
    """Where a connection is cut: the client cannot tell the two apart."""

    BEFORE = "before"
    AFTER = "after"


class BoltProxy:
    """Passes bytes on, until it is told to cut the connection on which the next COMMIT comes.

    ``cuts`` counts what was cut; ``commits`` the COMMITs that were seen.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._order: tuple[Cut, asyncio.Event] | None = None
        self._due = 0
        self.cuts: Counter[Cut] = Counter()
        self.commits = 0
        self.uri = ""

    async def cut(self, cut: Cut, commits: int) -> None:
        """Let some COMMITs pass and cut at the next one; returns when that is done."""
        done = asyncio.Event()
        self._order, self._due = (cut, done), self.commits + commits
        await done.wait()

    async def serve(
        self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        """One connection, to its end."""
        from_server, to_server = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(_pass_on(from_server, to_client))
        try:
            await self._follow_client(from_client, to_server, from_server, answers)
        finally:
            answers.cancel()
            for writer in (to_client, to_server):
                writer.transport.abort()

    async def _follow_client(
        self,
        from_client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        answers: asyncio.Task[None],
    ) -> None:
        kept = b""
        with suppress(ConnectionError):
            while data := await from_client.read(_READ_BYTES):
                text = kept + data
                start = text.find(COMMIT)
                if start < 0:
                    # A COMMIT may come in two pieces; what was passed on already is not searched.
                    kept = text[-(len(COMMIT) - 1) :]
                    to_server.write(data)
                    continue
                kept = b""
                self.commits += 1
                if self._order is None or self.commits <= self._due:
                    to_server.write(data)
                    continue
                (cut, done), self._order = self._order, None
                if cut is Cut.AFTER:
                    await _stop(answers)
                    to_server.write(data)
                    assert await from_server.read(_READ_BYTES), "the server did not answer COMMIT"
                self.cuts[cut] += 1
                done.set()
                return


@asynccontextmanager
async def bolt_proxy(uri: str) -> AsyncIterator[BoltProxy]:
    """A proxy before the server at a bolt:// URI; ``uri`` of the proxy is where it listens."""
    target = urlsplit(uri)
    assert target.hostname, f"{uri} names no host"
    proxy = BoltProxy(target.hostname, target.port or 7687)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.uri = f"bolt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
        writer.transport.abort()


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
