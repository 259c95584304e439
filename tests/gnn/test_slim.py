"""Learned links between offers are the ridge regressions they say they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn import slim, walk_tuning
from gnn.walk_tuning import slim_problem
from scoring.corpus_building import build_corpus
from scoring.rows import OfferRows, columns_of, weights_between
from scoring.walk import Dealings, WalkSettings, walk_rows

BUYERS, OFFERS, RIDGE = 60, 25, 3.0


def learned(neighbours: int, threads: int = 1) -> tuple[NDArray[np.float64], OfferRows]:
    """What buyers' dealings say (bought, looked at, or nothing), and the links learned of it."""
    says = np.random.default_rng(4).choice([0.0, 0.3, 1.0], (BUYERS, OFFERS), p=[0.4, 0.2, 0.4])
    buyer, offer = np.nonzero(says)
    dealings = Dealings(buyer, offer, says[buyer, offer])
    near = columns_of(walk_rows(dealings, says.shape, WalkSettings()))
    problem = slim.SlimProblem(dealings, says.shape, near, neighbours)
    return says, problem.solve(RIDGE, threads, SILENT)


@pytest.mark.parametrize("most", [slim.DENSE_OFFERS, 0])
def test_links_solve_the_normal_equations(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(slim, "DENSE_OFFERS", most)
    bought, links = learned(OFFERS)
    every = np.arange(OFFERS, dtype=np.int32)
    found = weights_between(links, every, every)
    together = bought.T @ bought
    for i in range(OFFERS):
        others = np.delete(every, i)
        gram = together[np.ix_(others, others)]
        gram = gram + RIDGE * np.diag(np.sqrt(np.diag(gram)))
        right = np.linalg.solve(gram, together[others, i])
        right[np.abs(right) < slim.FAINT] = 0.0
        assert np.allclose(found[others, i], right, atol=1e-5)
        assert found[i, i] == 0.0


def test_an_offer_is_predicted_from_its_nearest_alone() -> None:
    _, links = learned(5)
    assert np.bincount(links.offer, minlength=OFFERS).max() == 5
    _, again = learned(5, threads=2)
    assert np.array_equal(links.offer, again.offer)
    assert np.array_equal(links.weight, again.weight)


def test_what_the_walk_discounts_does_not_hide_the_best_predictors(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = slim.SlimSettings(neighbours=3)
    monkeypatch.setattr(walk_tuning, "SlimSettings", lambda: few)
    corpus = build_corpus(planted)
    first, second = (
        slim_problem(corpus, WalkSettings(offer_discount=discount, evidence_discount=1 - discount))
        for discount in (0.0, 0.8)
    )
    assert np.array_equal(first.sources.values, second.sources.values)
