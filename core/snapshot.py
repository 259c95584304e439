"""The graph as tables: what training and matching read instead of the engine.

A snapshot holds only finished imports and is immutable. Ids are the callers' own; columns carry
the names of the canonical files (docs/importing.md), so that one vocabulary serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from core.errors import DamagedError
from core.published import current_folder, publish_folder, read_manifest

FORMAT = 1
TIME = pl.Datetime("us", "UTC")

SCHEMAS: dict[str, dict[str, Any]] = {
    "buyers": {
        "id": pl.String, "kind": pl.String, "country": pl.String,
        "latitude": pl.Float64, "longitude": pl.Float64, "created_at": TIME,
    },
    "vendors": {
        "id": pl.String, "name": pl.String, "country": pl.String,
        "latitude": pl.Float64, "longitude": pl.Float64,
    },
    "categories": {"id": pl.String, "name": pl.String, "parent_id": pl.String},
    "offers": {
        "id": pl.String, "title": pl.String, "description": pl.String,
        "price_minor": pl.Int64, "currency": pl.String, "available_quantity": pl.Int64,
        "status": pl.String, "valid_from": TIME, "valid_to": TIME,
        "latitude": pl.Float64, "longitude": pl.Float64, "created_at": TIME,
        "vendor_id": pl.String, "category_ids": pl.List(pl.String),
    },
    "purchases": {
        "buyer_id": pl.String, "offer_id": pl.String, "order_id": pl.String, "at": TIME,
        "quantity": pl.Int64, "unit_price_minor": pl.Int64, "currency": pl.String,
        "context": pl.String,
    },
    "interactions": {
        "buyer_id": pl.String, "offer_id": pl.String, "kind": pl.String, "at": TIME,
        "value": pl.Float64, "context": pl.String,
    },
    "preferences": {"buyer_id": pl.String, "category_id": pl.String, "weight": pl.Float64},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GraphSnapshot:
    """Seven tables with the columns of SCHEMAS, node tables sorted by id.

    ``purchases.quantity`` is net of cancellations and positive: what was taken back whole is
    absent. Edges name only nodes that are in the snapshot. Buyers' names are not in it.
    """

    graph_id: str
    seq: int
    taken_at: datetime
    buyers: pl.DataFrame
    vendors: pl.DataFrame
    categories: pl.DataFrame
    offers: pl.DataFrame
    purchases: pl.DataFrame
    interactions: pl.DataFrame
    preferences: pl.DataFrame

    def table(self, name: str) -> pl.DataFrame:
        """The table of that name (a key of SCHEMAS)."""
        frame = getattr(self, name)
        assert isinstance(frame, pl.DataFrame)
        return frame


def empty_table(name: str) -> pl.DataFrame:
    """A table of SCHEMAS without rows."""
    return pl.DataFrame(schema=SCHEMAS[name])


def publish_snapshot(root: Path, snapshot: GraphSnapshot) -> Path:
    """Write the snapshot as Parquet under ``root`` and point to it, atomically.

    Older ones go: a buyer erased since must not live on in them.
    """

    def write(folder: Path) -> dict[str, Any]:
        for name in SCHEMAS:
            snapshot.table(name).write_parquet(folder / f"{name}.parquet", compression="lz4")
        return {
            "format": FORMAT,
            "graph_id": snapshot.graph_id,
            "seq": snapshot.seq,
            "taken_at": snapshot.taken_at.isoformat(),
        }

    return publish_folder(root, f"{snapshot.graph_id[:8]}-{snapshot.seq:012d}", write, keep=1)


def load_snapshot(root: Path) -> GraphSnapshot | None:
    """The snapshot that ``root`` points to, verified; None when there is none.

    Raises:
        DamagedError: when it fails its checksums or has another format.
    """
    folder = current_folder(root)
    if folder is None:
        return None
    manifest = read_manifest(folder)
    if manifest.get("format") != FORMAT:
        raise DamagedError(
            f"{folder} has snapshot format {manifest.get('format')}, not {FORMAT}.",
            mend="Remove it; it is rebuilt from the graph.",
        )
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in SCHEMAS}
    for name, frame in tables.items():
        if dict(frame.schema) != SCHEMAS[name]:
            raise DamagedError(f"{folder}/{name}.parquet has other columns.", mend="Remove it.")
    return GraphSnapshot(
        graph_id=str(manifest["graph_id"]),
        seq=int(manifest["seq"]),
        taken_at=datetime.fromisoformat(manifest["taken_at"]),
        **tables,
    )
