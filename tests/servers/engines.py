"""The fixtures that give a test both engines, real and empty."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from graph.embedded_engine import EmbeddedEngine
from graph.engine import GraphEngine
from graph.neo4j_engine import Neo4jEngine
from graph.queries import Query
from tests.servers.neo4j import Neo4jServer, running_neo4j

_EMPTY = Query("empty", "MATCH (n) DETACH DELETE n")


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jServer]:
    """One Neo4j server for the whole run; its database may hold what a test before left."""
    with running_neo4j(tmp_path_factory.mktemp("neo4j")) as server:
        yield server


@pytest.fixture
async def embedded_engine(tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    """An embedded graph with the schema and nothing else, in ``tmp_path / "graph.lbug"``."""
    engine = await EmbeddedEngine.open(tmp_path / "graph.lbug")
    await engine.apply_schema()
    yield engine
    await engine.close()


@pytest.fixture
async def neo4j_engine(neo4j_server: Neo4jServer) -> AsyncIterator[Neo4jEngine]:
    """A Neo4j database with the schema and nothing else."""
    engine = await open_neo4j(neo4j_server)
    await empty(engine)
    await engine.apply_schema()
    yield engine
    await engine.close()


@pytest.fixture(params=["embedded", "neo4j"])
def engine(request: pytest.FixtureRequest) -> GraphEngine:
    """Each engine in turn, with the schema and nothing else."""
    chosen: GraphEngine = request.getfixturevalue(f"{request.param}_engine")
    return chosen


async def open_neo4j(server: Neo4jServer) -> Neo4jEngine:
    """An engine on the server's database as it is."""
    return await Neo4jEngine.open(server.uri, server.user, server.password, server.database)


async def empty(engine: GraphEngine) -> None:
    """Remove every node and relationship."""
    await engine.write(lambda transaction: transaction.run(_EMPTY))
