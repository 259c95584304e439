"""Walk rows: which offers are bought by the buyers of an offer.

Three hops buyer -> offer <- buyer -> offer with degree discounts, cut to the strongest
neighbours of each offer: ``W[j, i] = d_j^-c * d_i^-a * sum over v of x_vj * x_vi * d_v^-b``, x
being how much a dealing says (1 for a purchase, less for a view) and d its sums. A buyer's walk
score of i is then the sum of W[j, i] over what it has dealt with, so every piece of evidence has a
share of its own. With a = b = c = 0 and purchases alone this counts common buyers.
Source: RP3beta (Paudel et al., 2017, doi:10.1145/2955101), with a discount at each hop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.corpus import PURCHASED, BuyerColumns
from scoring.ragged import Ragged, weighted_rows
from scoring.rows import OfferRows
from scoring.states import WEIGHT_OF_KIND

WORTH_KEEPING = 0.75


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """Exponents of the discounts and how many neighbours of each offer are kept."""

    offer_discount: float = 0.3
    buyer_discount: float = 0.6
    evidence_discount: float = 0.4
    neighbours: int = 300


def purchased_pairs(buyers: BuyerColumns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct (buyer row, offer row) pairs of purchases, or of anything when nobody bought."""
    rows = np.repeat(np.arange(len(buyers)), np.diff(buyers.ptr))
    kept = buyers.evidence_kind == PURCHASED
    if not kept.any():
        kept = np.ones(len(rows), dtype=bool)
    pairs = np.unique(np.stack([rows[kept], buyers.offer[kept].astype(np.int64)]), axis=1)
    return pairs[0], pairs[1]


class Dealings(NamedTuple):
    """Distinct (buyer row, offer row) pairs (n,), sorted, and how much each says (n,) in (0, 1]."""

    buyer: NDArray[np.int64]
    offer: NDArray[np.int64]
    weight: NDArray[np.float64]


def dealings_of(buyers: BuyerColumns) -> Dealings:
    """What links offers: purchases, and by a share of one whatever else shows interest."""
    rows = np.repeat(np.arange(len(buyers)), np.diff(buyers.ptr))
    pairs = np.stack([rows, buyers.offer.astype(np.int64)])
    distinct, number = np.unique(pairs, axis=1, return_inverse=True)
    says = np.bincount(number, WEIGHT_OF_KIND[buyers.evidence_kind], distinct.shape[1])
    kept = says > 0.0
    return Dealings(distinct[0][kept], distinct[1][kept], np.minimum(says[kept], 1.0))


def walk_rows(dealings: Dealings, shape: tuple[int, int], settings: WalkSettings) -> OfferRows:
    """Dealings of a (buyers, offers) graph -> its walk rows.

    Time is the sum over buyers of their squared number of offers.
    """
    by_buyer, says = weighted_rows(dealings.buyer, dealings.offer, dealings.weight, shape[0])
    by_offer, heard = weighted_rows(dealings.offer, dealings.buyer, dealings.weight, shape[1])
    buyer_degree = np.bincount(dealings.buyer, dealings.weight, shape[0]).clip(1.0)
    offer_degree = np.bincount(dealings.offer, dealings.weight, shape[1]).clip(1.0)
    return OfferRows(
        *_strongest(
            by_buyer,
            says,
            by_offer,
            heard,
            buyer_degree**-settings.buyer_discount,
            offer_degree**-settings.offer_discount,
            offer_degree**-settings.evidence_discount,
            settings.neighbours,
        )
    )


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
    says: NDArray[np.float64],
    by_offer: Ragged,
    heard: NDArray[np.float64],
    buyer_weight: NDArray[np.float64],
    offer_weight: NDArray[np.float64],
    evidence_weight: NDArray[np.float64],
    keep: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    offers = len(by_offer.ptr) - 1
    total = np.zeros(offers, dtype=np.float64)
    touched = np.empty(offers, dtype=np.int32)
    ptr = np.zeros(offers + 1, dtype=np.int64)
    room = _most_links(by_buyer, by_offer, keep)
    near = np.empty(room, dtype=np.int32)
    weight = np.empty(room, dtype=np.float32)
    for j in range(offers):
        found = 0
        for at in range(by_offer.ptr[j], by_offer.ptr[j + 1]):
            v = by_offer.values[at]
            share = buyer_weight[v] * heard[at]
            for to in range(by_buyer.ptr[v], by_buyer.ptr[v + 1]):
                i = by_buyer.values[to]
                if i == j:
                    continue
                if total[i] == 0.0:
                    touched[found] = i
                    found += 1
                total[i] += share * says[to]
        kept = _risen(total, touched[:found])
        value = np.empty(found, dtype=np.float64)
        for k in range(found):
            value[k] = total[kept[k]] * offer_weight[kept[k]] * evidence_weight[j]
            total[kept[k]] = 0.0
        if found > keep:
            best = _largest(value, keep)
            kept, value, found = kept[best], value[best], keep
        ptr[j + 1] = ptr[j] + found
        near[ptr[j] : ptr[j + 1]] = kept
        weight[ptr[j] : ptr[j + 1]] = value
    near, weight = near[: ptr[offers]], weight[: ptr[offers]]
    # A copy takes the same once more for a while; it is worth it where much was left empty.
    if len(near) < room * WORTH_KEEPING:
        near, weight = near.copy(), weight.copy()
    return ptr, near, weight


@njit(cache=True, nogil=True)
def _most_links(by_buyer: Ragged, by_offer: Ragged, keep: int) -> int:
    """How many links there can be, counting an offer that shares two buyers with another twice."""
    most = 0
    for j in range(len(by_offer.ptr) - 1):
        met = 0
        for at in range(by_offer.ptr[j], by_offer.ptr[j + 1]):
            v = by_offer.values[at]
            met += by_buyer.ptr[v + 1] - by_buyer.ptr[v] - 1
        most += min(met, keep)
    return most
