"""Half-lives are found where they were planted, and left out where nothing fades."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from core.snapshot import SCHEMAS, GraphSnapshot, empty_table
from gnn.again_tuning import tune_fading
from gnn.split import split_snapshot
from scoring.again import NEVER, Fading
from scoring.corpus_building import build_corpus
from scoring.ragged import Ragged, ragged_from_pairs

END = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 512
BUYERS = 150
OFFERS = 60


def market(
    fashion: float,
    habit: float,
    seed: int = 0,
    *,
    repeated: float = 0.5,
    staples: int = OFFERS,
    timeless: bool = False,
) -> GraphSnapshot:
    """Purchases over DAYS days, one a buyer in four days.

    Offers are in fashion for about ``fashion`` days (0: always); a share of ``repeated`` repeats an
    earlier one of the first ``staples`` offers, which is chosen by how much of it is left when it
    fades by half in ``habit`` days.
    """
    random = np.random.default_rng(seed)
    peaks = random.uniform(0, DAYS, OFFERS)
    rows = []
    for buyer in range(BUYERS):
        past: list[tuple[int, float]] = []
        for day in np.sort(random.uniform(0, DAYS, DAYS // 4)):
            if past and random.random() < repeated:
                left = np.array(
                    [(one < staples) * 0.5 ** ((day - then) / habit) + 1e-9 for one, then in past]
                )
                offer = past[int(random.choice(len(past), p=left / left.sum()))][0]
            else:
                near = np.exp(-(((day - peaks) / fashion) ** 2)) + 1e-3 if fashion else None
                p = None if near is None else near / near.sum()
                offer = int(random.choice(OFFERS, p=p))
            past.append((offer, float(day)))
            at = END - timedelta(days=0 if timeless else DAYS - float(day))
            rows.append((f"b{buyer:03d}", f"o{offer:03d}", at))
    return _snapshot(rows)


def _snapshot(rows: list[tuple[str, str, datetime]]) -> GraphSnapshot:
    tables = {name: empty_table(name) for name in SCHEMAS}
    for name, prefix, count in (("buyers", "b", BUYERS), ("offers", "o", OFFERS)):
        ids = pl.DataFrame({"id": [f"{prefix}{n:03d}" for n in range(count)]})
        tables[name] = ids.select(
            "id", *(pl.lit(None, t).alias(c) for c, t in SCHEMAS[name].items() if c != "id")
        )
    bought = pl.DataFrame(rows, ["buyer_id", "offer_id", "at"], orient="row")
    known = set(bought.columns)
    schema = SCHEMAS["purchases"]
    tables["purchases"] = bought.select(
        (pl.col(c).cast(t) if c in known else pl.lit(None, t).alias(c)) for c, t in schema.items()
    )
    return GraphSnapshot("planted", 0, END, **tables)


def watched(lead: float, seed: int = 0) -> GraphSnapshot:
    """Buyers who look at offers at random, and soon after buy one in four of what they looked at.

    How long after is exponential with a mean of ``lead`` days.
    """
    random = np.random.default_rng(seed)
    looks: list[tuple[str, str, str, datetime]] = []
    bought: list[tuple[str, str, datetime]] = []
    for buyer in range(BUYERS):
        for day in random.uniform(0, DAYS, 40):
            offer = int(random.integers(OFFERS))
            looks.append((f"b{buyer:03d}", f"o{offer:03d}", "VIEWED", _at(day)))
            later = day + random.exponential(lead)
            if random.random() < 0.25 and later < DAYS:
                bought.append((f"b{buyer:03d}", f"o{offer:03d}", _at(later)))
    schema = SCHEMAS["interactions"]
    seen = pl.DataFrame(looks, ["buyer_id", "offer_id", "kind", "at"], orient="row")
    interactions = seen.select(
        (pl.col(c).cast(t) if c in seen.columns else pl.lit(None, t).alias(c))
        for c, t in schema.items()
    )
    return replace(_snapshot(bought), interactions=interactions)


def _at(day: float) -> datetime:
    return END - timedelta(days=DAYS - float(day))


def tuned(snapshot: GraphSnapshot) -> Fading:
    split = split_snapshot(snapshot, 0.1, 0)
    return tune_fading(build_corpus(split.known), taken_after(split.fresh, split.repeated))


def taken_after(fresh: Ragged, repeated: Ragged) -> Ragged:
    rows = [np.repeat(np.arange(BUYERS), np.diff(part.ptr)) for part in (fresh, repeated)]
    values = np.concatenate([fresh.values, repeated.values])
    return ragged_from_pairs(np.concatenate(rows), values, BUYERS)


def test_fashions_are_short_and_habits_long() -> None:
    fading = tuned(market(fashion=25.0, habit=200.0))
    assert fading.sales_days is not None
    assert fading.sales_days <= 64
    assert fading.own_days is None or fading.own_days >= 100


def test_short_habits_are_found() -> None:
    fading = tuned(market(fashion=0.0, habit=15.0))
    assert fading.own_days is not None
    assert 7 <= fading.own_days <= 40


def test_interest_fades_as_fast_as_it_leads_to_purchases() -> None:
    soon, later = (tuned(watched(lead)).interest_days for lead in (2.0, 60.0))
    assert soon is not None
    assert later is not None
    assert soon <= 8
    assert later >= 3 * soon


def test_looks_of_two_kinds_at_an_offer_add_up() -> None:
    """Everybody clicked on everything once, long ago, which tells nothing of any offer."""
    snapshot = watched(2.0)
    clicked = snapshot.interactions.unique(["buyer_id", "offer_id"], maintain_order=True)
    clicked = clicked.with_columns(
        pl.lit("CLICKED").alias("kind").cast(clicked.schema["kind"]),
        pl.lit(_at(0.0)).alias("at").cast(clicked.schema["at"]),
    )
    both = replace(snapshot, interactions=pl.concat([snapshot.interactions, clicked]))
    fading = tuned(both)
    assert fading.interest_days is not None
    assert fading.interest_days <= 8


def test_without_interest_nothing_of_it_fades() -> None:
    assert tuned(market(fashion=25.0, habit=200.0)).interest_days is None


def test_where_nothing_changes_sales_do_not_fade() -> None:
    assert tuned(market(fashion=0.0, habit=200.0, seed=2)).sales_days is None


def test_without_times_nothing_fades() -> None:
    assert tuned(market(fashion=25.0, habit=50.0, timeless=True)) == NEVER


def test_a_few_buyers_tell_nothing() -> None:
    snapshot = market(fashion=25.0, habit=15.0)
    split = split_snapshot(snapshot, 0.1, 0)
    corpus = build_corpus(split.known)
    one = np.zeros(BUYERS + 1, np.int64)
    one[1:] = 1
    assert tune_fading(corpus, Ragged(one, np.zeros(1, np.int32))) == NEVER
