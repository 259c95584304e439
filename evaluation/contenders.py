"""The simple models, each tuned on the validation slices that the trained one is chosen by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.progress import Progress
from core.snapshot import GraphSnapshot
from evaluation.rankings import purchase_matrix
from evaluation.views import View, rank_blocks
from gnn.holdouts import FEWEST_TESTERS
from gnn.train import TrainSettings, held_out
from gnn.walk_tuning import bought_rows, rows_of
from scoring.baselines import BlockScorer, Csr, ItemKnn, Popularity, Rp3Beta
from scoring.ease import Ease, fits_memory
from scoring.metrics import measure_top
from scoring.ragged import Ragged

SKIPPED = "skipped: memory"
K = 20
Settings = dict[str, float]


@dataclass(frozen=True, slots=True)
class Slice:
    """What baselines are tuned on: ``known`` (B, N), the testers (T,), what they know and take."""

    known: Csr
    testers: NDArray[np.int64]
    masked: Ragged
    relevant: Ragged

    def ndcg(self, model: BlockScorer) -> float:
        """NDCG@20 of a model fitted on ``known``, all offers but those known ranked."""
        tops = rank_blocks(
            lambda block: {"": model.score_block(block)},
            self.testers,
            self.known.shape[1],
            {"": View(masked=self.masked)},
            K,
        )
        return measure_top(tops[""][""], self.relevant, K).means()["ndcg"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """How a simple model is made and which settings are tried, each with the best before it.

    ``usual`` serves where too few buyers are left to tune by.
    """

    build: Callable[[Csr, Settings], BlockScorer]
    usual: Settings = field(default_factory=dict)
    grid: Sequence[tuple[str, Sequence[float]]] = ()


@dataclass(frozen=True, slots=True)
class Contender:
    """A fitted baseline, its settings, and its NDCG@20 on the slice (None: nothing to tune by)."""

    model: BlockScorer
    settings: Settings
    ndcg: float | None


def baselines(memory_bytes: int) -> dict[str, Baseline]:
    """The simple models by name; EASE within so much memory."""
    return {
        "popularity": Baseline(lambda purchases, _: Popularity(purchases)),
        "item_knn": Baseline(
            lambda purchases, s: ItemKnn(
                purchases, neighbours=int(s["neighbours"]), shrink=s["shrink"]
            ),
            {"neighbours": 100, "shrink": 10.0},
            (("shrink", (0.0, 10.0, 50.0, 200.0)), ("neighbours", (50, 100, 200))),
        ),
        "rp3beta": Baseline(
            lambda purchases, s: Rp3Beta(purchases, alpha=s["alpha"], beta=s["beta"]),
            {"alpha": 1.0, "beta": 0.4},
            (("alpha", (0.4, 0.7, 1.0, 1.3)), ("beta", (0.0, 0.2, 0.4, 0.6, 0.8))),
        ),
        "ease": Baseline(
            lambda purchases, s: Ease(purchases, ridge=s["ridge"], memory_bytes=memory_bytes),
            {"ridge": 200.0},
            (("ridge", (10.0, 50.0, 200.0, 500.0, 1000.0)),),
        ),
    }


def fits(name: str, offers: int, memory_bytes: int) -> bool:
    """Whether a baseline fits into memory; only EASE needs much."""
    return name != "ease" or fits_memory(offers, memory_bytes)


def slices_of(
    snapshot: GraphSnapshot, settings: TrainSettings, validation: pl.DataFrame | None
) -> list[Slice]:
    """The slices and the testers that ``gnn.train.train`` chooses by with the same arguments."""
    holdouts, testers = held_out(snapshot, settings, validation)
    return [
        Slice(
            purchase_matrix(holdout.corpus),
            testers,
            rows_of(bought_rows(holdout.corpus), testers),
            rows_of(holdout.split.fresh, testers),
        )
        for holdout in holdouts
    ]


def fit_contender(
    name: str, baseline: Baseline, slices: Sequence[Slice], whole: Csr, progress: Progress
) -> Contender:
    """Tune on the mean of the slices, then fit on ``whole`` (B, N)."""
    chosen, found = dict(baseline.usual), None
    tries = sum(len(values) for _, values in baseline.grid)
    with progress.task(f"Tuning {name}", tries + 1) as task:

        def measured(settings: Settings) -> float:
            figures = [part.ndcg(baseline.build(part.known, settings)) for part in slices]
            task.advance()
            return float(np.mean(figures))

        if len(slices[0].testers) >= FEWEST_TESTERS:
            chosen, found = climbed(baseline, measured)
            task.note(f"NDCG@20 {found:.4f} on the validation slice")
        model = baseline.build(whole, chosen)
    return Contender(model, chosen, found)


def climbed(baseline: Baseline, measure: Callable[[Settings], float]) -> tuple[Settings, float]:
    """The best settings by one pass over the grid, and their figure; ties keep the earlier."""
    tried: dict[tuple[float, ...], float] = {}

    def figure(settings: Mapping[str, float]) -> float:
        key = tuple(settings.values())
        if key not in tried:
            tried[key] = measure(dict(settings))
        return tried[key]

    best = dict(baseline.usual)
    for name, values in baseline.grid:
        for value in values:
            option = best | {name: value}
            if figure(option) > figure(best):
                best = option
    return best, figure(best)
