"""Ranking metrics, one figure a buyer, so that any slice of buyers can be averaged.

Recall is over all relevant offers and NDCG's ideal is cut at k, as the published tables of graph
recommenders (LightGCN and after) have it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ShapeError
from scoring.ragged import Ragged

# Rows ranked at once: what bounds the memory of the sort.
ROWS = 128
METRICS = ("precision", "recall", "f1", "ndcg", "hit_rate", "coverage")


@dataclass(frozen=True, slots=True)
class BuyerMetrics:
    """Metrics at one k: arrays (B,) float64; buyers without relevant offers hold nan."""

    k: int
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    hit_rate: NDArray[np.float64]

    def means(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Averages over the chosen buyers that have relevant offers; 0.0 when there are none."""
        usable = ~np.isnan(self.recall)
        if chosen is not None:
            usable &= chosen
        names = METRICS[:-1]
        if not usable.any():
            return dict.fromkeys(names, 0.0) | {"buyers": 0.0}
        averages = {name: float(getattr(self, name)[usable].mean()) for name in names}
        return averages | {"buyers": float(usable.sum())}


def rank_top(
    scores: NDArray[np.floating], k: int, masked: Ragged | None = None
) -> NDArray[np.int32]:
    """The k best columns of each row, best first; equal scores by column number.

    Args:
        scores: (B, N) floats; overwritten with -inf where ``masked``.
        k: how many columns; fewer than k unmasked columns leave -1 at the end.
        masked: row b lists the columns that must not appear in row b.

    Returns:
        (B, k) int32.
    """
    if masked is not None:
        rows = np.repeat(np.arange(len(scores)), np.diff(masked.ptr))
        scores[rows, masked.values] = -np.inf
    top = np.full((len(scores), k), -1, dtype=np.int32)
    for start in range(0, len(scores), ROWS):
        stop = start + ROWS
        best = _best(scores[start:stop], min(k, scores.shape[1]))
        top[start:stop, : best.shape[1]] = best
    return top


def _best(scores: NDArray[np.floating], width: int) -> NDArray[np.int64]:
    if width == scores.shape[1]:
        near = np.broadcast_to(np.arange(width), scores.shape).copy()
    else:
        near = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        _settle_ties(scores, near)
    near.sort(axis=1)
    found = np.take_along_axis(scores, near, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    valid = np.isfinite(np.take_along_axis(found, order, axis=1))
    return np.where(valid, np.take_along_axis(near, order, axis=1), -1)


def _settle_ties(scores: NDArray[np.floating], near: NDArray[np.int64]) -> None:
    """Where columns score as the last one chosen, choose the first of them instead."""
    width = near.shape[1]
    least = np.take_along_axis(scores, near, axis=1).min(axis=1)
    tied = np.flatnonzero((scores >= least[:, None]).sum(axis=1) > width)
    for row in tied[np.isfinite(least[tied])]:
        above = np.flatnonzero(scores[row] > least[row])
        level = np.flatnonzero(scores[row] == least[row])
        near[row] = np.concatenate([above, level[: width - len(above)]])


def measure_top(top: NDArray[np.int32], relevant: Ragged, k: int) -> BuyerMetrics:
    """Precision, recall, F1, NDCG and hit rate of the first k of each row of ``top``.

    Args:
        top: (B, K) offers, best first, -1 for none, K >= k.
        relevant: row b lists the relevant offers of buyer b, in ascending order.
        k: the cut.

    Raises:
        ShapeError: when the rows do not agree or ``top`` is narrower than k.
    """
    if len(relevant.ptr) - 1 != len(top) or top.shape[1] < k:
        raise ShapeError(f"top {top.shape} does not fit {len(relevant.ptr) - 1} buyers at {k}.")
    hits = _hits(top[:, :k], relevant)
    count = np.diff(relevant.ptr).astype(np.float64)
    count[count == 0] = np.nan
    discount = _discount(k)
    ideal_of = _ideal(k)[np.minimum(np.nan_to_num(count).astype(np.int64), k)]
    found = hits.sum(axis=1)
    precision = np.where(np.isnan(count), np.nan, found / k)
    recall = found / count
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return BuyerMetrics(
        k=k,
        precision=precision,
        recall=recall,
        f1=np.where(np.isnan(count), np.nan, f1),
        ndcg=(hits * discount).sum(axis=1) / ideal_of,
        hit_rate=np.where(np.isnan(count), np.nan, (found > 0).astype(np.float64)),
    )


def chance_ndcg(
    relevant: NDArray[np.int64], ranked: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """NDCG@k (B,) to expect where ``relevant`` (B,) of the ``ranked`` > 0 are put in any order.

    Buyers without relevant offers have nan.
    """
    ideal = _ideal(k)
    gained: NDArray[np.float64] = relevant / ranked * ideal[np.minimum(ranked, k)]
    return gained / ideal[np.minimum(relevant, k)]


def coverage(top: NDArray[np.int32], offers: int, k: int) -> float:
    """The share of all ``offers`` that somebody has among the first k."""
    shown = np.unique(top[:, :k])
    return float((shown >= 0).sum()) / max(offers, 1)


def restricted(relevant: Ragged, allowed: NDArray[np.bool_]) -> Ragged:
    """The relevant offers that are ``allowed`` (N,): for slices of offers."""
    rows = np.repeat(np.arange(len(relevant.ptr) - 1), np.diff(relevant.ptr))
    kept = allowed[relevant.values]
    ptr = np.zeros(len(relevant.ptr), dtype=np.int64)
    np.cumsum(np.bincount(rows[kept], minlength=len(ptr) - 1), out=ptr[1:])
    return Ragged(ptr, relevant.values[kept])


def _discount(k: int) -> NDArray[np.float64]:
    """What a relevant offer gains by its place (k,)."""
    return 1.0 / np.log2(np.arange(2, k + 2))


def _ideal(k: int) -> NDArray[np.float64]:
    """What 0 to k relevant offers (k + 1,) gain at most; nan for 0."""
    return np.concatenate([[np.nan], np.cumsum(_discount(k))])


def _hits(top: NDArray[np.int32], relevant: Ragged) -> NDArray[np.float64]:
    width = np.int64(max(int(top.max(initial=0)), int(relevant.values.max(initial=0))) + 2)
    rows = np.repeat(np.arange(len(top), dtype=np.int64), np.diff(relevant.ptr))
    wanted = rows * width + relevant.values
    shown = np.arange(len(top), dtype=np.int64)[:, None] * width + top
    return (np.isin(shown, wanted) & (top >= 0)).astype(np.float64)
