"""How fast purchases, interest and sales fade, estimated from what buyers took next.

Likelihoods of what is there after the cut given what was there before: the trend's half-life is the
one under which the recent shares foretell best which offers are taken at all; that of a buyer's own
purchases the one that foretells best which of its offers it takes again; that of its interest the
one that foretells best which of the offers it looked at it buys. All are tried at fractions of the
time that the data spans, whose length they thus need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from scoring.again import (
    BOUGHT,
    DAY,
    INTERESTED,
    LATELY,
    LEAST,
    NEVER,
    OWNS,
    Fading,
    latest,
    own_of,
    trend_of,
)
from scoring.corpus import PURCHASED, Corpus
from scoring.ragged import Ragged
from scoring.states import LOOKS

Floats = NDArray[np.float64]
# Fewer buyers who bought something again than this tell nothing about how.
FEWEST_REPEATERS = 20
# Fractions of the data's span that are tried as half-lives, the longest first.
SALES_FRACTIONS = tuple(2.0**-k for k in range(8))
OWN_FRACTIONS = tuple(2.0**-k for k in range(-1, 6))
# Of a year down to hours: who looks at an offer takes it soon or not.
INTEREST_FRACTIONS = tuple(2.0**-k for k in range(12))
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
    fading = _tuned_own(corpus, taken, days, fading)
    return _tuned_interest(corpus, taken, days, fading)


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
    options = [fading, *(replace(fading, own_days=days * f) for f in OWN_FRACTIONS)]
    bought = corpus.buyers.evidence_kind == PURCHASED
    return _likeliest(corpus, taken, bought, options, lambda own: own[:, [BOUGHT]])


def _tuned_interest(corpus: Corpus, taken: Ragged, days: float, fading: Fading) -> Fading:
    """The best of INTEREST_FRACTIONS by the likelihood of what was taken of what took interest."""
    options = [fading, *(replace(fading, interest_days=days * f) for f in INTEREST_FRACTIONS)]
    b = corpus.buyers
    keys = _keys_of(corpus)
    bought = b.evidence_kind == PURCHASED
    of_interest = np.isin(b.evidence_kind, LOOKS) & ~np.isin(keys, keys[bought])
    return _likeliest(
        corpus, taken, of_interest, options,
        lambda own: np.log1p(own[:, [INTERESTED, LATELY]] / LEAST),
    )  # fmt: skip


def _keys_of(corpus: Corpus) -> NDArray[np.int64]:
    """Of each piece of evidence (E,) a number for its buyer and offer."""
    b = corpus.buyers
    owner = np.repeat(np.arange(len(b)), np.diff(b.ptr))
    return owner * np.int64(len(corpus.offers)) + b.offer


def _likeliest(
    corpus: Corpus,
    taken: Ragged,
    pieces: NDArray[np.bool_],
    options: Sequence[Fading],
    told: Callable[[Floats], Floats],
) -> Fading:
    """The option under which it was likeliest what buyers took of the offers of some pieces (E,).

    The first of ``options`` where fewer than FEWEST_REPEATERS took any. ``told`` makes features
    (P, F) of what the pieces of each offer say of it (P, OWNS).
    """
    b, now, width = corpus.buyers, latest(corpus), np.int64(len(corpus.offers))
    after = np.repeat(np.arange(len(b)), np.diff(taken.ptr)) * width + taken.values
    keys = _keys_of(corpus)
    took = np.unique(keys[pieces & np.isin(keys, after)] // width)
    if len(took) < FEWEST_REPEATERS:
        return options[0]
    kept = np.flatnonzero(pieces & np.isin(keys // width, took))
    pairs, number = np.unique(keys[kept], return_inverse=True)
    owner, offer, chosen = pairs // width, pairs % width, np.isin(pairs, after)
    degree = np.bincount(b.offer[b.evidence_kind == PURCHASED], minlength=len(corpus.offers))
    trend = trend_of(b, len(corpus.offers), now, options[0])
    shared = np.stack([np.log1p(degree[offer]), trend[offer]], axis=1)
    losses: dict[Fading, float] = {}
    for option in options:
        own = np.zeros((len(pairs), OWNS))
        said = own_of(
            b.evidence_kind[kept], b.count[kept], b.first_at[kept], b.last_at[kept], now, option
        )
        np.add.at(own, number, said)
        losses[option] = _loss(np.column_stack([told(own), shared]), chosen, owner)
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
