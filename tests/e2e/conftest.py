"""The graph that analysts are shown, once for all tests that look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.guide import AnalystsGraph, filled_graph


@pytest.fixture(scope="session")
def analysts_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalystsGraph]:
    """A filled Neo4j of its own, configured as the compose file says; tests only read it."""
    with filled_graph(tmp_path_factory.mktemp("analysts")) as graph:
        yield graph
