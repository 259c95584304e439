"""The pair score as machine code: one function for one pair, called from every direction.

Ten components say how well an offer fits a buyer (COMPONENTS, in this order); the score is the
logistic function of their weighted sum. Every sum runs in one fixed order, whether one pair, all
offers of a buyer or all buyers of an offer are scored, so that a pair has one score to the bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int32]
Offsets = NDArray[np.int64]

COMPONENTS = (
    "walk",
    "cosine",
    "category",
    "preference",
    "vendor",
    "price",
    "place",
    "local_popularity",
    "popularity",
    "kind_popularity",
)
(
    WALK,
    COSINE,
    CATEGORY,
    PREFERENCE,
    VENDOR,
    PRICE,
    PLACE,
    LOCAL_POPULARITY,
    POPULARITY,
    KIND_POPULARITY,
) = range(len(COMPONENTS))

EARTH_RADIUS_KM = 6371.0088
# Kilometres at which nearness has fallen to one half.
HALF_NEAR_KM = 100.0
# Below this the evidence has been taken away whole; what is left is rounding.
NOTHING = 1e-9


class OfferSide(NamedTuple):
    """What scoring reads of N offers; d is 0 without a trained model, V vendors, C categories.

    ``local`` and ``by_kind`` have a row of zeros first, for an unknown country or kind.
    """

    z: Singles
    message1: Singles
    message2: Singles
    gain: Singles
    closure_ptr: Offsets
    closure: Rows
    vendor: Rows
    log_price: Floats
    currency: Rows
    latitude: Floats
    longitude: Floats
    walk_ptr: Offsets
    walk_offer: Rows
    walk_weight: Floats
    walk_scale: float
    popularity: Floats
    local: Singles
    by_kind: Singles
    category_weight: Floats


class BuyerSide(NamedTuple):
    """The trained weights that turn a buyer's evidence into its vector (see scoring.artifact)."""

    kind_h0: Singles
    country_h0: Singles
    a1: Singles
    a2: Singles
    c1: Singles
    c2: Singles
    layer_weights: Singles
    rectified: bool


class Sums(NamedTuple):
    """A buyer's evidence summed up; linear in the pieces, so that one can be taken out again."""

    message1: Floats
    message2: Floats
    total: Floats
    category: Floats
    vendor: Floats
    price: Floats
    price_weight: Floats


class Who(NamedTuple):
    """The rest of a buyer: rows in ``by_kind`` and ``local``, radians, liking by category."""

    kind: int
    country: int
    latitude: float
    longitude: float
    liking: Floats


@njit(cache=True, nogil=True)
def add_piece(sums: Sums, side: OfferSide, offer: int, weight: float) -> None:
    """Add a piece of evidence to the sums; a negative weight takes it away."""
    share = weight * side.gain[offer]
    for k in range(side.message1.shape[1]):
        sums.message1[k] += share * side.message1[offer, k]
        sums.message2[k] += share * side.message2[offer, k]
    sums.total[1] += share
    add_attributes(sums, side, offer, weight)


@njit(cache=True, nogil=True)
def add_attributes(sums: Sums, side: OfferSide, offer: int, weight: float) -> None:
    """Add what a piece says of categories, vendors and prices, without its messages."""
    sums.total[0] += weight
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
    for at in range(side.closure_ptr[offer], side.closure_ptr[offer + 1]):
        sums.category[side.closure[at]] = 0.0
    if side.vendor[offer] >= 0:
        sums.vendor[side.vendor[offer]] = 0.0
    if side.currency[offer] >= 0:
        sums.price[side.currency[offer]] = 0.0
        sums.price_weight[side.currency[offer]] = 0.0


@njit(cache=True, nogil=True)
def fill_vector(sums: Sums, buyer: BuyerSide, kind: int, country: int, z: Floats) -> None:
    """The buyer's unit vector (d,): two layers of mean aggregation over its evidence.

    Source: GraphSAGE (Hamilton et al., 2017, arXiv:1706.02216), full neighbourhood.
    """
    d = len(z)
    h1 = np.empty(d, dtype=np.float64)
    share = 1.0 / sums.total[1] if sums.total[1] > NOTHING else 0.0
    for row in range(d):
        h = sums.message1[row] * share + buyer.c1[row]
        for k in range(d):
            h += buyer.a1[row, k] * (buyer.kind_h0[kind, k] + buyer.country_h0[country, k])
        h1[row] = max(h, 0.0) if buyer.rectified else h
    norm = 0.0
    for row in range(d):
        h = sums.message2[row] * share + buyer.c2[row]
        for k in range(d):
            h += buyer.a2[row, k] * h1[k]
        h0 = buyer.kind_h0[kind, row] + buyer.country_h0[country, row]
        weights = buyer.layer_weights
        z[row] = weights[0] * h0 + weights[1] * h1[row] + weights[2] * h
        norm += z[row] * z[row]
    if norm > 0.0:
        for row in range(d):
            z[row] /= np.sqrt(norm)


@njit(cache=True, nogil=True)
def dot(row: Singles, z: Floats) -> float:
    """Inner product in one fixed order of eight running sums."""
    d = len(z)
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = d - d % 8
    for k in range(0, whole, 8):
        s0 += row[k] * z[k]
        s1 += row[k + 1] * z[k + 1]
        s2 += row[k + 2] * z[k + 2]
        s3 += row[k + 3] * z[k + 3]
        s4 += row[k + 4] * z[k + 4]
        s5 += row[k + 5] * z[k + 5]
        s6 += row[k + 6] * z[k + 6]
        s7 += row[k + 7] * z[k + 7]
    for k in range(whole, d):
        s0 += row[k] * z[k]
    return float(((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)))


@njit(cache=True, nogil=True)
def kilometres(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Great-circle distance of two places given in radians (haversine)."""
    a = np.sin((to_latitude - latitude) / 2.0) ** 2
    b = np.sin((to_longitude - longitude) / 2.0) ** 2
    h = a + np.cos(latitude) * np.cos(to_latitude) * b
    return float(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(min(1.0, h))))


@njit(cache=True, nogil=True)
def fill_components(
    side: OfferSide, who: Who, sums: Sums, z: Floats, walk: float, offer: int, phi: Floats
) -> None:
    """The components (10,) of one pair, given the buyer's walk score of the offer."""
    phi[WALK] = np.log1p(walk / side.walk_scale)
    phi[COSINE] = dot(side.z[offer], z)
    total = sums.total[0]
    share = 1.0 / total if total > NOTHING else 0.0
    affinity = 0.0
    liking = 0.0
    first, last = side.closure_ptr[offer], side.closure_ptr[offer + 1]
    for at in range(first, last):
        category = side.closure[at]
        affinity += sums.category[category] * share * side.category_weight[category]
        liking += who.liking[category]
    phi[CATEGORY] = affinity / (last - first) if last > first else 0.0
    phi[PREFERENCE] = min(1.0, max(-1.0, liking))
    vendor = side.vendor[offer]
    phi[VENDOR] = sums.vendor[vendor] * share if vendor >= 0 else 0.0
    phi[PRICE] = 0.0
    currency = side.currency[offer]
    if currency >= 0 and not np.isnan(side.log_price[offer]):
        weight = sums.price_weight[currency]
        if weight > NOTHING:
            usual = sums.price[currency] / weight
            phi[PRICE] = np.exp(-abs(side.log_price[offer] - usual))
    phi[PLACE] = 0.0
    if not (np.isnan(who.latitude) or np.isnan(side.latitude[offer])):
        far = kilometres(who.latitude, who.longitude, side.latitude[offer], side.longitude[offer])
        phi[PLACE] = 1.0 / (1.0 + far / HALF_NEAR_KM)
    phi[LOCAL_POPULARITY] = side.local[who.country, offer]
    phi[POPULARITY] = side.popularity[offer]
    phi[KIND_POPULARITY] = side.by_kind[who.kind, offer]


@njit(cache=True, nogil=True)
def combine(phi: Floats, weights: Floats, bias: float) -> float:
    """Components (10,) and weights (10,) -> the score in (0, 1]."""
    logit = bias
    for k in range(len(weights)):
        logit += weights[k] * phi[k]
    return float(1.0 / (1.0 + np.exp(-logit)))


@njit(cache=True, nogil=True)
def add_evidence(sums: Sums, side: OfferSide, offers: Rows, weights: Floats, walk: Floats) -> None:
    """Sum up pieces (E,) in their given order; add to ``walk`` (N,) each offer's walk score."""
    for e in range(len(offers)):
        if weights[e] == 0.0:
            continue
        add_piece(sums, side, offers[e], weights[e])
        for at in range(side.walk_ptr[offers[e]], side.walk_ptr[offers[e] + 1]):
            walk[side.walk_offer[at]] += weights[e] * side.walk_weight[at]


@njit(cache=True, nogil=True)
def components_of_offers(
    side: OfferSide, who: Who, sums: Sums, z: Floats, walk: Floats, offers: Rows
) -> Floats:
    """Components (n, 10) of one buyer with the given offers (n,); walk (N,)."""
    phi = np.empty((len(offers), 10), dtype=np.float64)
    for n in range(len(offers)):
        fill_components(side, who, sums, z, walk[offers[n]], offers[n], phi[n])
    return phi


@njit(cache=True, nogil=True)
def combine_rows(phi: Floats, weights: Floats, bias: float) -> Floats:
    """Components (n, 10) -> scores (n,)."""
    scores = np.empty(len(phi), dtype=np.float64)
    for n in range(len(phi)):
        scores[n] = combine(phi[n], weights, bias)
    return scores


@njit(cache=True, nogil=True)
def walk_weight(side: OfferSide, evidence: int, offer: int) -> float:
    """W[evidence, offer], 0 when the offer is not among the kept neighbours."""
    first, last = side.walk_ptr[evidence], side.walk_ptr[evidence + 1]
    at = first + np.searchsorted(side.walk_offer[first:last], offer)
    if at < last and side.walk_offer[at] == offer:
        return float(side.walk_weight[at])
    return 0.0


@njit(cache=True, nogil=True)
def mask_pieces(
    side: OfferSide,
    buyer: BuyerSide,
    who: Who,
    sums: Sums,
    walk: Floats,
    evidence: Rows,
    weights: Floats,
    offers: Rows,
) -> Floats:
    """Components (n, 10) of offers (n,), each without one piece of evidence (n,) of its weight.

    Pairs should come sorted by evidence: the buyer's vector is made anew when it changes.
    """
    phi = np.empty((len(offers), 10), dtype=np.float64)
    z = np.empty(side.z.shape[1], dtype=np.float64)
    for n in range(len(offers)):
        add_piece(sums, side, evidence[n], -weights[n])
        same = n > 0 and evidence[n] == evidence[n - 1] and weights[n] == weights[n - 1]
        if not same:
            fill_vector(sums, buyer, who.kind, who.country, z)
        rest = walk[offers[n]] - weights[n] * walk_weight(side, evidence[n], offers[n])
        fill_components(side, who, sums, z, max(rest, 0.0), offers[n], phi[n])
        add_piece(sums, side, evidence[n], weights[n])
    return phi


@njit(cache=True, nogil=True)
def walk_weights(side: OfferSide, evidence: Rows, offers: Rows) -> Floats:
    """W[evidence, offers] (E, M)."""
    found = np.empty((len(evidence), len(offers)), dtype=np.float64)
    for e in range(len(evidence)):
        for n in range(len(offers)):
            found[e, n] = walk_weight(side, evidence[e], offers[n])
    return found
