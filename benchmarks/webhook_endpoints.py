"""Ten webhooks, three of which fail in different ways: what the others and the three receive.

Run: ``python -m benchmarks.webhook_endpoints [--seconds 20] [--rate 50]``; on Neo4j with
OFFERPATH_GRAPH_URI and _PASSWORD of a database that it may fill. One process writes match events to
the log and sends them; another has ten endpoints, of which one never answers, one answers 500 and
one resets its connections. Latency is from the commit to when the endpoint has read it, after a
warm-up of 5 s. When everything is written the three recover, and nothing is told to the service:
they are tried again when their windows say so. Prints one JSON object. Target: the seven have every
event within 2 s, and after recovery the three have everything they missed, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from announcing.feed import POLL_SECONDS
from core.settings import load_settings
from graph.open import open_engine
from tests.webhooks.posting import Post, posting
from tests.webhooks.receivers import Received, Receiver, hang, receiving, reset, status
from webhooks.dispatcher import delivering, spread

GOOD = 7
BAD = {"hang": hang, "500": status(500), "reset": reset}
TICK_SECONDS = 0.1
WARM_UP_SECONDS = 5.0
"""Of writing before what is measured: a Neo4j that has just started compiles its queries."""

RECOVERY_SECONDS = 300.0
KEY = "a-key-of-the-benchmark-and-of-nothing-else"


class Endpoint:
    """A receiver, with when each of its events was taken."""

    def __init__(self, name: str, receiver: Receiver) -> None:
        self.name = name
        self.receiver = receiver
        self.arrived: dict[str, float] = {}
        self.order: list[str] = []
        self._take = status(204)

    async def take(
        self, receiver: Receiver, request: Received, writer: asyncio.StreamWriter
    ) -> None:
        """Answer 204 and note the time."""
        self.order.append(request.id)
        self.arrived.setdefault(request.id, time.time())
        await self._take(receiver, request, writer)


async def send(urls: list[str], home: Path, seconds: float, rate: int) -> None:
    """Register the endpoints, write events for a while, and go on sending until killed."""
    engine = await open_engine(load_settings(home=home))
    try:
        async with posting(engine, home, poll_seconds=POLL_SECONDS, webhook_key=KEY) as post:
            for url in urls:
                await post.register(url)
            async with delivering(
                post.store,
                post.feed,
                post.settings,
                post.clock,
                network=post.network,
                jitter=spread,
            ):
                await _write(post, WARM_UP_SECONDS, rate)
                print(json.dumps(await _write(post, seconds, rate)), flush=True)
                await asyncio.Event().wait()
    finally:
        await engine.close()


async def _write(post: Post, seconds: float, rate: int) -> dict[str, float]:
    """Write events; when each was committed, by id, in the order of the log."""
    told: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    start = loop.time()
    for tick in range(int(seconds / TICK_SECONDS)):
        due = round((tick + 1) * rate * TICK_SECONDS) - len(told)
        ids = await post.tell_many(due, first=len(told))
        told |= dict.fromkeys(ids, time.time())
        await asyncio.sleep(max(0.0, start + (tick + 1) * TICK_SECONDS - loop.time()))
    return told


async def measure(seconds: float, rate: int, home: Path) -> dict[str, Any]:
    """Receive, let the three recover, and compare."""
    async with AsyncExitStack() as stack:
        names = [*(f"good-{number}" for number in range(GOOD)), *BAD]
        endpoints = [Endpoint(one, await stack.enter_async_context(receiving())) for one in names]
        for one in endpoints:
            one.receiver.answer = BAD.get(one.name, one.take)
        command = [sys.executable, "-m", "benchmarks.webhook_endpoints", "--send", str(home)]
        command += ["--seconds", str(seconds), "--rate", str(rate)]
        command += [one.receiver.url for one in endpoints]
        child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        try:
            assert child.stdout is not None
            told = json.loads(await child.stdout.readline())
            last = list(told)[-1]
            good, bad = endpoints[:GOOD], endpoints[GOOD:]
            await _wait(good, last, 60.0)
            recovered = time.time()
            for one in bad:
                one.receiver.answer = one.take
            await _wait(bad, last, RECOVERY_SECONDS)
        finally:
            child.kill()
            await child.wait()
    return _report(told, good, bad, recovered)


async def _wait(endpoints: list[Endpoint], event_id: str, seconds: float) -> None:
    last = time.monotonic() + seconds
    while any(event_id not in one.arrived for one in endpoints):
        if time.monotonic() > last:
            return
        await asyncio.sleep(0.05)


def _report(
    told: dict[str, float], good: list[Endpoint], bad: list[Endpoint], recovered: float
) -> dict[str, Any]:
    late = sorted(
        one.arrived[event_id] - committed
        for one in good
        for event_id, committed in told.items()
        if event_id in one.arrived
    )
    return {
        "events": len(told),
        "good": {
            "endpoints": len(good),
            "complete_and_in_order": sum(_in_order(one, told) for one in good),
            "latency_median_s": round(statistics.median(late), 3),
            "latency_p99_s": round(late[int(len(late) * 0.99)], 3),
            "latency_max_s": round(late[-1], 3),
        },
        "bad": {
            one.name: {
                "complete_and_in_order": _in_order(one, told),
                "attempts_while_failing": len(one.receiver.requests) - len(one.order),
                "repeats": len(one.order) - len(one.arrived),
                "all_after_recovery_s": round(
                    max(one.arrived.values(), default=recovered) - recovered, 1
                ),
            }
            for one in bad
        },
    }


def _in_order(endpoint: Endpoint, told: dict[str, float]) -> bool:
    """Whether each event came, the first time in the order of the log; those of the warm-up too."""
    seqs = [int(one.rpartition("-")[2]) for one in dict.fromkeys(endpoint.order)]
    return set(told) <= set(endpoint.order) and seqs == list(range(seqs[0], seqs[-1] + 1))


def main() -> None:
    """Measure, or be the process that sends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--send", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("urls", nargs="*", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.send is not None:
        asyncio.run(send(asked.urls, asked.send, asked.seconds, asked.rate))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(asked.seconds, asked.rate, Path(folder))), indent=2))


if __name__ == "__main__":
    main()
