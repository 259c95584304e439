"""The simple models that every trained one is measured against: popularity and ItemKNN.

Each scores blocks of buyers: evidence (B, N) CSR -> scores (B, N) float32, higher is better.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.errors import ShapeError

Csr: TypeAlias = Any  # scipy.sparse.csr_array of two dimensions, float32; its stubs do not nest

# Cells of one dense block of similarities: what bounds the memory, 64 MB of float32.
CELLS = 2**24


class BlockScorer(Protocol):
    """Scores every offer for a block of buyers."""

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N)."""


class Popularity:
    """The number of distinct buyers of each offer, the same for everybody."""

    def __init__(self, purchases: Csr) -> None:
        """``purchases`` (buyers, offers): any positive value is a purchase."""
        counts = np.bincount(purchases.indices, minlength=purchases.shape[1])
        self.counts = counts.astype(np.float32)

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N); the same row for each."""
        return np.repeat(self.counts[None, :], len(buyers), axis=0)


class ItemKnn:
    """Item-based neighbours: cosine of the offers' buyers, shrunk, the nearest kept.

    ``s(u, i) = sum over j in N(u) of sim(i, j)`` with
    ``sim(i, j) = |B(i) & B(j)| / (sqrt(|B(i)| |B(j)|) + shrink)``
    (Sarwar et al. 2001; shrinkage as in Deshpande and Karypis 2004).
    """

    def __init__(self, purchases: Csr, *, neighbours: int = 100, shrink: float = 10.0) -> None:
        """Keep the ``neighbours`` most similar offers of each of the purchases' columns."""
        self.purchases = sp.csr_array(purchases, dtype=np.float32)
        self.purchases.data = np.ones_like(self.purchases.data)
        self.similar = nearest_offers(self.purchases, neighbours, shrink)

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N)."""
        found = self.purchases[buyers] @ self.similar
        return np.asarray(found.todense(), dtype=np.float32)


def nearest_offers(purchases: Csr, neighbours: int, shrink: float) -> Csr:
    """The shrunk cosine of each offer with its nearest others: (N, N) CSR, row = bought offer.

    Memory is O(N x neighbours) plus one block of rows.

    Raises:
        ShapeError: when ``neighbours`` is not positive.
    """
    if neighbours < 1:
        raise ShapeError(f"neighbours must be positive, not {neighbours}.")
    offers = purchases.shape[1]
    by_offer = sp.csr_array(purchases.T)
    degree = np.diff(by_offer.indptr).astype(np.float32)
    blocks = []
    height = max(1, CELLS // max(offers, 1))
    for start in range(0, offers, height):
        stop = min(start + height, offers)
        shared = np.asarray((by_offer[start:stop] @ purchases).todense(), dtype=np.float32)
        shared /= np.sqrt(degree[start:stop, None] * degree[None, :]) + shrink + 1e-9
        shared[np.arange(stop - start), np.arange(start, stop)] = 0.0
        blocks.append(_largest_in_rows(shared, neighbours))
    # Similarity is symmetric but the cut is not: column i keeps i's own nearest offers.
    return sp.csr_array(sp.vstack(blocks).T) if blocks else sp.csr_array((0, 0), dtype=np.float32)


def _largest_in_rows(values: NDArray[np.float32], count: int) -> Csr:
    width = min(count, values.shape[1])
    columns = np.argpartition(-values, width - 1, axis=1)[:, :width]
    found = np.take_along_axis(values, columns, axis=1)
    rows = np.repeat(np.arange(len(values)), width)
    kept = found.ravel() > 0
    return sp.csr_array(
        (found.ravel()[kept], (rows[kept], columns.ravel()[kept])), shape=values.shape
    )
