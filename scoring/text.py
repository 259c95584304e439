"""Text as a short dense vector: hashed words, TF-IDF, truncated SVD (latent semantic analysis)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

BUCKETS = 8192


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """``idf`` (BUCKETS,) float32 and ``components`` (BUCKETS, d) float32."""

    idf: NDArray[np.float32]
    components: NDArray[np.float32]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts (n,) -> (n, d) float32, unit rows; a row of zeros for no known word."""
        if not texts:
            return np.zeros((0, self.components.shape[1]), dtype=np.float32)
        dense = np.asarray(_weighted(texts, self.idf) @ self.components)
        return _unit_rows(dense)


def fit_text(texts: Sequence[str], dimension: int, seed: int) -> TextEncoder:
    """Learn the weights of words and the ``dimension`` directions that carry most of them.

    Fewer than ``dimension`` directions in the texts leave columns of zeros.
    """
    from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415 - a second to import

    counts = _counts(texts)
    seen = np.bincount(counts.indices, minlength=BUCKETS)
    idf = np.where(seen > 0, np.log((1 + len(texts)) / (1 + seen)) + 1, 0.0).astype(np.float32)
    components = np.zeros((BUCKETS, dimension), dtype=np.float32)
    rank = min(dimension, len(texts) - 1, int((seen > 0).sum()) - 1)
    if rank > 0:
        _, _, directions = randomized_svd(_weighted(texts, idf), rank, n_iter=4, random_state=seed)
        components[:, :rank] = directions.T
    return TextEncoder(idf, components)


def _counts(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - as above

    hashing = HashingVectorizer(n_features=BUCKETS, alternate_sign=False, norm=None)
    return sp.csr_array(hashing.transform(texts), dtype=np.float32)


def _weighted(texts: Sequence[str], idf: NDArray[np.float32]) -> Any:
    counts = _counts(texts)
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    norms = np.sqrt(np.asarray(counts.power(2).sum(axis=1)).ravel())
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return sp.csr_array(sp.diags_array(scale.astype(np.float32)) @ counts)


def _unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 1e-6)
    return np.asarray(unit, dtype=np.float32)
