"""Where the score is too sure of itself its log odds are bent: piecewise linear calibration.

A blend is fitted to the order of each buyer's offers. What it puts first by far is not taken as
much more often, and one line from its order to probabilities (Platt) cannot say so: it is right for
the many and wrong for the likeliest, which stand in one list with what a buyer buys again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from gnn.blending import Examples, Floats, log_loss, logits_of
from scoring.blend import Blend

# Where the line may bend: so much of what is taken lies below. What stands first lies above.
BELOW = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Fewer taken above than this tell nothing of it.
FEWEST_ABOVE = 20
# How steep the line above may be beside the one below; the order must stay.
FLATTEST, STEEPEST = 0.05, 3.0


def bent(blend: Blend, others: Sequence[tuple[Blend, Examples]]) -> Blend:
    """The same order, its log odds on two lines that meet where that is likelier.

    Where they meet and how steep they are is what is likeliest for ``others``: blends made as this
    one was, each with examples of buyers that it was not fitted on. By its own buyers it would not
    be found as sure of itself as it is. As it was where too little, or everything, was taken.
    """
    taken = np.concatenate([examples.taken for _, examples in others])
    told = [below for below in BELOW if (1.0 - below) * taken.sum() >= FEWEST_ABOVE]
    if not told or taken.all():
        return blend
    logits = np.concatenate([logits_of(other, examples) for other, examples in others])
    importance = np.concatenate([examples.importance for _, examples in others])
    share = importance / importance.sum()
    best, lowest = blend, np.inf
    for knee in np.unique(np.quantile(logits[taken], told)).tolist():
        (shift, slope, above), loss = _likeliest(logits, taken, share, knee)
        if loss < lowest:
            line, lowest = blend.rescaled(slope, shift), loss
            bend = line.combination._replace(knee=slope * knee + shift, above=above)
            best = replace(line, combination=bend)
    return best


def _likeliest(
    logits: Floats, taken: NDArray[np.bool_], share: Floats, knee: float
) -> tuple[list[float], float]:
    """Shift, slope and ``above``: times as steep above the knee; and the loss, -log likelihood."""
    below, over = np.minimum(logits, knee), np.maximum(0.0, logits - knee)

    def objective(at: Floats) -> tuple[float, Floats]:
        shift, slope, above = at
        line = below + above * over
        value, pull = log_loss(shift + slope * line, taken, share)
        return value, np.array([pull.sum(), pull @ line, slope * (pull @ over)])

    found = minimize(
        objective, np.array([0.0, 1.0, 1.0]), jac=True, method="L-BFGS-B",
        bounds=[(None, None), (1e-2, None), (FLATTEST, STEEPEST)],
    )  # fmt: skip
    return found.x.tolist(), float(found.fun)
