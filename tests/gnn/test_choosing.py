"""What is served is the best model, and a plainer one where the best is not clearly ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn import choosing
from gnn.bending import bent
from gnn.blending import Asked, Examples, calibrated
from gnn.choosing import figures_across, plainest_of_the_best
from gnn.fitting import torch_threads
from gnn.holdouts import ENOUGH_TESTERS
from gnn.network import FittedNetwork, fit_network
from gnn.train import train
from scoring.blend import Blend
from tests.gnn.conftest import NOW, SMALL

BUYERS, ERROR = 400, 0.01
LEVEL = np.full(BUYERS, 0.1)


def ahead(errors: float) -> NDArray[np.float64]:
    """Figures whose mean is so many of their standard errors above LEVEL."""
    noise = np.tile([1.0, -1.0], BUYERS // 2) * ERROR * np.sqrt(BUYERS - 1)
    figures: NDArray[np.float64] = LEVEL + ERROR * errors + noise
    return figures


def test_a_clear_lead_is_taken() -> None:
    plain = {"popularity": LEVEL, "weights": LEVEL}
    assert plainest_of_the_best(plain | {"network": ahead(3.0)}) == "network"


def test_what_is_not_told_from_the_weighted_sum_gives_way_to_it() -> None:
    plain = {"popularity": LEVEL / 2, "weights": LEVEL}
    assert plainest_of_the_best(plain | {"network": ahead(0.9)}) == "weights"
    assert plainest_of_the_best(plain | {"network": ahead(1.1)}) == "network"


def test_with_many_buyers_the_network_need_only_be_ahead_of_the_sum() -> None:
    luckier = ahead(0.2)[::-1]
    few = {"popularity": LEVEL / 2, "weights": LEVEL, "network": ahead(0.1), "walk": luckier}
    times = ENOUGH_TESTERS // BUYERS
    many = {name: np.tile(figures, times) for name, figures in few.items()}
    assert plainest_of_the_best(many) == "network"
    fewer = {name: figures[:-1] for name, figures in many.items()}
    assert plainest_of_the_best(fewer) == "weights"


def test_where_nothing_beats_popularity_clearly_it_serves() -> None:
    plain = {"popularity": LEVEL, "weights": LEVEL / 2}
    assert plainest_of_the_best(plain | {"slim": ahead(0.9)}) == "popularity"
    assert plainest_of_the_best(plain | {"slim": ahead(1.1)}) == "slim"


def test_a_part_of_the_weighted_sum_must_be_ahead_of_it_by_more() -> None:
    plain = {"popularity": LEVEL / 2, "weights": LEVEL, "network": LEVEL / 2}
    assert plainest_of_the_best(plain | {"walk": ahead(1.9)}) == "weights"
    assert plainest_of_the_best(plain | {"walk": ahead(2.1)}) == "walk"


def test_each_half_is_judged_by_what_the_other_was_fitted_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(asked: Any, blends: dict[str, float], _: object) -> dict[str, Any]:
        return {name: asked.buyers * asked.scorer + blend for name, blend in blends.items()}

    monkeypatch.setattr(choosing, "ndcg_of_blends", told)
    # Two holdouts: what they count for is 0 and 1, so that a buyer's mean is half of its number.
    nothing: Any = None
    weights: Any = (0, 1)
    halves = np.split(np.arange(5), [2])
    asked = [[Asked(weight, half, nothing, nothing) for weight in weights] for half in halves]
    blends: Any = [{"network": 100.0}, {"network": 200.0}]
    found = figures_across(asked, blends, SILENT)
    assert found["network"].tolist() == [200.0, 200.5, 101.0, 101.5, 102.0]


def test_a_blend_is_bent_by_what_others_say_of_buyers_not_their_own(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_on: list[tuple[Blend, Examples]] = []
    held_to: list[tuple[Blend, Blend, Examples]] = []
    bends: list[tuple[Blend, list[tuple[Blend, Examples]]]] = []

    def network(examples: Examples, *args: Any, **more: Any) -> FittedNetwork:
        found = fit_network(examples, *args, **more)
        fitted_on.append((found.blend, examples))
        return found

    def calibrating(blend: Blend, examples: Examples) -> Blend:
        found = calibrated(blend, examples)
        held_to.append((found, blend, examples))
        return found

    def bend(blend: Blend, others: list[tuple[Blend, Examples]]) -> Blend:
        bends.append((blend, others))
        return bent(blend, others)

    monkeypatch.setattr(choosing, "fit_network", network)
    monkeypatch.setattr(choosing, "calibrated", calibrating)
    monkeypatch.setattr(choosing, "bent", bend)
    monkeypatch.setattr(choosing, "plainest_of_the_best", lambda _: "network")
    made = train(planted, replace(SMALL, epochs=2), now=NOW)
    assert made.choice

    def own(blend: Blend) -> Examples:
        raw = next(raw for found, raw, _ in held_to if found is blend)
        return next(examples for fitted, examples in fitted_on if fitted is raw)

    (whole, of_whole), (judged, of_judged) = bends
    assert len(of_whole) == 2
    for other, examples in of_whole:
        assert not np.shares_memory(own(other).phi, examples.phi)
    every = next(examples for found, _, examples in held_to if found is whole)
    assert sum(len(examples.phi) for _, examples in of_whole) == len(every.phi)
    # No more is known of the judges than before: it is bent for the half that it was fitted on.
    ((other, examples),) = of_judged
    assert np.shares_memory(own(judged).phi, examples.phi)
    assert not np.shares_memory(own(other).phi, examples.phi)
    for blend, others, model in (
        (whole, of_whole, made.model), (judged, of_judged, made.choice.model),
    ):  # fmt: skip
        kept = Blend.from_mapping(model.manifest["blend"]).combination
        assert kept.knee == bent(blend, others).combination.knee < np.inf


def test_the_network_takes_no_more_threads_than_asked_for(
    planted: GraphSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def network(*args: Any, **more: Any) -> FittedNetwork:
        taken.append(torch.get_num_threads())
        return fit_network(*args, **more)

    monkeypatch.setattr(choosing, "fit_network", network)
    with torch_threads(3):
        train(planted, replace(SMALL, epochs=1), now=NOW)
        assert torch.get_num_threads() == 3
    assert set(taken) == {SMALL.threads}
