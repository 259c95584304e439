"""A store on each engine."""

from __future__ import annotations

import pytest

from graph.engine import GraphEngine
from graph.store import GraphStore
from tests.graph.stores import (
    BRANCH,
    BUYER,
    LEAF,
    OFFER,
    OTHER_BUYER,
    OTHER_OFFER,
    ROOT,
    VENDOR,
    SetClock,
)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def store(engine: GraphEngine, clock: SetClock) -> GraphStore:
    """An empty store; its engine is closed by its own fixture."""
    return await GraphStore.open(engine, clock)


@pytest.fixture
async def market(store: GraphStore) -> GraphStore:
    """Two buyers, a vendor, three categories in a line, two offers (one with a stock of 10)."""
    await store.upsert_buyers([{"id": BUYER, "name": "Ann Archer"}, {"id": OTHER_BUYER}])
    await store.upsert_vendors([{"id": VENDOR, "name": "Vendor the First"}])
    await store.upsert_categories(
        [
            {"id": ROOT, "name": "Electronics"},
            {"id": BRANCH, "parent_id": ROOT},
            {"id": LEAF, "parent_id": BRANCH},
        ]
    )
    await store.upsert_offers(
        [
            {
                "id": OFFER,
                "title": "A lamp that lights",
                "price_minor": 1250,
                "currency": "GBP",
                "available_quantity": 10,
                "vendor_id": VENDOR,
                "category_ids": [LEAF],
            },
            {"id": OTHER_OFFER},
        ]
    )
    return store
