"""Links of every offer with every other, as a product of few columns.

The singular vectors of the matrix of dealings, weighed by what of them is no noise: a ridge
regression of each offer from all others (EASE without its constraint; Steck, 2019,
arXiv:1905.03375) where nothing is divided by degrees, the ideal low-pass filter of GF-CF (Shen et
al., 2021, arXiv:2108.07567) where both sides are and nothing is held back. Which of them suits
depends on the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from scoring.artifact import LOW_RANK_ARRAYS
from scoring.walk import Dealings

Singles = NDArray[np.float32]
ITERATIONS = 4


@dataclass(frozen=True, slots=True)
class LowRankSettings:
    """Columns at most; how far weak ones are held back; the power of both degrees divided by."""

    rank: int = 64
    ridge: float = 0.0
    discount: float = 0.5


@dataclass(frozen=True, slots=True)
class LowRank:
    """``rows`` (N, r), ``heard`` and ``told`` (N,): see scoring.tower, in that order."""

    rows: Singles
    heard: Singles
    told: Singles

    def scores(self, evidence: sp.csr_array) -> Singles:
        """What evidence (T, N) adds up to at every offer (T, N)."""
        sums = (evidence @ sp.diags_array(self.heard)) @ self.rows
        found: Singles = (sums @ self.rows.T) * self.told
        return found

    def arrays(self) -> dict[str, Singles]:
        """By their names in the artifact."""
        return dict(zip(LOW_RANK_ARRAYS, (self.rows, self.heard, self.told), strict=True))


class Spectrum:
    """The singular vectors of the dealings of a (buyers, offers) graph, by discount, made once."""

    def __init__(self, dealings: Dealings, shape: tuple[int, int], most: int, seed: int) -> None:
        """``most`` columns are asked for, at most."""
        buyer, offer, weight = dealings
        self.matrix = sp.csr_array((weight.astype(np.float32), (buyer, offer)), shape=shape)
        self.degrees = tuple(
            np.bincount(rows, weight, size).clip(1.0)
            for rows, size in zip((buyer, offer), shape, strict=True)
        )
        self.rank = min(most, min(shape) - 1)
        self.seed = seed
        self._vectors: dict[float, tuple[Singles, Singles]] = {}

    def low_rank(self, settings: LowRankSettings) -> LowRank:
        """The product of these settings."""
        size, rows = self._of(settings.discount)
        size, rows = size[: settings.rank], rows[:, : settings.rank]
        held = size / np.sqrt(size**2 + settings.ridge)
        told = (self.degrees[1] ** settings.discount).astype(np.float32)
        return LowRank(np.ascontiguousarray(rows * held), 1.0 / told, told)

    def _of(self, discount: float) -> tuple[Singles, Singles]:
        if discount not in self._vectors:
            left, right = (sp.diags_array(degree**-discount) for degree in self.degrees)
            even = sp.csr_array(left @ self.matrix @ right).astype(np.float32)
            size, rows = np.zeros(0, np.float32), np.zeros((even.shape[1], 0), np.float32)
            if self.rank > 0 and even.nnz:
                _, size, columns = randomized_svd(
                    even, self.rank, n_iter=ITERATIONS, random_state=self.seed
                )
                rows = columns.T
            # What is smaller is a direction of rounding.
            kept = size > 1e-6 * size.max(initial=0.0)
            self._vectors[discount] = size[kept], rows[:, kept]
        return self._vectors[discount]
