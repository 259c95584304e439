"""On a generated marketplace, whose truth is known, the model finds what is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from core.snapshot import SCHEMAS, GraphSnapshot
from evaluation.evaluate import Evaluation, measure
from evaluation.truth import precision_by_truth
from gnn.split import Split, split_snapshot
from gnn.train import TrainSettings, train
from graph.frames import conform
from scoring.corpus_building import build_corpus
from scoring.scorer import build_scorer
from synthetic.generate import Marketplace, build
from synthetic.spec import MarketplaceSpec
from tests.gnn.conftest import NOW

SPEC = MarketplaceSpec(
    buyers=700, offers=500, vendors=40, purchases=20_000, interactions=30_000, seed=5
)


@pytest.fixture(scope="module")
def market() -> Marketplace:
    return build(SPEC)


@pytest.fixture(scope="module")
def split(market: Marketplace) -> Split:
    tables = {name: conform(market.tables[name], schema) for name, schema in SCHEMAS.items()}
    tables = {name: t.sort("id") if "id" in t.columns else t for name, t in tables.items()}
    end = datetime(2026, 1, 1, tzinfo=UTC)
    whole = split_snapshot(GraphSnapshot("market00", 1, end, **tables), 0.2, seed=0)
    # Every tenth offer is made one that nobody has met before the cut.
    unmet = whole.known.offers["id"].gather_every(10)
    met = ~pl.col("offer_id").is_in(unmet.implode())
    known = replace(
        whole.known,
        purchases=whole.known.purchases.filter(met),
        interactions=whole.known.interactions.filter(met),
    )
    return replace(whole, known=known)


@pytest.fixture(scope="module")
def evaluation(split: Split) -> Evaluation:
    settings = TrainSettings(seed=1, dimension=32, epochs=8, threads=1)
    return measure(split, train(split.known, settings, now=NOW))


def test_it_beats_popularity_item_knn_and_the_walk_by_a_clear_margin(
    evaluation: Evaluation,
) -> None:
    new = evaluation.new
    assert evaluation.served == "offerpath"
    assert new["offerpath"]["ndcg@20"] > 2.0 * new["popularity"]["ndcg@20"]
    assert new["offerpath"]["ndcg@20"] > 1.15 * new["item_knn"]["ndcg@20"]
    assert new["offerpath"]["ndcg@20"] > 1.1 * new["walk"]["ndcg@20"]


def test_offers_nobody_has_bought_find_their_buyers(evaluation: Evaluation) -> None:
    cold = evaluation.slices["offers nobody had bought, among themselves"]
    assert cold["offerpath"]["buyers"] > 100
    assert cold["offerpath"]["ndcg@10"] > 2.0 * cold["popularity"]["ndcg@10"]
    assert cold["graphsage"]["ndcg@10"] > 2.0 * cold["popularity"]["ndcg@10"]


def test_newcomers_get_better_than_what_is_popular(evaluation: Evaluation) -> None:
    newcomers = evaluation.slices["all buyers, as newcomers"]
    assert newcomers["offerpath"]["ndcg@20"] > 1.2 * newcomers["popularity"]["ndcg@20"]


def test_top_matches_are_relevant_by_the_truth(
    evaluation: Evaluation, split: Split, market: Marketplace
) -> None:
    scorer = build_scorer(build_corpus(split.known), evaluation.trained.model)
    truth = market.truth
    found = precision_by_truth(
        scorer,
        truth.buyer_ids.tolist(),
        truth.offer_ids.tolist(),
        truth.relevance,
        truth.relevant,
    )
    assert found["oracle"] > 0.8
    assert found["offerpath"] > 5 * found["popularity"]
    assert found["offerpath"] > 0.4 * found["oracle"]
