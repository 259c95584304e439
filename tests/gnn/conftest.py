"""One training on the planted marketplace, shared by the tests that only look at it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.snapshot import GraphSnapshot
from gnn.train import TrainedModel, TrainSettings, train
from tests.gnn.planted import planted_snapshot

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = TrainSettings(seed=3, dimension=16, epochs=6, threads=1)


@pytest.fixture(scope="session")
def planted() -> GraphSnapshot:
    """The planted marketplace."""
    return planted_snapshot()


@pytest.fixture(scope="session")
def trained(planted: GraphSnapshot) -> TrainedModel:
    """A model trained on all of it."""
    return train(planted, SMALL, now=NOW)
