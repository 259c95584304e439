"""What has no history yet, rehearsed: lists in which offers and buyers have lost theirs.

The slice that a blend is fitted on has few offers that nobody has dealt with, or none, and few
buyers of whom nothing is known; what a network says of them is then wherever its lines happen to
lead. So some of the buyers are asked once more, of a corpus in which a part of the offers has never
been dealt with and some of these buyers have done nothing. The towers lose as much while they are
learned (gnn.recipe). Source: DropoutNet (Volkovs et al., 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gnn.blending import Asked
from scoring.artifact import Model
from scoring.corpus import Corpus
from scoring.offer_features import OfferEncoder
from scoring.ragged import row_pointers
from scoring.scorer import Scorer, build_scorer
from scoring.walk import WalkSettings

# The offers that lose their history, of all.
OFFERS_SHARE = 0.1
# Of each part, as many buyers as tell what to make of it; of these, one in so many as a newcomer.
MOST_ASKED_AGAIN = 500
NEWCOMERS = 3
# No offer has it.
NO_ID = ""


def rehearsals(
    scorer: Scorer,
    model: Model,
    walk: WalkSettings,
    asked: Sequence[Asked],
    random: np.random.Generator,
) -> list[list[Asked]]:
    """For each part of what is asked, what is asked of it once more; nothing in vain.

    In vain it is where nothing but purchases tells offers apart: all without a history are then
    the same.

    Args:
        scorer: of everything that is known.
        model: what it was built with.
        walk: so was this.
        asked: the parts, whose buyers come in no order.
        random: of the offers.
    """
    forgotten = random.random(len(scorer.corpus.offers)) < OFFERS_SHARE
    if not _told_apart(scorer.corpus, model, np.flatnonzero(forgotten)):
        return [[] for _ in asked]
    again = [part.buyers[:MOST_ASKED_AGAIN] for part in asked]
    newcomers = np.concatenate([buyers[::NEWCOMERS] for buyers in again])
    corpus = without_history(scorer.corpus, forgotten, newcomers)
    ids = [NO_ID if forgotten[scorer.corpus.offers.index[key]] else key for key in model.offer_ids]
    other = build_scorer(
        corpus, replace(model, offer_ids=ids), blend=scorer.blend, walk=walk,
        fading=scorer.constants.fading,
    )  # fmt: skip
    return [
        [part._replace(scorer=other, buyers=buyers)]
        for part, buyers in zip(asked, again, strict=True)
    ]


def without_history(corpus: Corpus, offers: NDArray[np.bool_], buyers: NDArray[np.int64]) -> Corpus:
    """A corpus in which nobody has dealt with some offers (N,), and some buyers with nothing."""
    b = corpus.buyers
    owner = np.repeat(np.arange(len(b)), np.diff(b.ptr))
    kept = ~offers[b.offer] & ~np.isin(owner, buyers)
    left = replace(
        b,
        ptr=row_pointers(owner[kept], len(b)),
        offer=b.offer[kept],
        evidence_kind=b.evidence_kind[kept],
        count=b.count[kept],
        first_at=b.first_at[kept],
        last_at=b.last_at[kept],
    )
    return replace(corpus, buyers=left)


def _told_apart(corpus: Corpus, model: Model, offers: NDArray[np.int64]) -> bool:
    z = OfferEncoder.from_arrays(model.arrays, model.manifest).encode(corpus, offers).z
    return bool((z != z[:1]).any())
