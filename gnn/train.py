"""Training, whole: learn on what is known, choose on what came next, learn again on everything."""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import InputError
from core.progress import SILENT, Progress
from core.snapshot import GraphSnapshot
from gnn.blending import SINGLES, calibrated, fit_blend, gather_examples, ndcg_of_blends
from gnn.export import feature_arrays, manifest_of, tower_arrays
from gnn.fitting import Fitted, Schedule, fit
from gnn.graph import build_graph
from gnn.model import Layers
from gnn.recipe import Recipe
from gnn.split import Split, split_snapshot
from gnn.walk_tuning import bought_rows, rows_of, tune_walk
from scoring.artifact import Model, publish_model
from scoring.blend import UNTRAINED, Blend
from scoring.corpus import Corpus
from scoring.corpus_building import build_corpus
from scoring.metrics import measure_top, rank_top
from scoring.offer_features import fit_features
from scoring.scorer import Scorer, build_scorer
from scoring.walk import WalkSettings

# With fewer buyers to validate on, figures are noise: nothing is tuned or stopped by them.
FEWEST_TESTERS = 20
MOST_TESTERS = 1000


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Settings of one training.

    ``epochs`` is the most; ``validation_share`` of the first purchases are held out. ``recipe``
    holds the rest, its ``dimension`` giving way to the one here.
    """

    seed: int = 0
    dimension: int = 64
    epochs: int = 20
    threads: int = 2
    validation_share: float = 0.1
    recipe: Recipe = field(default_factory=Recipe)
    patience: int = 4

    @property
    def schedule(self) -> Schedule:
        """How long to train."""
        return Schedule(epochs=self.epochs, patience=self.patience)

    @property
    def whole_recipe(self) -> Recipe:
        """The recipe with this dimension."""
        return replace(self.recipe, dimension=self.dimension)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What training made: the artifact, and how it came about.

    ``curve`` is (epoch, loss, NDCG@20 of the cosine on the validation slice); ``validation`` the
    NDCG@20 of each model that could be served, on buyers the blend was not fitted on.
    """

    model: Model
    curve: tuple[tuple[int, float, float], ...]
    validation: dict[str, float]
    served: str


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the validation slice decided."""

    epochs: int
    walk: WalkSettings
    blend: Blend
    served: str
    validation: dict[str, float]
    curve: tuple[tuple[int, float, float], ...]


def train(
    snapshot: GraphSnapshot,
    settings: TrainSettings | None = None,
    progress: Progress = SILENT,
    *,
    now: datetime,
    labels: tuple[str, str] = ("Training to choose", "Training on everything"),
) -> TrainedModel:
    """Train a model on everything the snapshot knows.

    Deterministic in (snapshot, settings) on one machine; ``now`` is only stamped on the version.
    ``labels`` are what progress calls the training that chooses and the one that is kept.

    Raises:
        InputError: when there is too little to learn from.
    """
    settings = settings or TrainSettings()
    _refuse_too_little(snapshot)
    chosen = _choose(snapshot, settings, progress, labels[0])
    fitted, model = _fit_model(snapshot, settings, progress, labels[1], stop_at=chosen.epochs)
    manifest = model.manifest | {
        "served": chosen.served,
        "walk": asdict(chosen.walk),
        "blend": {"weights": chosen.blend.as_mapping(), "bias": chosen.blend.bias},
        "metrics": {"validation": chosen.validation, "epochs": fitted.epochs},
        "curve": [list(point) for point in chosen.curve],
        "settings": asdict(settings),
        "created_at": now.isoformat(),
        "data": _fingerprint(snapshot),
        "versions": {
            name: importlib.metadata.version(name)
            for name in ("torch", "torch-geometric", "numpy", "scikit-learn")
        },
    }
    version = f"{now:%Y%m%dT%H%M%S}-{snapshot.graph_id[:8]}-{snapshot.seq}"
    return TrainedModel(
        replace(model, version=version, manifest=manifest),
        chosen.curve,
        chosen.validation,
        chosen.served,
    )


def publish(root: Path, trained: TrainedModel) -> Path:
    """Publish under ``root``, atomically: readers see the old model or this one."""
    return publish_model(root, trained.model)


def _choose(
    snapshot: GraphSnapshot, settings: TrainSettings, progress: Progress, label: str
) -> _Chosen:
    split = split_snapshot(snapshot, settings.validation_share, settings.seed, first_purchases=True)
    corpus = build_corpus(split.known)
    testers = _testers(split, corpus, settings.seed)
    if len(testers) < FEWEST_TESTERS:
        blend = Blend.of(UNTRAINED.as_mapping() | {"cosine": 5.0}, UNTRAINED.bias)
        return _Chosen(settings.epochs // 2, WalkSettings(), blend, "offerpath", {}, ())
    fitted, model = _fit_model(split.known, settings, progress, label, split=split, testers=testers)
    walk, _ = tune_walk(corpus, testers, split.fresh, progress)
    scorer = build_scorer(corpus, model, blend=UNTRAINED, walk=walk)
    blend, served, figures = _fit_choice(scorer, testers, split, settings.seed, progress)
    return _Chosen(fitted.epochs, walk, blend, served, figures, fitted.curve)


def _fit_choice(
    scorer: Scorer,
    testers: NDArray[np.int64],
    split: Split,
    seed: int,
    progress: Progress,
) -> tuple[Blend, str, dict[str, float]]:
    """Fit the blend on half of the testers, compare on the other, fit the winner on all."""
    random = np.random.default_rng(seed)
    testers = random.permutation(testers)
    half = len(testers) // 2
    first = gather_examples(scorer, testers[:half], split.fresh, random, progress)
    blends = {"offerpath": fit_blend(first)} | SINGLES
    figures = ndcg_of_blends(scorer, testers[half:], split.fresh, blends, progress)
    served = max(figures, key=lambda name: figures[name])
    every = gather_examples(scorer, testers, split.fresh, random, progress)
    if served == "offerpath":
        return fit_blend(every), served, figures
    return calibrated(SINGLES[served], every), served, figures


def _fit_model(
    snapshot: GraphSnapshot,
    settings: TrainSettings,
    progress: Progress,
    label: str,
    *,
    split: Split | None = None,
    testers: NDArray[np.int64] | None = None,
    stop_at: int | None = None,
) -> tuple[Fitted, Model]:
    corpus, recipe = build_corpus(snapshot), settings.whole_recipe
    spec = fit_features(corpus, round(snapshot.taken_at.timestamp() * 1e6), settings.seed)
    graph = build_graph(corpus, spec)
    watch = None if split is None or testers is None else _Validation(corpus, split, testers)
    fitted = fit(
        graph, recipe, settings.schedule, seed=settings.seed, threads=settings.threads,
        progress=progress, label=label, validate=watch, stop_at=stop_at,
    )  # fmt: skip
    arrays = tower_arrays(fitted.model, graph, recipe) | feature_arrays(spec)
    manifest = manifest_of(corpus, spec, recipe)
    return fitted, Model("validation", corpus.offers.ids, arrays, manifest)


class _Validation:
    """NDCG@20 of the cosine over the testers, all offers they have not bought ranked."""

    def __init__(self, corpus: Corpus, split: Split, testers: NDArray[np.int64]) -> None:
        self.testers = torch.from_numpy(testers)
        self.masked = rows_of(bought_rows(corpus), testers)
        self.relevant = rows_of(split.fresh, testers)

    def __call__(self, layers: Layers) -> float:
        scores = (layers.buyer_z[self.testers] @ layers.offer_z.T).numpy()
        found = measure_top(rank_top(scores, 20, self.masked), self.relevant, 20)
        return found.means()["ndcg"]


def _testers(split: Split, corpus: Corpus, seed: int) -> NDArray[np.int64]:
    testers = split.testers
    if len(testers) > MOST_TESTERS:
        random = np.random.default_rng(seed)
        testers = np.sort(random.choice(testers, MOST_TESTERS, replace=False))
    return testers if len(corpus.buyers.offer) else testers[:0]


def _refuse_too_little(snapshot: GraphSnapshot) -> None:
    deeds = len(snapshot.purchases) + len(snapshot.interactions)
    if len(snapshot.offers) < 2 or len(snapshot.buyers) < 2 or deeds < 2:
        raise InputError(
            f"There is too little to learn from: {len(snapshot.buyers)} buyers, "
            f"{len(snapshot.offers)} offers, {deeds} purchases and interactions.",
            mend="Import purchases first (offerpath import).",
        )


def _fingerprint(snapshot: GraphSnapshot) -> dict[str, Any]:
    tables = ("buyers", "vendors", "categories", "offers", "purchases", "interactions")
    return {
        "graph_id": snapshot.graph_id,
        "seq": snapshot.seq,
        "counts": {name: len(snapshot.table(name)) for name in tables},
    }
