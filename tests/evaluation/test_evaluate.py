"""The evaluation: the model finds what was planted, and the figures are what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.errors import InputError, ShapeError
from core.snapshot import GraphSnapshot
from evaluation.evaluate import CUTS, Evaluation, evaluate
from evaluation.evaluation_page import write_evaluation_page
from evaluation.truth import precision_by_truth
from gnn.split import split_snapshot
from gnn.train import TrainedModel
from gnn.walk_tuning import bought_rows
from scoring.corpus_building import build_corpus
from scoring.metrics import METRICS
from scoring.scorer import build_scorer
from scoring.states import state_of
from tests.gnn.conftest import NOW, SMALL, Heard
from tests.gnn.planted import BLOCKS, END, planted_snapshot


@pytest.fixture(scope="module")
def told() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def evaluation(planted: GraphSnapshot, told: Heard) -> Evaluation:
    return evaluate(planted, SMALL, told, now=NOW)


@pytest.mark.usefixtures("evaluation")
def test_its_trainings_are_called_its_own(told: Heard) -> None:
    trainings = {"Choosing for the evaluation", "Training for the evaluation"}
    assert trainings <= told.tasks.keys()
    assert not any(label.startswith("Training ") for label in told.tasks.keys() - trainings)


def test_it_keeps_no_second_model(evaluation: Evaluation) -> None:
    assert evaluation.trained.choice is None


def test_it_beats_popularity_and_item_knn_on_what_was_planted(evaluation: Evaluation) -> None:
    new = evaluation.new
    assert evaluation.served == "offerpath"
    for metric in ("ndcg@20", "recall@20", "precision@10", "hit_rate@10"):
        assert new["offerpath"][metric] > 1.5 * new["popularity"][metric]
    assert new["offerpath"]["ndcg@20"] > new["item_knn"]["ndcg@20"]
    assert new["graphsage"]["ndcg@20"] > 1.5 * new["popularity"]["ndcg@20"]


def test_every_model_has_every_metric(evaluation: Evaluation) -> None:
    names = {f"{metric}@{k}" for metric in METRICS for k in CUTS} | {"buyers"}
    models = {"popularity", "item_knn", "walk", "graphsage", "offerpath"}
    for figures in (evaluation.new, evaluation.again, *evaluation.slices.values()):
        assert set(figures) == models
        assert all(set(row) == names for row in figures.values())
        assert all(np.isfinite(list(row.values())).all() for row in figures.values())
    headers, rows = evaluation.table()
    assert len(headers) == 1 + len(CUTS) * len(METRICS)
    assert {row[0] for row in rows} == models


def test_a_figure_is_what_counting_by_hand_gives(
    evaluation: Evaluation, planted: GraphSnapshot
) -> None:
    split = split_snapshot(planted, 0.2, SMALL.seed)
    corpus = build_corpus(split.known)
    scorer = build_scorer(corpus, evaluation.trained.model)
    bought = bought_rows(corpus)
    recalls = []
    for buyer in split.testers.tolist():
        scores = scorer.score_offers(state_of(corpus, buyer))
        mine = set(bought.row(buyer).tolist())
        ranked = [o for o in np.argsort(-scores, kind="stable").tolist() if o not in mine]
        wanted = set(split.fresh.row(buyer).tolist())
        recalls.append(len(wanted & set(ranked[:20])) / len(wanted))
    assert evaluation.new["offerpath"]["recall@20"] == pytest.approx(np.mean(recalls), abs=1e-12)


def test_scores_are_about_as_likely_as_they_say(evaluation: Evaluation) -> None:
    rows = evaluation.calibration.as_rows()
    predicted = sum(row["pairs"] * row["predicted"] for row in rows)
    observed = sum(row["pairs"] * row["observed"] for row in rows)
    # The held-out window is about twice the one that the scores were calibrated for.
    assert 0.3 < predicted / observed < 1.5
    likely = [row["observed"] for row in rows if row["pairs"] > 300]
    assert likely[-1] > 3 * likely[0]


def test_it_can_be_written_as_json_and_as_a_page(evaluation: Evaluation, tmp_path: Path) -> None:
    again = json.loads(json.dumps(evaluation.as_json(), allow_nan=False))
    assert again["models"]["offerpath"] == evaluation.new["offerpath"]
    text = write_evaluation_page(tmp_path / "page.html", evaluation).read_text(encoding="utf-8")
    for words in (
        "ItemKNN",
        "Offerpath",
        "Learning curve",
        "Calibration",
        "heavy buyers",
        "diversity",
    ):
        assert words in text
    assert text.count("<svg") == 4


def test_a_random_part_is_held_out_where_there_are_no_times() -> None:
    found = evaluate(planted_snapshot(times=False), SMALL, now=NOW)
    assert found.cut is None
    assert found.new["offerpath"]["ndcg@20"] > 1.5 * found.new["popularity"]["ndcg@20"]


def test_a_held_out_part_with_nothing_new_is_refused(planted: GraphSnapshot) -> None:
    once = planted.purchases.sort("at").unique(["buyer_id", "offer_id"], keep="first").head(50)
    later = once.with_columns(at=pl.lit(END))
    only_repeats = replace(planted, purchases=once.vstack(later.head(20)))
    with pytest.raises(InputError, match="Nothing was bought for the first time"):
        evaluate(only_repeats, SMALL, now=NOW)


def test_top_matches_are_relevant_by_the_truth(
    planted: GraphSnapshot, trained: TrainedModel
) -> None:
    buyers, offers = planted.buyers["id"].to_list(), planted.offers["id"].to_list()
    same = np.arange(len(buyers))[:, None] % BLOCKS == np.arange(len(offers))[None, :] % BLOCKS
    scorer = build_scorer(build_corpus(planted), trained.model)
    found = precision_by_truth(scorer, buyers, offers, same.astype(np.float32), same)
    assert found["oracle"] == 1.0
    assert found["offerpath"] > 0.9
    assert found["popularity"] < 0.4
    with pytest.raises(ShapeError):
        precision_by_truth(scorer, buyers[1:], offers, same.astype(np.float32), same)
