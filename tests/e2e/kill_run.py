"""One run of kills on a graph, from its preparation to the check."""

from __future__ import annotations

from pathlib import Path

from core.settings import Settings
from graph.neo4j_engine import Neo4jEngine
from graph.open import open_engine
from graph.queries import Query
from graph.store import GraphStore
from tests.e2e.deployment import Deployment
from tests.e2e.event_check import check
from tests.e2e.killed_events import kill_often, prepare

_HOLDER = Query("holder", "MATCH (l:Lease {id: 'announcer'}) RETURN l.holder AS holder")


async def kill_and_check(
    settings: Settings, folder: Path, servers: int, kills: int, seed: int
) -> dict[str, float]:
    """Prepare an empty graph, kill what works on it, and count what is wrong then.

    Args:
        settings: name the graph, which is empty, and a home.
        folder: of the processes' homes and logs.
        servers: API processes; more than one on Neo4j only.
        kills: SIGKILLs, of servers and of the subscriber.
        seed: of what is written and when is killed.

    Returns:
        Counts; those of event_check.FAULTS are 0 when nothing is wrong.
    """
    store = await GraphStore.open(await open_engine(settings))
    seq, first = await prepare(store, settings, seed)
    await store.close()
    graph = {
        "OFFERPATH_GRAPH_URI": settings.resolved_graph_uri,
        "OFFERPATH_GRAPH_USER": settings.graph_user,
        "OFFERPATH_GRAPH_PASSWORD": settings.graph_password.get_secret_value(),
    }
    deployment = Deployment(folder, graph, servers)
    if settings.resolved_graph_uri.startswith("embedded:"):
        run = await kill_often(deployment, servers, kills, seed)
    else:
        engine = await open_engine(settings)
        assert isinstance(engine, Neo4jEngine)

        async def leader() -> int | None:
            rows = await engine.read(_HOLDER)
            # HOST-PID-RANDOM
            return int(rows[0]["holder"].split("-")[-2]) if rows else None

        run = await kill_often(deployment, servers, kills, seed, leader)
        await engine.close()
    store = await GraphStore.open(await open_engine(settings))
    try:
        return await check(store, run, deployment.notes.read_text(), seq, first)
    finally:
        await store.close()
