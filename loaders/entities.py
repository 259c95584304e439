"""Buyers, vendors, categories and offers of an import: one row an id, of all their lines."""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingType

import polars as pl

from loaders.canonical import MAX_CATEGORY_DEPTH, TABLES, Kind
from loaders.lines import DUPLICATE, LineBook
from loaders.mapping import Mapping
from loaders.problems import LINE, gathered, no_problems, problems
from loaders.rules import Pick
from loaders.staging import Stage, canonical_schema

Known = MappingType[str, Collection[str]]
_MERGED = frozenset({"price", "price_minor"})


def entity_rows(
    table: str, mapping: Mapping, stage: Stage, book: LineBook
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row for each id of the table, with the line it first stands in, and the problems.

    In a strict mapping an id that stands twice is a duplicate when the rows are equal, and
    rejected when they differ; else its lines are merged, each column by its pick.
    """
    if mapping.strict:
        return _distinct(table, stage, book)
    return _merged(table, mapping, stage, book), no_problems()


def _distinct(table: str, stage: Stage, book: LineBook) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = book.usable(stage.whole(table))
    key = list(TABLES[table].key)
    content = pl.struct(pl.exclude(LINE))
    rows = rows.with_columns(
        pl.struct(key).is_first_distinct().alias("_first"),
        (content.hash(1) == content.hash(1).first().over(key)).alias("_same"),
    )
    again = rows.filter(~pl.col("_first"))
    book.drop(again.filter("_same")[LINE], DUPLICATE)
    clash = again.filter(~pl.col("_same"))
    found = problems(
        clash[LINE], clash["id"], table=table, column="id", reason="conflicting-duplicate",
        mend="The same id stands above with other values; keep one of them.",
    )  # fmt: skip
    book.reject(found)
    return rows.filter("_first").drop("_first", "_same"), found


def _merged(table: str, mapping: Mapping, stage: Stage, book: LineBook) -> pl.DataFrame:
    """Column after column, so that never more than one of them is held for all lines."""
    first = book.usable(stage.whole(table, [LINE, "id"]))
    merged = first.group_by("id", maintain_order=True).agg(pl.col(LINE).min())
    for column in canonical_schema(table):
        if column in (LINE, "id"):
            continue
        rows = book.usable(stage.whole(table, [LINE, "id", column])).drop_nulls(column)
        picked = rows.group_by("id").agg(_picked(column, _pick_of(table, column, mapping)))
        merged = merged.join(picked, on="id", how="left", maintain_order="left")
    schema = canonical_schema(table)
    return merged.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort(LINE)


def _pick_of(table: str, column: str, mapping: Mapping) -> Pick:
    names = _MERGED if column in _MERGED else {column}
    for rule in mapping.tables[table]:
        for name in sorted(names):
            if name in rule.columns:
                return rule.columns[name].pick
    return Pick.LAST


def _picked(column: str, pick: Pick) -> pl.Expr:
    cells = pl.col(column)
    # Lines lie in the order they were read, and a group keeps that order.
    chosen: dict[Pick, Callable[[], pl.Expr]] = {
        Pick.LAST: cells.last,
        Pick.FIRST: cells.first,
        Pick.MINIMUM: cells.min,
        Pick.MAXIMUM: cells.max,
        Pick.MEDIAN: lambda: cells.sort().get(((pl.len() - 1) // 2).cast(pl.Int64)),
        Pick.MOST_FREQUENT: lambda: cells.mode().min(),
        Pick.ALL: lambda: cells.explode().unique(maintain_order=True),
    }
    return chosen[pick]().alias(column)


def reject_unknown(
    rows: pl.DataFrame, table: str, known: Known
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows whose references are known, and problems naming the references that are not.

    Args:
        rows: canonical rows with ``line``.
        table: their table.
        known: for each table referred to, the ids that are there.
    """
    found: list[pl.DataFrame] = []
    for column in TABLES[table].columns:
        if column.refers is None:
            continue
        cells = rows.select(LINE, column.name).drop_nulls()
        if column.kind is Kind.IDS:
            cells = cells.explode(column.name).drop_nulls()
        ids = pl.DataFrame({column.name: pl.Series(list(known[column.refers]), dtype=pl.String)})
        wrong = cells.join(ids, on=column.name, how="anti", maintain_order="left")
        found.append(
            problems(
                wrong[LINE],
                wrong[column.name],
                table=table,
                column=column.name,
                reason="unknown-reference",
                mend=f"Add it to {column.refers}, or correct the id.",
            )
        )
    wrong = gathered(found)
    return rows.join(wrong.select(LINE).unique(), on=LINE, how="anti", maintain_order="left"), wrong


def check_forest(
    rows: pl.DataFrame, parents: dict[str, str | None]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Category rows that keep the forest a forest, and the problems of the others.

    Args:
        rows: categories of the import; their parents are known.
        parents: parent of each category that the graph has (those above the import's).
    """
    above = {**parents, **dict(rows.select("id", "parent_id").iter_rows())}
    reasons = [_forest_problem(name, above) for name in rows["id"].to_list()]
    rows = rows.with_columns(pl.Series("_reason", reasons, dtype=pl.String))
    mends = {
        "category-cycle": "Following parents leads back to it; correct parent_id.",
        "category-too-deep": f"At most {MAX_CATEGORY_DEPTH} levels.",
    }
    found = []
    for reason, mend in mends.items():
        wrong = rows.filter(pl.col("_reason") == reason)
        found.append(
            problems(wrong[LINE], wrong["parent_id"], table="categories", column="parent_id",
                     reason=reason, mend=mend)
        )  # fmt: skip
    good = rows.filter(pl.col("_reason").is_null()).drop("_reason")
    return good, gathered(found)


def _forest_problem(name: str, above: dict[str, str | None]) -> str | None:
    depth, at, seen = 1, above.get(name), {name}
    while at is not None:
        if at in seen:
            return "category-cycle"
        seen.add(at)
        depth += 1
        at = above.get(at)
    return "category-too-deep" if depth > MAX_CATEGORY_DEPTH else None
