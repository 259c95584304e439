"""Canonical rows as the tables of the graph: labels, relationship types, camelCase properties."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from core.entities import OfferStatus
from graph.tables import FROM, TABLES, TO

Tables = dict[str, pl.DataFrame]


def to_graph(table: str, rows: pl.DataFrame, batch_id: str) -> Tables:
    """The graph's tables that canonical rows become, nodes before their relationships.

    Args:
        table: canonical table of ``rows``.
        rows: rows that are not in the graph yet, ids filled in.
        batch_id: the import they belong to.

    Returns:
        label or relationship type -> a frame for GraphStore.insert_rows.
    """
    return _SHAPES[table](rows.with_columns(pl.lit(batch_id).alias("batch_id")))


def _buyers(rows: pl.DataFrame) -> Tables:
    return _frames(Buyer=rows)


def _vendors(rows: pl.DataFrame) -> Tables:
    return _frames(Vendor=rows)


def _categories(rows: pl.DataFrame) -> Tables:
    return _frames(Category=rows, SUBCATEGORY_OF=_links(rows, "id", "parent_id"))


def _offers(rows: pl.DataFrame) -> Tables:
    categories = rows.select("id", "category_ids").explode("category_ids")
    return _frames(
        Offer=rows.with_columns(pl.col("status").fill_null(OfferStatus.ACTIVE.value)),
        LISTS=_links(rows, "vendor_id", "id"),
        IN_CATEGORY=_links(categories, "id", "category_ids"),
    )


def _purchases(rows: pl.DataFrame) -> Tables:
    # An import is history: it takes nothing off the stock.
    columns = [pl.col("cancelled_quantity").fill_null(0), pl.lit(0).alias("stock_taken")]
    return _frames(PURCHASED=_ends(rows).with_columns(columns))


def _cancellations(rows: pl.DataFrame) -> Tables:
    return _frames(CANCELLED=_ends(rows))


def _interactions(rows: pl.DataFrame) -> Tables:
    kinds = _ends(rows).partition_by("kind", as_dict=True)
    return _frames(**{str(kind): part for (kind,), part in kinds.items()})


def _preferences(rows: pl.DataFrame) -> Tables:
    return _frames(PREFERS=rows.rename({"buyer_id": FROM, "category_id": TO}))


def _ends(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.rename({"buyer_id": FROM, "offer_id": TO})


def _frames(**tables: pl.DataFrame) -> Tables:
    frames = {}
    for name, rows in tables.items():
        camel = rows.rename({column: _camel(column) for column in rows.columns})
        schema = TABLES[name].frame_schema
        kept = [pl.col(c).cast(kind) for c, kind in schema.items() if c in camel.columns]
        if rows.height:
            frames[name] = camel.select(kept)
    return frames


def _links(rows: pl.DataFrame, start: str, end: str) -> pl.DataFrame:
    return rows.select(pl.col(start).alias(FROM), pl.col(end).alias(TO)).drop_nulls().unique()


def _camel(column: str) -> str:
    if column in (FROM, TO):
        return column
    first, *rest = column.split("_")
    return first + "".join(part.title() for part in rest)


_SHAPES: dict[str, Callable[[pl.DataFrame], Tables]] = {
    "buyers": _buyers,
    "vendors": _vendors,
    "categories": _categories,
    "offers": _offers,
    "purchases": _purchases,
    "cancellations": _cancellations,
    "interactions": _interactions,
    "preferences": _preferences,
}
