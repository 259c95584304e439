"""How the components become one score: fitted on what buyers took next, then calibrated.

Two forms are fitted, a weighted sum and the same with a small network beside it (gnn.network);
which of them (or of the simple models) serves is chosen on buyers that neither was fitted on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from core.progress import Progress
from scoring.blend import COSINE_ONLY, LOW_RANK_ONLY, POPULARITY_ONLY, SLIM_ONLY, WALK_ONLY, Blend
from scoring.combination import logit_rows
from scoring.components import (
    COMPONENTS,
    COSINE,
    INTEREST,
    INTEREST_LATELY,
    NEAR_5,
    PER_BUYER,
    POPULARITY,
    SLIM_LOG,
    TREND,
    WALK,
)
from scoring.metrics import measure_top, rank_top
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import state_of

Floats = NDArray[np.float64]
HARD = 250
EASY = 100
# Of so few offers all are examples.
FEW = 2 * (HARD + EASY)
RIDGE = 1e-3
# What tells the likeliest offers well enough to draw examples of them.
ROUGH = np.zeros(len(COMPONENTS))
ROUGH[[WALK, SLIM_LOG, COSINE, NEAR_5, POPULARITY, TREND]] = 1.0, 1.0, 5.0, 0.5, 1.0, 1.0
ROUGH[[INTEREST, INTEREST_LATELY]] = 1.0
# Examples read at once in full precision: what bounds the memory.
ROWS = 65_536
SINGLES = {
    "walk": WALK_ONLY,
    "slim": SLIM_ONLY,
    "low_rank": LOW_RANK_ONLY,
    "graphsage": COSINE_ONLY,
    "popularity": POPULARITY_ONLY,
}


class Asked(NamedTuple):
    """Buyers (T,) of a scorer's corpus, and what each of all buyers had bought, and took after it.

    What it had bought it is not asked about, whatever the scorer knows of it.
    """

    scorer: Scorer
    buyers: NDArray[np.int64]
    bought: Ragged
    fresh: Ragged


@dataclass(frozen=True, slots=True)
class Examples:
    """Pairs of T buyers: components (P, K) float32, taken (P,), importance (P,), ptr (T + 1,).

    A pair that stands for others it was drawn from weighs as many as it stands for. The pairs of
    buyer t, at least one, lie in [ptr[t], ptr[t + 1]).
    """

    phi: NDArray[np.float32]
    taken: NDArray[np.bool_]
    importance: Floats
    ptr: NDArray[np.int64]

    def of(self, first: int, last: int) -> Examples:
        """The pairs of buyers [first, last), not copied."""
        ptr = self.ptr[first : last + 1]
        own = slice(ptr[0], ptr[-1])
        return Examples(self.phi[own], self.taken[own], self.importance[own], ptr - ptr[0])

    def buyer(self) -> NDArray[np.int64]:
        """The buyer of each pair (P,)."""
        return np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))

    def takes(self) -> NDArray[np.int64]:
        """How many offers each buyer took (T,)."""
        return np.bincount(self.buyer()[self.taken], minlength=len(self.ptr) - 1)

    def moments(self) -> tuple[Floats, Floats]:
        """Mean and deviation (K,) of the components, without a copy in full precision."""
        mean: Floats = self.phi.mean(axis=0, dtype=np.float64)
        squares = np.zeros(self.phi.shape[1])
        for start in range(0, len(self.phi), ROWS):
            squares += ((self.phi[start : start + ROWS] - mean) ** 2).sum(axis=0)
        return mean, np.sqrt(squares / max(len(self.phi), 1))


def gather_examples(
    every: Sequence[Asked], random: np.random.Generator, progress: Progress
) -> Examples:
    """What each buyer took of what it could, beside the likeliest and some others it did not.

    The buyers of all ``every``, in turn; one that is asked twice counts as two.
    """
    offers_of = len(every[0].scorer.corpus.offers)
    takes = [np.diff(asked.fresh.ptr)[asked.buyers] for asked in every]
    most = np.minimum(HARD + EASY + np.concatenate(takes), offers_of)
    if offers_of <= FEW:
        most[:] = offers_of
    # Room for all: parts that are put together in the end take twice as much.
    phi = np.empty((int(most.sum()), len(COMPONENTS)), dtype=np.float32)
    taken, importance = np.empty(len(phi), dtype=bool), np.empty(len(phi))
    ptr = np.zeros(len(most) + 1, dtype=np.int64)
    with progress.task("Gathering examples", len(most)) as task:
        for number, (offers, components, took) in enumerate(candidates(every)):
            wanted = np.isin(offers, took)
            kept, weight = _sampled(components, wanted, random)
            ptr[number + 1] = ptr[number] + len(kept)
            own = slice(ptr[number], ptr[number + 1])
            phi[own], taken[own], importance[own] = components[kept], wanted[kept], weight
            task.advance()
    return Examples(phi, taken, importance, ptr).of(0, len(most))


def fit_weights(examples: Examples) -> Blend:
    """Weights >= 0 by a listwise softmax over each buyer's offers; not calibrated.

    The loss is the mean over buyers of the mean over what they took of ``-log softmax``, each
    offer weighted as many as it stands for, with a small ridge on standardised components.
    """
    _, spread = examples.moments()
    spread[list(PER_BUYER)] = 0.0
    usable = spread > 1e-9
    scale = np.where(usable, 1.0 / np.where(usable, spread, 1.0), 0.0)
    buyer, starts, takes = examples.buyer(), examples.ptr[:-1], examples.takes()
    share = examples.taken / np.maximum(takes, 1)[buyer]
    share /= max((takes > 0).sum(), 1)
    per_buyer = np.bincount(buyer, weights=share, minlength=len(takes))
    log_importance = np.log(examples.importance)
    phi = examples.phi
    positive = (share.astype(np.float32) @ phi).astype(np.float64) * scale

    def objective(weights: Floats) -> tuple[float, Floats]:
        logits = phi @ (weights * scale).astype(np.float32) + log_importance
        peak = np.maximum.reduceat(logits, starts)
        odds = np.exp(logits - peak[buyer])
        total = np.add.reduceat(odds, starts)
        odds *= (per_buyer / total)[buyer]
        value = per_buyer @ (np.log(total) + peak) - positive @ weights
        slope = (odds.astype(np.float32) @ phi).astype(np.float64) * scale - positive
        return value + RIDGE * float(weights @ weights), slope + 2 * RIDGE * weights

    start = np.where(usable, 0.1, 0.0)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    weights = dict(zip(COMPONENTS, (found.x * scale).tolist(), strict=True))
    return Blend.of(weights, 0.0)


def calibrated(blend: Blend, examples: Examples) -> Blend:
    """Each buyer's order as it was, with a score that is the probability of taking (Platt).

    Beside a scale and a shift PER_BUYER is weighed: what is fitted to the order within each buyer
    knows nothing of who takes more than others (docs/decisions/0023).
    """
    importance = examples.importance / examples.importance.sum()
    rate = float(importance @ examples.taken)
    if not 0 < rate < 1:
        return blend
    told = np.column_stack([logits_of(blend, examples), examples.phi[:, PER_BUYER]])
    centre, spread = told.mean(axis=0), told.std(axis=0)
    scale = np.where(spread > 1e-9, 1.0 / np.maximum(spread, 1e-9), 1.0)
    told -= centre
    told *= scale

    def objective(at: Floats) -> tuple[float, Floats]:
        value, pull = log_loss(at[0] + told @ at[1:], examples.taken, importance)
        return value, np.array([pull.sum(), *(pull @ told)])

    start = np.array([np.log(rate / (1 - rate)), 1.0] + [0.0] * len(PER_BUYER))
    # A slope of 0 would give every pair the same score and lose the order.
    bounds = [(None, None), (1e-2, None)] + [(None, None)] * len(PER_BUYER)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
    slope, *levels = found.x[1:] * scale
    line = blend.rescaled(float(slope), float(found.x[0] - found.x[1:] @ (centre * scale)))
    weights = line.combination.weights.copy()
    weights[list(PER_BUYER)] += levels
    return replace(line, combination=line.combination._replace(weights=weights))


def log_loss(logits: Floats, taken: NDArray[np.bool_], share: Floats) -> tuple[float, Floats]:
    """-log likelihood a pair of what was taken, pairs weighing ``share`` (P,); its slopes (P,)."""
    value = float(share @ (np.logaddexp(0.0, logits) - taken * logits))
    return value, share * (1.0 / (1.0 + np.exp(-logits)) - taken)


def logits_of(blend: Blend, examples: Examples) -> Floats:
    """The log odds (P,) of the examples, without a copy of all in full precision."""
    return np.concatenate(
        [
            logit_rows(examples.phi[start : start + ROWS].astype(np.float64), blend.combination)
            for start in range(0, len(examples.phi), ROWS)
        ]
    )


def ndcg_of_blends(asked: Asked, blends: dict[str, Blend], progress: Progress) -> dict[str, Floats]:
    """NDCG@20 (T,) of each blend for the buyers asked, all offers they have not bought ranked."""
    figures = np.zeros((len(blends), len(asked.buyers)))
    with progress.task("Comparing models", len(asked.buyers)) as task:
        for row, (offers, phi, took) in enumerate(candidates([asked])):
            logits = [logit_rows(phi, blend.combination) for blend in blends.values()]
            figures[:, row] = ndcg_of_orders(np.stack(logits), offers, took)
            task.advance()
    return dict(zip(blends, figures, strict=True))


def ndcg_of_orders(
    logits: Floats, offers: NDArray[np.int32], took: NDArray[np.int32]
) -> NDArray[np.float64]:
    """NDCG@20 (M,) of offers (n,) ordered by each row of (M, n), for a buyer who ``took`` some."""
    top = rank_top(logits, 20)
    shown = np.where(top >= 0, offers[top], -1).astype(np.int32)
    ptr = np.arange(len(logits) + 1) * len(took)
    return measure_top(shown, Ragged(ptr, np.tile(took, len(logits))), 20).ndcg


def candidates(
    every: Sequence[Asked],
) -> Iterator[tuple[NDArray[np.int32], Floats, NDArray[np.int32]]]:
    """For each buyer: the offers it has not bought (n,), their components (n, K), what it took."""
    for scorer, buyers, bought, fresh in every:
        for buyer in buyers.tolist():
            state = state_of(scorer.corpus, buyer)
            open_to = np.ones(len(scorer.corpus.offers), dtype=bool)
            open_to[bought.row(buyer)] = False
            offers = np.flatnonzero(open_to).astype(np.int32)
            yield offers, scorer.components(scorer.read(state), offers), fresh.row(buyer)


def _sampled(
    phi: Floats, taken: NDArray[np.bool_], random: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    if len(phi) <= FEW:
        return np.arange(len(phi)), np.ones(len(phi))
    # Not the product of a matrix: its threads would spin for what takes a millisecond.
    rough = np.einsum("nk,k->n", phi, ROUGH)
    hard = np.zeros(len(phi), dtype=bool)
    hard[np.argpartition(-rough, HARD)[:HARD]] = True
    others = np.flatnonzero(~hard & ~taken)
    drawn = random.choice(others, size=min(EASY, len(others)), replace=False)
    kept = np.concatenate([np.flatnonzero(hard | taken), np.sort(drawn)])
    importance = np.ones(len(kept))
    importance[len(kept) - len(drawn) :] = len(others) / max(len(drawn), 1)
    return kept, importance
