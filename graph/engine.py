"""The seam between the graph and the engine that runs it.

Two engines stand behind it: a Neo4j server and the embedded LadybugDB. Both run the same query
texts (graph/queries/*.cypher); only their schema files differ.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import polars as pl

from graph.queries import Query
from graph.tables import Table

T = TypeVar("T")
Row = dict[str, Any]


class Transaction(Protocol):
    """One write transaction; sees its own writes."""

    async def run(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a query in this transaction and return its rows."""


class GraphEngine(Protocol):
    """What GraphStore needs of an engine.

    Values cross the seam as plain Python: aware UTC datetimes, int, float, str, bool, None and
    lists of them. Rows are dicts keyed by the query's RETURN aliases.
    """

    name: str

    async def apply_schema(self) -> None:
        """Create what the engine's schema file declares and the graph lacks."""

    async def read(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one read and return all of its rows."""

    async def read_frame(
        self, query: Query, parameters: Mapping[str, Any] | None = None
    ) -> pl.DataFrame:
        """Run one read and return it as a table: the way for results of many rows."""

    def stream(
        self, query: Query, parameters: Mapping[str, Any] | None = None, *, batch_rows: int
    ) -> AsyncIterator[pl.DataFrame]:
        """Run one read and hand out its rows in tables of at most ``batch_rows``."""

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run ``work`` in one write transaction; commit when it returns, else roll back.

        Writers queue: one transaction at a time on the embedded engine. A caller that is cancelled
        leaves no transaction behind. ``work`` may run again when the engine asks for a retry.
        """

    async def bulk_insert(self, table: Table, rows: pl.DataFrame) -> int:
        """Insert the rows whose id is not there yet, by the engine's own bulk statement.

        Durable when it returns. Returns how many were inserted.
        """

    async def checkpoint(self) -> None:
        """Fold the write-ahead log into the store where the engine has one."""

    async def close(self) -> None:
        """Finish running work and let go of the engine."""


Parameters = Mapping[str, Any]
Rows = Sequence[Row]
