"""Examples: what a buyer took, the likeliest it did not, and some that stand for all the rest."""

from __future__ import annotations

import numpy as np
import pytest

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn import blending
from gnn.blending import Asked, Examples, gather_examples
from gnn.split import split_snapshot
from scoring.components import COSINE, NEAR_5, POPULARITY, SLIM_LOG, TREND, WALK
from scoring.corpus_building import build_corpus
from scoring.scorer import build_scorer
from scoring.states import state_of

HARD, EASY = 10, 5


@pytest.fixture(scope="module")
def asked(planted: GraphSnapshot) -> Asked:
    split = split_snapshot(planted, 0.1, 0, first_purchases=True)
    return Asked(build_scorer(build_corpus(split.known)), split.testers[:20], split.fresh)


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
