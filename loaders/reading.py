"""The first pass: read every line once, sort it by the mapping, convert it, stage what is good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from core.currencies import MINOR_DIGITS
from core.errors import InputError
from core.progress import Progress
from core.pseudonyms import pseudonym
from loaders.batches import ROW, Batch, Options
from loaders.canonical import CANCELLATIONS, TABLES, Kind
from loaders.cells import as_text
from loaders.checks import checks_of
from loaders.columns import Columns
from loaders.convert import Manner, Refusal, convert
from loaders.lines import (
    CANCELLATION,
    DUPLICATE,
    EXACT_DUPLICATE,
    FILTERED,
    NOT_AN_OFFER,
    REJECTED,
    FileLines,
    LineBook,
)
from loaders.mapping import Mapping, Source
from loaders.named_columns import warn_of_absent_columns
from loaders.problems import LINE, gathered, no_problems, problems
from loaders.quality import Quality
from loaders.rules import ColumnRule, TableRule
from loaders.sources import read_batches
from loaders.staging import Stage, canonical_schema


@dataclass(slots=True)
class Reader:
    """Reads the sources of a mapping into a stage, keeping book of every line."""

    mapping: Mapping
    columns: Columns
    stage: Stage
    book: LineBook
    quality: Quality
    now: datetime
    pseudonym_key: str = ""
    found: list[pl.DataFrame] = field(default_factory=list)

    def read_source(self, name: str, paths: Sequence[Path], progress: Progress) -> None:
        """Read the files of the source ``name``.

        Raises:
            InputError: when one cannot be read to its end or lacks a column the mapping names.
        """
        source = self.mapping.sources[name]
        for path in paths:
            self._read_file(name, source, path, progress)
        again = self.book.take_duplicates()
        if len(again):
            self.book.flag(again, EXACT_DUPLICATE)
        if source.exact_duplicates == "drop":
            self.book.drop(again, DUPLICATE)

    def _read_file(self, name: str, source: Source, path: Path, progress: Progress) -> None:
        place = self.book.start_file(name, path)
        options = Options(source.encoding, source.fallback_encoding, source.delimiter)
        with progress.task(f"Reading {path.name}") as task:
            for number, batch in enumerate(read_batches(path, options)):
                if number == 0:
                    check_columns(source, path, batch.frame.columns)
                    warn_of_absent_columns(self.mapping, name, path, batch.frame.columns)
                self._read_batch(name, source, place, batch)
                task.advance(batch.rows)

    def problems(self) -> pl.DataFrame:
        """All problems found so far, in line order."""
        return gathered(self.found)

    def _read_batch(self, name: str, source: Source, place: FileLines, batch: Batch) -> None:
        main = self.mapping.main_tables[name]
        self.book.count(batch.rows)
        self._reject_unreadable(main, place, batch)
        frame = batch.frame.with_columns((pl.col(ROW) + (place.first - 1)).alias(LINE))
        cells = frame.drop(ROW, LINE)
        self.quality.see_cells(name, cells)
        if frame.height:
            self.book.keep_hashes(frame[LINE], cells.select(sorted(cells.columns)))
        dropped = self._sorted_out(source, main, frame)
        staged: list[tuple[str, pl.DataFrame]] = []
        found: list[pl.DataFrame] = []
        for table, rules in self.mapping.tables.items():
            for rule in rules:
                if rule.source != name:
                    continue
                kept = frame.filter(~dropped[table]) if table in dropped else frame
                rows, wrong = self._rows(table, rule, source, kept)
                staged.append((table, rows))
                found.append(wrong)
        self._stage(staged, gathered(found))

    def _stage(self, staged: list[tuple[str, pl.DataFrame]], wrong: pl.DataFrame) -> None:
        self.book.reject(wrong)
        self.found.append(wrong)
        for table, rows in staged:
            for name, part in self._parted(table, self.book.usable(rows)):
                self.quality.see_rows(name, part)
                self.stage.append(name, part)

    def _parted(self, table: str, rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
        """Order lines apart from the lines that take them back."""
        if table != "purchases":
            return [(table, rows)]
        back = pl.col("quantity") < 0
        taken = rows.filter(back).with_columns(
            pl.col("quantity").abs(), pl.lit(0, pl.Int64).alias("matched_quantity")
        )
        if taken.height:
            self.book.flag(taken[LINE], CANCELLATION)
        columns = [LINE, *CANCELLATIONS.names]
        return [(table, rows.filter(~back)), ("cancellations", taken.select(columns))]

    def _reject_unreadable(self, main: str, place: FileLines, batch: Batch) -> None:
        for cell in batch.bad:
            line = pl.Series([place.first + cell.row - 1])
            self.book.settle(line, f"{REJECTED}{cell.reason}")
            value = pl.Series([cell.value])
            self.found.append(
                problems(line, value, table=main, column=cell.column, reason=cell.reason,
                         mend=cell.mend)
            )  # fmt: skip

    def _sorted_out(self, source: Source, main: str, frame: pl.DataFrame) -> dict[str, pl.Series]:
        """For each table the rows that filters keep out of it; settles and flags their lines."""
        none = pl.Series(np.zeros(frame.height, np.bool_))
        dropped = dict.fromkeys(self.mapping.tables, none)
        for item in source.filters:
            fired = self.columns.holds(item, frame)
            self.book.flag(frame.filter(fired)[LINE], item.name)
            for table in item.tables or self.mapping.tables:
                dropped[table] = dropped[table] | fired
            if item.tables is None or main in item.tables:
                self.book.settle(frame.filter(fired)[LINE], f"{FILTERED}{item.name}")
        for group in source.not_offers:
            text = as_text(self.columns.tested(group.column, group.lookup, frame))
            fired = text.is_in(pl.Series(group.codes, dtype=pl.String).implode())
            for pattern in group.patterns:
                fired = fired | text.str.contains(pattern)
            fired = fired.fill_null(False)
            self.book.flag(frame.filter(fired)[LINE], NOT_AN_OFFER)
            self.book.settle(frame.filter(fired)[LINE], NOT_AN_OFFER)
            dropped = {table: mask | fired for table, mask in dropped.items()}
        if source.cancellation is not None:
            back = self.columns.holds(source.cancellation, frame)
            self.book.flag(frame.filter(back)[LINE], CANCELLATION)
        return dropped

    def _rows(
        self, table: str, rule: TableRule, source: Source, kept: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The canonical rows that a rule makes of source rows, and what is wrong with them."""
        if rule.levels is not None:
            return self._category_rows(rule.levels, kept), no_problems()
        found: list[pl.DataFrame] = []
        rows = self._converted(table, rule, kept, found)
        if table == "purchases":
            rows = self._signed(source, kept, rows, found)
        refused = gathered(found).select(LINE)
        whole = rows.join(refused, on=LINE, how="anti", maintain_order="left")
        for check in checks_of(table):
            wrong = whole.filter(check.wrong)
            if wrong.height:
                where = {"table": table, "column": check.column, "reason": check.reason}
                found.append(problems(wrong[LINE], wrong[check.column], mend=check.mend, **where))
        return _finished(table, rows), gathered(found)

    def _converted(
        self, table: str, rule: TableRule, kept: pl.DataFrame, found: list[pl.DataFrame]
    ) -> pl.DataFrame:
        lines = kept[LINE]
        typed: dict[str, pl.Series] = {LINE: lines}
        digits: pl.Series | None = None
        # The currency goes first: amounts need its decimals.
        for column in sorted(TABLES[table].columns, key=lambda c: c.kind is not Kind.CURRENCY):
            if column.kind is Kind.PERSONAL:
                continue
            column_rule = rule.columns.get(column.name) or self._standing_in(column.kind)
            if column_rule is None:
                typed[column.name] = pl.Series([None] * kept.height)
                continue
            cells, refusals = self.columns.cells(column_rule, kept)
            manner = Manner(
                self.now,
                column_rule.time_zone or self.mapping.time_zone,
                tuple(column_rule.formats or ()),
                column_rule.round,
                digits,
                column_rule.last_day,
            )
            series, more = convert(cells, column, manner)
            if column.kind is Kind.CURRENCY:
                digits = series.replace_strict(MINOR_DIGITS, default=None, return_dtype=pl.Int64)
            for refusal in (*refusals, *more):
                found.append(_found(refusal, lines, cells, table, column.name))
            typed[column.name] = series
        self._hide(table, typed)
        schema = canonical_schema(table)
        return pl.DataFrame([typed[name].cast(dtype).alias(name) for name, dtype in schema.items()])

    def _hide(self, table: str, typed: dict[str, pl.Series]) -> None:
        """Put keyed hashes in place of what the mapping pseudonymises, references included."""
        for column in TABLES[table].columns:
            names = {f"{table}.{column.name}", f"{column.refers}.id"}
            if names & set(self.mapping.pseudonymise) and column.name in typed:
                cells = typed[column.name].cast(pl.String)
                known = cells.drop_nulls().unique()
                hashed = [pseudonym(value, self.pseudonym_key) for value in known]
                typed[column.name] = cells.replace(known, pl.Series(hashed, dtype=pl.String))

    def _standing_in(self, kind: Kind) -> ColumnRule | None:
        if kind is Kind.CURRENCY and self.mapping.currency is not None:
            return ColumnRule(value=self.mapping.currency)
        return None

    def _signed(
        self, source: Source, kept: pl.DataFrame, rows: pl.DataFrame, found: list[pl.DataFrame]
    ) -> pl.DataFrame:
        """Order lines with a quantity below 0 where they take back, above where they do not."""
        rows = rows.with_columns(pl.col("quantity").fill_null(1))
        if source.cancellation is None:
            return rows
        back = self.columns.holds(source.cancellation, kept)
        wrong = rows.filter(~back & (rows["quantity"] < 0))
        mend = "Name it a cancellation, or filter it, in the mapping."
        where = {"table": "purchases", "column": "quantity", "reason": "negative-quantity"}
        found.append(problems(wrong[LINE], wrong["quantity"], mend=mend, **where))
        size = pl.col("quantity").abs()
        return rows.with_columns(pl.when(back).then(-size).otherwise(size).alias("quantity"))

    def _category_rows(self, levels: list[str], kept: pl.DataFrame) -> pl.DataFrame:
        paths = self.columns.category_paths(levels, kept)
        parts = []
        for depth, path in enumerate(paths):
            parent = paths[depth - 1] if depth else pl.Series([None] * kept.height, dtype=pl.String)
            rows = pl.DataFrame({LINE: kept[LINE], "id": path, "parent_id": parent})
            parts.append(rows.drop_nulls("id").unique("id", keep="first", maintain_order=True))
        name = pl.col("id").str.extract(r"([^>]*)$").str.strip_chars().str.to_titlecase()
        rows = pl.concat(parts).with_columns(name.alias("name"))
        return rows.select(list(canonical_schema("categories")))


def check_columns(source: Source, path: Path, present: list[str]) -> None:
    """Raise InputError when the file lacks a column that the source requires."""
    lacking = [name for name in source.columns if name not in present]
    if lacking:
        there = ", ".join(name for name in present if name != ROW)
        raise InputError(
            f"{path} has no column {', '.join(lacking)}.",
            mend=f"It has: {there}. Correct the file's header or the mapping.",
        )


def _found(
    refusal: Refusal, lines: pl.Series, cells: pl.Series, table: str, column: str
) -> pl.DataFrame:
    if not refusal.mask.any():
        return no_problems()
    shown = cells if refusal.values is None else refusal.values
    return problems(
        lines.filter(refusal.mask), shown.filter(refusal.mask),
        table=table, column=column, reason=refusal.reason, mend=refusal.mend,
    )  # fmt: skip


def _finished(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Amounts in one column, names single-spaced, unset choices filled in."""
    if table == "offers":
        return rows.with_columns(
            pl.coalesce("price_minor", "price").alias("price_minor"),
        )
    if table == "purchases":
        return rows.with_columns(
            pl.coalesce("unit_price_minor", "unit_price").alias("unit_price_minor")
        )
    if table == "categories":
        return rows.with_columns(pl.col("name").str.replace_all(r"\s+", " "))
    if table == "preferences":
        return rows.with_columns(pl.col("weight").fill_null(1.0))
    if table == "cancellations":
        return rows.with_columns(pl.col("matched_quantity").fill_null(0))
    return rows
