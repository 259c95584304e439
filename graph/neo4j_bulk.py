"""Bulk statements of Neo4j, made from the tables' own names; every value is a parameter."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import polars as pl
from neo4j import AsyncManagedTransaction

from core.errors import ConflictError
from graph.tables import FROM, TO, Table

BATCH_ROWS = 10_000


async def check_ends(
    transaction: AsyncManagedTransaction, table: Table, rows: pl.DataFrame
) -> None:
    """Raise ConflictError, naming one, when a relationship's end is not in the graph."""
    if table.is_node:
        return
    for column, label in ((FROM, table.from_label), (TO, table.to_label)):
        result = await transaction.run(
            f"UNWIND $ids AS id WITH id WHERE NOT EXISTS {{ (n:{label} {{id: id}}) }} "
            "RETURN id ORDER BY id LIMIT 1",
            ids=rows[column].unique().to_list(),
        )
        if missing := await result.values():
            raise ConflictError(
                f"{table.name}: there is no {label} {missing[0][0]!r}.",
                mend=f"Insert the {label} first.",
            )


async def insert_batch(
    transaction: AsyncManagedTransaction, table: Table, rows: pl.DataFrame
) -> int:
    """Insert the rows that are not there yet; returns how many.

    Looks first, so that it can run again after a commit whose answer was lost.
    """
    if table.has_id:
        present = await _present_ids(transaction, table, rows["id"].to_list())
        rows = rows.filter(~pl.col("id").is_in(present))
    if rows.is_empty():
        return 0
    result = await transaction.run(_insert_text(table), rows=_records(table, rows))
    counters = (await result.consume()).counters
    return counters.nodes_created if table.is_node else counters.relationships_created


async def _present_ids(
    transaction: AsyncManagedTransaction, table: Table, ids: list[str]
) -> list[str]:
    pattern = (
        f"(x:{table.name} {{id: id}})" if table.is_node else f"()-[x:{table.name} {{id: id}}]->()"
    )
    result = await transaction.run(f"UNWIND $ids AS id MATCH {pattern} RETURN x.id", ids=ids)
    return [row[0] for row in await result.values()]


def _insert_text(table: Table) -> str:
    if table.is_node:
        return f"UNWIND $rows AS row CREATE (x:{table.name}) SET x = row.properties"
    ends = (
        f"UNWIND $rows AS row MATCH (a:{table.from_label} {{id: row.{FROM}}}) "
        f"MATCH (b:{table.to_label} {{id: row.{TO}}}) "
    )
    if table.has_id:
        return f"{ends} CREATE (a)-[x:{table.name}]->(b) SET x = row.properties"
    return f"{ends} MERGE (a)-[x:{table.name}]->(b) ON CREATE SET x = row.properties"


def _records(table: Table, rows: pl.DataFrame) -> list[dict[str, Any]]:
    names = [name for name, _ in table.columns]
    columns = [_values(rows[name]) for name in names]
    properties: list[dict[str, Any]] = [{} for _ in range(rows.height)]
    if names:
        properties = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if table.is_node:
        return [{"properties": row} for row in properties]
    ends = zip(rows[FROM].to_list(), rows[TO].to_list(), properties, strict=True)
    return [{FROM: source, TO: target, "properties": row} for source, target, row in ends]


def _values(column: pl.Series) -> list[Any]:
    if not isinstance(column.dtype, pl.Datetime):
        return column.to_list()
    # The driver stores an offset, not the name of a zone.
    naive = column.dt.replace_time_zone(None).to_list()
    return [value and value.replace(tzinfo=UTC) for value in naive]
