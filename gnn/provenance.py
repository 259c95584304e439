"""What a training was made from: the data, the settings, the versions."""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from core.snapshot import GraphSnapshot
from gnn.checkpoints import digest_of_data
from gnn.devices import device_named
from gnn.split import PAIR

if TYPE_CHECKING:
    from gnn.train import TrainSettings


def versions() -> dict[str, str]:
    """The versions of what the figures of a training depend on."""
    names = ("torch", "torch-geometric", "numpy", "scikit-learn")
    return {name: importlib.metadata.version(name) for name in names}


def journal_entry(
    snapshot: GraphSnapshot, settings: TrainSettings, validation: pl.DataFrame | None = None
) -> dict[str, Any]:
    """What makes two trainings the same one, so that the second may go on where the first ended."""
    held_out = None if validation is None else validation.select(PAIR).rows()
    return {
        "settings": asdict(settings),
        "device": device_named(settings.device).type,
        "data": digest_of_data(snapshot),
        "validation": held_out,
        "versions": versions() | {"offerpath": importlib.metadata.version("offerpath")},
    }


def fingerprint_of(snapshot: GraphSnapshot) -> dict[str, Any]:
    """What the manifest says of the data: which graph, how far its log was, how many rows."""
    tables = ("buyers", "vendors", "categories", "offers", "purchases", "interactions")
    last = snapshot.purchases["at"].max()
    return {
        "graph_id": snapshot.graph_id,
        "seq": snapshot.seq,
        "counts": {name: len(snapshot.table(name)) for name in tables},
        "last_purchase_at": last.isoformat() if isinstance(last, datetime) else None,
    }
