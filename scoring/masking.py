"""The components of pairs with one piece of evidence really taken away, as machine code."""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.again import OWNS
from scoring.kernels import (
    LEARNED,
    LINKED,
    OWN,
    SQUARED,
    WALKED,
    BuyerSide,
    Floats,
    OfferSide,
    Rows,
    Sums,
    Who,
    add_piece,
    fill_vector,
    sum_up,
)
from scoring.pair_kernels import WIDTH, fill_components
from scoring.rows import place_of


@njit(cache=True, nogil=True)
def _take_out(
    side: OfferSide, evidence: int, weight: float, own: Floats, offer: int, reach: Floats
) -> None:
    """Take what one piece adds to ``reach`` (REACHES,) at one offer away again."""
    if evidence == offer:
        for k in range(OWNS):
            reach[OWN + k] -= own[k]
    at = place_of(side.walk, evidence, offer)
    if at >= 0:
        reach[WALKED] -= weight * side.walk.weight[at]
        reach[LINKED] -= weight
    at = place_of(side.slim, evidence, offer)
    if at >= 0:
        learned = np.float64(side.slim.weight[at])
        reach[LEARNED] -= weight * learned
        reach[SQUARED] -= weight * (learned * learned)


@njit(cache=True, nogil=True)
def mask_pieces(
    side: OfferSide,
    buyer: BuyerSide,
    who: Who,
    sums: Sums,
    reach: Floats,
    evidence: Rows,
    weights: Floats,
    own: Floats,
    offers: Rows,
) -> Floats:
    """Components (n, WIDTH) of offers (n,), each without one piece of evidence (n,) of its weight.

    Pairs should come sorted by piece: each is taken out of the sums once, and put back.
    """
    phi = np.empty((len(offers), WIDTH), dtype=np.float64)
    z = np.empty(side.z.shape[1] + side.low_rank.shape[1], dtype=np.float32)
    first = 0
    while first < len(offers):
        piece, weight = evidence[first], weights[first]
        last = first
        while last < len(offers) and evidence[last] == piece and weights[last] == weight:
            last += 1
        add_piece(sums, side, piece, -weight)
        sum_up(sums, side)
        fill_vector(sums, buyer, who.kind, who.country, z)
        of_piece = offers[first:last]
        rest = reach[of_piece]
        for n in range(first, last):
            _take_out(side, piece, weight, own[n], offers[n], rest[n - first])
        fill_components(side, who, sums, z, rest, of_piece, phi[first:last])
        add_piece(sums, side, piece, weight)
        first = last
    return phi
