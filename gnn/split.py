"""What is known and what is to be predicted: a cut in time or, without times, a draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.entities import EvidenceKind
from core.snapshot import GraphSnapshot
from scoring.ragged import Ragged, ragged_from_pairs

# Fewer distinct moments than this are no times: a matrix of interactions has one for all.
DISTINCT_TIMES = 10
PAIR = ["buyer_id", "offer_id"]


@dataclass(frozen=True, slots=True)
class Split:
    """A snapshot that knows only what came before, and what came after.

    ``known`` has all nodes of the whole snapshot, so that row numbers agree. ``fresh`` row b lists
    the offers that buyer b took for the first time after the cut, ``repeated`` those taken again.
    ``cut`` is None where there are no times. ``is_draw``: what came after is a share drawn of what
    is known, so that it holds what is popular just as that does.
    """

    known: GraphSnapshot
    fresh: Ragged
    repeated: Ragged
    cut: datetime | None
    is_draw: bool = False

    @property
    def testers(self) -> NDArray[np.int64]:
        """Rows of the buyers who took something for the first time after the cut."""
        return np.flatnonzero(np.diff(self.fresh.ptr))

    @property
    def taken(self) -> Ragged:
        """Row b lists all that buyer b took after the cut, for the first time or again."""
        buyers = np.arange(len(self.fresh.ptr) - 1)
        parts = (self.fresh, self.repeated)
        rows = np.concatenate([np.repeat(buyers, np.diff(part.ptr)) for part in parts])
        values = np.concatenate([part.values for part in parts])
        return ragged_from_pairs(rows, values, len(buyers))


def split_snapshot(
    snapshot: GraphSnapshot,
    share: float,
    seed: int,
    *,
    first_purchases: bool = False,
    timeless_share: float | None = None,
) -> Split:
    """Hold out the last ``share`` of the purchases, or of what buyers bought for the first time.

    Without purchases the interactions (but dismissals) stand for them. Without usable times it is
    a share of each buyer's offers (``timeless_share``, else ``share``), drawn at random: no graph
    tells which of them came last (docs/decisions/0018).
    """
    table = "purchases" if len(snapshot.purchases) else "interactions"
    taken = snapshot.table(table)
    if table == "interactions":
        taken = taken.filter(pl.col("kind") != EvidenceKind.DISMISSED.value)
    moments = taken.group_by(PAIR).agg(pl.col("at").min()) if first_purchases else taken
    cut = _cut(moments["at"], share)
    if cut is None:
        return _drawn_split(snapshot, taken, timeless_share or share, seed)
    known = replace(
        snapshot,
        taken_at=cut,
        purchases=snapshot.purchases.filter(pl.col("at") < cut),
        interactions=snapshot.interactions.filter(pl.col("at") < cut),
    )
    later = taken.filter(pl.col("at") >= cut).select(PAIR).unique()
    before = taken.filter(pl.col("at") < cut).select(PAIR).unique()
    return Split(
        known,
        fresh=_rows(snapshot, later.join(before, on=PAIR, how="anti")),
        repeated=_rows(snapshot, later.join(before, on=PAIR, how="semi")),
        cut=cut,
    )


def _cut(moments: pl.Series, share: float) -> datetime | None:
    if moments.n_unique() < DISTINCT_TIMES:
        return None
    ordered = moments.sort()
    cut = ordered[int(len(ordered) * (1.0 - share))]
    before = int((ordered < cut).sum()) / len(ordered)
    # A pile of equal times at the cut would move far more (or less) than was asked for.
    usable = 0.5 * (1.0 - share) <= before < 1.0
    assert isinstance(cut, datetime)
    return cut if usable else None


def _drawn_split(snapshot: GraphSnapshot, taken: pl.DataFrame, share: float, seed: int) -> Split:
    pairs = taken.select(PAIR).unique().sort(PAIR)
    drawn = np.random.default_rng(seed).random(len(pairs))
    place = pl.col("drawn").rank("ordinal").over("buyer_id")
    hidden = (
        pairs.with_columns(pl.Series("drawn", drawn))
        .filter(place <= (pl.len().over("buyer_id") * share).round())
        .select(PAIR)
    )
    known = replace(
        snapshot,
        purchases=snapshot.purchases.join(hidden, on=PAIR, how="anti", maintain_order="left"),
        interactions=snapshot.interactions.join(hidden, on=PAIR, how="anti", maintain_order="left"),
    )
    nothing = _rows(snapshot, hidden.head(0))
    return Split(known, _rows(snapshot, hidden), nothing, cut=None, is_draw=True)


def _rows(snapshot: GraphSnapshot, pairs: pl.DataFrame) -> Ragged:
    buyers = snapshot.buyers.select(buyer_id="id").with_row_index("buyer")
    offers = snapshot.offers.select(offer_id="id").with_row_index("offer")
    found = pairs.join(buyers, on="buyer_id").join(offers, on="offer_id")
    return ragged_from_pairs(
        found["buyer"].to_numpy().astype(np.int64),
        found["offer"].to_numpy().astype(np.int64),
        len(buyers),
    )
