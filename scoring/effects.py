"""What a score owes to each piece of evidence: the score with the piece really taken away.

Pieces are a buyer's purchases (views, ...) of one offer, one preference, the buyer's place, the
offer's price and vendor, and one circumstance of the request. Masking follows the same kernels as
scoring; nothing is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from scoring.combination import carriers
from scoring.components import OF_PLACE, PRICE, VENDOR
from scoring.masking import mask_pieces
from scoring.pair_kernels import FINE
from scoring.rows import weights_between
from scoring.scorer import Reading, Scorer
from scoring.states import BuyerState

Floats = NDArray[np.float64]


class Mask(StrEnum):
    """What was taken away."""

    PIECE = "PIECE"
    PREFERENCE = "PREFERENCE"
    BUYER_PLACE = "BUYER_PLACE"
    OFFER_PRICE = "OFFER_PRICE"
    OFFER_VENDOR = "OFFER_VENDOR"
    CONTEXT = "CONTEXT"
    EVERYTHING = "EVERYTHING"


@dataclass(frozen=True, slots=True)
class Effect:
    """``contribution`` = 1 - score_without / score; ``carrier`` the group that lost most.

    ``row`` is the piece's or preference's number in the buyer's state, the circumstance's in the
    context, -1 for the other masks.
    """

    mask: Mask
    row: int
    score_without: float
    contribution: float
    carrier: int


def effects_of_pieces(
    scorer: Scorer,
    state: BuyerState,
    reading: Reading,
    offers: NDArray[np.int32],
    most: int,
    told: int | None = None,
) -> list[list[Effect]]:
    """For each offer (M,) the effects of the ``most`` likeliest pieces, strongest first.

    Candidates are the pieces with the largest share of the walk and of the cosine, and those of
    the offer itself; each is then masked exactly. Only the ``told`` strongest of them are given
    (None: all).
    """
    if len(state.offers) == 0 or len(offers) == 0:
        return [[] for _ in offers]
    phi = scorer.components(reading, offers)
    columns, pieces = _candidates(scorer, state, offers, most)
    masked = mask_pieces(
        scorer.side, scorer.tower.buyer, reading.who, reading.sums, reading.reach,
        state.offers[pieces], state.weights[pieces], scorer.own_of_pieces(state)[pieces],
        offers[columns],
    )  # fmt: skip
    scores, without = scorer.combine(phi), scorer.combine(masked)
    shares = 1.0 - without / scores[columns]
    order = np.lexsort((pieces, -shares, columns))
    place = np.arange(len(order)) - np.searchsorted(columns[order], columns[order])
    kept = order if told is None else order[place < told]
    # Which group carries a piece takes the network once more for each group.
    carrier = carriers(phi[columns[kept]], masked[kept], scorer.blend.combination)
    found: list[list[Effect]] = [[] for _ in offers]
    for n, group in zip(kept.tolist(), carrier.tolist(), strict=True):
        effect = Effect(Mask.PIECE, int(pieces[n]), float(without[n]), float(shares[n]), group)
        found[columns[n]].append(effect)
    return found


def effects_of_features(
    scorer: Scorer, state: BuyerState, reading: Reading, offers: NDArray[np.int32]
) -> list[list[Effect]]:
    """For each offer (M,) the effects of preferences, place, price, vendor, context, everything.

    Effects that change nothing are left out, except the last: Mask.EVERYTHING is always there.
    """
    phi = scorer.components(reading, offers)
    masks: list[tuple[Mask, int, Floats]] = []
    for row in range(len(state.preference_categories)):
        rest = scorer.who(state.without_preference(row), reading.context)
        other = replace(reading, who=rest)
        masks.append((Mask.PREFERENCE, row, scorer.components(other, offers)))
    if state.country >= 0 or not np.isnan(state.latitude):
        rest = scorer.who(state.without_place(), reading.context)
        other = replace(reading, who=rest, z=scorer.vector(reading.sums, rest))
        masks.append((Mask.BUYER_PLACE, -1, scorer.components(other, offers)))
    masks.append((Mask.OFFER_PRICE, -1, _without(phi, PRICE)))
    vendorless = _without(phi, VENDOR)
    inherited = np.flatnonzero(scorer.corpus.offers.inherits_place[offers])
    vendorless[inherited[:, None], OF_PLACE] = 0.0
    masks.append((Mask.OFFER_VENDOR, -1, vendorless))
    for row in range(len(reading.context)):
        fewer = reading.context[:row] + reading.context[row + 1 :]
        other = replace(reading, who=scorer.who(state, fewer))
        masks.append((Mask.CONTEXT, row, scorer.components(other, offers)))
    nobody = scorer.read(state.without_evidence(), reading.context)
    masks.append((Mask.EVERYTHING, -1, scorer.components(nobody, offers)))
    return _effects(scorer, phi, masks)


def _effects(
    scorer: Scorer, phi: Floats, masks: list[tuple[Mask, int, Floats]]
) -> list[list[Effect]]:
    scores = scorer.combine(phi)
    found: list[list[Effect]] = [[] for _ in range(len(phi))]
    for mask, row, masked in masks:
        without = scorer.combine(masked)
        shares = 1.0 - without / scores
        carrier = carriers(phi, masked, scorer.blend.combination)
        for n in range(len(phi)):
            if mask is Mask.EVERYTHING or without[n] != scores[n]:
                effect = Effect(mask, row, float(without[n]), float(shares[n]), int(carrier[n]))
                found[n].append(effect)
    return found


def _without(phi: Floats, component: int) -> Floats:
    masked = phi.copy()
    masked[:, component] = 0.0
    return masked


def _candidates(
    scorer: Scorer, state: BuyerState, offers: NDArray[np.int32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(offer number, piece number) pairs worth masking, sorted by piece."""
    side, weights = scorer.side, state.weights
    walk = weights_between(side.walk, state.offers, offers) / side.walk_scale
    walk += FINE * weights_between(side.slim, state.offers, offers)
    walk *= weights[:, None]
    heard = side.low_rank[state.offers] * (weights * side.low_rank_in[state.offers])[:, None]
    low_rank = heard @ (side.low_rank[offers] * side.low_rank_out[offers][:, None]).T
    walk += FINE * low_rank
    messages = side.message1[state.offers] + side.message2[state.offers]
    cosine = (messages @ side.z[offers].T) * (weights * side.gain[state.offers])[:, None]
    size = len(weights)
    keep = min(most, size)
    by_walk = np.argsort(-walk, axis=0, kind="stable")[:keep]
    by_cosine = np.argsort(-cosine, axis=0, kind="stable")[:keep]
    both = np.concatenate([by_walk, by_cosine])
    columns = np.broadcast_to(np.arange(len(offers)), both.shape)
    useful = weights[both] > 0.0
    own, of_own = np.nonzero((state.offers[:, None] == offers) & (weights[:, None] > 0.0))
    found = both[useful] * len(offers) + columns[useful]
    pairs = np.unique(np.concatenate([found, own * len(offers) + of_own]))
    return pairs % len(offers), pairs // len(offers)
