"""What is known and what is to be predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from core.snapshot import GraphSnapshot
from gnn.split import split_snapshot


@pytest.mark.parametrize("first", [True, False])
def test_a_cut_in_time_knows_nothing_of_what_comes_after(
    planted: GraphSnapshot, first: bool
) -> None:
    split = split_snapshot(planted, 0.2, seed=0, first_purchases=first)
    assert split.cut is not None
    assert not split.is_draw
    assert split.known.purchases["at"].max() < split.cut  # type: ignore[operator]  # a time
    assert split.known.taken_at == split.cut
    assert split.known.offers.equals(planted.offers)
    later = planted.purchases.filter(pl.col("at") >= split.cut)
    assert len(split.known.purchases) + len(later) == len(planted.purchases)
    if not first:
        assert abs(len(later) / len(planted.purchases) - 0.2) < 0.01
    distinct = later.select("buyer_id", "offer_id").unique()
    assert len(split.fresh.values) + len(split.repeated.values) == len(distinct)


def test_fresh_pairs_were_not_bought_before_and_repeated_ones_were(
    planted: GraphSnapshot,
) -> None:
    split = split_snapshot(planted, 0.2, seed=0)
    bought = set(split.known.purchases.select("buyer_id", "offer_id").iter_rows())
    buyers, offers = planted.buyers["id"].to_list(), planted.offers["id"].to_list()
    for rows, before in ((split.fresh, False), (split.repeated, True)):
        pairs = [(buyers[b], offers[o]) for b in range(len(buyers)) for o in rows.row(b)]
        assert pairs
        assert all((pair in bought) is before for pair in pairs)


def test_without_times_a_share_of_each_buyers_offers_is_drawn(timeless: GraphSnapshot) -> None:
    split = split_snapshot(timeless, 0.2, seed=5)
    assert split.cut is None
    assert split.is_draw
    assert len(split.repeated.values) == 0
    pairs = timeless.purchases.select("buyer_id", "offer_id").unique()
    assert abs(len(split.fresh.values) / len(pairs) - 0.2) < 0.03
    left = split.known.purchases.select("buyer_id", "offer_id").unique()
    assert len(left) + len(split.fresh.values) == len(pairs)
    fewer = split_snapshot(timeless, 0.2, seed=5, timeless_share=0.1)
    assert abs(len(fewer.fresh.values) / len(pairs) - 0.1) < 0.03
    again = split_snapshot(timeless, 0.2, seed=5)
    assert np.array_equal(again.fresh.values, split.fresh.values)
    other = split_snapshot(timeless, 0.2, seed=6)
    assert not np.array_equal(other.fresh.values, split.fresh.values)


def test_where_nobody_buys_interactions_stand_for_purchases(planted: GraphSnapshot) -> None:
    viewed = planted.purchases.select(
        "buyer_id",
        "offer_id",
        pl.lit("VIEWED").alias("kind"),
        "at",
        pl.lit(None, pl.Float64).alias("value"),
        "context",
    )
    dismissed = viewed.head(400).with_columns(pl.lit("DISMISSED").alias("kind"))
    looking = replace(
        planted,
        purchases=planted.purchases.clear(),
        interactions=pl.concat([viewed, dismissed]),
    )
    split = split_snapshot(looking, 0.2, seed=0)
    same = split_snapshot(planted, 0.2, seed=0)
    assert split.cut == same.cut
    assert np.array_equal(split.fresh.values, same.fresh.values)
    assert split.known.interactions["at"].max() < split.cut  # type: ignore[operator]  # a time
