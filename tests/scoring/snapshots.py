"""Small random snapshots and models whose every corner scoring must get right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from core.snapshot import SCHEMAS, GraphSnapshot
from scoring.artifact import Model
from scoring.blend import Blend
from scoring.components import COMPONENTS, GROUP, PER_BUYER

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
START = datetime(2025, 1, 1, tzinfo=UTC)
KIND_NAMES = ("VIEWED", "CLICKED", "ADDED_TO_CART", "INQUIRED_ABOUT", "DISMISSED")


def random_snapshot(
    seed: int = 3, buyers: int = 60, offers: int = 80, purchases: int = 700
) -> GraphSnapshot:
    """A graph with missing attributes, nested categories, all kinds of evidence."""
    rng = np.random.default_rng(seed)

    def some(values: list[object], gaps: float = 0.2) -> list[object]:
        return [None if rng.random() < gaps else value for value in values]

    def picked(names: list[str], count: int) -> list[str]:
        return [names[k] for k in rng.integers(0, len(names), count)]

    buyer_ids = [f"b{n:03d}" for n in range(buyers)]
    offer_ids = [f"o{n:03d}" for n in range(offers)]
    categories = [("c0", None), ("c1", None), ("c00", "c0"), ("c01", "c0"), ("c000", "c00")]
    names = [key for key, _ in categories]
    vendors = [f"v{n}" for n in range(6)]
    favourite = rng.dirichlet(np.ones(offers) * 0.2, buyers)
    times = [START + timedelta(hours=int(h)) for h in rng.integers(0, 8000, purchases)]
    who = rng.integers(0, buyers - 3, purchases)  # The last three buyers have bought nothing.
    what = [int(rng.choice(offers - 2, p=_share(favourite[b][: offers - 2]))) for b in who]
    tables: dict[str, dict[str, Any]] = {
        "buyers": {
            "id": buyer_ids,
            "kind": some(list(picked(["grocer", "chemist"], buyers))),
            "country": some(list(picked(["DE", "FR", "GB"], buyers))),
            "latitude": some(list(rng.uniform(45, 55, buyers))),
            "longitude": list(rng.uniform(0, 10, buyers)),
            "created_at": [START] * buyers,
        },
        "vendors": {
            "id": vendors,
            "name": vendors,
            "country": ["DE"] * 6,
            "latitude": some(list(rng.uniform(45, 55, 6))),
            "longitude": list(rng.uniform(0, 10, 6)),
        },
        "categories": {
            "id": sorted(names),
            "name": sorted(names),
            "parent_id": [dict(categories)[key] for key in sorted(names)],
        },
        "offers": {
            "id": offer_ids,
            "title": [f"thing {n}" for n in range(offers)],
            "description": some([f"a fine thing of sort {n % 7}" for n in range(offers)]),
            "price_minor": some([int(p) for p in rng.lognormal(7, 1, offers)]),
            "currency": picked(["EUR", "GBP"], offers),
            "available_quantity": some([int(q) for q in rng.integers(0, 5, offers)], 0.4),
            "status": ["ACTIVE"] * offers,
            "valid_from": [None] * offers,
            "valid_to": [None] * offers,
            "latitude": some(list(rng.uniform(45, 55, offers)), 0.6),
            "longitude": list(rng.uniform(0, 10, offers)),
            "created_at": [START] * offers,
            "vendor_id": some(list(picked(vendors, offers))),
            "category_ids": [
                sorted(set(picked(names, int(k)))) for k in rng.integers(0, 3, offers)
            ],
        },
        "purchases": {
            "buyer_id": [buyer_ids[b] for b in who],
            "offer_id": [offer_ids[o] for o in what],
            "order_id": [None] * purchases,
            "at": times,
            "quantity": [1] * purchases,
            "unit_price_minor": [100] * purchases,
            "currency": ["EUR"] * purchases,
            "context": [None] * purchases,
        },
        "interactions": {
            "buyer_id": picked(buyer_ids, 200),
            "offer_id": picked(offer_ids, 200),
            "kind": picked(list(KIND_NAMES), 200),
            "at": [START + timedelta(days=n) for n in range(200)],
            "value": [None] * 200,
            "context": [None] * 200,
        },
        "preferences": {
            "buyer_id": buyer_ids[::2],
            "category_id": picked(names, len(buyer_ids[::2])),
            "weight": list(rng.uniform(-1, 1, len(buyer_ids[::2]))),
        },
    }
    frames = {name: pl.DataFrame(rows, schema=SCHEMAS[name]) for name, rows in tables.items()}
    return GraphSnapshot("test-graph", 1, START + timedelta(days=365), **frames)


LEADING = set(GROUP.tolist()) - set(PER_BUYER)


def random_model(snapshot: GraphSnapshot, seed: int = 5, dimension: int = 12) -> Model:
    """A model of random numbers over all offers but the first: what scoring must read rightly."""
    rng = np.random.default_rng(seed)
    offer_ids = snapshot.offers["id"].to_list()
    count, d = len(offer_ids), dimension

    def normal(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(0, 1, shape).astype(np.float32)

    z = normal(count, d)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    arrays = {
        "offer_z": z,
        "offer_p1": normal(count, d),
        "offer_p2": normal(count, d),
        "offer_gain": rng.uniform(0.5, 2, count).astype(np.float32),
        "kind_h0": normal(3, d),
        "country_h0": normal(4, d),
        "a1": normal(d, d) / np.float32(d),
        "a2": normal(d, d) / np.float32(d),
        "c1": normal(d),
        "c2": normal(d),
        "layer_weights": np.ones(3, np.float32),
        "low_rank": normal(count, 10) / np.float32(10),
        "low_rank_in": rng.uniform(0.5, 2, count).astype(np.float32),
        "low_rank_out": rng.uniform(0.5, 2, count).astype(np.float32),
    }
    linked = [np.sort(rng.choice(count, min(8, count), replace=False)) for _ in range(count)]
    arrays |= {
        "slim_ptr": np.cumsum([0, *map(len, linked)]),
        "slim_offer": np.concatenate(linked).astype(np.int32),
        "slim_weight": rng.normal(0.05, 0.1, sum(map(len, linked))).astype(np.float32),
    }
    # Scores stay away from 0 and 1, where nothing that is taken away would show.
    weights = {name: 0.7 if row in LEADING else 0.05 for row, name in enumerate(COMPONENTS)}
    blend = Blend.of(weights, -3.0).combination._replace(
        inner=rng.normal(0, 0.3, (len(COMPONENTS), 5)),
        inner_bias=rng.normal(0, 1, 5),
        outer=rng.normal(0, 0.05, 5),
        own=rng.uniform(0, 0.2, len(COMPONENTS)),
        own_share=0.8,
        own_bias=0.3,
        knee=-0.5,
        above=0.6,
    )
    manifest = {
        "kinds": ["chemist", "grocer"],
        "countries": ["DE", "FR", "GB"],
        "activation": "relu",
        "walk": {"neighbours": 20},
        "again": {"own_days": 60.0, "sales_days": 30.0, "interest_days": 40.0},
        "blend": Blend(blend).as_mapping(),
    }
    return Model("random", offer_ids, arrays, manifest)


def model_blend(model: Model) -> Blend:
    """The blend that the model's manifest names."""
    return Blend.from_mapping(model.manifest["blend"])


def _share(weights: Floats) -> Floats:
    share: Floats = weights / weights.sum()
    return share
