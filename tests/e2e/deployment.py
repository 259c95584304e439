"""API processes and a subscriber that are killed and started again, on one graph."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
OFFERPATH = (sys.executable, "-c", "from cli.main import main; main()")
READY_SECONDS = 120.0
# What may or may not have been done: the same key makes it count once.
_UNKNOWN_ENDS = ("GRAPH_UNAVAILABLE", "INTERNAL", "TIMEOUT")


class Deployment:
    """Some API processes of one graph, each on a port and with a home of its own.

    Args:
        folder: of their homes and logs.
        graph: the OFFERPATH_GRAPH_* variables.
        servers: how many; one on the embedded engine.

    Attributes:
        ready: the numbers of those that were seen to answer since they were started.
    """

    def __init__(self, folder: Path, graph: Mapping[str, str], servers: int) -> None:
        self.folder = folder
        self._graph = graph
        ports = [_free_port() for _ in range(servers)]
        self.urls = [f"http://127.0.0.1:{port}/graphql" for port in ports]
        self._ports = ports
        self._processes: dict[int, Process] = {}
        self.ready: set[int] = set()
        self.subscriber: Process | None = None
        self.notes = folder / "told.jsonl"

    async def start(self, number: int) -> None:
        """Start the process of this number; it answers a little later."""
        home = self.folder / f"home-{number}"
        home.mkdir(exist_ok=True)
        with (self.folder / f"server-{number}.log").open("ab") as log:
            self._processes[number] = await asyncio.create_subprocess_exec(
                *OFFERPATH, "serve", "--port", str(self._ports[number]),
                cwd=ROOT, env=_environment({**self._graph, "OFFERPATH_HOME": str(home)}),
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def wait_ready(self, number: int) -> None:
        """Wait until it answers matches; AssertionError when its process ends before."""
        url = self.urls[number].replace("/graphql", "/readyz")
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient() as client:
            while True:
                process = self._processes[number]
                assert process.returncode is None, f"server {number} ended: {self.log(number)}"
                try:
                    if (await client.get(url)).status_code == 200:
                        self.ready.add(number)
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)

    def pid(self, number: int) -> int:
        """The process's id."""
        return self._processes[number].pid

    def log(self, number: int) -> str:
        """The end of what it said."""
        return (self.folder / f"server-{number}.log").read_text()[-3_000:]

    async def kill(self, number: int) -> None:
        """SIGKILL, wherever it is."""
        process = self._processes[number]
        assert process.returncode is None, f"server {number} had ended: {self.log(number)}"
        self.ready.discard(number)
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        """End every process: the servers in order, the subscriber at once."""
        await self.kill_subscriber()
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            await process.wait()

    async def start_subscriber(self, cursor: str) -> None:
        """Start what notes every event behind the cursor, or behind the last that it noted."""
        with (self.folder / "subscriber.log").open("ab") as log:
            self.subscriber = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.e2e.subscriber", str(self.notes), cursor, *self.urls,
                cwd=ROOT, env=_environment({}), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def kill_subscriber(self) -> None:
        """SIGKILL, wherever it is."""
        process, self.subscriber = self.subscriber, None
        if process is not None:
            assert process.returncode is None, (self.folder / "subscriber.log").read_text()
            process.kill()
            await process.wait()


class Caller:
    """Sends GraphQL to whichever server answers, again and again until one has answered."""

    def __init__(self, urls: list[str], dice: random.Random) -> None:
        self._urls = urls
        self._dice = dice
        self._client = httpx.AsyncClient(timeout=20)
        self.lost_tries = 0

    async def ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of the answer; AssertionError for a refusal, which no retry mends."""
        while True:
            url = self._dice.choice(self._urls)
            try:
                answer = await self._client.post(url, json={"query": query, "variables": variables})
                body = answer.json()
            except (httpx.HTTPError, ValueError):
                body = {"errors": [{"extensions": {"code": "INTERNAL"}}]}
            errors = body.get("errors") or []
            if not errors:
                data: dict[str, Any] = body["data"]
                return data
            codes = [error.get("extensions", {}).get("code") for error in errors]
            assert all(code in _UNKNOWN_ENDS for code in codes), body
            self.lost_tries += 1
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFERPATH_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
