"""`offerpath graph`: matches in the graph, and the page of one buyer's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graph.embedded_files import GraphLock
from tests.cli.conftest import Command


@pytest.fixture
def home(filled_home: Path, tmp_path: Path) -> Path:
    """A copy of the filled home, for the test alone."""
    return Path(shutil.copytree(filled_home, tmp_path / "home"))


def test_publishing_tells_what_it_wrote(offerpath: Command, home: Path) -> None:
    first = offerpath("graph", "publish-matches", "--first", 3, "--json")
    assert first.code == 0
    written = first.json["written"]
    assert written > 3 and first.json == {
        "written": written, "changed": 0, "removed": 0, "unchanged": 0,
    }  # fmt: skip
    again = offerpath("graph", "publish-matches", "--first", 3)
    assert [line.split() for line in again.out.splitlines()] == [
        ["0", "written"], ["0", "changed"], ["0", "removed"], [str(written), "unchanged"],
    ]  # fmt: skip
    fewer = offerpath("graph", "publish-matches", "--first", 1, "--json").json
    assert fewer["removed"] + fewer["unchanged"] == written
    assert offerpath("graph", "publish-matches", "--first", 0).code == 2


def test_a_served_embedded_graph_says_what_to_do(offerpath: Command, home: Path) -> None:
    held = GraphLock(home / "graph.lbug")
    try:
        held.announce("http://127.0.0.1:8123/graphql")
        answer = offerpath("graph", "publish-matches")
        assert answer.code == 2
        for named in ("http://127.0.0.1:8123/graphql", "Stop that server", "Neo4j"):
            assert named in answer.err
    finally:
        held.release()
