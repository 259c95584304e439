"""Lifts of circumstances: learned where they are, near nothing where there are none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.context import ContextValue, read_context
from core.snapshot import SCHEMAS, GraphSnapshot, empty_table
from scoring.context import LIFT_LIMIT, NO_CONTEXTS, ContextLifts
from scoring.context_counting import LEAST_PAIRS, MOST_VALUES, contexts_of, count_contexts
from scoring.corpus_building import build_corpus, offers_frame, with_offer_rows
from tests.scoring.snapshots import random_snapshot

RAIN = ContextValue("weather", "rain")
SUN = ContextValue("weather", "sun")
OFFERS = 40
START = datetime(2025, 1, 1, tzinfo=UTC)


def weather_market(seed: int, pull: float, rows: int = 6000) -> GraphSnapshot:
    """Offers in two categories; on rainy days buyers take from c0 with chance ``pull``, else any.

    The last offer of each category is never bought, the last offer of all has no category.
    """
    rng = np.random.default_rng(seed)
    whole = random_snapshot(seed, buyers=900, offers=OFFERS + 1, purchases=10)
    wet = rng.random(rows) < 0.4
    liked = rng.dirichlet(np.ones(OFFERS - 2))
    what = rng.choice(OFFERS - 2, rows, p=liked)
    umbrellas = rng.choice(np.arange(0, OFFERS - 2, 2), rows, p=liked[::2] / liked[::2].sum())
    what = np.where(wet & (rng.random(rows) < pull), umbrellas, what)
    who = rng.integers(0, 900, rows)
    sky = np.where(wet, "weather=rain", "weather=sun")
    ids = np.array(whole.offers["id"].to_list())
    purchases = pl.DataFrame(
        {
            "buyer_id": [f"b{n:03d}" for n in who],
            "offer_id": ids[what].tolist(),
            "at": [START + timedelta(minutes=n) for n in range(rows)],
            "quantity": [1] * rows,
            "context": sky.tolist(),
        }
    )
    categories = [[f"c{n % 2}"] if n < OFFERS else [] for n in range(OFFERS + 1)]
    return replace(
        whole,
        purchases=pl.concat([empty_table("purchases"), purchases], how="diagonal"),
        interactions=empty_table("interactions"),
        offers=whole.offers.with_columns(pl.Series("category_ids", categories)),
    )


def lifts_of(snapshot: GraphSnapshot) -> ContextLifts:
    return build_corpus(snapshot).context_lifts


def test_what_is_taken_more_in_the_rain_is_lifted_by_it() -> None:
    lifts = lifts_of(weather_market(1, pull=0.5))
    rain, sun = lifts.of(RAIN), lifts.of(SUN)
    assert rain is not None
    assert sun is not None
    assert rain.dtype == np.float32
    assert rain.shape == (OFFERS + 1,)
    umbrellas, others = rain[0:OFFERS:2], rain[1:OFFERS:2]
    assert umbrellas.min() > 0.1 > -0.1 > others.max()
    assert sun[0:OFFERS:2].max() < 0.0
    # Never bought: as its category is; without a category: nothing.
    assert umbrellas[-1] == pytest.approx(np.median(umbrellas), abs=0.25)
    assert others[-1] < -0.1
    assert rain[OFFERS] == 0.0
    assert np.abs(rain).max() <= LIFT_LIMIT


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_hangs_on_the_weather_nothing_is_lifted(seed: int) -> None:
    rain = lifts_of(weather_market(seed, pull=0.0)).of(RAIN)
    assert rain is not None
    assert np.abs(rain).mean() < 0.03


def test_an_offer_that_comes_later_has_its_categorys_lift() -> None:
    corpus = build_corpus(weather_market(1, pull=0.5))
    frame = offers_frame(corpus).head(1).with_columns(id=pl.lit("new"))
    grown = with_offer_rows(corpus, frame)
    before, after = corpus.context_lifts.of(RAIN), grown.context_lifts.of(RAIN)
    assert before is not None
    assert after is not None
    assert np.array_equal(after[:-1], before)
    assert after[-1] == before[OFFERS - 2]


def test_a_total_is_weighted_by_name_and_unknown_ones_count_nothing() -> None:
    lifts = lifts_of(weather_market(1, pull=0.5))
    rain = lifts.of(RAIN)
    assert rain is not None
    context = read_context("device=phone; weather=rain; weekday=monday")
    assert np.array_equal(lifts.total(context, {"weather": 0.5, "device": 9.0}), 0.5 * rain)
    assert not lifts.total(context, {}).any()
    assert not lifts.total((ContextValue("weather", "hail"),), {"weather": 1.0}).any()


def test_a_category_below_another_is_drawn_to_it() -> None:
    snapshot = weather_market(1, pull=0.5)
    below = pl.when(pl.col("id") == "o000").then(pl.lit(["c00"])).otherwise("category_ids")
    offers = snapshot.offers.with_columns(category_ids=below)
    one = replace(snapshot, offers=offers, purchases=_without(snapshot.purchases, "o000"))
    rain = lifts_of(one).of(RAIN)
    assert rain is not None
    assert rain[0] > 0.1


def test_times_tell_season_and_weekday_unless_the_row_does() -> None:
    rows = [
        (datetime(2025, 12, 1, tzinfo=UTC), None),
        (datetime(2025, 6, 7, tzinfo=UTC), "season=holidays; device=phone"),
        *((datetime(2025, 3, 2, n, tzinfo=UTC), "free text") for n in range(8)),
    ]
    frame = _purchases(rows)
    assert [dict(context) for context in contexts_of(frame)][:3] == [
        {"season": "winter", "weekday": "monday"},
        {"device": "phone", "season": "holidays", "weekday": "saturday"},
        {"season": "spring", "weekday": "sunday"},
    ]
    # A matrix of interactions has one time for all, which is no time.
    assert contexts_of(_purchases(rows[:2])) == [(), read_context(rows[1][1])]


def test_counts_are_of_distinct_pairs_seen_often_enough() -> None:
    snapshot = weather_market(2, pull=0.3)
    rare = pl.when(pl.int_range(pl.len()) < LEAST_PAIRS - 1).then(pl.lit("weather=hail"))
    purchases = snapshot.purchases.with_columns(context=rare.otherwise("context"))
    counts = build_corpus(replace(snapshot, purchases=purchases)).contexts
    assert ContextValue("weather", "hail") not in counts.values
    assert {RAIN, SUN} <= set(counts.values)
    assert len(counts.values) <= MOST_VALUES
    at = counts.values.index(RAIN)
    wet = purchases.filter(pl.col("context") == "weather=rain")
    expected = dict(wet.unique(["buyer_id", "offer_id"]).group_by("offer_id").len().iter_rows())
    ids = snapshot.offers["id"].to_list()
    row = counts.taken.row(at, len(ids))
    assert {ids[n]: int(count) for n, count in enumerate(row) if count} == expected
    # What is known of the weather holds the rare values too.
    known = counts.known.row(counts.names.index("weather"), len(ids))
    pairs = purchases.unique(["buyer_id", "offer_id", "context"])
    assert known.sum() == len(pairs)


def test_the_most_frequent_values_are_kept() -> None:
    snapshot = weather_market(3, pull=0.0, rows=9000)
    shop = "shop=" + (pl.int_range(pl.len()) % 90).cast(pl.String)
    counts = build_corpus(
        replace(snapshot, purchases=snapshot.purchases.with_columns(context=shop))
    ).contexts
    assert len(counts.values) == MOST_VALUES
    sizes = [int(counts.taken.row(v, OFFERS + 1).sum()) for v in range(MOST_VALUES)]
    assert sizes == sorted(sizes, reverse=True)


def test_interactions_teach_what_purchases_do_not_carry() -> None:
    snapshot = weather_market(4, pull=0.3)
    views = snapshot.purchases.select(
        "buyer_id", "offer_id", "at", kind=pl.lit("VIEWED"),
        context=pl.lit("device=phone; ") + pl.col("context"),
    )  # fmt: skip
    views = pl.concat([empty_table("interactions"), views], how="diagonal").select(
        list(SCHEMAS["interactions"])
    )
    alone = build_corpus(snapshot).contexts
    both = build_corpus(replace(snapshot, interactions=views)).contexts
    assert ContextValue("device", "phone") in both.values
    assert ContextValue("device", "phone") not in alone.values
    at, before = both.values.index(RAIN), alone.values.index(RAIN)
    assert np.array_equal(both.taken.row(at, 50), alone.taken.row(before, 50))
    dismissed = views.with_columns(kind=pl.lit("DISMISSED"))
    assert build_corpus(replace(snapshot, interactions=dismissed)).contexts.values == alone.values


def test_tables_without_times_or_contexts_have_none() -> None:
    snapshot = weather_market(5, pull=0.3)
    purchases = snapshot.purchases.with_columns(at=pl.lit(START), context=pl.lit("web"))
    counts = count_contexts(purchases, snapshot.interactions, {"b000": 0}, {"o000": 0})
    assert counts is NO_CONTEXTS


def _without(purchases: pl.DataFrame, offer: str) -> pl.DataFrame:
    return purchases.filter(pl.col("offer_id") != offer)


def _purchases(rows: list[tuple[datetime, str | None]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"at": pl.Datetime("us", "UTC"), "context": pl.String},
                         orient="row")  # fmt: skip
    return pl.concat([empty_table("purchases"), frame], how="diagonal")
