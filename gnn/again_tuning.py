"""How fast purchases and sales fade, estimated from what buyers took next.

Two likelihoods, each of what is there after the cut given what was there before: the trend's
half-life is the one under which the recent shares foretell best which offers are taken at all; the
half-life of a buyer's own purchases the one that foretells best which of its offers it takes again.
Both are tried at fractions of the time that the data spans, whose length they thus need not know.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from scoring.again import DAY, NEVER, Fading, again_of, latest, trend_of
from scoring.corpus import PURCHASED, Corpus
from scoring.ragged import Ragged

Floats = NDArray[np.float64]
# Fewer buyers who bought something again than this tell nothing about how.
FEWEST_REPEATERS = 20
# Fractions of the data's span that are tried as half-lives, the longest first.
SALES_FRACTIONS = tuple(2.0**-k for k in range(8))
OWN_FRACTIONS = tuple(2.0**-k for k in range(-1, 6))
RIDGE = 1e-3


def tune_fading(corpus: Corpus, taken: Ragged) -> Fading:
    """The half-lives under which what buyers took next was likeliest.

    ``taken`` row b lists what buyer b took after the corpus, for the first time or again. Without
    times, or where fading foretells nothing more, the half-lives are None.
    """
    days = _span_days(corpus)
    if days <= 0.0:
        return NEVER
    fading = _tuned_sales(corpus, taken, days)
    return _tuned_own(corpus, taken, days, fading)


def _span_days(corpus: Corpus) -> float:
    b = corpus.buyers
    bought = b.evidence_kind == PURCHASED
    if not bought.any():
        return 0.0
    return float(latest(corpus) - b.first_at[bought].min()) / DAY


def _tuned_sales(corpus: Corpus, taken: Ragged, days: float) -> Fading:
    """The best of SALES_FRACTIONS, if it is better than no fading by two standard errors."""
    now, offers = latest(corpus), len(corpus.offers)
    b = corpus.buyers
    degree = np.bincount(b.offer[b.evidence_kind == PURCHASED], minlength=offers)
    buyer = np.repeat(np.arange(len(taken.ptr) - 1), np.diff(taken.ptr))
    known = degree[taken.values] > 0
    buyer, wanted = buyer[known], taken.values[known]
    takes = np.bincount(buyer, minlength=len(b))
    who = np.flatnonzero(takes)
    if len(who) < FEWEST_REPEATERS:
        return NEVER
    best, best_gain = NEVER, 0.0
    for fraction in SALES_FRACTIONS:
        option = Fading(sales_days=days * fraction)
        # What the lift adds to the log likelihood of each take, once the shares sum to 1 again.
        lift = trend_of(b, offers, now, option)
        gains = lift[wanted] - np.log(degree @ np.exp(lift) / degree.sum())
        per_buyer = np.bincount(buyer, weights=gains, minlength=len(b))[who] / takes[who]
        gain = float(per_buyer.mean())
        error = float(per_buyer.std()) / np.sqrt(len(who))
        if gain > max(best_gain, 2.0 * error):
            best, best_gain = option, gain
    return best


def _tuned_own(corpus: Corpus, taken: Ragged, days: float, fading: Fading) -> Fading:
    """The best of OWN_FRACTIONS by the likelihood of what was taken again, trend and all given."""
    b, now = corpus.buyers, latest(corpus)
    owner = np.repeat(np.arange(len(b)), np.diff(b.ptr))
    bought = b.evidence_kind == PURCHASED
    width = np.int64(len(corpus.offers))
    after = np.repeat(np.arange(len(b)), np.diff(taken.ptr)) * width + taken.values
    again = bought & np.isin(owner * width + b.offer, after)
    repeaters = np.bincount(owner[again], minlength=len(b)) > 0
    if int(repeaters.sum()) < FEWEST_REPEATERS:
        return fading
    kept = np.flatnonzero(bought & repeaters[owner])
    degree = np.bincount(b.offer[bought], minlength=len(corpus.offers))
    trend = trend_of(b, len(corpus.offers), now, fading)
    shared = np.stack([np.log(degree[b.offer[kept]]), trend[b.offer[kept]]], axis=1)
    losses: dict[Fading, float] = {}
    for option in (fading, *(replace(fading, own_days=days * f) for f in OWN_FRACTIONS)):
        own = again_of(
            b.evidence_kind[kept], b.count[kept], b.first_at[kept], b.last_at[kept], now, option
        )
        losses[option] = _loss(np.column_stack([own, shared]), again[kept], owner[kept])
    return min(losses, key=lambda option: losses[option])


def _loss(features: Floats, taken: NDArray[np.bool_], buyer: NDArray[np.int64]) -> float:
    """The least mean ``-log softmax`` (P, F), over each buyer's offers (P,), of what was taken."""
    starts = np.flatnonzero(np.diff(buyer, prepend=-1))
    row = np.cumsum(np.diff(buyer, prepend=-1) != 0) - 1
    share = taken / np.bincount(row, weights=taken)[row] / len(starts)
    positive = share @ features

    def objective(weights: Floats) -> tuple[float, Floats]:
        logits = features @ weights
        peak = np.maximum.reduceat(logits, starts)
        odds = np.exp(logits - peak[row])
        total = np.add.reduceat(odds, starts)
        odds /= total[row] * len(starts)
        value = float((np.log(total) + peak).mean() - positive @ weights)
        return value + RIDGE * float(weights @ weights), (
            odds @ features - positive + 2 * RIDGE * weights
        )

    found = minimize(objective, np.full(features.shape[1], 0.5), jac=True, method="L-BFGS-B")
    return float(found.fun)
