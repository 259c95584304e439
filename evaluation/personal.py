"""What a buyer bought most often, then most recently: the simple rule for what is bought again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.corpus import PURCHASED, Corpus


class PersonalFrequency:
    """How often a buyer bought an offer; of equals the one bought last; then by popularity.

    What a buyer never bought comes after all that it did, the popular first.
    """

    def __init__(self, corpus: Corpus) -> None:
        """Reads the evidence of purchases alone."""
        self.corpus = corpus
        kept = corpus.buyers.evidence_kind == PURCHASED
        counts = np.bincount(corpus.buyers.offer[kept], minlength=len(corpus.offers))
        self.popularity = counts / (counts.max(initial=0) + 1.0)

    def score_block(self, buyers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of buyers (B,) -> scores (B, N): ranks, so that float32 keeps them apart."""
        scores = np.repeat(self.popularity[None, :].astype(np.float32), len(buyers), axis=0)
        b = self.corpus.buyers
        for row, buyer in enumerate(buyers.tolist()):
            pieces = np.arange(b.ptr[buyer], b.ptr[buyer + 1])
            pieces = pieces[b.evidence_kind[pieces] == PURCHASED]
            offers = b.offer[pieces]
            order = np.lexsort((self.popularity[offers], b.last_at[pieces], b.count[pieces]))
            scores[row, offers[order]] = 1.0 + np.arange(len(order))
        return scores
