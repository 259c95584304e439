"""An exam: every model learns from the same snapshot and ranks for the same buyers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.memory import give_back_memory
from core.progress import Progress
from core.snapshot import GraphSnapshot
from evaluation.contenders import SKIPPED, baselines, fit_contender, fits, slices_of
from evaluation.costs import ClockedProgress, cpu_seconds, forget_peak, peak_rss_mb
from evaluation.rankings import purchase_matrix, served_scores
from evaluation.views import Score, View, rank_blocks
from gnn.train import TrainSettings, train
from scoring.baselines import BlockScorer
from scoring.corpus_building import build_corpus
from scoring.scorer import Scorer, build_scorer

K = 20
# In the order of the report; EASE is fitted last, as it may need the most memory by far.
MODELS = ("popularity", "item_knn", "rp3beta", "ease", "walk", "graphsage", "offerpath")
SERVED = ("walk", "graphsage", "offerpath")
LABELS = ("Learning to choose", "Learning from everything")


@dataclass(frozen=True, slots=True)
class Exam:
    """What is known, who is asked and what may be ranked.

    ``snapshot`` is all that may be learnt from; ``testers`` are rows of its buyers, at least one;
    ``validation`` pairs to choose by, None for a slice that training takes itself.
    """

    snapshot: GraphSnapshot
    testers: NDArray[np.int64]
    views: Mapping[str, View]
    validation: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of all threads, and the process's highest memory meanwhile (10^6 bytes)."""

    train_seconds: float
    score_seconds: float
    peak_rss_mb: float


@dataclass(slots=True)
class Answers:
    """What the models ranked, by view, then model: (T, K) offers, -1 for none; and what it cost.

    ``skipped`` says of the models left out why; ``chosen`` what was tuned, ``validation`` the
    NDCG@20 on the validation slice. ``served`` is the model that the choice fell upon.
    """

    tops: dict[str, dict[str, NDArray[np.int32]]]
    costs: dict[str, Cost] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, dict[str, float]] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    served: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conduct:
    """How an exam is held: the training's settings, the memory that EASE may take, the clock."""

    settings: TrainSettings
    memory_bytes: int
    progress: Progress
    now: datetime


def hold_exam(
    exam: Exam, conduct: Conduct, others: Mapping[str, BlockScorer] | None = None
) -> Answers:
    """Tune, fit and rank with every model of MODELS; ``others`` only rank.

    Raises:
        InputError: when there is too little to learn from.
    """
    sitting = _Sitting(exam, conduct)
    for name, model in (others or {}).items():
        with sitting.costing(name) as clock:
            clock.fitted()
            sitting.rank(name, _alone(name, model))
    sitting.try_baselines("popularity", "item_knn", "rp3beta")
    sitting.try_served()
    sitting.try_baselines("ease")
    return sitting.answers


class _Clock:
    """CPU before and after the fit."""

    def __init__(self) -> None:
        self.start = self.middle = cpu_seconds()

    def fitted(self) -> None:
        """What comes after is scoring."""
        self.middle = cpu_seconds()


class _Sitting:
    """One exam under way."""

    def __init__(self, exam: Exam, conduct: Conduct) -> None:
        self.exam, self.conduct = exam, conduct
        self.answers = Answers({name: {} for name in exam.views})
        self.offers = len(exam.snapshot.offers)

    @contextmanager
    def costing(self, *names: str) -> Iterator[_Clock]:
        forget_peak()
        clock = _Clock()
        yield clock
        fit, score = clock.middle - clock.start, cpu_seconds() - clock.middle
        self.answers.costs |= dict.fromkeys(names, Cost(fit, score, peak_rss_mb()))

    def rank(self, label: str, score: Score) -> None:
        exam = self.exam
        give_back_memory()
        with self.conduct.progress.task(f"Ranking by {label}", len(exam.testers)) as task:
            tops = rank_blocks(
                score, exam.testers, self.offers, exam.views, K,
                threads=self.conduct.settings.threads, task=task,
            )  # fmt: skip
        for view, found in tops.items():
            self.answers.tops[view] |= found

    def try_baselines(self, *names: str) -> None:
        limit = self.conduct.memory_bytes
        fitting = [name for name in names if fits(name, self.offers, limit)]
        self.answers.skipped |= {name: SKIPPED for name in names if name not in fitting}
        if not fitting:
            return
        # Not kept: whoever comes next is to have the memory.
        slices = slices_of(self.exam.snapshot, self.conduct.settings, self.exam.validation)
        whole = purchase_matrix(build_corpus(self.exam.snapshot))
        for name in fitting:
            with self.costing(name) as clock:
                found = fit_contender(
                    name, baselines(limit)[name], slices, whole, self.conduct.progress
                )
                clock.fitted()
                self.rank(name, _alone(name, found.model))
            self.answers.chosen[name] = found.settings
            if found.ndcg is not None:
                self.answers.validation[name] = found.ndcg

    def try_served(self) -> None:
        with self.costing(*SERVED) as clock:
            scorer, seconds = self._trained()
            clock.fitted()
            self.rank("the trained model", lambda block: served_scores(scorer, block))
        costs = self.answers.costs
        for name in ("walk", "graphsage"):
            costs[name] = replace(costs[name], train_seconds=seconds[name])

    def _trained(self) -> tuple[Scorer, dict[str, float]]:
        """The scorer that would serve, and what its parts took to learn."""
        clock = ClockedProgress(self.conduct.progress)
        trained = train(
            self.exam.snapshot, self.conduct.settings, clock, now=self.conduct.now,
            labels=LABELS, validation=self.exam.validation, keep_choice=False,
        )  # fmt: skip
        answers = self.answers
        answers.manifest, answers.served = trained.model.manifest, trained.served
        answers.validation |= trained.validation
        corpus, start = build_corpus(self.exam.snapshot), cpu_seconds()
        scorer = build_scorer(corpus, trained.model)
        built = cpu_seconds() - start
        walk = sum(spent for label, spent in clock.seconds.items() if "walk" in label.lower())
        graphsage = sum(clock.seconds.get(label, 0.0) for label in LABELS)
        return scorer, {"walk": walk + built, "graphsage": graphsage}


def _alone(name: str, model: BlockScorer) -> Score:
    return lambda block: {name: model.score_block(block)}
