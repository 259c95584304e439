"""One training on the planted marketplace, shared by the tests that only look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from core.snapshot import GraphSnapshot
from gnn.train import TrainedModel, TrainSettings, train
from tests.gnn.planted import planted_snapshot

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = TrainSettings(seed=3, dimension=16, epochs=6, threads=1)


class Heard:
    """Progress that is written down: label -> (steps announced, steps done), in order."""

    def __init__(self) -> None:
        self.tasks: dict[str, tuple[int | None, int]] = {}

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[_Steps]:
        steps = _Steps()
        yield steps
        self.tasks[label] = total, steps.done


class _Steps:
    def __init__(self) -> None:
        self.done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    def note(self, text: str) -> None:
        """Figures are not kept."""


@pytest.fixture(scope="session")
def planted() -> GraphSnapshot:
    """The planted marketplace."""
    return planted_snapshot()


@pytest.fixture(scope="session")
def timeless() -> GraphSnapshot:
    """The same, everything bought at one moment."""
    return planted_snapshot(times=False)


@pytest.fixture(scope="session")
def heard() -> Heard:
    """What the training of ``trained`` told of itself."""
    return Heard()


@pytest.fixture(scope="session")
def trained(planted: GraphSnapshot, heard: Heard) -> TrainedModel:
    """A model trained on all of it."""
    return train(planted, SMALL, heard, now=NOW)
