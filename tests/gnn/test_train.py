"""Training as a whole: it learns, repeats itself, stops in time and publishes atomically."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.entities import Buyer, BuyerProfile, Evidence, EvidenceKind
from core.errors import DamagedError, InputError
from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn import train as train_module
from gnn.choosing import link_arrays
from gnn.fitting import Fitted, Schedule, fit
from gnn.graph import build_graph
from gnn.low_rank import LowRankSettings
from gnn.model import Layers
from gnn.recipe import RECIPES, Recipe
from gnn.train import TrainedModel, held_out, publish, train
from gnn.walk_tuning import slim_problem, spectrum_of
from scoring.artifact import load_model
from scoring.corpus_building import build_corpus, with_offer_rows
from scoring.offer_features import OfferEncoder, fit_features
from scoring.scorer import build_scorer
from scoring.states import state_from_profile, state_of
from scoring.walk import WalkSettings
from tests.gnn.conftest import NOW, SMALL, Heard
from tests.gnn.planted import BLOCKS, END, offer_id, planted_snapshot, snapshot_of


@pytest.mark.usefixtures("trained")
def test_progress_tells_the_trainings_apart_and_reaches_its_ends(heard: Heard) -> None:
    labels = list(heard.tasks)
    assert labels[:3] == ["Trying recipe 1", "Trying recipe 2", "Training to choose"]
    assert labels[-2:] == ["Training on everything", "Linking offers"]
    for label in ("Tuning the walk", "Training on everything"):
        total, done = heard.tasks[label]
        assert total == done > 1


def test_the_same_seed_gives_the_same_model(planted: GraphSnapshot, trained: TrainedModel) -> None:
    again = train(planted, SMALL, now=NOW)
    assert again.model.arrays.keys() == trained.model.arrays.keys()
    for name, rows in trained.model.arrays.items():
        assert np.array_equal(rows, again.model.arrays[name]), name
    assert again.model.manifest == trained.model.manifest
    other = train(planted, replace(SMALL, seed=4), now=NOW)
    assert not np.array_equal(other.model.arrays["offer_z"], trained.model.arrays["offer_z"])


def test_a_recipe_is_judged_by_where_its_trial_ends(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = {
        "Trying recipe 1": ((1, 5.0, 0.9), (2, 5.0, 0.1)),
        "Trying recipe 2": ((1, 5.0, 0.1), (2, 5.0, 0.2)),
    }

    def fit_and_say(*args: Any, label: str, **more: Any) -> Fitted:
        fitted = fit(*args, label=label, **more)
        return replace(fitted, curve=trials.get(label, fitted.curve))

    monkeypatch.setattr(train_module, "fit", fit_and_say)
    learned = train(planted, replace(SMALL, epochs=2), now=NOW).model.manifest["recipe"]
    assert learned == asdict(replace(RECIPES[1], dimension=SMALL.dimension))


def test_a_trial_asks_everyone_and_fades_to_its_end(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = []

    def fit_and_tell(
        graph: Any, recipe: Any, schedule: Schedule, *, label: str, **more: Any
    ) -> Fitted:
        if label.startswith("Trying"):
            asked = more["validate"].testers.tolist()
            trials.append((schedule.epochs * schedule.steps, more["stop_at"], asked))
        return fit(graph, recipe, schedule, label=label, **more)

    monkeypatch.setattr(train_module, "fit", fit_and_tell)
    monkeypatch.setattr(train_module, "MOST_WATCHED", 30)
    settings = replace(SMALL, epochs=2)
    train(planted, settings, now=NOW)
    _, testers = held_out(planted, settings)
    # Rates fade over the whole of a schedule, which nothing ends before.
    assert trials == [(2 * Schedule().steps, None, testers.tolist())] * 2
    assert len(testers) > 30


def test_the_manifest_tells_where_the_model_comes_from(
    planted: GraphSnapshot, trained: TrainedModel
) -> None:
    manifest = trained.model.manifest
    assert manifest["data"]["graph_id"] == planted.graph_id
    assert manifest["data"]["seq"] == planted.seq
    assert manifest["data"]["counts"]["purchases"] == len(planted.purchases)
    assert manifest["settings"]["seed"] == SMALL.seed
    assert (
        manifest["served"]
        == trained.served
        == max(trained.validation, key=lambda name: trained.validation[name])
    )


def test_links_are_made_of_everything_as_was_chosen(
    planted: GraphSnapshot, trained: TrainedModel
) -> None:
    corpus, manifest = build_corpus(planted), trained.model.manifest
    low_rank = LowRankSettings(**manifest["low_rank"])
    product = spectrum_of(corpus, low_rank.rank, SMALL.seed).low_rank(low_rank)
    slim = slim_problem(corpus, WalkSettings(**manifest["walk"])).solve(
        manifest["slim"]["ridge"], SMALL.threads, SILENT
    )
    for name, array in link_arrays(slim, product).items():
        assert np.array_equal(trained.model.arrays[name], array), name


def test_a_new_buyer_is_served_by_its_first_purchase(
    planted: GraphSnapshot, trained: TrainedModel
) -> None:
    scorer = build_scorer(build_corpus(planted), trained.model)
    for block in range(BLOCKS):
        bought = Evidence(offer_id(block + BLOCKS), EvidenceKind.PURCHASED, 1, END, END)
        profile = BuyerProfile(Buyer("newcomer"), (bought,))
        scores = scorer.score_offers(state_from_profile(scorer.corpus, profile))
        top = np.argsort(-scores)[:10]
        assert (top % BLOCKS == block).mean() >= 0.8


def test_a_new_offer_is_scored_from_its_features(
    planted: GraphSnapshot, trained: TrainedModel
) -> None:
    """Its buyers are those of its block, though nobody has bought it and its id is new."""
    fresh = snapshot_of(
        offers={
            "id": ["new-1", "new-3"],
            "title": ["bean coffee roast", "saw clamp chisel"],
            "category_ids": [["c1"], ["c3"]],
            "currency": ["EUR", "EUR"],
            "price_minor": [900, 900],
        }
    ).offers
    corpus = with_offer_rows(build_corpus(planted), fresh)
    encoder = OfferEncoder.from_arrays(trained.model.arrays, trained.model.manifest)
    rows = np.array([corpus.offers.index["new-1"], corpus.offers.index["new-3"]])
    encoded = encoder.encode(corpus, rows)
    scorer = build_scorer(build_corpus(planted), trained.model)
    width = encoded.z.shape[1]
    buyers = np.stack(
        [scorer.read(state_of(scorer.corpus, b)).z[:width] for b in range(len(corpus.buyers))]
    )
    for block, z in zip((1, 3), encoded.z, strict=True):
        best = np.argsort(-(buyers @ z))[:20]
        assert (best % BLOCKS == block).mean() >= 0.8
    grown = scorer.with_corpus(corpus)
    state = state_of(corpus, 1)
    assert grown.score_offers(state)[rows[0]] > np.median(scorer.score_offers(state))


def test_words_alone_carry_a_new_offer(planted: GraphSnapshot, trained: TrainedModel) -> None:
    """No category, no vendor: only the text tells of which block it is."""
    titles = ["lamp shade bulb", "vitamin salve balm"]
    fresh = snapshot_of(offers={"id": ["x0", "x4"], "title": titles}).offers
    corpus = with_offer_rows(build_corpus(planted), fresh)
    scorer = build_scorer(build_corpus(planted), trained.model).with_corpus(corpus)
    means = np.zeros((2, BLOCKS))
    for buyer in range(120):
        scores = scorer.score_offers(state_of(corpus, buyer))
        means[:, buyer % BLOCKS] += scores[[corpus.offers.index["x0"], corpus.offers.index["x4"]]]
    assert means.argmax(axis=1).tolist() == [0, 4]


def test_it_stops_early_and_keeps_the_best_epoch(planted: GraphSnapshot) -> None:
    corpus = build_corpus(planted)
    graph = build_graph(corpus, fit_features(corpus, 0, seed=0))
    figures = iter([0.1, 0.2, 0.5, 0.4, 0.3, 0.9, 0.9, 0.9])
    seen: list[Layers] = []

    def validate(layers: Layers) -> float:
        seen.append(layers)
        return next(figures)

    fitted = fit(
        graph, Recipe(dimension=4), Schedule(epochs=7, steps=1, patience=2),
        seed=0, threads=1, progress=SILENT, validate=validate,
    )  # fmt: skip
    assert [point[2] for point in fitted.curve] == [0.2, 0.5, 0.4, 0.3]
    assert fitted.epochs == 2
    best = fit(
        graph, Recipe(dimension=4), Schedule(epochs=7, steps=1, patience=2),
        seed=0, threads=1, progress=SILENT, stop_at=2,
    )  # fmt: skip
    ours, again = fitted.model.state_dict(), best.model.state_dict()
    assert all((ours[name] == again[name]).all() for name in ours)
    assert (seen[2].offer_z != seen[4].offer_z).any()


def test_it_trains_without_times(timeless: GraphSnapshot, trained: TrainedModel) -> None:
    at_once = train(timeless, SMALL, now=NOW)
    figures = at_once.validation
    assert figures["offerpath"] > 2 * figures["popularity"]
    assert not np.array_equal(at_once.model.arrays["offer_z"], trained.model.arrays["offer_z"])


def test_it_trains_where_nothing_but_purchases_is_known(planted: GraphSnapshot) -> None:
    bare = replace(
        planted,
        vendors=planted.vendors.clear(),
        categories=planted.categories.clear(),
        offers=planted.offers.with_columns(
            pl.lit(None, pl.String).alias("title"),
            pl.lit(None, pl.String).alias("vendor_id"),
            pl.lit([], pl.List(pl.String)).alias("category_ids"),
            pl.lit(None, pl.Int64).alias("price_minor"),
        ),
        buyers=planted.buyers.with_columns(pl.lit(None, pl.String).alias("kind")),
    )
    figures = train(bare, SMALL, now=NOW).validation
    assert figures["offerpath"] > 2 * figures["popularity"]


def test_a_handful_of_purchases_still_gives_a_model() -> None:
    few = planted_snapshot(buyers=6, offers=12, purchases=20, cold=1)
    made = train(few, SMALL, now=NOW)
    scorer = build_scorer(build_corpus(few), made.model)
    assert np.isfinite(scorer.score_offers(state_of(scorer.corpus, 0))).all()
    assert made.validation == {}


def test_nothing_to_learn_from_is_refused(planted: GraphSnapshot) -> None:
    empty = replace(
        planted,
        purchases=planted.purchases.clear(),
        interactions=planted.interactions.clear(),
    )
    with pytest.raises(InputError, match="too little to learn from"):
        train(empty, SMALL, now=NOW)


def test_a_damaged_model_is_refused(tmp_path: Path, trained: TrainedModel) -> None:
    folder = publish(tmp_path, trained)
    loaded = load_model(tmp_path)
    assert loaded is not None
    assert loaded.version == trained.model.version
    arrays = folder / "arrays.npz"
    content = bytearray(arrays.read_bytes())
    content[len(content) // 2] ^= 1
    arrays.write_bytes(bytes(content))
    with pytest.raises(DamagedError, match="checksum"):
        load_model(tmp_path)


def test_an_encoder_with_a_part_missing_is_refused(trained: TrainedModel) -> None:
    arrays = {k: v for k, v in trained.model.arrays.items() if k != "encoder_category_h1"}
    with pytest.raises(DamagedError, match="category_h1"):
        OfferEncoder.from_arrays(arrays, trained.model.manifest)


def test_an_interrupted_publication_leaves_the_old_model(
    tmp_path: Path, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, trained)
    second = replace(trained, model=replace(trained.model, version="second"))

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, second)
    served = load_model(tmp_path)
    assert served is not None
    assert served.version == trained.model.version
    publish(tmp_path, second)
    served = load_model(tmp_path)
    assert served is not None
    assert served.version == "second"
