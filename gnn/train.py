"""Training, whole: learn on what is known, choose on what came next, learn again on everything."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from core.errors import InputError
from core.progress import SILENT, Progress
from core.snapshot import GraphSnapshot
from gnn.blending import SINGLES, calibrated, fit_blend, gather_examples, ndcg_of_blends
from gnn.checkpoints import Journal, Stage, State
from gnn.devices import device_named
from gnn.export import feature_arrays, manifest_of, tower_arrays
from gnn.fitting import Fitted, Schedule, fit
from gnn.graph import build_graph
from gnn.provenance import fingerprint_of, versions
from gnn.recipe import Recipe
from gnn.split import Split, split_snapshot
from gnn.validation import Choice, Validation, given_split, testers_of
from gnn.walk_tuning import tune_walk
from scoring.artifact import Model, publish_model
from scoring.blend import UNTRAINED, Blend
from scoring.corpus import Corpus
from scoring.corpus_building import build_corpus
from scoring.offer_features import fit_features
from scoring.scorer import Scorer, build_scorer
from scoring.walk import WalkSettings

# With fewer buyers to validate on, figures are noise: nothing is tuned or stopped by them.
FEWEST_TESTERS = 20
Curve = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Settings of one training.

    ``epochs`` is the most; ``validation_share`` of the first purchases are held out. ``recipe``
    holds the rest, its ``dimension`` giving way to the one here. ``device`` is one of
    gnn.devices.DEVICES.
    """

    seed: int = 0
    dimension: int = 64
    epochs: int = 20
    threads: int = 2
    validation_share: float = 0.1
    recipe: Recipe = field(default_factory=Recipe)
    patience: int = 4
    device: str = "auto"

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
    NDCG@20 of each model that could be served, on buyers the blend was not fitted on. ``choice``
    is what was judged to choose; None with too few buyers to judge by.
    """

    model: Model
    curve: tuple[tuple[int, float, float], ...]
    validation: dict[str, float]
    served: str
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the validation slice decided; ``judged`` is the blend that the judges saw."""

    epochs: int
    walk: WalkSettings
    blend: Blend
    judged: Blend
    served: str
    validation: dict[str, float]

    def entries(self, *, judged: bool = False) -> dict[str, Any]:
        """The manifest's entries that a scorer is built by."""
        blend = self.judged if judged else self.blend
        return {
            "served": self.served,
            "walk": asdict(self.walk),
            "blend": {"weights": blend.as_mapping(), "bias": blend.bias},
        }

    def as_state(self) -> State:
        """All of it as plain values."""
        return {
            "epochs": self.epochs,
            "walk": asdict(self.walk),
            "blends": [(b.as_mapping(), b.bias, b.calibrated) for b in (self.blend, self.judged)],
            "served": self.served,
            "validation": self.validation,
        }

    @classmethod
    def of_state(cls, kept: State) -> _Chosen:
        """What ``as_state`` was made of."""
        blend, judged = (Blend.of(w, b, calibrated=c) for w, b, c in kept["blends"])
        walk = WalkSettings(**kept["walk"])
        return cls(kept["epochs"], walk, blend, judged, kept["served"], kept["validation"])


def train(
    snapshot: GraphSnapshot,
    settings: TrainSettings | None = None,
    progress: Progress = SILENT,
    *,
    now: datetime,
    labels: tuple[str, str] = ("Training to choose", "Training on everything"),
    validation: pl.DataFrame | None = None,
    journal: Journal | None = None,
) -> TrainedModel:
    """Train a model on everything the snapshot knows.

    Deterministic in (snapshot, settings, validation) on one machine.

    Args:
        snapshot: what to learn from.
        settings: how.
        progress: told of each step.
        now: stamped on the version, and nothing else.
        labels: what progress calls the training that chooses and the one that is kept.
        validation: pairs (buyer_id, offer_id) of the purchases to choose by, instead of the last
            ones; they are learned from in the end, as everything is.
        journal: where the training keeps how far it is, and goes on from.

    Raises:
        InputError: when there is too little to learn from, or a pair to choose by is no purchase.
    """
    settings = settings or TrainSettings()
    if journal:
        snapshot = replace(snapshot, taken_at=journal.taken_at)
    _refuse_too_little(snapshot)
    session = _Session(settings, progress, device_named(settings.device), journal)
    chosen, choice, curve = _choose(snapshot, session, labels[0], validation)
    fitted, model = _fit_model(snapshot, session, "final", labels[1], stop_at=chosen.epochs)
    manifest = model.manifest | chosen.entries() | {
        "metrics": {"validation": chosen.validation, "epochs": fitted.epochs},
        "curve": [list(point) for point in curve],
        "settings": asdict(settings),
        "created_at": now.isoformat(),
        "data": fingerprint_of(snapshot),
        "versions": versions(),
    }  # fmt: skip
    version = f"{now:%Y%m%dT%H%M%S}-{snapshot.graph_id[:8]}-{snapshot.seq}"
    model = replace(model, version=version, manifest=manifest)
    return TrainedModel(model, curve, chosen.validation, chosen.served, choice)


def publish(root: Path, trained: TrainedModel) -> Path:
    """Publish under ``root``, atomically: readers see the old model or this one."""
    return publish_model(root, trained.model)


@dataclass(frozen=True, slots=True)
class _Session:
    """What every part of one training shares."""

    settings: TrainSettings
    progress: Progress
    device: torch.device
    journal: Journal | None

    def stage(self, name: str) -> Stage | None:
        return self.journal.stage(name) if self.journal else None


def _choose(
    snapshot: GraphSnapshot, session: _Session, label: str, validation: pl.DataFrame | None
) -> tuple[_Chosen, Choice | None, Curve]:
    settings = session.settings
    if validation is None:
        share, seed = settings.validation_share, settings.seed
        split = split_snapshot(snapshot, share, seed, first_purchases=True)
    else:
        split = given_split(snapshot, validation)
    corpus = build_corpus(split.known)
    testers = testers_of(split, corpus, settings.seed)
    if len(testers) < FEWEST_TESTERS:
        blend = Blend.of(UNTRAINED.as_mapping() | {"cosine": 5.0}, UNTRAINED.bias)
        epochs = settings.epochs // 2
        return _Chosen(epochs, WalkSettings(), blend, blend, "offerpath", {}), None, ()
    watch = Validation(corpus, split, testers)
    fitted, model = _fit_model(split.known, session, "choosing", label, watch=watch)
    testers = np.random.default_rng(settings.seed).permutation(testers)
    stage = session.stage("chosen")
    kept = stage.load() if stage else None
    if kept:
        chosen = _Chosen.of_state(kept)
    else:
        chosen = _decide(corpus, model, testers, split, session, fitted.epochs)
        if stage:
            stage.keep(chosen.as_state(), "Choosing: done")
    model = replace(model, manifest=model.manifest | chosen.entries(judged=True))
    return chosen, Choice(split, model, np.sort(testers[len(testers) // 2 :])), fitted.curve


def _decide(
    corpus: Corpus,
    model: Model,
    testers: NDArray[np.int64],
    split: Split,
    session: _Session,
    epochs: int,
) -> _Chosen:
    walk, _ = tune_walk(corpus, np.sort(testers), split.fresh, session.progress)
    scorer = build_scorer(corpus, model, blend=UNTRAINED, walk=walk)
    blend, judged, served, figures = _fit_choice(
        scorer, testers, split, session.settings.seed, session.progress
    )
    return _Chosen(epochs, walk, blend, judged, served, figures)


def _fit_choice(
    scorer: Scorer,
    testers: NDArray[np.int64],
    split: Split,
    seed: int,
    progress: Progress,
) -> tuple[Blend, Blend, str, dict[str, float]]:
    """Fit the blend on the first half of the testers, compare on the other (the judges).

    Returns the winner fitted on all of them, the winner as fitted on the first half, its name, and
    the NDCG@20 of each by name.
    """
    random = np.random.default_rng(seed)
    half = len(testers) // 2
    first = gather_examples(scorer, testers[:half], split.fresh, random, progress)
    blends = {"offerpath": fit_blend(first)} | SINGLES
    figures = ndcg_of_blends(scorer, testers[half:], split.fresh, blends, progress)
    served = max(figures, key=lambda name: figures[name])
    every = gather_examples(scorer, testers, split.fresh, random, progress)
    if served == "offerpath":
        return fit_blend(every), blends[served], served, figures
    single = SINGLES[served]
    return calibrated(single, every), calibrated(single, first), served, figures


def _fit_model(
    snapshot: GraphSnapshot,
    session: _Session,
    stage: str,
    label: str,
    *,
    watch: Validation | None = None,
    stop_at: int | None = None,
) -> tuple[Fitted, Model]:
    settings = session.settings
    corpus, recipe = build_corpus(snapshot), settings.whole_recipe
    spec = fit_features(corpus, round(snapshot.taken_at.timestamp() * 1e6), settings.seed)
    graph = build_graph(corpus, spec)
    fitted = fit(
        graph, recipe, settings.schedule, seed=settings.seed, threads=settings.threads,
        progress=session.progress, label=label, validate=watch, stop_at=stop_at,
        device=session.device, stage=session.stage(stage),
    )  # fmt: skip
    arrays = tower_arrays(fitted.model, graph, recipe) | feature_arrays(spec)
    manifest = manifest_of(corpus, spec, recipe)
    return fitted, Model("validation", corpus.offers.ids, arrays, manifest)


def _refuse_too_little(snapshot: GraphSnapshot) -> None:
    deeds = len(snapshot.purchases) + len(snapshot.interactions)
    if len(snapshot.offers) < 2 or len(snapshot.buyers) < 2 or deeds < 2:
        raise InputError(
            f"There is too little to learn from: {len(snapshot.buyers)} buyers, "
            f"{len(snapshot.offers)} offers, {deeds} purchases and interactions.",
            mend="Import purchases first (offerpath import).",
        )
