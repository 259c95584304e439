"""How much circumstances count is learned where they tell something, and 0 where they do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from core.context import parse_context
from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn.choosing import Chosen
from gnn.context_fitting import Answers, fit_context, gather_answers, questions_of
from gnn.recipe import Recipe
from gnn.split import Split, split_snapshot
from gnn.train import TrainSettings, train
from scoring.corpus_building import build_corpus
from scoring.metrics import measure_top, rank_top
from scoring.ragged import Ragged
from scoring.scorer import Scorer, build_scorer
from scoring.states import state_of
from tests.scoring.test_context import OFFERS, weather_market

RAIN = parse_context(["weather=rain"])


def halved(snapshot: GraphSnapshot) -> tuple[Split, Scorer]:
    split = split_snapshot(snapshot, 0.2, 0, first_purchases=True)
    return split, build_scorer(build_corpus(split.known))


def weights_of(snapshot: GraphSnapshot) -> dict[str, float]:
    split, scorer = halved(snapshot)
    testers = np.random.default_rng(0).permutation(split.testers)
    return fit_context(scorer, snapshot, split, testers, np.random.default_rng(1), SILENT)


def test_what_tells_something_is_weighed_and_ranks_better() -> None:
    snapshot = weather_market(1, pull=0.7)
    device = pl.col("context") + "; device=d" + (pl.int_range(pl.len()) % 3).cast(pl.String)
    snapshot = replace(snapshot, purchases=snapshot.purchases.with_columns(context=device))
    weights = weights_of(snapshot)
    assert 0.4 < weights["weather"] < 2.5
    assert set(weights) == {"weather"}
    split, scorer = halved(snapshot)
    wet = replace(scorer, context_weights=weights)
    assert _ndcg(wet, snapshot, split) > 1.05 * _ndcg(scorer, snapshot, split)


@pytest.mark.parametrize("seed", range(3))
def test_what_tells_nothing_is_not_weighed(seed: int) -> None:
    assert weights_of(weather_market(seed, pull=0.0)) == {}


def test_too_few_buyers_tell_nothing() -> None:
    snapshot = weather_market(1, pull=0.7, rows=6000)
    split, scorer = halved(snapshot)
    few = split.testers[:30]
    assert fit_context(scorer, snapshot, split, few, np.random.default_rng(1), SILENT) == {}


def test_questions_are_the_first_takes_of_what_was_held_out() -> None:
    snapshot = weather_market(1, pull=0.5, rows=2000)
    split, _ = halved(snapshot)
    questions = questions_of(snapshot, split, split.testers[:50])
    asked = {(question.buyer, question.offer) for question in questions}
    pairs = {(int(b), int(o)) for b in split.testers[:50] for o in split.fresh.row(int(b))}
    assert asked == pairs
    buyers, offers = snapshot.buyers["id"], snapshot.offers["id"]
    for question in questions[::10]:
        rows = snapshot.purchases.filter(
            (pl.col("buyer_id") == buyers[question.buyer])
            & (pl.col("offer_id") == offers[question.offer])
        ).sort("at")
        assert parse_context([rows["context"][0]])[0] in question.context
        assert {value.name for value in question.context} == {"season", "weather", "weekday"}


def test_the_slope_is_that_of_the_losses() -> None:
    random = np.random.default_rng(0)
    answers = Answers(random.normal(size=30), random.normal(size=(30, 2)),
                      np.array([0, 11, 18]), np.array([0, 0, 1]))  # fmt: skip
    at = answers.fitted([0, 1])
    assert at.min() >= 0.0
    voices = np.array([0.25, 0.25, 0.5])

    def loss(weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        return float(voices @ answers.losses(weights)) + 1e-3 * float(weights @ weights)

    nearby = [at + step for step in random.normal(scale=0.01, size=(50, 2))]
    assert all(loss(at) <= loss(np.maximum(other, 0.0)) + 1e-9 for other in nearby)
    alone = answers.fitted([1])
    assert alone[0] == 0.0


def test_answers_hold_what_was_taken_first_and_nothing_else_taken() -> None:
    snapshot = weather_market(1, pull=0.5, rows=2000)
    split, scorer = halved(snapshot)
    questions = questions_of(snapshot, split, split.testers[:10])
    lifts = scorer.corpus.context_lifts
    answers = gather_answers(
        scorer, lifts, questions, split.fresh, np.random.default_rng(1), SILENT
    )
    for question, start in zip(questions, answers.start.tolist(), strict=True):
        score = scorer.score_offers(state_of(scorer.corpus, question.buyer))[question.offer]
        assert answers.odds[start] == pytest.approx(np.log(score / (1 - score)))
        lift = sum(
            float(found[question.offer])
            for value in question.context
            if (found := lifts.of(value)) is not None
        )
        assert answers.lifts[start].sum() == pytest.approx(lift, abs=1e-6)


def _ndcg(scorer: Scorer, snapshot: GraphSnapshot, split: Split) -> float:
    """Mean NDCG@5 over held-out takes, each asked about under its own circumstances."""
    found = []
    for question in questions_of(snapshot, split, split.testers):
        state = state_of(scorer.corpus, question.buyer)
        scores = scorer.score_offers(state, question.context)
        scores[state.offers] = -1.0
        relevant = Ragged(np.array([0, 1]), np.array([question.offer], np.int32))
        top = rank_top(scores[None, :], 5)
        found.append(measure_top(top, relevant, 5).means()["ndcg"])
    return float(np.mean(found))


def test_a_training_keeps_the_weights_in_the_manifest_and_a_scorer_reads_them() -> None:
    snapshot = weather_market(1, pull=0.7)
    settings = TrainSettings(dimension=8, epochs=2, threads=1)
    model = train(snapshot, settings, now=datetime(2025, 6, 1, tzinfo=UTC)).model
    assert set(model.manifest["context"]) == {"weather"}
    scorer = build_scorer(build_corpus(snapshot), model)
    state = state_of(scorer.corpus, 5)
    dry, wet = scorer.score_offers(state), scorer.score_offers(state, RAIN)
    assert (wet / dry)[0:OFFERS:2].min() > 1.0 > (wet / dry)[1:OFFERS:2].max()
    # Nothing else of the score hangs on it: without circumstances it is what it was.
    none = replace(scorer, context_weights={})
    assert np.array_equal(none.score_offers(state), dry)


def test_what_was_chosen_comes_back_from_a_checkpoint() -> None:
    chosen = replace(Chosen.by_default(Recipe(), 3), context={"weather": 0.5})
    assert Chosen.of_state(chosen.as_state()).context == {"weather": 0.5}
    assert chosen.entries()["context"] == {"weather": 0.5}
