"""A connection to Neo4j that is cut right before or after COMMIT: nothing is lost or doubled."""

from __future__ import annotations

from graph.neo4j_engine import Neo4jEngine
from graph.store import GraphStore
from tests.graph.cut_writes import FAULTS, check, prepare, write_through
from tests.servers.bolt_proxy import Cut, bolt_proxy
from tests.servers.neo4j import Neo4jServer

CUTS = 16


async def test_a_cut_around_commit_loses_and_doubles_nothing(
    neo4j_engine: Neo4jEngine, neo4j_server: Neo4jServer
) -> None:
    direct = await GraphStore.open(neo4j_engine)
    await prepare(direct)
    server = neo4j_server
    async with bolt_proxy(server.uri) as proxy:
        engine = await Neo4jEngine.open(proxy.uri, server.user, server.password, server.database)
        store = await GraphStore.open(engine)
        try:
            record = await write_through(store, proxy, CUTS, seed=1)
        finally:
            await store.close()
    assert (proxy.cuts[Cut.BEFORE], proxy.cuts[Cut.AFTER]) == (CUTS // 2, CUTS // 2)
    found = await check(direct, record)
    assert {name: found[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)
    # As many tries went without an answer as were cut: each was made again.
    assert found["tries without an answer"] >= CUTS
    assert found["lines"] > 0
    assert found["matches told"] >= found["lines"]
