"""What loaders read from the graph: ids, order lines, whole tables as streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

import polars as pl

from core.snapshot import TIME
from graph.frames import CANONICAL_SCHEMAS, conform, join_links
from graph.queries import load_query
from graph.session import GraphSession

# Beyond this many ids, a scan of the whole table is quicker than a list in a query.
_LIST_LIMIT = 100
_STREAMS = {
    "buyers": "all_buyers",
    "vendors": "all_vendors",
    "categories": "all_categories",
    "offers": "all_offers",
    "purchases": "all_purchases",
    "interactions": "all_interactions",
    "preferences": "all_preferences",
    "cancellations": "all_cancellations",
}
_END = {"buyer_id": pl.String, "offer_id": pl.String}
_LINES = {
    **_END,
    "id": pl.String,
    "at": TIME,
    "quantity": pl.Int64,
    "cancelled_quantity": pl.Int64,
    "cancelled_at": TIME,
}
_OPEN = {**_END, "id": pl.String, "at": TIME, "quantity": pl.Int64, "matched_quantity": pl.Int64}


class ImportReads(GraphSession):
    """Reads of many rows at once; none sees what a pending import brought."""

    async def existing_ids(self, table: str, ids: Collection[str]) -> set[str]:
        """Which of these ids the graph has under a label or relationship type.

        Rows of pending imports do not count (a resumed import inserts what is missing).
        """
        wanted = set(ids)
        if not wanted:
            return set()
        parameters = {"every": len(wanted) > _LIST_LIMIT, "ids": []}
        if not parameters["every"]:
            parameters["ids"] = sorted(wanted)
        frame = await self.engine.read_frame(load_query(f"ids_{table.lower()}"), parameters)
        return wanted & set(frame["id"].to_list()) if frame.height else set()

    async def read_lines(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Order lines of buyer and offer pairs, cancelled ones included.

        Args:
            pairs: ``buyer_id``, ``offer_id``.

        Returns:
            ``buyer_id``, ``offer_id``, ``id``, ``at``, ``quantity``, ``cancelled_quantity`` (never
            null), ``cancelled_at``, in no order.
        """
        lines = await self._of_pairs(pairs, "lines_of_pairs", "all_purchases", _LINES)
        return lines.with_columns(pl.col("cancelled_quantity").fill_null(0))

    async def read_open_cancellations(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Cancellation lines of buyer and offer pairs that have not met all they take back.

        Args:
            pairs: ``buyer_id``, ``offer_id``.

        Returns:
            ``buyer_id``, ``offer_id``, ``id``, ``at``, ``quantity``, ``matched_quantity``, in no
            order.
        """
        kept = await self._of_pairs(pairs, "open_cancellations", "all_cancellations", _OPEN)
        return kept.filter(pl.col("matched_quantity") < pl.col("quantity"))

    async def stream_table(
        self, name: str, batch_rows: int = 50_000
    ) -> AsyncIterator[pl.DataFrame]:
        """One canonical table or ``cancellations`` in frames of at most ``batch_rows``.

        Columns and types are graph.frames.CANONICAL_SCHEMAS[name]; no order; no frame when empty.
        """
        schema = CANONICAL_SCHEMAS[name]
        links: tuple[pl.DataFrame, ...] = ()
        if name == "offers":
            links = (
                await self.engine.read_frame(load_query("all_listings")),
                await self.engine.read_frame(load_query("all_offer_categories")),
            )
        query = load_query(_STREAMS[name])
        async for frame in self.engine.stream(query, batch_rows=batch_rows):
            joined = join_links(frame, *links) if links else frame
            if frame.height:
                yield conform(joined, schema)

    async def _of_pairs(
        self, pairs: pl.DataFrame, few: str, all_rows: str, schema: dict[str, Any]
    ) -> pl.DataFrame:
        wanted = pairs.select(pl.col(name).cast(pl.String) for name in _END).unique()
        if not wanted.height:
            return pl.DataFrame(schema=schema)
        name, parameters = all_rows, {}
        if wanted.height <= _LIST_LIMIT:
            name = few
            parameters = {
                "buyerIds": wanted["buyer_id"].unique().to_list(),
                "offerIds": wanted["offer_id"].unique().to_list(),
            }
        frame = conform(await self.engine.read_frame(load_query(name), parameters), schema)
        return frame.join(wanted, on=list(_END), how="semi")
