"""The product of low rank is the regression, or the filter, that it says it is."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn.holdouts import hold_out
from gnn.low_rank import LowRankSettings, Spectrum
from gnn.walk_tuning import LOW_RANKS, spectrum_of, tune_low_rank
from scoring.walk import Dealings
from tests.gnn.planted import BLOCKS

BUYERS, OFFERS, RIDGE = 60, 25, 3.0
EVERY = LowRankSettings(OFFERS, RIDGE, 0.0)


def said() -> NDArray[np.float64]:
    """What buyers' dealings say: bought, looked at, or nothing."""
    return np.random.default_rng(4).choice([0.0, 0.3, 1.0], (BUYERS, OFFERS), p=[0.4, 0.2, 0.4])


def spectrum(says: NDArray[np.float64], most: int = OFFERS) -> Spectrum:
    buyer, offer = np.nonzero(says)
    return Spectrum(Dealings(buyer, offer, says[buyer, offer]), says.shape, most, 0)


def links(says: NDArray[np.float64], settings: LowRankSettings) -> NDArray[np.float32]:
    """What a piece at each offer adds at every offer (N, N)."""
    evidence = sp.csr_array(np.eye(says.shape[1]))
    return spectrum(says).low_rank(settings).scores(evidence)


def test_with_a_ridge_it_is_the_regression_of_all_offers_from_all() -> None:
    says = said()
    # Of rank below the number of offers, so that nothing is cut off.
    says[:, -1] = says[:, 0]
    together = says.T @ says
    expected = np.linalg.solve(together + RIDGE * np.eye(OFFERS), together)
    assert np.allclose(links(says, EVERY), expected, atol=1e-4)


@pytest.mark.parametrize("rank", [3, 10])
def test_without_one_it_is_the_low_pass_filter_of_what_degrees_make_even(rank: int) -> None:
    says = said()
    by_buyer, by_offer = (says.sum(axis=axis).clip(1.0) ** 0.5 for axis in (1, 0))
    _, _, rows = np.linalg.svd(says / by_buyer[:, None] / by_offer)
    filtered = rows[:rank].T @ rows[:rank]
    expected = filtered / by_offer[:, None] * by_offer
    assert np.allclose(links(says, LowRankSettings(rank)), expected, atol=1e-3)


def test_it_has_no_more_columns_than_there_is_to_tell() -> None:
    says = np.zeros((4, 6))
    assert spectrum(says).low_rank(LowRankSettings()).rows.shape == (6, 0)
    says[:, 2] = 1.0
    assert spectrum(says).low_rank(LowRankSettings()).rows.shape == (6, 1)
    one = spectrum(np.ones((1, 6))).low_rank(LowRankSettings())
    assert one.rows.shape == (6, 0)
    assert not one.scores(sp.csr_array(np.eye(6))).any()


def test_the_same_seed_gives_the_same_product() -> None:
    first, again = (spectrum(said(), 5).low_rank(LowRankSettings(5)) for _ in range(2))
    assert np.array_equal(first.rows, again.rows)


def test_what_suits_the_slice_is_taken(planted: GraphSnapshot) -> None:
    (holdout,), buyers = hold_out(planted, 0.1, 0.2, 0)
    corpus = holdout.corpus
    settings, (product,) = tune_low_rank([holdout], buyers, 0, SILENT)
    assert settings in LOW_RANKS
    made = spectrum_of(corpus, max(s.rank for s in LOW_RANKS), 0).low_rank(settings)
    assert np.array_equal(product.rows, made.rows)
    # Buyer n and offer n are of block n % BLOCKS, and rows are in the order of ids.
    bought = sp.csr_array(
        (np.ones(len(corpus.buyers.offer)), corpus.buyers.offer, corpus.buyers.ptr),
        shape=(len(corpus.buyers), len(corpus.offers)),
    )
    told = product.scores(bought)
    told[bought.nonzero()] = -np.inf
    best = np.argsort(-told, axis=1)[:, :5]
    owners = np.arange(len(told))[:, None]
    assert (best % BLOCKS == owners % BLOCKS).mean() > 0.8
