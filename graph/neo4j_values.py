"""Values of the Neo4j driver as plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from neo4j.time import DateTime

from graph.queries import Query

_PLAIN = (str, int, float, bool, type(None))


def plain_row(keys: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """A row keyed by its columns' names, its values plain."""
    return {
        key: value if type(value) in _PLAIN else plain_value(value)
        for key, value in zip(keys, values, strict=True)
    }


def whole_rows(query: Query, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The rows that have what the query says is never null.

    Neo4j isolates no read from what others commit: of something deleted after it was found and
    before its properties were read there comes a row of nulls.
    """
    places = [query.returns.index(name) for name in query.never_null]
    return [row for row in rows if all(row[place] is not None for place in places)]


def plain_column(values: Sequence[Any]) -> Sequence[Any]:
    """A column of one type with its values plain."""
    first = next((value for value in values if value is not None), None)
    return values if type(first) in _PLAIN else [plain_value(value) for value in values]


def plain_value(value: Any) -> Any:
    """A value as plain Python: aware times in UTC."""
    if isinstance(value, DateTime):
        native = value.to_native()
        return (native if native.tzinfo else native.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, list):
        return [plain_value(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain_value(inner) for key, inner in value.items()}
    return value
