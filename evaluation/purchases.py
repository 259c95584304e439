"""How good the matches are on purchases with times: what a service would have felt.

Split by time. What buyers bought again and what they bought for the first time are apart, and so
are new buyers and new offers; the next basket is what each buyer bought first after the cut.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from core.errors import InputError
from core.snapshot import GraphSnapshot
from evaluation.exam import Answers, Conduct, Exam, hold_exam
from evaluation.figures import Figures, figures_by_model, models_of, settings_of
from evaluation.personal import PersonalFrequency
from evaluation.views import View
from gnn.split import Split, split_snapshot
from gnn.walk_tuning import bought_rows, rows_of
from scoring.corpus_building import build_corpus
from scoring.metrics import restricted
from scoring.ragged import Ragged, ragged_from_pairs

TEST_SHARE = 0.2
PERSONAL = "personal_frequency"
ByModel = dict[str, Figures | str]


@dataclass(frozen=True, slots=True)
class PurchaseQuality:
    """The report of one measurement, figures by model in every part.

    ``models`` ranks what a buyer had not bought before the cut, ``repeat`` what it had;
    ``next_basket`` ranks everything for the first order after the cut, ``next_basket_repeat`` the
    same basket's offers that were bought before, among those. ``new_buyers`` had bought nothing;
    ``new_offers`` nobody had bought, ranked among themselves.
    """

    data: dict[str, Any]
    models: ByModel
    repeat: ByModel
    next_basket: ByModel
    next_basket_repeat: ByModel
    new_buyers: ByModel
    new_offers: ByModel
    settings: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values that json can write."""
        return asdict(self)


def measure_purchases(
    snapshot: GraphSnapshot, conduct: Conduct, share: float = TEST_SHARE
) -> PurchaseQuality:
    """Learn from all but the last ``share`` of the purchases, and rank for who bought after.

    Raises:
        InputError: when the purchases carry no usable times, or too little is known before.
    """
    split = split_snapshot(snapshot, share, conduct.settings.seed)
    if split.cut is None:
        raise InputError(
            "The purchases carry no usable times to split by.",
            mend="Give purchases made at different times, or matrices: --data DIR.",
        )
    corpus = build_corpus(split.known)
    testers = np.flatnonzero(np.diff(split.fresh.ptr) + np.diff(split.repeated.ptr))
    known = rows_of(bought_rows(corpus), testers)
    offers = len(corpus.offers)
    untouched = np.bincount(bought_rows(corpus).values, minlength=offers) == 0
    views = {
        "new": View(masked=known),
        "again": View(within=known),
        "basket": View(),
        "untouched": View(allowed=untouched),
    }
    personal = {PERSONAL: PersonalFrequency(corpus)}
    answers = hold_exam(Exam(split.known, testers, views), conduct, personal)
    fresh, repeated = rows_of(split.fresh, testers), rows_of(split.repeated, testers)
    basket = rows_of(next_baskets(snapshot, split), testers)

    for view in ("new", "untouched"):
        # Of what it says nothing, it ranks as popularity does.
        del answers.tops[view][PERSONAL]

    def figures(view: str, relevant: Ragged) -> ByModel:
        return figures_by_model(answers, view, relevant, offers)

    new_rows = np.flatnonzero(np.diff(known.ptr) == 0)
    newcomers = Answers({"new": {m: top[new_rows] for m, top in answers.tops["new"].items()}})
    newcomers.skipped = answers.skipped
    return PurchaseQuality(
        data={
            "buyers": len(corpus.buyers),
            "offers": offers,
            "cut": split.cut.isoformat(),
            "train": len(split.known.purchases),
            "testers": len(testers),
            "test": len(fresh.values),
            "test_repeated": len(repeated.values),
            "new_buyers": len(new_rows),
            "new_offers": int(untouched.sum()),
        },
        models=models_of(answers, "new", fresh, offers),
        repeat=figures("again", repeated),
        next_basket=figures("basket", basket),
        next_basket_repeat=figures("again", _common(basket, known, offers)),
        new_buyers=figures_by_model(newcomers, "new", rows_of(fresh, new_rows), offers),
        new_offers=figures("untouched", restricted(fresh, untouched)),
        settings=settings_of(answers, conduct) | {"test_share": share},
    )


def next_baskets(snapshot: GraphSnapshot, split: Split) -> Ragged:
    """Row b lists what buyer b bought in its first order after the cut.

    Lines without an order id of the same moment are one order.
    """
    after = snapshot.purchases.filter(pl.col("at") >= split.cut).with_columns(
        order=pl.coalesce("order_id", pl.col("at").dt.epoch("us").cast(pl.String))
    )
    earliest = pl.col("at") == pl.col("at").min().over("buyer_id")
    first = after.filter(earliest).group_by("buyer_id").agg(pl.col("order").min())
    lines = after.join(first, on=["buyer_id", "order"]).select("buyer_id", "offer_id").unique()
    buyers = snapshot.buyers.select(buyer_id="id").with_row_index("buyer")
    offers = snapshot.offers.select(offer_id="id").with_row_index("offer")
    found = lines.join(buyers, on="buyer_id").join(offers, on="offer_id")
    buyer, offer = (found[name].to_numpy().astype(np.int64) for name in ("buyer", "offer"))
    return ragged_from_pairs(buyer, offer, len(buyers))


def _common(first: Ragged, second: Ragged, width: int) -> Ragged:
    """What both hold in the same row; values below ``width``."""
    count = len(first.ptr) - 1
    one, other = (
        np.repeat(np.arange(count), np.diff(r.ptr)) * width + r.values for r in (first, second)
    )
    both = np.intersect1d(one, other)
    return ragged_from_pairs(both // width, both % width, count)
