"""The weights of the blend: fitted on what buyers took next, then calibrated to a probability."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from core.progress import Progress
from scoring.blend import COSINE_ONLY, POPULARITY_ONLY, WALK_ONLY, Blend
from scoring.corpus import PURCHASED
from scoring.kernels import COMPONENTS, COSINE, WALK
from scoring.metrics import measure_top, rank_top
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import state_of

Floats = NDArray[np.float64]
HARD = 200
EASY = 200
RIDGE = 1e-3
SINGLES = {"walk": WALK_ONLY, "graphsage": COSINE_ONLY, "popularity": POPULARITY_ONLY}


@dataclass(frozen=True, slots=True)
class Examples:
    """Pairs of some buyers: components (P, 10), taken (P,), importance (P,), buyer number (P,).

    A pair that stands for others it was drawn from weighs as many as it stands for.
    """

    phi: Floats
    taken: NDArray[np.bool_]
    importance: Floats
    buyer: NDArray[np.int64]


def candidate_components(
    scorer: Scorer, buyers: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int32], Floats]]:
    """For each buyer: the offers it has not bought (n,) and their components (n, 10)."""
    b = scorer.corpus.buyers
    for buyer in buyers.tolist():
        state = state_of(scorer.corpus, buyer)
        pieces = slice(b.ptr[buyer], b.ptr[buyer + 1])
        bought = b.offer[pieces][b.evidence_kind[pieces] == PURCHASED]
        open_to = np.ones(len(scorer.corpus.offers), dtype=bool)
        open_to[bought] = False
        offers = np.flatnonzero(open_to).astype(np.int32)
        yield offers, scorer.components(scorer.read(state), offers)


def gather_examples(
    scorer: Scorer,
    buyers: NDArray[np.int64],
    fresh: Ragged,
    random: np.random.Generator,
    progress: Progress,
) -> Examples:
    """What each buyer took of what it could, beside the likeliest and some others it did not."""
    parts = []
    with progress.task("Fitting the blend", len(buyers)) as task:
        for number, (offers, phi) in enumerate(candidate_components(scorer, buyers)):
            taken = np.isin(offers, fresh.row(int(buyers[number])))
            kept, importance = _sampled(phi, taken, random)
            parts.append((phi[kept], taken[kept], importance, np.full(len(kept), number)))
            task.advance()
    phi, taken, importance, buyer = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Examples(phi, taken, importance, buyer)


def fit_blend(examples: Examples) -> Blend:
    """Weights >= 0 by a listwise softmax over each buyer's offers, calibrated after.

    The loss is the mean over buyers of the mean over what they took of ``-log softmax``, each
    offer weighted as many as it stands for, with a small ridge on standardised components.
    """
    spread = examples.phi.std(axis=0)
    usable = spread > 1e-9
    scaled = examples.phi[:, usable] / spread[usable]
    count = int(examples.buyer.max(initial=-1)) + 1
    starts = np.searchsorted(examples.buyer, np.arange(count))
    takes = np.bincount(examples.buyer, weights=examples.taken, minlength=count)
    share = examples.taken / np.maximum(takes, 1)[examples.buyer]
    share /= max((takes > 0).sum(), 1)
    per_buyer = np.bincount(examples.buyer, weights=share, minlength=count)
    log_importance = np.log(examples.importance)
    positive = share @ scaled

    def objective(weights: Floats) -> tuple[float, Floats]:
        logits = scaled @ weights + log_importance
        peak = np.maximum.reduceat(logits, starts)
        odds = np.exp(logits - peak[examples.buyer])
        total = np.add.reduceat(odds, starts)
        odds *= (per_buyer / total)[examples.buyer]
        value = per_buyer @ (np.log(total) + peak) - positive @ weights
        slope = odds @ scaled - positive
        return value + RIDGE * float(weights @ weights), slope + 2 * RIDGE * weights

    start = np.full(int(usable.sum()), 0.1)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    weights = np.zeros(len(COMPONENTS))
    weights[usable] = found.x / spread[usable]
    return calibrated(Blend(weights, 0.0), examples)


def calibrated(blend: Blend, examples: Examples) -> Blend:
    """The same order, scaled and shifted so that the score is the probability of taking (Platt)."""
    logits = examples.phi @ blend.weights
    centre, spread = float(logits.mean()), float(max(logits.std(), 1e-9))
    scaled = (logits - centre) / spread
    importance = examples.importance / examples.importance.sum()
    rate = float(importance @ examples.taken)
    if not 0 < rate < 1:
        return blend

    def objective(at: Floats) -> tuple[float, Floats]:
        z = at[0] * scaled + at[1]
        miss = 1.0 / (1.0 + np.exp(-z)) - examples.taken
        value = float(importance @ (np.logaddexp(0.0, z) - examples.taken * z))
        pull = importance * miss
        return value, np.array([pull @ scaled, pull.sum()])

    # A slope of 0 would give every pair the same score and lose the order.
    found = minimize(
        objective, np.array([1.0, np.log(rate / (1 - rate))]), jac=True, method="L-BFGS-B",
        bounds=[(1e-2, None), (None, None)],
    )  # fmt: skip
    slope = float(found.x[0]) / spread
    return Blend(blend.weights * slope, float(found.x[1]) - slope * centre, calibrated=True)


def ndcg_of_blends(
    scorer: Scorer,
    buyers: NDArray[np.int64],
    fresh: Ragged,
    blends: dict[str, Blend],
    progress: Progress,
) -> dict[str, float]:
    """Mean NDCG@20 of each blend over these buyers, all offers they have not bought ranked."""
    totals = dict.fromkeys(blends, 0.0)
    with progress.task("Comparing models", len(buyers)) as task:
        for buyer, (offers, phi) in zip(
            buyers.tolist(), candidate_components(scorer, buyers), strict=True
        ):
            wanted = fresh.row(buyer)
            relevant = Ragged(np.array([0, len(wanted)]), wanted)
            for name, blend in blends.items():
                top = rank_top((phi @ blend.weights)[None, :], 20)
                shown = np.where(top >= 0, offers[top], -1).astype(np.int32)
                totals[name] += measure_top(shown, relevant, 20).means()["ndcg"]
            task.advance()
    return {name: total / max(len(buyers), 1) for name, total in totals.items()}


def _sampled(
    phi: Floats, taken: NDArray[np.bool_], random: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    if len(phi) <= 2 * (HARD + EASY):
        return np.arange(len(phi)), np.ones(len(phi))
    rough = phi[:, WALK] + 5.0 * phi[:, COSINE]
    hard = np.zeros(len(phi), dtype=bool)
    hard[np.argpartition(-rough, HARD)[:HARD]] = True
    others = np.flatnonzero(~hard & ~taken)
    drawn = random.choice(others, size=min(EASY, len(others)), replace=False)
    kept = np.concatenate([np.flatnonzero(hard | taken), np.sort(drawn)])
    importance = np.ones(len(kept))
    importance[len(kept) - len(drawn) :] = len(others) / max(len(drawn), 1)
    return kept, importance
