"""The command line on a Neo4j server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from graph.neo4j_engine import Neo4jEngine
from graph.queries import Query
from tests.cli.conftest import Command
from tests.servers.neo4j import Neo4jServer


@pytest.fixture
def server(
    neo4j_server: Neo4jServer,
    neo4j_engine: Neo4jEngine,
    offerpath: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> Neo4jServer:
    """An empty server that the settings name."""
    monkeypatch.setenv("OFFERPATH_GRAPH_URI", neo4j_server.uri)
    monkeypatch.setenv("OFFERPATH_GRAPH_USER", neo4j_server.user)
    monkeypatch.setenv("OFFERPATH_GRAPH_PASSWORD", neo4j_server.password)
    return neo4j_server


def test_export_from_the_embedded_graph_and_import_into_neo4j(
    offerpath: Command,
    marketplace: Path,
    server: Neo4jServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    neo4j = server.uri
    monkeypatch.setenv("OFFERPATH_GRAPH_URI", "")
    assert offerpath("import", marketplace).code == 0
    rows = offerpath("export", tmp_path / "out", "--json").json["rows"]
    monkeypatch.setenv("OFFERPATH_GRAPH_URI", neo4j)
    assert offerpath("--home", tmp_path / "other", "import", tmp_path / "out").code == 0
    again = offerpath("--home", tmp_path / "other", "export", tmp_path / "again", "--json")
    assert again.json["rows"] == rows
    demo = offerpath("--home", tmp_path / "other", "demo", "--engine", "neo4j", "--once")
    assert demo.code == 2 and "other data" in demo.err


async def test_a_demo_writes_nothing_into_a_graph_that_is_not_its_own(
    neo4j_engine: Neo4jEngine, server: Neo4jServer, offerpath: Command
) -> None:
    mine = Query("mine", "CREATE (:Diary {id: 'today'})")
    await neo4j_engine.write(lambda transaction: transaction.run(mine))
    demo = await asyncio.to_thread(
        offerpath, "demo", "--engine", "neo4j", "--once", "--buyers", "20"
    )
    assert demo.code == 2 and "other data" in demo.err
    labels = Query("labels", "MATCH (n) RETURN labels(n) AS labels")
    assert await neo4j_engine.read(labels) == [{"labels": ["Diary"]}]


async def test_a_demo_shows_its_matches_in_the_graph_once(
    neo4j_engine: Neo4jEngine, server: Neo4jServer, offerpath: Command
) -> None:
    words = ("demo", "--engine", "neo4j", "--once", "--buyers", "20")
    first = await asyncio.to_thread(offerpath, *words)
    assert first.code == 0, first.err
    shown = Query(
        "shown",
        "MATCH (b:Buyer)-[m:MATCHED]->(:Offer) "
        "RETURN count(m) AS matches, count(DISTINCT b) AS buyers, max(m.at) AS newest",
    )
    before = await neo4j_engine.read(shown)
    assert before[0]["buyers"] == 20 and before[0]["matches"] >= 100
    assert "Publish matches" in first.err
    second = await asyncio.to_thread(offerpath, *words)
    assert second.code == 0 and "Publish matches" not in second.err
    assert await neo4j_engine.read(shown) == before
