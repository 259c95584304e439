"""What links offers, tuned on a validation slice: the walk, the learned links, the low rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.memory import give_back_memory
from core.progress import Progress
from gnn.low_rank import LowRank, LowRankSettings, Spectrum
from gnn.slim import SlimProblem, SlimSettings
from scoring.corpus import Corpus
from scoring.metrics import measure_top, rank_top
from scoring.ragged import Ragged, ragged_from_pairs
from scoring.rows import OfferRows
from scoring.states import WEIGHT_OF_KIND
from scoring.walk import WalkSettings, dealings_of, purchased_pairs, walk_rows

# Tried in turn, each with the best of those before it. ItemKNN's cosine (.5, 0, .5) and RP3beta
# (beta, 1, 1) lie within.
GRID: tuple[tuple[str, Sequence[float]], ...] = (
    ("offer_discount", (0.15, 0.3, 0.5, 0.8)),
    ("buyer_discount", (0.0, 0.3, 0.6, 1.0, 1.3)),
    ("evidence_discount", (0.2, 0.4, 0.7, 1.0)),
    ("offer_discount", (0.0, 0.1, 0.2, 0.3, 0.4, 0.65)),
    ("buyer_discount", (0.45, 0.8)),
)
RIDGES = (5.0, 20.0, 80.0)
LOW_RANKS = (
    LowRankSettings(16),
    LowRankSettings(64),
    LowRankSettings(128),
    LowRankSettings(128, 200.0, 0.0),
    LowRankSettings(128, 800.0, 0.0),
)
# Buyers that are asked: more take longer and tell little more of so few settings.
MOST_ASKED = 2000
# Scores held at once: what bounds the memory, 16 MB of float64.
CELLS = 2**21


class LinkJudge:
    """NDCG@20 of links between offers alone, over some buyers of a corpus."""

    def __init__(self, corpus: Corpus, buyers: NDArray[np.int64], fresh: Ragged) -> None:
        """``fresh`` row b lists what buyer b (of all) took later; the first buyers are asked."""
        buyers = np.sort(buyers[:MOST_ASKED])
        self.relevant = rows_of(fresh, buyers)
        self.masked = rows_of(bought_rows(corpus), buyers)
        self.evidence = _evidence(corpus, buyers)

    def __call__(self, rows: OfferRows) -> float:
        """The figure of these links."""
        count = len(rows.ptr) - 1
        links = sp.csr_array((rows.weight, rows.offer, rows.ptr), shape=(count, count))
        return self.figure(lambda evidence: np.asarray((evidence @ links).todense()))

    def figure(self, scores_of: Callable[[sp.csr_array], NDArray[np.floating]]) -> float:
        """The figure of what makes scores (n, N) of evidence (n, N)."""
        tops = []
        height = max(1, CELLS // max(self.evidence.shape[1], 1))
        for start in range(0, self.evidence.shape[0], height):
            chosen = np.arange(start, min(start + height, self.evidence.shape[0]))
            scores = scores_of(self.evidence[chosen])
            tops.append(rank_top(scores, 20, rows_of(self.masked, chosen)))
        return measure_top(np.concatenate(tops), self.relevant, 20).means()["ndcg"]


def tune_walk(
    corpus: Corpus, buyers: NDArray[np.int64], fresh: Ragged, progress: Progress
) -> tuple[WalkSettings, float]:
    """The settings with the best NDCG@20 for these buyers, by one pass over GRID, and the figure.

    ``fresh`` row b lists what buyer b (of all) took later. Ties keep the earlier setting.
    """
    judge = LinkJudge(corpus, buyers, fresh)
    dealings = dealings_of(corpus.buyers)
    shape = (len(corpus.buyers), len(corpus.offers))
    tried: dict[WalkSettings, float] = {}

    def figure(settings: WalkSettings) -> float:
        if settings not in tried:
            tried[settings] = judge(walk_rows(dealings, shape, settings))
        return tried[settings]

    best = WalkSettings()
    with progress.task("Tuning the walk", sum(len(values) for _, values in GRID)) as task:
        for name, values in GRID:
            for value in values:
                option = WalkSettings(**{**asdict(best), name: value})
                if figure(option) > figure(best):
                    best = option
                task.advance()
                task.note(f"NDCG@20 {figure(best):.4f}")
    give_back_memory()
    return best, figure(best)


def tune_slim(
    corpus: Corpus,
    walk: WalkSettings,
    buyers: NDArray[np.int64],
    fresh: Ragged,
    threads: int,
    progress: Progress,
) -> tuple[SlimSettings, OfferRows]:
    """The best of RIDGES by NDCG@20 for these buyers, and its links."""
    judge = LinkJudge(corpus, buyers, fresh)
    problem = slim_problem(corpus, walk)
    best, links, highest = SlimSettings(), None, -np.inf
    for ridge in RIDGES:
        found = problem.solve(ridge, threads, progress, f"Linking offers, ridge {ridge:g}")
        figure = judge(found)
        if links is None or figure > highest:
            best, links, highest = SlimSettings(ridge=ridge), found, figure
    assert links is not None
    give_back_memory()
    return best, links


def tune_low_rank(
    corpus: Corpus, buyers: NDArray[np.int64], fresh: Ragged, seed: int, progress: Progress
) -> tuple[LowRankSettings, LowRank]:
    """The best of LOW_RANKS by NDCG@20 for these buyers, and its product."""
    judge = LinkJudge(corpus, buyers, fresh)
    spectrum = spectrum_of(corpus, max(settings.rank for settings in LOW_RANKS), seed)
    best, made, highest = LOW_RANKS[0], spectrum.low_rank(LOW_RANKS[0]), -np.inf
    with progress.task("Linking all offers", len(LOW_RANKS)) as task:
        for settings in LOW_RANKS:
            found = spectrum.low_rank(settings)
            figure = judge.figure(found.scores)
            if figure > highest:
                best, made, highest = settings, found, figure
            task.advance()
    give_back_memory()
    return best, made


def spectrum_of(corpus: Corpus, rank: int, seed: int) -> Spectrum:
    """The singular vectors of a corpus."""
    return Spectrum(
        dealings_of(corpus.buyers), (len(corpus.buyers), len(corpus.offers)), rank, seed
    )


def slim_problem(corpus: Corpus, walk: WalkSettings) -> SlimProblem:
    """The regressions of a corpus over the nearest offers by cosine, buyers weighed as in ``walk``.

    Not by the walk itself: one that discounts what was bought by many misses the best predictors
    (on 8,000 offers of 300 buyers that was half of the figure).
    """
    dealings = dealings_of(corpus.buyers)
    shape = (len(corpus.buyers), len(corpus.offers))
    rows = walk_rows(dealings, shape, replace(walk, offer_discount=0.5, evidence_discount=0.5))
    problem = SlimProblem(dealings, shape, rows, SlimSettings().neighbours)
    del rows
    give_back_memory()
    return problem


def bought_rows(corpus: Corpus) -> Ragged:
    """Row b lists the offers that buyer b has bought."""
    return ragged_from_pairs(*purchased_pairs(corpus.buyers), len(corpus.buyers))


def rows_of(ragged: Ragged, chosen: NDArray[np.int64]) -> Ragged:
    """Only the chosen rows, in that order."""
    ptr = np.zeros(len(chosen) + 1, dtype=np.int64)
    np.cumsum(np.diff(ragged.ptr)[chosen], out=ptr[1:])
    parts = [ragged.row(int(row)) for row in chosen]
    return Ragged(ptr, np.concatenate(parts) if parts else ragged.values[:0])


def _evidence(corpus: Corpus, buyers: NDArray[np.int64]) -> sp.csr_array:
    b = corpus.buyers
    rows = np.repeat(np.arange(len(b)), np.diff(b.ptr))
    weights = WEIGHT_OF_KIND[b.evidence_kind]
    whole = sp.csr_array((weights, (rows, b.offer)), shape=(len(b), len(corpus.offers)))
    return sp.csr_array(whole[buyers])
