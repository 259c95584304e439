"""The inner product: eight running sums in one fixed order, whatever the length and the caller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from numpy.typing import NDArray

from scoring.dot import LANES, dot

Singles = NDArray[np.float32]


def far_apart(random: np.random.Generator, shape: tuple[int, ...]) -> Singles:
    """Numbers of such sizes that double precision does not hold their sums: the order shows."""
    numbers = random.normal(size=shape) * 2.0 ** random.integers(-20, 20, shape)
    return numbers.astype(np.float32)


def by_hand(row: Singles, z: Singles) -> float:
    """Products in single precision, eight sums in double, halves added to halves, then the rest."""
    whole = len(z) - len(z) % LANES
    sums = np.zeros(LANES)
    for k in range(0, whole, LANES):
        sums += (row[k : k + LANES] * z[k : k + LANES]).astype(np.float64)
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    total = float(sums[0])
    for k in range(whole, len(z)):
        total += float(row[k] * z[k])
    return total


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 63, 64, 128, 131])
def test_to_the_bit(size: int) -> None:
    """Any length, also none, and rows that start anywhere."""
    random = np.random.default_rng(size)
    rows, z = far_apart(random, (5, size)), far_apart(random, (size + 3,))[3:]
    assert [dot(row, z) for row in rows] == [by_hand(row, z) for row in rows]


@njit()
def _all_of(rows: Singles, z: Singles, found: NDArray[np.float64]) -> None:
    for n in range(len(rows)):
        found[n] = dot(rows[n], z)


def test_the_same_within_a_loop() -> None:
    """Where the compiler could rearrange it."""
    random = np.random.default_rng(0)
    rows, z, found = far_apart(random, (200, 61)), far_apart(random, (61,)), np.empty(200)
    _all_of(rows, z, found)
    assert found.tolist() == [dot(row, z) for row in rows]


def test_what_it_does_not_take() -> None:
    """Rows that are not contiguous, or not in single precision, would be misread."""
    row: Singles = np.ones(16, dtype=np.float32)
    twice: Any = np.ones(16)
    with pytest.raises(TypingError):
        dot(np.ones(32, dtype=np.float32)[::2], row)
    with pytest.raises(TypingError):
        dot(twice, row)
