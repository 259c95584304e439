"""The small network learns what a sum cannot, and is taken while other buyers profit by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from core.progress import SILENT, Task
from gnn.blending import Examples, calibrated, fit_weights
from gnn.network import NetworkSettings, fit_network
from scoring.blend import Blend
from scoring.combination import logit_rows
from scoring.components import COMPONENTS, COSINE, POPULARITY, WALK

OFFERS = 30


class Shown:
    """Progress that counts the steps."""

    def __init__(self) -> None:
        self.steps = 0

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        yield self

    def advance(self, steps: int = 1) -> None:
        self.steps += steps

    def note(self, text: str) -> None:
        """Not counted."""


def planted(buyers: int, seed: int, *, bent: bool = True) -> Examples:
    """Each buyer takes one of its offers: likely where walk and cosine have the same sign.

    Not ``bent``, it is any of them.
    """
    rng = np.random.default_rng(seed)
    phi = np.zeros((buyers * OFFERS, len(COMPONENTS)), dtype=np.float32)
    phi[:, [WALK, COSINE]] = rng.normal(size=(len(phi), 2))
    fits = 4.0 * np.sign(phi[:, WALK] * phi[:, COSINE]) if bent else np.zeros(len(phi))
    chance = fits + rng.gumbel(size=len(phi))
    best = chance.reshape(buyers, OFFERS).argmax(axis=1)
    taken = np.zeros((buyers, OFFERS), dtype=bool)
    taken[np.arange(buyers), best] = True
    ptr = np.arange(buyers + 1, dtype=np.int64) * OFFERS
    return Examples(phi, taken.ravel(), np.ones(len(phi)), ptr)


def loss_of(blend: Blend, examples: Examples) -> float:
    """Mean of -log softmax of what was taken; log(OFFERS) is chance."""
    logits = logit_rows(examples.phi.astype(np.float64), blend.combination)
    rows = logits.reshape(-1, OFFERS)
    own = logits[examples.taken]
    return float((np.logaddexp.reduce(rows, axis=1) - own).mean())


def shown(blend: Blend, examples: Examples) -> float:
    """The share of buyers whose likeliest offer has walk and cosine of the same sign."""
    logits = logit_rows(examples.phi.astype(np.float64), blend.combination)
    first = logits.reshape(-1, OFFERS).argmax(axis=1) + examples.ptr[:-1]
    return float((examples.phi[first, WALK] * examples.phi[first, COSINE] > 0).mean())


def test_it_learns_what_a_weighted_sum_cannot() -> None:
    known, others = planted(600, 0), planted(200, 1)
    network = fit_network(known, 0, SILENT, watched=planted(200, 2))
    assert shown(network.blend, others) > 0.95
    assert shown(fit_weights(known), others) < 0.7


def test_where_components_begin_and_what_they_are_measured_in_is_nothing_to_it() -> None:
    """What serves reads components as they are, though it was fitted on standardised ones."""
    plain = planted(100, 0)
    phi = plain.phi.copy()
    phi[:, WALK] = 4.0 * phi[:, WALK] + 16.0
    phi[:, COSINE] = 0.5 * phi[:, COSINE] - 2.0
    # The same for all: it tells nothing, wherever it stands.
    phi[:, POPULARITY] = 3.0
    moved = replace(plain, phi=phi)
    few = NetworkSettings(passes=5)
    logits = [
        logit_rows(
            examples.phi.astype(np.float64),
            calibrated(fit_network(examples, 0, SILENT, few).blend, examples).combination,
        )
        for examples in (plain, moved)
    ]
    assert np.ptp(logits[0]) > 3.0
    np.testing.assert_allclose(logits[1], logits[0], atol=0.02)


def test_it_is_taken_after_the_pass_that_others_profit_by_most() -> None:
    few, others = planted(60, 0, bent=False), planted(400, 1, bent=False)
    settings = NetworkSettings(passes=60, patience=60)
    watched = fit_network(few, 0, SILENT, settings, watched=others)
    to_the_end = fit_network(few, 0, SILENT, settings)
    assert watched.passes < to_the_end.passes == 60
    # What there is to learn is nothing: by heart it is worse than chance.
    assert loss_of(watched.blend, others) < 1.03 * np.log(OFFERS)
    assert loss_of(to_the_end.blend, others) > loss_of(watched.blend, others) + 0.03
    again = fit_network(few, 0, SILENT, NetworkSettings(passes=watched.passes))
    np.testing.assert_array_equal(again.blend.combination.inner, watched.blend.combination.inner)


def test_patience_ends_it() -> None:
    few, others = planted(60, 0, bent=False), planted(400, 1, bent=False)
    shown = Shown()
    settings = NetworkSettings(passes=100, patience=2, look_every=1)
    taken = fit_network(few, 0, shown, settings, watched=others).passes
    assert shown.steps == taken + 2 < 100
