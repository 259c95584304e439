"""Purchases split by time: repeats, new purchases, new buyers and new offers, each apart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.errors import InputError
from core.progress import SILENT
from core.snapshot import GraphSnapshot
from evaluation.exam import MODELS, Conduct
from evaluation.personal import PersonalFrequency
from evaluation.purchases import (
    PERSONAL,
    ByModel,
    PurchaseQuality,
    measure_purchases,
    next_baskets,
)
from gnn.split import split_snapshot
from gnn.train import TrainSettings
from scoring.corpus_building import build_corpus
from tests.gnn.planted import END, planted_snapshot, snapshot_of

CONDUCT = Conduct(
    TrainSettings(seed=3, dimension=16, epochs=6, threads=1),
    10**9,
    SILENT,
    datetime(2026, 1, 1, tzinfo=UTC),
)


def purchases_of(*rows: tuple[str, str, str | None, int]) -> GraphSnapshot:
    """Rows of buyer, offer, order and the day it was bought on."""
    buyers, offers = sorted({r[0] for r in rows}), sorted({r[1] for r in rows})
    return snapshot_of(
        buyers={"id": buyers},
        offers={"id": offers, "status": ["ACTIVE"] * len(offers)},
        purchases={
            "buyer_id": [r[0] for r in rows],
            "offer_id": [r[1] for r in rows],
            "order_id": [r[2] for r in rows],
            "at": [END - timedelta(days=400 - r[3]) for r in rows],
            "quantity": [1] * len(rows),
        },
    )


@pytest.fixture(scope="module")
def market(planted: GraphSnapshot) -> GraphSnapshot:
    """The planted marketplace, where every buyer buys its first purchase again at the end."""
    last = planted.purchases["at"].max()
    assert isinstance(last, datetime)
    again = (
        planted.purchases.sort("at")
        .group_by("buyer_id", maintain_order=True)
        .first()
        .select(planted.purchases.columns)
        .with_columns(at=pl.lit(last, planted.purchases.schema["at"]))
    )
    return replace(planted, purchases=pl.concat([planted.purchases, again]))


@pytest.fixture(scope="module")
def quality(market: GraphSnapshot) -> PurchaseQuality:
    return measure_purchases(market, CONDUCT)


def test_every_part_has_its_models(quality: PurchaseQuality) -> None:
    report = json.loads(json.dumps(quality.as_json()))
    for part in ("models", "new_buyers", "new_offers"):
        assert list(report[part]) == list(MODELS)
    for part in ("repeat", "next_basket", "next_basket_repeat"):
        assert list(report[part]) == [PERSONAL, *MODELS]
    assert {"train_seconds", "recall@20"} <= report["models"]["offerpath"].keys()
    assert report["settings"]["test_share"] == 0.2


def test_the_counts_are_those_of_the_split(quality: PurchaseQuality, market: GraphSnapshot) -> None:
    split = split_snapshot(market, 0.2, CONDUCT.settings.seed)
    data = quality.data
    assert split.cut is not None
    assert data["cut"] == split.cut.isoformat()
    assert data["test"] == len(split.fresh.values)
    assert data["test_repeated"] == len(split.repeated.values) > 100
    before = market.purchases.filter(pl.col("at") < split.cut)
    after = market.purchases.filter(pl.col("at") >= split.cut)
    assert data["train"] == len(before)
    assert data["testers"] == after["buyer_id"].n_unique()
    new_offers = set(market.offers["id"]) - set(before["offer_id"])
    assert data["new_offers"] == len(new_offers) > 0


def test_new_purchases_follow_what_was_planted_and_repeats_the_own_past(
    quality: PurchaseQuality,
) -> None:
    def recall(figures: ByModel, model: str) -> float:
        row = figures[model]
        assert isinstance(row, dict)
        return row["recall@20"]

    new, basket = quality.models, quality.next_basket
    assert recall(new, "offerpath") > 1.5 * recall(new, "popularity")
    assert recall(quality.repeat, PERSONAL) > 0.9
    assert recall(basket, PERSONAL) > 1.3 * recall(basket, "popularity")


def test_purchases_without_times_are_refused() -> None:
    with pytest.raises(InputError, match="times"):
        measure_purchases(planted_snapshot(times=False), CONDUCT)


def test_the_next_basket_is_the_first_order_after_the_cut() -> None:
    early = [("a", "p", None, day) for day in range(10)] + [("b", "q", "1", 3), ("c", "p", "0", 1)]
    late = [
        ("a", "q", "7", 300),
        ("a", "r", "7", 301),
        ("a", "s", "8", 301),
        ("b", "p", None, 300),
        ("b", "q", None, 300),
        ("b", "r", None, 310),
    ]
    snapshot = purchases_of(*early, *late)
    split = split_snapshot(snapshot, len(late) / (len(early) + len(late)), 0)
    assert split.cut == END - timedelta(days=100)
    baskets = next_baskets(snapshot, split)
    offers = snapshot.offers["id"].to_list()
    found = [[offers[o] for o in baskets.row(b)] for b in range(3)]
    assert found == [["q", "r"], ["p", "q"], []]


def test_most_frequent_then_most_recent_then_most_popular() -> None:
    snapshot = purchases_of(
        ("a", "often", "1", 1),
        ("a", "often", "2", 2),
        ("a", "late", "3", 9),
        ("a", "early", "4", 4),
        ("a", "early too, but liked", "4", 4),
        ("b", "early too, but liked", "5", 5),
        ("b", "liked", "6", 5),
        ("c", "liked", "7", 5),
        ("c", "other", "8", 5),
    )
    corpus = build_corpus(snapshot)
    scores = PersonalFrequency(corpus).score_block(np.array([0]))[0]
    order = [corpus.offers.ids[o] for o in np.argsort(-scores)]
    assert order == ["often", "late", "early too, but liked", "early", "liked", "other"]


def test_other_evidence_is_no_purchase() -> None:
    snapshot = purchases_of(("a", "p", None, 1), ("b", "q", None, 2))
    viewed = pl.DataFrame(
        {"buyer_id": ["a"] * 3, "offer_id": ["q"] * 3, "kind": ["VIEWED"] * 3},
        schema_overrides=snapshot.interactions.schema,
    ).with_columns(
        pl.lit(None, kind).alias(name)
        for name, kind in snapshot.interactions.schema.items()
        if name not in ("buyer_id", "offer_id", "kind", "at")
    )
    viewed = viewed.with_columns(at=pl.lit(END, snapshot.interactions.schema["at"]))
    snapshot = replace(snapshot, interactions=viewed.select(snapshot.interactions.columns))
    corpus = build_corpus(snapshot)
    scores = PersonalFrequency(corpus).score_block(np.array([0]))[0]
    assert scores[corpus.offers.index["p"]] >= 1.0 > scores[corpus.offers.index["q"]]
