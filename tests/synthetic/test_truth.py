"""What was drawn follows the truth: needs, taste, price, place, habit, season, and some noise."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from synthetic.draws import draw_offers
from synthetic.generate import Marketplace
from synthetic.places import city_distances
from synthetic.purchases import Lines, draw_purchases
from synthetic.spec import NOISE_SHARE, RELEVANT_FLOOR, RELEVANT_SHARE, MarketplaceSpec
from synthetic.taxonomy import PRODUCTS_EACH, ROOTS, SUB_CATEGORIES
from synthetic.trades import TRADES, needs_by_trade, season_by_month
from synthetic.truth import relevance_of
from synthetic.world import World, draw_world, random_for

Matrix = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(MarketplaceSpec(purchases=50_000))


@pytest.fixture(scope="module")
def lines(world: World, market: Marketplace) -> Lines:
    live = world.catalogue.live(world.calendar.days)
    random = random_for(world.spec, "purchases")
    return draw_purchases(world, market.truth.relevance, live, random)


def _counts(lines: Lines, world: World, rows: slice) -> Matrix:
    counts = np.zeros((world.spec.buyers, world.spec.offers))
    np.add.at(counts, (lines.buyer[rows], lines.offer[rows]), 1)
    return counts


def _at_ten(
    scores: npt.NDArray[np.floating], seen: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Mean recall@10 and precision@10 over buyers with something new to find."""
    best = np.argsort(-np.where(seen, -np.inf, scores), axis=1, kind="stable")[:, :10]
    rows = new.any(axis=1)
    hits = np.take_along_axis(new, best, axis=1).sum(axis=1)[rows]
    return float((hits / new.sum(axis=1)[rows]).mean()), float(hits.mean() / 10)


def test_few_offers_are_relevant_and_they_are_the_best(market: Marketplace) -> None:
    truth = market.truth
    assert truth.relevance.dtype == np.float32
    assert truth.relevant.mean(axis=1).max() <= RELEVANT_SHARE
    assert truth.relevant.sum(axis=1).min() >= 10
    assert np.array_equal(truth.relevance.max(axis=1), np.ones(len(truth.buyer_ids)))
    assert truth.relevance.min() >= 0
    chosen = np.where(truth.relevant, truth.relevance, np.inf).min(axis=1)
    left = np.where(truth.relevant, -np.inf, truth.relevance).max(axis=1)
    full = truth.relevant.sum(axis=1) == int(RELEVANT_SHARE * truth.relevant.shape[1])
    assert (chosen >= RELEVANT_FLOOR).all()
    assert (chosen >= left)[full].all()
    assert (left < RELEVANT_FLOOR)[~full].all()


def test_the_oracle_beats_item_knn_beats_popularity(
    world: World, lines: Lines, market: Marketplace
) -> None:
    """On the last fifth of the lines, counting only what the buyer had not bought before."""
    cut = int(lines.buyer.size * 0.8)
    train = _counts(lines, world, slice(0, cut))
    seen = train > 0
    new = (_counts(lines, world, slice(cut, None)) > 0) & ~seen
    months = np.unique(
        world.calendar.month[world.calendar.slot_of_day[world.calendar.day_of(lines.at_us[cut:])]]
    )
    together = seen.T.astype(np.float64) @ seen
    norm = np.sqrt(np.diag(together))
    similar = together / (np.outer(norm, norm) + 10)
    np.fill_diagonal(similar, 0)
    popular = np.broadcast_to(train.sum(axis=0), train.shape)
    by_popularity = _at_ten(popular, seen, new)
    by_knn = _at_ten(seen @ similar, seen, new)
    by_oracle = _at_ten(market.truth.purchase_odds(months), seen, new)
    by_chance = _at_ten(random_for(world.spec, "chance").random(train.shape), seen, new)
    for measure in (0, 1):
        assert by_popularity[measure] > 2 * by_chance[measure]
        assert by_knn[measure] > 1.5 * by_popularity[measure]
        assert by_oracle[measure] > 3.5 * by_popularity[measure]
        assert by_oracle[measure] > 1.5 * by_knn[measure]


def test_popular_is_not_relevant(lines: Lines, world: World, market: Marketplace) -> None:
    popular = np.argsort(-_counts(lines, world, slice(None)).sum(axis=0))[:10]
    assert market.truth.relevant[:, popular].mean() < 3 * RELEVANT_SHARE
    bought = market.truth.relevant[lines.buyer, lines.offer]
    assert 0.5 < bought[~lines.noise].mean() < 0.9
    assert bought[lines.noise].mean() < 0.12


def test_the_noise_is_the_share_promised(lines: Lines) -> None:
    assert lines.noise.mean() == pytest.approx(NOISE_SHARE, abs=0.015)


def test_buyers_buy_again(lines: Lines) -> None:
    pairs = lines.buyer * 10_000 + lines.offer
    assert 0.25 < 1 - np.unique(pairs).size / pairs.size < 0.65


@pytest.mark.parametrize(("name", "high", "low"), [("Garden", 5, 11), ("Toys and Games", 11, 5)])
def test_the_season_shows(market: Marketplace, name: str, high: int, low: int) -> None:
    category = next(sub.id for sub in SUB_CATEGORIES if sub.name == name)
    offers = market.tables["offers"].filter(pl.col("category_ids").list.contains(category))["id"]
    months = market.tables["purchases"].with_columns(month=pl.col("at").dt.month())
    share = dict(
        months.group_by("month")
        .agg(pl.col("offer_id").is_in(offers.implode()).mean().alias("share"))
        .iter_rows()
    )
    assert share[high] > 2.5 * share[low]


def test_trades_buy_what_they_need(market: Marketplace, lines: Lines, world: World) -> None:
    """The sub-category that a trade buys most is among the three it is made to need most."""
    for number, wanted in enumerate(needs_by_trade()):
        own = world.buyers.trade[lines.buyer] == number
        bought = np.bincount(world.catalogue.category[lines.offer[own]], minlength=wanted.size)
        assert bought.argmax() in np.flatnonzero(wanted >= np.sort(wanted)[-3]), TRADES[number].kind


def test_price_place_and_habit_count(lines: Lines, world: World) -> None:
    buyers, offers = world.buyers, world.catalogue
    shuffled = random_for(world.spec, "shuffle").permutation(lines.offer)
    tier = buyers.tier[lines.buyer]
    assert np.corrcoef(tier, offers.price_level[lines.offer])[0, 1] > 0.3
    assert abs(np.corrcoef(tier, offers.price_level[shuffled])[0, 1]) < 0.05
    away = city_distances()[buyers.city[lines.buyer], offers.city[lines.offer]]
    apart = city_distances()[buyers.city[lines.buyer], offers.city[shuffled]]
    assert away.mean() < 0.93 * apart.mean()
    habit = (buyers.favoured[lines.buyer] == offers.vendor[lines.offer][:, None]).any(axis=1)
    chance = (buyers.favoured[lines.buyer] == offers.vendor[shuffled][:, None]).any(axis=1)
    assert habit.mean() > 3 * chance.mean()


def test_relevance_has_nothing_of_appeal(world: World, market: Marketplace) -> None:
    assert np.array_equal(relevance_of(world), market.truth.relevance)
    means = market.truth.relevance.mean(axis=0)
    assert abs(np.corrcoef(means, market.truth.appeal)[0, 1]) < 0.1


def test_interactions_follow_relevance_and_precede_purchases(market: Marketplace) -> None:
    truth, table = market.truth, market.tables["interactions"]
    buyer = table["buyer_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    offer = table["offer_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    level = dict(
        table.with_columns(relevant=pl.Series(truth.relevant[buyer, offer]))
        .group_by("kind").agg(pl.col("relevant").mean()).iter_rows()
    )  # fmt: skip
    assert level["ADDED_TO_CART"] > level["VIEWED"] > 5 * RELEVANT_SHARE
    assert level["DISMISSED"] < 0.005
    first = table.group_by("buyer_id", "offer_id").agg(met=pl.col("at").min())
    lines = market.tables["purchases"].join(first, on=["buyer_id", "offer_id"], how="left")
    assert (lines["met"] < lines["at"]).fill_null(False).mean() > 0.5  # type: ignore[operator]


def test_there_are_cold_buyers_and_cold_offers(market: Marketplace) -> None:
    tables = market.tables
    silent = tables["buyers"].filter(~pl.col("id").is_in(tables["purchases"]["buyer_id"].implode()))
    assert 0.02 < silent.height / 2_000 < 0.06
    looking = silent["id"].is_in(tables["interactions"]["buyer_id"].implode())
    assert 5 < looking.sum() < silent.height
    unsold = tables["offers"].filter(~pl.col("id").is_in(tables["purchases"]["offer_id"].implode()))
    assert unsold.height >= 10
    late = tables["purchases"]["at"].dt.offset_by("28d") >= tables["purchases"]["at"].max()
    recent = set(tables["purchases"].filter(late)["offer_id"])
    before = set(tables["purchases"].filter(~late)["offer_id"])
    assert len(recent - before) >= 15


def test_text_names_the_category_and_the_style(world: World, market: Marketplace) -> None:
    for row, offer in enumerate(market.tables["offers"].head(200).iter_rows(named=True)):
        sub = SUB_CATEGORIES[world.catalogue.category[row]]
        assert offer["category_ids"] == [sub.id]
        assert sub.name.lower() in offer["description"]
        assert ROOTS[sub.root] in offer["description"]
        assert any(product.name in offer["title"] for product in sub.products)


def test_preferences_are_stated_needs(world: World, market: Marketplace) -> None:
    table = market.tables["preferences"]
    assert table["weight"].is_between(-1, 1).all()
    column = {sub.id: index for index, sub in enumerate(SUB_CATEGORIES)}
    buyer = table["buyer_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    need = world.buyers.need[buyer, [column[name] for name in table["category_id"]]]
    liked = (table["weight"] > 0).to_numpy()
    assert need[liked].mean() > 0.1
    assert need[~liked].max() < 0.03


def test_draws_follow_the_weights() -> None:
    relevance = np.array([[0.0, 1.0, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    factors = np.array([[1.0, 1.0, 2.0, 5.0], [1.0, 3.0, 2.0, 5.0]])
    buyer, slot = np.repeat([0, 0, 1], 4_000), np.repeat([0, 1, 1], 4_000)
    random = random_for(MarketplaceSpec(), "draws")
    drawn = draw_offers(lambda rows: rows, relevance, factors, buyer, slot, random)
    shares = [np.bincount(part.ravel(), minlength=4) / part.size for part in np.split(drawn, 3)]
    assert shares[0] == pytest.approx([0, 0.5, 0.5, 0], abs=0.02)
    assert shares[1] == pytest.approx([0, 0.75, 0.25, 0], abs=0.02)
    assert shares[2].tolist() == [1, 0, 0, 0]
    assert shares[0][[0, 3]].tolist() == [0, 0]


def test_the_tables_of_words_are_whole() -> None:
    assert {len(sub.products) for sub in SUB_CATEGORIES} == {PRODUCTS_EACH}
    assert len({sub.id for sub in SUB_CATEGORIES}) == len(SUB_CATEGORIES) == 6 * len(ROOTS)
    assert all(
        product.price > 0 and product.variants for sub in SUB_CATEGORIES for product in sub.products
    )
    names = {sub.name for sub in SUB_CATEGORIES}
    assert all(set(trade.needs) <= names for trade in TRADES)
    assert season_by_month().mean(axis=0) == pytest.approx(np.ones(len(SUB_CATEGORIES)))
