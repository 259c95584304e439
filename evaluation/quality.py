"""How good the matches are on matrices of interactions, as graph recommenders are compared.

All offers are ranked but those a buyer is known to have taken; the test is read once, after
everything has been tuned and chosen on a slice of what is known.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.cold import hold_offers_out, measure_cold
from evaluation.exam import Conduct, Exam, hold_exam
from evaluation.figures import Figures, figures_by_model, models_of, settings_of
from evaluation.matrices import MatrixData
from evaluation.matrix_snapshot import pairs_of, snapshot_of
from evaluation.views import View
from gnn.walk_tuning import rows_of
from scoring.metrics import restricted
from scoring.ragged import Ragged


@dataclass(frozen=True, slots=True)
class Quality:
    """The report of one measurement; ``models`` and ``cold`` hold figures, or why not."""

    data: dict[str, int]
    models: dict[str, Figures | str]
    cold: dict[str, Any]
    settings: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values that json can write."""
        return asdict(self)


def measure_quality(data: MatrixData, conduct: Conduct, *, with_cold: bool = True) -> Quality:
    """Learn from what the matrices know, rank for every buyer of the test.

    ``tune`` serves for choosing and is learnt from in the end.

    Raises:
        InputError: when there is too little to learn from.
    """
    snapshot, offers = snapshot_of(data), data.shape[1]
    testers = np.flatnonzero(np.diff(data.test.indptr)).astype(np.int64)
    relevant, known = rows_of(data.relevant(), testers), data.known
    masked = rows_of(Ragged(known.indptr.astype(np.int64), known.indices), testers)
    validation = pairs_of(data.tune) if data.tune is not None else None
    views = {"all": View(masked=masked)}
    held_out = None
    if with_cold and data.has_features:
        held_out = hold_offers_out(data, conduct.settings.seed)
        views["warm"] = View(masked=masked, allowed=~held_out.cold)
    answers = hold_exam(Exam(snapshot, testers, views, validation), conduct)
    cold: dict[str, Any] = {
        "skipped": "offers have no features" if with_cold else "left out (--no-cold)"
    }
    if held_out is not None:
        warm = restricted(relevant, ~held_out.cold)
        figures = figures_by_model(answers, "warm", warm, offers)["offerpath"]
        cold = measure_cold(data, held_out, figures, conduct)
    return Quality(
        data={
            "buyers": data.shape[0],
            "offers": offers,
            "train": int(data.train.nnz),
            "test": int(data.test.nnz),
        },
        models=models_of(answers, "all", relevant, offers),
        cold=cold,
        settings=settings_of(answers, conduct)
        | {
            "tune_pairs": 0 if data.tune is None else int(data.tune.nnz),
            "test_pairs_known_already": data.known_test_pairs,
        },
    )
