"""The graph as tables, on both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polars as pl
import pytest

from core.snapshot import SCHEMAS, load_snapshot, publish_snapshot
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
    day,
    purchase,
)


async def test_an_empty_graph_has_empty_tables(store: GraphStore) -> None:
    snapshot = await store.read_snapshot()
    assert snapshot.seq == 0
    for name, schema in SCHEMAS.items():
        assert dict(snapshot.table(name).schema) == schema
        assert snapshot.table(name).is_empty()


async def test_a_snapshot_holds_what_counts(market: GraphStore, clock: SetClock) -> None:
    await market.record_purchases(
        [
            purchase("p2", day(2), 5, order_id="order-2", unit_price_minor=7, currency="GBP"),
            purchase("p1", day(1), 2, context="text"),
            purchase("gone", day(1), 2, buyer_id=OTHER_BUYER),
        ]
    )
    await market.cancel_purchases(
        [{"id": "x1", "purchase_id": "gone"}, {"id": "x2", "purchase_id": "p2", "quantity": 2}]
    )
    await market.record_interactions(
        [{"buyer_id": BUYER, "offer_id": OTHER_OFFER, "kind": "CLICKED", "at": day(3), "value": 1}]
    )
    await market.set_preferences(BUYER, [{"category_id": ROOT, "weight": 0.5}])
    await market.delete_offers([OTHER_OFFER])
    await market.upsert_offers([{"id": OFFER, "category_ids": [LEAF, BRANCH]}])
    snapshot = await market.read_snapshot()
    assert (snapshot.graph_id, snapshot.seq, snapshot.taken_at) == (
        market.graph_id,
        await market.last_seq(),
        clock.now,
    )
    for name, schema in SCHEMAS.items():
        assert dict(snapshot.table(name).schema) == schema
    assert snapshot.buyers["id"].to_list() == [BUYER, OTHER_BUYER]
    assert snapshot.vendors.rows() == [(VENDOR, "Vendor the First", None, None, None)]
    assert snapshot.categories.select("id", "parent_id").rows() == [
        (BRANCH, ROOT),
        (LEAF, BRANCH),
        (ROOT, None),
    ]
    columns = ["id", "status", "available_quantity", "vendor_id", "category_ids"]
    assert snapshot.offers.select(columns).rows() == [
        (OFFER, "ACTIVE", 5, VENDOR, [BRANCH, LEAF]),
        (OTHER_OFFER, "WITHDRAWN", None, None, []),
    ]
    assert snapshot.purchases.rows() == [
        (BUYER, OFFER, None, day(1), 2, None, None, "text"),
        (BUYER, OFFER, "order-2", day(2), 3, 7, "GBP", None),
    ]
    assert snapshot.interactions.rows() == [(BUYER, OTHER_OFFER, "CLICKED", day(3), 1.0, None)]
    assert snapshot.preferences.rows() == [(BUYER, ROOT, 0.5)]


async def test_a_snapshot_survives_its_file(market: GraphStore, tmp_path: Path) -> None:
    snapshot = await market.read_snapshot()
    publish_snapshot(tmp_path / "snapshots", snapshot)
    loaded = load_snapshot(tmp_path / "snapshots")
    assert loaded is not None
    for name in SCHEMAS:
        assert loaded.table(name).equals(snapshot.table(name))


@pytest.mark.parametrize("moves", [1, 1_000])
async def test_a_snapshot_is_of_one_seq_while_the_log_moves(
    market: GraphStore, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """A write after the first table: read again; when that never ends, hold the log."""
    read_table = market._read_table
    left, writers = moves, []

    async def disturbed(name: str) -> pl.DataFrame:
        nonlocal left
        table = await read_table(name)
        if name == "buyers" and left:
            left -= 1
            key = f"late-{left:04}"
            write = asyncio.create_task(_sell(market, key))
            writers.append(write)
            # When the log is held, the write cannot end before the snapshot does.
            await asyncio.wait([write], timeout=0.3)
        return table

    monkeypatch.setattr(market, "_read_table", disturbed)
    snapshot = await market.read_snapshot()
    for writer in writers:
        await writer
    assert set(snapshot.purchases["buyer_id"]) <= set(snapshot.buyers["id"])
    seen = await market.read_events(0, limit=snapshot.seq)
    buyers = {e.buyer_id for e in seen if e.type == "BUYER_UPSERTED"}
    assert set(snapshot.buyers["id"]) == buyers
    assert snapshot.purchases.height == sum(e.type == "PURCHASE_RECORDED" for e in seen)
    assert len(writers) == min(moves, 4)


async def _sell(store: GraphStore, key: str) -> None:
    await store.upsert_buyers([{"id": key}])
    await store.record_purchases([purchase(key, day(1), buyer_id=key)])
