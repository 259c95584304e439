"""Rankings in blocks: views restrict what is ranked, and blocks and threads change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation import views
from evaluation.rankings import served_scores
from evaluation.views import View, rank_blocks
from scoring.corpus_building import build_corpus
from scoring.ragged import Ragged, ragged_from_pairs
from scoring.scorer import build_scorer
from scoring.states import state_of
from tests.gnn.planted import planted_snapshot

TESTERS = np.array([3, 0, 7, 5, 6])
OFFERS = 11


def scores_of(block: np.ndarray) -> dict[str, np.ndarray]:
    rows = [np.random.default_rng(int(b)).random(OFFERS) for b in block]
    return {"one": np.stack(rows), "other": -np.stack(rows)}


def some_of_each(share: float) -> Ragged:
    chosen = np.random.default_rng(1).random((len(TESTERS), OFFERS)) < share
    chosen[2] = False
    testers, offers = np.nonzero(chosen)
    return ragged_from_pairs(testers, offers, len(TESTERS))


def by_hand(tester: int, model: str, allowed: set[int], k: int) -> list[int]:
    scores = scores_of(np.array([TESTERS[tester]]))[model][0]
    best = sorted(allowed, key=lambda offer: -scores[offer])[:k]
    return best + [-1] * (k - len(best))


@pytest.mark.parametrize(("height", "threads"), [(128, 1), (2, 1), (1, 3)])
def test_each_view_ranks_what_it_should(
    height: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "BLOCK", height)
    some, few = some_of_each(0.3), np.arange(OFFERS) % 3 == 0
    everything, kept = set(range(OFFERS)), set(np.flatnonzero(few).tolist())
    shown = {
        "all": View(),
        "masked": View(masked=some),
        "within": View(within=some),
        "allowed": View(allowed=few),
        "both": View(masked=some, allowed=few),
    }
    tops = rank_blocks(scores_of, TESTERS, OFFERS, shown, 6, threads=threads)
    for tester in range(len(TESTERS)):
        mine = set(some.row(tester).tolist())
        expected = {
            "all": everything,
            "masked": everything - mine,
            "within": mine,
            "allowed": kept,
            "both": kept - mine,
        }
        for view, allowed in expected.items():
            for model in ("one", "other"):
                found = tops[view][model][tester].tolist()
                assert found == by_hand(tester, model, allowed, 6), (view, model, tester)


def test_blocks_are_small_where_there_are_many_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def score(block: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(len(block))
        return scores_of(block)

    monkeypatch.setattr(views, "CELLS", 2 * OFFERS)
    rank_blocks(score, TESTERS, OFFERS, {"all": View()}, 3)
    assert seen == [2, 2, 1]


def test_what_is_measured_is_what_serves() -> None:
    scorer = build_scorer(build_corpus(planted_snapshot(buyers=30, offers=40, purchases=300)))
    buyers = np.array([4, 0, 29])
    measured = served_scores(scorer, buyers)["offerpath"]
    served = np.stack([scorer.score_offers(state_of(scorer.corpus, b)) for b in buyers.tolist()])
    assert np.array_equal(measured, served)
    assert len(np.unique(served)) > 10
