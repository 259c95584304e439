"""Offers that nobody has taken yet: a tenth of them held out entirely, the same recipe trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from evaluation.exam import Conduct, K
from evaluation.figures import Figures
from evaluation.matrices import MatrixData
from evaluation.matrix_snapshot import pairs_of, snapshot_of
from evaluation.rankings import served_scores
from evaluation.substitutes import substitutes
from evaluation.views import View, rank_blocks
from gnn.train import train
from gnn.walk_tuning import rows_of
from scoring.baselines import Csr
from scoring.corpus_building import build_corpus
from scoring.metrics import measure_top, restricted
from scoring.ragged import Ragged
from scoring.scorer import build_scorer

SHARE = 0.1
LABELS = ("Learning to choose without the held-out offers", "Learning without the held-out offers")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The offers held out, ``cold`` (N,), and the matrices without what was taken of them."""

    cold: NDArray[np.bool_]
    data: MatrixData


def hold_offers_out(data: MatrixData, seed: int) -> HeldOut:
    """Draw a tenth of the offers that somebody has taken, and take away all that was."""
    taken = np.flatnonzero(np.bincount(data.known.indices, minlength=data.shape[1]))
    random = np.random.default_rng(seed)
    drawn = random.choice(taken, size=round(len(taken) * SHARE), replace=False)
    cold = np.zeros(data.shape[1], dtype=bool)
    cold[drawn] = True
    tune = None if data.tune is None else _without(data.tune, cold)
    left = replace(
        data, train=_without(data.train, cold), tune=tune if tune is not None and tune.nnz else None
    )
    return HeldOut(cold, left)


def measure_cold(
    data: MatrixData, held_out: HeldOut, whole_warm: Figures, conduct: Conduct
) -> dict[str, Any]:
    """Rank the held-out offers among themselves for the buyers of the test.

    Args:
        data: all of the matrices.
        held_out: what the model learns from, and the offers it does not know taken.
        whole_warm: figures of the model that learnt from everything, only warm offers ranked.
        conduct: how.

    Returns:
        Recall@20 and NDCG@20 by ``models`` (offerpath and popularity's substitutes), the
        ``best_substitute`` and the ``ratio`` of recalls; ``warm`` has the figures of the other
        offers, by the model that learnt from everything, and by this one without the held-out
        offers in the ranking and with them.
    """
    testers = np.flatnonzero(np.diff(data.test.indptr)).astype(np.int64)
    relevant, known = rows_of(data.relevant(), testers), data.known
    masked = rows_of(Ragged(known.indptr.astype(np.int64), known.indices), testers)
    cold = held_out.cold
    cold_relevant = restricted(relevant, cold)
    if not len(cold_relevant.values):
        return {"skipped": "no test pair has a held-out offer"}
    views = {
        "cold": View(masked=masked, allowed=cold),
        "warm": View(masked=masked, allowed=~cold),
        "all": View(masked=masked),
    }
    learnt = held_out.data
    validation = pairs_of(learnt.tune) if learnt.tune is not None else None
    snapshot = snapshot_of(learnt)
    trained = train(
        snapshot, conduct.settings, conduct.progress, now=conduct.now, labels=LABELS,
        validation=validation, keep_choice=False,
    )  # fmt: skip
    scorer = build_scorer(build_corpus(snapshot), trained.model)
    offers = data.shape[1]
    with conduct.progress.task("Ranking held-out offers", len(testers)) as task:
        tops = rank_blocks(
            lambda block: {"offerpath": served_scores(scorer, block)["offerpath"]},
            testers, offers, views, K, threads=conduct.settings.threads, task=task,
        )  # fmt: skip
    stand_ins = substitutes(learnt, cold, conduct.settings.seed)
    others = rank_blocks(
        lambda block: {name: model.score_block(block) for name, model in stand_ins.items()},
        testers, offers, {"cold": views["cold"]}, K,
    )  # fmt: skip
    models = {
        name: _pair(top, cold_relevant) for name, top in (tops["cold"] | others["cold"]).items()
    }
    best = max(others["cold"], key=lambda name: models[name][f"recall@{K}"])
    recall = models[best][f"recall@{K}"]
    warm = restricted(relevant, ~cold)
    return {
        "offers": int(cold.sum()),
        "test_pairs": len(cold_relevant.values),
        "models": models,
        "best_substitute": best,
        "ratio": models["offerpath"][f"recall@{K}"] / recall if recall else None,
        "warm": {
            "learnt_from_everything": whole_warm,
            "held_out": _pair(tops["warm"]["offerpath"], warm),
            "held_out_ranked_among_them": _pair(tops["all"]["offerpath"], warm),
        },
    }


def _without(matrix: Csr, cold: NDArray[np.bool_]) -> Csr:
    left: Csr = sp.csr_array(matrix, copy=True)
    left.data[cold[left.indices]] = 0
    left.eliminate_zeros()
    return left


def _pair(top: NDArray[np.int32], relevant: Ragged) -> Figures:
    means = measure_top(top, relevant, K).means()
    return {f"{name}@{K}": means[name] for name in ("recall", "ndcg")}
