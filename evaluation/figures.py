"""From an exam's answers to the figures of a report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.exam import MODELS, Answers, Conduct, K
from scoring.metrics import coverage, measure_top
from scoring.ragged import Ragged

Figures = dict[str, float]
SHOWN = ("recall", "ndcg", "precision", "f1", "hit_rate", "coverage")
WORDS = {
    "protocol": "all offers ranked but those known of the buyer; means over buyers with test "
    "pairs; recall over all relevant offers, NDCG's ideal cut at 20; test read once",
    "validation": "NDCG@20 on a slice of what is known; walk, graphsage and offerpath on those of "
    "its buyers that no weight was fitted on, the others on all of them",
    "train_seconds": "CPU seconds of the process over all threads. offerpath: all of the "
    "training, tuning, every candidate and the choice; walk and graphsage: their parts of that "
    "same training; others: their own tuning and fit",
    "score_seconds": "CPU seconds of scoring and ranking for all testers; walk, graphsage and "
    "offerpath come from one pass, whose cost stands with each",
    "peak_rss_mb": "highest resident memory of the whole process while the model was tuned, "
    "fitted and ranked by, in 10^6 bytes; what the process held before counts in",
}


def figures_of(top: NDArray[np.int32], relevant: Ragged, offers: int) -> Figures:
    """Rankings (T, K) -> ``recall@20`` and so on, means over testers with relevant offers."""
    means = measure_top(top, relevant, K).means()
    means["coverage"] = coverage(top, offers, K)
    return {f"{name}@{K}": means[name] for name in SHOWN}


def figures_by_model(answers: Answers, view: str, relevant: Ragged, offers: int) -> dict[str, Any]:
    """The figures of every model under a view, or why there are none."""
    tops = answers.tops[view]
    named = (*(name for name in tops if name not in MODELS), *MODELS)
    return {
        name: figures_of(tops[name], relevant, offers) if name in tops else answers.skipped[name]
        for name in named
    }


def models_of(answers: Answers, view: str, relevant: Ragged, offers: int) -> dict[str, Any]:
    """``figures_by_model``, each with what it cost."""
    return {
        name: found if isinstance(found, str) else found | asdict(answers.costs[name])
        for name, found in figures_by_model(answers, view, relevant, offers).items()
    }


def settings_of(answers: Answers, conduct: Conduct) -> dict[str, Any]:
    """What the figures were measured with: enough to measure them again."""
    return {
        "seed": conduct.settings.seed,
        "threads": conduct.settings.threads,
        "served": answers.served,
        "validation_ndcg@20": answers.validation,
        "baselines": answers.chosen,
        "lean": answers.manifest["lean"],
        "training": answers.manifest["settings"],
        "versions": answers.manifest["versions"],
        "memory_limit_mb": conduct.memory_bytes / 1e6,
        **WORDS,
    }
