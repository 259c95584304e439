"""How much buying again weighs: fitted on what buyers did, and did not, take again.

The blend is fitted and compared on what buyers took for the first time, where ``again`` is 0; those
scores stay as they are to the bit. What is fitted here are the few weights of pairs that were
bought before, by the likelihood of what buyers took again. Both are probabilities of the same
thing, within the same time, and may stand in one list.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from gnn.blending import log_loss
from scoring.blend import Blend
from scoring.combination import logit_rows
from scoring.components import AGAIN, COMPONENTS, POPULARITY, REPEAT_RATE, TREND
from scoring.corpus import PURCHASED
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import state_of

Floats = NDArray[np.float64]
# What a buyer buys again: what it bought often and lately, what sells, what sells now, what others
# buy again. The rest counts by what the blend makes of it.
OWN = (AGAIN, POPULARITY, TREND, REPEAT_RATE)
FEWEST_REPEATS = 20
RIDGE = 1e-4


def weigh_again(scorer: Scorer, blend: Blend, buyers: NDArray[np.int64], taken: Ragged) -> Blend:
    """The same blend with the weights of pairs that were bought before.

    ``taken`` row b lists what buyer b (of all) took after the scorer's corpus. Weights are never
    negative. With fewer than FEWEST_REPEATS offers taken again by ``buyers`` (n,) the blend is as
    it was.
    """
    features, again = _own_offers(scorer, blend, buyers, taken)
    if int(again.sum()) < FEWEST_REPEATS:
        return blend
    weights, bias = _likeliest(features, again)
    own = np.zeros(len(COMPONENTS))
    own[list(OWN)] = weights[:-1]
    by = blend.combination._replace(own=own, own_share=float(weights[-1]), own_bias=bias)
    return replace(blend, combination=by)


def _own_offers(
    scorer: Scorer, blend: Blend, buyers: NDArray[np.int64], taken: Ragged
) -> tuple[Floats, NDArray[np.bool_]]:
    """Of all that each buyer had bought: OWN and the blend's log odds (P, F); taken again (P,)."""
    b = scorer.corpus.buyers
    parts = []
    for buyer in buyers.tolist():
        pieces = slice(b.ptr[buyer], b.ptr[buyer + 1])
        offers = b.offer[pieces][b.evidence_kind[pieces] == PURCHASED]
        phi = scorer.components(scorer.read(state_of(scorer.corpus, buyer)), offers)
        own = phi[:, list(OWN)]
        # As if it had not been bought: the log odds that the others are ranked by.
        phi[:, [AGAIN, REPEAT_RATE]] = 0.0
        rest = logit_rows(phi, blend.combination)
        parts.append((np.column_stack([own, rest]), np.isin(offers, taken.row(buyer))))
    features, again = (np.concatenate(column) for column in zip(*parts, strict=True))
    return features, again


def _likeliest(features: Floats, taken: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Logistic regression of taken (P,) on features (P, F): weights (F,) >= 0 and the bias."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    usable = spread > 1e-9
    spread[~usable] = 1.0
    scaled = (features - mean) / spread * usable

    def objective(at: Floats) -> tuple[float, Floats]:
        value, pull = log_loss(at[0] + scaled @ at[1:], taken, share)
        slope = np.concatenate([[pull.sum()], pull @ scaled + 2 * RIDGE * at[1:]])
        return value + RIDGE * float(at[1:] @ at[1:]), slope

    size, share = features.shape[1], np.full(len(taken), 1.0 / len(taken))
    found = minimize(
        objective, np.zeros(size + 1), jac=True, method="L-BFGS-B",
        bounds=[(None, None)] + [(0.0, None)] * size,
    )  # fmt: skip
    weights: Floats = found.x[1:] / spread
    return weights, float(found.x[0] - weights @ mean)
