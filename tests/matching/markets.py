"""Small marketplaces with everything a filter can ask about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from core.snapshot import GraphSnapshot
from tests.scoring.snapshots import random_snapshot

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def varied_snapshot(seed: int = 3, buyers: int = 60, offers: int = 80) -> GraphSnapshot:
    """A random snapshot with withdrawn, sold out, expired and not yet valid offers, odd titles."""
    snapshot = random_snapshot(seed, buyers, offers, purchases=10 * offers)
    rng = np.random.default_rng(seed + 1)
    starts = [NOW + timedelta(days=int(d)) for d in rng.integers(-20, 5, offers)]
    ends = [NOW + timedelta(days=int(d)) for d in rng.integers(0, 20, offers)]
    # The bounds of validity themselves are asked about too.
    starts[0], ends[1] = NOW, NOW
    gaps = rng.random((3, offers)) < 0.5
    table = snapshot.offers.with_columns(
        pl.Series("status", np.where(rng.random(offers) < 0.1, "WITHDRAWN", "ACTIVE").tolist()),
        pl.Series("valid_from", [None if g else t for g, t in zip(gaps[0], starts, strict=True)]),
        pl.Series("valid_to", [None if g else t for g, t in zip(gaps[1], ends, strict=True)]),
        pl.Series("title", ["Straße 3", "ΣΟΦΟΣ", *snapshot.offers["title"].to_list()[2:]]),
    ).cast(snapshot.offers.schema)  # fmt: skip
    return replace(snapshot, offers=table)
