"""What a buyer's evidence adds up to, as machine code: sums, its vector, its reach at every offer.

Every sum runs in one fixed order, whether one pair, all offers of a buyer or all buyers of an offer
are scored, so that a pair has one score to the bit. scoring.pair_kernels reads components off them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.again import OWNS
from scoring.rows import OfferRows

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int32]
Offsets = NDArray[np.int64]

# What a buyer's evidence adds up to at each offer: walk weight, links, slim weight, its squares,
# and, from OWN on, what the pieces with that very offer say of it (scoring.again).
WALKED, LINKED, LEARNED, SQUARED, OWN = range(5)
REACHES = OWN + OWNS
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
    repeat_rate: Floats
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
def log_more(value: float) -> float:
    """log(1 + value), 0 below 0; most offers have nothing in common with a buyer."""
    return float(np.log1p(value)) if value > 0.0 else 0.0


@njit(cache=True, nogil=True)
def share_of(total: float) -> float:
    """What one unit is of a buyer's evidence; 0 where all of it is gone."""
    return 1.0 / total if total > NOTHING else 0.0


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
    share = share_of(sums.total[1])
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
def sum_up(sums: Sums, side: OfferSide) -> None:
    """Take the logarithms of the totals: once a buyer, whatever its evidence is just now."""
    sums.total[3] = log_more(sums.total[0])
    sums.total[4] = log_more(sums.total[2] / side.walk_scale)


@njit(cache=True, nogil=True)
def add_evidence(
    sums: Sums, side: OfferSide, offers: Rows, weights: Floats, own: Floats, reach: Floats
) -> None:
    """Sum up pieces (E,) in their given order; add to ``reach`` (N, REACHES) at every offer.

    ``own`` (E, OWNS) is what each piece says of its own offer.
    """
    walk, slim = side.walk, side.slim
    for e in range(len(offers)):
        j, weight = offers[e], weights[e]
        if weight == 0.0:
            continue
        add_piece(sums, side, j, weight)
        for k in range(OWNS):
            reach[j, OWN + k] += own[e, k]
        for at in range(walk.ptr[j], walk.ptr[j + 1]):
            there = reach[walk.offer[at]]
            there[WALKED] += weight * walk.weight[at]
            there[LINKED] += weight
        for at in range(slim.ptr[j], slim.ptr[j + 1]):
            there = reach[slim.offer[at]]
            learned = np.float64(slim.weight[at])
            there[LEARNED] += weight * learned
            there[SQUARED] += weight * (learned * learned)
