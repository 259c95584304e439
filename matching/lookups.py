"""Small questions to a state: scores of pairs, explanations of many, similar offers, figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.context import Context
from core.errors import NotFoundError
from matching.answers import Explanation, MatchingHealth, ModelInfo, SimilarOffer
from matching.explanations import explain_offers
from matching.ranking import best_first
from matching.state import WALK_VERSION, MatcherState
from scoring.corpus import PURCHASED
from scoring.states import BuyerState

Pairs = Sequence[tuple[str, str]]


def score_pairs(state: MatcherState, pairs: Pairs, context: Context = ()) -> list[float | None]:
    """The score of each (buyer id, offer id); None where either is not there."""
    scores: list[float | None] = [None] * len(pairs)
    for _, buyer, places, offers in _by_buyer(state, pairs):
        found = state.scorer.score_pairs(buyer, offers, context)
        for place, score in zip(places, found.tolist(), strict=True):
            scores[place] = score
    return scores


def explanations(
    state: MatcherState, pairs: Pairs, first: int, context: Context = ()
) -> list[tuple[Explanation, ...]]:
    """Explanations of each (buyer id, offer id); none where either is not there."""
    told: list[tuple[Explanation, ...]] = [()] * len(pairs)
    for buyer_id, buyer, places, offers in _by_buyer(state, pairs):
        found = explain_offers(state, buyer_id, buyer, offers, first, context)
        for place, explained in zip(places, found, strict=True):
            told[place] = explained
    return told


def similar_offers(state: MatcherState, offer_id: str, first: int) -> list[SimilarOffer]:
    """The offers most alike by the trained vectors or, without a model, by who bought them.

    Raises:
        NotFoundError: when there is no such offer.
    """
    offers = state.corpus.offers
    row = offers.index.get(offer_id)
    if row is None:
        raise NotFoundError(f"There is no offer {offer_id}.", field=("offer",))
    z = state.scorer.tower.z
    trained = z.shape[1] > 0
    similarity = (z @ z[row]).astype(np.float64) if trained else _alike_by_buyers(state, row)
    passes = offers.active & (similarity > 0)
    passes[row] = False
    found: list[SimilarOffer] = []
    for other in best_first(similarity, passes, state.offer_order):
        if len(found) >= first:
            break
        found.append(SimilarOffer(offers.ids[other], min(float(similarity[other]), 1.0)))
    return found


def model_info(state: MatcherState) -> ModelInfo:
    """What the state is scored by."""
    model = state.model
    if model is None:
        return ModelInfo(WALK_VERSION, trained=False, created_at=None, metrics={})
    created = model.manifest.get("created_at")
    return ModelInfo(
        version=model.version,
        trained=True,
        created_at=datetime.fromisoformat(created) if created else None,
        metrics=dict(model.manifest.get("metrics", {})),
    )


def health(state: MatcherState) -> MatchingHealth:
    """The figures of a state that answers."""
    buyers = state.corpus.buyers
    return MatchingHealth(
        ready=True,
        seq=state.seq,
        model_version=state.model_version,
        buyers=int(state.buyer_table.present.sum()),
        offers=int(state.corpus.offers.active.sum()),
        purchases=int(buyers.count[buyers.evidence_kind == PURCHASED].sum()),
        rebuilding=False,
        last_error=None,
    )


def _by_buyer(
    state: MatcherState, pairs: Pairs
) -> list[tuple[str, BuyerState, list[int], NDArray[np.int32]]]:
    """Pairs that are there, gathered by buyer: the buyer is summed up once for all its offers."""
    places: dict[str, list[int]] = defaultdict(list)
    index = state.corpus.offers.index
    for place, (buyer_id, offer_id) in enumerate(pairs):
        if offer_id in index:
            places[buyer_id].append(place)
    gathered = []
    for buyer_id, mine in places.items():
        buyer = state.buyer_state(buyer_id)
        if buyer is not None:
            rows = np.array([index[pairs[place][1]] for place in mine], np.int32)
            gathered.append((buyer_id, buyer, mine, rows))
    return gathered


def _alike_by_buyers(state: MatcherState, row: int) -> NDArray[np.float64]:
    """(N,) in [0, 1]: the walk from the offer, its strongest neighbour 1."""
    rows = state.scorer.constants.rows
    near = slice(rows.ptr[row], rows.ptr[row + 1])
    walked = np.zeros(len(state.corpus.offers))
    walked[rows.offer[near]] = rows.weight[near]
    if walked.max(initial=0.0) > 0:
        walked /= walked.max()
    return walked
