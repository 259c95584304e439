"""What scoring takes from the whole snapshot and keeps until the next: walk rows, popularity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.again import NEVER, Fading, latest, repeat_rate_of, trend_of
from scoring.corpus import Corpus
from scoring.rows import OfferRows, extended
from scoring.walk import WalkSettings, dealings_of, purchased_pairs, walk_rows

# How many buyer-offer pairs of the general mix are added to a country's or kind's own.
PRIOR_PAIRS = 20.0
LIFT_LIMIT = 3.0


@dataclass(frozen=True)
class Constants:
    """Numbers of a snapshot that one buyer's change does not move.

    popularity (N,) in [0, 1]: log share of buyers; local (countries + 1, N) and by_kind (kinds + 1,
    N): log of how many times more popular than everywhere, row 0 (unknown) is 0; degree (N,):
    distinct buyers; category_weight (C,) in [0, 1]: rarer categories say more. ``scale`` is the
    median weight of the walk's ``rows``. trend (N,): log of how many times more is sold lately than
    usual; purchases fade by ``fading`` up to ``now``, in microseconds. repeat_rate (N,): log of how
    many times likelier than usual its buyers buy it again.
    """

    rows: OfferRows
    scale: float
    degree: NDArray[np.int64]
    popularity: NDArray[np.float64]
    local: NDArray[np.float32]
    by_kind: NDArray[np.float32]
    category_weight: NDArray[np.float64]
    trend: NDArray[np.float64]
    repeat_rate: NDArray[np.float64]
    now: int
    fading: Fading

    def for_offers(self, count: int) -> Constants:
        """The same for a corpus that has grown to ``count`` offers: nobody bought the new ones."""
        missing = count - len(self.degree)
        if missing == 0:
            return self
        return replace(
            self,
            rows=extended(self.rows, count),
            degree=np.pad(self.degree, (0, missing)),
            popularity=np.pad(self.popularity, (0, missing)),
            trend=np.pad(self.trend, (0, missing)),
            repeat_rate=np.pad(self.repeat_rate, (0, missing)),
            local=np.pad(self.local, ((0, 0), (0, missing))),
            by_kind=np.pad(self.by_kind, ((0, 0), (0, missing))),
        )

    def for_categories(self, count: int) -> Constants:
        """The same for a corpus that has grown to ``count`` categories: the new ones are rarest."""
        missing = count - len(self.category_weight)
        weight = np.pad(self.category_weight, (0, missing), constant_values=1.0)
        return replace(self, category_weight=weight) if missing else self


def constants_of(corpus: Corpus, walk: WalkSettings, fading: Fading = NEVER) -> Constants:
    """Count and walk the whole corpus once."""
    buyer, offer = purchased_pairs(corpus.buyers)
    offers = len(corpus.offers)
    degree = np.bincount(offer, minlength=offers).astype(np.int64)
    top = np.log1p(max(int(degree.max(initial=0)), 1))
    in_category = np.bincount(corpus.offers.closure.values, minlength=len(corpus.categories.ids))
    rarity = np.log((offers + 1.0) / (in_category + 1.0)) / np.log(offers + 2.0)
    rows = walk_rows(dealings_of(corpus.buyers), (len(corpus.buyers), offers), walk)
    now = latest(corpus)
    return Constants(
        rows=rows,
        scale=float(np.median(rows.weight)) if len(rows.weight) else 1.0,
        degree=degree,
        popularity=np.log1p(degree) / top,
        local=_lifts(corpus.buyers.country[buyer], offer, len(corpus.countries), degree),
        by_kind=_lifts(corpus.buyers.kind[buyer], offer, len(corpus.kinds), degree),
        category_weight=rarity,
        trend=trend_of(corpus.buyers, offers, now, fading),
        repeat_rate=repeat_rate_of(corpus.buyers, offers),
        now=now,
        fading=fading,
    )


def _lifts(
    group: NDArray[np.int32], offer: NDArray[np.int64], groups: int, degree: NDArray[np.int64]
) -> NDArray[np.float32]:
    offers = len(degree)
    general = (degree + 0.5) / max(degree.sum() + 0.5 * offers, 1.0)
    counts = np.zeros((groups, offers))
    known = group >= 0
    np.add.at(counts, (group[known], offer[known]), 1.0)
    size = counts.sum(axis=1, keepdims=True)
    own = (counts + PRIOR_PAIRS * general) / (size + PRIOR_PAIRS)
    lift = np.clip(np.log(own / general), -LIFT_LIMIT, LIFT_LIMIT)
    return np.vstack([np.zeros((1, offers)), lift]).astype(np.float32)
