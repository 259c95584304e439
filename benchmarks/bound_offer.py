"""What it costs to hold one offer against everybody, and how many then need an exact score.

Run: ``python benchmarks/bound_offer.py [--buyers 100000] [--offers 20000] [--pieces 30]``.

A market is made up as arrays: tastes by category, offers with vendor, price and place, a model of
64 dimensions, 128 of low rank, with learned links and a network of 24 units. A buyer's floor, the
score of the last of its 20 places, is estimated from ``--sampled`` offers that all buyers are
bounded against. Then come offers of two sorts: new ones, which nobody has met, and known ones put
back on sale.
Printed as JSON: milliseconds an offer (median and 95 %, CPU) on one thread, the share of buyers
whose bound reaches their floor, and how far at most a bound lies above the exact score of a few.
Target: under 20 ms for 100,000 buyers.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from announcing.audience import Audience, audience_of
from announcing.bounding import odds_of
from core.entities import Offer
from core.snapshot import SCHEMAS, GraphSnapshot, empty_table
from matching.growth import with_catalogue
from matching.lookups import score_pairs
from matching.state import MatcherState, build_state
from scoring.blend import Blend
from scoring.components import COMPONENTS
from scoring.kernels import BuyerSide
from scoring.rows import OfferRows
from scoring.tower import Tower

DIMENSION, RANK, HIDDEN, LINKS, PLACES = 64, 128, 24, 100, 20
CATEGORIES, VENDORS, COUNTRIES = 60, 200, 8
Floats = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--buyers", type=int, default=100_000)
    parser.add_argument("--offers", type=int, default=20_000)
    parser.add_argument("--pieces", type=int, default=30)
    parser.add_argument("--sampled", type=int, default=1_000)
    parser.add_argument("--bounded", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    state = made_market(rng, asked.buyers, asked.offers, asked.pieces)
    new = [newcomer(rng, number) for number in range(asked.bounded)]
    state = state.with_corpus(with_catalogue(state.corpus, new))
    started = time.perf_counter()
    audience = audience_of(state)
    figures: dict[str, object] = {
        "buyers": asked.buyers,
        "offers": asked.offers,
        "summed_up_s": round(time.perf_counter() - started, 2),
    }
    floors = estimated_floors(rng, audience, asked.offers, asked.sampled)
    came = range(asked.offers, asked.offers + asked.bounded)
    back = rng.choice(asked.offers, asked.bounded, replace=False).tolist()
    figures["new"] = measured(audience, list(came), floors)
    figures["known"] = measured(audience, back, floors)
    figures["above_exact_at_most"] = slack(audience, back[:5], rng)
    print(json.dumps(figures, indent=2))


def measured(audience: Audience, offers: list[int], floors: Floats) -> dict[str, float]:
    """Milliseconds an offer, and the share of buyers that survive."""
    both = (odds_of(floors), np.zeros(0))
    took, used, left = [], [], []
    for offer in offers:
        started, before = time.perf_counter(), time.thread_time()
        left.append(len(audience.survivors(offer, both)))
        took.append(time.perf_counter() - started)
        used.append(time.thread_time() - before)
    return {
        "ms_median": round(float(np.median(took)) * 1000, 2),
        "ms_p95": round(float(np.quantile(took, 0.95)) * 1000, 2),
        "cpu_ms_median": round(float(np.median(used)) * 1000, 2),
        "surviving_share_mean": round(float(np.mean(left)) / len(floors), 6),
        "surviving_share_most": round(max(left) / len(floors), 6),
    }


def slack(audience: Audience, offers: list[int], rng: np.random.Generator) -> float:
    """How far a bound is above the exact score, at most, of 20 buyers of each offer."""
    ids = audience.state.corpus.buyers.ids
    most = 0.0
    for offer in offers:
        bounds = audience.bounds(offer)
        chosen = [ids[row] for row in rng.choice(len(ids), 20).tolist()]
        key = audience.state.corpus.offers.ids[offer]
        for buyer, score in zip(
            chosen, score_pairs(audience.state, [(b, key) for b in chosen]), strict=True
        ):
            assert score is not None
            if bounds[buyer] > 0.0:
                assert bounds[buyer] >= score
                most = max(most, bounds[buyer] - score)
    return most


def estimated_floors(
    rng: np.random.Generator, audience: Audience, offers: int, sampled: int
) -> Floats:
    """(B,) the score that a share PLACES / offers of the sampled offers reach."""
    keep = max(1, round(sampled * PLACES / offers))
    best = np.zeros((keep, len(audience.outdated)))
    for offer in rng.choice(offers, sampled, replace=False).tolist():
        bounds = np.fromiter(audience.bounds(offer).values(), np.float64, best.shape[1])
        lowest = best.argmin(axis=0)
        columns = np.arange(best.shape[1])
        best[lowest, columns] = np.maximum(best[lowest, columns], bounds)
    floors: Floats = best.min(axis=0)
    return floors


def newcomer(rng: np.random.Generator, number: int) -> Offer:
    """An offer that nobody has met."""
    return Offer(
        f"new-{number}",
        title="new",
        price_minor=int(rng.lognormal(7, 1)),
        currency="EUR",
        latitude=float(rng.uniform(45, 55)),
        longitude=float(rng.uniform(0, 10)),
        vendor_id=f"v{rng.integers(VENDORS)}",
        category_ids=(f"c{rng.integers(CATEGORIES)}",),
    )


def made_market(rng: np.random.Generator, buyers: int, offers: int, pieces: int) -> MatcherState:
    """Buyers who buy mostly from a few categories, and a model that knows the categories."""
    category = rng.integers(0, CATEGORIES, offers)
    by_category = [np.flatnonzero(category == c) for c in range(CATEGORIES)]
    favourites = rng.integers(0, CATEGORIES, (buyers, 4))
    chosen = favourites[np.arange(buyers)[:, None], rng.integers(0, 4, (buyers, pieces))]
    sizes = np.array([len(rows) for rows in by_category])
    # The first of a category sell most: squared, so that few are popular and many are not.
    at = (rng.random((buyers, pieces)) ** 2 * sizes[chosen]).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    bought = np.concatenate(by_category)[starts[chosen] + at]
    snapshot = snapshot_of(rng, category, bought)
    state = build_state(snapshot, None)
    centres = rng.normal(0, 1, (CATEGORIES, DIMENSION))
    z = centres[category] + rng.normal(0, 1, (offers, DIMENSION))
    z = (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)
    scorer = replace(
        state.scorer, tower=made_tower(rng, z, by_category, category), blend=made_blend(rng)
    )
    return replace(state, scorer=scorer)


def made_tower(
    rng: np.random.Generator,
    z: NDArray[np.float32],
    by_category: list[NDArray[np.int64]],
    category: NDArray[np.int64],
) -> Tower:
    """Buyers are the mean of what they bought; offers are linked to some of their category."""
    offers = len(z)
    linked = [
        np.unique(rng.choice(by_category[c], min(LINKS, len(by_category[c])))) for c in category
    ]
    slim = OfferRows(
        np.cumsum([0, *map(len, linked)], dtype=np.int64),
        np.concatenate(linked).astype(np.int32),
        rng.exponential(0.02, sum(map(len, linked))).astype(np.float32),
    )
    d = z.shape[1]
    square, none = np.zeros((d, d), np.float32), np.zeros(d, np.float32)
    kinds = np.zeros((3, d), np.float32)
    countries = np.zeros((COUNTRIES + 1, d), np.float32)
    layers = np.array([0, 0, 1], np.float32)
    side = BuyerSide(kinds, countries, square, square, none, none, layers, True)
    even = np.ones(offers, np.float32)
    low_rank = rng.normal(0, RANK**-0.5, (offers, RANK)).astype(np.float32)
    return Tower(z, np.zeros_like(z), z, even, low_rank, even, even, slim, side, None)


def made_blend(rng: np.random.Generator) -> Blend:
    """Weights of the size that training finds, and a random network."""
    plain = Blend.of(dict.fromkeys(COMPONENTS[:-1], 0.7), -6.0).combination
    return Blend(
        plain._replace(
            inner=rng.normal(0, 0.4, (len(COMPONENTS), HIDDEN)),
            inner_bias=rng.normal(0, 0.5, HIDDEN),
            outer=rng.normal(0, 0.3, HIDDEN),
        )
    )


def snapshot_of(
    rng: np.random.Generator, category: NDArray[np.int64], bought: NDArray[np.int64]
) -> GraphSnapshot:
    """The tables of a market in which buyer b bought the offers ``bought[b]``."""
    buyers, pieces = bought.shape
    offers = len(category)
    day = pl.datetime(2025, 1, 1, time_zone="UTC", time_unit="us")
    known = {
        "buyers": pl.DataFrame(
            {
                "id": [f"b{n}" for n in range(buyers)],
                "kind": rng.choice(["shop", "home"], buyers),
                "country": rng.choice([f"L{n}" for n in range(COUNTRIES)], buyers),
                "latitude": rng.uniform(45, 55, buyers),
                "longitude": rng.uniform(0, 10, buyers),
            }
        ),
        "vendors": pl.DataFrame({"id": [f"v{n}" for n in range(VENDORS)]}),
        "categories": pl.DataFrame({"id": [f"c{n}" for n in range(CATEGORIES)]}),
        "offers": pl.DataFrame(
            {
                "id": [f"o{n}" for n in range(offers)],
                "price_minor": rng.lognormal(7, 1, offers).astype(np.int64),
                "currency": ["EUR"] * offers,
                "status": ["ACTIVE"] * offers,
                "latitude": rng.uniform(45, 55, offers),
                "longitude": rng.uniform(0, 10, offers),
                "vendor_id": [f"v{n}" for n in rng.integers(0, VENDORS, offers)],
                "category_ids": [[f"c{n}"] for n in category],
            }
        ),
        "purchases": pl.DataFrame(
            {
                "buyer_id": np.char.add("b", np.repeat(np.arange(buyers), pieces).astype(str)),
                "offer_id": np.char.add("o", bought.ravel().astype(str)),
            }
        ).with_columns(at=day, quantity=1),
    }
    tables = {name: empty_table(name) for name in SCHEMAS}
    for name, frame in known.items():
        schema = SCHEMAS[name]
        missing = (pl.lit(None, kind).alias(c) for c, kind in schema.items() if c not in frame)
        tables[name] = frame.with_columns(missing).select(*schema).cast(pl.Schema(schema))
    taken = pl.select(day).item()
    return GraphSnapshot("made-up", 0, taken, **tables)


if __name__ == "__main__":
    main()
