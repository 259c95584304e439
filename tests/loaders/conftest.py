"""A store on each engine, and a folder to write source files into."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.engine import GraphEngine
from graph.store import GraphStore


@pytest.fixture
async def store(engine: GraphEngine) -> GraphStore:
    """An empty store; its engine is closed by its own fixture."""
    return await GraphStore.open(engine)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder
