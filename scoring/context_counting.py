"""From tables of purchases and interactions to what was taken under which circumstances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from core.context import PATTERN, Context, ContextValue, read_context
from core.entities import EvidenceKind
from scoring.context import NO_CONTEXTS, ContextCounts, Tallies

LEAST_PAIRS = 50
MOST_VALUES = 64
# Fewer distinct moments than this are no times: a matrix of interactions has one for all.
DISTINCT_TIMES = 10
# Three months each, from December on, as meteorologists count them; by the north's names.
SEASONS = ("winter", "spring", "summer", "autumn")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CLOCK: dict[str, tuple[pl.Expr, tuple[str, ...]]] = {
    "season": (pl.col("at").dt.month() % 12 // 3, SEASONS),
    "weekday": (pl.col("at").dt.weekday() - 1, WEEKDAYS),
}
Pairs = dict[str, pl.DataFrame]
"""By name the distinct (buyer, offer, value) that carry it."""


def count_contexts(
    purchases: pl.DataFrame,
    interactions: pl.DataFrame,
    buyers: Mapping[str, int],
    offers: Mapping[str, int],
) -> ContextCounts:
    """What was taken under each circumstance that at least 50 pairs carry, the 64 most frequent.

    Season and weekday (UTC) come from the time where no row names its own. What purchases often
    carry is learned from them alone, what they do not from interactions (but dismissals) too.

    Args:
        purchases: with the columns of core.snapshot.SCHEMAS, as interactions.
        interactions: see purchases.
        buyers: row number by id.
        offers: row number by id.
    """
    bought = dict(_pairs(purchases, buyers, offers))
    often = {name: pairs for name, pairs in bought.items() if len(pairs) >= LEAST_PAIRS}
    kept = interactions.filter(pl.col("kind") != EvidenceKind.DISMISSED.value)
    for name, pairs in _pairs(kept, buyers, offers, without=often):
        both = pl.concat([pairs, bought[name]]).unique() if name in bought else pairs
        if len(both) >= LEAST_PAIRS:
            often[name] = both
    return _counted(often)


def contexts_of(rows: pl.DataFrame) -> list[Context]:
    """What each row of purchases or interactions was done under, season and weekday included."""
    usable = rows["at"].n_unique() >= DISTINCT_TIMES
    clock = rows.select(expression.alias(name) for name, (expression, _) in CLOCK.items())
    contexts = []
    for text, moment in zip(rows["context"], clock.iter_rows(named=True), strict=True):
        values = dict(read_context(text))
        for name, (_, words) in CLOCK.items() if usable else ():
            values.setdefault(name, words[moment[name]])
        contexts.append(tuple(sorted(ContextValue(*value) for value in values.items())))
    return contexts


def _pairs(
    rows: pl.DataFrame,
    buyers: Mapping[str, int],
    offers: Mapping[str, int],
    without: Mapping[str, object] | None = None,
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each name that at least one row carries, with its pairs; one name at a time, to hold little.

    Names that fewer rows than LEAST_PAIRS carry may be left out beyond the MOST_VALUES most common.
    """
    left_out = without or {}
    told = rows.filter(pl.col("context").str.contains(PATTERN))
    table = _parsed(told["context"])
    timed = [name for name in CLOCK if name not in set(table["name"])]
    if rows["at"].n_unique() < DISTINCT_TIMES:
        timed = []
    if table["name"].is_empty() and not set(timed) - set(left_out):
        return
    told = _numbered(told, buyers, offers)
    for name in table["name"].unique(maintain_order=True).to_list()[:MOST_VALUES]:
        if name not in left_out:
            texts = table.filter(pl.col("name") == name).select("context", "value")
            yield name, told.join(texts, on="context").select("buyer", "offer", "value").unique()
    numbered = _numbered(rows, buyers, offers) if timed else told
    for name in timed:
        if name not in left_out:
            expression, words = CLOCK[name]
            pairs = numbered.select("buyer", "offer", expression.alias("value")).unique()
            value = pl.col("value").replace_strict(
                list(range(len(words))), list(words), return_dtype=pl.String
            )
            yield name, pairs.with_columns(value)


def _parsed(texts: pl.Series) -> pl.DataFrame:
    """Distinct texts that name circumstances -> (context, name, value), common names first."""
    counted = texts.value_counts(sort=True, name="rows")
    found = [
        (text, name, value, rows)
        for text, rows in counted.iter_rows()
        for name, value in read_context(text)
    ]
    columns = {"context": pl.String, "name": pl.String, "value": pl.String, "rows": pl.Int64}
    table = pl.DataFrame(found, schema=columns, orient="row")
    often = pl.col("rows").sum().over("name")
    return table.with_columns(often).sort("rows", "name", descending=[True, False])


def _numbered(
    rows: pl.DataFrame, buyers: Mapping[str, int], offers: Mapping[str, int]
) -> pl.DataFrame:
    """(buyer, offer, at, context) of the rows whose buyer and offer are known, as row numbers."""
    for name, index in (("buyer", buyers), ("offer", offers)):
        table = pl.DataFrame(
            {f"{name}_id": list(index), name: list(index.values())},
            schema={f"{name}_id": pl.String, name: pl.Int32},
        )
        rows = rows.join(table, on=f"{name}_id")
    return rows.select("buyer", "offer", "at", "context")


def _counted(pairs: Pairs) -> ContextCounts:
    tallies = {
        name: each.group_by("value", "offer").agg(pl.len().cast(pl.Int32).alias("count"))
        for name, each in pairs.items()
    }
    sizes = sorted(
        (-size, ContextValue(name, value))
        for name, tally in tallies.items()
        for value, size in tally.group_by("value").agg(pl.col("count").sum()).iter_rows()
        if size >= LEAST_PAIRS
    )[:MOST_VALUES]
    if not sizes:
        return NO_CONTEXTS
    values = tuple(value for _, value in sizes)
    names = tuple(sorted({value.name for value in values}))
    taken = [tallies[name].filter(pl.col("value") == value) for name, value in values]
    known = [tallies[name].group_by("offer").agg(pl.col("count").sum()) for name in names]
    return ContextCounts(values, _tallies(taken), names, _tallies(known))


def _tallies(rows: list[pl.DataFrame]) -> Tallies:
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    ordered = pl.concat([row.sort("offer").select("offer", "count") for row in rows])
    offer, count = (ordered[name].to_numpy().astype(np.int32) for name in ordered.columns)
    return Tallies(ptr.astype(np.int64), offer, count)
