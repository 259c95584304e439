"""Servers and a subscriber killed while writers write: no event is lost, doubled, out of order."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import load_settings
from tests.e2e.event_check import FAULTS
from tests.e2e.kill_run import kill_and_check
from tests.servers.engines import empty, open_neo4j
from tests.servers.neo4j import Neo4jServer

KILLS = 5


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("engine", "servers"), [("embedded", 1), ("neo4j", 2)])
async def test_kills_lose_and_double_nothing(
    engine: str, servers: int, tmp_path: Path, neo4j_server: Neo4jServer
) -> None:
    uri = f"embedded:{tmp_path / 'graph.lbug'}"
    if engine == "neo4j":
        database = await open_neo4j(neo4j_server)
        await empty(database)
        await database.close()
        uri = neo4j_server.uri
    settings = load_settings(
        home=tmp_path / "home",
        graph_uri=uri,
        graph_user=neo4j_server.user,
        graph_password=neo4j_server.password,
    )
    found = await kill_and_check(settings, tmp_path, servers, KILLS, seed=3)
    assert {name: found[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert found["kills of servers"] + found["kills of the subscriber"] == KILLS
    assert found["match events"] > 0
    assert found["told to the subscriber"] >= found["match events"]
