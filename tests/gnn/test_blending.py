"""Examples: what a buyer took, the likeliest it did not, and some that stand for all the rest."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn import blending
from gnn.again_tuning import tune_fading
from gnn.blending import Asked, Examples, calibrated, fit_weights, gather_examples, logits_of
from gnn.split import Split, split_snapshot
from gnn.walk_tuning import bought_rows
from scoring.again import LEAST
from scoring.blend import Blend
from scoring.components import (
    COMPONENTS,
    COSINE,
    EVIDENCE,
    INTEREST_LATELY,
    NEAR_5,
    POPULARITY,
    SLIM_LOG,
    TREND,
    WALK,
)
from scoring.corpus_building import build_corpus
from scoring.scorer import Scorer, build_scorer
from scoring.states import state_of
from tests.gnn.test_again_tuning import BUYERS, watched

HARD, EASY = 10, 5


def asked_of(scorer: Scorer, buyers: NDArray[np.int64], split: Split) -> Asked:
    return Asked(scorer, buyers, bought_rows(scorer.corpus), split.fresh)


@pytest.fixture(scope="module")
def asked(planted: GraphSnapshot) -> Asked:
    split = split_snapshot(planted, 0.1, 0, first_purchases=True)
    return asked_of(build_scorer(build_corpus(split.known)), split.testers[:20], split)


def gathered(asked: Asked) -> Examples:
    return gather_examples([asked], np.random.default_rng(0), SILENT)


def test_the_likeliest_are_examples_and_others_stand_for_the_rest(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = gathered(asked)
    monkeypatch.setattr(blending, "HARD", HARD)
    monkeypatch.setattr(blending, "EASY", EASY)
    monkeypatch.setattr(blending, "FEW", 2 * (HARD + EASY))
    some = gathered(asked)
    assert len(asked.buyers) == 20
    for buyer in range(len(asked.buyers)):
        whole, part = everything.of(buyer, buyer + 1), some.of(buyer, buyer + 1)
        rough = whole.phi[:, [WALK, SLIM_LOG, POPULARITY, TREND]].sum(axis=1)
        rough += 5.0 * whole.phi[:, COSINE] + 0.5 * whole.phi[:, NEAR_5]
        likeliest = whole.phi[np.argsort(-rough, kind="stable")[: HARD // 2]]
        held = {row.tobytes() for row in part.phi}
        assert all(row.tobytes() in held for row in likeliest)
        # All it took, each once; with what they stand for, as many as there are.
        assert part.taken.sum() == whole.taken.sum() > 0
        assert (part.importance[part.taken] == 1.0).all()
        assert (part.importance > 1.0).sum() == EASY
        assert part.importance.sum() == pytest.approx(len(whole.phi))


def test_of_few_offers_all_are_examples(asked: Asked) -> None:
    examples, corpus = gathered(asked), asked.scorer.corpus
    for number, buyer in enumerate(asked.buyers.tolist()):
        bought = len(np.unique(state_of(corpus, buyer).offers))
        assert len(examples.of(number, number + 1).phi) >= len(corpus.offers) - bought
    assert (examples.importance == 1.0).all()


def test_the_score_says_how_much_each_buyer_takes() -> None:
    random = np.random.default_rng(0)
    buyers, each = 400, 500
    evidence = np.repeat(random.uniform(0.0, 4.0, buyers), each)
    walk = random.uniform(0.0, 2.0, buyers * each)
    rate = 1.0 / (1.0 + np.exp(6.0 - 0.8 * evidence - walk))
    phi = np.zeros((buyers * each, len(COMPONENTS)), dtype=np.float32)
    phi[:, EVIDENCE], phi[:, WALK] = evidence, walk
    # What is given was fitted to orders, in which a level of a buyer's own is nothing but noise.
    off = Blend.of({"walk": 3.0, "evidence": -0.5}, 1.0)
    taken = random.random(len(rate)) < rate
    examples = Examples(phi, taken, np.ones(len(rate)), np.arange(buyers + 1) * each)
    found = calibrated(off, examples)
    said = 1.0 / (1.0 + np.exp(-logits_of(found, examples)))
    for third in np.array_split(np.argsort(evidence, kind="stable"), 3):
        assert said[third].mean() == pytest.approx(examples.taken[third].mean(), rel=0.1)
    assert found.combination.weights[[WALK, EVIDENCE]] == pytest.approx([1.0, 0.8], abs=0.1)
    assert found.calibrated
    first = slice(0, each)
    assert np.array_equal(np.argsort(said[first]), np.argsort(walk[first]))


@pytest.fixture(scope="module")
def onlookers() -> Asked:
    """Of whose looks one in four leads to a purchase, some twenty days later."""
    split = split_snapshot(watched(20.0), 0.1, 0, first_purchases=True)
    corpus = build_corpus(split.known)
    scorer = build_scorer(corpus, fading=tune_fading(corpus, split.taken))
    return asked_of(scorer, np.arange(BUYERS), split)


def looked_at_lately(examples: Examples) -> NDArray[np.bool_]:
    just: NDArray[np.bool_] = examples.phi[:, INTEREST_LATELY] > np.log1p(0.2 / LEAST)
    return just


def test_an_offer_looked_at_lately_is_as_likely_as_it_is_bought(onlookers: Asked) -> None:
    examples = gathered(onlookers)
    scores = 1.0 / (1.0 + np.exp(-logits_of(calibrated(fit_weights(examples), examples), examples)))
    just = looked_at_lately(examples)
    assert just.sum() > 100
    assert scores[just].mean() == pytest.approx(examples.taken[just].mean(), rel=0.15)
    assert scores[just].mean() > 8 * scores[~just].mean()


def test_what_was_looked_at_lately_is_among_the_examples(
    onlookers: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = gathered(onlookers)
    for name, value in (("HARD", HARD), ("EASY", EASY), ("FEW", 2 * (HARD + EASY))):
        monkeypatch.setattr(blending, name, value)
    some = gathered(onlookers)
    assert len(some.phi) < 0.5 * len(everything.phi)
    assert looked_at_lately(some).sum() == looked_at_lately(everything).sum() > 100
