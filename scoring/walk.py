"""Walk rows: which offers are bought by the buyers of an offer.

Three hops buyer -> offer <- buyer -> offer with degree discounts, cut to the strongest
neighbours of each offer: ``W[j, i] = d_j^-c * d_i^-a * sum over v that bought both of d_v^-b``.
A buyer's walk score of i is then the sum of W[j, i] over what it has bought, so every piece of
evidence has a share of its own. With a = b = c = 0 this counts common buyers.
Source: RP3beta (Paudel et al., 2017, doi:10.1145/2955101), with a discount at each hop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.corpus import PURCHASED, BuyerColumns
from scoring.ragged import Ragged, ragged_from_pairs, transposed


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """Exponents of the discounts and how many neighbours of each offer are kept."""

    offer_discount: float = 0.3
    buyer_discount: float = 0.6
    evidence_discount: float = 0.4
    neighbours: int = 200


class WalkRows(NamedTuple):
    """Row j lists offers i (ascending) with W[j, i] > 0; ``scale`` is the median weight."""

    ptr: NDArray[np.int64]
    offer: NDArray[np.int32]
    weight: NDArray[np.float64]
    scale: float


def purchased_pairs(buyers: BuyerColumns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct (buyer row, offer row) pairs of purchases, or of anything when nobody bought."""
    rows = np.repeat(np.arange(len(buyers)), np.diff(buyers.ptr))
    kept = buyers.evidence_kind == PURCHASED
    if not kept.any():
        kept = np.ones(len(rows), dtype=bool)
    pairs = np.unique(np.stack([rows[kept], buyers.offer[kept].astype(np.int64)]), axis=1)
    return pairs[0], pairs[1]


def walk_rows(
    buyer: NDArray[np.int64],
    offer: NDArray[np.int64],
    shape: tuple[int, int],
    settings: WalkSettings,
) -> WalkRows:
    """Distinct pairs (n,) of a (buyers, offers) graph -> its walk rows.

    Time is the sum over buyers of their squared degree.
    """
    by_buyer = ragged_from_pairs(buyer, offer, shape[0])
    by_offer = transposed(by_buyer, shape[1])
    offer_degree = np.maximum(np.diff(by_offer.ptr), 1).astype(np.float64)
    buyer_degree = np.maximum(np.diff(by_buyer.ptr), 1).astype(np.float64)
    ptr, near, weight = _strongest(
        by_buyer,
        by_offer,
        buyer_degree**-settings.buyer_discount,
        offer_degree**-settings.offer_discount,
        offer_degree**-settings.evidence_discount,
        settings.neighbours,
    )
    scale = float(np.median(weight)) if len(weight) else 1.0
    return WalkRows(ptr, near, weight, scale)


def extended(rows: WalkRows, offers: int) -> WalkRows:
    """The same rows for a corpus that has grown to ``offers``: the new ones have no neighbours."""
    missing = offers - (len(rows.ptr) - 1)
    return rows._replace(ptr=np.concatenate([rows.ptr, np.full(missing, rows.ptr[-1])]))


def columns_of(rows: WalkRows) -> WalkRows:
    """The rows transposed: row i lists the offers j (ascending) with W[j, i] > 0."""
    count = len(rows.ptr) - 1
    source = np.repeat(np.arange(count, dtype=np.int32), np.diff(rows.ptr))
    order = np.lexsort((source, rows.offer))
    ptr = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows.offer, minlength=count), out=ptr[1:])
    return WalkRows(ptr, source[order], rows.weight[order], rows.scale)


@njit(cache=True, nogil=True)
def _risen(total: NDArray[np.float64], touched: NDArray[np.int32]) -> NDArray[np.int32]:
    """The touched offers in ascending order; of many, reading all totals beats sorting."""
    if len(touched) * 16 < len(total):
        return np.sort(touched)
    kept = np.empty(len(touched), dtype=np.int32)
    found = 0
    for i in range(len(total)):
        if total[i] != 0.0:
            kept[found] = i
            found += 1
    return kept


@njit(cache=True, nogil=True)
def _largest(value: NDArray[np.float64], keep: int) -> NDArray[np.int64]:
    """Positions, ascending, of the ``keep`` largest values; of equal ones the first."""
    limit = np.partition(value, len(value) - keep)[len(value) - keep]
    ties = keep - np.sum(value > limit)
    best = np.empty(keep, dtype=np.int64)
    found = 0
    for k in range(len(value)):
        if value[k] > limit or (value[k] == limit and ties > 0):
            ties -= value[k] == limit
            best[found] = k
            found += 1
    return best


@njit(cache=True, nogil=True)
def _strongest(
    by_buyer: Ragged,
    by_offer: Ragged,
    buyer_weight: NDArray[np.float64],
    offer_weight: NDArray[np.float64],
    evidence_weight: NDArray[np.float64],
    keep: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    offers = len(by_offer.ptr) - 1
    total = np.zeros(offers, dtype=np.float64)
    touched = np.empty(offers, dtype=np.int32)
    ptr = np.zeros(offers + 1, dtype=np.int64)
    near = np.empty((offers, keep), dtype=np.int32)
    weight = np.empty((offers, keep), dtype=np.float64)
    for j in range(offers):
        found = 0
        for at in range(by_offer.ptr[j], by_offer.ptr[j + 1]):
            v = by_offer.values[at]
            for to in range(by_buyer.ptr[v], by_buyer.ptr[v + 1]):
                i = by_buyer.values[to]
                if i == j:
                    continue
                if total[i] == 0.0:
                    touched[found] = i
                    found += 1
                total[i] += buyer_weight[v]
        kept = _risen(total, touched[:found])
        value = np.empty(found, dtype=np.float64)
        for k in range(found):
            value[k] = total[kept[k]] * offer_weight[kept[k]] * evidence_weight[j]
            total[kept[k]] = 0.0
        if found > keep:
            best = _largest(value, keep)
            kept, value, found = kept[best], value[best], keep
        near[j, :found] = kept
        weight[j, :found] = value
        ptr[j + 1] = ptr[j] + found
    flat_near = np.empty(ptr[offers], dtype=np.int32)
    flat_weight = np.empty(ptr[offers], dtype=np.float64)
    for j in range(offers):
        size = ptr[j + 1] - ptr[j]
        flat_near[ptr[j] : ptr[j + 1]] = near[j, :size]
        flat_weight[ptr[j] : ptr[j + 1]] = weight[j, :size]
    return ptr, flat_near, flat_weight
