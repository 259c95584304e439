"""Checks of whole rows, after each column was converted: what columns must say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from loaders.canonical import MAX_CELL_BYTES, TABLES, Kind

# What the numbers, times and names of a row may add to its text in the embedded engine.
_ROW_TEXT_BYTES = MAX_CELL_BYTES - 2_000


@dataclass(frozen=True, slots=True)
class Check:
    """A row that answers true to ``wrong`` is rejected, naming the column."""

    column: str
    wrong: pl.Expr
    reason: str
    mend: str


def _both(one: str, other: str) -> list[Check]:
    mend = "Fill in both latitude and longitude, or neither."
    alone = pl.col(one).is_null() != pl.col(other).is_null()
    return [Check(one, alone, "half-a-place", mend)]


def _amounts(text: str, minor: str) -> list[Check]:
    differ = (pl.col(text) != pl.col(minor)).fill_null(False)
    lost = pl.col(minor).is_not_null() & pl.col("currency").is_null()
    return [
        Check(minor, differ, "two-amounts", f"{text} and {minor} must say the same; keep one."),
        Check(minor, lost, "amount-without-currency", "Fill currency in."),
    ]


_PLACES = {"buyers", "vendors", "offers"}
_CHECKS: dict[str, Callable[[], list[Check]]] = {
    "offers": lambda: [
        *_amounts("price", "price_minor"),
        Check(
            "valid_to",
            (pl.col("valid_to") <= pl.col("valid_from")).fill_null(False),
            "ends-before-it-starts",
            "valid_to must be later than valid_from.",
        ),
    ],
    "purchases": lambda: [
        *_amounts("unit_price", "unit_price_minor"),
        Check(
            "quantity",
            (pl.col("quantity") == 0).fill_null(False),
            "zero-quantity",
            "Drop the line, or filter it in the mapping.",
        ),
        Check(
            "cancelled_quantity",
            (pl.col("cancelled_quantity") > pl.col("quantity").abs()).fill_null(False),
            "more-cancelled-than-bought",
            "At most quantity can be cancelled.",
        ),
    ],
    "cancellations": lambda: [
        Check(
            "matched_quantity",
            (pl.col("matched_quantity") > pl.col("quantity")).fill_null(False),
            "more-matched-than-cancelled",
            "At most quantity can be matched.",
        )
    ],
    "categories": lambda: [
        Check(
            "parent_id",
            (pl.col("parent_id") == pl.col("id")).fill_null(False),
            "category-cycle",
            "A category cannot be its own parent.",
        )
    ],
}


def checks_of(table: str) -> list[Check]:
    """The row checks of a canonical table; they want all of its columns."""
    found = _CHECKS[table]() if table in _CHECKS else []
    if table in _PLACES:
        found += _both("latitude", "longitude")
    texts = [c.name for c in TABLES[table].columns if c.kind in (Kind.TEXT, Kind.ID)]
    size = pl.sum_horizontal(pl.col(name).str.len_bytes().fill_null(0) for name in texts)
    mend = f"Shorten its texts to {_ROW_TEXT_BYTES:,} bytes together."
    return [*found, Check(texts[0], size > _ROW_TEXT_BYTES, "row-too-long", mend)]
