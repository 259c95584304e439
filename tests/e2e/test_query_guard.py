"""The compose file's guard: a query that runs away is ended, and the server goes on."""

from __future__ import annotations

from pathlib import Path

import neo4j
import pytest
from neo4j.exceptions import Neo4jError

from tests.e2e.guide import AnalystsGraph
from tests.servers.compose import neo4j_settings
from tests.servers.neo4j import running_neo4j

# Starting and filling the server counts for the first test that asks for it.
pytestmark = pytest.mark.timeout(900)
ENDLESS = """UNWIND range(1, 1000000000) AS x UNWIND range(1, 1000000000) AS y
WITH x, y WHERE x + y < 0 RETURN count(*) AS none"""
GREEDY = "UNWIND range(1, 1000000000) AS x WITH collect(x) AS numbers RETURN size(numbers) AS many"


def test_a_query_that_takes_too_much_memory_is_ended(analysts_graph: AnalystsGraph) -> None:
    with pytest.raises(Neo4jError) as ended:
        analysts_graph.ask(GREEDY)
    assert str(ended.value.code).endswith("MemoryPoolOutOfMemoryError")
    assert analysts_graph.ask("RETURN 1 AS one") == [{"one": 1}]


def test_a_query_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    # As composed, but for the two minutes that nobody wants to wait here.
    settings = {**neo4j_settings(), "db.transaction.timeout": "10s"}
    with (
        running_neo4j(tmp_path, settings) as server,
        neo4j.GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver,
        driver.session() as session,
    ):
        with pytest.raises(Neo4jError) as ended:
            session.run(ENDLESS).consume()
        assert "TransactionTimedOut" in str(ended.value.code)
        assert session.run("RETURN 1 AS one").single(strict=True)["one"] == 1
