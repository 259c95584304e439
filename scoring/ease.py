"""EASE: the closed-form linear autoencoder over offers, where a dense matrix of them fits.

Source: Steck 2019, Embarrassingly Shallow Autoencoders for Sparse Data (arXiv:1905.03375).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from core.errors import ShapeError
from scoring.baselines import Csr, ones_of

DEFAULT_MEMORY_BYTES = 2 * 10**9
# The inversion happens in place; a quarter more for the block of it that is being filled.
SPARE = 1.25
# Columns of the dense matrix filled at once.
BLOCK = 512


class Ease:
    """``s(u) = x_u B`` with ``B = argmin |X - X B|^2 + ridge |B|^2``, the diagonal of B zero.

    ``B[i, j] = -P[i, j] / P[j, j]`` with ``P = (X' X + ridge)^-1``. Time is cubic and memory
    quadratic in the offers.
    """

    def __init__(
        self, purchases: Csr, *, ridge: float = 200.0, memory_bytes: int = DEFAULT_MEMORY_BYTES
    ) -> None:
        """``purchases`` (buyers, offers): any positive value is a purchase.

        Raises:
            ShapeError: when ``memory_bytes`` do not suffice (``fits_memory``), or ``ridge`` is too
                small for the matrix to be inverted.
        """
        offers = purchases.shape[1]
        if not fits_memory(offers, memory_bytes):
            raise ShapeError(f"{offers} offers squared do not fit into {memory_bytes} bytes.")
        double = offers**2 * 8 * SPARE <= memory_bytes
        self.purchases = ones_of(purchases)
        gram = _gram(self.purchases, np.float64 if double else np.float32)
        self.weights: NDArray[np.floating[Any]] = _weights(gram, ridge)

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N)."""
        return np.asarray(self.purchases[buyers] @ self.weights, dtype=np.float32)


def fits_memory(offers: int, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> bool:
    """Whether the inversion, in single precision, stays within so many bytes."""
    return offers**2 * 4 * SPARE <= memory_bytes


def _gram(purchases: Csr, dtype: type[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    offers = purchases.shape[1]
    gram = np.empty((offers, offers), dtype=dtype, order="F")
    by_offer, columns = sp.csr_array(purchases.T), sp.csc_array(purchases)
    for start in range(0, offers, BLOCK):
        block = by_offer @ sp.csc_array(columns[:, start : start + BLOCK])
        gram[:, start : start + BLOCK] = block.todense()
    return gram


def _weights(gram: NDArray[np.floating[Any]], ridge: float) -> NDArray[np.floating[Any]]:
    """The gram matrix (N, N), Fortran order, -> B (N, N) in the same memory."""
    offers = len(gram)
    gram[np.diag_indices(offers)] += ridge
    double = gram.dtype == np.float64
    factor = lapack.dpotrf if double else lapack.spotrf
    invert = lapack.dpotri if double else lapack.spotri
    lower, failed = factor(gram, lower=1, overwrite_a=1, clean=0)
    if failed == 0:
        lower, failed = invert(lower, lower=1, overwrite_c=1)
    if failed:
        raise ShapeError(f"A ridge of {ridge:g} is too small for these purchases.")
    for start in range(0, offers, BLOCK):
        stop = start + BLOCK
        lower[:start, start:stop] = lower[start:stop, :start].T
        square = lower[start:stop, start:stop]
        square[:] = np.tril(square) + np.tril(square, -1).T
    # Symmetric, so its transpose is itself, with rows that lie together as the product wants them.
    inverse: NDArray[np.floating[Any]] = lower.T
    inverse /= -np.diag(inverse)[None, :].copy()
    np.fill_diagonal(inverse, 0.0)
    return inverse
