"""How a training is judged on purchases held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gnn.holdouts import Holdout
from gnn.model import Layers
from gnn.split import Split
from gnn.walk_tuning import bought_rows, rows_of
from scoring.artifact import Model
from scoring.metrics import measure_top, rank_top

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

    def __init__(self, holdout: Holdout, testers: NDArray[np.int64]) -> None:
        self.testers = torch.from_numpy(testers)
        self.masked = rows_of(bought_rows(holdout.corpus), testers)
        self.relevant = rows_of(holdout.split.fresh, testers)

    def __call__(self, layers: Layers) -> float:
        """Layers of the whole graph -> the mean over the testers."""
        tops = []
        height = max(1, CELLS // max(len(layers.offer_z), 1))
        for start in range(0, len(self.testers), height):
            rows = np.arange(start, min(start + height, len(self.testers)))
            scores = (layers.buyer_z[self.testers[rows]] @ layers.offer_z.T).numpy()
            tops.append(rank_top(scores, 20, rows_of(self.masked, rows)))
        return measure_top(np.concatenate(tops), self.relevant, 20).means()["ndcg"]
