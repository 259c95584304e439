"""Baselines are tuned on the slices that training chooses by, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from evaluation.contenders import (
    Baseline,
    Slice,
    baselines,
    climbed,
    fit_contender,
    fits,
    slices_of,
)
from evaluation.rankings import purchase_matrix
from gnn.split import split_snapshot
from gnn.train import TrainSettings
from scoring.baselines import Popularity
from scoring.corpus_building import build_corpus
from scoring.metrics import measure_top, rank_top
from tests.gnn.planted import planted_snapshot

SETTINGS = TrainSettings(seed=3)


@pytest.fixture(scope="module")
def tuned_on(planted: GraphSnapshot) -> Slice:
    return slices_of(planted, SETTINGS, None)[0]


def test_the_slice_is_the_one_that_training_takes(planted: GraphSnapshot, tuned_on: Slice) -> None:
    split = split_snapshot(planted, SETTINGS.validation_share, SETTINGS.seed, first_purchases=True)
    assert np.array_equal(tuned_on.testers, split.testers)
    assert tuned_on.known.nnz == purchase_matrix(build_corpus(split.known)).nnz
    for place, tester in enumerate(split.testers.tolist()):
        assert np.array_equal(tuned_on.relevant.row(place), split.fresh.row(tester))
        assert set(tuned_on.masked.row(place)).isdisjoint(split.fresh.row(tester))


def test_given_pairs_are_the_slice(planted: GraphSnapshot) -> None:
    pairs = planted.purchases.select("buyer_id", "offer_id").unique().sort(pl.all()).head(60)
    (found,) = slices_of(planted, SETTINGS, pairs)
    assert len(found.relevant.values) == 60
    whole = purchase_matrix(build_corpus(planted))
    assert found.known.nnz == whole.nnz - 60


def test_the_figure_is_that_of_the_ranking(tuned_on: Slice) -> None:
    model = Popularity(tuned_on.known)
    top = rank_top(model.score_block(tuned_on.testers), 20, tuned_on.masked)
    expected = measure_top(top, tuned_on.relevant, 20).means()["ndcg"]
    assert tuned_on.ndcg(model) == expected > 0


def test_the_climb_takes_the_best_of_each_setting_in_turn() -> None:
    grid = (("a", (0.0, 1.0, 2.0)), ("b", (5.0, 6.0, 7.0)))
    baseline = Baseline(lambda *_: pytest.fail("not built"), {"a": 1.0, "b": 5.0}, grid)
    asked: list[tuple[float, float]] = []

    def measure(settings: dict[str, float]) -> float:
        asked.append((settings["a"], settings["b"]))
        return settings["a"] * (settings["b"] != 7.0) + (settings["b"] == 6.0)

    assert climbed(baseline, measure) == ({"a": 2.0, "b": 6.0}, 3.0)
    assert len(asked) == len(set(asked)) == 5


def test_equal_figures_keep_the_usual_settings() -> None:
    usual = baselines(10**9)["rp3beta"].usual
    assert climbed(baselines(10**9)["rp3beta"], lambda _: 0.5) == (usual, 0.5)


@pytest.mark.parametrize("name", ["popularity", "item_knn", "rp3beta", "ease"])
def test_a_contender_is_tuned_on_the_slice_and_fitted_on_everything(
    name: str, planted: GraphSnapshot, tuned_on: Slice
) -> None:
    whole = purchase_matrix(build_corpus(planted))
    baseline = baselines(10**9)[name]
    found = fit_contender(name, baseline, [tuned_on], whole, SILENT)
    buyers = np.arange(9)
    same = baseline.build(whole, found.settings)
    assert np.array_equal(found.model.score_block(buyers), same.score_block(buyers))
    assert found.ndcg == tuned_on.ndcg(baseline.build(tuned_on.known, found.settings))
    usual = tuned_on.ndcg(baseline.build(tuned_on.known, baseline.usual))
    assert found.ndcg is not None
    assert found.ndcg >= usual > 0


def test_with_too_few_testers_nothing_is_tuned() -> None:
    few = planted_snapshot(buyers=12, offers=30, purchases=100)
    tuned_on = slices_of(few, replace(SETTINGS, validation_share=0.02), None)
    whole = purchase_matrix(build_corpus(few))
    found = fit_contender("item_knn", baselines(10**9)["item_knn"], tuned_on, whole, SILENT)
    assert found.ndcg is None
    assert found.settings == baselines(10**9)["item_knn"].usual


def test_of_few_buyers_the_mean_of_several_slices_tunes(timeless: GraphSnapshot) -> None:
    parts = slices_of(timeless, SETTINGS, None)
    whole = purchase_matrix(build_corpus(timeless))
    baseline = baselines(10**9)["rp3beta"]
    found = fit_contender("rp3beta", baseline, parts, whole, SILENT)
    each = [part.ndcg(baseline.build(part.known, found.settings)) for part in parts]
    assert len(set(each)) == len(parts) > 1
    assert found.ndcg == np.mean(each)


def test_only_ease_is_bound_by_memory() -> None:
    assert fits("rp3beta", 10**6, 1)
    assert fits("ease", 100, 10**6)
    assert not fits("ease", 1000, 10**6)
