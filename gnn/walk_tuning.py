"""What links offers, tuned on a validation slice: the walk, the learned links, the low rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.memory import give_back_memory
from core.progress import Progress
from gnn.holdouts import Holdout
from gnn.low_rank import LowRank, LowRankSettings, Spectrum
from gnn.slim import SlimProblem, SlimSettings
from scoring.corpus import Corpus
from scoring.metrics import measure_top, rank_top
from scoring.ragged import Ragged, ragged_from_pairs
from scoring.rows import OfferRows, columns_of
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
    LowRankSettings(32, 200.0, 0.0),
    LowRankSettings(128, 200.0, 0.0),
    LowRankSettings(128, 800.0, 0.0),
)
# Buyers that are asked: more take longer and tell little more of so few settings.
MOST_ASKED = 2000
# Scores held at once: what bounds the memory, 16 MB of float64.
CELLS = 2**21


class LinkJudge:
    """NDCG@20 of links between offers alone, over some buyers, by what is held out of them."""

    def __init__(self, holdout: Holdout, buyers: NDArray[np.int64]) -> None:
        """The first of ``buyers`` are asked."""
        buyers = np.sort(buyers[:MOST_ASKED])
        self.relevant = rows_of(holdout.split.fresh, buyers)
        self.masked = rows_of(bought_rows(holdout.corpus), buyers)
        self.evidence = _evidence(holdout.corpus, buyers)

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
    holdouts: Sequence[Holdout], buyers: NDArray[np.int64], progress: Progress
) -> WalkSettings:
    """The settings with the best NDCG@20 for these buyers, by one pass over GRID.

    As of all that is tuned here, the figure is the mean over ``holdouts``. Ties keep the earlier
    setting.
    """
    judges = [LinkJudge(holdout, buyers) for holdout in holdouts]
    known = [(dealings_of(h.corpus.buyers), shape_of(h.corpus)) for h in holdouts]
    tried: dict[WalkSettings, float] = {}

    def figure(settings: WalkSettings) -> float:
        if settings not in tried:
            tried[settings] = _mean(
                judge(walk_rows(dealings, shape, settings))
                for judge, (dealings, shape) in zip(judges, known, strict=True)
            )
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
    return best


def tune_slim(
    holdouts: Sequence[Holdout],
    walk: WalkSettings,
    buyers: NDArray[np.int64],
    threads: int,
    progress: Progress,
) -> tuple[SlimSettings, list[OfferRows]]:
    """The best of RIDGES by NDCG@20 for these buyers, and its links for each of ``holdouts``."""
    judges = [LinkJudge(holdout, buyers) for holdout in holdouts]
    problems = [slim_problem(holdout.corpus, walk) for holdout in holdouts]
    best, links, highest = SlimSettings(), list[OfferRows](), -np.inf
    for ridge in RIDGES:
        label = f"Linking offers, ridge {ridge:g}"
        found = [problem.solve(ridge, threads, progress, label) for problem in problems]
        figure = _mean(judge(rows) for judge, rows in zip(judges, found, strict=True))
        if not links or figure > highest:
            best, links, highest = SlimSettings(ridge=ridge), found, figure
    give_back_memory()
    return best, links


def tune_low_rank(
    holdouts: Sequence[Holdout], buyers: NDArray[np.int64], seed: int, progress: Progress
) -> tuple[LowRankSettings, list[LowRank]]:
    """The best of LOW_RANKS by NDCG@20 for these buyers, and its products for ``holdouts``."""
    judges = [LinkJudge(holdout, buyers) for holdout in holdouts]
    most = max(settings.rank for settings in LOW_RANKS)
    spectra = [spectrum_of(holdout.corpus, most, seed) for holdout in holdouts]
    best, made, highest = LOW_RANKS[0], list[LowRank](), -np.inf
    with progress.task("Linking all offers", len(LOW_RANKS)) as task:
        for settings in LOW_RANKS:
            found = [spectrum.low_rank(settings) for spectrum in spectra]
            figure = _mean(j.figure(f.scores) for j, f in zip(judges, found, strict=True))
            if not made or figure > highest:
                best, made, highest = settings, found, figure
            task.advance()
    give_back_memory()
    return best, made


def shape_of(corpus: Corpus) -> tuple[int, int]:
    """(buyers, offers)."""
    return len(corpus.buyers), len(corpus.offers)


def spectrum_of(corpus: Corpus, rank: int, seed: int) -> Spectrum:
    """The singular vectors of a corpus."""
    return Spectrum(dealings_of(corpus.buyers), shape_of(corpus), rank, seed)


def slim_problem(corpus: Corpus, walk: WalkSettings) -> SlimProblem:
    """The regressions of a corpus over the nearest offers by cosine, buyers weighed as in ``walk``.

    Not by the walk itself: one that discounts what was bought by many misses the best predictors
    (on 8,000 offers of 300 buyers that was half of the figure).
    """
    dealings = dealings_of(corpus.buyers)
    shape = shape_of(corpus)
    cosine = replace(walk, offer_discount=0.5, evidence_discount=0.5)
    near = columns_of(walk_rows(dealings, shape, cosine))
    give_back_memory()
    problem = SlimProblem(dealings, shape, near, SlimSettings().neighbours)
    del near
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


def _mean(figures: Iterable[float]) -> float:
    return float(np.mean(list(figures)))


def _evidence(corpus: Corpus, buyers: NDArray[np.int64]) -> sp.csr_array:
    b = corpus.buyers
    rows = np.repeat(np.arange(len(b)), np.diff(b.ptr))
    weights = WEIGHT_OF_KIND[b.evidence_kind]
    whole = sp.csr_array((weights, (rows, b.offer)), shape=shape_of(corpus))
    return sp.csr_array(whole[buyers])
