"""What a training chooses by: given from outside, or drawn, how often; and who is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from core.errors import InputError
from core.snapshot import GraphSnapshot
from gnn import holdouts
from gnn.holdouts import FEWEST_TESTERS, MOST_HOLDOUTS, Holdout, given_split, hold_out
from gnn.split import PAIR
from gnn.train import train
from tests.gnn.conftest import NOW, Heard
from tests.gnn.killed_training import SLOW, few
from tests.gnn.planted import planted_snapshot

# Of the last purchases, and of each buyer's where there are no times.
SHARES = (0.1, 0.2)


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
    assert not split.is_draw
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
    holdout = Holdout.of(split)
    everybody = holdouts.testers_of(holdout, 0)
    assert np.array_equal(everybody, split.testers)
    assert len(everybody) > 200
    monkeypatch.setattr(holdouts, "MOST_SCORES", len(holdout.corpus.offers))
    drawn = holdouts.testers_of(holdout, 0)
    assert len(np.intersect1d(drawn, everybody)) == len(drawn) == 200
    assert not np.array_equal(drawn, holdouts.testers_of(holdout, 1))


def test_nobody_is_asked_where_nothing_is_known(market: GraphSnapshot) -> None:
    pairs = market.purchases.select(PAIR).unique()
    split = given_split(replace(market, interactions=market.interactions.clear()), pairs)
    assert len(split.testers)
    assert not len(holdouts.testers_of(Holdout.of(split), 0))


def test_few_buyers_without_times_are_asked_several_times(timeless: GraphSnapshot) -> None:
    parts, testers = hold_out(timeless, *SHARES, 0)
    assert len(parts) == MOST_HOLDOUTS
    for number, part in enumerate(parts):
        assert np.array_equal(part.split.testers, testers)
        assert len(part.corpus.buyers.offer) < len(timeless.purchases)
        for other in parts[:number]:
            assert not np.array_equal(part.split.fresh.values, other.split.fresh.values)
    again, _ = hold_out(timeless, *SHARES, 0)
    others, _ = hold_out(timeless, *SHARES, 1)
    for part, same, other in zip(parts, again, others, strict=True):
        assert np.array_equal(part.split.fresh.values, same.split.fresh.values)
        assert not np.array_equal(part.split.fresh.values, other.split.fresh.values)


def test_no_more_often_than_is_needed(
    timeless: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, testers = hold_out(timeless, *SHARES, 0)
    for enough, times in ((len(testers), 1), (len(testers) + 1, 2), (2 * len(testers), 2)):
        monkeypatch.setattr(holdouts, "ENOUGH_TESTERS", enough)
        assert len(hold_out(timeless, *SHARES, 0)[0]) == times


def test_what_came_last_and_what_was_given_are_held_out_once(
    planted: GraphSnapshot, market: GraphSnapshot, given: pl.DataFrame
) -> None:
    assert len(hold_out(planted, *SHARES, 0)[0]) == 1
    assert len(hold_out(market, *SHARES, 0, given)[0]) == 1


def test_with_too_few_to_tell_nothing_is_held_out_again() -> None:
    lonely = planted_snapshot(buyers=FEWEST_TESTERS - 1, purchases=300, times=False)
    parts, testers = hold_out(lonely, *SHARES, 0)
    assert len(parts) == 1
    assert len(testers) < FEWEST_TESTERS


def test_what_is_chosen_holds_for_all_of_them(timeless: GraphSnapshot) -> None:
    heard, settings = Heard(), replace(SLOW, epochs=1)
    trained = train(timeless, settings, heard, now=NOW)
    assert trained.choice is not None
    parts, testers = hold_out(timeless, *SHARES, settings.seed)
    # And once more as if part of it had no history.
    assert heard.tasks["Gathering examples"][1] == len(testers) * (len(parts) + 1)
    assert {f"Training to choose, {n}" for n in (2, 3, 4)} < set(heard.tasks)
    # The model that can be judged, and its judges, are those of the first.
    assert np.array_equal(trained.choice.split.fresh.values, parts[0].split.fresh.values)
    assert set(trained.choice.judges) < set(testers)
