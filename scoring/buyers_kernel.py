"""All buyers of one offer, and the vectors of all buyers: the pair score's other direction."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.kernels import (
    BuyerSide,
    Floats,
    OfferSide,
    Offsets,
    Rows,
    Sums,
    Who,
    add_piece,
    clear_attributes,
    combine,
    fill_components,
    fill_vector,
)


@njit(cache=True, nogil=True)
def empty_sums(side: OfferSide, categories: int, vendors: int, currencies: int) -> Sums:
    """Sums of no evidence."""
    d = side.z.shape[1]
    return Sums(
        np.zeros(d),
        np.zeros(d),
        np.zeros(2),
        np.zeros(categories),
        np.zeros(vendors),
        np.zeros(currencies),
        np.zeros(currencies),
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
    sizes: tuple[int, int, int],
) -> Floats:
    """Evidence of B buyers in CSR layout -> their unit vectors (B, d)."""
    z = np.zeros((len(ptr) - 1, side.z.shape[1]), dtype=np.float64)
    sums = empty_sums(side, sizes[0], sizes[1], sizes[2])
    for b in range(len(ptr) - 1):
        sums.message1[:] = 0.0
        sums.message2[:] = 0.0
        sums.total[:] = 0.0
        for e in range(ptr[b], ptr[b + 1]):
            if weights[e] != 0.0:
                add_piece(sums, side, offers[e], weights[e])
        fill_vector(sums, buyer, kinds[b] + 1, countries[b] + 1, z[b])
        for e in range(ptr[b], ptr[b + 1]):
            clear_attributes(sums, side, offers[e])
    return z


@njit(cache=True, nogil=True)
def scores_of_buyers(
    side: OfferSide,
    offer: int,
    column: Floats,
    z: Floats,
    ptr: Offsets,
    offers: Rows,
    weights: Floats,
    kinds: Rows,
    countries: Rows,
    latitudes: Floats,
    longitudes: Floats,
    preference_ptr: Offsets,
    preference_category: Rows,
    preference_weight: Floats,
    blend: tuple[Floats, float],
    sizes: tuple[int, int, int],
) -> NDArray[np.float64]:
    """Scores (B,) of every buyer for one offer; ``column`` (N,) holds W[j, offer]."""
    scores = np.empty(len(ptr) - 1, dtype=np.float64)
    sums = empty_sums(side, sizes[0], sizes[1], sizes[2])
    liking = np.zeros(sizes[0])
    phi = np.empty(10, dtype=np.float64)
    vendor, currency = side.vendor[offer], side.currency[offer]
    closure = side.closure[side.closure_ptr[offer] : side.closure_ptr[offer + 1]]
    wanted = np.zeros(sizes[0], dtype=np.bool_)
    wanted[closure] = True
    # Local names: reading a field of a tuple of arrays inside the loop costs more than the sum.
    closure_ptr, closures, vendors = side.closure_ptr, side.closure, side.vendor
    currencies, log_price, by_category = side.currency, side.log_price, sums.category
    for b in range(len(ptr) - 1):
        by_category[closure] = 0.0
        total = walk = of_vendor = price = priced = 0.0
        for e in range(ptr[b], ptr[b + 1]):
            weight, j = weights[e], offers[e]
            if weight == 0.0:
                continue
            total += weight
            walk += weight * column[j]
            for at in range(closure_ptr[j], closure_ptr[j + 1]):
                if wanted[closures[at]]:
                    by_category[closures[at]] += weight
            if vendors[j] == vendor:
                of_vendor += weight
            if currencies[j] == currency and not np.isnan(log_price[j]):
                price += weight * log_price[j]
                priced += weight
        sums.total[0] = total
        if vendor >= 0:
            sums.vendor[vendor] = of_vendor
        if currency >= 0:
            sums.price[currency] = price
            sums.price_weight[currency] = priced
        for p in range(preference_ptr[b], preference_ptr[b + 1]):
            liking[preference_category[p]] += preference_weight[p]
        who = Who(kinds[b] + 1, countries[b] + 1, latitudes[b], longitudes[b], liking)
        fill_components(side, who, sums, z[b], walk, offer, phi)
        scores[b] = combine(phi, blend[0], blend[1])
        for p in range(preference_ptr[b], preference_ptr[b + 1]):
            liking[preference_category[p]] = 0.0
    return scores
