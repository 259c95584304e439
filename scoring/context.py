"""Context: how many times more an offer is taken under a circumstance than otherwise.

Of what was taken while a circumstance (weather) was known, the share under one of its values
(rain) says how often each offer would be taken under it if it made no difference. The lift is the
ratio of what was taken to that, shrunk towards the lift of the offer's categories, theirs towards
that of the categories above them, and those of the roots towards 1; how far is told by the data.

Source: the gamma-Poisson shrinker (DuMouchel, 1999, The American Statistician 53:3), its prior's
strength by the method of moments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.context import Context, ContextValue
from scoring.ragged import Ragged

Floats = NDArray[np.float64]
LIFT_LIMIT = 3.0
# A prior's strength in expected takes: no stronger than certain, no weaker than one.
STRENGTHS = (1.0, 1e6)


@dataclass(frozen=True)
class Tallies:
    """Counts by offer: row r has ``count`` takes of ``offer`` in [ptr[r], ptr[r + 1])."""

    ptr: NDArray[np.int64]
    offer: NDArray[np.int32]
    count: NDArray[np.int32]

    def row(self, row: int, offers: int) -> Floats:
        """One row as (offers,), at least as many as were counted."""
        dense = np.zeros(offers)
        mine = slice(self.ptr[row], self.ptr[row + 1])
        dense[self.offer[mine]] = self.count[mine]
        return dense


@dataclass(frozen=True)
class ContextCounts:
    """Distinct pairs of buyer and offer by circumstance.

    ``values`` (V,), most pairs first, are those seen often enough; ``taken`` has their rows.
    ``names`` (M,) are the names of these; ``known`` has for each name the pairs counted once for
    each of its values, learned or not.
    """

    values: tuple[ContextValue, ...]
    taken: Tallies
    names: tuple[str, ...]
    known: Tallies


_NOTHING = Tallies(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32))
NO_CONTEXTS = ContextCounts((), _NOTHING, (), _NOTHING)


@dataclass(frozen=True)
class ContextLifts:
    """The lifts of N offers, made when they are first asked for.

    ``direct`` and ``closure`` are the offers' categories as scoring.corpus has them, ``parent``
    (C,) and ``depth`` (C,), 0 for roots, those of the categories.
    """

    counts: ContextCounts
    direct: Ragged
    closure: Ragged
    parent: NDArray[np.int32]
    depth: NDArray[np.int64]
    _made: dict[ContextValue, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def of(self, value: ContextValue) -> NDArray[np.float32] | None:
        """Log lifts (N,) in [-3, 3] of one circumstance; None for one that was not learned."""
        if value not in self._made:
            if value not in self.counts.values:
                return None
            self._made[value] = self._lifts(value).astype(np.float32)
        return self._made[value]

    def total(self, context: Context, weights: Mapping[str, float]) -> Floats:
        """(N,) the lifts of all circumstances, each times the weight of its name; unknown ones 0.

        The sum runs in the order of the context, so that it is the same to the bit every time.
        """
        total = np.zeros(len(self.direct.ptr) - 1)
        for value in context:
            weight = weights.get(value.name, 0.0)
            lifts = self.of(value) if weight else None
            if lifts is not None:
                total += weight * lifts
        return total

    def _lifts(self, value: ContextValue) -> Floats:
        offers, counts = len(self.direct.ptr) - 1, self.counts
        taken = counts.taken.row(counts.values.index(value), offers)
        known = counts.known.row(counts.names.index(value.name), offers)
        share = float(taken.sum() / known.sum())
        expected = known * share
        of_category = np.log(self._of_categories(taken, expected, share))
        widths = np.diff(self.direct.ptr)
        rows = np.repeat(np.arange(offers), widths)
        summed = np.bincount(rows, weights=of_category[self.direct.values], minlength=offers)
        prior = summed / np.maximum(widths, 1)
        ratio = _shrunk(taken, expected, np.exp(prior), share)
        return np.clip(np.log(ratio), -LIFT_LIMIT, LIFT_LIMIT)

    def _of_categories(self, taken: Floats, expected: Floats, share: float) -> Floats:
        """Ratios (C,) of the categories, from the roots downwards."""
        size = len(self.parent)
        offers = np.repeat(np.arange(len(taken)), np.diff(self.closure.ptr))
        within, hoped = (
            np.bincount(self.closure.values, counts[offers], size).astype(np.float64)
            for counts in (taken, expected)
        )
        ratio = np.ones(size)
        for depth in range(int(self.depth.max(initial=-1)) + 1):
            rows = np.flatnonzero(self.depth == depth)
            above = self.parent[rows]
            prior = np.where(above >= 0, ratio[above], 1.0)
            ratio[rows] = _shrunk(within[rows], hoped[rows], prior, share)
        return ratio


def _shrunk(taken: Floats, expected: Floats, prior: Floats, share: float) -> Floats:
    """Ratios (n,) of taken to expected (n,), shrunk towards ``prior`` (n,) and above 0."""
    strength = _strength(taken, expected * prior, share)
    ratio: Floats = (taken + strength * prior) / (expected + strength)
    return ratio


def _strength(taken: Floats, hoped: Floats, share: float) -> float:
    """How many expected takes the prior weighs as much as.

    By moments: the squared misses exceed those of chance (a share of what was taken, binomial) by
    the square of what was hoped for over the strength. One standard error of the excess is taken
    for chance.
    """
    chance = (1.0 - share) * hoped
    excess = float(((taken - hoped) ** 2 - chance).sum())
    excess -= float(np.sqrt((2.0 * chance**2 + chance).sum()))
    squares = float((hoped**2).sum())
    if excess <= 0.0:
        return STRENGTHS[1]
    return float(np.clip(squares / excess, *STRENGTHS))
