"""A matching service over a real embedded graph."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from core.settings import Settings, load_settings
from graph.embedded_engine import EmbeddedEngine
from graph.store import GraphStore
from matching.service import MatchingService
from tests.matching.filling import fill_graph
from tests.matching.markets import NOW, varied_snapshot


def standing_clock() -> datetime:
    return NOW


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture
async def store(embedded_engine: EmbeddedEngine) -> GraphStore:
    """An empty store."""
    return await GraphStore.open(embedded_engine, standing_clock)


@pytest.fixture
async def filled(store: GraphStore) -> GraphStore:
    """A store with the varied market."""
    await fill_graph(store, varied_snapshot())
    return store


@pytest.fixture
async def service(filled: GraphStore, settings: Settings) -> AsyncIterator[MatchingService]:
    """A service over the varied market, without a model."""
    matching = await MatchingService.open(filled, settings, standing_clock)
    yield matching
    await matching.close()


@pytest.fixture
async def empty_service(store: GraphStore, settings: Settings) -> AsyncIterator[MatchingService]:
    """A service over an empty graph."""
    matching = await MatchingService.open(store, settings, standing_clock)
    yield matching
    await matching.close()
