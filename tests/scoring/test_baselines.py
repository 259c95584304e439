"""Popularity, ItemKNN, RP3beta and EASE against plain dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from core.errors import ShapeError
from scoring import ease
from scoring.baselines import ItemKnn, Popularity, Rp3Beta, nearest_offers
from scoring.ease import Ease, fits_memory


def purchases(seed: int = 0, shape: tuple[int, int] = (30, 20)) -> sp.csr_array:
    bought = np.random.default_rng(seed).random(shape) < 0.2
    bought[:, 3] = False
    return sp.csr_array(bought.astype(np.float32))


def test_popularity_counts_distinct_buyers() -> None:
    matrix = purchases()
    matrix.data[:5] = 7.0
    expected = (matrix.toarray() > 0).sum(axis=0)
    scores = Popularity(matrix).score_block(np.array([4, 9]))
    assert np.array_equal(scores, np.stack([expected, expected]))


def test_item_knn_is_the_shrunk_cosine_of_the_offers_buyers() -> None:
    matrix = purchases()
    dense = matrix.toarray() > 0
    shared = dense.T.astype(float) @ dense
    degree = dense.sum(axis=0)
    similar = shared / (np.sqrt(np.outer(degree, degree)) + 2.0)
    np.fill_diagonal(similar, 0)
    scores = ItemKnn(matrix, neighbours=20, shrink=2.0).score_block(np.arange(30))
    assert np.allclose(scores, dense.astype(float) @ similar, atol=1e-5)


def test_only_the_nearest_are_kept() -> None:
    matrix = purchases()
    whole = nearest_offers(matrix, 20, 2.0).toarray()
    cut = nearest_offers(matrix, 3, 2.0).toarray()
    for offer in range(20):
        kept = np.sort(cut[:, offer][cut[:, offer] > 0])
        best = np.sort(whole[:, offer][whole[:, offer] > 0])[-3:]
        assert np.allclose(kept, best)


def test_an_offer_nobody_bought_is_near_to_nothing() -> None:
    assert nearest_offers(purchases(), 5, 0.0)[:, [3]].nnz == 0


def test_no_neighbours_are_refused() -> None:
    with pytest.raises(ShapeError):
        nearest_offers(purchases(), 0, 1.0)
    with pytest.raises(ShapeError):
        Rp3Beta(purchases(), neighbours=0)


def test_of_equally_near_offers_the_first_are_kept() -> None:
    matrix = sp.csr_array(np.ones((3, 6), dtype=np.float32))
    kept = nearest_offers(matrix, 2, 0.0).toarray() > 0
    # Column i keeps i's own nearest, and here every other offer is as near as any.
    assert np.flatnonzero(kept[:, 5]).tolist() == [0, 1]
    assert np.flatnonzero(kept[:, 0]).tolist() == [1, 2]


def test_rp3beta_is_the_discounted_walk() -> None:
    matrix = purchases(2)
    matrix.data[:7] = 5.0
    dense = (matrix.toarray() > 0).astype(float)
    d_buyer, d_offer = np.maximum(dense.sum(1), 1), np.maximum(dense.sum(0), 1)
    steps = (dense / d_buyer[:, None] ** 0.7).T @ dense / d_offer[:, None] ** 0.7
    np.fill_diagonal(steps, 0)
    expected = dense @ (steps / d_offer[None, :] ** 0.3)
    found = Rp3Beta(matrix, alpha=0.7, beta=0.3, neighbours=20).score_block(np.arange(30))
    assert np.allclose(found, expected, rtol=1e-5)
    assert expected.max() > 0


def test_rp3beta_keeps_the_strongest_of_each_bought_offer() -> None:
    matrix = purchases(3)
    whole = Rp3Beta(matrix, neighbours=20).walk.toarray()
    cut = Rp3Beta(matrix, neighbours=4).walk.toarray()
    for row in range(20):
        kept = np.sort(cut[row][cut[row] > 0])
        assert np.allclose(kept, np.sort(whole[row][whole[row] > 0])[-4:])


@pytest.mark.parametrize("block", [512, 7])
@pytest.mark.parametrize("memory", [10**9, 3_000])
def test_ease_solves_its_least_squares(
    block: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ease, "BLOCK", block)
    matrix = purchases(4, (60, 24))
    matrix.data[:9] = 3.0
    dense = (matrix.toarray() > 0).astype(float)
    model = Ease(matrix, ridge=5.0, memory_bytes=memory)
    assert model.weights.dtype == (np.float64 if memory == 10**9 else np.float32)
    weights = model.weights.astype(float)
    assert np.array_equal(np.diag(weights), np.zeros(24))
    # At the optimum the slope of the loss is zero everywhere off the diagonal.
    slope = dense.T @ (dense @ weights - dense) + 5.0 * weights
    assert np.allclose(slope[~np.eye(24, dtype=bool)], 0, atol=1e-3)
    scores = model.score_block(np.array([3, 50]))
    assert np.allclose(scores, (dense @ weights)[[3, 50]], atol=1e-5)


def test_ease_is_refused_where_it_does_not_fit() -> None:
    # 20,000 offers squared, four bytes each, and a quarter more.
    assert fits_memory(20_000, 2 * 10**9)
    assert not fits_memory(20_001, 2 * 10**9)
    assert not fits_memory(40_981)
    with pytest.raises(ShapeError):
        Ease(purchases(), memory_bytes=100)


def test_ease_says_when_the_ridge_is_too_small() -> None:
    twice = sp.csr_array(np.ones((4, 3), dtype=np.float32))
    with pytest.raises(ShapeError, match="ridge"):
        Ease(twice, ridge=-1.0)
