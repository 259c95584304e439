"""What the validation slice decides: the walk, the learned links, the blend, and what serves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.progress import Progress
from core.snapshot import GraphSnapshot
from gnn.blending import (
    SINGLES,
    calibrated,
    fit_network,
    fit_weights,
    gather_examples,
    ndcg_of_blends,
)
from gnn.context_fitting import fit_context
from gnn.slim import SlimSettings
from gnn.split import Split
from gnn.walk_tuning import tune_slim, tune_walk
from scoring.artifact import SLIM_ARRAYS, Model
from scoring.blend import UNTRAINED, Blend
from scoring.corpus import Corpus
from scoring.rows import OfferRows
from scoring.scorer import build_scorer
from scoring.walk import WalkSettings

# What is served under the product's name: the better of the two fitted forms.
FITTED = ("network", "weights")
OFFERPATH = "offerpath"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the validation slice decided; ``judged`` is the blend that the judges saw.

    ``validation`` is the NDCG@20 of each candidate on buyers that nothing was fitted on, without
    circumstances; ``context`` is how much each name of these counts.
    """

    epochs: int
    walk: WalkSettings
    slim: SlimSettings
    blend: Blend
    judged: Blend
    served: str
    validation: dict[str, float]
    context: dict[str, float] = field(default_factory=dict)

    def entries(self, *, judged: bool = False) -> dict[str, Any]:
        """The manifest's entries that a scorer is built by."""
        blend = self.judged if judged else self.blend
        return {
            "served": self.served,
            "walk": asdict(self.walk),
            "slim": asdict(self.slim),
            "blend": blend.as_mapping(),
            "context": self.context,
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
            kept["epochs"],
            WalkSettings(**kept["walk"]),
            SlimSettings(**kept["slim"]),
            Blend.from_mapping(kept["blend"]),
            Blend.from_mapping(kept["judged"]),
            kept["served"],
            kept["validation"],
            kept["context"],
        )

    @classmethod
    def by_default(cls, epochs: int) -> Chosen:
        """What is taken where there are too few buyers to choose by."""
        kept = UNTRAINED.as_mapping()
        blend = Blend.of(kept["weights"] | {"slim_log": 1.0, "cosine": 5.0}, kept["bias"])
        return cls(epochs, WalkSettings(), SlimSettings(), blend, blend, OFFERPATH, {})


def with_links(model: Model, links: OfferRows) -> Model:
    """The model with its learned links between offers."""
    arrays = model.arrays | dict(zip(SLIM_ARRAYS, links, strict=True))
    return Model(model.version, model.offer_ids, arrays, model.manifest)


def decide(
    corpus: Corpus,
    model: Model,
    testers: NDArray[np.int64],
    split: Split,
    snapshot: GraphSnapshot,
    *,
    epochs: int,
    seed: int,
    threads: int,
    progress: Progress,
) -> tuple[Chosen, OfferRows]:
    """Tune, fit and choose; returns with it the learned links of the known part.

    Everything is fitted on the first half of ``testers`` and compared on the other, the judges;
    the winner is then fitted on all of them. ``snapshot`` is what ``split`` was made of; ``model``
    needs no links yet.
    """
    walk, _ = tune_walk(corpus, testers, split.fresh, progress)
    slim, links = tune_slim(corpus, walk, testers, split.fresh, threads, progress)
    scorer = build_scorer(corpus, with_links(model, links), blend=UNTRAINED, walk=walk)
    random = np.random.default_rng(seed)
    half = len(testers) // 2
    first = gather_examples(scorer, testers[:half], split.fresh, random, progress)
    fitted = {"network": fit_network(first, seed, progress), "weights": fit_weights(first)}
    figures = ndcg_of_blends(scorer, testers[half:], split.fresh, fitted | SINGLES, progress)
    winner = max(figures, key=lambda name: figures[name])
    rest = gather_examples(scorer, testers[half:], split.fresh, random, progress)
    every = first.joined(rest)
    if winner in SINGLES:
        blend, judged = calibrated(SINGLES[winner], every), calibrated(SINGLES[winner], first)
    else:
        blend = fit_network(every, seed, progress) if winner == "network" else fit_weights(every)
        judged = fitted[winner]
    validation = {OFFERPATH: max(figures[name] for name in FITTED)} | figures
    served = OFFERPATH if winner in FITTED else winner
    context = fit_context(scorer.with_blend(blend), snapshot, split, testers, random, progress)
    return Chosen(epochs, walk, slim, blend, judged, served, validation, context), links
