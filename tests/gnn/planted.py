"""A small marketplace with blocks planted in it: who is of a block buys that block's offers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from core.snapshot import SCHEMAS, GraphSnapshot

BLOCKS = 6
END = datetime(2025, 12, 31, tzinfo=UTC)
WORDS = ("lamp bulb shade", "coffee bean roast", "linen shirt collar", "chisel saw clamp",
         "vitamin balm salve", "puzzle kite marble")  # fmt: skip


def planted_snapshot(
    seed: int = 1,
    *,
    buyers: int = 240,
    offers: int = 180,
    purchases: int = 3600,
    cold: int = 6,
    times: bool = True,
) -> GraphSnapshot:
    """Buyer n and offer n are of block n % BLOCKS; the last ``cold`` offers are never bought.

    Nine purchases of ten are within the block, one is of anything. Which offers of a block are
    popular has nothing to do with the buyer. Without ``times`` all purchases share one moment.
    """
    rng = np.random.default_rng(seed)
    appeal = rng.dirichlet(np.ones(offers - cold) * 0.8)
    block = np.arange(offers - cold) % BLOCKS
    who = np.sort(rng.integers(0, buyers, purchases))
    what = np.empty(purchases, dtype=np.int64)
    for own in range(BLOCKS):
        mine = who % BLOCKS == own
        odds = appeal * np.where(block == own, 1.0, 0.0)
        within = rng.choice(len(odds), mine.sum(), p=odds / odds.sum())
        anything = rng.choice(len(odds), mine.sum(), p=appeal)
        what[mine] = np.where(rng.random(mine.sum()) < 0.9, within, anything)
    hours = rng.integers(1, 8000, purchases) if times else np.full(purchases, 1)
    moments = [END - timedelta(hours=int(h)) for h in hours]
    categories = [f"c{own}" for own in range(BLOCKS)]
    return snapshot_of(
        buyers={
            "id": [buyer_id(n) for n in range(buyers)],
            "kind": [f"kind {n % BLOCKS}" for n in range(buyers)],
            "country": ["DE" if n % 2 else "FR" for n in range(buyers)],
        },
        vendors={"id": ["v0", "v1"], "name": ["North", "South"]},
        categories={"id": categories, "name": categories},
        offers={
            "id": [offer_id(n) for n in range(offers)],
            "title": [_title(n, rng) for n in range(offers)],
            "price_minor": [int(p) for p in rng.lognormal(7, 1, offers)],
            "currency": ["EUR"] * offers,
            "status": ["ACTIVE"] * offers,
            "vendor_id": [f"v{n % 2}" for n in range(offers)],
            "category_ids": [[f"c{n % BLOCKS}"] for n in range(offers)],
        },
        purchases={
            "buyer_id": [buyer_id(int(b)) for b in who],
            "offer_id": [offer_id(int(o)) for o in what],
            "at": moments,
            "quantity": [1] * purchases,
        },
    )


def buyer_id(number: int) -> str:
    """The id of the buyer with that number; ids sort as numbers do."""
    return f"b{number:04d}"


def offer_id(number: int) -> str:
    """The id of the offer with that number; ids sort as numbers do."""
    return f"o{number:04d}"


def snapshot_of(**tables: dict[str, list[Any]]) -> GraphSnapshot:
    """A snapshot of the given columns; those not given are null, tables not given are empty."""
    frames = {}
    for name, schema in SCHEMAS.items():
        given = tables.get(name, {})
        height = len(next(iter(given.values()), []))
        frames[name] = pl.DataFrame(
            {
                column: pl.Series(column, given.get(column, [None] * height), dtype=kind)
                for column, kind in schema.items()
            }
        )
    return GraphSnapshot(graph_id="planted0", seq=5, taken_at=END, **frames)


def _title(number: int, rng: np.random.Generator) -> str:
    words = WORDS[number % BLOCKS].split()
    return f"{words[rng.integers(3)]} {words[rng.integers(3)]} no {number}"
