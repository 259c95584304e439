"""A training that is kept after every epoch; it says on stdout when it has begun.

``python -m tests.gnn.killed_training FOLDER OUT``: keeps in FOLDER, writes its arrays into OUT.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from core.snapshot import GraphSnapshot
from gnn.checkpoints import Journal
from gnn.provenance import journal_entry
from gnn.recipe import Recipe
from gnn.train import TrainedModel, train
from tests.gnn.conftest import NOW, SMALL
from tests.gnn.planted import planted_snapshot

# Learning slowly, so that there are epochs to be interrupted in.
SLOW = replace(SMALL, recipe=Recipe(identity_rate=0.001, learning_rate=0.001))


def few() -> GraphSnapshot:
    """What is learned from: little, as it is learned from again and again."""
    return planted_snapshot(buyers=120, offers=90, purchases=1500)


def journal_of(folder: Path, taken_at: datetime = NOW) -> Journal:
    """The journal of this training, kept after every epoch."""
    return Journal(folder, journal_entry(few(), SLOW), taken_at, seconds_between=0.0)


def train_on(folder: Path) -> TrainedModel:
    """Train, or go on with what is kept; the snapshot is read at another moment each time."""
    moved = NOW + timedelta(days=len(list(folder.glob("*.pt"))))
    with journal_of(folder, moved) as journal:
        return train(few(), SLOW, now=NOW, journal=journal)


if __name__ == "__main__":
    print("begun", flush=True)
    trained = train_on(Path(sys.argv[1]))
    np.savez(sys.argv[2], **trained.model.arrays)  # type: ignore[arg-type]  # names are ours
