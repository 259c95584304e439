"""Where nothing tells what comes next, what serves leans to what is popular as far as it may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.progress import SILENT, Progress
from core.snapshot import GraphSnapshot
from gnn import choosing, leaning
from gnn.blending import Asked, Examples, calibrated, candidates, ndcg_of_blends
from gnn.holdouts import ENOUGH_TESTERS
from gnn.leaning import LEANS, furthest_of_the_best, lean_of, leaned, ndcg_of_leans
from gnn.split import split_snapshot
from gnn.train import train
from scoring.blend import UNTRAINED, WALK_ONLY, Blend
from scoring.combination import logit_rows
from scoring.components import AGAIN, POPULARITY
from scoring.corpus_building import build_corpus
from scoring.metrics import chance_ndcg
from scoring.scorer import build_scorer
from scoring.states import state_of
from tests.gnn.conftest import NOW, SMALL
from tests.gnn.test_blending import asked_of

BUYERS, LEAN = 400, 2.0
Figures = NDArray[np.float64]


def behind(errors: list[float]) -> Figures:
    """Figures of LEANS: so many of its own standard errors behind the first, the rest by ten."""
    noise = np.tile([1.0, -1.0], BUYERS // 2) * 0.01 * np.sqrt(BUYERS - 1)
    own = errors + [10.0] * (len(LEANS) - len(errors))
    return np.stack([np.full(BUYERS, 0.1 - 0.01 * e) + (noise if e else 0.0) for e in own])


def test_the_furthest_that_is_not_told_from_the_best_serves() -> None:
    assert furthest_of_the_best(behind([0.0])) == 0.0
    assert furthest_of_the_best(behind([0.0, 1.0, 1.9])) == LEANS[2]
    assert furthest_of_the_best(behind([0.0, 1.0, 2.1])) == LEANS[1]
    # One that is told from the best does not hide another behind it.
    assert furthest_of_the_best(behind([0.0, 2.1, 1.9])) == LEANS[2]


def test_the_best_is_where_it_is_best() -> None:
    figures = behind([0.0])
    figures[3] = 0.2
    # As good as the first, and far behind the best.
    figures[4] = figures[0]
    assert furthest_of_the_best(figures) == LEANS[3]


def test_each_lean_is_judged_as_a_blend_of_its_own(timeless: GraphSnapshot) -> None:
    split = split_snapshot(timeless, 0.2, 0)
    scorer = build_scorer(build_corpus(split.known))
    parts = [asked_of(scorer, own, split) for own in np.split(split.testers[:60], [20])]
    blends = [WALK_ONLY, UNTRAINED]
    found = ndcg_of_leans(parts, blends, SILENT)
    assert found.shape == (len(LEANS), 60)
    for number, lean in enumerate(LEANS.tolist()):
        each = [
            ndcg_of_blends(part, {"": leaned(blend, lean)}, SILENT)[""]
            for part, blend in zip(parts, blends, strict=True)
        ]
        assert np.array_equal(found[number], np.concatenate(each))
    assert (found.mean(axis=1)[1:] != found.mean(axis=1)[0]).any()


def test_nothing_leans_to_what_differs_by_chance(
    timeless: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = split_snapshot(timeless, 0.2, 0)
    scorer = build_scorer(build_corpus(split.known))
    parts = [asked_of(scorer, own, split) for own in np.split(split.testers[:60], [20])]
    monkeypatch.setattr(leaning, "furthest_of_the_best", lambda _: LEAN)
    by_chance = np.concatenate(
        [
            chance_ndcg(
                np.array([len(took) for _, _, took in candidates([part])]),
                np.array([len(offers) for offers, _, _ in candidates([part])]),
                20,
            )
            for part in parts
        ]
    )
    noise = np.tile([1.0, -1.0], 30) * 0.01 * np.sqrt(59)

    def lean(ahead: float) -> float:
        return lean_of(parts, [WALK_ONLY, UNTRAINED], by_chance + noise + 0.01 * ahead, SILENT)

    assert [lean(-5.0), lean(0.0), lean(1.9)] == [0.0] * 3
    assert lean(2.1) == LEAN


def test_only_many_buyers_of_a_draw_let_it_lean() -> None:
    assert choosing.may_lean("network", True, ENOUGH_TESTERS)
    assert choosing.may_lean("weights", True, ENOUGH_TESTERS)
    assert not choosing.may_lean("network", True, ENOUGH_TESTERS - 1)
    assert not choosing.may_lean("network", False, ENOUGH_TESTERS)
    assert not choosing.may_lean("walk", True, ENOUGH_TESTERS)


def test_what_serves_leans_and_stays_calibrated(
    timeless: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    upright: list[Blend] = []
    judging: list[tuple[Asked, Blend]] = []

    def leans(blend: Blend, lean: float) -> Blend:
        upright.append(blend)
        return leaned(blend, lean)

    def heard(asked: list[Asked], blends: list[Blend], progress: Progress) -> Figures:
        judging.extend(zip(asked, blends, strict=True))
        return ndcg_of_leans(asked, blends, progress)

    monkeypatch.setattr(choosing, "ENOUGH_TESTERS", 20)
    monkeypatch.setattr(leaning, "ndcg_of_leans", heard)
    monkeypatch.setattr(leaning, "furthest_of_the_best", lambda _: LEAN)
    monkeypatch.setattr(choosing, "leaned", leans)
    known: list[Examples] = []

    def calibrating(blend: Blend, examples: Examples) -> Blend:
        known.append(examples)
        return calibrated(blend, examples)

    monkeypatch.setattr(choosing, "calibrated", calibrating)
    made = train(timeless, replace(SMALL, epochs=2), now=NOW)
    assert made.served == "offerpath"
    assert made.model.manifest["lean"] == LEAN
    assert made.choice
    corpus = build_corpus(timeless)
    scorer = build_scorer(corpus, made.model)
    offers = np.arange(len(corpus.offers), dtype=np.int32)
    phi = scorer.components(scorer.read(state_of(corpus, 7)), offers)
    phi = phi[phi[:, AGAIN] == 0.0]
    # The judges are asked with what they were not fitted on, the others with another blend.
    (_, others), (judges, judged) = judging
    assert np.sort(judges.buyers).tolist() == made.choice.judges.tolist()
    assert judged is upright[1]
    assert others is not judged
    # Each is calibrated on the lists it was fitted on: everything, the first half, the second.
    every, first, second = known[-3:]
    assert np.shares_memory(first.phi, every.phi[:1])
    assert np.shares_memory(second.phi, every.phi[-1:])
    # What serves, and what the judges saw.
    for before, model in zip(upright[:2], (made.model, made.choice.model), strict=True):
        after = Blend.from_mapping(model.manifest["blend"])
        wanted = logit_rows(phi, before.combination) + LEAN * phi[:, POPULARITY]
        # What is bent in the end has the same order.
        assert np.isfinite(after.combination.knee)
        found = logit_rows(phi, after.combination._replace(knee=np.inf))
        slope, shift = np.polyfit(wanted, found, 1)
        assert slope > 0
        assert np.allclose(found, slope * wanted + shift, atol=1e-9)
        assert after.calibrated


def test_pairs_that_were_given_to_choose_by_are_taken_at_their_word(
    timeless: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH_TESTERS", 20)
    monkeypatch.setattr(leaning, "furthest_of_the_best", lambda _: LEAN)
    given = timeless.purchases.group_by("buyer_id", maintain_order=True).head(1)
    made = train(timeless, replace(SMALL, epochs=2), now=NOW, validation=given)
    assert made.served == "offerpath"
    assert made.model.manifest["lean"] == 0.0
