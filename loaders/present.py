"""What the graph holds already, as far as an import needs to know; without a graph, nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict
from typing import Any

import polars as pl

from graph.frames import CANONICAL_SCHEMAS
from graph.store import GraphStore
from loaders.cancellations import LINES, PAIR

LABELS = {"buyers": "Buyer", "vendors": "Vendor", "categories": "Category", "offers": "Offer"}
# Up to here rows are asked for by id, beyond a whole table is read.
_FEW = 2_000


class Present:
    """Reads of the graph for an import.

    Args:
        store: the graph, or None to act as if it were empty (a dry run without a graph).
    """

    def __init__(self, store: GraphStore | None) -> None:
        self._store = store

    async def existing(self, table: str, ids: Collection[str]) -> set[str]:
        """Which of these ids a label or relationship type has."""
        if self._store is None or not ids:
            return set()
        return await self._store.existing_ids(table, ids)

    async def entities(self, table: str, ids: Collection[str]) -> pl.DataFrame:
        """The canonical rows of these entities."""
        schema = CANONICAL_SCHEMAS[table]
        if self._store is None or not ids:
            return pl.DataFrame(schema=schema)
        if len(ids) <= _FEW:
            get: dict[str, Callable[[Iterable[str]], Any]] = {
                "buyers": self._store.get_buyers,
                "vendors": self._store.get_vendors,
                "categories": self._store.get_categories,
                "offers": self._store.get_offers,
            }
            found = (await get[table](ids)).values()
            rows = [{name: _plain(value) for name, value in asdict(e).items()} for e in found]
            return pl.DataFrame(rows, schema=schema)
        wanted = pl.DataFrame({"id": pl.Series(list(ids), dtype=pl.String)})
        frames = [
            frame.join(wanted, on="id", how="semi")
            async for frame in self._store.stream_table(table)
        ]
        return pl.concat(frames) if frames else pl.DataFrame(schema=schema)

    async def preferences(self) -> pl.DataFrame:
        """All preferences that the graph holds."""
        schema = CANONICAL_SCHEMAS["preferences"]
        if self._store is None:
            return pl.DataFrame(schema=schema)
        frames = [frame async for frame in self._store.stream_table("preferences")]
        return pl.concat(frames) if frames else pl.DataFrame(schema=schema)

    async def parents(self, ids: Collection[str]) -> dict[str, str | None]:
        """The parents of these categories and of all above them."""
        found: dict[str, str | None] = {}
        wanted = set(ids)
        while self._store is not None and wanted:
            categories = await self._store.get_categories(wanted)
            found.update({name: category.parent_id for name, category in categories.items()})
            above = {c.parent_id for c in categories.values() if c.parent_id is not None}
            wanted = above - found.keys()
        return found

    async def lines(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Order lines of these pairs with LINES, ``cancelled_quantity`` and ``cancelled_at``."""
        if self._store is None or not pairs.height:
            extra = {"cancelled_quantity": pl.Int64, "cancelled_at": LINES["at"]}
            return pl.DataFrame(schema={**LINES, **extra})
        rows = await self._store.read_lines(pairs)
        left = (pl.col("quantity") - pl.col("cancelled_quantity")).alias("left")
        return rows.with_columns(left).drop("quantity")

    async def open_cancellations(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Kept cancellations of these pairs with LINES and ``matched_quantity``."""
        if self._store is None or not pairs.height:
            return pl.DataFrame(schema={**LINES, "matched_quantity": pl.Int64})
        rows = await self._store.read_open_cancellations(pairs.select(PAIR))
        left = (pl.col("quantity") - pl.col("matched_quantity")).alias("left")
        return rows.with_columns(left).drop("quantity")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
