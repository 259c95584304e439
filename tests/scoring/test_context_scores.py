"""Circumstances in the score: the same both ways, masked exactly, nothing when absent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from core.context import Context, parse_context
from scoring.corpus_building import build_corpus, offers_frame, with_offer_rows
from scoring.effects import Mask, effects_of_features
from scoring.scorer import Scorer, build_scorer
from scoring.states import state_of
from tests.scoring.test_context import weather_market

RAIN = parse_context(["weather=rain"])
BOTH = parse_context(["weather=rain", "weekday=monday"])
WEIGHTS = {"weather": 0.8, "weekday": 0.3}


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    corpus = build_corpus(weather_market(1, pull=0.5, rows=2000))
    return replace(build_scorer(corpus), context_weights=WEIGHTS)


@pytest.mark.parametrize("context", [(), RAIN, BOTH])
def test_a_pair_scores_the_same_from_both_directions(scorer: Scorer, context: Context) -> None:
    buyers = range(0, len(scorer.corpus.buyers), 9)
    by_buyer = np.stack([scorer.score_offers(state_of(scorer.corpus, b), context) for b in buyers])
    offers = range(len(scorer.corpus.offers))
    by_offer = np.stack([scorer.score_buyers(o, context=context) for o in offers], axis=1)
    assert np.array_equal(by_buyer, by_offer[::9])


def test_a_circumstance_adds_its_lift_to_the_log_odds(scorer: Scorer) -> None:
    state = state_of(scorer.corpus, 5)
    plain, wet = scorer.score_offers(state), scorer.score_offers(state, RAIN)
    lift = scorer.corpus.context_lifts.of(RAIN[0])
    assert lift is not None
    added = np.log(wet / (1 - wet)) - np.log(plain / (1 - plain))
    assert added == pytest.approx(0.8 * lift, abs=1e-9)
    assert np.abs(added).max() > 0.1


@pytest.mark.parametrize("texts", [["weather=hail"], ["shoe=43"], ["weather=hail", "shoe=43"]])
def test_what_was_not_learned_counts_nothing(scorer: Scorer, texts: list[str]) -> None:
    state = state_of(scorer.corpus, 5)
    context = parse_context(texts)
    assert np.array_equal(scorer.score_offers(state, context), scorer.score_offers(state))
    with_rain = parse_context(["weather=rain", "shoe=43"])
    assert np.array_equal(scorer.score_offers(state, with_rain), scorer.score_offers(state, RAIN))


def test_the_order_of_circumstances_does_not_matter(scorer: Scorer) -> None:
    state = state_of(scorer.corpus, 5)
    assert np.array_equal(
        scorer.score_offers(state, BOTH), scorer.score_offers(state, tuple(reversed(BOTH)))
    )


def test_a_model_without_weights_ignores_all(scorer: Scorer) -> None:
    plain = replace(scorer, context_weights={})
    state = state_of(scorer.corpus, 5)
    assert np.array_equal(plain.score_offers(state, BOTH), plain.score_offers(state))


def test_a_changed_buyer_is_asked_about_under_the_same_circumstances(scorer: Scorer) -> None:
    state = state_of(scorer.corpus, 4).without_evidence()
    scores = scorer.score_buyers(7, {4: state}, RAIN)
    assert scores[4] == scorer.score_offers(state, RAIN)[7]


def test_a_circumstance_contributes_what_its_absence_takes(scorer: Scorer) -> None:
    offers = np.arange(len(scorer.corpus.offers), dtype=np.int32)
    state = state_of(scorer.corpus, 5)
    scores = scorer.score_offers(state, BOTH)
    effects = effects_of_features(scorer, state, scorer.read(state, BOTH), offers)
    checked = 0
    for offer, found in enumerate(effects):
        for effect in found:
            if effect.mask is Mask.CONTEXT:
                rest = BOTH[: effect.row] + BOTH[effect.row + 1 :]
                without = scorer.score_offers(state, rest)[offer]
            elif effect.mask is Mask.EVERYTHING:
                without = scorer.score_offers(state.without_evidence(), BOTH)[offer]
            elif effect.mask is Mask.PREFERENCE:
                without = scorer.score_offers(state.without_preference(effect.row), BOTH)[offer]
            elif effect.mask is Mask.BUYER_PLACE:
                without = scorer.score_offers(state.without_place(), BOTH)[offer]
            else:
                continue
            assert effect.score_without == without
            assert effect.contribution == 1.0 - without / scores[offer]
            checked += effect.mask is Mask.CONTEXT
    assert checked > len(offers) // 2


def test_new_offers_are_asked_about_by_their_categories(scorer: Scorer) -> None:
    frame = offers_frame(scorer.corpus).head(2).with_columns(id="new-" + pl.col("id"))
    grown = scorer.with_corpus(with_offer_rows(scorer.corpus, frame))
    state = state_of(grown.corpus, 5)
    plain, wet = grown.score_offers(state), grown.score_offers(state, RAIN)
    assert wet[-2] > plain[-2]
    assert wet[-1] < plain[-1]
    assert np.array_equal(wet[:-2], scorer.score_offers(state, RAIN))
