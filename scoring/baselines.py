"""The simple models that every trained one is measured against.

Popularity, item-based neighbours (ItemKNN), a random walk with a popularity discount (RP3beta).
Each scores blocks of buyers: evidence (B, N) CSR -> scores (B, N) float32, higher is better.
The linear autoencoder EASE, which needs a dense matrix, is in ``scoring.ease``.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from core.errors import ShapeError
from scoring.ragged import Ragged

Csr: TypeAlias = Any  # scipy.sparse.csr_array of two dimensions, float32; its stubs do not nest
Floats = NDArray[np.float64]


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
        self.purchases = ones_of(purchases)
        self.similar = nearest_offers(self.purchases, neighbours, shrink)

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N)."""
        return _dense(self.purchases[buyers] @ self.similar)


class Rp3Beta:
    """Three steps of a random walk, discounted by how popular the offer is where it ends.

    ``s(u, i) = sum over j in N(u) of W[j, i]`` with
    ``W[j, i] = sum over v that bought both of (d_j d_v)^-alpha * d_i^-beta``, the strongest
    ``neighbours`` of each j kept (Paudel et al. 2017, doi:10.1145/2955101).
    """

    def __init__(
        self, purchases: Csr, *, alpha: float = 1.0, beta: float = 0.4, neighbours: int = 100
    ) -> None:
        """``alpha`` is the exponent of the steps' probabilities, ``beta`` of the discount.

        Raises:
            ShapeError: when ``neighbours`` is not positive.
        """
        self.purchases = ones_of(purchases)
        by_buyer, by_offer = _both_ways(self.purchases)
        offer_degree, buyer_degree = _degree(by_offer), _degree(by_buyer)
        self.walk = _kept_rows(
            by_buyer, by_offer, buyer_degree**-alpha, offer_degree**-alpha, offer_degree**-beta,
            np.ones(len(offer_degree)), 0.0, neighbours,
        )  # fmt: skip

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N)."""
        return _dense(self.purchases[buyers] @ self.walk)


def ones_of(purchases: Csr) -> Csr:
    """The same entries, each 1.0 float32, duplicates joined and columns ascending."""
    ones = sp.csr_array(purchases, dtype=np.float32, copy=True)
    ones.sum_duplicates()
    ones.data = np.ones_like(ones.data)
    return ones


def nearest_offers(purchases: Csr, neighbours: int, shrink: float) -> Csr:
    """The shrunk cosine of each offer with its nearest others: (N, N) CSR, row = bought offer.

    Similarity is symmetric but the cut is not: column i keeps i's own nearest offers. Time is the
    sum over buyers of their squared degree, memory O(N x neighbours).

    Raises:
        ShapeError: when ``neighbours`` is not positive.
    """
    by_buyer, by_offer = _both_ways(ones_of(purchases))
    root = np.sqrt(_degree(by_offer))
    one = np.ones(len(root))
    rows = _kept_rows(
        by_buyer, by_offer, np.ones(len(by_buyer.ptr) - 1), one, one, root, shrink, neighbours
    )
    return sp.csr_array(rows.T)


def _both_ways(purchases: Csr) -> tuple[Ragged, Ragged]:
    by_offer = sp.csr_array(purchases.T)
    return _ragged(purchases), _ragged(by_offer)


def _ragged(matrix: Csr) -> Ragged:
    return Ragged(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32))


def _degree(rows: Ragged) -> Floats:
    return np.maximum(np.diff(rows.ptr), 1).astype(np.float64)


def _dense(product: Csr) -> NDArray[np.float32]:
    return np.asarray(product.todense(), dtype=np.float32)


def _kept_rows(
    by_buyer: Ragged,
    by_offer: Ragged,
    buyer_weight: Floats,
    from_weight: Floats,
    to_weight: Floats,
    norm: Floats,
    shrink: float,
    neighbours: int,
) -> Csr:
    if neighbours < 1:
        raise ShapeError(f"neighbours must be positive, not {neighbours}.")
    offers = len(by_offer.ptr) - 1
    keep = min(neighbours, max(offers, 1))
    ptr, near, value = _neighbours(
        by_buyer, by_offer, buyer_weight, from_weight, to_weight, norm, shrink, keep
    )
    return sp.csr_array((value, near, ptr), shape=(offers, offers))


@njit(cache=True, nogil=True)
def _neighbours(
    by_buyer: Ragged,
    by_offer: Ragged,
    buyer_weight: Floats,
    from_weight: Floats,
    to_weight: Floats,
    norm: Floats,
    shrink: float,
    keep: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Rows j of the ``keep`` largest V[j, i], i != j, in ascending order of i; ties to lower i.

    ``V[j, i] = from[j] to[i] (sum over v that bought both of buyer[v]) / (norm[j] norm[i] +
    shrink)``
    """
    offers = len(by_offer.ptr) - 1
    total = np.zeros(offers, dtype=np.float64)
    touched = np.empty(offers, dtype=np.int32)
    ptr = np.zeros(offers + 1, dtype=np.int64)
    near = np.empty((offers, keep), dtype=np.int32)
    value = np.empty((offers, keep), dtype=np.float32)
    for j in range(offers):
        found = 0
        for at in range(by_offer.ptr[j], by_offer.ptr[j + 1]):
            v = by_offer.values[at]
            for to in range(by_buyer.ptr[v], by_buyer.ptr[v + 1]):
                i = by_buyer.values[to]
                if i != j:
                    if total[i] == 0.0:
                        touched[found] = i
                        found += 1
                    total[i] += buyer_weight[v]
        kept = np.sort(touched[:found])
        strength = np.empty(found, dtype=np.float64)
        for k in range(found):
            i = kept[k]
            strength[k] = from_weight[j] * to_weight[i] * total[i] / (norm[j] * norm[i] + shrink)
            total[i] = 0.0
        ptr[j + 1] = ptr[j] + _put_largest(kept, strength, near[j], value[j])
    flat_near = np.empty(ptr[offers], dtype=np.int32)
    flat_value = np.empty(ptr[offers], dtype=np.float32)
    for j in range(offers):
        flat_near[ptr[j] : ptr[j + 1]] = near[j, : ptr[j + 1] - ptr[j]]
        flat_value[ptr[j] : ptr[j + 1]] = value[j, : ptr[j + 1] - ptr[j]]
    return ptr, flat_near, flat_value


@njit(cache=True, nogil=True)
def _put_largest(
    offers: NDArray[np.int32], strength: Floats, near: NDArray[np.int32], value: NDArray[np.float32]
) -> int:
    """Copy the largest into ``near`` and ``value``, as many as fit; returns how many."""
    keep, count = len(near), len(offers)
    limit, ties = -1.0, 0
    if count > keep:
        limit = np.partition(strength, count - keep)[count - keep]
        ties = keep - np.sum(strength > limit)
    found = 0
    for k in range(count):
        tied = strength[k] == limit
        if strength[k] > limit or (tied and ties > 0):
            ties -= tied
            near[found] = offers[k]
            value[found] = strength[k]
            found += 1
    return found
