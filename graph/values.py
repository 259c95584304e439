"""Values on their way to and from an engine: plain Python in, typed columns out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import polars as pl

from core.errors import InputError
from graph.queries import Query
from graph.tables import POLARS_TYPES, TABLES, ColumnType, Table

_TYPES = {name: kind for table in TABLES.values() for name, kind in table.columns}
_HUMP = re.compile(r"_(\w)")
_TIME = pl.Datetime("us", "UTC")


def known_type(name: str) -> ColumnType | None:
    """The type of the property with this name (camelCase or snake_case), if there is one."""
    camel = _HUMP.sub(lambda match: match.group(1).upper(), name)
    return _TYPES.get(camel)


def plain_parameters(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters as plain Python: times in UTC, enums as their values, tuples as lists.

    Raises:
        InputError: for a time without a zone.
    """
    return {name: _plain(value, name) for name, value in (parameters or {}).items()}


def _plain(value: Any, name: str) -> Any:
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InputError(f"{name}: {value} has no time zone.", mend="Give it one.")
        return value.astimezone(UTC)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _plain(inner, key) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner, name) for inner in value]
    return value


def unwinds_nothing(query: Query, parameters: Mapping[str, Any]) -> bool:
    """Whether the query unwinds a list that is empty, and so does nothing.

    One engine fails on it, and an aggregate would still give a row; both engines skip it.
    """
    return any(
        value == [] and re.search(rf"\bUNWIND\s+\${name}\b", query.text, re.IGNORECASE)
        for name, value in parameters.items()
    )


def typed_frame(columns: Mapping[str, Sequence[Any] | pl.Series]) -> pl.DataFrame:
    """A table of these columns; one without any value has the type its name is known by."""
    return typed_columns(
        pl.DataFrame({name: pl.Series(values, strict=False) for name, values in columns.items()})
    )


def typed_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with int64 integers, UTC times in microseconds and no untyped columns."""
    casts: dict[str, Any] = {}
    for name, dtype in frame.schema.items():
        if dtype == pl.Null or dtype == pl.List(pl.Null):
            kind = known_type(name)
            casts[name] = POLARS_TYPES[kind] if kind else pl.String
        elif dtype.is_integer() or dtype.is_decimal():
            casts[name] = pl.Int64()
        elif isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
            casts[name] = _TIME
    frame = frame.cast(pl.Schema(casts))
    naive = [name for name, dtype in frame.schema.items() if dtype == pl.Datetime("us")]
    return frame.with_columns(pl.col(naive).dt.replace_time_zone("UTC"))


def checked_rows(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with exactly the columns of the table, in its order, each identity once.

    Columns that are absent are null; of rows with one identity the first stays.

    Raises:
        InputError: for columns that the table does not have, or a row without an identity.
    """
    schema = table.frame_schema
    unknown = sorted(set(rows.columns) - set(schema))
    if unknown:
        raise InputError(f"{table.name} has no columns {unknown}.")
    absent = [name for name in schema if name not in rows.columns]
    padded = rows.with_columns(pl.lit(None).alias(name) for name in absent)
    frame = padded.select(list(schema)).cast(pl.Schema(schema))
    identity = list(table.identity)
    if frame.select(pl.any_horizontal(pl.col(identity).is_null()).any()).item():
        raise InputError(f"A row of {table.name} lacks {' or '.join(identity)}.")
    return frame.unique(identity, keep="first", maintain_order=True)
