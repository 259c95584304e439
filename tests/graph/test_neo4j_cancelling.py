"""A caller cancelled while the driver opens a connection leaves no socket behind."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest

from graph.neo4j_engine import Neo4jEngine
from graph.queries import Query
from tests.servers.engines import open_neo4j
from tests.servers.neo4j import Neo4jServer

ONE = Query("one", "RETURN 1 AS x")


async def test_a_caller_cancelled_while_connecting_leaves_no_socket(
    neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await open_neo4j(neo4j_server)
    loop, connected, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    connect = loop.sock_connect

    async def held(*arguments: Any) -> None:
        await connect(*arguments)
        connected.set()
        await go_on.wait()

    monkeypatch.setattr(loop, "sock_connect", held)
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        # The first takes the connection there is; the second opens its own.
        reads = [asyncio.ensure_future(engine.read(ONE)) for _ in range(2)]
        await asyncio.wait_for(connected.wait(), 10)
        reads[1].cancel()
        ends = await asyncio.gather(*reads, return_exceptions=True)
        go_on.set()
        await engine.close()
        del reads
        gc.collect()
    assert ends[0] == [{"x": 1}]
    assert isinstance(ends[1], asyncio.CancelledError)
    assert [str(warning.message) for warning in left] == []


async def test_the_engine_goes_on_after_cancelled_reads(neo4j_engine: Neo4jEngine) -> None:
    reads = [asyncio.ensure_future(neo4j_engine.read(ONE)) for _ in range(4)]
    await asyncio.sleep(0)
    for read in reads:
        read.cancel()
    ends = await asyncio.gather(*reads, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    assert await neo4j_engine.read(ONE) == [{"x": 1}]
