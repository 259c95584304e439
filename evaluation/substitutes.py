"""What stands for popularity where nobody has taken an offer yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from evaluation.matrices import MatrixData
from scoring.baselines import BlockScorer

# Nearest offers whose popularity stands for that of an offer nobody has taken.
NEIGHBOURS = 20
Floats = NDArray[np.float64]


class SameForAll:
    """The same scores (N,) for every buyer."""

    def __init__(self, scores: Floats) -> None:
        self.scores = scores.astype(np.float32)

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N); the same row for each."""
        return np.repeat(self.scores[None, :], len(buyers), axis=0)


class AtRandom:
    """Scores drawn anew for every buyer, the same ones each time."""

    def __init__(self, offers: int, seed: int) -> None:
        self.offers, self.seed = offers, seed

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N)."""
        draws = [np.random.default_rng((self.seed, buyer)) for buyer in buyers.tolist()]
        return np.stack([draw.random(self.offers, dtype=np.float32) for draw in draws])


def substitutes(data: MatrixData, untaken: NDArray[np.bool_], seed: int) -> dict[str, BlockScorer]:
    """By name: the popularity of an offer's category, of its neighbourhood, and chance.

    Args:
        data: matrices in which nobody has taken the ``untaken`` offers.
        untaken: (N,) the offers to be scored.
        seed: of the chance.
    """
    found: dict[str, BlockScorer] = {"random": AtRandom(data.shape[1], seed)}
    popularity = np.bincount(data.known.indices, minlength=data.shape[1]).astype(np.float64)
    if len(data.categories):
        found["category_popularity"] = SameForAll(_by_category(data, popularity, untaken))
    if np.isfinite(data.latitude[~untaken]).any():
        found["nearby_popularity"] = SameForAll(_by_place(data, popularity, untaken))
    return found


def _by_category(data: MatrixData, popularity: Floats, untaken: NDArray[np.bool_]) -> Floats:
    """The mean popularity of the taken offers in an offer's most popular category."""
    item = data.categories["item"].to_numpy()
    names, code = np.unique(data.categories["category"].to_numpy(), return_inverse=True)
    taken = ~untaken[item]
    total = np.bincount(code[taken], weights=popularity[item[taken]], minlength=len(names))
    mean = total / np.maximum(np.bincount(code[taken], minlength=len(names)), 1)
    best = np.zeros(data.shape[1])
    np.maximum.at(best, item, mean[code])
    return best


def _by_place(data: MatrixData, popularity: Floats, untaken: NDArray[np.bool_]) -> Floats:
    """The mean popularity of the nearest taken offers; 0 where the place is not known."""
    known = np.isfinite(data.latitude) & np.isfinite(data.longitude)
    latitude, longitude = np.radians(data.latitude), np.radians(data.longitude)
    # Chords order as great circles do.
    points = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )
    taken = np.flatnonzero(known & ~untaken)
    _, near = KDTree(points[taken]).query(points[known], k=min(NEIGHBOURS, len(taken)))
    mean = np.zeros(data.shape[1])
    mean[known] = popularity[taken][near.reshape(int(known.sum()), -1)].mean(axis=1)
    return mean
