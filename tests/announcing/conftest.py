"""A small market that announces, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.engine import GraphEngine
from scoring.blend import Blend
from tests.announcing.announced import Announced, announced

# Without walk and popularity, so that an offer nobody has met can be among the first.
BY_ATTRIBUTES = Blend.of(
    {"category": 4.0, "preference": 2.0, "vendor": 1.0, "price": 1.0, "place": 1.0, "again": 1.0},
    bias=-3.0,
)


@pytest.fixture
async def market(
    engine: GraphEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Announced]:
    monkeypatch.setattr("scoring.scorer.UNTRAINED", BY_ATTRIBUTES)
    async with announced(engine, tmp_path / "home") as found:
        yield found
