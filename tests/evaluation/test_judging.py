"""A training is judged on what it has not seen, and beside the model in service on equal terms."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from evaluation.evaluate import Evaluation
from evaluation.judging import (
    OWN,
    SAME,
    Comparison,
    compare,
    judge,
    lift_of,
    ndcg_by_model,
    only_rows,
    unseen_pairs,
    with_judges,
)
from gnn.train import TrainedModel, train
from gnn.validation import Choice
from gnn.walk_tuning import bought_rows
from scoring.artifact import Model
from scoring.corpus_building import build_corpus
from scoring.ragged import Ragged
from scoring.scorer import build_scorer
from scoring.states import state_of
from tests.gnn.conftest import NOW, SMALL


@pytest.fixture(scope="module")
def choice(trained: TrainedModel) -> Choice:
    assert trained.choice is not None
    return trained.choice


@pytest.fixture(scope="module")
def evaluation(trained: TrainedModel, choice: Choice) -> Evaluation:
    return judge(trained, choice, SILENT)


def shuffled(snapshot: GraphSnapshot) -> GraphSnapshot:
    """The same purchases with the offers dealt out anew: nothing can be learned from who bought."""
    offers = snapshot.purchases["offer_id"].sample(fraction=1.0, shuffle=True, seed=5)
    return replace(snapshot, purchases=snapshot.purchases.with_columns(offer_id=offers))


def before(snapshot: GraphSnapshot, share: float) -> GraphSnapshot:
    """What was known before so much of all purchases."""
    moment = snapshot.purchases["at"].sort()[int(share * len(snapshot.purchases))]
    return replace(snapshot, purchases=snapshot.purchases.filter(pl.col("at") < moment))


def model_of(snapshot: GraphSnapshot) -> Model:
    """A model as it would be in service."""
    return train(snapshot, SMALL, now=NOW).model


@pytest.fixture(scope="module")
def good(planted: GraphSnapshot) -> Model:
    return model_of(before(planted, 0.8))


@pytest.fixture(scope="module")
def bad(planted: GraphSnapshot) -> Model:
    return model_of(shuffled(before(planted, 0.8)))


def test_the_figures_are_of_the_judges_by_the_model_that_was_chosen_with(
    evaluation: Evaluation, choice: Choice
) -> None:
    scorer = build_scorer(build_corpus(choice.split.known), choice.model)
    bought, found = bought_rows(scorer.corpus), []
    for judge_row in choice.judges.tolist():
        scores = scorer.score_offers(state_of(scorer.corpus, judge_row))
        scores[bought.row(judge_row)] = -1.0
        wanted = set(choice.split.fresh.row(judge_row).tolist())
        shown = np.argsort(-scores, kind="stable")[:20].tolist()
        gain = sum(1 / np.log2(place + 2) for place, o in enumerate(shown) if o in wanted)
        found.append(gain / sum(1 / np.log2(n + 2) for n in range(min(len(wanted), 20))))
    assert len(found) > 50
    assert evaluation.new["offerpath"]["buyers"] == len(found)
    assert evaluation.new["offerpath"]["ndcg@20"] == pytest.approx(np.mean(found), abs=1e-12)


def test_the_model_that_is_judged_has_not_seen_what_it_is_asked_for(
    trained: TrainedModel, choice: Choice
) -> None:
    known = build_corpus(choice.split.known)
    bought = {
        (int(buyer), int(offer))
        for buyer in choice.judges
        for offer in known.buyers.offer[known.buyers.ptr[buyer] : known.buyers.ptr[buyer + 1]]
    }
    asked = {(int(b), int(o)) for b in choice.judges for o in choice.split.fresh.row(int(b))}
    assert asked and not asked & bought
    ours, theirs = choice.model.arrays["offer_z"], trained.model.arrays["offer_z"]
    assert not np.array_equal(ours, theirs)


def test_a_lift_is_a_ratio_with_the_error_that_drawing_buyers_anew_has() -> None:
    rng = np.random.default_rng(0)
    ndcg = {name: rng.beta(2, 5, 400) for name in ("popularity", "item_knn", "walk")}
    ndcg["walk"] += 0.1
    ndcg["offerpath"] = 0.5 * ndcg["walk"] + rng.beta(2, 5, 400)
    lift = lift_of(ndcg)
    assert lift is not None
    assert (lift.baseline, lift.judges) == ("walk", 400)
    assert lift.lift == pytest.approx(ndcg["offerpath"].mean() / ndcg["walk"].mean())
    draws = rng.integers(0, 400, (3000, 400))
    ratios = ndcg["offerpath"][draws].mean(axis=1) / ndcg["walk"][draws].mean(axis=1)
    assert lift.error == pytest.approx(ratios.std(), rel=0.1)


def test_nothing_found_by_simple_models_gives_no_lift() -> None:
    names = ("popularity", "item_knn", "walk", "offerpath")
    assert lift_of({name: np.zeros(9) for name in names}) is None
    assert lift_of({name: np.ones(1) for name in names}) is None


@pytest.mark.parametrize(
    ("new", "old", "error", "is_worse"),
    [
        (0.10, 0.20, 0.01, True),
        (0.20, 0.10, 0.01, False),
        (0.10, 0.20, 0.06, False),
        (0.1995, 0.2, 0.0001, False),
        (0.197, 0.2, 0.0001, True),
        (0.2, 0.2, 0.0, False),
    ],
)
def test_worse_is_more_than_chance_and_more_than_trifles(
    new: float, old: float, error: float, is_worse: bool
) -> None:
    comparison = Comparison("before", SAME, 100, new, old, error)
    assert comparison.is_worse is is_worse
    assert ("It does worse" in comparison.words()) is is_worse


def test_a_model_that_learned_from_shuffled_purchases_is_worse_than_one_that_did_not(
    planted: GraphSnapshot, choice: Choice, good: Model
) -> None:
    poor = train(shuffled(planted), SMALL, now=NOW).choice
    assert poor is not None
    mixed_up = replace(choice, model=poor.model)
    corpus = build_corpus(choice.split.known)
    comparison = compare(planted, mixed_up, corpus, None, good, SILENT)
    assert comparison is not None
    assert (comparison.on, comparison.is_worse) == (SAME, True)
    assert comparison.judges >= 50
    assert comparison.new < 0.7 * comparison.old


def test_a_model_that_learned_is_not_worse_than_one_in_service_that_did_not(
    planted: GraphSnapshot, choice: Choice, good: Model, bad: Model
) -> None:
    corpus = build_corpus(choice.split.known)
    beside_bad = compare(planted, choice, corpus, None, bad, SILENT)
    beside_good = compare(planted, choice, corpus, None, good, SILENT)
    assert beside_bad is not None and beside_good is not None
    assert not beside_bad.is_worse and not beside_good.is_worse
    assert beside_bad.new == beside_good.new > beside_bad.old + 2 * beside_bad.error


def test_a_model_is_as_good_as_itself(planted: GraphSnapshot, choice: Choice, good: Model) -> None:
    itself = replace(choice.model, manifest=choice.model.manifest | {"data": good.manifest["data"]})
    corpus = build_corpus(choice.split.known)
    comparison = compare(planted, choice, corpus, None, itself, SILENT)
    assert comparison is not None
    assert comparison.new == comparison.old > 0
    assert (comparison.error, comparison.is_worse) == (0.0, False)


def test_only_what_came_after_the_model_in_service_is_asked_for(
    planted: GraphSnapshot, choice: Choice, good: Model
) -> None:
    moment = planted.purchases["at"].sort()[int(0.95 * len(planted.purchases))]
    assert isinstance(moment, datetime)
    data = good.manifest["data"] | {"last_purchase_at": moment.isoformat()}
    later = replace(good, manifest=good.manifest | {"data": data})
    found = unseen_pairs(planted, choice, later)
    ids, offers = planted.buyers["id"].to_list(), planted.offers["id"].to_list()
    first = {
        (buyer, offer): at
        for buyer, offer, at in planted.purchases.group_by("buyer_id", "offer_id")
        .agg(pl.col("at").min())
        .rows()
    }
    for row in range(len(ids)):
        fresh = choice.split.fresh.row(row).tolist() if row in choice.judges else []
        expected = [o for o in fresh if first[ids[row], offers[o]] > moment]
        assert found.row(row).tolist() == expected
    assert 0 < len(found.values) < len(choice.split.fresh.values)


def test_where_the_model_in_service_has_seen_everything_lifts_are_compared(
    planted: GraphSnapshot, trained: TrainedModel, evaluation: Evaluation, choice: Choice
) -> None:
    lift = lift_of(ndcg_by_model(evaluation, choice))
    assert lift is not None and lift.lift > 1
    corpus = build_corpus(choice.split.known)

    def beside(known: dict[str, float] | None) -> Comparison | None:
        manifest = trained.model.manifest | {"judged": known}
        in_service = replace(trained.model, manifest=manifest)
        return compare(planted, choice, corpus, lift, in_service, SILENT)

    better = beside({"judges": 200, "lift": 2 * lift.lift, "error": 0.01})
    assert better is not None
    assert (better.on, better.new, better.is_worse) == (OWN, lift.lift, True)
    poorer = beside({"judges": 200, "lift": 0.9 * lift.lift, "error": 0.01})
    assert poorer is not None and not poorer.is_worse
    assert beside({"judges": 20, "lift": 9.0, "error": 0.01}) is None
    assert beside(None) is None


def test_a_model_of_another_graph_is_not_compared(
    planted: GraphSnapshot, choice: Choice, good: Model
) -> None:
    corpus = build_corpus(choice.split.known)
    other = replace(planted, graph_id="another")
    assert compare(other, choice, corpus, None, good, SILENT) is None


def test_without_times_there_is_nothing_that_only_one_has_seen(timeless: GraphSnapshot) -> None:
    trained = train(timeless, SMALL, now=NOW)
    assert trained.choice is not None
    assert len(unseen_pairs(timeless, trained.choice, trained.model).values) == 0


def test_fewer_judges_are_drawn_evenly(choice: Choice) -> None:
    fewer = with_judges(choice, 10)
    assert len(fewer.judges) == 10
    assert set(fewer.judges.tolist()) <= set(choice.judges.tolist())
    assert (fewer.judges[0], fewer.judges[-1]) == (choice.judges[0], choice.judges[-1])
    assert with_judges(choice, 10_000).judges.tolist() == choice.judges.tolist()


def test_only_the_chosen_rows_stay() -> None:
    ragged = Ragged(np.array([0, 2, 2, 5]), np.array([1, 2, 3, 4, 5], np.int32))
    kept = only_rows(ragged, np.array([2]))
    assert [kept.row(row).tolist() for row in range(3)] == [[], [], [3, 4, 5]]
