"""Why rows are rejected, as tables: one row a problem, so that millions stay cheap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

LINE = "line"
SHOWN_CHARACTERS = 80
SCHEMA: dict[str, Any] = {
    LINE: pl.Int64,
    "table": pl.String,
    "column": pl.String,
    "value": pl.String,
    "reason": pl.String,
    "mend": pl.String,
}


def no_problems() -> pl.DataFrame:
    """An empty table of problems."""
    return pl.DataFrame(schema=SCHEMA)


def problems(
    lines: pl.Series, values: pl.Series, *, table: str, column: str, reason: str, mend: str
) -> pl.DataFrame:
    """One problem for each line, with the value as text, cut to SHOWN_CHARACTERS."""
    shown = values.cast(pl.String, strict=False).str.slice(0, SHOWN_CHARACTERS)
    return pl.DataFrame({LINE: lines, "value": shown}, schema_overrides={LINE: pl.Int64}).select(
        pl.col(LINE),
        pl.lit(table).alias("table"),
        pl.lit(column).alias("column"),
        pl.col("value").fill_null(""),
        pl.lit(reason).alias("reason"),
        pl.lit(mend).alias("mend"),
    )


def gathered(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Problems of several checks, in line order."""
    full = [part for part in parts if part.height]
    return pl.concat(full).sort(LINE, maintain_order=True) if full else no_problems()


def single(line: int, row: Mapping[str, str]) -> pl.DataFrame:
    """The problem of one line; ``row`` has the other columns of SCHEMA."""
    return pl.DataFrame([{LINE: line, **row}], schema=SCHEMA)
