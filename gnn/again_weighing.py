"""How much buying again weighs beside everything else: fitted on what was, and was not, repeated.

The blend is fitted and compared on what buyers took for the first time, where ``again`` is 0; that
order stays as it is. What is fitted here is one weight more, and what a pair that was never bought
counts for, by the likelihood of what buyers took again of their own offers. Both parts of the score
are then probabilities of the same thing and may stand in one list.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from scoring.again import Fading, faded_purchases
from scoring.blend import Blend
from scoring.combination import logit_rows
from scoring.components import AGAIN
from scoring.corpus import PURCHASED
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import state_of

Floats = NDArray[np.float64]
FEWEST_REPEATS = 20
# How far ``unbought`` may go: from next to nothing to a whole purchase.
LEAST_UNBOUGHT = 1e-4


def weigh_again(
    scorer: Scorer, blend: Blend, buyers: NDArray[np.int64], taken: Ragged
) -> tuple[Blend, Fading]:
    """The blend with a weight of ``again``, and the fading with its ``unbought``.

    ``taken`` row b lists what buyer b (of all) took after the scorer's corpus. With fewer than
    FEWEST_REPEATS offers taken again by ``buyers`` (n,) the weight is 0.
    """
    fading = scorer.constants.fading
    rest, left, again = _own_offers(scorer, blend, buyers, taken)
    if int(again.sum()) < FEWEST_REPEATS:
        return _weighing(blend, 0.0), fading

    def objective(at: Floats) -> tuple[float, Floats]:
        unbought = np.exp(at[1])
        gain = np.log1p(left / unbought)
        logits = rest + at[0] * gain
        miss = 1.0 / (1.0 + np.exp(-logits)) - again
        value = float((np.logaddexp(0.0, logits) - again * logits).mean())
        by_unbought = -at[0] * left / (left + unbought)
        return value, np.array([(miss * gain).mean(), (miss * by_unbought).mean()])

    found = minimize(
        objective, np.array([0.5, np.log(fading.unbought)]), jac=True, method="L-BFGS-B",
        bounds=[(0.0, None), (np.log(LEAST_UNBOUGHT), 0.0)],
    )  # fmt: skip
    unbought = float(np.exp(found.x[1]))
    return _weighing(blend, float(found.x[0])), replace(fading, unbought=unbought)


def _own_offers(
    scorer: Scorer, blend: Blend, buyers: NDArray[np.int64], taken: Ragged
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Of all that each buyer had bought: the other log odds, what is left, whether taken again."""
    parts = []
    b = scorer.corpus.buyers
    faded = faded_purchases(b, scorer.constants.now, scorer.constants.fading)
    for buyer in buyers.tolist():
        pieces = np.arange(b.ptr[buyer], b.ptr[buyer + 1])
        pieces = pieces[b.evidence_kind[pieces] == PURCHASED]
        offers = b.offer[pieces]
        phi = scorer.components(scorer.read(state_of(scorer.corpus, buyer)), offers)
        phi[:, AGAIN] = 0.0
        rest = logit_rows(phi, blend.combination)
        parts.append((rest, faded[pieces], np.isin(offers, taken.row(buyer))))
    rest, left, again = (np.concatenate(column) for column in zip(*parts, strict=True))
    return rest, left, again


def _weighing(blend: Blend, weight: float) -> Blend:
    """The same blend with this weight of ``again`` and nothing of it in the network."""
    weights, inner = blend.combination.weights.copy(), blend.combination.inner.copy()
    weights[AGAIN], inner[AGAIN] = weight, 0.0
    return replace(blend, combination=blend.combination._replace(weights=weights, inner=inner))
