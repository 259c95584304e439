"""The pair score's components as machine code, the same for a pair in either direction.

The components (scoring.components) say how well an offer fits a buyer; scoring.combination makes
one score of them. What they are read off is summed in scoring.kernels.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.again import BOUGHT, INTERESTED, LATELY, LEAST
from scoring.components import (
    AGAIN,
    CATEGORY,
    COMPONENTS,
    CONTEXT,
    COSINE,
    DENSITY_QUARTER,
    EVIDENCE,
    GRID_KM,
    INTEREST,
    INTEREST_LATELY,
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
    REPEAT_RATE,
    SLIM,
    SLIM_LOG,
    SLIM_ROOT,
    SLIM_SQUARES,
    TREND,
    VENDOR,
    WALK,
)
from scoring.dot import dot
from scoring.kernels import (
    LEARNED,
    LINKED,
    NOTHING,
    OWN,
    SQUARED,
    WALKED,
    Floats,
    OfferSide,
    Offsets,
    Rows,
    Singles,
    Sums,
    Who,
    log_more,
    share_of,
    sum_up,
)

WIDTH = len(COMPONENTS)
SIZES = len(GRID_KM)
# A learned weight of a fiftieth is where its logarithm begins to bend.
FINE = 50.0
EARTH_RADIUS_KM = 6371.0088
# Kilometres at which nearness has fallen to one half.
HALF_NEAR_KM = 100.0


@njit(cache=True, nogil=True)
def kilometres(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Great-circle distance of two places given in radians (haversine)."""
    a = np.sin((to_latitude - latitude) / 2.0) ** 2
    b = np.sin((to_longitude - longitude) / 2.0) ** 2
    h = a + np.cos(latitude) * np.cos(to_latitude) * b
    return float(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(min(1.0, h))))


@njit(cache=True, nogil=True, forceinline=True)
def fill_reach(phi: Floats, reach: Floats, walk_scale: float, repeat_rate: float) -> None:
    """What the evidence adds up to at the offer (REACHES,)."""
    learned = max(reach[LEARNED], 0.0)
    phi[WALK] = log_more(reach[WALKED] / walk_scale)
    phi[LINKS] = log_more(reach[LINKED])
    phi[SLIM] = reach[LEARNED]
    phi[SLIM_ROOT] = np.sqrt(learned)
    phi[SLIM_LOG] = log_more(FINE * learned)
    phi[SLIM_SQUARES] = np.sqrt(max(reach[SQUARED], 0.0))
    phi[AGAIN] = reach[OWN + BOUGHT]
    # It says whether what was bought comes back, and nothing of what was not.
    phi[REPEAT_RATE] = repeat_rate if phi[AGAIN] > 0.0 else 0.0
    phi[INTEREST] = log_more(reach[OWN + INTERESTED] / LEAST)
    phi[INTEREST_LATELY] = log_more(reach[OWN + LATELY] / LEAST)


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
    repeat_rate = side.repeat_rate
    for n in range(len(offers)):
        offer = offers[n]
        fill_reach(phi[n], reach[n], walk_scale, repeat_rate[offer])
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
def components_of_offers(
    side: OfferSide, who: Who, sums: Sums, z: Singles, reach: Floats, offers: Rows
) -> Floats:
    """Components (n, WIDTH) of one buyer with the given offers (n,); reach (N, REACHES)."""
    phi = np.empty((len(offers), WIDTH), dtype=np.float64)
    sum_up(sums, side)
    fill_components(side, who, sums, z, reach[offers], offers, phi)
    return phi
