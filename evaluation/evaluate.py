"""How good the matches are: one held-out last slice, every model on the same footing.

Everything is tuned and chosen inside the part before the cut; what came after is read once. Scores
are those that serve, taken from the same scorer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.progress import SILENT, Progress
from core.snapshot import GraphSnapshot
from evaluation.diversity_curve import DiversityCurve, measure_diversity
from evaluation.rankings import Calibration, Rankings, rank_models
from gnn.split import Split, split_snapshot
from gnn.train import TrainedModel, TrainSettings, train
from gnn.walk_tuning import bought_rows, rows_of
from scoring.corpus_building import build_corpus
from scoring.metrics import METRICS, coverage, measure_top, restricted
from scoring.ragged import Ragged
from scoring.scorer import build_scorer

CUTS = (10, 20)
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one evaluation.

    ``new`` is by model: ``precision@10`` and so on for offers bought for the first time, all offers
    not bought before ranked; ``again`` the same for offers bought again, those bought before
    ranked. ``slices`` is by slice, then by model. ``data`` counts what was known and what came.
    ``rankings`` are of the buyers with anything in the held-out part, by row.
    """

    served: str
    cut: datetime | None
    data: dict[str, int]
    new: Figures
    again: Figures
    slices: dict[str, Figures]
    calibration: Calibration
    diversity: DiversityCurve
    trained: TrainedModel
    rankings: Rankings

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Headers and rows, a row a model, for new purchases."""
        names = [f"{metric}@{k}" for k in CUTS for metric in METRICS]
        rows: list[list[object]] = [
            [model, *(figures[name] for name in names)] for model, figures in self.new.items()
        ]
        return ["model", *names], rows

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values that json can write."""
        return {
            "data": self.data,
            "cut": self.cut.isoformat() if self.cut else None,
            "served": self.served,
            "models": self.new,
            "repeat": self.again,
            "slices": self.slices,
            "calibration": self.calibration.as_rows(),
            "diversity": self.diversity.as_rows(),
            "validation": self.trained.validation,
            "curve": self.trained.model.manifest["curve"],
            "settings": self.trained.model.manifest["settings"],
        }


def evaluate(
    snapshot: GraphSnapshot,
    settings: TrainSettings | None = None,
    progress: Progress = SILENT,
    *,
    now: datetime,
    test_share: float = 0.2,
) -> Evaluation:
    """Train on all but the last ``test_share`` of the purchases and measure on those.

    Raises:
        InputError: when too little is known before the cut, or nothing new was bought after it.
    """
    settings = settings or TrainSettings()
    split = split_snapshot(snapshot, test_share, settings.seed)
    if not len(split.fresh.values):
        raise InputError(
            "Nothing was bought for the first time in the held-out part.",
            mend="Import a longer history.",
        )
    labels = ("Choosing for the evaluation", "Training for the evaluation")
    trained = train(split.known, settings, progress, now=now, labels=labels, keep_choice=False)
    return measure(split, trained, progress)


def measure(split: Split, trained: TrainedModel, progress: Progress = SILENT) -> Evaluation:
    """Measure a model that was trained on ``split.known`` on what came after."""
    corpus = build_corpus(split.known)
    scorer = build_scorer(corpus, trained.model)
    buyers = np.flatnonzero(np.diff(split.fresh.ptr) + np.diff(split.repeated.ptr))
    bought = bought_rows(corpus)
    known, fresh = rows_of(bought, buyers), rows_of(split.fresh, buyers)
    repeated = rows_of(split.repeated, buyers)
    rankings = rank_models(scorer, buyers, known, fresh, max(CUTS), progress)
    offers = len(corpus.offers)
    return Evaluation(
        served=trained.served,
        cut=split.cut,
        data={
            "buyers": len(corpus.buyers),
            "offers": offers,
            "known_pairs": len(bought.values),
            "testers": len(buyers),
            "new_pairs": len(fresh.values),
            "repeated_pairs": len(repeated.values),
        },
        new=_figures(rankings.new, fresh, offers),
        again=_figures(rankings.again, repeated, offers),
        slices=_slices(rankings, known, fresh, np.bincount(bought.values, minlength=offers)),
        calibration=rankings.calibration,
        diversity=measure_diversity(scorer, buyers, known, fresh, progress),
        trained=trained,
        rankings=rankings,
    )


def _figures(
    tops: dict[str, NDArray[np.int32]],
    relevant: Ragged,
    offers: int,
    chosen: NDArray[np.bool_] | None = None,
) -> Figures:
    figures: Figures = {}
    for model, top in tops.items():
        figures[model] = {}
        for k in CUTS:
            means = measure_top(top, relevant, k).means(chosen)
            shown = top if chosen is None else top[chosen]
            means["coverage"] = coverage(shown, offers, k)
            figures[model] |= {f"{metric}@{k}": means[metric] for metric in METRICS}
            figures[model]["buyers"] = means["buyers"]
    return figures


def _slices(
    rankings: Rankings, known: Ragged, fresh: Ragged, degree: NDArray[np.int64]
) -> dict[str, Figures]:
    """Buyers by how much they had bought, offers by how many had bought them."""
    offers = len(degree)
    history = np.diff(known.ptr)
    active = history[history > 1]
    light, heavy = np.quantile(active, [1 / 3, 2 / 3]) if len(active) else (1, 1)
    buyers = {
        "buyers without a purchase": history == 0,
        "buyers with one purchase": history == 1,
        "light buyers": (history > 1) & (history <= light),
        "heavy buyers": history > heavy,
    }
    ranked = np.sort(degree)[::-1]
    head = ranked[np.searchsorted(np.cumsum(ranked), degree.sum() / 2)] if degree.sum() else 0
    kinds = {
        "rare offers": (degree > 0) & (degree < head),
        "popular offers (half of all purchases)": (degree >= head) & (degree > 0),
    }
    by_buyer = {name: _figures(rankings.new, fresh, offers, rows) for name, rows in buyers.items()}
    by_offer = {
        name: _figures(rankings.new, restricted(fresh, allowed), offers)
        for name, allowed in kinds.items()
    }
    nobody = restricted(fresh, degree == 0)
    cold = {"offers nobody had bought, among themselves": _figures(rankings.cold, nobody, offers)}
    newcomers = {"all buyers, as newcomers": _figures(rankings.blind, fresh, offers)}
    return by_buyer | newcomers | by_offer | cold
