"""Parameters as the embedded engine can take them, and its answers as plain values.

The engine takes the type of a parameter from its values: a column of rows that holds no value has
no type (it fails, or is taken for text), small integers are narrowed, a time's zone is dropped.
So every list of rows is led by one made-up row whose values have the right types, and the text
leaves that row out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from graph.queries import Query
from graph.tables import ColumnType
from graph.values import known_type

_SAMPLES: dict[ColumnType, Any] = {
    ColumnType.STRING: "",
    ColumnType.INT: 2**62,
    ColumnType.FLOAT: 0.5,
    ColumnType.BOOL: True,
    ColumnType.TIME: datetime(2000, 1, 1, 0, 0, 0, 1),
    ColumnType.STRINGS: [""],
}
_CASTS = {ColumnType.INT: "INT64", ColumnType.FLOAT: "DOUBLE", ColumnType.TIME: "TIMESTAMP"}
_ROWS_WORTH_A_TABLE = 64
_CONVERTED = ("TIMESTAMP", "DECIMAL", "INT128")


def bind(query: Query, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any], int]:
    """The text to run, its parameters, and how many list elements they hold in all.

    Args:
        query: the query as written.
        parameters: plain parameters (graph.values.plain_parameters).
    """
    text, bound, elements, marks = query.text, {}, 0, []
    for name, given in parameters.items():
        value = _naive(given)
        if isinstance(value, list):
            elements += len(value)
            marks.append(f"{name}:{len(value).bit_length()}")
            if value and isinstance(value[0], dict):
                rows, guard = _guarded(value)
                marks.append(_type_name(guard))
                if len(rows) >= _ROWS_WORTH_A_TABLE and _only_creates(text, name):
                    text, value = _loaded(text, name, rows, guard)
                else:
                    value = [guard, *rows]
                    text = re.sub(rf"\${name}\b", f"${name}[2:]", text)
        elif value is None:
            kind = known_type(name)
            cast = _CASTS.get(kind, "STRING") if kind else "STRING"
            text = re.sub(rf"\${name}\b", f"CAST(${name} AS {cast})", text)
        bound[name] = value
    # A statement is cached by its text and keeps the lists it was first run with: lists of other
    # types or of another size make it another text.
    return (f"{text} /* {' '.join(marks)} */" if marks else text), bound, elements


def convertible(type_names: Iterable[str]) -> list[bool]:
    """Which columns, by the engine's names of their types, need ``plain_value``."""
    return [any(part in name for part in _CONVERTED) for name in type_names]


def plain_value(value: Any) -> Any:
    """A value of the engine as plain Python: aware times, no Decimal."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return [plain_value(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain_value(inner) for key, inner in value.items()}
    return value


def _only_creates(text: str, name: str) -> bool:
    """Whether each row makes something new and nothing is answered: their order is all one."""
    words = set(re.findall(r"\b[A-Z]+\b", text))
    unwound = re.findall(rf"^UNWIND \${name} AS \w+$", text, re.MULTILINE)
    named_once = len(re.findall(rf"\${name}\b", text)) == len(unwound) == 1
    return named_once and "CREATE" in words and not words & {"MERGE", "SET", "RETURN", "DELETE"}


def _loaded(
    text: str, name: str, rows: list[dict[str, Any]], guard: dict[str, Any]
) -> tuple[str, pl.DataFrame]:
    """The text with a table read in place of a list unwound, and that table.

    The engine takes 6 us for each value of a list of rows, and hardly anything for a table's; but
    it hands a table's rows out in any order, as several threads read them.
    """
    table = pl.DataFrame(
        {
            f"c{at}": pl.Series([row[key] for row in rows], dtype=_frame_type(sample), strict=False)
            for at, (key, sample) in enumerate(guard.items())
        }
    )
    fields = ", ".join(f"{key}: c{at}" for at, key in enumerate(guard))
    loading = rf"LOAD FROM ${name} WITH {{{fields}}} AS \1"
    return re.sub(rf"^UNWIND \${name} AS (\w+)$", loading, text, flags=re.MULTILINE), table


def _frame_type(sample: Any) -> Any:
    if isinstance(sample, list):
        return pl.List(_frame_type(sample[0]))
    if isinstance(sample, dict):
        return pl.Struct({key: _frame_type(inner) for key, inner in sample.items()})
    return type(sample)


def _naive(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, list):
        return [_naive(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _naive(inner) for key, inner in value.items()}
    return value


def _guarded(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows with the same keys in the same order, and the row that leads them."""
    names = list(rows[0])
    if any(list(row) != names for row in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        rows = [{name: row.get(name) for name in names} for row in rows]
    return rows, {name: _sample(name, (row[name] for row in rows)) for name in names}


def _sample(name: str, values: Iterable[Any]) -> Any:
    """A value of the type that all the values have; by the name when there are none."""
    present = [value for value in values if value is not None]
    if not present:
        return _SAMPLES[known_type(name) or ColumnType.STRING]
    first = present[0]
    if isinstance(first, dict):
        return _guarded(present)[1]
    if isinstance(first, list):
        inner = [value for values in present for value in values]
        return [_sample("", inner)] if inner else [""]
    if isinstance(first, (bool, str, datetime)):
        return _SAMPLES[_kind_of(first)]
    floats = any(isinstance(value, float) for value in present)
    return _SAMPLES[ColumnType.FLOAT if floats else ColumnType.INT]


def _kind_of(value: bool | str | datetime) -> ColumnType:
    if isinstance(value, bool):
        return ColumnType.BOOL
    return ColumnType.STRING if isinstance(value, str) else ColumnType.TIME


def _type_name(sample: Any) -> str:
    if isinstance(sample, dict):
        return "{" + ",".join(f"{key}:{_type_name(value)}" for key, value in sample.items()) + "}"
    if isinstance(sample, list):
        return f"[{_type_name(sample[0])}]"
    return type(sample).__name__
