"""One buyer as scoring sees it: what it did, what it says it likes, where it is.

A buyer's score for an offer reads nothing else of that buyer, which is why taking a piece of
evidence away and scoring again says truly what that piece contributed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.entities import BuyerProfile, EvidenceKind
from scoring.corpus import KINDS, PURCHASED, Corpus

EVIDENCE_WEIGHTS: dict[EvidenceKind, float] = {
    EvidenceKind.PURCHASED: 1.0,
    EvidenceKind.ADDED_TO_CART: 0.6,
    EvidenceKind.INQUIRED_ABOUT: 0.6,
    EvidenceKind.CLICKED: 0.4,
    EvidenceKind.VIEWED: 0.3,
    EvidenceKind.DISMISSED: 0.0,
}
WEIGHT_OF_KIND: NDArray[np.float64] = np.array([EVIDENCE_WEIGHTS[kind] for kind in KINDS])
# Rows of KINDS: what shows interest without being a purchase.
LOOKS = tuple(row for row in np.flatnonzero(WEIGHT_OF_KIND).tolist() if row != PURCHASED)


@dataclass(frozen=True)
class BuyerState:
    """A buyer's own rows; pieces (E,) sorted by (offer, kind), preferences (P,) by category."""

    offers: NDArray[np.int32]
    evidence_kinds: NDArray[np.int8]
    counts: NDArray[np.int32]
    first_at: NDArray[np.int64]
    last_at: NDArray[np.int64]
    preference_categories: NDArray[np.int32]
    preference_weights: NDArray[np.float64]
    kind: int = -1
    country: int = -1
    latitude: float = float("nan")
    longitude: float = float("nan")

    @property
    def weights(self) -> NDArray[np.float64]:
        """(E,) what each piece weighs; a repeated purchase weighs as one."""
        weights: NDArray[np.float64] = WEIGHT_OF_KIND[self.evidence_kinds]
        return weights

    def without_evidence(self) -> BuyerState:
        """The same buyer with nothing personal left: no pieces, preferences, place or kind."""
        return EMPTY_STATE

    def without_piece(self, piece: int) -> BuyerState:
        """The same buyer without its ``piece``-th piece of evidence."""
        return replace(
            self,
            offers=np.delete(self.offers, piece),
            evidence_kinds=np.delete(self.evidence_kinds, piece),
            counts=np.delete(self.counts, piece),
            first_at=np.delete(self.first_at, piece),
            last_at=np.delete(self.last_at, piece),
        )

    def without_preference(self, row: int) -> BuyerState:
        """The same buyer without its ``row``-th preference."""
        return replace(
            self,
            preference_categories=np.delete(self.preference_categories, row),
            preference_weights=np.delete(self.preference_weights, row),
        )

    def without_place(self) -> BuyerState:
        """The same buyer with its country and coordinates unknown."""
        return replace(self, country=-1, latitude=float("nan"), longitude=float("nan"))


EMPTY_STATE = BuyerState(
    offers=np.zeros(0, np.int32),
    evidence_kinds=np.zeros(0, np.int8),
    counts=np.zeros(0, np.int32),
    first_at=np.zeros(0, np.int64),
    last_at=np.zeros(0, np.int64),
    preference_categories=np.zeros(0, np.int32),
    preference_weights=np.zeros(0, np.float64),
)


def state_of(corpus: Corpus, buyer: int) -> BuyerState:
    """The state of the buyer with that row number, as the snapshot has it (views)."""
    b = corpus.buyers
    pieces = slice(b.ptr[buyer], b.ptr[buyer + 1])
    likes = slice(b.preference_ptr[buyer], b.preference_ptr[buyer + 1])
    return BuyerState(
        offers=b.offer[pieces],
        evidence_kinds=b.evidence_kind[pieces],
        counts=b.count[pieces],
        first_at=b.first_at[pieces],
        last_at=b.last_at[pieces],
        preference_categories=b.preference_category[likes],
        preference_weights=b.preference_weight[likes],
        kind=int(b.kind[buyer]),
        country=int(b.country[buyer]),
        latitude=float(b.latitude[buyer]),
        longitude=float(b.longitude[buyer]),
    )


def state_from_profile(corpus: Corpus, profile: BuyerProfile) -> BuyerState:
    """The state of a buyer read from the graph just now.

    Offers, categories, kinds and countries that the corpus does not know are left out.
    """
    rows = sorted(
        (corpus.offers.index[e.offer_id], KINDS.index(e.kind), e.count, e.first_at, e.last_at)
        for e in profile.evidence
        if e.offer_id in corpus.offers.index
    )
    likes = sorted(
        (corpus.categories.index[p.category_id], p.weight)
        for p in profile.preferences
        if p.category_id in corpus.categories.index
    )
    buyer = profile.buyer
    return BuyerState(
        offers=np.array([r[0] for r in rows], np.int32),
        evidence_kinds=np.array([r[1] for r in rows], np.int8),
        counts=np.array([r[2] for r in rows], np.int32),
        first_at=np.array([round(r[3].timestamp() * 1e6) for r in rows], np.int64),
        last_at=np.array([round(r[4].timestamp() * 1e6) for r in rows], np.int64),
        preference_categories=np.array([p[0] for p in likes], np.int32),
        preference_weights=np.array([p[1] for p in likes], np.float64),
        kind=_code(corpus.kinds, buyer.kind),
        country=_code(corpus.countries, buyer.country),
        latitude=float("nan") if buyer.latitude is None else buyer.latitude,
        longitude=float("nan") if buyer.longitude is None else buyer.longitude,
    )


def _code(vocabulary: list[str], value: str | None) -> int:
    return vocabulary.index(value) if value in vocabulary else -1
