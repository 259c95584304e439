"""The whole graph as tables, at one position of the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import polars as pl

from core.progress import SILENT, Progress
from core.snapshot import SCHEMAS, GraphSnapshot
from graph.engine import Transaction
from graph.frames import conform, join_links
from graph.queries import load_query
from graph.session import EVENTS_COUNTER, GraphSession

T = TypeVar("T")
_QUERIES = {
    "buyers": "all_buyers",
    "vendors": "all_vendors",
    "categories": "all_categories",
    "offers": "all_offers",
    "purchases": "net_purchases",
    "interactions": "all_interactions",
    "preferences": "all_preferences",
}
_ENDS = {"buyer_id": "buyers", "offer_id": "offers", "category_id": "categories"}
_ATTEMPTS = 3


class Snapshots(GraphSession):
    """Reading the graph whole."""

    async def read_snapshot(self, progress: Progress = SILENT) -> GraphSnapshot:
        """Every finished fact as tables (core.snapshot), at one seq of the log.

        Node tables are sorted by id, edges by their ends and time. Withdrawn offers are in it;
        order lines that were taken back whole are not.
        """

        async def read() -> dict[str, pl.DataFrame]:
            with progress.task("Read the graph", total=len(_QUERIES)) as task:
                tables = {}
                for name in _QUERIES:
                    tables[name] = await self._read_table(name)
                    task.advance()
                return tables

        taken_at = self.clock()
        seq, tables = await self.read_at_one_seq(read)
        return GraphSnapshot(
            graph_id=self.graph_id, seq=seq, taken_at=taken_at, **_without_loose_ends(tables)
        )

    async def read_at_one_seq(self, read: Callable[[], Awaitable[T]]) -> tuple[int, T]:
        """Run reads that must agree; returns the log's seq that they saw, and their result.

        When the log moves meanwhile they run again; when it never rests, writers wait for them.
        """
        for _ in range(_ATTEMPTS):
            before = await self._mark()
            result = await read()
            if await self._mark() == before:
                return before[0], result

        async def work(tx: Transaction) -> tuple[int, T]:
            # The log's counter is locked: nobody commits an event before this ends.
            lock = {"id": EVENTS_COUNTER, "by": 0}
            rows = await tx.run(load_query("advance_counter"), lock)
            return int(rows[0]["value"]), await read()

        return await self.engine.write(work)

    async def _mark(self) -> tuple[int, frozenset[str]]:
        counters = await self.engine.read(load_query("read_counters"), {"ids": [EVENTS_COUNTER]})
        pending = await self.engine.read(load_query("pending_batches"))
        return int(counters[0]["value"]), frozenset(str(row["id"]) for row in pending)

    async def _read_table(self, name: str) -> pl.DataFrame:
        frame = await self.engine.read_frame(load_query(_QUERIES[name]))
        if name == "offers":
            listings = await self.engine.read_frame(load_query("all_listings"))
            categories = await self.engine.read_frame(load_query("all_offer_categories"))
            frame = join_links(frame, listings, categories)
        schema = SCHEMAS[name]
        keys = [key for key in ("id", *_ENDS, "at", "order_id", "kind") if key in schema]
        return conform(frame, schema).sort("id" if "id" in schema else keys)


def _without_loose_ends(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Edges whose ends are in the tables; the others belong to nodes that nobody sees yet."""
    for name in ("purchases", "interactions", "preferences"):
        for column, nodes in _ENDS.items():
            if column in tables[name].columns:
                ids = tables[nodes].select(pl.col("id").alias(column))
                tables[name] = tables[name].join(ids, on=column, how="semi", maintain_order="left")
    return tables
