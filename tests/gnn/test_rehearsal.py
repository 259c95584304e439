"""What has no history is rehearsed: it is forgotten as if it had never been, and fitted on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn import choosing, rehearsal
from gnn.blending import (
    Asked,
    Examples,
    calibrated,
    candidates,
    fit_weights,
    gather_examples,
)
from gnn.network import FittedNetwork, fit_network
from gnn.rehearsal import NEWCOMERS, rehearsals, without_history
from gnn.train import TrainedModel, train
from gnn.validation import Choice
from gnn.walk_tuning import bought_rows
from scoring.blend import Blend
from scoring.components import (
    CATEGORY,
    COSINE,
    EVIDENCE,
    KIND_POPULARITY,
    LOW_RANK,
    POPULARITY,
    SLIM,
    WALK,
)
from scoring.corpus_building import build_corpus
from scoring.scorer import Scorer, build_scorer
from scoring.states import state_of
from scoring.walk import WalkSettings
from tests.gnn.conftest import NOW, SMALL


@pytest.fixture(scope="module")
def choice(trained: TrainedModel) -> Choice:
    assert trained.choice
    return trained.choice


@pytest.fixture(scope="module")
def scorer(choice: Choice) -> Scorer:
    return build_scorer(build_corpus(choice.split.known), choice.model)


@pytest.fixture(scope="module")
def asked(choice: Choice, scorer: Scorer) -> list[Asked]:
    halves = np.split(choice.split.testers, [40])
    bought = bought_rows(scorer.corpus)
    return [Asked(scorer, half, bought, choice.split.fresh) for half in halves]


def rehearsed(choice: Choice, scorer: Scorer, asked: list[Asked]) -> list[list[Asked]]:
    walk = WalkSettings(**choice.model.manifest["walk"])
    return rehearsals(scorer, choice.model, walk, asked, np.random.default_rng(0))


def forgotten_of(scorer: Scorer) -> NDArray[np.bool_]:
    random = np.random.default_rng(0)
    forgotten: NDArray[np.bool_] = random.random(len(scorer.corpus.offers)) < rehearsal.OFFERS_SHARE
    return forgotten


def test_nothing_but_the_history_is_lost(scorer: Scorer) -> None:
    corpus = scorer.corpus
    forgotten = forgotten_of(scorer)
    newcomers = np.array([3, 50])
    left = without_history(corpus, forgotten, newcomers)
    for buyer in range(len(corpus.buyers)):
        before, after = state_of(corpus, buyer), state_of(left, buyer)
        kept = np.flatnonzero(~forgotten[before.offers] & (buyer not in newcomers))
        for name in ("offers", "evidence_kinds", "counts", "first_at", "last_at"):
            assert np.array_equal(getattr(after, name), getattr(before, name)[kept])
        assert (after.kind, after.country) == (before.kind, before.country)
    assert len(left.buyers.offer) < 0.95 * len(corpus.buyers.offer)
    assert left.offers is corpus.offers


def test_forgotten_offers_are_what_their_features_say(
    choice: Choice, scorer: Scorer, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "MOST_ASKED_AGAIN", 30)
    forgotten = forgotten_of(scorer)
    for part, again in zip(asked, rehearsed(choice, scorer, asked), strict=True):
        (lists,) = again
        assert lists.buyers.tolist() == part.buyers[:30].tolist()
        assert lists.fresh is part.fresh
        likes = []
        for number, (offers, phi, _) in enumerate(candidates(again)):
            gone = forgotten[offers]
            # Nobody is asked about what it has bought, though that be forgotten.
            assert not np.isin(offers, part.bought.row(int(lists.buyers[number]))).any()
            assert not phi[gone][:, [WALK, SLIM, LOW_RANK, POPULARITY]].any()
            newcomer = number % NEWCOMERS == 0
            assert (phi[:, EVIDENCE] == 0.0).all() == newcomer
            if newcomer:
                assert not phi[:, [WALK, SLIM, LOW_RANK, CATEGORY]].any()
                assert phi[:, KIND_POPULARITY].any()
            else:
                assert phi[~gone][:, WALK].any()
                likes.append(np.ptp(phi[gone][:, COSINE]))
        assert min(likes) > 0.1


def test_where_nothing_tells_offers_apart_nothing_is_rehearsed(planted: GraphSnapshot) -> None:
    plain = _undescribed(planted)
    made = train(plain, replace(SMALL, epochs=2), now=NOW)
    assert made.choice
    scorer = build_scorer(build_corpus(made.choice.split.known), made.choice.model)
    part = Asked(scorer, made.choice.judges, bought_rows(scorer.corpus), made.choice.split.fresh)
    assert rehearsed(made.choice, scorer, [part, part]) == [[], []]


def test_a_half_is_fitted_on_what_it_rehearsed_and_on_nothing_of_the_other(
    choice: Choice, scorer: Scorer, asked: list[Asked]
) -> None:
    again = rehearsed(choice, scorer, asked)
    lists = choosing._gathered([[one] for one in asked], again, np.random.default_rng(1), SILENT)
    alone = np.random.default_rng(1)
    order = [again[0][0], *asked, again[1][0]]
    each = [gather_examples([one], alone, SILENT).phi for one in order]
    assert np.array_equal(lists.rehearsed[0].phi, np.concatenate(each))
    assert np.array_equal(lists.rehearsed[1].phi, np.concatenate(each[:2]))
    assert np.array_equal(lists.rehearsed[2].phi, np.concatenate(each[2:]))
    assert np.array_equal(lists.own[0].phi, np.concatenate(each[1:3]))
    assert np.array_equal(lists.own[1].phi, each[1])
    assert np.array_equal(lists.own[2].phi, each[2])


def test_training_fits_on_what_is_rehearsed_and_watches_what_is_not(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[tuple[int, int | None]] = []

    def network(
        examples: Examples, *args: Any, watched: Examples | None = None, **more: Any
    ) -> FittedNetwork:
        fitted.append((_lists(examples), _lists(watched) if watched else None))
        return fit_network(examples, *args, watched=watched, **more)

    monkeypatch.setattr(rehearsal, "MOST_ASKED_AGAIN", 30)
    summed: list[int] = []

    def weights(examples: Examples) -> Blend:
        summed.append(_lists(examples))
        return fit_weights(examples)

    monkeypatch.setattr(choosing, "fit_network", network)
    monkeypatch.setattr(choosing, "fit_weights", weights)
    held_to: list[int] = []

    def calibrating(blend: Blend, examples: Examples) -> Blend:
        held_to.append(_lists(examples))
        return calibrated(blend, examples)

    monkeypatch.setattr(choosing, "calibrated", calibrating)
    monkeypatch.setattr(choosing, "plainest_of_the_best", lambda _: "network")
    made = train(planted, replace(SMALL, epochs=2), now=NOW)
    assert made.choice
    testers = len(made.choice.split.testers)
    one, other = testers // 2, testers - testers // 2
    assert fitted == [(one + 30, other), (other + 30, one), (testers + 60, None)]
    # One line for everything would give of what is known for what is not.
    assert summed == [one, other]
    # Nor may what is rehearsed move how likely the score says a purchase is.
    assert set(held_to) == {testers, one, other}


def _lists(examples: Examples) -> int:
    return len(examples.ptr) - 1


def _undescribed(snapshot: GraphSnapshot) -> GraphSnapshot:
    kept = {"id", "status"}
    offers = snapshot.offers.with_columns(
        pl.lit([] if dtype == pl.List(pl.String) else None, dtype=dtype).alias(name)
        for name, dtype in snapshot.offers.schema.items()
        if name not in kept
    )
    return replace(snapshot, offers=offers)
