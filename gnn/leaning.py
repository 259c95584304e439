"""How far what serves leans to what is popular, where nothing tells what comes next.

A draw from what buyers took holds as much of what is popular as the rest does. What they take next
may hold more of it: of orders that the draw cannot tell apart, the one that leans furthest serves
(docs/decisions/0021).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.progress import Progress
from gnn.blending import Asked, Floats, candidates, ndcg_of_orders
from scoring.blend import Blend
from scoring.combination import logit_rows
from scoring.components import POPULARITY

# What may be added to the weight of popularity, which is 1 for the offer with the most buyers.
LEANS: Floats = np.arange(0.0, 1.51, 0.25)
# By how many standard errors the best must be ahead of a lean to be told from it.
DOUBT = 2.0


def leaned(blend: Blend, lean: float) -> Blend:
    """The blend with so much more weight on popularity; its score is no probability any more."""
    weights = blend.combination.weights.copy()
    weights[POPULARITY] += lean
    return Blend(blend.combination._replace(weights=weights))


def ndcg_of_leans(
    asked: Sequence[Asked], blends: Sequence[Blend], progress: Progress
) -> NDArray[np.float64]:
    """NDCG@20 of each of LEANS (L, T), all offers that a buyer has not bought ranked.

    The T buyers of all ``asked``, in turn; each part by a blend of its own.
    """
    figures = []
    with progress.task("Leaning to what is popular", sum(len(a.buyers) for a in asked)) as task:
        for part, blend in zip(asked, blends, strict=True):
            for offers, phi, took in candidates([part]):
                logits = logit_rows(phi, blend.combination)
                orders = logits + np.outer(LEANS, phi[:, POPULARITY])
                figures.append(ndcg_of_orders(orders, offers, took))
                task.advance()
    return np.stack(figures, axis=1)


def furthest_of_the_best(figures: NDArray[np.float64]) -> float:
    """Of LEANS, the furthest that is not behind the best by DOUBT standard errors.

    ``figures`` (L, T) are of the same buyers for each. Source: the one-standard-error rule
    (Breiman et al., Classification and Regression Trees, 1984) with two of them, popularity as
    what is simple.
    """
    best = figures[figures.mean(axis=1).argmax()]
    behind = best - figures
    error = behind.std(axis=1, ddof=1) / np.sqrt(figures.shape[1])
    return float(LEANS[behind.mean(axis=1) <= DOUBT * error].max())
