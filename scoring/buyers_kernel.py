"""All buyers of one offer, and the vectors of all buyers: the pair score's other direction."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.again import OWNS
from scoring.combination import Combination, score_of
from scoring.components import (
    COMPONENTS,
    CONTEXT,
    EVIDENCE,
    KIND_POPULARITY,
    LOCAL_POPULARITY,
    POPULARITY,
    PRICE,
    REACH,
    TREND,
    VENDOR,
)
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
    add_piece,
    clear_attributes,
    fill_vector,
    log_more,
    share_of,
)
from scoring.pair_kernels import (
    fill_categories,
    fill_nowhere,
    fill_places,
    fill_products,
    fill_reach,
    price_fit,
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


@njit(cache=True, nogil=True, forceinline=True)
def _reached(
    pieces: Rows,
    weights: Floats,
    own: Floats,
    offer: int,
    column: Floats,
    walk_mass: Floats,
    reach: Floats,
) -> tuple[float, float]:
    """Fill ``reach`` (REACHES,) by what pieces (E,) add to an offer through its ``column``.

    Returns what they add up to, and the mass of their walk rows.
    """
    reach[:] = 0.0
    total = mass = 0.0
    for e in range(len(pieces)):
        weight, j = weights[e], pieces[e]
        if weight == 0.0:
            continue
        total += weight
        mass += weight * walk_mass[j]
        if j == offer:
            for k in range(OWNS):
                reach[OWN + k] += own[e, k]
        if column[j, LINKED] > 0.0:
            reach[WALKED] += weight * column[j, WALKED]
            reach[LINKED] += weight
        learned = column[j, LEARNED]
        if learned != 0.0:
            reach[LEARNED] += weight * learned
            reach[SQUARED] += weight * (learned * learned)
    return total, mass


@njit(cache=True, nogil=True, forceinline=True)
def _add_places(
    in_cell: Floats, pieces: Rows, weights: Floats, cells: NDArray[np.int32], offer: int
) -> None:
    """Sum pieces (E,) up ``in_cell`` of the offer, whatever it held before."""
    for k in range(cells.shape[1]):
        here = cells[offer, k]
        in_cell[here] = 0.0
        for e in range(len(pieces)):
            if cells[pieces[e], k] == here:
                in_cell[here] += weights[e]


@njit(cache=True, nogil=True, forceinline=True)
def _add_categories(
    by_category: Floats,
    pieces: Rows,
    weights: Floats,
    wanted: NDArray[np.bool_],
    closure_ptr: Offsets,
    closures: Rows,
) -> None:
    """Add pieces (E,) to those of their categories that are wanted (C,)."""
    for e in range(len(pieces)):
        for at in range(closure_ptr[pieces[e]], closure_ptr[pieces[e] + 1]):
            if wanted[closures[at]]:
                by_category[closures[at]] += weights[e]


@njit(cache=True, nogil=True, forceinline=True)
def _vendor_and_price(
    pieces: Rows, weights: Floats, offer: int, vendors: Rows, currencies: Rows, log_price: Floats
) -> tuple[float, float, float]:
    """What pieces (E,) are of an offer's vendor; their log prices in its currency, and of what."""
    vendor, currency = vendors[offer], currencies[offer]
    of_vendor = price = priced = 0.0
    if vendor < 0 and currency < 0:
        return of_vendor, price, priced
    for e in range(len(pieces)):
        j = pieces[e]
        if vendors[j] == vendor:
            of_vendor += weights[e]
        if currencies[j] == currency and not np.isnan(log_price[j]):
            price += weights[e] * log_price[j]
            priced += weights[e]
    return of_vendor, price, priced


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
    own: Floats,
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
    ``own`` (E, OWNS) what each piece says of its own offer; ``context`` (N,) is as in Who.
    """
    scores = np.empty(len(ptr) - 1, dtype=np.float64)
    by_category, liking, in_cell = np.zeros(sizes[0]), np.zeros(sizes[0]), np.zeros(sizes[3])
    phi = np.empty(len(COMPONENTS), dtype=np.float64)
    hidden = np.empty(len(by.outer), dtype=np.float64)
    reach = np.empty(REACHES, dtype=np.float64)
    vendor, currency, price = side.vendor[offer], side.currency[offer], side.log_price[offer]
    closure = side.closure[side.closure_ptr[offer] : side.closure_ptr[offer + 1]]
    wanted = np.zeros(sizes[0], dtype=np.bool_)
    wanted[closure] = True
    # Local names: reading a field of a tuple of arrays inside the loop costs more than the sums.
    closure_ptr, closures, category_weight = side.closure_ptr, side.closure, side.category_weight
    vendors, currencies, log_price = side.vendor, side.currency, side.log_price
    walk_mass, walk_scale, cell, density = side.walk_mass, side.walk_scale, side.cell, side.density
    vectors, low_rank, low_rank_out = side.z, side.low_rank, side.low_rank_out
    latitude, longitude = side.latitude, side.longitude
    # Copies: each country's and each kind's row lies elsewhere.
    local, by_kind = side.local[:, offer].copy(), side.by_kind[:, offer].copy()
    # The same for all buyers.
    phi[POPULARITY], phi[TREND] = side.popularity[offer], side.trend[offer]
    phi[CONTEXT] = context[offer]
    repeat_rate = side.repeat_rate[offer]
    for b in range(len(ptr) - 1):
        rows = slice(ptr[b], ptr[b + 1])
        pieces, weighing = offers[rows], weights[rows]
        total, mass = _reached(pieces, weighing, own[rows], offer, column, walk_mass, reach)
        fill_reach(phi, reach, walk_scale, repeat_rate)
        fill_products(phi, offer, vectors, low_rank, low_rank_out, z[b])
        share = share_of(total)
        likes = slice(preference_ptr[b], preference_ptr[b + 1])
        _add_liking(liking, preference_category[likes], preference_weight[likes])
        by_category[closure] = 0.0
        _add_categories(by_category, pieces, weighing, wanted, closure_ptr, closures)
        fill_categories(
            phi, offer, closure_ptr, closures, category_weight, by_category, share, liking
        )
        liking[preference_category[likes]] = 0.0
        of_vendor, paid, paid_weight = _vendor_and_price(
            pieces, weighing, offer, vendors, currencies, log_price
        )
        phi[VENDOR] = of_vendor * share if vendor >= 0 else 0.0
        phi[PRICE] = price_fit(price, paid, paid_weight) if currency >= 0 else 0.0
        if cell[offer, 0] < 0:
            fill_nowhere(phi)
        else:
            _add_places(in_cell, pieces, weighing, cell, offer)
            fill_places(
                phi, offer, latitude, longitude, latitudes[b], longitudes[b], cell, in_cell, density
            )
        phi[LOCAL_POPULARITY] = local[countries[b] + 1]
        phi[KIND_POPULARITY] = by_kind[kinds[b] + 1]
        phi[EVIDENCE] = log_more(total)
        phi[REACH] = log_more(mass / walk_scale)
        scores[b] = score_of(phi, by, hidden)
    return scores
