"""Training, whole: learn on what is known, choose on what came next, learn again on everything."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from core.errors import InputError
from core.memory import give_back_libraries, give_back_memory
from core.progress import SILENT, Progress
from core.snapshot import GraphSnapshot
from gnn.checkpoints import Journal, Stage, State
from gnn.choosing import Arrays, Chosen, decide, link_arrays, with_links
from gnn.devices import device_named
from gnn.export import feature_arrays, manifest_of, tower_arrays
from gnn.fitting import Fitted, Schedule, fit, torch_threads
from gnn.graph import build_graph
from gnn.holdouts import FEWEST_TESTERS, Holdout, hold_out
from gnn.provenance import fingerprint_of, versions
from gnn.recipe import RECIPES, Recipe
from gnn.validation import Choice, Validation
from gnn.walk_tuning import slim_problem, spectrum_of
from scoring.artifact import Model, publish_model
from scoring.corpus import Corpus
from scoring.corpus_building import build_corpus
from scoring.offer_features import fit_features

# Buyers that each look of early stopping asks.
MOST_WATCHED = 1000
# How many epochs' steps a recipe is tried for before one is learned by.
TRIAL_EPOCHS = 6
Curve = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Settings of one training.

    ``epochs`` is the most; the last ``validation_share`` of the first purchases are held out,
    without times ``timeless_share`` of each buyer's. ``recipe`` holds the rest, its ``dimension``
    giving way to the one here. ``device`` is one of gnn.devices.DEVICES.
    """

    seed: int = 0
    dimension: int = 64
    epochs: int = 20
    threads: int = 2
    validation_share: float = 0.1
    timeless_share: float = 0.2
    recipe: Recipe | None = None
    patience: int = 8
    device: str = "auto"

    @property
    def schedule(self) -> Schedule:
        """How long to train."""
        return Schedule(epochs=self.epochs, patience=self.patience)

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """What may be learned by, with this dimension: the one given, or those to choose from."""
        given = RECIPES if self.recipe is None else (self.recipe,)
        return tuple(replace(recipe, dimension=self.dimension) for recipe in given)


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


def train(
    snapshot: GraphSnapshot,
    settings: TrainSettings | None = None,
    progress: Progress = SILENT,
    *,
    now: datetime,
    labels: tuple[str, str] = ("Training to choose", "Training on everything"),
    validation: pl.DataFrame | None = None,
    journal: Journal | None = None,
    keep_choice: bool = True,
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
        keep_choice: whether what it chose by is kept, which takes as much memory as a model.

    Raises:
        InputError: when there is too little to learn from, or a pair to choose by is no purchase.
    """
    settings = settings or TrainSettings()
    if journal:
        snapshot = replace(snapshot, taken_at=journal.taken_at)
    _refuse_too_little(snapshot)
    # Of loading torch, half a GB that the learning can have.
    give_back_libraries()
    session = _Session(settings, progress, device_named(settings.device), journal)
    chosen, choice, curve = _choose(snapshot, session, labels[0], validation)
    if not keep_choice:
        choice = None
    fitted, model = _fit_model(
        build_corpus(snapshot), session, chosen.recipe, "final", labels[1], stop_at=chosen.epochs
    )
    epochs = fitted.epochs
    # What the learning held is not needed where links are made, which takes as much.
    del fitted
    model = with_links(model, _final_links(snapshot, chosen, session))
    manifest = model.manifest | chosen.entries() | {
        "metrics": {"validation": chosen.validation, "epochs": epochs},
        "curve": [list(point) for point in curve],
        "settings": asdict(settings),
        "created_at": now.isoformat(),
        "data": fingerprint_of(snapshot),
        "versions": versions(),
    }  # fmt: skip
    version = f"{now:%Y%m%dT%H%M%S}-{snapshot.graph_id[:8]}-{snapshot.seq}"
    model = replace(model, version=version, manifest=manifest)
    return TrainedModel(model, curve, chosen.validation, chosen.served, choice)


def held_out(
    snapshot: GraphSnapshot, settings: TrainSettings, validation: pl.DataFrame | None = None
) -> tuple[list[Holdout], NDArray[np.int64]]:
    """What a training of these settings chooses by, see gnn.holdouts.hold_out."""
    s = settings
    return hold_out(snapshot, s.validation_share, s.timeless_share, s.seed, validation)


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
) -> tuple[Chosen, Choice | None, Curve]:
    settings = session.settings
    holdouts, testers = held_out(snapshot, settings, validation)
    if len(testers) < FEWEST_TESTERS:
        return Chosen.by_default(settings.recipes[0], settings.epochs // 2), None, ()
    testers = np.random.default_rng(settings.seed).permutation(testers)
    first = holdouts[0]
    watch = Validation(first, np.sort(testers[:MOST_WATCHED]))
    recipe = _suiting_recipe(first, session, np.sort(testers))
    fitted, model = _fit_model(first.corpus, session, recipe, "choosing", label, watch=watch)
    others = [
        _fit_model(
            holdout.corpus, session, recipe, f"choosing-{number}", f"{label}, {number}",
            stop_at=fitted.epochs,
        )[1]
        for number, holdout in enumerate(holdouts[1:], 2)
    ]  # fmt: skip
    stage = session.stage("chosen")
    kept = stage.load() if stage else None
    if kept:
        chosen, links = Chosen.of_state(kept["chosen"]), _links_of(kept["links"])
    else:
        with torch_threads(settings.threads):
            chosen, links = decide(
                holdouts, [model, *others], testers, snapshot, recipe=recipe, epochs=fitted.epochs,
                seed=settings.seed, threads=settings.threads, progress=session.progress,
            )  # fmt: skip
        if stage:
            kept = {"chosen": chosen.as_state(), "links": _state_of(links)}
            stage.keep(kept, "Choosing: done")
    model = with_links(model, links)
    model = replace(model, manifest=model.manifest | chosen.entries(judged=True))
    return chosen, Choice(first.split, model, np.sort(testers[len(testers) // 2 :])), fitted.curve


def _suiting_recipe(first: Holdout, session: _Session, testers: NDArray[np.int64]) -> Recipe:
    """Of the recipes, the one whose short training is best for all who can be asked.

    Each trial's rates fade to nothing, as the whole training's will: before they fade, a recipe
    with small steps is ahead of one that gets further (docs/decisions/0022).
    """
    settings = session.settings
    recipes = settings.recipes
    if len(recipes) == 1:
        return recipes[0]
    asked = Validation(first, testers)
    whole = settings.schedule
    steps = min(TRIAL_EPOCHS, whole.epochs) * whole.steps
    figures: list[float] = []
    for number, recipe in enumerate(recipes):
        fitted, _ = _fit_model(
            first.corpus, session, recipe, f"trying-{number}", f"Trying recipe {number + 1}",
            watch=asked, schedule=Schedule(epochs=1, steps=steps),
        )  # fmt: skip
        figures.append(fitted.curve[-1][2])
    return recipes[int(np.argmax(figures))]


def _final_links(snapshot: GraphSnapshot, chosen: Chosen, session: _Session) -> Arrays:
    stage = session.stage("links")
    kept = stage.load() if stage else None
    if kept:
        return _links_of(kept)
    corpus = build_corpus(snapshot)
    low_rank = spectrum_of(corpus, chosen.low_rank.rank, session.settings.seed).low_rank(
        chosen.low_rank
    )
    give_back_memory()
    problem = slim_problem(corpus, chosen.walk)
    slim = problem.solve(chosen.slim.ridge, session.settings.threads, session.progress)
    links = link_arrays(slim, low_rank)
    if stage:
        stage.keep(_state_of(links), "Links between offers: done")
    return links


def _state_of(links: Arrays) -> State:
    return {name: torch.from_numpy(array) for name, array in links.items()}


def _links_of(kept: State) -> Arrays:
    return {name: np.asarray(array) for name, array in kept.items()}


def _fit_model(
    corpus: Corpus,
    session: _Session,
    recipe: Recipe,
    stage: str,
    label: str,
    *,
    watch: Validation | None = None,
    stop_at: int | None = None,
    schedule: Schedule | None = None,
) -> tuple[Fitted, Model]:
    settings = session.settings
    spec = fit_features(corpus, corpus.taken_at, settings.seed)
    graph = build_graph(corpus, spec)
    ids, manifest = corpus.offers.ids, manifest_of(corpus, spec, recipe)
    # Nothing below asks for it, and the next stage is the one that takes most.
    del corpus
    fitted = fit(
        graph, recipe, schedule or settings.schedule, seed=settings.seed, threads=settings.threads,
        progress=session.progress, label=label, validate=watch, stop_at=stop_at,
        device=session.device, stage=session.stage(stage),
    )  # fmt: skip
    give_back_memory()
    arrays = tower_arrays(fitted.model, graph, recipe) | feature_arrays(spec)
    give_back_memory()
    return fitted, Model("validation", ids, arrays, manifest)


def _refuse_too_little(snapshot: GraphSnapshot) -> None:
    deeds = len(snapshot.purchases) + len(snapshot.interactions)
    if len(snapshot.offers) < 2 or len(snapshot.buyers) < 2 or deeds < 2:
        raise InputError(
            f"There is too little to learn from: {len(snapshot.buyers)} buyers, "
            f"{len(snapshot.offers)} offers, {deeds} purchases and interactions.",
            mend="Import purchases first (offerpath import).",
        )
