"""The rankings that are measured: every model's top offers for the same buyers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.progress import Progress
from evaluation.views import View, blocks, part
from scoring.baselines import BlockScorer, ItemKnn, Popularity
from scoring.components import COSINE, WALK
from scoring.corpus import Corpus
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import EMPTY_STATE, BuyerState, state_of
from scoring.walk import purchased_pairs

MODELS = ("popularity", "item_knn", "walk", "graphsage", "offerpath")
# Edges of the calibration's bins, even in log odds; most scores are small.
EDGES = 1.0 / (1.0 + np.exp(-np.linspace(-9.0, 3.0, 25)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores against what happened, by bin: pairs, their summed score, those that were taken."""

    pairs: NDArray[np.float64]
    predicted: NDArray[np.float64]
    taken: NDArray[np.float64]

    def as_rows(self) -> list[dict[str, float]]:
        """Bins that hold pairs: how many, the mean score, the share that was taken."""
        return [
            {"pairs": n, "predicted": p / n, "observed": t / n}
            for n, p, t in zip(
                self.pairs.tolist(), self.predicted.tolist(), self.taken.tolist(), strict=True
            )
            if n
        ]


@dataclass(frozen=True, slots=True)
class Rankings:
    """Top offers (testers, k) int32 by model, -1 for none.

    ``new`` ranks what the buyer had not bought before, ``again`` what it had, ``cold`` what nobody
    had; ``blind`` is as ``new``, but the scores know nothing that the buyer has done, only its
    attributes and preferences: what it would get as a newcomer. ``calibration`` is of the
    served score on pairs not bought before.
    """

    new: dict[str, NDArray[np.int32]]
    again: dict[str, NDArray[np.int32]]
    cold: dict[str, NDArray[np.int32]]
    blind: dict[str, NDArray[np.int32]]
    calibration: Calibration


def purchase_matrix(corpus: Corpus) -> sp.csr_array:
    """The distinct purchases (buyers, offers) float32, of ones."""
    buyer, offer = purchased_pairs(corpus.buyers)
    shape = (len(corpus.buyers), len(corpus.offers))
    return sp.csr_array((np.ones(len(buyer), np.float32), (buyer, offer)), shape=shape)


def rank_models(
    scorer: Scorer,
    buyers: NDArray[np.int64],
    known: Ragged,
    fresh: Ragged,
    k: int,
    progress: Progress,
) -> Rankings:
    """Rank all offers for these buyers by every model of MODELS.

    ``known`` and ``fresh`` have a row for each of ``buyers``: what it bought before and what it
    takes for the first time after.
    """
    purchases = purchase_matrix(scorer.corpus)
    others: dict[str, BlockScorer] = {
        "popularity": Popularity(purchases),
        "item_knn": ItemKnn(purchases),
    }
    everything = View(masked=known)
    views = {
        "new": everything,
        "again": View(within=known),
        "cold": View(allowed=scorer.constants.degree == 0),
    }
    tops: dict[str, dict[str, list[NDArray[np.int32]]]] = {
        kind: {name: [] for name in MODELS} for kind in ("new", "again", "cold", "blind")
    }
    bins = np.zeros((3, len(EDGES) + 1))
    with progress.task("Ranking the held-out buyers", len(buyers)) as task:
        for rows in blocks(len(buyers)):
            block = buyers[rows]
            scores = served_scores(scorer, block)
            blind = served_scores(scorer, block, as_newcomers=True)
            for name, model in others.items():
                scores[name] = model.score_block(block)
                blind[name] = scores[name] * (name == "popularity")
            bins += _binned(scores["offerpath"], part(known, rows), part(fresh, rows))
            for name in MODELS:
                for kind, view in views.items():
                    tops[kind][name].append(view.rank(scores[name], rows, k))
                tops["blind"][name].append(everything.rank(blind[name], rows, k))
            task.advance(len(block))
    joined = {
        kind: {name: np.concatenate(parts) for name, parts in models.items()}
        for kind, models in tops.items()
    }
    return Rankings(**joined, calibration=Calibration(*bins))


def served_scores(
    scorer: Scorer, buyers: NDArray[np.int64], *, as_newcomers: bool = False
) -> dict[str, NDArray[np.floating]]:
    """Scores (B, N) of the walk, the cosine and the whole, from the scorer that serves.

    ``as_newcomers`` leaves out what the buyers have done, not who and where they are.
    """
    offers = np.arange(len(scorer.corpus.offers), dtype=np.int32)
    shape = (len(buyers), len(offers))
    scores: dict[str, NDArray[np.floating]] = {
        name: np.empty(shape) for name in ("walk", "graphsage", "offerpath")
    }
    for row, buyer in enumerate(buyers.tolist()):
        state = state_of(scorer.corpus, buyer)
        if as_newcomers:
            state = without_deeds(state)
        phi = scorer.components(scorer.read(state), offers)
        scores["walk"][row] = phi[:, WALK]
        scores["graphsage"][row] = phi[:, COSINE]
        scores["offerpath"][row] = scorer.combine(phi)
    return scores


def without_deeds(state: BuyerState) -> BuyerState:
    """The same buyer before it did anything: attributes and preferences stay."""
    blank = EMPTY_STATE
    return replace(
        state,
        offers=blank.offers,
        evidence_kinds=blank.evidence_kinds,
        counts=blank.counts,
        first_at=blank.first_at,
        last_at=blank.last_at,
    )


def _binned(scores: NDArray[np.floating], known: Ragged, fresh: Ragged) -> NDArray[np.float64]:
    rows = np.arange(len(scores))
    taken, counted = np.zeros(scores.shape, dtype=bool), np.ones(scores.shape, dtype=bool)
    taken[np.repeat(rows, np.diff(fresh.ptr)), fresh.values] = True
    counted[np.repeat(rows, np.diff(known.ptr)), known.values] = False
    flat = scores[counted]
    where = np.searchsorted(EDGES, flat)
    size = len(EDGES) + 1
    return np.stack(
        [
            np.bincount(where, minlength=size).astype(np.float64),
            np.bincount(where, weights=flat, minlength=size),
            np.bincount(where, weights=taken[counted], minlength=size),
        ]
    )
