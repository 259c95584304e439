"""Reads of many rows from Neo4j, packed by the server.

The driver does most of its work per record and per time. So the server is asked to send times as
microseconds and thousands of rows in one record; it collects them first, which takes its memory.
What is too much for that comes row by row.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
from neo4j import AsyncManagedTransaction, AsyncSession
from neo4j.exceptions import Neo4jError

from graph.neo4j_values import plain_column
from graph.queries import Query, split_return
from graph.tables import POLARS_TYPES, ColumnType
from graph.values import known_type, typed_frame

# 500,000 purchases take the server about 200 MB while it collects them.
PACKED_ROWS = 500_000
ROWS_A_RECORD = 5_000
_UNION = re.compile(r"\bUNION\b", re.IGNORECASE)

Values = Sequence[Any]


class TooLargeError(Exception):
    """The server cannot pack the result: too many rows, or too little memory for them."""


@dataclass(frozen=True, slots=True)
class WideRead:
    """A query's texts for reading many rows: ``packed`` in lists of rows, ``plain`` one by one.

    Both give ``columns`` in order, those of a known time as microseconds since 1970.
    """

    query: Query
    columns: tuple[str, ...]
    packed: str
    plain: str


@cache
def wide_read(query: Query) -> WideRead:
    """The query's texts for many rows.

    The last RETURN becomes a WITH, which keeps its order and limit, and what is sent follows it.

    Raises:
        ValueError: for a UNION, whose parts have a RETURN each.
    """
    if _UNION.search(query.text):
        raise ValueError(f"Query {query.name} has a UNION, which cannot be packed.")
    head, tail, columns = split_return(query)
    rows = f"{head}WITH {tail}"
    values = [(f"`{name}`", _sent(name)) for name in columns]
    plain = ", ".join(f"{value} AS {name}" for name, value in values)
    packed = ", ".join(value for _, value in values)
    names = ", ".join(name for name, _ in values)
    return WideRead(
        query=query,
        columns=columns,
        plain=f"{rows}\nRETURN {plain}",
        packed=(
            f"{rows}\nWITH {names} LIMIT $_most + 1\nWITH collect([{packed}]) AS rows\n"
            "UNWIND CASE WHEN size(rows) > $_most THEN [-1] "
            "ELSE range(0, size(rows) - 1, $_step) END AS start\n"
            "RETURN start, rows[start..start + $_step] AS rows"
        ),
    )


async def packs(
    runner: AsyncSession | AsyncManagedTransaction,
    read: WideRead,
    bound: Mapping[str, Any],
    rows_a_record: int = ROWS_A_RECORD,
) -> AsyncIterator[list[Values]]:
    """The rows in order, in lists of at most ``rows_a_record``.

    Raises:
        TooLargeError: before the first list.
    """
    sizes = {"_most": PACKED_ROWS, "_step": rows_a_record}
    try:
        result = await runner.run(read.packed, {**bound, **sizes})
        async for start, rows in result:
            if start < 0:
                raise TooLargeError
            yield rows
    except Neo4jError as error:
        # The server refuses a transaction that takes too much, and goes on.
        if "Memory" in str(error.code):
            raise TooLargeError from error
        raise


async def packed_rows(
    transaction: AsyncManagedTransaction, read: WideRead, bound: Mapping[str, Any]
) -> list[Values]:
    """All rows, sent in lists; raises TooLargeError."""
    return [row async for rows in packs(transaction, read, bound) for row in rows]


async def plain_rows(
    transaction: AsyncManagedTransaction, read: WideRead, bound: Mapping[str, Any]
) -> list[Values]:
    """All rows, sent one by one."""
    result = await transaction.run(read.plain, dict(bound))
    return list(await result.values())


def wide_frame(read: WideRead, rows: Sequence[Values]) -> pl.DataFrame:
    """Rows of a WideRead as a table; as in whole_rows, what was deleted meanwhile is left out."""
    columns: Sequence[Values] = list(zip(*rows, strict=True)) if rows else [()] * len(read.columns)
    frame = typed_frame(
        {name: _column(name, values) for name, values in zip(read.columns, columns, strict=True)}
    )
    never_null = read.query.never_null
    return frame.drop_nulls(never_null) if never_null else frame


def _sent(name: str) -> str:
    if known_type(name) is not ColumnType.TIME:
        return f"`{name}`"
    # datetime() is for a time that somebody else stored without a zone: it means UTC.
    return f"datetime(`{name}`).epochSeconds * 1000000 + datetime(`{name}`).microsecond"


def _column(name: str, values: Values) -> Values | pl.Series:
    if known_type(name) is ColumnType.TIME:
        return pl.Series(values=values, dtype=pl.Int64).cast(POLARS_TYPES[ColumnType.TIME])
    return plain_column(values)
