"""Rows of different lengths, laid end to end (the CSR layout)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Ragged(NamedTuple):
    """Row ``r`` is ``values[ptr[r]:ptr[r + 1]]``; ptr (rows + 1,) int64, values int32."""

    ptr: NDArray[np.int64]
    values: NDArray[np.int32]

    def row(self, index: int) -> NDArray[np.int32]:
        """The values of one row, a view."""
        return self.values[self.ptr[index] : self.ptr[index + 1]]


def ragged_from_pairs(rows: NDArray[np.integer], values: NDArray[np.integer], count: int) -> Ragged:
    """Rows (n,) in any order and their values (n,) -> Ragged of ``count`` rows, values sorted."""
    order = np.lexsort((values, rows))
    return Ragged(row_pointers(rows, count), values[order].astype(np.int32))


def weighted_rows(
    rows: NDArray[np.integer],
    values: NDArray[np.integer],
    weights: NDArray[np.float64],
    count: int,
) -> tuple[Ragged, NDArray[np.float64]]:
    """As ragged_from_pairs, and the pairs' weights (n,) in the same order."""
    order = np.lexsort((values, rows))
    ragged = Ragged(row_pointers(rows, count), values[order].astype(np.int32))
    return ragged, weights[order]


def row_pointers(rows: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Row numbers (n,) -> the (count + 1,) offsets of the rows once sorted by row."""
    ptr = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=count), out=ptr[1:])
    return ptr


def transposed(ragged: Ragged, columns: int) -> Ragged:
    """The same pairs, by value: row ``v`` lists the rows of ``ragged`` that hold ``v``."""
    rows = np.repeat(np.arange(len(ragged.ptr) - 1), np.diff(ragged.ptr))
    return ragged_from_pairs(ragged.values, rows, columns)
