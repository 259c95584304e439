"""A snapshot's rows put into a real graph by its bulk statements."""

from __future__ import annotations

import polars as pl

from core.snapshot import GraphSnapshot
from graph.imports import ImportUpdates
from graph.store import GraphStore
from graph.tables import FROM, TABLES, TO

BATCH = "first-batch"
_CAMEL = {
    "created_at": "createdAt", "price_minor": "priceMinor", "valid_from": "validFrom",
    "available_quantity": "availableQuantity", "valid_to": "validTo", "order_id": "orderId",
    "unit_price_minor": "unitPriceMinor",
}  # fmt: skip
_NODES = {"buyers": "Buyer", "vendors": "Vendor", "categories": "Category", "offers": "Offer"}


async def fill_graph(store: GraphStore, snapshot: GraphSnapshot, batch: str = BATCH) -> None:
    """Import every row of the snapshot into an empty graph."""
    await store.open_import(batch, "fingerprint", "test")
    for name, label in _NODES.items():
        await _insert(store, label, snapshot.table(name), batch)
    offers = snapshot.offers
    listed = offers.drop_nulls("vendor_id").select(
        pl.col("vendor_id").alias(FROM), pl.col("id").alias(TO)
    )
    await _insert(store, "LISTS", listed, batch)
    held = offers.explode("category_ids").drop_nulls("category_ids")
    held = held.select(pl.col("id").alias(FROM), pl.col("category_ids").alias(TO))
    await _insert(store, "IN_CATEGORY", held, batch)
    below = snapshot.categories.drop_nulls("parent_id").select(
        pl.col("id").alias(FROM), pl.col("parent_id").alias(TO)
    )
    await _insert(store, "SUBCATEGORY_OF", below, batch)
    likes = snapshot.preferences.rename({"buyer_id": FROM, "category_id": TO})
    await _insert(store, "PREFERS", likes, batch)
    await _insert(store, "PURCHASED", _edges(snapshot.purchases, "line"), batch)
    for (kind,), rows in snapshot.interactions.group_by("kind"):
        await _insert(store, str(kind), _edges(rows, f"{kind}-"), batch)
    await store.finish_import(batch, ImportUpdates(), {})


def _edges(frame: pl.DataFrame, prefix: str) -> pl.DataFrame:
    numbered = frame.with_row_index("id").with_columns(
        pl.format("{}{}", pl.lit(prefix), pl.col("id")).alias("id")
    )
    return numbered.rename({"buyer_id": FROM, "offer_id": TO})


async def _insert(store: GraphStore, table: str, rows: pl.DataFrame, batch: str) -> None:
    schema = TABLES[table].frame_schema
    renamed = rows.rename({old: new for old, new in _CAMEL.items() if old in rows.columns})
    whole = renamed.with_columns(
        pl.lit(batch if name == "batchId" else None, kind).alias(name)
        for name, kind in schema.items()
        if name not in renamed.columns
    )
    inserted = await store.insert_rows(table, whole.select(*schema).cast(pl.Schema(schema)))
    assert inserted == rows.height
