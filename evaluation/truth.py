"""Against the truth of a generated marketplace: how many of the top matches are relevant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import ShapeError
from evaluation.rankings import purchase_matrix, served_scores
from gnn.walk_tuning import bought_rows, rows_of
from scoring.baselines import Popularity
from scoring.metrics import rank_top
from scoring.scorer import Scorer


def precision_by_truth(
    scorer: Scorer,
    buyer_ids: Sequence[str],
    offer_ids: Sequence[str],
    relevance: NDArray[np.floating],
    relevant: NDArray[np.bool_],
    k: int = 10,
) -> dict[str, float]:
    """The share of relevant offers among the top k that a buyer has not bought, by model.

    Args:
        scorer: what serves.
        buyer_ids: buyers of the truth's rows; those the scorer does not know are left out.
        offer_ids: offers of the truth's columns; all must be known to the scorer.
        relevance: (B, N) how relevant each offer is.
        relevant: (B, N) whether it counts as relevant.
        k: the cut.

    Returns:
        Means over buyers that bought something: ``popularity``, ``walk``, ``graphsage``,
        ``offerpath``, and ``oracle``, which ranks by the truth.

    Raises:
        ShapeError: when the arrays do not fit the ids.
    """
    if relevance.shape != relevant.shape or relevant.shape != (len(buyer_ids), len(offer_ids)):
        raise ShapeError(f"truth {relevant.shape} is not of {len(buyer_ids)} x {len(offer_ids)}.")
    corpus = scorer.corpus
    bought = bought_rows(corpus)
    rows = [
        (corpus.buyers.index[key], row)
        for row, key in enumerate(buyer_ids)
        if key in corpus.buyers.index and len(bought.row(corpus.buyers.index[key]))
    ]
    buyers, truth_rows = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    columns = np.array([corpus.offers.index[key] for key in offer_ids])
    scores = served_scores(scorer, buyers)
    scores["popularity"] = Popularity(purchase_matrix(corpus)).score_block(buyers)
    oracle = np.full((len(buyers), len(corpus.offers)), -np.inf)
    oracle[:, columns] = relevance[truth_rows]
    wanted = np.zeros(oracle.shape, dtype=bool)
    wanted[:, columns] = relevant[truth_rows]
    masked = rows_of(bought, buyers)
    result = {}
    for name, values in {**scores, "oracle": oracle}.items():
        top = rank_top(values, k, masked)
        found = np.take_along_axis(wanted, np.maximum(top, 0), axis=1) & (top >= 0)
        result[name] = float(found.mean())
    return result
