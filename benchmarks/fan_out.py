"""Match events to a thousand subscribers: CPU for a delivery, time, memory, and a backlog.

Run: ``python benchmarks/fan_out.py [--subscribers 1000] [--filters 10] [--passes 1] [--rate 50]
[--seconds 30]`` on Linux, with nothing else running.

A server of its own serves an embedded graph, with everything that ``offerpath serve`` does; other
processes hold real WebSockets, and read frames with as little as can be. Events are written in the
server's process, ``--per-write`` of them in a transaction, so their writing counts as CPU of a
delivery. Each event passes ``--passes`` of the distinct filters. Printed as JSON: CPU of the server
over all deliveries (utime and stime of the process over the time of writing), how long after it was
written an event arrives, how much the process grows by a connection, and how long one subscriber
takes to read 10,000 events behind its cursor. Exits with 1 when something is lost, doubled or out
of order.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.app import Server
from core.entities import EventType
from core.settings import Settings
from graph.open import open_engine
from graph.session import EventDraft, Outcome
from graph.store import GraphStore

BUYERS, OFFERS = 1_000, 1_000
CLIENT_PROCESSES = 2
BACKLOG = 10_000
QUERY = """subscription ($filter: MatchEventFilterInput, $after: Cursor) {
  matchEvents(filter: $filter, after: $after) { __typename
    ... on MatchEvent { id seq cursor at type reason buyerId offerId
      offer { title price { amount currency } } buyer { kind country } }
    ... on MatchCreated { score rank } } }"""
_SEQ = re.compile(rb'"seq":(\d+)')
_AT = re.compile(rb'"at":"([^"]+)"')


def main() -> None:
    """Measure, or be one of the processes that measuring takes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--filters", type=int, default=10)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--per-write", type=int, default=10)
    parser.add_argument("--role", choices=["measure", "serve", "listen"], default="measure")
    parser.add_argument("--home", type=Path)
    asked = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if asked.role == "serve":
        serve(asked.home)
    elif asked.role == "listen":
        asyncio.run(listen())
    else:
        with tempfile.TemporaryDirectory() as home:
            sys.exit(asyncio.run(measure(asked, Path(home))))


# ---- what measures ----


async def measure(asked: argparse.Namespace, home: Path) -> int:
    """Print the four figures; 1 when events were lost, doubled or out of order."""
    server = await Child.start("serve", home)
    url = (await server.ask({}))["url"]
    listeners = [await Child.start("listen", home) for _ in range(CLIENT_PROCESSES)]
    count = int(asked.rate * asked.seconds)
    writing = {"do": "write", "rate": asked.rate, "per": asked.per_write, "vendors": asked.filters}
    alone = await server.ask({"do": "stats"})
    await server.ask({**writing, "events": count // 3})
    before = await server.ask({"do": "stats"})
    unheard = (before["cpu"] - alone["cpu"]) / (count // 3)
    each = asked.subscribers // CLIENT_PROCESSES
    for number, listener in enumerate(listeners):
        names = [
            [f"v-{(number * each + one + step) % asked.filters}" for step in range(asked.passes)]
            for one in range(each)
        ]
        await listener.ask({"url": url, "filters": [{"vendors": sorted(one)} for one in names]})
    await asyncio.sleep(2)
    idle = await server.ask({"do": "stats"})
    started = time.monotonic()
    await server.ask({**writing, "events": count})
    await asyncio.sleep(1.5)
    busy = await server.ask({"do": "stats"})
    took = time.monotonic() - started
    heard = [await listener.ask({"do": "report"}) for listener in listeners]
    deliveries = sum(one["deliveries"] for one in heard)
    expected = count * each * CLIENT_PROCESSES * asked.passes // asked.filters
    delays = sorted(delay for one in heard for delay in one["delays"])
    for listener in listeners:
        await listener.end()
    backlog = await backlog_seconds(server, url)
    await server.end()
    wrong = sum(one["wrong"] for one in heard) + abs(deliveries - expected) + backlog["wrong"]
    print(
        json.dumps(
            {
                "subscribers": each * CLIENT_PROCESSES,
                "events": count,
                "deliveries": deliveries,
                "expected": expected,
                "lost, doubled or out of order": wrong,
                "CPU us a delivery": round(1e6 * (busy["cpu"] - idle["cpu"]) / deliveries, 1),
                "of these us without a subscriber": round(1e6 * unheard * count / deliveries, 1),
                "CPU share": round((busy["cpu"] - idle["cpu"]) / took, 2),
                "delay p50 s": round(delays[len(delays) // 2], 3),
                "delay p99 s": round(delays[int(len(delays) * 0.99)], 3),
                "kB a connection": round(
                    (idle["rss"] - before["rss"]) / 1e3 / asked.subscribers, 1
                ),
                "backlog s": round(backlog["seconds"], 2),
                "backlog CPU s": round(backlog["cpu"], 2),
            },
            indent=2,
        )
    )
    return 1 if wrong else 0


async def backlog_seconds(server: Child, url: str) -> dict[str, float]:
    """How long one subscriber takes to read BACKLOG events that were there before it came."""
    cursor = (await server.ask({"do": "cursor"}))["cursor"]
    await server.ask({"do": "write", "events": BACKLOG, "rate": 1e9, "per": 500, "vendors": 10})
    last = (await server.ask({"do": "cursor"}))["seq"]
    done = asyncio.get_running_loop().create_future()
    seqs: list[int] = []

    def hear(text: bytes) -> None:
        found = _SEQ.search(text)
        if found:
            seqs.append(int(found[1]))
            if seqs[-1] == last and not done.done():
                done.set_result(time.monotonic())

    before = await server.ask({"do": "stats"})
    started = time.monotonic()
    await open_socket(url, {"after": cursor}, hear)
    ended = await asyncio.wait_for(done, 120)
    after = await server.ask({"do": "stats"})
    rising = all(one < other for one, other in itertools.pairwise(seqs))
    took = {"seconds": ended - started, "cpu": after["cpu"] - before["cpu"]}
    return {**took, "wrong": abs(len(seqs) - BACKLOG) + (not rising)}


class Child:
    """One of the processes; takes a line of JSON, and answers with one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, role: str, home: Path) -> Child:
        """Start it."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, __file__, "--role", role, "--home", str(home),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
            )
        )  # fmt: skip

    async def ask(self, what: dict[str, Any]) -> Any:
        """Send a line, await the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        return json.loads(await self._process.stdout.readline())

    async def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


# ---- the server ----


def serve(home: Path) -> None:
    """A server with a marketplace, and a writer that is told what to write."""
    settings = Settings(home=home, port=0, log_level="WARNING", connections_per_address=10_000)
    server = Server(settings, on_started=lambda _url: ready.set())
    ready = asyncio.Event()

    async def run() -> None:
        await make_market(settings)  # before the server looks: what it sees first is no news
        serving = asyncio.ensure_future(server.serve())
        await ready.wait()
        await answer_lines(lambda asked: do(server, asked))
        server.should_exit = True
        await serving

    factory = server.config.get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())


async def make_market(settings: Settings) -> None:
    """Buyers and offers to tell of."""
    store = await GraphStore.open(await open_engine(settings))
    await store.upsert_vendors([{"id": f"v-{number}"} for number in range(10)])
    await store.upsert_buyers(
        [{"id": f"b-{n}", "kind": "shop", "country": "GB"} for n in range(BUYERS)]
    )
    await store.upsert_offers(
        [
            {"id": f"o-{n}", "title": f"The offer with number {n}", "price_minor": 100 + n,
             "currency": "GBP", "vendor_id": f"v-{n % 10}"}
            for n in range(OFFERS)
        ]
    )  # fmt: skip
    await store.close()


async def do(server: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """One thing that the server's process is asked."""
    services = server.app.state.services
    match asked.get("do"):
        case "write":
            return {"seq": await write(services.store, **asked)}
        case "cursor":
            seq = await services.store.last_seq()
            return {"seq": seq, "cursor": services.cursors.event_cursor(seq)}
        case "stats":
            return {"cpu": cpu_seconds(), "rss": resident_bytes()}
    return {"url": server.url}


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds() -> float:
    """User and system time of this process with all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def write(
    store: Any, *, events: int, rate: float, per: int, vendors: int, **_rest: object
) -> int:
    """Append match events, ``per`` in a transaction, at a rate a second; the log's last seq."""
    started, seq = time.monotonic(), 0
    for first in range(0, events, per):
        drafts = tuple(
            EventDraft(
                EventType.MATCH_CREATED,
                buyer_id=f"b-{number * 7 % BUYERS}",
                offer_id=f"o-{number * 11 % OFFERS}",
                vendor_id=f"v-{number % vendors}",
                category_ids=("c-1",),
                payload={"reason": "OFFER_CHANGED"},
                score=0.5,
                rank=1 + number % 20,
                model_version="walk",
            )
            for number in range(first, min(first + per, events))
        )

        async def work(_tx: Any, drafts: tuple[EventDraft, ...] = drafts) -> Outcome:
            return Outcome((), drafts)

        seq = (await store.commit("write", None, work)).seq
        await asyncio.sleep(max(0.0, started + (first + per) / rate - time.monotonic()))
    return seq


# ---- the subscribers ----


async def listen() -> None:
    """Many sockets, each with one subscription; counts, and notes how late events are."""
    delays: list[float] = []
    counts = {"deliveries": 0, "wrong": 0}

    def listener() -> Callable[[bytes], None]:
        last = 0

        def hear(text: bytes) -> None:
            nonlocal last
            found, at = _SEQ.search(text), _AT.search(text)
            if found is None or at is None:
                return
            counts["deliveries"] += 1
            counts["wrong"] += int(found[1]) <= last
            last = int(found[1])
            if counts["deliveries"] % 7 == 0:  # a sample: reading times costs CPU of the machine
                written = datetime.fromisoformat(at[1].decode())
                delays.append((datetime.now(UTC) - written).total_seconds())

        return hear

    async def answer(asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("do") == "report":
            return {**counts, "delays": delays}
        for filter_ in asked["filters"]:
            await open_socket(asked["url"], {"filter": filter_}, listener())
        return {}

    await answer_lines(answer)


class Frames(asyncio.Protocol):
    """The client's end of a WebSocket: reads whole text frames, and writes small ones."""

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hear = hear
        self._buffer = b""
        self._open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("peername")
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def send(self, message: dict[str, Any], opcode: int = 1) -> None:
        """Send JSON as one frame, masked with zeros."""
        self._write(json.dumps(message).encode(), opcode)

    def data_received(self, data: bytes) -> None:
        """Cut what comes into frames."""
        self._buffer += data
        if not self._open:
            if b"\r\n\r\n" not in self._buffer:
                return
            self._buffer = self._buffer.partition(b"\r\n\r\n")[2]
            self._open = True
            self.send({"type": "connection_init"})
        while (frame := self._frame()) is not None:
            opcode, text = frame
            if opcode == 9:
                self._write(text, 10)
            elif text.startswith(b'{"type": "ping"') or text.startswith(b'{"type":"ping"'):
                self.send({"type": "pong"})
            elif b"connection_ack" in text and not self.acknowledged.done():
                self.acknowledged.set_result(None)
            else:
                self._hear(text)

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 127, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return None
        self._buffer = buffer[start + length :]
        return buffer[0] & 15, buffer[start : start + length]

    def _write(self, text: bytes, opcode: int) -> None:
        assert self._transport is not None
        size = len(text)
        head = bytes((128 | opcode, 128 | size)) if size < 126 else (
            bytes((128 | opcode, 254)) + size.to_bytes(2, "big")
        )  # fmt: skip
        self._transport.write(head + bytes(4) + text)


async def open_socket(url: str, variables: dict[str, Any], hear: Callable[[bytes], None]) -> None:
    """Connect and subscribe."""
    host, port = url.removeprefix("http://").removesuffix("/graphql").split(":")
    loop = asyncio.get_running_loop()
    _, frames = await loop.create_connection(lambda: Frames(hear), host, int(port))
    await frames.acknowledged
    payload = {"query": QUERY, "variables": variables}
    frames.send({"id": "1", "type": "subscribe", "payload": payload})


async def answer_lines(answer: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Answer each line that comes in with one; returns when no more come."""
    reader = asyncio.StreamReader(limit=2**26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
