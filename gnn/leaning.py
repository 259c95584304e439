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
from scoring.metrics import chance_ndcg

# What may be added to the weight of popularity, which is 1 for the offer with the most buyers.
LEANS: Floats = np.arange(0.0, 1.51, 0.25)
# By how many standard errors the best must be ahead of a lean to be told from it.
DOUBT = 2.0


def lean_of(
    asked: Sequence[Asked],
    blends: Sequence[Blend],
    popularity: NDArray[np.float64],
    progress: Progress,
) -> float:
    """Of LEANS, the one that serves; none where popularity tells nothing.

    ``popularity`` (T,): its NDCG@20 for the buyers of all ``asked``, in turn; each part is asked
    with a blend of its own.
    """
    if not popularity_tells(asked, popularity):
        return 0.0
    return furthest_of_the_best(ndcg_of_leans(asked, blends, progress))


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


def is_ahead(ahead: NDArray[np.float64], doubt: float) -> NDArray[np.bool_]:
    """Whether what is (..., T) ahead over T buyers is so by more than ``doubt`` standard errors."""
    error = ahead.std(axis=-1, ddof=1) / np.sqrt(ahead.shape[-1])
    return np.asarray(ahead.mean(axis=-1) > doubt * error)


def popularity_tells(asked: Sequence[Asked], figures: NDArray[np.float64]) -> bool:
    """Whether ``figures`` (T,), NDCG@20 of popularity, are ahead of chance by DOUBT errors.

    Where all offers are as popular as one another, what differs is chance (docs/decisions/0025).
    """
    by_chance = []
    for scorer, buyers, bought, fresh in asked:
        left = len(scorer.corpus.offers) - np.diff(bought.ptr)[buyers]
        by_chance.append(chance_ndcg(np.diff(fresh.ptr)[buyers], left, 20))
    return bool(is_ahead(figures - np.concatenate(by_chance), DOUBT))


def furthest_of_the_best(figures: NDArray[np.float64]) -> float:
    """Of LEANS, the furthest that is not behind the best by DOUBT standard errors.

    ``figures`` (L, T) are of the same buyers for each. Source: the one-standard-error rule
    (Breiman et al., Classification and Regression Trees, 1984) with two of them, popularity as
    what is simple.
    """
    best = figures[figures.mean(axis=1).argmax()]
    return float(LEANS[~is_ahead(best - figures, DOUBT)].max())
