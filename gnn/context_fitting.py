"""How much each circumstance counts: fitted on what was taken under which, kept where it helps.

Everything else of the score stays as it was fitted, so that a pair scores the same as ever when
no circumstance is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from core.context import Context
from core.progress import Progress
from core.snapshot import GraphSnapshot
from gnn.split import PAIR, Split
from scoring.combination import logit_rows
from scoring.context import ContextLifts
from scoring.context_counting import contexts_of
from scoring.corpus import PURCHASED
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import state_of

Floats = NDArray[np.float64]
# Of each half; more would take as long as the rest of the choosing.
MOST_BUYERS = 300
MOST_QUESTIONS = 2000
# With fewer buyers in a half, whether a circumstance helps cannot be told.
FEWEST_BUYERS = 20
HARD = 100
EASY = 100
RIDGE = 1e-3
MOST_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class Question:
    """A buyer (its row) took an offer (its row) for the first time under these circumstances."""

    buyer: int
    offer: int
    context: Context


@dataclass(frozen=True, slots=True)
class Answers:
    """What Q questions could have been answered by: the offer taken comes first of each.

    odds (P,) are log odds without the circumstances, counting each offer as often as it stands for
    others; lifts (P, M) by name; start (Q,) where each question's offers begin; buyer (Q,).
    """

    odds: Floats
    lifts: Floats
    start: NDArray[np.int64]
    buyer: NDArray[np.int64]

    def of(self, buyers: NDArray[np.int64]) -> Answers:
        """Those of these buyers."""
        size = np.diff(np.append(self.start, len(self.odds)))
        mine = np.isin(self.buyer, buyers)
        kept = np.repeat(mine, size)
        start = np.concatenate([[0], np.cumsum(size[mine])])[:-1]
        return Answers(self.odds[kept], self.lifts[kept], start, self.buyer[mine])

    def losses(self, weights: Floats) -> Floats:
        """``-log softmax`` (Q,) of what was taken, by weights (M,)."""
        return self._losses(weights)[0]

    def fitted(self, columns: Sequence[int]) -> Floats:
        """Weights (M,) in [0, 3], 0 but for ``columns``: least mean loss, each buyer one voice."""
        voices = 1.0 / np.bincount(self.buyer)[self.buyer]
        voices /= voices.sum()
        bounds = [(0.0, MOST_WEIGHT if m in columns else 0.0) for m in range(self.lifts.shape[1])]

        def objective(weights: Floats) -> tuple[float, Floats]:
            losses, slopes = self._losses(weights)
            value = float(voices @ losses) + RIDGE * float(weights @ weights)
            return value, voices @ slopes + 2.0 * RIDGE * weights

        start = np.zeros(len(bounds))
        found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
        weights: Floats = found.x
        return weights

    def _losses(self, weights: Floats) -> tuple[Floats, Floats]:
        logits = self.odds + self.lifts @ weights
        size = np.diff(np.append(self.start, len(logits)))
        peak = np.maximum.reduceat(logits, self.start)
        odds = np.exp(logits - np.repeat(peak, size))
        total = np.add.reduceat(odds, self.start)
        losses = np.log(total) + peak - logits[self.start]
        hoped = np.add.reduceat(odds[:, None] * self.lifts, self.start) / total[:, None]
        return losses, hoped - self.lifts[self.start]


def fit_context(
    scorer: Scorer,
    snapshot: GraphSnapshot,
    split: Split,
    testers: NDArray[np.int64],
    random: np.random.Generator,
    progress: Progress,
) -> dict[str, float]:
    """The weight of each name of circumstances, for what of it is worth more than chance.

    Args:
        scorer: of what was known; its blend stays.
        snapshot: with what was held out.
        split: of the snapshot.
        testers: buyers to ask about: a name is kept when a weight fitted on the first half makes
            what the second half took likelier by two standard errors; the weights are then fitted
            on all.
        random: draws the questions and the offers they are answered by.
        progress: told of each buyer.
    """
    lifts = scorer.corpus.context_lifts
    names = lifts.counts.names
    if not names:
        return {}
    asked = [q for q in questions_of(snapshot, split, testers) if _teaches(lifts, q.context)]
    able = np.unique([question.buyer for question in asked])
    halves = [
        part[np.isin(part, able)][:MOST_BUYERS] for part in np.split(testers, [len(testers) // 2])
    ]
    chosen = set(np.concatenate(halves).tolist())
    asked = [question for question in asked if question.buyer in chosen]
    drawn = random.permutation(len(asked))[:MOST_QUESTIONS]
    asked = [asked[n] for n in np.sort(drawn).tolist()]
    if min(len(part) for part in halves) < FEWEST_BUYERS:
        return {}
    every = gather_answers(scorer, lifts, asked, split.fresh, random, progress)
    first, second = (every.of(part) for part in halves)
    kept = [m for m in range(len(names)) if _helps(second, first.fitted([m]))]
    weights = every.fitted(kept)
    return {names[m]: float(weights[m]) for m in kept if weights[m] > 0.0}


def questions_of(
    snapshot: GraphSnapshot, split: Split, testers: NDArray[np.int64]
) -> list[Question]:
    """What the testers took that was held out, as they first did, by buyer and offer."""
    widths = np.diff(split.fresh.ptr)[testers]
    buyers = pl.Series("buyer", np.repeat(testers, widths))
    offers = np.concatenate([split.fresh.row(int(b)) for b in testers] or [np.zeros(0, np.int32)])
    pairs = pl.DataFrame(
        [
            buyers,
            pl.Series("offer", offers),
            snapshot.buyers["id"].gather(buyers).alias("buyer_id"),
            snapshot.offers["id"].gather(pl.Series(offers)).alias("offer_id"),
        ]
    )
    taken = snapshot.purchases if len(snapshot.purchases) else snapshot.interactions
    rows = (
        taken.select(*PAIR, "at", "context")
        .join(pairs, on=PAIR)
        .sort("buyer", "offer", "at", maintain_order=True)
        .unique(PAIR, keep="first", maintain_order=True)
    )
    found = zip(rows["buyer"], rows["offer"], contexts_of(rows), strict=True)
    return [Question(buyer, offer, context) for buyer, offer, context in found]


def gather_answers(
    scorer: Scorer,
    lifts: ContextLifts,
    questions: Sequence[Question],
    fresh: Ragged,
    random: np.random.Generator,
    progress: Progress,
) -> Answers:
    """Questions, by buyer, with the likeliest offers that were not taken and some of the rest."""
    odds, raised, sizes = [], [], []
    with progress.task("Asking under circumstances", len(questions)) as task:
        for buyer, mine in groupby(questions, key=lambda question: question.buyer):
            every = _log_odds(scorer, buyer)
            offers, stands_for = _others(scorer, buyer, fresh, every, random)
            plain = every[offers] + np.log(stands_for)
            for question in mine:
                shown = np.concatenate([[question.offer], offers])
                odds.append(np.concatenate([every[[question.offer]], plain]))
                raised.append(_lifted(lifts, question.context, shown))
                sizes.append(len(shown))
                task.advance()
    start = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    asked = np.array([question.buyer for question in questions])
    return Answers(np.concatenate(odds), np.concatenate(raised), start, asked)


def _others(
    scorer: Scorer, buyer: int, fresh: Ragged, odds: Floats, random: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Offers (L,) the buyer has never taken, and how many each stands for."""
    b = scorer.corpus.buyers
    pieces = slice(b.ptr[buyer], b.ptr[buyer + 1])
    open_to = np.ones(len(odds), dtype=bool)
    open_to[b.offer[pieces][b.evidence_kind[pieces] == PURCHASED]] = False
    open_to[fresh.row(buyer)] = False
    offers = np.flatnonzero(open_to)
    if len(offers) <= HARD + EASY:
        return offers, np.ones(len(offers))
    order = np.argpartition(-odds[offers], HARD)
    hard, rest = order[:HARD], order[HARD:]
    easy = random.choice(np.sort(rest), size=EASY, replace=False)
    kept = np.concatenate([np.sort(hard), np.sort(easy)])
    stands_for = np.repeat([1.0, len(rest) / EASY], [HARD, EASY])
    return offers[kept], stands_for


def _log_odds(scorer: Scorer, buyer: int) -> Floats:
    """Of every offer (N,), without circumstances."""
    offers = np.arange(len(scorer.corpus.offers), dtype=np.int32)
    phi = scorer.components(scorer.read(state_of(scorer.corpus, buyer)), offers)
    odds: Floats = logit_rows(phi, scorer.blend.combination)
    return odds


def _lifted(lifts: ContextLifts, context: Context, offers: NDArray[np.int64]) -> Floats:
    """Lifts (L, M) of offers (L,) by name."""
    names = lifts.counts.names
    found = np.zeros((len(offers), len(names)))
    for value in context:
        lift = lifts.of(value)
        if lift is not None:
            found[:, names.index(value.name)] = lift[offers]
    return found


def _teaches(lifts: ContextLifts, context: Context) -> bool:
    return any(lifts.of(value) is not None for value in context)


def _helps(answers: Answers, weights: Floats) -> bool:
    gains = answers.losses(np.zeros_like(weights)) - answers.losses(weights)
    voices = np.bincount(answers.buyer)
    per_buyer = np.bincount(answers.buyer, weights=gains)[voices > 0] / voices[voices > 0]
    error = per_buyer.std(ddof=1) / np.sqrt(len(per_buyer))
    return bool(weights.any() and per_buyer.mean() > 2.0 * error)
