"""What a training holds out to choose by: once, or of few buyers several times.

One held-out part of a few hundred buyers tells settings apart by luck: of 300 buyers among 8,000
offers four such parts gave four different walks, the mean of them a better one than any
(docs/decisions/0016).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import InputError
from core.snapshot import GraphSnapshot
from gnn.split import PAIR, Split, split_snapshot
from scoring.corpus import Corpus
from scoring.corpus_building import build_corpus
from scoring.ragged import ragged_from_pairs

# With fewer buyers to validate on, figures are noise: nothing is tuned or stopped by them.
FEWEST_TESTERS = 20
# With fewer, they are asked again about other purchases of theirs, at most so many times in all.
ENOUGH_TESTERS, MOST_HOLDOUTS = 2000, 4
MOST_TESTERS = 4000
# Scores that may be made to choose by: with many offers fewer buyers are asked.
MOST_SCORES = 200_000_000


@dataclass(frozen=True, slots=True)
class Holdout:
    """A split, and the corpus of what is known in it."""

    split: Split
    corpus: Corpus

    @classmethod
    def of(cls, split: Split) -> Holdout:
        """Of this split."""
        return cls(split, build_corpus(split.known))


def hold_out(
    snapshot: GraphSnapshot,
    share: float,
    timeless_share: float,
    seed: int,
    validation: pl.DataFrame | None = None,
) -> tuple[list[Holdout], NDArray[np.int64]]:
    """What to choose by, at least one part, and the buyers (T,) that are asked, of each the same.

    Args:
        snapshot: all that is known.
        share: of the first purchases, the last of which are held out.
        timeless_share: of each buyer's, where there are no times.
        seed: of what is drawn.
        validation: pairs (buyer_id, offer_id) of the purchases to hold out instead.

    Raises:
        InputError: when a given pair is no purchase.
    """
    if validation is not None:
        first = Holdout.of(given_split(snapshot, validation))
        return [first], testers_of(first, seed)

    def part(drawn: int) -> Holdout:
        return Holdout.of(
            split_snapshot(
                snapshot, share, drawn, first_purchases=True, timeless_share=timeless_share
            )
        )

    first = part(seed)
    testers = testers_of(first, seed)
    count = 1
    # What came last came last; there are no others.
    if first.split.cut is None and FEWEST_TESTERS <= len(first.split.testers) < ENOUGH_TESTERS:
        count = min(MOST_HOLDOUTS, -(-ENOUGH_TESTERS // len(first.split.testers)))
    seeds = np.random.SeedSequence(seed).generate_state(count)[1:].tolist()
    return [first, *map(part, seeds)], testers


def given_split(snapshot: GraphSnapshot, validation: pl.DataFrame) -> Split:
    """Hold out the given pairs, with whatever else is known of them.

    Args:
        snapshot: all that is known.
        validation: columns buyer_id and offer_id; other columns are not read.

    Raises:
        InputError: when a column lacks, there are no pairs, or one is not among the purchases.
    """
    if not set(PAIR) <= set(validation.columns) or not len(validation):
        raise InputError("The validation slice needs pairs of buyer_id and offer_id.")
    pairs = validation.select(pl.col(PAIR).cast(pl.String)).unique().sort(PAIR)
    strange = pairs.join(snapshot.purchases, on=PAIR, how="anti")
    if len(strange):
        buyer, offer = strange.row(0)
        raise InputError(
            f"{len(strange):,} pairs of the validation slice are no purchases, such as "
            f"{buyer} with {offer}."
        )
    known = replace(
        snapshot,
        purchases=snapshot.purchases.join(pairs, on=PAIR, how="anti", maintain_order="left"),
        interactions=snapshot.interactions.join(pairs, on=PAIR, how="anti", maintain_order="left"),
    )
    buyers = snapshot.buyers.select(buyer_id="id").with_row_index("buyer")
    offers = snapshot.offers.select(offer_id="id").with_row_index("offer")
    found = pairs.join(buyers, on="buyer_id").join(offers, on="offer_id")
    rows, columns = (found[name].to_numpy().astype(np.int64) for name in ("buyer", "offer"))
    fresh = ragged_from_pairs(rows, columns, len(buyers))
    return Split(known, fresh, ragged_from_pairs(rows[:0], columns[:0], len(buyers)), None)


def testers_of(holdout: Holdout, seed: int) -> NDArray[np.int64]:
    """Rows of buyers with held-out purchases, no more than is told apart by; none where nothing is.

    At most MOST_TESTERS, and fewer where MOST_SCORES would be passed.
    """
    testers, corpus = holdout.split.testers, holdout.corpus
    most = max(min(MOST_TESTERS, MOST_SCORES // max(len(corpus.offers), 1)), 200)
    if len(testers) > most:
        random = np.random.default_rng(seed)
        testers = np.sort(random.choice(testers, most, replace=False))
    return testers if len(corpus.buyers.offer) else testers[:0]
