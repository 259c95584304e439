"""The quality command's report: figures are what counting gives, and learning is found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.progress import SILENT
from evaluation.cold import hold_offers_out
from evaluation.exam import Conduct
from evaluation.matrices import MatrixData, read_matrices
from evaluation.quality import Quality, measure_quality
from evaluation.substitutes import substitutes
from gnn.train import TrainSettings
from scoring.baselines import Rp3Beta
from tests.evaluation.folders import BLOCKS, write_features, write_matrices

CONDUCT = Conduct(
    TrainSettings(seed=2, dimension=16, epochs=12, threads=1),
    10**9,
    SILENT,
    datetime(2026, 1, 1, tzinfo=UTC),
)
FIGURES = {f"{name}@20" for name in ("recall", "ndcg", "precision", "f1", "hit_rate", "coverage")}
COSTS = {"train_seconds", "score_seconds", "peak_rss_mb"}
BASELINES = {"popularity", "item_knn", "rp3beta", "ease"}
MODELS = BASELINES | {"walk", "graphsage", "offerpath"}
Models = dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_matrices(tmp_path_factory.mktemp("data"), tune=True, buyers=150, offers=450)
    write_features(folder, 450)
    return folder


@pytest.fixture(scope="module")
def data(folder: Path) -> MatrixData:
    return read_matrices(folder)


@pytest.fixture(scope="module")
def quality(data: MatrixData) -> Quality:
    return measure_quality(data, CONDUCT)


def models_of(quality: Quality) -> Models:
    return {name: row for name, row in quality.models.items() if isinstance(row, dict)}


def without_costs(models: Models) -> Models:
    return {
        name: {key: value for key, value in row.items() if key not in COSTS}
        for name, row in models.items()
    }


def test_the_report_has_the_form_that_others_read(quality: Quality, data: MatrixData) -> None:
    report = json.loads(json.dumps(quality.as_json()))
    assert set(report) == {"data", "models", "cold", "settings"}
    assert report["data"] == {
        "buyers": 150,
        "offers": 450,
        "train": data.train.nnz,
        "test": data.test.nnz,
    }
    assert set(report["models"]) == MODELS
    assert all(set(row) == FIGURES | COSTS for row in report["models"].values())
    assert set(report["settings"]["baselines"]) == BASELINES
    assert report["settings"]["validation_ndcg@20"].keys() >= MODELS
    assert report["settings"]["seed"] == 2
    assert report["settings"]["lean"] == 0.0


def test_it_learns_what_was_planted(quality: Quality) -> None:
    models = models_of(quality)
    for name in MODELS - {"popularity"}:
        assert models[name]["recall@20"] > 2 * models["popularity"]["recall@20"], name


def test_a_figure_is_what_counting_by_hand_gives(quality: Quality, data: MatrixData) -> None:
    known, test = data.known.toarray() > 0, data.test.toarray() > 0
    chosen = quality.settings["baselines"]["rp3beta"]
    scores = Rp3Beta(data.known, **chosen).score_block(np.arange(150))
    recalls, hits, gains, shown = [], [], [], set[int]()
    for buyer in range(150):
        if not test[buyer].any():
            continue
        open_to = np.flatnonzero(~known[buyer]).tolist()
        top = sorted(open_to, key=lambda offer: -scores[buyer, offer])[:20]
        found = test[buyer, top]
        recalls.append(found.sum() / test[buyer].sum())
        hits.append(found.any())
        ideal = sum(1 / np.log2(place + 2) for place in range(min(20, test[buyer].sum())))
        gains.append(sum(1 / np.log2(place + 2) for place in np.flatnonzero(found)) / ideal)
        shown.update(top)
    figures = models_of(quality)["rp3beta"]
    assert figures["recall@20"] == pytest.approx(np.mean(recalls))
    assert figures["ndcg@20"] == pytest.approx(np.mean(gains))
    assert figures["hit_rate@20"] == pytest.approx(np.mean(hits))
    assert figures["coverage@20"] == pytest.approx(len(shown) / 450)


def test_the_same_seed_gives_the_same_figures_and_the_test_is_not_looked_at(
    quality: Quality, data: MatrixData
) -> None:
    again = measure_quality(data, CONDUCT, with_cold=False)
    assert without_costs(models_of(again)) == without_costs(models_of(quality))
    halved = data.test.copy()
    halved.data[::2] = 0
    halved.eliminate_zeros()
    other = measure_quality(replace(data, test=halved), CONDUCT, with_cold=False)
    assert other.cold == {"skipped": "left out (--no-cold)"}
    for name in ("validation_ndcg@20", "baselines", "served"):
        assert other.settings[name] == quality.settings[name]
    assert without_costs(models_of(other)) != without_costs(models_of(quality))


def test_costs_say_the_whole_of_training_for_offerpath(quality: Quality) -> None:
    models = models_of(quality)
    whole = models["offerpath"]["train_seconds"]
    assert 0 < models["walk"]["train_seconds"] < whole
    assert 0 < models["graphsage"]["train_seconds"] < whole
    assert models["walk"]["train_seconds"] + models["graphsage"]["train_seconds"] <= whole
    assert all(row["peak_rss_mb"] > 50 for row in models.values())


def test_ease_is_skipped_where_memory_lacks_and_cold_offers_need_features(tmp_path: Path) -> None:
    plain = read_matrices(write_matrices(tmp_path, buyers=80, offers=60))
    found = measure_quality(plain, replace(CONDUCT, memory_bytes=10_000))
    assert found.models["ease"] == "skipped: memory"
    assert "ease" not in found.settings["baselines"]
    assert found.cold == {"skipped": "offers have no features"}


def test_cold_offers_are_found_by_their_features(quality: Quality) -> None:
    cold = quality.cold
    assert cold["offers"] == 45
    by = cold["models"]
    assert set(by) == {"offerpath", "random", "category_popularity", "nearby_popularity"}
    assert by["offerpath"]["ndcg@20"] > 1.3 * by[cold["best_substitute"]]["ndcg@20"]
    ratio = by["offerpath"]["recall@20"] / by[cold["best_substitute"]]["recall@20"]
    assert cold["ratio"] == pytest.approx(ratio)
    warm = cold["warm"]
    assert set(warm) == {"learnt_from_everything", "held_out", "held_out_ranked_among_them"}
    assert all(row["recall@20"] > 0.1 for row in warm.values())


def test_nothing_is_left_of_what_is_held_out(data: MatrixData) -> None:
    held_out = hold_offers_out(data, seed=5)
    cold = held_out.cold
    assert cold.sum() == 45
    assert held_out.data.known[:, cold].nnz == 0
    warm = ~cold
    assert held_out.data.known[:, warm].nnz == data.known[:, warm].nnz
    assert held_out.data.test is data.test
    assert np.array_equal(hold_offers_out(data, seed=5).cold, cold)
    assert not np.array_equal(hold_offers_out(data, seed=6).cold, cold)


def test_substitutes_are_the_popularity_of_category_and_neighbourhood(data: MatrixData) -> None:
    held_out = hold_offers_out(data, seed=5)
    found = substitutes(held_out.data, held_out.cold, seed=0)
    bought = held_out.data.known.toarray().astype(bool).sum(axis=0)
    block = np.arange(450) % BLOCKS
    first = int(np.flatnonzero(held_out.cold)[0])
    alike = (block == block[first]) & ~held_out.cold
    row = found["category_popularity"].score_block(np.array([0, 1]))
    assert row[1, first] == pytest.approx(bought[alike].mean())
    # A block lies together, far from the others, in the order of its numbers.
    east = np.abs(data.latitude - data.latitude[first]) + np.abs(
        data.longitude - data.longitude[first]
    )
    near = sorted(np.flatnonzero(~held_out.cold), key=lambda offer: east[offer])[:20]
    nearby = found["nearby_popularity"].score_block(np.array([0]))[0, first]
    assert nearby == pytest.approx(bought[near].mean(), rel=0.2)
    random = found["random"].score_block(np.array([0, 1]))
    assert not np.array_equal(random[0], random[1])
    assert np.array_equal(random, found["random"].score_block(np.array([0, 1])))
