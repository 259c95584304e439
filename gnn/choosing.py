"""What the validation slices decide: the links between offers, the blend, and what serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.memory import give_back_memory
from core.progress import Progress
from core.snapshot import GraphSnapshot
from gnn.again_tuning import tune_fading
from gnn.again_weighing import weigh_again
from gnn.bending import bent
from gnn.blending import (
    SINGLES,
    Asked,
    Examples,
    calibrated,
    fit_weights,
    gather_examples,
    ndcg_of_blends,
)
from gnn.context_fitting import fit_context
from gnn.holdouts import ENOUGH_TESTERS, Holdout
from gnn.leaning import is_ahead, lean_of, leaned
from gnn.low_rank import LowRank, LowRankSettings
from gnn.network import NetworkSettings, fit_network
from gnn.recipe import Recipe
from gnn.rehearsal import rehearsals
from gnn.slim import SlimSettings
from gnn.walk_tuning import bought_rows, tune_low_rank, tune_slim, tune_walk
from scoring.again import NEVER, Fading
from scoring.artifact import SLIM_ARRAYS, Model
from scoring.blend import UNTRAINED, Blend
from scoring.rows import OfferRows
from scoring.scorer import build_scorer
from scoring.walk import WalkSettings

Arrays = dict[str, NDArray[Any]]
# What is served under the product's name: the better of the two fitted forms.
FORMS = ("network", "weights")
# By how many standard errors the best must be ahead of a plainer one to be chosen.
DOUBT = 1.0
# By how many a model that the weighted sum holds must be ahead of it: fitted on all, not on half of
# the buyers, the sum gets better, and its part does not.
PART_DOUBT = 2.0
OFFERPATH = "offerpath"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the validation slice decided; ``judged`` is the blend that the judges saw.

    ``validation`` is the NDCG@20 of each candidate on buyers that nothing was fitted on, without
    circumstances; ``context`` is how much each name of these counts. ``fading`` is how fast
    purchases lose weight; ``lean`` is what was added to the weight of popularity, in both blends.
    """

    recipe: Recipe
    epochs: int
    walk: WalkSettings
    slim: SlimSettings
    low_rank: LowRankSettings
    blend: Blend
    judged: Blend
    served: str
    validation: dict[str, float]
    context: dict[str, float] = field(default_factory=dict)
    fading: Fading = NEVER
    lean: float = 0.0

    def entries(self, *, judged: bool = False) -> dict[str, Any]:
        """The manifest's entries that a scorer is built by."""
        blend = self.judged if judged else self.blend
        return {
            "served": self.served,
            "recipe": asdict(self.recipe),
            "walk": asdict(self.walk),
            "slim": asdict(self.slim),
            "low_rank": asdict(self.low_rank),
            "blend": blend.as_mapping(),
            "context": self.context,
            "again": asdict(self.fading),
            "lean": self.lean,
        }

    def as_state(self) -> dict[str, Any]:
        """All of it as plain values."""
        return self.entries() | {
            "epochs": self.epochs,
            "judged": self.judged.as_mapping(),
            "validation": self.validation,
        }

    @classmethod
    def of_state(cls, kept: dict[str, Any]) -> Chosen:
        """What ``as_state`` was made of."""
        return cls(
            Recipe(**kept["recipe"]),
            kept["epochs"],
            WalkSettings(**kept["walk"]),
            SlimSettings(**kept["slim"]),
            LowRankSettings(**kept["low_rank"]),
            Blend.from_mapping(kept["blend"]),
            Blend.from_mapping(kept["judged"]),
            kept["served"],
            kept["validation"],
            kept["context"],
            Fading(**kept["again"]),
            kept["lean"],
        )

    @classmethod
    def by_default(cls, recipe: Recipe, epochs: int) -> Chosen:
        """What is taken where there are too few buyers to choose by."""
        kept = UNTRAINED.as_mapping()
        blend = Blend.of(kept["weights"] | {"slim_log": 1.0, "cosine": 5.0}, kept["bias"])
        return cls(
            recipe, epochs, WalkSettings(), SlimSettings(), LowRankSettings(), blend, blend,
            OFFERPATH, {},
        )  # fmt: skip


def link_arrays(slim: OfferRows, low_rank: LowRank) -> Arrays:
    """The arrays of an artifact that link offers."""
    arrays: Arrays = dict(zip(SLIM_ARRAYS, slim, strict=True))
    return arrays | low_rank.arrays()


def with_links(model: Model, links: Arrays) -> Model:
    """The model with its links between offers."""
    return Model(model.version, model.offer_ids, model.arrays | links, model.manifest)


def plainest_of_the_best(figures: dict[str, NDArray[np.float64]]) -> str:
    """The best model, or popularity or the weighted sum where it is not clearly ahead (DOUBT).

    ``figures`` (T,) are of the same buyers for each model. Among models that cannot be told apart
    the highest figure is luck. The weighted sum holds all the simple models; what it cannot be
    told from adds nothing to it. With ENOUGH_TESTERS the network stands for the sum where it is
    ahead at all: fitted on all of them and not on half, it gains what the sum does not
    (docs/decisions/0017).
    """
    best = max(figures, key=lambda name: float(figures[name].mean()))
    form = "weights"
    if len(figures[best]) >= ENOUGH_TESTERS:
        form = max(FORMS, key=lambda name: float(figures[name].mean()))
    for name in ("popularity", form):
        ahead = figures[best] - figures[name]
        doubt = PART_DOUBT if name == form and best in SINGLES else DOUBT
        if not is_ahead(ahead, doubt):
            return name
    return best


def may_lean(winner: str, is_draw: bool, testers: int) -> bool:
    """Whether what won may lean to what is popular (gnn.leaning).

    Times, or whoever gave the pairs to choose by, tell what comes next; of few buyers the error is
    so wide that to lean costs too much.
    """
    return winner in FORMS and is_draw and testers >= ENOUGH_TESTERS


class _Lists(NamedTuple):
    """Examples of all who are asked, of the first half and of the second.

    ``rehearsed`` is what the network is fitted on; ``own`` leaves what is only rehearsed out, and
    is what a score is held to. The sum is fitted on that alone: one line for everything, it would
    give of what is known for what is not.
    """

    rehearsed: tuple[Examples, Examples, Examples]
    own: tuple[Examples, Examples, Examples]


def _gathered(
    asked: Sequence[Sequence[Asked]],
    again: Sequence[Sequence[Asked]],
    random: np.random.Generator,
    progress: Progress,
) -> _Lists:
    """The examples of both halves, ``again`` what is rehearsed with each."""
    # In this order each of the six is one stretch of the same arrays.
    order = again[0], asked[0], asked[1], again[1]
    every = gather_examples([one for part in order for one in part], random, progress)
    sizes = [sum(len(one.buyers) for one in part) for part in order]
    first, middle, last, end = np.cumsum(sizes).tolist()
    return _Lists(
        (every, every.of(0, middle), every.of(middle, end)),
        (every.of(first, last), every.of(first, middle), every.of(middle, last)),
    )


def _fit_halves(
    lists: _Lists, seed: int, progress: Progress
) -> tuple[list[dict[str, Blend]], NetworkSettings]:
    """FORMS fitted on each half, and for how long to fit the network on both.

    How long it is fitted on one half is decided by the other.
    """
    _, *halves = lists.rehearsed
    _, *own = lists.own
    networks = [
        fit_network(half, seed, progress, watched=other)
        for half, other in zip(halves, reversed(own), strict=True)
    ]
    fitted = [
        {"network": network.blend, "weights": fit_weights(half)}
        for network, half in zip(networks, own, strict=True)
    ]
    passes = round(sum(network.passes for network in networks) / len(networks))
    return fitted, NetworkSettings(passes=passes)


def _made_of(
    winner: str,
    fitted: Sequence[dict[str, Blend]],
    lists: _Lists,
    long_enough: NetworkSettings,
    seed: int,
    progress: Progress,
) -> list[Blend]:
    """What won, as fitted on all, on the first half and on the second; calibrated."""
    if winner in SINGLES:
        made = [SINGLES[winner]] * 3
    elif winner == "network":
        whole = fit_network(lists.rehearsed[0], seed, progress, long_enough).blend
        made = [whole, *(blends[winner] for blends in fitted)]
    else:
        made = [fit_weights(lists.own[0]), *(blends[winner] for blends in fitted)]
    return [calibrated(blend, known) for blend, known in zip(made, lists.own, strict=True)]


def decide(
    holdouts: Sequence[Holdout],
    models: Sequence[Model],
    testers: NDArray[np.int64],
    snapshot: GraphSnapshot,
    *,
    recipe: Recipe,
    epochs: int,
    seed: int,
    threads: int,
    progress: Progress,
) -> tuple[Chosen, Arrays]:
    """Tune, fit and choose; returns with it the link_arrays of what the first of them knows.

    What is fitted is fitted on each half of ``testers``, by all ``holdouts`` of these buyers, and
    compared on the other; the winner is then fitted on all of them. The second half are the judges
    of what was fitted on the first. ``snapshot`` is what ``holdouts`` were made of; ``models``, one
    for each, need no links yet. How fast purchases lose weight, and what circumstances count, is
    asked of the first alone: where there is more than one, there are no times.
    """
    walk = tune_walk(holdouts, testers, progress)
    slim, learned = tune_slim(holdouts, walk, testers, threads, progress)
    low_rank, products = tune_low_rank(holdouts, testers, seed, progress)
    links = [link_arrays(*pair) for pair in zip(learned, products, strict=True)]
    first = holdouts[0]
    # A random split tells what belongs together, not what comes after what.
    fading = tune_fading(first.corpus, first.split.taken) if first.split.cut else NEVER
    linked = [with_links(*pair) for pair in zip(models, links, strict=True)]
    scorers = [
        build_scorer(holdout.corpus, model, blend=UNTRAINED, walk=walk, fading=fading)
        for holdout, model in zip(holdouts, linked, strict=True)
    ]
    give_back_memory()
    random = np.random.default_rng(seed)
    halves = np.split(testers, [len(testers) // 2])
    bought = [bought_rows(holdout.corpus) for holdout in holdouts]
    asked = [
        [
            Asked(scorer, half, own, holdout.split.fresh)
            for scorer, own, holdout in zip(scorers, bought, holdouts, strict=True)
        ]
        for half in halves
    ]
    again = rehearsals(
        scorers[0], linked[0], walk, [half[0] for half in asked], np.random.default_rng([seed, 1])
    )
    lists = _gathered(asked, again, random, progress)
    del again
    give_back_memory()
    fitted, long_enough = _fit_halves(lists, seed, progress)
    figures = figures_across(asked, [blends | SINGLES for blends in fitted], progress)
    winner = plainest_of_the_best(figures)
    whole, one, other = _made_of(winner, fitted, lists, long_enough, seed, progress)
    lean = 0.0
    if may_lean(winner, first.split.is_draw, len(testers)):
        own = [half[0] for half in asked]
        lean = lean_of(own, [other, one], figures["popularity"], progress)
    if lean:
        whole, one, other = (
            calibrated(leaned(upright, lean), known)
            for upright, known in zip((whole, one, other), lists.own, strict=True)
        )
    _, of_one, of_other = lists.own
    blend = bent(whole, [(other, of_one), (one, of_other)])
    # The judges have no part in what they judge.
    judged = bent(one, [(other, of_one)])
    means = {name: float(figure.mean()) for name, figure in figures.items()}
    validation = {OFFERPATH: max(means[name] for name in FORMS)} | means
    served = OFFERPATH if winner in FORMS else winner
    scorer, taken = scorers[0], first.split.taken
    blend = weigh_again(scorer, blend, testers, taken)
    judged = weigh_again(scorer, judged, halves[0], taken)
    context = fit_context(
        scorer.with_blend(blend), snapshot, first.split, testers, random, progress
    )
    chosen = Chosen(
        recipe, epochs, walk, slim, low_rank, blend, judged, served, validation, context, fading,
        lean,
    )  # fmt: skip
    return chosen, links[0]


def figures_across(
    asked: Sequence[Sequence[Asked]], blends: Sequence[dict[str, Blend]], progress: Progress
) -> dict[str, NDArray[np.float64]]:
    """NDCG@20 (T,) of each blend, a buyer's mean over holdouts; each half by the other's blends."""
    halves = []
    for half, others in zip(asked, reversed(blends), strict=True):
        parts = [ndcg_of_blends(one, others, progress) for one in half]
        halves.append({name: np.mean([p[name] for p in parts], axis=0) for name in others})
    return {name: np.concatenate([half[name] for half in halves]) for name in blends[0]}
