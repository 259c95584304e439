"""Figures about what came in, gathered batch by batch in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

# Prices in minor units, from 1 to 10 million, ten bins a decade.
PRICE_EDGES = np.logspace(0, 7, 71)
_PRICES = {"offers": "price_minor", "purchases": "unit_price_minor"}


@dataclass(slots=True)
class Quality:
    """What the lines looked like.

    Attributes:
        zone: IANA name of the time zone whose days are counted.
        missing: source -> column -> empty cells.
        rows: source -> readable rows.
        days: table -> day in that zone -> rows.
        prices: table -> counts between PRICE_EDGES, in minor units.
    """

    zone: str = "UTC"
    missing: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    days: dict[str, dict[date, int]] = field(default_factory=dict)
    prices: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def see_cells(self, source: str, cells: pl.DataFrame) -> None:
        """Count the empty cells of a batch as the source has them."""
        before = self.rows.get(source, 0)
        self.rows[source] = before + cells.height
        counts = self.missing.setdefault(source, {})
        for name in counts.keys() - set(cells.columns):
            counts[name] += cells.height
        for column in cells.iter_columns():
            empty = column.null_count()
            if column.dtype == pl.String:
                empty += int((column.str.strip_chars() == "").sum())
            # A column that JSON lines begin to have later was missing in the batches before.
            counts[column.name] = counts.get(column.name, before) + empty

    def see_rows(self, table: str, rows: pl.DataFrame) -> None:
        """Count the good rows of a batch by day and by price."""
        if "at" in rows.columns:
            counts = self.days.setdefault(table, {})
            local = rows["at"].dt.convert_time_zone(self.zone)
            for day, number in local.dt.date().value_counts().iter_rows():
                counts[day] = counts.get(day, 0) + number
        if table in _PRICES:
            values = rows[_PRICES[table]].drop_nulls().to_numpy()
            bins, _ = np.histogram(np.maximum(values, 1), PRICE_EDGES)
            self.prices[table] = self.prices.get(table, np.zeros(70, np.int64)) + bins
