"""Popularity and ItemKNN against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from core.errors import ShapeError
from scoring import baselines
from scoring.baselines import ItemKnn, Popularity, nearest_offers


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


def test_blocks_of_rows_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = purchases(1, (40, 33))
    whole = nearest_offers(matrix, 6, 1.0).toarray()
    monkeypatch.setattr(baselines, "CELLS", 33 * 7)
    assert np.array_equal(nearest_offers(matrix, 6, 1.0).toarray(), whole)
    assert whole.any()


def test_an_offer_nobody_bought_is_near_to_nothing() -> None:
    assert nearest_offers(purchases(), 5, 0.0)[:, [3]].nnz == 0


def test_no_neighbours_are_refused() -> None:
    with pytest.raises(ShapeError):
        nearest_offers(purchases(), 0, 1.0)
