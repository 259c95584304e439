"""Why a buyer and an offer score as they do: evidence really taken away, the strongest first.

The figures come from scoring.effects, which masks each piece of evidence exactly; this module
chooses what is worth telling, telling.py puts it into words and paths.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.context import Context
from matching.answers import Explanation
from matching.state import MatcherState
from matching.telling import Teller
from scoring.effects import Effect, Mask, effects_of_features, effects_of_pieces
from scoring.states import BuyerState

# A piece that moves the score by less than this says nothing worth a sentence.
LEAST_CONTRIBUTION = 0.005
# Nothing personal carries a score that keeps this share with all of it masked.
IMPERSONAL_SHARE = 0.98


def explain_offers(
    state: MatcherState,
    buyer_id: str,
    buyer: BuyerState,
    offers: NDArray[np.int32],
    first: int,
    context: Context = (),
) -> list[tuple[Explanation, ...]]:
    """For each offer row (M,) its ``first`` strongest explanations, strongest first.

    A pair that nothing personal carries has one of kind POPULAR, beside what it owes to the
    context.
    """
    reading = state.scorer.read(buyer, context)
    pieces = effects_of_pieces(state.scorer, buyer, reading, offers, max(2 * first, 6), first)
    features = effects_of_features(state.scorer, buyer, reading, offers)
    teller = Teller(state, buyer_id, buyer, reading)
    answers: list[tuple[Explanation, ...]] = []
    for offer, mine, shared in zip(offers.tolist(), pieces, features, strict=True):
        everything = next(e for e in shared if e.mask is Mask.EVERYTHING)
        worth = [e for e in (*mine, *shared) if _is_worth_telling(e)]
        worth.sort(key=lambda e: (-e.contribution, e.mask, e.row))
        asked = [e for e in worth if e.mask is Mask.CONTEXT]
        if _is_impersonal(worth, everything):
            told = [teller.tell(effect, offer) for effect in asked]
            answers.append((*told, teller.popular(everything, offer))[: max(first, 1)])
        else:
            answers.append(tuple(teller.tell(effect, offer) for effect in worth[:first]))
    return answers


def _is_impersonal(worth: list[Effect], everything: Effect) -> bool:
    carried = any(e.contribution > 0 and e.mask is not Mask.CONTEXT for e in worth)
    return not carried or 1.0 - everything.contribution >= IMPERSONAL_SHARE


def _is_worth_telling(effect: Effect) -> bool:
    if effect.mask is Mask.EVERYTHING:
        return False
    if effect.contribution > LEAST_CONTRIBUTION:
        return True
    # What the buyer said it does not want is told even though it lowers the score.
    return effect.mask is Mask.PREFERENCE and effect.contribution < -LEAST_CONTRIBUTION
