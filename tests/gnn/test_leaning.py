"""Where nothing tells what comes next, what serves leans to what is popular as far as it may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn import choosing
from gnn.blending import Asked, ndcg_of_blends
from gnn.leaning import LEANS, furthest_of_the_best, leaned, ndcg_of_leans
from gnn.split import split_snapshot
from gnn.train import TrainedModel, train
from scoring.blend import UNTRAINED, WALK_ONLY, Blend
from scoring.combination import logit_rows
from scoring.components import AGAIN, POPULARITY
from scoring.corpus_building import build_corpus
from scoring.scorer import build_scorer
from scoring.states import state_of
from tests.gnn.conftest import NOW, SMALL

BUYERS, LEAN = 400, 2.0
Figures = NDArray[np.float64]


def behind(errors: list[float]) -> Figures:
    """Figures of LEANS: so many of its own standard errors behind the first, the rest by ten."""
    noise = np.tile([1.0, -1.0], BUYERS // 2) * 0.01 * np.sqrt(BUYERS - 1)
    own = errors + [10.0] * (len(LEANS) - len(errors))
    return np.stack([np.full(BUYERS, 0.1 - 0.01 * e) + (noise if e else 0.0) for e in own])


def test_the_furthest_that_is_not_told_from_the_best_serves() -> None:
    assert furthest_of_the_best(behind([0.0])) == 0.0
    assert furthest_of_the_best(behind([0.0, 0.5, 0.9])) == LEANS[2]
    assert furthest_of_the_best(behind([0.0, 0.5, 1.1])) == LEANS[1]
    # One that is told from the best does not hide another behind it.
    assert furthest_of_the_best(behind([0.0, 1.1, 0.9])) == LEANS[2]


def test_the_best_is_where_it_is_best() -> None:
    figures = behind([0.0])
    figures[3] = 0.2
    assert furthest_of_the_best(figures) == LEANS[3]


def test_each_lean_is_judged_as_a_blend_of_its_own(timeless: GraphSnapshot) -> None:
    split = split_snapshot(timeless, 0.2, 0)
    scorer = build_scorer(build_corpus(split.known))
    parts = [Asked(scorer, own, split.fresh) for own in np.split(split.testers[:60], [20])]
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


def trained_at(
    snapshot: GraphSnapshot, monkeypatch: pytest.MonkeyPatch, enough: int
) -> TrainedModel:
    """Trained with a rule that always leans by LEAN, of at least ``enough`` buyers."""
    with monkeypatch.context() as patch:
        patch.setattr(choosing, "ENOUGH_TESTERS", enough)
        patch.setattr(choosing, "furthest_of_the_best", lambda _: LEAN)
        return train(snapshot, replace(SMALL, epochs=2), now=NOW)


def blends_of(made: TrainedModel) -> list[Blend]:
    """What serves and what the judges saw."""
    assert made.choice
    manifests = made.model.manifest, made.choice.model.manifest
    return [Blend.from_mapping(manifest["blend"]) for manifest in manifests]


def test_what_serves_leans_and_stays_calibrated_but_not_of_few_buyers(
    timeless: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (trained_at(timeless, monkeypatch, enough) for enough in (100_000, 20))
    assert few.served == many.served == "offerpath"
    assert (few.model.manifest["lean"], many.model.manifest["lean"]) == (0.0, LEAN)
    corpus = build_corpus(timeless)
    scorer = build_scorer(corpus, many.model)
    offers = np.arange(len(corpus.offers), dtype=np.int32)
    phi = scorer.components(scorer.read(state_of(corpus, 7)), offers)
    phi = phi[phi[:, AGAIN] == 0.0]
    for upright, leaning in zip(blends_of(few), blends_of(many), strict=True):
        wanted = logit_rows(phi, upright.combination) + LEAN * phi[:, POPULARITY]
        found = logit_rows(phi, leaning.combination)
        slope, shift = np.polyfit(wanted, found, 1)
        assert slope > 0
        assert np.allclose(found, slope * wanted + shift, atol=1e-9)
        assert leaning.calibrated


def test_times_tell_what_comes_next(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_time = trained_at(planted, monkeypatch, 20)
    assert by_time.served == "offerpath"
    assert by_time.model.manifest["lean"] == 0.0
