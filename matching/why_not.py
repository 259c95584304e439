"""Why a pair matches or, if it does not, which stage dropped it and what would have to change.

The stages are those of ranking.py and filters.py themselves, run for one row: an answer about the
ranking cannot differ from the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from matching.answers import PairExplanation, Stage
from matching.explanations import explain_offers
from matching.filters import first_failure, offer_conditions
from matching.ranking import RankedRows, rank_offer_rows
from matching.requests import OfferMatchRequest
from matching.sentences import CHANGES, WISHES
from matching.state import MatcherState
from scoring.states import BuyerState

EXPLANATIONS = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one offer in one ranking; fields as in PairExplanation."""

    stage: Stage
    condition: str | None = None
    position: int | None = None
    needed_score: float | None = None
    what_would_change: str | None = None


def explain_pair(
    state: MatcherState,
    buyer_id: str,
    offer_id: str,
    request: OfferMatchRequest,
    top: int,
    now: datetime,
) -> PairExplanation:
    """Explain one pair within the first ``top`` places of a request."""
    buyer = state.buyer_state(buyer_id)
    offer = state.corpus.offers.index.get(offer_id)
    if buyer is None or offer is None:
        return _not_found(state, buyer_id, offer_id, buyer is None)
    ranked = rank_offer_rows(state, buyer, request, now)
    verdict = judge(state, buyer, offer, request, ranked, top, now)
    only = np.array([offer], np.int32)
    told = explain_offers(state, buyer_id, buyer, only, EXPLANATIONS, request.context)
    return PairExplanation(
        buyer_id=buyer_id,
        offer_id=offer_id,
        score=float(ranked.scores[offer]),
        rank=rank_by_score(ranked.scores, state.offer_order, offer),
        position=verdict.position,
        stage=verdict.stage,
        condition=verdict.condition,
        needed_score=verdict.needed_score,
        what_would_change=verdict.what_would_change,
        explanations=told[0],
        model_version=state.model_version,
        seq=state.seq,
    )


def judge(
    state: MatcherState,
    buyer: BuyerState,
    offer: int,
    request: OfferMatchRequest,
    ranked: RankedRows,
    top: int,
    now: datetime,
) -> Verdict:
    """The first stage that kept the offer (its row) out of the first ``top`` places, or NONE."""
    if offer in ranked.rows[:top]:
        return Verdict(Stage.NONE, position=ranked.rows.index(offer) + 1)
    pinned = offer in ranked.rows[: ranked.pins]
    failed = None
    if not pinned:
        failed = first_failure(offer_conditions(state, buyer, request, now), offer)
    if failed is not None:
        sentence = CHANGES.get(failed.stage) or WISHES[failed.field]
        condition = failed.field if failed.stage is Stage.FILTER else None
        return Verdict(failed.stage, condition, what_would_change=sentence)
    score = float(ranked.scores[offer])
    least = request.filter.min_score
    if score < least and not pinned:
        sentence = f"It scores {score:.4f}; the request asks for {least:.4f} at least."
        return Verdict(Stage.FILTER, "min_score", what_would_change=sentence)
    return _beaten(offer, ranked, top)


def rank_by_score(scores: NDArray[np.float64], places: NDArray[np.int64], row: int) -> int:
    """The place of a row, from 1, among all rows by score, equal scores by id."""
    ahead = scores > scores[row]
    ahead |= (scores == scores[row]) & (places < places[row])
    return int(ahead.sum()) + 1


def _beaten(offer: int, ranked: RankedRows, top: int) -> Verdict:
    """It passes every condition: a cap, the order of the scores or diversity kept it out."""
    cap = ranked.stopped.get(offer)
    if cap is not None:
        group = cap.removeprefix("max_per_")
        sentence = f"Offers of its {group} that score higher fill the cap; raise the cap."
        return Verdict(Stage.CAPPED, cap, what_would_change=sentence)
    places = max(top - ranked.pins, 0)
    within = ranked.by_score[:places]
    if offer in within:
        sentence = "It scores high enough, but diversity put less alike offers first; lower it."
        return Verdict(Stage.OUTSIDE_TOP, "diversity", what_would_change=sentence)
    if len(within) < places or not within:
        return Verdict(Stage.OUTSIDE_TOP, what_would_change="Pinned offers fill every place.")
    needed = float(ranked.scores[within[-1]])
    sentence = f"It would have to score more than {needed:.4f} to be among the first {top}."
    return Verdict(Stage.OUTSIDE_TOP, needed_score=needed, what_would_change=sentence)


def _not_found(
    state: MatcherState, buyer_id: str, offer_id: str, buyer_missing: bool
) -> PairExplanation:
    missing = f"buyer {buyer_id}" if buyer_missing else f"offer {offer_id}"
    return PairExplanation(
        buyer_id=buyer_id,
        offer_id=offer_id,
        score=None,
        rank=None,
        position=None,
        stage=Stage.NOT_FOUND,
        condition=None,
        needed_score=None,
        what_would_change=f"There is no {missing}; it would have to be recorded first.",
        explanations=(),
        model_version=state.model_version,
        seq=state.seq,
    )
