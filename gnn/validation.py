"""What a training chooses by: purchases held out, and the buyers they are asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from core.errors import InputError
from core.snapshot import GraphSnapshot
from gnn.model import Layers
from gnn.split import PAIR, Split
from gnn.walk_tuning import bought_rows, rows_of
from scoring.artifact import Model
from scoring.corpus import Corpus
from scoring.metrics import measure_top, rank_top
from scoring.ragged import ragged_from_pairs

MOST_TESTERS = 4000
# Scores that may be made to choose by: with many offers fewer buyers are asked.
MOST_SCORES = 200_000_000
# Scores held at once: what bounds the memory, 8 MB of float32.
CELLS = 2**21


@dataclass(frozen=True, slots=True)
class Choice:
    """What was learned on the part that was known, and how it may be judged.

    ``model`` has seen nothing of ``split.fresh``, and its blend was fitted without the buyers of
    ``judges`` (rows of the corpus of ``split.known``), so figures on these are honest.
    """

    split: Split
    model: Model
    judges: NDArray[np.int64]


class Validation:
    """NDCG@20 of the cosine over the testers, all offers they have not bought ranked."""

    def __init__(self, corpus: Corpus, split: Split, testers: NDArray[np.int64]) -> None:
        self.testers = torch.from_numpy(testers)
        self.masked = rows_of(bought_rows(corpus), testers)
        self.relevant = rows_of(split.fresh, testers)

    def __call__(self, layers: Layers) -> float:
        """Layers of the whole graph -> the mean over the testers."""
        tops = []
        height = max(1, CELLS // max(len(layers.offer_z), 1))
        for start in range(0, len(self.testers), height):
            rows = np.arange(start, min(start + height, len(self.testers)))
            scores = (layers.buyer_z[self.testers[rows]] @ layers.offer_z.T).numpy()
            tops.append(rank_top(scores, 20, rows_of(self.masked, rows)))
        return measure_top(np.concatenate(tops), self.relevant, 20).means()["ndcg"]


def given_split(snapshot: GraphSnapshot, validation: pl.DataFrame) -> Split:
    """Hold out the given pairs, with whatever else is known of them.

    Args:
        snapshot: all that is known.
        validation: columns buyer_id and offer_id; other columns are not read.

    Raises:
        InputError: when a column lacks, there are no pairs, or one is not among the purchases.
    """
    if not set(PAIR) <= set(validation.columns) or not len(validation):
        raise InputError("The validation slice needs pairs of buyer_id and offer_id.")
    pairs = validation.select(pl.col(PAIR).cast(pl.String)).unique().sort(PAIR)
    strange = pairs.join(snapshot.purchases, on=PAIR, how="anti")
    if len(strange):
        buyer, offer = strange.row(0)
        raise InputError(
            f"{len(strange):,} pairs of the validation slice are no purchases, such as "
            f"{buyer} with {offer}."
        )
    known = replace(
        snapshot,
        purchases=snapshot.purchases.join(pairs, on=PAIR, how="anti", maintain_order="left"),
        interactions=snapshot.interactions.join(pairs, on=PAIR, how="anti", maintain_order="left"),
    )
    buyers = snapshot.buyers.select(buyer_id="id").with_row_index("buyer")
    offers = snapshot.offers.select(offer_id="id").with_row_index("offer")
    found = pairs.join(buyers, on="buyer_id").join(offers, on="offer_id")
    rows, columns = (found[name].to_numpy().astype(np.int64) for name in ("buyer", "offer"))
    fresh = ragged_from_pairs(rows, columns, len(buyers))
    return Split(known, fresh, ragged_from_pairs(rows[:0], columns[:0], len(buyers)), None)


def testers_of(split: Split, corpus: Corpus, seed: int) -> NDArray[np.int64]:
    """Rows of buyers with held-out purchases, no more than is told apart by; none where nothing is.

    At most MOST_TESTERS, and fewer where MOST_SCORES would be passed.
    """
    testers = split.testers
    most = max(min(MOST_TESTERS, MOST_SCORES // max(len(corpus.offers), 1)), 200)
    if len(testers) > most:
        random = np.random.default_rng(seed)
        testers = np.sort(random.choice(testers, most, replace=False))
    return testers if len(corpus.buyers.offer) else testers[:0]
