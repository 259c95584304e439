"""The walk's exponents, tuned for the data at hand on a validation slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.progress import Progress
from scoring.corpus import Corpus
from scoring.metrics import measure_top, rank_top
from scoring.ragged import Ragged, ragged_from_pairs
from scoring.states import WEIGHT_OF_KIND
from scoring.walk import WalkSettings, purchased_pairs, walk_rows

# Tried in turn, each with the best of those before it.
GRID: tuple[tuple[str, Sequence[float]], ...] = (
    ("offer_discount", (0.15, 0.3, 0.45, 0.6, 0.8)),
    ("buyer_discount", (0.3, 0.6, 0.9, 1.2)),
    ("evidence_discount", (0.2, 0.4, 0.7)),
)


def tune_walk(
    corpus: Corpus, buyers: NDArray[np.int64], fresh: Ragged, progress: Progress
) -> tuple[WalkSettings, float]:
    """The settings with the best NDCG@20 for these buyers, by one pass over GRID, and the figure.

    ``fresh`` row b lists what buyer b (of all) took later. Ties keep the earlier setting.
    """
    relevant = rows_of(fresh, buyers)
    masked = rows_of(bought_rows(corpus), buyers)
    evidence = _evidence(corpus, buyers)
    pairs = purchased_pairs(corpus.buyers)
    shape = (len(corpus.buyers), len(corpus.offers))
    tried: dict[WalkSettings, float] = {}

    def figure(settings: WalkSettings) -> float:
        if settings not in tried:
            rows = walk_rows(*pairs, shape, settings)
            walk = sp.csr_array((rows.weight, rows.offer, rows.ptr), shape=(shape[1], shape[1]))
            scores = np.asarray((evidence @ walk).todense())
            found = measure_top(rank_top(scores, 20, masked), relevant, 20)
            tried[settings] = found.means()["ndcg"]
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
    return best, figure(best)


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
