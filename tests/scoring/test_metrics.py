"""Ranking metrics against figures worked out by hand and by plain loops."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import pytest

from core.errors import ShapeError
from scoring.metrics import chance_ndcg, coverage, measure_top, rank_top, restricted
from scoring.ragged import Ragged


def ragged(*rows: list[int]) -> Ragged:
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Ragged(ptr, np.array([offer for row in rows for offer in row], dtype=np.int32))


def test_the_figures_of_one_ranking() -> None:
    top = np.array([[4, 1, 7, 2]], dtype=np.int32)
    found = measure_top(top, ragged([1, 2, 9]), 3)
    assert found.precision[0] == pytest.approx(1 / 3)
    assert found.recall[0] == pytest.approx(1 / 3)
    assert found.f1[0] == pytest.approx(1 / 3)
    assert found.hit_rate[0] == 1
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert found.ndcg[0] == pytest.approx((1 / log2(3)) / ideal)


def test_the_ideal_is_cut_where_little_is_relevant() -> None:
    found = measure_top(np.array([[5, 3]], dtype=np.int32), ragged([5]), 2)
    assert found.ndcg[0] == 1
    assert found.precision[0] == 0.5


def test_buyers_without_relevant_offers_are_left_out_of_means() -> None:
    top = np.array([[0, 1], [0, 1], [2, -1]], dtype=np.int32)
    found = measure_top(top, ragged([0, 1], [], [7]), 2)
    assert np.isnan(found.recall[1])
    assert found.means()["recall"] == 0.5
    assert found.means()["buyers"] == 2
    assert found.means(np.array([False, True, False]))["ndcg"] == 0
    assert found.means(np.array([True, False, False]))["f1"] == 1


def test_missing_places_are_no_hits() -> None:
    found = measure_top(np.full((1, 3), -1, dtype=np.int32), ragged([0, 1]), 3)
    assert found.means() == {
        "precision": 0, "recall": 0, "f1": 0, "ndcg": 0, "hit_rate": 0, "buyers": 1,
    }  # fmt: skip


def test_ranking_equals_a_plain_sort() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 30, (50, 40)).astype(np.float64)
    masked = ragged(*[sorted(rng.choice(40, rng.integers(0, 39), False)) for _ in range(50)])
    plain = []
    for row in range(50):
        hidden = set(masked.row(row).tolist())
        shown = sorted((-s, o) for o, s in enumerate(scores[row].tolist()) if o not in hidden)
        plain.append([s for s, _ in shown[:8]])
    top = rank_top(scores.copy(), 8, masked)
    for row in range(50):
        offers = top[row][top[row] >= 0]
        assert len(offers) == len(plain[row])
        assert [-scores[row, o] for o in offers] == plain[row]
        assert not set(offers.tolist()) & set(masked.row(row).tolist())


def test_equal_scores_rank_by_column() -> None:
    assert rank_top(np.zeros((1, 4)), 4).tolist() == [[0, 1, 2, 3]]
    assert rank_top(np.array([[1.0, 2.0, 1.0]]), 5).tolist() == [[1, 0, 2, -1, -1]]


def test_coverage_counts_distinct_offers() -> None:
    top = np.array([[0, 1, 2], [0, 3, -1]], dtype=np.int32)
    assert coverage(top, 10, 1) == 0.1
    assert coverage(top, 10, 3) == 0.4


def test_a_slice_of_offers_keeps_the_rows() -> None:
    allowed = np.array([True, False, True])
    part = restricted(ragged([0, 1], [1], [0, 2]), allowed)
    assert [part.row(r).tolist() for r in range(3)] == [[0], [], [0, 2]]


def test_shapes_must_agree() -> None:
    top = np.zeros((2, 3), dtype=np.int32)
    with pytest.raises(ShapeError):
        measure_top(top, ragged([0]), 3)
    with pytest.raises(ShapeError):
        measure_top(top, ragged([0], [1]), 4)


@pytest.mark.parametrize(("relevant", "offers"), [(1, 5), (2, 5), (4, 5), (1, 2)])
def test_chance_is_the_mean_of_all_orders(relevant: int, offers: int) -> None:
    orders = np.array(list(permutations(range(offers))), dtype=np.int32)
    width = np.full((len(orders), max(3 - offers, 0)), -1, dtype=np.int32)
    found = measure_top(np.hstack([orders, width]), ragged(*[[*range(relevant)]] * len(orders)), 3)
    chance = chance_ndcg(np.array([relevant]), np.array([offers]), 3)
    assert chance == pytest.approx([found.ndcg.mean()])


def test_chance_says_nothing_where_nothing_is_relevant() -> None:
    assert np.isnan(chance_ndcg(np.array([0]), np.array([5]), 3)).tolist() == [True]
