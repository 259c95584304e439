"""Purchases, cancellations, interactions and preferences: part by part, never all at once.

What is held of all lines at once is a hash of each, and the keys of those that look repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from loaders.lines import DUPLICATE, LineBook
from loaders.problems import LINE, no_problems, problems
from loaders.staging import Stage

_SEPARATOR = "\x1f"
_NONE = "\x00"
_PRICED = {"purchases": ["quantity", "unit_price_minor"], "cancellations": ["quantity"]}
_SINGULAR = {
    "purchases": "purchase",
    "cancellations": "cancellation",
    "interactions": "interaction",
    "preferences": "preference",
}


@dataclass(slots=True)
class Repeats:
    """How often lines without an id of their own stood before: ``line``, ``occurrence`` > 0."""

    occurrences: pl.DataFrame


def find_repeats(table: str, stage: Stage, book: LineBook) -> tuple[Repeats, pl.DataFrame]:
    """Compare the keys of all of a table's rows; drop lines that repeat an id.

    An id that stands again with equal values is a duplicate, with others it is rejected. Lines
    without an id are told apart by how many equal ones came before.

    Returns:
        The repeats of lines without an id, and the problems.
    """
    frame = _suspects(table, stage, book)
    if frame is None:
        return Repeats(pl.DataFrame(schema={LINE: pl.Int64, "occurrence": pl.Int64})), no_problems()
    same = pl.col("content") == pl.col("content").first().over("a", "b")
    frame = frame.with_columns(
        pl.int_range(pl.len()).over("a", "b").alias("occurrence"), same.alias("same")
    )
    again = frame.filter(pl.col("occurrence") > 0)
    named = again.filter(pl.col("named").is_not_null())
    book.drop(named.filter("same")[LINE], DUPLICATE)
    clash = named.filter(~pl.col("same"))
    found = problems(
        clash[LINE], clash["named"], table=table, column="id", reason="conflicting-duplicate",
        mend="The same id stands above with other values; keep one of them.",
    )  # fmt: skip
    book.reject(found)
    unnamed = again.filter(pl.col("named").is_null())
    return Repeats(unnamed.select(LINE, pl.col("occurrence").cast(pl.Int64))), found


def _suspects(table: str, stage: Stage, book: LineBook) -> pl.DataFrame | None:
    """The keys of rows whose hash stands more than once; None when there are none."""
    hashes = [_keys(table, part)["a"] for part in usable_parts(table, stage, book)]
    if not hashes:
        return None
    together = pl.concat(hashes)
    twice = together.filter(together.is_duplicated()).unique()
    if not len(twice):
        return None
    keys = (_keys(table, part) for part in usable_parts(table, stage, book))
    return pl.concat([part.filter(part["a"].is_in(twice.implode())) for part in keys])


def _keys(table: str, part: pl.DataFrame) -> pl.DataFrame:
    pairs = table == "preferences"
    named = part["buyer_id"] + " " + part["category_id"] if pairs else part["id"]
    text = pl.DataFrame({"named": named, "text": _identity_text(table, part)}).select(
        pl.when(pl.col("named").is_null()).then("text").otherwise("named").alias("key"), "named"
    )
    return pl.DataFrame(
        {
            LINE: part[LINE],
            "named": text["named"],
            "a": text["key"].hash(1),
            "b": text["key"].hash(2),
            "content": part.drop(LINE).hash_rows(seed=3),
        }
    )


def _identity_text(table: str, part: pl.DataFrame) -> pl.Series:
    """What graph.identity.hash_identity would join, but for the occurrence."""
    if table == "preferences":
        return part["buyer_id"]
    order = pl.col("order_id") if "order_id" in part.columns else pl.lit(None, pl.String)
    whose = (
        pl.when(order.is_not_null())
        .then(pl.format("order{}{}", pl.lit(_SEPARATOR), order))
        .otherwise(pl.format("buyer{}{}", pl.lit(_SEPARATOR), "buyer_id"))
    )
    parts = [
        pl.lit(_SINGULAR[table]),
        whose,
        pl.col("offer_id"),
        *([pl.col("kind")] if table == "interactions" else []),
        pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"),
        *(pl.col(name).cast(pl.String).fill_null(_NONE) for name in _PRICED.get(table, [])),
    ]
    return part.select(pl.concat_str(parts, separator=_SEPARATOR)).to_series()


def with_ids(table: str, part: pl.DataFrame, repeats: Repeats) -> pl.DataFrame:
    """The rows with an id each: their own, else the hash that graph.identity makes."""
    if table == "preferences":
        return part
    without = part.filter(pl.col("id").is_null())
    if not without.height:
        return part
    joined = without.join(repeats.occurrences, on=LINE, how="left", maintain_order="left")
    counts = joined["occurrence"].fill_null(0).cast(pl.String)
    texts = _identity_text(table, without) + _SEPARATOR + counts
    made = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
    ids = pl.DataFrame({LINE: without[LINE], "made": pl.Series(made, dtype=pl.String)})
    return (
        part.join(ids, on=LINE, how="left", maintain_order="left")
        .with_columns(pl.coalesce("id", "made").alias("id"))
        .drop("made")
    )


def usable_parts(table: str, stage: Stage, book: LineBook) -> Iterator[pl.DataFrame]:
    """The parts of a table without the lines that were dropped."""
    for part in stage.parts(table):
        rows = book.usable(part)
        if rows.height:
            yield rows


def referred_ids(table: str, stage: Stage, book: LineBook, column: str) -> set[str]:
    """The distinct values of a reference column."""
    found: set[str] = set()
    for part in stage.parts(table, [LINE, column]):
        found.update(book.usable(part)[column].drop_nulls().unique().to_list())
    return found
