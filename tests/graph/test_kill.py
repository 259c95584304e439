"""A writing process is killed at random moments, 20 times over: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.entities import EventType
from core.settings import load_settings
from graph.open import open_engine
from graph.queries import load_query
from graph.store import GraphStore
from tests.graph.killed_writer import LINES_OF_AN_IMPORT, TAKEN_BACK, run_import
from tests.graph.stores import BUYER, OFFER, day
from tests.servers.engines import empty, open_neo4j
from tests.servers.neo4j import Neo4jServer

KILLS = 20
STOCK = 1_000_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["embedded", "neo4j"])
async def uri(request: pytest.FixtureRequest, neo4j_server: Neo4jServer, tmp_path: Path) -> str:
    """Where an empty graph lies."""
    if request.param == "embedded":
        return f"embedded:{tmp_path / 'graph.lbug'}"
    engine = await open_neo4j(neo4j_server)
    await empty(engine)
    await engine.close()
    return neo4j_server.uri


async def open_store(uri: str, server: Neo4jServer) -> GraphStore:
    settings = load_settings(graph_uri=uri, graph_user=server.user, graph_password=server.password)
    return await GraphStore.open(await open_engine(settings))


async def kill_a_writer(uri: str, server: Neo4jServer, what: str, name: str) -> list[str]:
    """Start a writer, kill it a moment after its first acknowledgement; what it acknowledged."""
    environment: Mapping[str, str] = {
        **os.environ,
        "OFFERPATH_GRAPH_URI": uri,
        "OFFERPATH_GRAPH_USER": server.user,
        "OFFERPATH_GRAPH_PASSWORD": server.password,
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.graph.killed_writer", what, name,
        cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    first = await child.stdout.readline()
    assert first, "the writer ended before it wrote"
    await asyncio.sleep(random.uniform(0, 0.3))
    child.kill()
    rest = await child.stdout.read()
    assert await child.wait() == -9
    lines = (first + rest).decode().split("\n")
    return lines[:-1]


async def check_log(store: GraphStore) -> Counter[EventType]:
    """The log has no gap and no row twice; how many rows of each type it has."""
    last = await store.last_seq()
    events = await store.read_events(0, limit=last + 10)
    assert [event.seq for event in events] == list(range(1, last + 1))
    return Counter(event.type for event in events)


async def prepare(uri: str, server: Neo4jServer) -> None:
    store = await open_store(uri, server)
    await store.upsert_buyers([{"id": BUYER}])
    await store.upsert_offers([{"id": OFFER, "available_quantity": STOCK}])
    row = {"id": "line-that-was-there", "buyer_id": BUYER, "offer_id": OFFER, "at": day(1)}
    await store.record_purchases([{**row, "quantity": 5, "history": True}])
    await store.close()


@pytest.mark.timeout(600)
async def test_acknowledged_writes_survive(uri: str, neo4j_server: Neo4jServer) -> None:
    await prepare(uri, neo4j_server)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        acknowledged += await kill_a_writer(uri, neo4j_server, "writes", f"{kill:02}")
        store = await open_store(uri, neo4j_server)
        rows = await store.engine.read(load_query("dump_purchased"))
        ids = {row["id"] for row in rows} - {"line-that-was-there"}
        assert len(rows) == len(ids) + 1
        assert ids >= set(acknowledged)
        # At most one write of each writer was under way.
        assert len(ids) <= len(acknowledged) + kill + 1
        assert (await check_log(store))[EventType.PURCHASE_RECORDED] == len(rows)
        offer = (await store.get_offers([OFFER]))[OFFER]
        assert offer.available_quantity == STOCK - len(ids)
        await store.close()
    assert len(acknowledged) >= KILLS


@pytest.mark.timeout(600)
async def test_a_killed_import_is_unseen_and_finished_by_running_it_again(
    uri: str, neo4j_server: Neo4jServer
) -> None:
    await prepare(uri, neo4j_server)
    acknowledged: set[str] = set()
    left_pending = 0
    for kill in range(KILLS):
        acknowledged |= set(await kill_a_writer(uri, neo4j_server, "imports", f"{kill:02}"))
        store = await open_store(uri, neo4j_server)
        left_pending += await check_imports(store, acknowledged)
        await store.close()
    store = await open_store(uri, neo4j_server)
    for item in await store.list_imports():
        await run_import(store, item.id)
    assert await check_imports(store, acknowledged) == 0
    await store.close()
    assert left_pending > 0


async def check_imports(store: GraphStore, acknowledged: set[str]) -> int:
    """What is seen is whole imports, every acknowledged one among them; how many are pending."""
    imports = await store.list_imports()
    finished = {item.id for item in imports if item.state == "FINISHED"}
    assert finished >= acknowledged
    assert len(imports) - len(finished) <= 1
    assert (await check_log(store))[EventType.IMPORT_FINISHED] == len(finished)
    snapshot = await store.read_snapshot()
    assert set(snapshot.buyers["id"]) == finished | {BUYER}
    lines = Counter(snapshot.purchases["buyer_id"].to_list())
    assert lines == {BUYER: 1, **dict.fromkeys(finished, LINES_OF_AN_IMPORT)}
    stored = await store.engine.read_frame(load_query("dump_purchased"))
    assert stored["id"].n_unique() == stored.height
    old = (await store.get_purchases(["line-that-was-there"]))["line-that-was-there"]
    assert old.cancelled_quantity == (TAKEN_BACK if finished else 0)
    return len(imports) - len(finished)
