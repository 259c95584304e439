"""What diversity costs: the lists are those that serve, and the figures mean what they say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from evaluation.diversity_curve import SETTINGS, DiversityCurve, K, measure_diversity
from gnn.train import TrainedModel
from gnn.walk_tuning import bought_rows, rows_of
from matching.ranking import rank_offer_rows
from matching.requests import OfferMatchRequest
from matching.state import Inverted, MatcherState
from scoring.corpus_building import build_corpus
from scoring.metrics import coverage, measure_top
from scoring.ragged import ragged_from_pairs
from scoring.scorer import Scorer, build_scorer
from scoring.states import state_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUYERS = np.arange(0, 60, 3)


@pytest.fixture(scope="module")
def scorer(planted: GraphSnapshot, trained: TrainedModel) -> Scorer:
    return build_scorer(build_corpus(planted), trained.model)


def curve_of(scorer: Scorer, buyers: np.ndarray) -> DiversityCurve:
    known = rows_of(bought_rows(scorer.corpus), buyers)
    owner = np.repeat(np.arange(len(buyers)), 3)
    drawn = np.random.default_rng(0).integers(0, len(scorer.corpus.offers), len(owner))
    return measure_diversity(
        scorer, buyers, known, ragged_from_pairs(owner, drawn, len(buyers)), SILENT
    )


def test_its_lists_are_those_that_are_served(scorer: Scorer) -> None:
    corpus = scorer.corpus
    wanted = np.random.default_rng(1).integers(0, len(corpus.offers), (len(BUYERS), 3))
    fresh = ragged_from_pairs(np.repeat(np.arange(len(BUYERS)), 3), wanted.ravel(), len(BUYERS))
    known = rows_of(bought_rows(corpus), BUYERS)
    curve = measure_diversity(scorer, BUYERS, known, fresh, SILENT)
    state = MatcherState(corpus, scorer, 0, None, Inverted(corpus.buyers, len(corpus.offers)))
    for point in curve.points:
        request = OfferMatchRequest(diversity=point.diversity)
        tops = [
            rank_offer_rows(state, state_of(corpus, int(buyer)), request, NOW).rows[:K]
            for buyer in BUYERS
        ]
        top = np.array(tops, dtype=np.int32)
        assert point.ndcg == pytest.approx(measure_top(top, fresh, K).means()["ndcg"])
        assert point.coverage == coverage(top, len(corpus.offers), K)


def test_lists_spread_as_diversity_grows(scorer: Scorer) -> None:
    curve = curve_of(scorer, BUYERS)
    assert [point.diversity for point in curve.points] == list(SETTINGS)
    spread = [point.unlikeness for point in curve.points]
    assert spread[-1] > spread[0] + 0.1
    assert all(later >= earlier - 0.01 for earlier, later in pairwise(spread))
    assert all(0 <= value <= 1 for value in spread)


def test_a_list_of_one_offer_is_not_unlike_itself(planted: GraphSnapshot) -> None:
    single = replace(
        planted,
        offers=planted.offers.head(1),
        purchases=planted.purchases.clear(),
        interactions=planted.interactions.clear(),
    )
    curve = curve_of(build_scorer(build_corpus(single)), np.arange(2))
    assert {point.unlikeness for point in curve.points} == {0.0}


def test_no_buyers_leave_an_empty_curve(scorer: Scorer) -> None:
    curve = curve_of(scorer, BUYERS[:0])
    assert curve.buyers == 0
    assert all(point.ndcg == 0.0 for point in curve.points)
