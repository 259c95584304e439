"""Learned links between offers: each offer predicted from its nearest others by ridge regression.

For every offer i the weights of the offers j that are most like it by their buyers minimise
``|x_i - sum over j of x_j w_ji|^2 + ridge * sum over j of sqrt(|x_j|^2) w_ji^2`` over the buyers,
x_vj being how much buyer v's dealings with j say (1 for a purchase, see scoring.walk.Dealings).
Sources: SLIM with neighbours chosen beforehand (Ning and Karypis, 2011,
doi:10.1109/ICDM.2011.134), in closed form as EASE (Steck, 2019, arXiv:1905.03375), which solves
for all offers at once and so needs the square of their number.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from core.progress import Progress
from scoring.ragged import Ragged, weighted_rows
from scoring.rows import OfferRows, columns_of
from scoring.walk import Dealings

Floats = NDArray[np.float64]
# Up to here all co-occurrences fit into one square table (256 MB of float32).
DENSE_OFFERS = 8192
# Links weaker than this move no ranking.
FAINT = 1e-4
CHUNK = 512


@dataclass(frozen=True, slots=True)
class SlimSettings:
    """How many neighbours an offer is predicted from, and how strongly weights are held back."""

    neighbours: int = 120
    ridge: float = 20.0


class SlimProblem:
    """What the regressions of one graph share; ``solve`` may be asked with several ridges."""

    def __init__(
        self,
        dealings: Dealings,
        shape: tuple[int, int],
        near: OfferRows,
        neighbours: int,
    ) -> None:
        """Dealings of a (buyers, offers) graph; row i of ``near`` says which offers lead to i."""
        buyer, offer, weight = dealings
        self.buyers = shape[0]
        self.sources = _strongest_sources(near, neighbours)
        self.by_offer, self.heard = weighted_rows(offer, buyer, weight, shape[1])
        self.together: NDArray[np.float32] | None = None
        if shape[1] <= DENSE_OFFERS:
            self.together = _together(dealings, shape)

    def solve(
        self, ridge: float, threads: int, progress: Progress, label: str = "Linking offers"
    ) -> OfferRows:
        """The learned links; the same for any number of ``threads``."""
        offers = len(self.sources.ptr) - 1
        weights = np.zeros(len(self.sources.values), dtype=np.float32)
        starts = range(0, offers, CHUNK)

        def run(start: int) -> int:
            stop = min(start + CHUNK, offers)
            if self.together is None:
                _solve_sparse(
                    self.sources, self.by_offer, self.heard, self.buyers,
                    ridge, start, stop, weights,
                )  # fmt: skip
            else:
                _solve_dense(self.sources, self.together, ridge, start, stop, weights)
            return stop - start

        with progress.task(label, offers) as task, ThreadPoolExecutor(threads) as pool:
            for done in pool.map(run, starts):
                task.advance(done)
        kept = np.abs(weights) >= FAINT
        ptr = np.concatenate([[0], np.cumsum(kept)])[self.sources.ptr]
        return columns_of(OfferRows(ptr, self.sources.values[kept], weights[kept]))


def _together(dealings: Dealings, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Co-occurrences (N, N), a few rows at a time: sparse ones of a dense graph take more."""
    buyer, offer, weight = dealings
    bought = sp.csr_array((weight.astype(np.float32), (buyer, offer)), shape=shape)
    by_offer = sp.csr_array(bought.T)
    table = np.empty((shape[1], shape[1]), dtype=np.float32)
    for start in range(0, shape[1], CHUNK):
        table[start : start + CHUNK] = (by_offer[start : start + CHUNK] @ bought).todense()
    return table


@njit(cache=True, nogil=True)
def _strongest_sources(columns: OfferRows, neighbours: int) -> Ragged:
    """Column i -> the ``neighbours`` offers that lead to i most strongly, ascending.

    Of equal ones the first.
    """
    count = len(columns.ptr) - 1
    ptr = np.zeros(count + 1, dtype=np.int64)
    for i in range(count):
        ptr[i + 1] = ptr[i] + min(columns.ptr[i + 1] - columns.ptr[i], neighbours)
    values = np.empty(ptr[count], dtype=np.int32)
    for i in range(count):
        near = columns.offer[columns.ptr[i] : columns.ptr[i + 1]]
        if len(near) > neighbours:
            weight = columns.weight[columns.ptr[i] : columns.ptr[i + 1]]
            strongest = np.argsort(-weight, kind="mergesort")[:neighbours]
            near = near[np.sort(strongest)]
        values[ptr[i] : ptr[i + 1]] = near
    return Ragged(ptr, values)


@njit(cache=True, nogil=True)
def _weights(gram: Floats, own: Floats, ridge: float) -> Floats:
    """Normal equations (k, k) and right side (k,) -> weights (k,); ``gram`` is overwritten."""
    for k in range(len(own)):
        gram[k, k] += ridge * np.sqrt(gram[k, k])
    found: Floats = np.linalg.solve(gram, own).astype(np.float64)
    return found


@njit(cache=True, nogil=True)
def _solve_dense(
    sources: Ragged,
    together: NDArray[np.float32],
    ridge: float,
    start: int,
    stop: int,
    weights: NDArray[np.float32],
) -> None:
    for i in range(start, stop):
        near = sources.values[sources.ptr[i] : sources.ptr[i + 1]]
        gram = np.empty((len(near), len(near)))
        own = np.empty(len(near))
        for k in range(len(near)):
            own[k] = together[near[k], i]
            for m in range(len(near)):
                gram[k, m] = together[near[k], near[m]]
        if len(near):
            weights[sources.ptr[i] : sources.ptr[i + 1]] = _weights(gram, own, ridge)


@njit(cache=True, nogil=True)
def _solve_sparse(
    sources: Ragged,
    by_offer: Ragged,
    heard: Floats,
    buyers: int,
    ridge: float,
    start: int,
    stop: int,
    weights: NDArray[np.float32],
) -> None:
    # A buyer's dealings with the near offers are a chain, the latest first.
    latest = np.full(buyers, -1, dtype=np.int64)
    for i in range(start, stop):
        near = sources.values[sources.ptr[i] : sources.ptr[i + 1]]
        if len(near) == 0:
            continue
        size = np.sum(by_offer.ptr[near + 1] - by_offer.ptr[near])
        before = np.empty(size, dtype=np.int64)
        number = np.empty(size, dtype=np.int64)
        says = np.empty(size)
        gram = np.zeros((len(near), len(near)))
        own = np.zeros(len(near))
        found = 0
        for k in range(len(near)):
            for at in range(by_offer.ptr[near[k]], by_offer.ptr[near[k] + 1]):
                v, weight = by_offer.values[at], heard[at]
                before[found], number[found], says[found] = latest[v], k, weight
                latest[v] = found
                found += 1
                to = latest[v]
                while to >= 0:
                    gram[k, number[to]] += weight * says[to]
                    to = before[to]
        for at in range(by_offer.ptr[i], by_offer.ptr[i + 1]):
            to = latest[by_offer.values[at]]
            while to >= 0:
                own[number[to]] += heard[at] * says[to]
                to = before[to]
        for k in range(len(near)):
            for m in range(k):
                gram[m, k] = gram[k, m]
            for at in range(by_offer.ptr[near[k]], by_offer.ptr[near[k] + 1]):
                latest[by_offer.values[at]] = -1
        weights[sources.ptr[i] : sources.ptr[i + 1]] = _weights(gram, own, ridge)
