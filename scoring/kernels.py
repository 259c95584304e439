"""The pair score's components as machine code: one function for one pair, whatever the direction.

The components (scoring.components) say how well an offer fits a buyer; scoring.combination makes
one score of them. Every sum runs in one fixed order, whether one pair, all offers of a buyer or
all buyers of an offer are scored, so that a pair has one score to the bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.components import (
    AGAIN,
    CATEGORY,
    COMPONENTS,
    CONTEXT,
    COSINE,
    DENSITY_QUARTER,
    EVIDENCE,
    GRID_KM,
    KIND_POPULARITY,
    LINKS,
    LOCAL_POPULARITY,
    LOW_RANK,
    LOW_RANK_LOG,
    NEAR_QUARTER,
    PLACE,
    POPULARITY,
    PREFERENCE,
    PRICE,
    REACH,
    SLIM,
    SLIM_LOG,
    SLIM_ROOT,
    SLIM_SQUARES,
    TREND,
    VENDOR,
    WALK,
)
from scoring.dot import dot
from scoring.rows import OfferRows

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int32]
Offsets = NDArray[np.int64]

WIDTH = len(COMPONENTS)
SIZES = len(GRID_KM)
# What a buyer's evidence adds up to at each offer: walk weight, links, slim weight, its squares,
# and what the buyer's own purchases of the offer say of buying it again.
WALKED, LINKED, LEARNED, SQUARED, OWN = range(5)
REACHES = 5
# A learned weight of a fiftieth is where its logarithm begins to bend.
FINE = 50.0
EARTH_RADIUS_KM = 6371.0088
# Kilometres at which nearness has fallen to one half.
HALF_NEAR_KM = 100.0
# Below this the evidence has been taken away whole; what is left is rounding.
NOTHING = 1e-9


class OfferSide(NamedTuple):
    """What scoring reads of N offers; d and r are 0 without a trained model.

    ``low_rank`` (N, r), ``low_rank_in`` and ``low_rank_out`` (N,) are as in scoring.tower.

    ``local`` and ``by_kind`` have a row of zeros first, for an unknown country or kind;
    ``walk_mass`` (N,) sums each row of ``walk``; ``cell`` (N, 10) is where the offer lies on two
    grids of each size in GRID_KM, -1 when its place is unknown; ``density`` (N, 5)
    is as in scoring.grid.
    """

    z: Singles
    message1: Singles
    message2: Singles
    gain: Singles
    low_rank: Singles
    low_rank_in: Singles
    low_rank_out: Singles
    closure_ptr: Offsets
    closure: Rows
    vendor: Rows
    log_price: Floats
    currency: Rows
    latitude: Floats
    longitude: Floats
    walk: OfferRows
    walk_scale: float
    walk_mass: Floats
    slim: OfferRows
    cell: NDArray[np.int32]
    density: Floats
    popularity: Floats
    trend: Floats
    local: Singles
    by_kind: Singles
    category_weight: Floats


class BuyerSide(NamedTuple):
    """The trained weights that turn a buyer's evidence into its vector (see scoring.artifact).

    ``a1`` and ``a2`` (d, d) have a row for each input, so that outputs are summed side by side.
    """

    kind_h0: Singles
    country_h0: Singles
    a1: Singles
    a2: Singles
    c1: Singles
    c2: Singles
    layer_weights: Singles
    rectified: bool


class Sums(NamedTuple):
    """A buyer's evidence summed up; linear in the pieces, so that one can be taken out again.

    ``total`` (5,) holds the evidence, its share in the messages, the mass of its walk rows, and
    the logarithms of the first and the third.
    """

    message1: Floats
    message2: Floats
    low_rank: Floats
    total: Floats
    cell: Floats
    category: Floats
    vendor: Floats
    price: Floats
    price_weight: Floats


class Who(NamedTuple):
    """The rest of a buyer: rows in ``by_kind`` and ``local``, radians, liking by category.

    ``context`` (N,) is what the circumstances of the request add to the log odds of each offer.
    """

    kind: int
    country: int
    latitude: float
    longitude: float
    liking: Floats
    context: Floats


@njit(cache=True, nogil=True)
def add_piece(sums: Sums, side: OfferSide, offer: int, weight: float) -> None:
    """Add a piece of evidence to the sums; a negative weight takes it away."""
    share = weight * side.gain[offer]
    for k in range(side.message1.shape[1]):
        sums.message1[k] += share * side.message1[offer, k]
        sums.message2[k] += share * side.message2[offer, k]
    heard = weight * side.low_rank_in[offer]
    for k in range(side.low_rank.shape[1]):
        sums.low_rank[k] += heard * side.low_rank[offer, k]
    sums.total[1] += share
    add_attributes(sums, side, offer, weight)


@njit(cache=True, nogil=True)
def add_attributes(sums: Sums, side: OfferSide, offer: int, weight: float) -> None:
    """Add what a piece says of categories, vendors and prices, without its messages."""
    sums.total[0] += weight
    sums.total[2] += weight * side.walk_mass[offer]
    for k in range(side.cell.shape[1]):
        if side.cell[offer, k] >= 0:
            sums.cell[side.cell[offer, k]] += weight
    for at in range(side.closure_ptr[offer], side.closure_ptr[offer + 1]):
        sums.category[side.closure[at]] += weight
    if side.vendor[offer] >= 0:
        sums.vendor[side.vendor[offer]] += weight
    if not np.isnan(side.log_price[offer]) and side.currency[offer] >= 0:
        sums.price[side.currency[offer]] += weight * side.log_price[offer]
        sums.price_weight[side.currency[offer]] += weight


@njit(cache=True, nogil=True)
def clear_attributes(sums: Sums, side: OfferSide, offer: int) -> None:
    """Set to zero what ``add_attributes`` of this offer touched."""
    sums.total[0] = 0.0
    sums.total[2] = 0.0
    for k in range(side.cell.shape[1]):
        if side.cell[offer, k] >= 0:
            sums.cell[side.cell[offer, k]] = 0.0
    for at in range(side.closure_ptr[offer], side.closure_ptr[offer + 1]):
        sums.category[side.closure[at]] = 0.0
    if side.vendor[offer] >= 0:
        sums.vendor[side.vendor[offer]] = 0.0
    if side.currency[offer] >= 0:
        sums.price[side.currency[offer]] = 0.0
        sums.price_weight[side.currency[offer]] = 0.0


@njit(cache=True, nogil=True)
def fill_vector(sums: Sums, buyer: BuyerSide, kind: int, country: int, z: Singles) -> None:
    """The buyer's vector (d + r,): a unit vector (d,), and its evidence in the low rank (r,).

    The first is two layers of mean aggregation over its evidence. Source: GraphSAGE (Hamilton et
    al., 2017, arXiv:1706.02216), full neighbourhood.
    """
    d = len(sums.message1)
    z[d:] = sums.low_rank
    h1 = np.empty(d, dtype=np.float64)
    h2 = np.empty(d, dtype=np.float64)
    share = 1.0 / sums.total[1] if sums.total[1] > NOTHING else 0.0
    for row in range(d):
        h1[row] = sums.message1[row] * share + buyer.c1[row]
        h2[row] = sums.message2[row] * share + buyer.c2[row]
    for k in range(d):
        h0 = buyer.kind_h0[kind, k] + buyer.country_h0[country, k]
        for row in range(d):
            h1[row] += buyer.a1[k, row] * h0
    if buyer.rectified:
        for row in range(d):
            h1[row] = max(h1[row], 0.0)
    for k in range(d):
        for row in range(d):
            h2[row] += buyer.a2[k, row] * h1[k]
    whole = h2
    weights = buyer.layer_weights
    norm = 0.0
    for row in range(d):
        h0 = buyer.kind_h0[kind, row] + buyer.country_h0[country, row]
        whole[row] = weights[0] * h0 + weights[1] * h1[row] + weights[2] * h2[row]
        norm += whole[row] * whole[row]
    scale = 1.0 / np.sqrt(norm) if norm > 0.0 else 1.0
    for row in range(d):
        z[row] = whole[row] * scale


@njit(cache=True, nogil=True)
def kilometres(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Great-circle distance of two places given in radians (haversine)."""
    a = np.sin((to_latitude - latitude) / 2.0) ** 2
    b = np.sin((to_longitude - longitude) / 2.0) ** 2
    h = a + np.cos(latitude) * np.cos(to_latitude) * b
    return float(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(min(1.0, h))))


@njit(cache=True, nogil=True)
def log_more(value: float) -> float:
    """log(1 + value), 0 below 0; most offers have nothing in common with a buyer."""
    return float(np.log1p(value)) if value > 0.0 else 0.0


@njit(cache=True, nogil=True)
def share_of(total: float) -> float:
    """What one unit is of a buyer's evidence; 0 where all of it is gone."""
    return 1.0 / total if total > NOTHING else 0.0


@njit(cache=True, nogil=True)
def sum_up(sums: Sums, side: OfferSide) -> None:
    """Take the logarithms of the totals: once a buyer, whatever its evidence is just now."""
    sums.total[3] = log_more(sums.total[0])
    sums.total[4] = log_more(sums.total[2] / side.walk_scale)


@njit(cache=True, nogil=True, forceinline=True)
def fill_reach(phi: Floats, reach: Floats, walk_scale: float) -> None:
    """What the evidence adds up to at the offer (REACHES,)."""
    learned = max(reach[LEARNED], 0.0)
    phi[WALK] = log_more(reach[WALKED] / walk_scale)
    phi[LINKS] = log_more(reach[LINKED])
    phi[SLIM] = reach[LEARNED]
    phi[SLIM_ROOT] = np.sqrt(learned)
    phi[SLIM_LOG] = log_more(FINE * learned)
    phi[SLIM_SQUARES] = np.sqrt(max(reach[SQUARED], 0.0))
    phi[AGAIN] = reach[OWN]


@njit(cache=True, nogil=True, forceinline=True)
def fill_products(
    phi: Floats, offer: int, z: Singles, low_rank: Singles, low_rank_out: Singles, own: Singles
) -> None:
    """The cosine and the low rank, of the buyer's vector (d + r,)."""
    d = z.shape[1]
    phi[COSINE] = dot(z[offer], own[:d])
    phi[LOW_RANK] = low_rank_out[offer] * dot(low_rank[offer], own[d:])
    phi[LOW_RANK_LOG] = log_more(FINE * phi[LOW_RANK])


@njit(cache=True, nogil=True, forceinline=True)
def fill_categories(
    phi: Floats,
    offer: int,
    closure_ptr: Offsets,
    closure: Rows,
    category_weight: Floats,
    dealt: Floats,
    share: float,
    liking: Floats,
) -> None:
    """What the buyer dealt with in the offer's categories, and how it likes them."""
    affinity = 0.0
    liked = 0.0
    first, last = closure_ptr[offer], closure_ptr[offer + 1]
    for at in range(first, last):
        category = closure[at]
        affinity += dealt[category] * share * category_weight[category]
        liked += liking[category]
    phi[CATEGORY] = affinity / (last - first) if last > first else 0.0
    phi[PREFERENCE] = min(1.0, max(-1.0, liked))


@njit(cache=True, nogil=True)
def price_fit(log_price: float, paid: float, paid_weight: float) -> float:
    """How usual a price is for a buyer, in (0, 1]; 0 where either is not known.

    ``paid`` adds up what the buyer paid in the price's currency, logarithms as well.
    """
    if np.isnan(log_price) or paid_weight <= NOTHING:
        return 0.0
    return float(np.exp(-abs(log_price - paid / paid_weight)))


@njit(cache=True, nogil=True, forceinline=True)
def fill_nowhere(phi: Floats) -> None:
    """What is known of an offer whose place is not."""
    phi[PLACE] = 0.0
    for k in range(SIZES):
        phi[NEAR_QUARTER + k] = 0.0
        phi[DENSITY_QUARTER + k] = 0.0


@njit(cache=True, nogil=True, forceinline=True)
def fill_places(
    phi: Floats,
    offer: int,
    latitudes: Floats,
    longitudes: Floats,
    latitude: float,
    longitude: float,
    cells: Rows,
    dealt: Floats,
    density: Floats,
) -> None:
    """How far the buyer is from the offer's place (radians), what it did there, what is done."""
    phi[PLACE] = 0.0
    if not np.isnan(latitude):
        far = kilometres(latitude, longitude, latitudes[offer], longitudes[offer])
        phi[PLACE] = 1.0 / (1.0 + far / HALF_NEAR_KM)
    for k in range(SIZES):
        around = dealt[cells[offer, 2 * k]] + dealt[cells[offer, 2 * k + 1]]
        phi[NEAR_QUARTER + k] = log_more(around / 2.0)
        phi[DENSITY_QUARTER + k] = density[offer, k]


@njit(cache=True, nogil=True)
def fill_components(
    side: OfferSide, who: Who, sums: Sums, z: Singles, reach: Floats, offers: Rows, phi: Floats
) -> None:
    """Components (n, WIDTH) of one buyer with the given offers (n,), after ``sum_up``.

    ``reach`` (n, REACHES) is what the buyer's evidence adds up to at each of them.
    """
    share = share_of(sums.total[0])
    evidence, reached = sums.total[3], sums.total[4]
    # Local names: reading a field of a tuple of arrays inside the loop costs more than the sums.
    walk_scale, vectors = side.walk_scale, side.z
    low_rank, low_rank_out = side.low_rank, side.low_rank_out
    closure_ptr, closure, category_weight = side.closure_ptr, side.closure, side.category_weight
    in_category, liking = sums.category, who.liking
    vendor, of_vendor, currency, log_price = side.vendor, sums.vendor, side.currency, side.log_price
    price, price_weight = sums.price, sums.price_weight
    latitude, longitude, cell, density = side.latitude, side.longitude, side.cell, side.density
    in_cell, own_latitude, own_longitude = sums.cell, who.latitude, who.longitude
    local, by_kind = side.local[who.country], side.by_kind[who.kind]
    popularity, trend, context = side.popularity, side.trend, who.context
    for n in range(len(offers)):
        offer = offers[n]
        fill_reach(phi[n], reach[n], walk_scale)
        fill_products(phi[n], offer, vectors, low_rank, low_rank_out, z)
        fill_categories(
            phi[n], offer, closure_ptr, closure, category_weight, in_category, share, liking
        )
        phi[n, VENDOR] = of_vendor[vendor[offer]] * share if vendor[offer] >= 0 else 0.0
        phi[n, PRICE] = 0.0
        if currency[offer] >= 0:
            money = currency[offer]
            phi[n, PRICE] = price_fit(log_price[offer], price[money], price_weight[money])
        # A row named before the branch would be counted as held all through it.
        if cell[offer, 0] < 0:
            fill_nowhere(phi[n])
        else:
            fill_places(
                phi[n], offer, latitude, longitude, own_latitude, own_longitude, cell, in_cell,
                density,
            )  # fmt: skip
        phi[n, LOCAL_POPULARITY] = local[offer]
        phi[n, POPULARITY] = popularity[offer]
        phi[n, KIND_POPULARITY] = by_kind[offer]
        phi[n, TREND] = trend[offer]
        phi[n, CONTEXT] = context[offer]
        phi[n, EVIDENCE] = evidence
        phi[n, REACH] = reached


@njit(cache=True, nogil=True)
def add_evidence(
    sums: Sums, side: OfferSide, offers: Rows, weights: Floats, again: Floats, reach: Floats
) -> None:
    """Sum up pieces (E,) in their given order; add to ``reach`` (N, REACHES) at every offer.

    ``again`` (E,) is what each piece says of buying its own offer again.
    """
    walk, slim = side.walk, side.slim
    for e in range(len(offers)):
        j, weight = offers[e], weights[e]
        if weight == 0.0:
            continue
        add_piece(sums, side, j, weight)
        reach[j, OWN] += again[e]
        for at in range(walk.ptr[j], walk.ptr[j + 1]):
            own = reach[walk.offer[at]]
            own[WALKED] += weight * walk.weight[at]
            own[LINKED] += weight
        for at in range(slim.ptr[j], slim.ptr[j + 1]):
            own = reach[slim.offer[at]]
            learned = np.float64(slim.weight[at])
            own[LEARNED] += weight * learned
            own[SQUARED] += weight * (learned * learned)


@njit(cache=True, nogil=True)
def components_of_offers(
    side: OfferSide, who: Who, sums: Sums, z: Singles, reach: Floats, offers: Rows
) -> Floats:
    """Components (n, WIDTH) of one buyer with the given offers (n,); reach (N, REACHES)."""
    phi = np.empty((len(offers), WIDTH), dtype=np.float64)
    sum_up(sums, side)
    fill_components(side, who, sums, z, reach[offers], offers, phi)
    return phi
