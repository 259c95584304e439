"""Buying again weighs as much as buyers bought again, and nothing else moves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from gnn.again_tuning import tune_fading
from gnn.again_weighing import weigh_again
from gnn.split import Split, split_snapshot
from scoring.again import Fading
from scoring.blend import Blend
from scoring.combination import logit_rows
from scoring.components import AGAIN, COMPONENTS, CONTEXT, REPEAT_RATE
from scoring.corpus import PURCHASED
from scoring.corpus_building import build_corpus
from scoring.ragged import Ragged
from scoring.scorer import Scorer, build_scorer
from scoring.states import state_of
from tests.gnn.test_again_tuning import BUYERS, OFFERS, market, taken_after

PLAIN = Blend.of({"walk": 0.2, "popularity": 0.5, "trend": 0.5}, -4.0, calibrated=True)
EVERYBODY = np.arange(BUYERS)


@pytest.fixture(scope="module")
def split() -> Split:
    return split_snapshot(market(fashion=0.0, habit=15.0, repeated=0.7), 0.1, 0)


def weighed(split: Split, fading: Fading) -> tuple[Scorer, Scorer]:
    """The scorer before and after."""
    corpus = build_corpus(split.known)
    before = build_scorer(corpus, blend=PLAIN, fading=fading)
    taken = taken_after(split.fresh, split.repeated)
    blend = weigh_again(before, PLAIN, EVERYBODY, taken)
    return before, build_scorer(corpus, blend=blend, fading=fading)


def own_offers(scorer: Scorer, buyer: int) -> NDArray[np.bool_]:
    b = scorer.corpus.buyers
    pieces = slice(b.ptr[buyer], b.ptr[buyer + 1])
    own = np.zeros(len(scorer.corpus.offers), dtype=bool)
    own[b.offer[pieces][b.evidence_kind[pieces] == PURCHASED]] = True
    return own


def test_what_was_not_bought_keeps_its_score_to_the_bit(split: Split) -> None:
    before, after = weighed(split, Fading(own_days=20.0))
    assert after.blend.combination.own[AGAIN] > 0
    for buyer in range(0, BUYERS, 10):
        state = state_of(before.corpus, buyer)
        own = own_offers(before, buyer)
        first, then = before.score_offers(state), after.score_offers(state)
        assert np.array_equal(first[~own], then[~own])
        assert not np.isclose(first[own], then[own]).any()


def test_own_offers_score_as_often_as_they_are_bought_again(split: Split) -> None:
    before, after = weighed(split, Fading(own_days=20.0))
    scores, taken = [], []
    for buyer in EVERYBODY.tolist():
        own = own_offers(before, buyer)
        scores.append(after.score_offers(state_of(before.corpus, buyer))[own])
        taken.append(np.isin(np.flatnonzero(own), split.repeated.row(buyer)))
    score, took = np.concatenate(scores), np.concatenate(taken)
    assert score.mean() == pytest.approx(took.mean(), rel=0.15)
    assert score[took].mean() > 1.5 * score[~took].mean()


def test_the_next_purchases_of_own_offers_come_first(split: Split) -> None:
    """More of them are among the first three than among the three bought most often."""
    fading = tune_fading(build_corpus(split.known), taken_after(split.fresh, split.repeated))
    before, after = weighed(split, fading)
    b = before.corpus.buyers
    found = np.zeros(2)
    for buyer in EVERYBODY.tolist():
        wanted = split.repeated.row(buyer)
        pieces = slice(b.ptr[buyer], b.ptr[buyer + 1])
        offers, often = b.offer[pieces], b.count[pieces]
        scores = after.score_offers(state_of(before.corpus, buyer))[offers]
        for method, order in enumerate(
            (np.lexsort((-b.last_at[pieces], -often)), np.argsort(-scores))
        ):
            found[method] += np.isin(offers[order[:3]], wanted).sum()
    assert found[1] >= 1.1 * found[0]


def test_what_comes_back_comes_first() -> None:
    """Only half of the offers are ever bought again on purpose; all are bought as often first."""
    staples = OFFERS // 2
    split = split_snapshot(market(fashion=0.0, habit=200.0, staples=staples), 0.1, 0)
    before, after = weighed(split, Fading(own_days=200.0))
    assert after.blend.combination.own[REPEAT_RATE] > 0
    means = []
    for scorer in (before, after):
        ranked = []
        for buyer in EVERYBODY.tolist():
            own = np.flatnonzero(own_offers(scorer, buyer))
            scores = scorer.score_offers(state_of(scorer.corpus, buyer))[own]
            ranked.append((own[np.argsort(-scores)[: len(own) // 4]] < staples).mean())
        means.append(np.mean(ranked))
    assert means[1] > 0.95
    assert means[1] > means[0]


def test_without_repeats_nothing_weighs(split: Split) -> None:
    scorer = build_scorer(build_corpus(split.known), blend=PLAIN, fading=Fading(own_days=20.0))
    nothing = Ragged(np.zeros(BUYERS + 1, np.int64), np.zeros(0, np.int32))
    assert weigh_again(scorer, PLAIN, EVERYBODY, nothing) is PLAIN


def test_a_blend_is_kept_and_rescaled_with_what_weighs_again(split: Split) -> None:
    scorer = weighed(split, Fading(own_days=20.0))[1]
    blend = scorer.blend
    kept = Blend.from_mapping(json.loads(json.dumps(blend.as_mapping())))
    phi = np.abs(np.random.default_rng(0).normal(0, 1, (40, len(COMPONENTS))))
    phi[::2, AGAIN] = 0.0
    phi[:, CONTEXT] = 0.0
    logits = logit_rows(phi, blend.combination)
    assert np.array_equal(logit_rows(phi, kept.combination), logits)
    rescaled = logit_rows(phi, blend.rescaled(0.7, -1.5).combination)
    assert np.allclose(rescaled, 0.7 * logits - 1.5, rtol=1e-12)
