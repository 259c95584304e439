"""The server as a process: it starts, tells where, ends in order, and fails in words."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api.app import open_services
from core.entities import IdempotencyKey
from core.errors import IdempotencyConflictError
from core.settings import load_settings
from tests.api.serving import START_SECONDS

SCRIPT = """
from api.app import run_server
from core.settings import load_settings
run_server(load_settings(), on_started=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


class Process:
    """`run_server` in a process of its own."""

    def __init__(self, home: Path, **environment: str) -> None:
        variables = {
            "OFFERPATH_HOME": str(home),
            "OFFERPATH_PORT": "0",
            "OFFERPATH_LOG_LEVEL": "WARNING",
            **environment,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | variables,
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        assert ready, "the server did not start"
        return self.process.stdout.readline().strip()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path)
    yield running
    running.process.kill()
    running.process.communicate()


def ask(url: str) -> httpx.Response:
    return httpx.post(url, json={"query": "{ health { ready } }"}, timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(process: Process, number: signal.Signals) -> None:
    url = process.url()
    assert ask(url).json() == {"data": {"health": {"ready": True}}}

    async def close_code() -> int:
        protocol = [Subprotocol("graphql-transport-ws")]
        async with connect(
            url.replace("http", "ws"), subprotocols=protocol, proxy=None
        ) as connection:
            await connection.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await connection.recv())["type"] == "connection_ack"
            process.process.send_signal(number)
            with pytest.raises(ConnectionClosed) as caught:
                await asyncio.wait_for(connection.recv(), 20)
            assert caught.value.rcvd is not None
            return caught.value.rcvd.code

    started = time.monotonic()
    assert asyncio.run(close_code()) == 1012
    out, err = process.process.communicate(timeout=20)
    assert time.monotonic() - started < 15
    assert (process.process.returncode, out) == (0, "ended\n"), err
    assert err == ""


def test_a_second_server_says_who_has_the_graph(process: Process, tmp_path: Path) -> None:
    url = process.url()
    second = Process(tmp_path)
    out, err = second.process.communicate(timeout=START_SECONDS)
    assert out == ""
    assert second.process.returncode != 0
    assert "GraphBusyError" in err
    assert url in err
    assert ask(url).status_code == 200


def test_development_is_not_opened_to_the_network(tmp_path: Path) -> None:
    refused = Process(tmp_path, OFFERPATH_HOST="0.0.0.0")
    _, err = refused.process.communicate(timeout=START_SECONDS)
    assert refused.process.returncode != 0
    assert "OFFERPATH_ENVIRONMENT=production" in err
    assert not (tmp_path / "graph.lbug").exists()


async def test_keys_are_kept_as_long_as_the_settings_say(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, idempotency_retention_days=2)
    key = IdempotencyKey("somebody:upsertVendor", "k")
    start = datetime(2026, 1, 1, tzinfo=UTC)

    async def name_vendor(name: str, at: datetime) -> None:
        async with open_services(settings, lambda: at) as services:
            rows = [{"id": "v", "name": name}]
            await services.store.upsert_vendors(rows, idempotency=key)

    await name_vendor("one", start)
    with pytest.raises(IdempotencyConflictError):
        await name_vendor("two", start + timedelta(days=1))
    await name_vendor("two", start + timedelta(days=3))


def test_the_server_runs_without_torch(tmp_path: Path) -> None:
    script = "import sys, api.app; print([m for m in sys.modules if m.split('.')[0] == 'torch'])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
