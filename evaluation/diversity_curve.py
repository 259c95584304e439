"""What diversity costs: NDCG against how unlike the offers of one list are, and how many are shown.

The lists are spread by the code that serves (matching.diversity), over as many places as it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core.progress import Progress
from matching.diversity import diversified, offer_likeness
from matching.requests import RANKING_LIMIT
from reports.figures import trade_off
from reports.page import Section
from scoring.metrics import coverage, measure_top, rank_top
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import state_of

SETTINGS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
K = 20
# Each buyer's list is spread anew at every setting, in time that grows with its length squared.
MOST_BUYERS = 128


@dataclass(frozen=True, slots=True)
class DiversityPoint:
    """Means over the buyers at one setting of matching's diversity.

    ``unlikeness`` is 1 - the mean likeness of two of a buyer's first K offers
    (matching.diversity.offer_likeness); ``coverage`` the share of all offers that at least one of
    the buyers has among the first K.
    """

    diversity: float
    ndcg: float
    recall: float
    unlikeness: float
    coverage: float


@dataclass(frozen=True, slots=True)
class DiversityCurve:
    """The points in the order of SETTINGS, and of how many buyers they are."""

    buyers: int
    points: tuple[DiversityPoint, ...]

    def as_rows(self) -> list[dict[str, Any]]:
        """The points as plain values that json can write."""
        return [asdict(point) for point in self.points]

    def section(self) -> Section:
        """The curve as a part of a page."""
        return Section(
            "What diversity costs",
            [
                f"The first {K} matches of {self.buyers:,} buyers, spread as a request's diversity "
                "asks for, from 0 (the order of the scores) upwards. Unlikeness: 1 - how alike two "
                "offers of one list are, by vectors, vendor and category. Coverage: the share of "
                "all offers that at least one of these buyers is shown.",
            ],
            (
                ["Diversity", f"NDCG@{K}", f"Recall@{K}", "Unlikeness", "Coverage"],
                [
                    [p.diversity, *(round(v, 4) for v in (p.ndcg, p.recall)),
                     *(round(v, 3) for v in (p.unlikeness, p.coverage))]
                    for p in self.points
                ],
            ),
            self._figures(),
        )  # fmt: skip

    def _figures(self) -> list[Figure]:
        ndcg = [point.ndcg for point in self.points]
        labels = [f"{point.diversity:g}" for point in self.points]
        axes = {
            "Unlikeness within a list": [point.unlikeness for point in self.points],
            "Coverage of all offers": [point.coverage for point in self.points],
        }
        return [trade_off("NDCG against diversity", axes, ndcg, labels, y_label=f"NDCG@{K}")]


def measure_diversity(
    scorer: Scorer,
    buyers: NDArray[np.int64],
    known: Ragged,
    fresh: Ragged,
    progress: Progress,
    settings: Sequence[float] = SETTINGS,
) -> DiversityCurve:
    """The curve for at most MOST_BUYERS of these buyers, evenly drawn from them.

    Args:
        scorer: what serves.
        buyers: (T,) their rows.
        known: row t lists what the t-th has bought; it is not ranked.
        fresh: row t lists what it takes.
        progress: told of each buyer.
        settings: of diversity, each in [0, 1].
    """
    drawn = np.unique(np.linspace(0, len(buyers) - 1, min(len(buyers), MOST_BUYERS)).astype(int))
    tops = np.full((len(settings), len(drawn), K), -1, dtype=np.int32)
    unlikeness = np.zeros((len(settings), len(drawn)))
    with progress.task("Spreading the lists", len(drawn)) as task:
        for place, tester in enumerate(drawn.tolist()):
            scores = scorer.score_offers(state_of(scorer.corpus, int(buyers[tester])))
            rows, likeness = _ranked(scorer, scores, known.row(tester))
            for level, diversity in enumerate(settings):
                order = diversified(scores[rows], likeness, float(diversity), 0)[:K]
                tops[level, place, : len(order)] = rows[order]
                unlikeness[level, place] = _unlikeness(likeness[np.ix_(order, order)])
            task.advance()
    wanted = [fresh.row(tester) for tester in drawn.tolist()]
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in wanted])]).astype(np.int64)
    relevant = Ragged(ptr, np.concatenate(wanted) if wanted else fresh.values[:0])
    points = []
    for level, diversity in enumerate(settings):
        means = measure_top(tops[level], relevant, K).means()
        shown = coverage(tops[level], len(scorer.corpus.offers), K)
        spread = float(unlikeness[level].mean()) if len(drawn) else 0.0
        points.append(DiversityPoint(diversity, means["ndcg"], means["recall"], spread, shown))
    return DiversityCurve(len(drawn), tuple(points))


def _ranked(
    scorer: Scorer, scores: NDArray[np.float64], known: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows that a ranking without filters holds, best first, and how alike they are."""
    masked = Ragged(np.array([0, len(known)], dtype=np.int64), known)
    top = rank_top(scores[None, :].copy(), min(RANKING_LIMIT, len(scores)), masked)[0]
    rows = top[top >= 0].astype(np.int64)
    offers = scorer.corpus.offers
    return rows, offer_likeness(rows, offers.vendor, offers.categories, scorer.tower.z)


def _unlikeness(likeness: NDArray[np.float64]) -> float:
    n = len(likeness)
    if n < 2:
        return 0.0
    return 1.0 - float((likeness.sum() - np.trace(likeness)) / (n * (n - 1)))
