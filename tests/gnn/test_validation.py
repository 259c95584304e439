"""The slice that a training chooses by: given from outside, or drawn; and who is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from core.errors import InputError
from core.snapshot import GraphSnapshot
from gnn import validation
from gnn.split import PAIR
from gnn.train import train
from gnn.validation import given_split
from scoring.corpus_building import build_corpus
from tests.gnn.conftest import NOW
from tests.gnn.killed_training import SLOW, few


@pytest.fixture(scope="module")
def market() -> GraphSnapshot:
    return few()


@pytest.fixture(scope="module")
def given(market: GraphSnapshot) -> pl.DataFrame:
    """Two pairs a buyer, whatever their times."""
    pairs = market.purchases.select(PAIR).unique().sort(PAIR)
    return pairs.group_by("buyer_id", maintain_order=True).head(2)


def test_the_given_pairs_are_held_out_and_nothing_else(
    market: GraphSnapshot, given: pl.DataFrame
) -> None:
    split = given_split(market, given.reverse())
    assert not len(split.known.purchases.join(given, on=PAIR, how="semi"))
    rest = market.purchases.join(given, on=PAIR, how="anti")
    assert len(split.known.purchases) == len(rest)
    ids, offers = market.buyers["id"].to_list(), market.offers["id"].to_list()
    fresh = {(ids[row], offers[offer]) for row in range(len(ids)) for offer in split.fresh.row(row)}
    assert fresh == set(given.rows())
    assert not len(split.repeated.values)
    assert split.known.taken_at == market.taken_at


def test_what_is_no_purchase_cannot_be_held_out(market: GraphSnapshot, given: pl.DataFrame) -> None:
    strange = pl.DataFrame({"buyer_id": ["b0001"], "offer_id": ["nothing"]})
    with pytest.raises(InputError, match=r"1 pairs .* b0001 with nothing"):
        given_split(market, pl.concat([given, strange]))
    for poor in (given.head(0), given.drop("offer_id")):
        with pytest.raises(InputError, match="needs pairs"):
            given_split(market, poor)


def test_a_training_chooses_by_the_given_pairs_and_learns_from_them_in_the_end(
    market: GraphSnapshot, given: pl.DataFrame
) -> None:
    trained = train(market, SLOW, now=NOW, validation=given)
    assert trained.choice is not None
    buyers = market.buyers["id"].to_list()
    asked = {buyers[row] for row in trained.choice.judges}
    assert asked < set(given["buyer_id"])
    assert np.array_equal(
        trained.choice.split.fresh.values, given_split(market, given).fresh.values
    )
    usual = train(market, SLOW, now=NOW)
    assert usual.validation != trained.validation
    # Everything was learned from: an offer bought in held-out pairs only is no stranger.
    assert trained.model.manifest["data"]["counts"]["purchases"] == len(market.purchases)


def test_no_more_buyers_are_asked_than_tell_models_apart(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = planted.purchases.select(PAIR).unique().sort(PAIR)
    split = given_split(planted, everything.group_by("buyer_id", maintain_order=True).head(1))
    corpus = build_corpus(split.known)
    everybody = validation.testers_of(split, corpus, 0)
    assert np.array_equal(everybody, split.testers)
    assert len(everybody) > 200
    monkeypatch.setattr(validation, "MOST_SCORES", len(corpus.offers))
    drawn = validation.testers_of(split, corpus, 0)
    assert len(np.intersect1d(drawn, everybody)) == len(drawn) == 200
    assert not np.array_equal(drawn, validation.testers_of(split, corpus, 1))


def test_nobody_is_asked_where_nothing_is_known(market: GraphSnapshot) -> None:
    pairs = market.purchases.select(PAIR).unique()
    split = given_split(replace(market, interactions=market.interactions.clear()), pairs)
    assert len(split.testers)
    assert not len(validation.testers_of(split, build_corpus(split.known), 0))
