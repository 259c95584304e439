"""All buyers of one offer, and the vectors of all buyers: the pair score's other direction."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.combination import Combination, score_of
from scoring.components import COMPONENTS
from scoring.kernels import (
    LEARNED,
    LINKED,
    OWN,
    REACHES,
    SQUARED,
    WALKED,
    BuyerSide,
    Floats,
    OfferSide,
    Offsets,
    Rows,
    Singles,
    Sums,
    Who,
    add_piece,
    clear_attributes,
    fill_anew,
    fill_vector,
)


@njit(cache=True, nogil=True)
def empty_sums(side: OfferSide, sizes: tuple[int, int, int, int]) -> Sums:
    """Sums of no evidence; ``sizes`` are the numbers of categories, vendors, currencies, cells."""
    d = side.z.shape[1]
    return Sums(
        np.zeros(d),
        np.zeros(d),
        np.zeros(side.low_rank.shape[1]),
        np.zeros(5),
        np.zeros(sizes[3]),
        np.zeros(sizes[0]),
        np.zeros(sizes[1]),
        np.zeros(sizes[2]),
        np.zeros(sizes[2]),
    )


@njit(cache=True, nogil=True)
def vectors_of_buyers(
    side: OfferSide,
    buyer: BuyerSide,
    ptr: Offsets,
    offers: Rows,
    weights: Floats,
    kinds: Rows,
    countries: Rows,
    sizes: tuple[int, int, int, int],
) -> Singles:
    """Evidence of B buyers in CSR layout -> their vectors (B, d + r), see fill_vector."""
    z = np.zeros((len(ptr) - 1, side.z.shape[1] + side.low_rank.shape[1]), dtype=np.float32)
    sums = empty_sums(side, sizes)
    for b in range(len(ptr) - 1):
        sums.message1[:] = 0.0
        sums.message2[:] = 0.0
        sums.low_rank[:] = 0.0
        sums.total[:] = 0.0
        for e in range(ptr[b], ptr[b + 1]):
            if weights[e] != 0.0:
                add_piece(sums, side, offers[e], weights[e])
        fill_vector(sums, buyer, kinds[b] + 1, countries[b] + 1, z[b])
        for e in range(ptr[b], ptr[b + 1]):
            clear_attributes(sums, side, offers[e])
    return z


@njit(cache=True, nogil=True)
def _add_link(reach: Floats, column: Floats, weight: float, own: float) -> None:
    """Add to ``reach`` (REACHES,) what a piece adds through its offer's ``column`` (REACHES,)."""
    reach[OWN] += own
    if column[LINKED] > 0.0:
        reach[WALKED] += weight * column[WALKED]
        reach[LINKED] += weight
    learned = column[LEARNED]
    if learned != 0.0:
        reach[LEARNED] += weight * learned
        reach[SQUARED] += weight * (learned * learned)


@njit(cache=True, nogil=True)
def _add_place(around: Floats, cells: Rows, wanted: Rows, weight: float) -> None:
    """Add a piece to ``around`` (10,) where its offer's cells are the wanted ones."""
    for k in range(len(wanted)):
        if cells[k] == wanted[k]:
            around[k] += weight


@njit(cache=True, nogil=True)
def _add_liking(liking: Floats, categories: Rows, weights: Floats) -> None:
    """Add a buyer's preferences (P,) to ``liking`` (C,)."""
    for p in range(len(categories)):
        liking[categories[p]] += weights[p]


@njit(cache=True, nogil=True)
def scores_of_buyers(
    side: OfferSide,
    offer: int,
    column: Floats,
    z: Singles,
    ptr: Offsets,
    offers: Rows,
    weights: Floats,
    again: Floats,
    kinds: Rows,
    countries: Rows,
    latitudes: Floats,
    longitudes: Floats,
    preference_ptr: Offsets,
    preference_category: Rows,
    preference_weight: Floats,
    context: Floats,
    by: Combination,
    sizes: tuple[int, int, int, int],
) -> NDArray[np.float64]:
    """Scores (B,) of every buyer for one offer.

    ``column`` (N, REACHES) holds what a piece of weight 1 at each offer adds to the reach here,
    ``again`` (E,) what each piece adds to that of its own offer; ``context`` (N,) is as
    in Who.
    """
    scores = np.empty(len(ptr) - 1, dtype=np.float64)
    sums = empty_sums(side, sizes)
    liking = np.zeros(sizes[0])
    phi = np.empty(len(COMPONENTS), dtype=np.float64)
    hidden = np.empty(len(by.outer), dtype=np.float64)
    reach = np.empty(REACHES, dtype=np.float64)
    cells = side.cell[offer]
    around = np.empty(len(cells), dtype=np.float64)
    placed = cells[0] >= 0
    vendor, currency = side.vendor[offer], side.currency[offer]
    closure = side.closure[side.closure_ptr[offer] : side.closure_ptr[offer + 1]]
    wanted = np.zeros(sizes[0], dtype=np.bool_)
    wanted[closure] = True
    # Local names: reading a field of a tuple of arrays inside the loop costs more than the sum.
    closure_ptr, closures, vendors = side.closure_ptr, side.closure, side.vendor
    currencies, log_price, by_category = side.currency, side.log_price, sums.category
    walk_mass, cell = side.walk_mass, side.cell
    for b in range(len(ptr) - 1):
        by_category[closure] = 0.0
        reach[:] = 0.0
        around[:] = 0.0
        total = mass = of_vendor = price = priced = 0.0
        for e in range(ptr[b], ptr[b + 1]):
            weight, j = weights[e], offers[e]
            if weight == 0.0:
                continue
            total += weight
            mass += weight * walk_mass[j]
            _add_link(reach, column[j], weight, again[e] if j == offer else 0.0)
            if placed:
                _add_place(around, cell[j], cells, weight)
            for at in range(closure_ptr[j], closure_ptr[j + 1]):
                if wanted[closures[at]]:
                    by_category[closures[at]] += weight
            if vendors[j] == vendor:
                of_vendor += weight
            if currencies[j] == currency and not np.isnan(log_price[j]):
                price += weight * log_price[j]
                priced += weight
        sums.total[0], sums.total[2] = total, mass
        if placed:
            sums.cell[cells] = around
        if vendor >= 0:
            sums.vendor[vendor] = of_vendor
        if currency >= 0:
            sums.price[currency] = price
            sums.price_weight[currency] = priced
        likes = slice(preference_ptr[b], preference_ptr[b + 1])
        _add_liking(liking, preference_category[likes], preference_weight[likes])
        who = Who(kinds[b] + 1, countries[b] + 1, latitudes[b], longitudes[b], liking, context)
        fill_anew(side, who, sums, z[b], reach, offer, phi)
        scores[b] = score_of(phi, by, hidden)
        liking[preference_category[likes]] = 0.0
    return scores
