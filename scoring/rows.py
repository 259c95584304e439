"""Weighted links from offer to offer, what a walk or a linear model reads a buyer's score from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray


class OfferRows(NamedTuple):
    """Row j lists offers i (ascending) and their weights: ptr (N + 1,), offer and weight (E,).

    A buyer's sum for i is the sum of ``weight[j, i]`` over what it has dealt with.
    """

    ptr: NDArray[np.int64]
    offer: NDArray[np.int32]
    weight: NDArray[np.float32]


def no_rows(offers: int) -> OfferRows:
    """Rows of ``offers`` offers that nothing links."""
    ptr = np.zeros(offers + 1, np.int64)
    return OfferRows(ptr, np.zeros(0, np.int32), np.zeros(0, np.float32))


def extended(rows: OfferRows, offers: int) -> OfferRows:
    """The same rows for a corpus that has grown to ``offers``: the new ones have no neighbours."""
    missing = offers - (len(rows.ptr) - 1)
    return rows._replace(ptr=np.concatenate([rows.ptr, np.full(missing, rows.ptr[-1])]))


def row_sums(rows: OfferRows) -> NDArray[np.float64]:
    """(N,) what each row's weights add up to."""
    count = len(rows.ptr) - 1
    source = np.repeat(np.arange(count), np.diff(rows.ptr))
    sums = np.zeros(count, dtype=np.float64)
    np.add.at(sums, source, rows.weight)
    return sums


def columns_of(rows: OfferRows) -> OfferRows:
    """The rows transposed: row i lists the offers j (ascending) that link to i."""
    count = len(rows.ptr) - 1
    columns = sp.csr_array((rows.weight, rows.offer, rows.ptr), shape=(count, count)).tocsc()
    ptr = columns.indptr.astype(np.int64)
    return OfferRows(ptr, columns.indices.astype(np.int32, copy=False), columns.data)


def renumbered(rows: OfferRows, number: NDArray[np.int64], offers: int) -> OfferRows:
    """Rows by other numbers: offer j becomes ``number[j]`` of ``offers``, -1 leaves it out."""
    if np.array_equal(number, np.arange(offers)):
        return rows
    source = np.repeat(number, np.diff(rows.ptr))
    target = number[rows.offer]
    kept = np.flatnonzero((source >= 0) & (target >= 0))
    kept = kept[np.lexsort((target[kept], source[kept]))]
    ptr = np.zeros(offers + 1, dtype=np.int64)
    np.cumsum(np.bincount(source[kept], minlength=offers), out=ptr[1:])
    return OfferRows(ptr, target[kept].astype(np.int32), rows.weight[kept])


@njit(cache=True, nogil=True)
def place_of(rows: OfferRows, source: int, offer: int) -> int:
    """Where the link from ``source`` to ``offer`` lies in the rows; -1 when there is none."""
    first, last = rows.ptr[source], rows.ptr[source + 1]
    at = first + np.searchsorted(rows.offer[first:last], offer)
    return at if at < last and rows.offer[at] == offer else -1


@njit(cache=True, nogil=True)
def weights_between(
    rows: OfferRows, sources: NDArray[np.int32], offers: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Weights (E, M) from each source to each offer, 0 where nothing links them."""
    found = np.zeros((len(sources), len(offers)), dtype=np.float64)
    for e in range(len(sources)):
        for n in range(len(offers)):
            at = place_of(rows, sources[e], offers[n])
            if at >= 0:
                found[e, n] = rows.weight[at]
    return found
