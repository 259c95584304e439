"""A training judged by the buyers that nothing was fitted on: its figures, and how it compares.

Two models are compared on what neither has seen, by the scorer that serves both. Where there is
too little of that, each is measured against the simple models on its own slice, and these lifts are
compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.progress import Progress
from core.snapshot import GraphSnapshot
from evaluation.evaluate import Evaluation, measure
from evaluation.rankings import served_scores
from gnn.split import PAIR, Split
from gnn.train import TrainedModel
from gnn.validation import Choice
from gnn.walk_tuning import bought_rows, rows_of
from scoring.artifact import Model
from scoring.corpus import Corpus
from scoring.metrics import measure_top, rank_top
from scoring.ragged import Ragged, ragged_from_pairs
from scoring.scorer import Scorer, build_scorer

K = 20
SIMPLE = ("popularity", "item_knn", "walk")
# Fewer buyers than this say nothing of two models.
FEWEST_JUDGES = 50
# Worse is what is lower by more than this many standard errors, and by more than this share.
STANDARD_ERRORS = 2.0
LEAST_LOSS = 0.01
MOST_JUDGES, FEWER_JUDGES = 600, 250
# Scores that a report may make: with many offers fewer buyers are asked.
MOST_SCORES = 10_000_000
BLOCK = 128
SAME, OWN = "what neither has seen", "each one's own slice"


@dataclass(frozen=True, slots=True)
class Lift:
    """NDCG of what is served over that of the best simple model, on one slice.

    ``error`` is the standard error of ``lift``, by the delta method over the buyers.
    """

    judges: int
    baseline: str
    served_ndcg: float
    baseline_ndcg: float
    lift: float
    error: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The new model beside the one in service.

    ``on`` is SAME (figures are NDCG@20, the error is of paired differences) or OWN (figures are
    lifts).
    """

    in_service: str
    on: str
    judges: int
    new: float
    old: float
    error: float

    @property
    def is_worse(self) -> bool:
        """Whether the new model is lower by more than chance and more than trifles explain."""
        loss = self.old - self.new
        return loss > STANDARD_ERRORS * self.error and loss > LEAST_LOSS * self.old

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values that json can write."""
        return asdict(self) | {"is_worse": self.is_worse}

    def words(self) -> str:
        """What was compared, how it came out, and what follows, in two sentences."""
        what = (
            f"NDCG@20 on purchases of {self.judges:,} buyers that neither has seen"
            if self.on == SAME
            else "NDCG@20 over the best simple model's, each on its own validation slice"
        )
        verdict = (
            "It does worse." if self.is_worse else "It does not do worse, as far as can be told."
        )
        return (
            f"Beside the model in service ({self.in_service}): {what}, is {self.new:.4f} for the "
            f"new model and {self.old:.4f} for the one in service, with a standard error of the "
            f"difference of {self.error:.4f}. {verdict}"
        )


def with_judges(choice: Choice, most: int = MOST_JUDGES) -> Choice:
    """The same with at most so many judges, evenly drawn: a report costs less than a training.

    Fewer, but not below FEWER_JUDGES, where MOST_SCORES would be passed.
    """
    most = min(most, max(FEWER_JUDGES, MOST_SCORES // max(len(choice.model.offer_ids), 1)))
    places = np.linspace(0, len(choice.judges) - 1, min(most, len(choice.judges)))
    return replace(choice, judges=choice.judges[places.round().astype(np.int64)])


def judge(trained: TrainedModel, choice: Choice, progress: Progress) -> Evaluation:
    """Measure what a training chose by, on the buyers of ``choice.judges`` only.

    The model that is measured has not seen what they took; the one that is published has.
    """
    split = choice.split
    part = Split(
        split.known,
        only_rows(split.fresh, choice.judges),
        only_rows(split.repeated, choice.judges),
        split.cut,
    )
    model = choice.model.manifest | {
        name: trained.model.manifest[name] for name in ("curve", "settings", "metrics")
    }
    chosen = Model(trained.model.version, choice.model.offer_ids, choice.model.arrays, model)
    seen = TrainedModel(chosen, trained.curve, trained.validation, trained.served)
    return measure(part, seen, progress)


def ndcg_by_model(evaluation: Evaluation, choice: Choice) -> dict[str, NDArray[np.float64]]:
    """NDCG@20 of each judge (J,) by every model that was ranked."""
    fresh = rows_of(choice.split.fresh, choice.judges)
    return {name: measure_top(top, fresh, K).ndcg for name, top in evaluation.rankings.new.items()}


def lift_of(ndcg: dict[str, NDArray[np.float64]]) -> Lift | None:
    """The lift on the judges; None where no simple model finds anything or there is one judge."""
    judges = len(ndcg["offerpath"])
    means = {name: float(values.sum() / max(judges, 1)) for name, values in ndcg.items()}
    baseline = max(SIMPLE, key=lambda name: means[name])
    if judges < 2 or means[baseline] <= 0:
        return None
    lift = means["offerpath"] / means[baseline]
    residual = ndcg["offerpath"] - lift * ndcg[baseline]
    error = float(standard_error(residual)) / means[baseline]
    return Lift(judges, baseline, means["offerpath"], means[baseline], lift, error)


def standard_error(values: NDArray[np.float64]) -> float:
    """Of the mean of two values (J,) or more."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def compare(
    snapshot: GraphSnapshot,
    choice: Choice,
    corpus: Corpus,
    lift: Lift | None,
    in_service: Model,
    progress: Progress,
) -> Comparison | None:
    """The new model beside the one in service; None where nothing fair can be said.

    Args:
        snapshot: the whole of what was trained on.
        choice: of the new model.
        corpus: of ``choice.split.known``.
        lift: of the new model on its judges.
        in_service: the model in service, of the same graph.
        progress: told of each buyer.
    """
    if in_service.manifest["data"]["graph_id"] != snapshot.graph_id:
        return None
    unseen = unseen_pairs(snapshot, choice, in_service)
    judges = np.flatnonzero(np.diff(unseen.ptr))
    if len(judges) >= FEWEST_JUDGES:
        new, old = (
            _ndcg(build_scorer(corpus, model), judges, choice.split, unseen, progress)
            for model in (choice.model, in_service)
        )
        means = float(new.mean()), float(old.mean())
        return Comparison(in_service.version, SAME, len(judges), *means, standard_error(new - old))
    known = in_service.manifest.get("judged")
    if lift is None or not known or min(lift.judges, known["judges"]) < FEWEST_JUDGES:
        return None
    error = float(np.hypot(lift.error, known["error"]))
    return Comparison(in_service.version, OWN, lift.judges, lift.lift, known["lift"], error)


def unseen_pairs(snapshot: GraphSnapshot, choice: Choice, in_service: Model) -> Ragged:
    """Row b lists what judge b took that came after all the model in service has learned from."""
    buyers = snapshot.buyers.select(buyer_id="id").with_row_index("buyer")
    offers = snapshot.offers.select(offer_id="id").with_row_index("offer")
    learned = in_service.manifest["data"].get("last_purchase_at")
    first = snapshot.purchases.group_by(PAIR).agg(pl.col("at").min())
    if learned is None:
        later = first.head(0)
    else:
        later = first.filter(pl.col("at") > datetime.fromisoformat(learned))
    found = later.join(buyers, on="buyer_id").join(offers, on="offer_id")
    rows, columns = (found[name].to_numpy().astype(np.int64) for name in ("buyer", "offer"))
    width = np.int64(len(snapshot.offers))
    fresh = only_rows(choice.split.fresh, choice.judges)
    owner = np.repeat(np.arange(len(fresh.ptr) - 1), np.diff(fresh.ptr))
    kept = np.isin(owner * width + fresh.values, rows * width + columns)
    return ragged_from_pairs(owner[kept], fresh.values[kept], len(snapshot.buyers))


def only_rows(ragged: Ragged, chosen: NDArray[np.int64]) -> Ragged:
    """The same with every row empty but the chosen ones."""
    counts = np.diff(ragged.ptr)
    stays = np.zeros(len(counts), dtype=bool)
    stays[chosen] = True
    ptr = np.concatenate([[0], np.cumsum(counts * stays)]).astype(np.int64)
    return Ragged(ptr, ragged.values[np.repeat(stays, counts)])


def _ndcg(
    scorer: Scorer,
    judges: NDArray[np.int64],
    split: Split,
    unseen: Ragged,
    progress: Progress,
) -> NDArray[np.float64]:
    """NDCG@20 of each judge, ranking neither what it had nor what either model may have learned."""
    bought, masked = rows_of(bought_rows(scorer.corpus), judges), []
    for place, judge_row in enumerate(judges.tolist()):
        seen = np.setdiff1d(split.fresh.row(judge_row), unseen.row(judge_row))
        masked.append(np.concatenate([bought.row(place), seen]))
    tops = []
    with progress.task("Comparing with the model in service", len(judges)) as task:
        for start in range(0, len(judges), BLOCK):
            block = judges[start : start + BLOCK]
            scores = served_scores(scorer, block)["offerpath"]
            hidden = masked[start : start + BLOCK]
            ptr = np.concatenate([[0], np.cumsum([len(row) for row in hidden])]).astype(np.int64)
            tops.append(rank_top(scores, K, Ragged(ptr, np.concatenate(hidden))))
            task.advance(len(block))
    relevant = rows_of(unseen, judges)
    return measure_top(np.concatenate(tops), relevant, K).ndcg
