"""What is left of past purchases and of interest, and what sells lately or comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.entities import EvidenceKind
from core.snapshot import GraphSnapshot
from scoring import tower as tower_module
from scoring.again import (
    BOUGHT,
    INTERESTED,
    LATELY,
    LEAST,
    NEVER,
    Fading,
    faded_count,
    latest,
    own_of,
    repeat_rate_of,
    trend_of,
)
from scoring.blend import Blend
from scoring.components import AGAIN, INTEREST, INTEREST_LATELY, REPEAT_RATE, TREND
from scoring.corpus import KINDS, PURCHASED, BuyerColumns
from scoring.corpus_building import build_corpus
from scoring.effects import Mask, effects_of_pieces
from scoring.scorer import Scorer, build_scorer
from scoring.states import WEIGHT_OF_KIND, state_of
from tests.scoring.snapshots import random_model, random_snapshot
from tests.scoring.test_scorer import NoEncoder

DAY = 86_400_000_000
NOW = 1_000 * DAY
NEVER_FADES = float("inf")


def bought_at(days_ago: list[float]) -> tuple[int, int, int]:
    """How often, first and last, of purchases so many days before NOW."""
    return len(days_ago), NOW - int(max(days_ago) * DAY), NOW - int(min(days_ago) * DAY)


@pytest.mark.parametrize("days_ago", [[0], [30], [30, 60], [1, 11, 21, 31], [5, 5, 5], [0, 300]])
def test_each_purchase_fades_by_half_in_a_half_life(days_ago: list[float]) -> None:
    expected = sum(0.5 ** (days / 30) for days in days_ago)
    assert faded_count(*bought_at(days_ago), NOW, 30.0) == pytest.approx(expected, rel=1e-12)
    assert faded_count(*bought_at(days_ago), NOW, NEVER_FADES) == len(days_ago)


def test_a_half_life_far_longer_than_the_data_is_as_none() -> None:
    count = faded_count(*bought_at([1, 40, 400]), NOW, 1e15)
    assert count == pytest.approx(3.0, rel=1e-9)


def test_what_was_bought_since_the_snapshot_counts_whole() -> None:
    assert faded_count(2, NOW + DAY, NOW + 5 * DAY, NOW, 30.0) == 2.0
    assert faded_count(2, NOW - 30 * DAY, NOW + DAY, NOW, 30.0) == pytest.approx(1.5)


def test_time_that_passes_keeps_the_order_of_a_buyers_offers() -> None:
    random = np.random.default_rng(0)
    pieces = [bought_at(list(random.uniform(0, 400, n))) for n in random.integers(1, 6, 40)]
    now = [faded_count(*piece, NOW, 50.0) for piece in pieces]
    later = [faded_count(*piece, NOW + 90 * DAY, 50.0) for piece in pieces]
    assert np.array_equal(np.argsort(now), np.argsort(later))


def test_purchases_speak_for_buying_again_and_all_else_of_interest() -> None:
    kinds = np.arange(len(KINDS), dtype=np.int8)
    size = len(kinds)
    times = np.full(size, NOW - 30 * DAY)
    fading = Fading(own_days=30.0, interest_days=15.0)
    own = own_of(kinds, np.full(size, 4, np.int32), times, times, NOW, fading)
    assert own[PURCHASED, BOUGHT] == pytest.approx(np.log1p(2.0 / LEAST))
    assert not np.delete(own[:, BOUGHT], PURCHASED).any()
    assert not own[PURCHASED, [INTERESTED, LATELY]].any()
    others = np.delete(np.arange(size), PURCHASED)
    assert np.allclose(own[others, INTERESTED], 4.0 * WEIGHT_OF_KIND[others], rtol=1e-12)
    assert np.allclose(own[others, LATELY], WEIGHT_OF_KIND[others], rtol=1e-12)
    assert not own[KINDS.index(EvidenceKind.DISMISSED)].any()
    often = own_of(kinds, np.full(size, 4, np.int32), times, times, NOW, NEVER)
    assert often[PURCHASED, BOUGHT] == pytest.approx(np.log1p(4.0 / LEAST))
    assert np.array_equal(often[:, LATELY], often[:, INTERESTED])


def test_the_columns_count_between_first_and_last() -> None:
    snapshot = random_snapshot()
    buyers = build_corpus(snapshot).buyers
    owner = np.repeat(np.arange(len(buyers)), np.diff(buyers.ptr))
    offers = snapshot.offers["id"].to_list()
    many = np.flatnonzero((buyers.evidence_kind == PURCHASED) & (buyers.count > 2))
    assert len(many)
    for piece in many.tolist():
        mine = snapshot.purchases.filter(
            (pl.col("buyer_id") == buyers.ids[owner[piece]])
            & (pl.col("offer_id") == offers[buyers.offer[piece]])
        )["at"].dt.epoch("us")
        assert buyers.count[piece] == len(mine)
        assert (buyers.first_at[piece], buyers.last_at[piece]) == (mine.min(), mine.max())


def seasons() -> BuyerColumns:
    """Forty buyers who bought offer 0 long ago, 1 lately, 2 all along; nobody bought 3."""
    random_buyers = build_corpus(random_snapshot(buyers=40)).buyers
    buyer = np.repeat(np.arange(40), 2)
    offer = np.array([[0, 2], [1, 2]] * 20, np.int32).ravel()
    ago = np.array([[300, 290], [3, 5]] * 20).ravel() * DAY
    return replace(
        random_buyers,
        ptr=np.arange(0, 81, 2),
        offer=offer,
        evidence_kind=np.full(len(buyer), PURCHASED, np.int8),
        count=np.ones(len(buyer), np.int32),
        first_at=NOW - ago,
        last_at=NOW - ago,
    )


def test_what_sells_lately_is_lifted_over_what_sold_once() -> None:
    lifts = trend_of(seasons(), 4, NOW, Fading(sales_days=20.0))
    assert lifts[1] > 0.5
    assert lifts[0] < -0.5
    assert abs(lifts[2]) < 0.1
    assert lifts[3] == 0.0
    assert not trend_of(seasons(), 4, NOW, NEVER).any()


def test_data_without_times_has_no_trend() -> None:
    still = replace(seasons(), first_at=np.full(80, NOW), last_at=np.full(80, NOW))
    assert np.abs(trend_of(still, 4, NOW, Fading(sales_days=20.0))).max() < 1e-12


def staples() -> BuyerColumns:
    """Forty buyers with offers 0 and 1: all bought 0 on two days, 1 twice at once; 2 was viewed."""
    kinds = [PURCHASED, PURCHASED, KINDS.index(EvidenceKind.VIEWED)]
    return replace(
        build_corpus(random_snapshot(buyers=40)).buyers,
        ptr=np.arange(0, 121, 3),
        offer=np.tile(np.array([0, 1, 2], np.int32), 40),
        evidence_kind=np.tile(np.array(kinds, np.int8), 40),
        count=np.full(120, 2, np.int32),
        first_at=np.tile(np.array([NOW - DAY, NOW, NOW - DAY]), 40),
        last_at=np.full(120, NOW),
    )


def test_what_its_buyers_bought_again_is_lifted_over_what_they_bought_once() -> None:
    lifts = repeat_rate_of(staples(), 4)
    # Half of all pairs were bought again, of these 40 and of those none, and of each 3 half.
    assert np.allclose(lifts, [np.log(41.5 / 43 / 0.5), np.log(1.5 / 43 / 0.5), 0.0, 0.0])
    many = replace(staples(), offer=np.tile(np.array([0, 1, 1], np.int32), 40))
    assert repeat_rate_of(many, 4)[1] == lifts[1]


def test_where_nothing_is_bought_again_no_offer_is_lifted() -> None:
    once = replace(staples(), first_at=np.full(120, NOW))
    assert not repeat_rate_of(once, 4).any()


def _taken(snapshot: GraphSnapshot, at: datetime) -> GraphSnapshot:
    return replace(snapshot, taken_at=at)


def test_old_data_is_read_as_of_its_end_and_dates_to_come_do_not_count() -> None:
    snapshot = random_snapshot()
    times = snapshot.purchases["at"].sort()
    end = times[-1]
    years_later = _taken(snapshot, end + timedelta(days=4_000))
    assert latest(build_corpus(years_later)) == round(end.timestamp() * 1e6)
    half_way = _taken(snapshot, datetime(2025, 4, 1, tzinfo=UTC))
    assert latest(build_corpus(half_way)) <= round(half_way.taken_at.timestamp() * 1e6)
    nobody = replace(snapshot, purchases=snapshot.purchases.head(0))
    assert latest(build_corpus(nobody)) == round(nobody.taken_at.timestamp() * 1e6)


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    """One whose blend weighs buying again, and whose purchases fade."""
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    snapshot = random_snapshot()
    return build_scorer(build_corpus(snapshot), random_model(snapshot))


def test_a_pair_reads_its_own_purchases_and_no_others(scorer: Scorer) -> None:
    offers = np.arange(len(scorer.corpus.offers), dtype=np.int32)
    constants, seen = scorer.constants, 0
    for buyer in range(0, len(scorer.corpus.buyers), 7):
        state = state_of(scorer.corpus, buyer)
        phi = scorer.components(scorer.read(state), offers)
        expected = np.zeros(len(offers))
        for piece in np.flatnonzero(state.evidence_kinds == PURCHASED):
            left = faded_count(
                int(state.counts[piece]), int(state.first_at[piece]), int(state.last_at[piece]),
                constants.now, constants.fading.own_days or 0.0,
            )  # fmt: skip
            expected[state.offers[piece]] = np.log1p(left / LEAST)
        assert np.allclose(phi[:, AGAIN], expected, rtol=1e-12, atol=0.0)
        assert np.array_equal(phi[:, TREND], constants.trend)
        repeats = np.where(expected > 0, constants.repeat_rate, 0.0)
        assert np.array_equal(phi[:, REPEAT_RATE], repeats)
        seen += int((expected > 0).sum())
    assert seen > 50
    assert len(np.unique(constants.trend)) > 10
    assert len(np.unique(constants.repeat_rate)) > 10


def test_the_purchases_of_an_offer_are_among_what_explains_it(scorer: Scorer) -> None:
    checked = 0
    for buyer in range(0, len(scorer.corpus.buyers), 7):
        state = state_of(scorer.corpus, buyer)
        bought = np.flatnonzero(state.evidence_kinds == PURCHASED)
        own = state.offers[bought]
        told = effects_of_pieces(scorer, state, scorer.read(state), own, 1)
        for piece, offer, effects in zip(bought.tolist(), own, told, strict=True):
            (effect,) = [e for e in effects if e.row == piece]
            assert effect.mask is Mask.PIECE
            rest = scorer.score_pairs(state.without_piece(piece), np.array([offer], np.int32))
            assert effect.score_without == pytest.approx(rest[0], rel=1e-9)
            checked += effect.carrier == AGAIN
    assert checked > 20


def test_a_pair_reads_the_interest_in_its_own_offer_and_no_other(scorer: Scorer) -> None:
    offers = np.arange(len(scorer.corpus.offers), dtype=np.int32)
    constants, twice = scorer.constants, 0
    for buyer in range(len(scorer.corpus.buyers)):
        state = state_of(scorer.corpus, buyer)
        phi = scorer.components(scorer.read(state), offers)
        ever, lately = np.zeros(len(offers)), np.zeros(len(offers))
        for piece in np.flatnonzero(state.evidence_kinds != PURCHASED):
            count, weight = int(state.counts[piece]), state.weights[piece]
            left = faded_count(
                count, int(state.first_at[piece]), int(state.last_at[piece]),
                constants.now, constants.fading.interest_days or 0.0,
            )  # fmt: skip
            twice += ever[state.offers[piece]] > 0 and weight > 0
            ever[state.offers[piece]] += weight * count
            lately[state.offers[piece]] += weight * left
        assert np.allclose(phi[:, INTEREST], np.log1p(ever / LEAST), rtol=1e-12, atol=0.0)
        assert np.allclose(phi[:, INTEREST_LATELY], np.log1p(lately / LEAST), rtol=1e-12, atol=0.0)
    assert twice


def test_interest_in_an_offer_is_among_what_explains_it(scorer: Scorer) -> None:
    carried = 0
    for buyer in range(len(scorer.corpus.buyers)):
        state = state_of(scorer.corpus, buyer)
        looked = np.flatnonzero((state.evidence_kinds != PURCHASED) & (state.weights > 0))
        own = state.offers[looked]
        told = effects_of_pieces(scorer, state, scorer.read(state), own, 1)
        for piece, offer, effects in zip(looked.tolist(), own, told, strict=True):
            (effect,) = [e for e in effects if e.row == piece]
            rest = scorer.score_pairs(state.without_piece(piece), np.array([offer], np.int32))
            assert effect.score_without == pytest.approx(rest[0], rel=1e-9)
            carried += effect.carrier == INTEREST
    assert carried > 20


def test_interest_lately_and_ever_are_told_as_one(scorer: Scorer) -> None:
    lately = scorer.with_blend(Blend.of({"interest_lately": 1.0}, -3.0))
    state = next(
        state
        for state in (state_of(scorer.corpus, buyer) for buyer in range(len(scorer.corpus.buyers)))
        if ((state.evidence_kinds != PURCHASED) & (state.weights > 0)).any()
    )
    looked = np.flatnonzero((state.evidence_kinds != PURCHASED) & (state.weights > 0))[:1]
    (effects,) = effects_of_pieces(lately, state, lately.read(state), state.offers[looked], 1, 1)
    assert effects[0].row == looked[0]
    assert effects[0].carrier == INTEREST


def test_whether_it_comes_back_is_told_with_having_bought_it(scorer: Scorer) -> None:
    by = Blend.of({}, -3.0).combination
    own = np.zeros(len(by.weights))
    own[REPEAT_RATE] = 1.0
    # Alone, it would carry more than both together.
    comes_back = scorer.with_blend(Blend(by._replace(own=own, own_bias=-0.01)))
    carried = seen = 0
    for buyer in range(0, len(scorer.corpus.buyers), 7):
        state = state_of(scorer.corpus, buyer)
        bought = state.offers[state.evidence_kinds == PURCHASED]
        offers = bought[scorer.constants.repeat_rate[bought] > 0.1]
        told = effects_of_pieces(comes_back, state, comes_back.read(state), offers, 1, 1)
        carried += sum(effect.carrier == AGAIN for (effect,) in told)
        seen += len(offers)
    assert carried == seen > 20


def test_offers_that_are_new_since_the_snapshot_have_no_trend(scorer: Scorer) -> None:
    grown = scorer.constants.for_offers(len(scorer.corpus.offers) + 2)
    assert np.array_equal(grown.repeat_rate, [*scorer.constants.repeat_rate, 0.0, 0.0])
    assert np.array_equal(grown.trend, [*scorer.constants.trend, 0.0, 0.0])
