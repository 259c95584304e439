"""Tables read from the graph, with the columns of the canonical files."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from core.snapshot import SCHEMAS, TIME

_HUMP = re.compile(r"(?<!^)(?=[A-Z])")

# What GraphStore.stream_table hands out: the canonical files' columns, and beside them what a
# cancellation has done to a purchase.
CANONICAL_SCHEMAS: dict[str, dict[str, Any]] = {
    "buyers": {"id": pl.String, "name": pl.String, **SCHEMAS["buyers"]},
    "vendors": SCHEMAS["vendors"],
    "categories": SCHEMAS["categories"],
    "offers": SCHEMAS["offers"],
    "purchases": {
        "id": pl.String,
        **SCHEMAS["purchases"],
        "cancelled_quantity": pl.Int64,
        "cancelled_at": TIME,
    },
    "interactions": {"id": pl.String, **SCHEMAS["interactions"]},
    "preferences": {**SCHEMAS["preferences"], "source": pl.String},
    "cancellations": {
        "id": pl.String,
        "buyer_id": pl.String,
        "offer_id": pl.String,
        "order_id": pl.String,
        "at": TIME,
        "quantity": pl.Int64,
        "matched_quantity": pl.Int64,
    },
}


def snake_case(name: str) -> str:
    """``availableQuantity`` -> ``available_quantity``."""
    return _HUMP.sub("_", name).lower()


def conform(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    """The frame with exactly these columns and types; columns that it lacks are null.

    The frame's camelCase columns become snake_case first.
    """
    renamed = frame.rename({name: snake_case(name) for name in frame.columns})
    absent = [pl.lit(None).alias(name) for name in schema if name not in renamed.columns]
    padded = renamed.with_columns(absent)
    return padded.select(pl.col(name).cast(kind) for name, kind in schema.items())


def join_links(
    offers: pl.DataFrame, listings: pl.DataFrame, categories: pl.DataFrame
) -> pl.DataFrame:
    """Offers with ``vendorId`` and the sorted list ``categoryIds`` (empty, never null).

    Args:
        offers: any columns with ``id``; their order is kept.
        listings: ``id`` of an offer and its ``vendorId``.
        categories: ``id`` of an offer and a ``categoryId``; several rows an offer.
    """
    links = {"id": pl.String, "vendor_id": pl.String}
    vendors = conform(listings, links).unique("id", keep="first", maintain_order=True)
    edges = conform(categories, {"id": pl.String, "category_id": pl.String})
    lists = edges.group_by("id").agg(pl.col("category_id").unique().sort().alias("categoryIds"))
    joined = offers.join(
        vendors.rename({"vendor_id": "vendorId"}), on="id", how="left", maintain_order="left"
    ).join(lists, on="id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("categoryIds").fill_null([]))
