"""Source columns to the cells of one canonical column: where a mapping's rules are carried out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from core.context import JOINT, VALUE_LENGTH, VALUE_PATTERN
from loaders.batches import LIST_MARK
from loaders.cells import as_text
from loaders.convert import Refusal
from loaders.rules import ColumnRule, Condition

CATEGORY_JOINT = " > "
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class Columns:
    """Evaluates rules and conditions over batches of one source.

    Args:
        lookups: for each lookup the source text -> text it stands for.
        synonyms: normalised category name -> the name to use instead.
    """

    def __init__(
        self, lookups: Mapping[str, Mapping[str, str]], synonyms: Mapping[str, str]
    ) -> None:
        self._lookups = lookups
        names = pl.Series(list(synonyms), dtype=pl.String)
        meant = pl.Series(list(synonyms.values()), dtype=pl.String)
        self._synonyms = (_spaced(names), _spaced(meant))

    def cells(self, rule: ColumnRule, batch: pl.DataFrame) -> tuple[pl.Series, list[Refusal]]:
        """The cells of a column, text or as the source has them, before conversion.

        Returns:
            A series of the batch's height, and the refusals of its lookup.
        """
        refusals: list[Refusal] = []
        if rule.named is not None:
            series, refusals = self._circumstances(rule.named, batch)
        else:
            series = self._origin(rule, batch)
        if self._has_steps(rule):
            series, more = self._stepped(rule, as_text(series))
            refusals = [*refusals, *more]
        if rule.divide_by is not None:
            series, refusal = _divided(series, source_column(rule.divide_by, batch))
            refusals.append(refusal)
        if rule.default is not None:
            series = as_text(series).fill_null(rule.default)
        if rule.otherwise is None:
            return series, refusals
        others, more = self.cells(rule.otherwise, batch)
        empty = as_text(series).is_null()
        more = [replace(each, mask=each.mask & empty) for each in more]
        return as_text(series).zip_with(~empty, as_text(others)), [*refusals, *more]

    def _stepped(self, rule: ColumnRule, text: pl.Series) -> tuple[pl.Series, list[Refusal]]:
        text = text.set(text.is_in(pl.Series(rule.empty, dtype=pl.String).implode()), None)
        for old, new in rule.replace.items():
            text = text.str.replace_all(old, new, literal=True)
        if rule.extract is not None:
            text = text.str.extract(rule.extract, 1 if "(" in rule.extract else 0)
        if rule.case is not None:
            text = getattr(text.str, f"to_{rule.case}case")()
        refusals: list[Refusal] = []
        if rule.lookup is not None:
            text, refusals = self._looked_up(text, rule)
        return (self.category_name(text) if rule.category else text), refusals

    def category_name(self, text: pl.Series) -> pl.Series:
        """Lower case, single spaces, synonyms replaced: the one way a category is spelt."""
        return _spaced(text).replace(*self._synonyms)

    def category_paths(self, levels: Sequence[str], batch: pl.DataFrame) -> list[pl.Series]:
        """For each level the id of the category so far ("grocery > bread"); null below a gap."""
        paths: list[pl.Series] = []
        for level in levels:
            name = self.category_name(as_text(source_column(level, batch)))
            paths.append(paths[-1] + CATEGORY_JOINT + name if paths else name)
        return paths

    def _origin(self, rule: ColumnRule, batch: pl.DataFrame) -> pl.Series:
        if rule.column is not None:
            return source_column(rule.column, batch)
        if rule.value is not None:
            return pl.Series([rule.value]).new_from_index(0, batch.height)
        if rule.levels is not None:
            paths = self.category_paths(rule.levels, batch)
            deepest = pl.DataFrame({str(i): path for i, path in enumerate(reversed(paths))})
            # One item, whatever separators the names of the levels hold.
            return LIST_MARK + deepest.select(pl.coalesce(pl.all())).to_series()
        assert rule.template is not None
        return _filled_in(rule.template, batch)

    def _circumstances(
        self, rules: Mapping[str, ColumnRule], batch: pl.DataFrame
    ) -> tuple[pl.Series, list[Refusal]]:
        """The text of each row's circumstances by name (core.context); empty cells name none."""
        parts: dict[str, pl.Series] = {}
        refusals: list[Refusal] = []
        for name in sorted(rules):
            cells, more = self.cells(rules[name], batch)
            value = as_text(cells)
            wrong = ~value.str.contains(VALUE_PATTERN).fill_null(True)
            mend = f"{name}: write at most {VALUE_LENGTH} characters, without ; in them."
            refusals += [*more, Refusal(wrong, "not-a-context-value", mend, value)]
            parts[name] = f"{name}=" + value
        joined = pl.concat_str(pl.all(), separator=JOINT, ignore_nulls=True)
        return as_text(pl.DataFrame(parts).select(joined).to_series()), refusals

    def _looked_up(self, text: pl.Series, rule: ColumnRule) -> tuple[pl.Series, list[Refusal]]:
        found = self.looked_up(text, rule.lookup or "")
        missing = text.is_not_null() & found.is_null()
        if rule.default is not None or rule.otherwise is not None or not missing.any():
            return found.set(found == "", None), []
        mend = f"Add it to the lookup {rule.lookup!r}, or give the column a default."
        return found.set(found == "", None), [Refusal(missing, "not-in-lookup", mend, text)]

    def looked_up(self, text: pl.Series, lookup: str) -> pl.Series:
        """What each text stands for in a lookup; null where it is not in it."""
        table = self._lookups[lookup]
        old = pl.Series(list(table), dtype=pl.String)
        new = pl.Series(list(table.values()), dtype=pl.String)
        return text.replace_strict(old, new, default=None, return_dtype=pl.String)

    def holds(self, condition: Condition, batch: pl.DataFrame) -> pl.Series:
        """For each row whether the condition holds; an empty cell passes only ``missing``."""
        return holds(condition, self.tested(condition.column, condition.lookup, batch))

    def tested(self, column: str, lookup: str | None, batch: pl.DataFrame) -> pl.Series:
        """The cells that a condition tests: the source's, or what they stand for."""
        cells = source_column(column, batch)
        return cells if lookup is None else self.looked_up(as_text(cells), lookup)

    @staticmethod
    def _has_steps(rule: ColumnRule) -> bool:
        steps = (rule.empty, rule.replace, rule.extract, rule.case, rule.category, rule.lookup)
        return any(steps)


def source_column(name: str, batch: pl.DataFrame) -> pl.Series:
    """A column of the batch; a column that the file does not have is all empty."""
    if name in batch.columns:
        return batch[name]
    return pl.Series(name, [None] * batch.height, dtype=pl.String)


def holds(condition: Condition, series: pl.Series) -> pl.Series:
    """For each cell whether the condition holds; an empty cell passes only ``missing = true``."""
    if condition.missing is not None:
        return as_text(series).is_null() == pl.Series([condition.missing])
    if condition.equals is not None:
        texts = [_plain(value) for value in condition.equals]
        return as_text(series).is_in(pl.Series(texts, dtype=pl.String).implode()).fill_null(False)
    if condition.matches is not None:
        return as_text(series).str.contains(condition.matches).fill_null(False)
    number = (as_text(series) if series.dtype == pl.String else series).cast(
        pl.Float64, strict=False
    )
    for bound, test in (
        (condition.less_than, number.__lt__),
        (condition.at_most, number.__le__),
        (condition.more_than, number.__gt__),
        (condition.at_least, number.__ge__),
    ):
        if bound is not None:
            return pl.Series(test(bound)).fill_null(False)
    raise AssertionError("a condition has exactly one test")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _spaced(text: pl.Series) -> pl.Series:
    return text.str.strip_chars().str.replace_all(r"\s+", " ").str.to_lowercase()


def _divided(series: pl.Series, by: pl.Series) -> tuple[pl.Series, Refusal]:
    above, below = (
        (as_text(cells) if cells.dtype == pl.String else cells).cast(pl.Float64, strict=False)
        for cells in (series, by)
    )
    # Six decimals outlast every currency, and hide what division adds in the sixteenth.
    quotient = (above / below.set(below == 0, None)).round(6)
    wrong = as_text(series).is_not_null() & quotient.is_null()
    mend = f"It is divided by {by.name}: both must be numbers, and that not 0."
    return quotient, Refusal(wrong, "not-a-number", mend, series)


def _filled_in(template: str, batch: pl.DataFrame) -> pl.Series:
    """The template with {column} replaced; null where one of its columns is empty."""
    parts: list[pl.Expr] = []
    cells: dict[str, pl.Series] = {}
    for index, piece in enumerate(_PLACEHOLDER.split(template)):
        if index % 2:
            cells[piece] = as_text(source_column(piece, batch)).alias(piece)
            parts.append(pl.col(piece))
        elif piece:
            parts.append(pl.lit(piece))
    frame = pl.DataFrame(cells) if cells else pl.DataFrame({"": [None] * batch.height})
    return frame.select(pl.concat_str(parts, ignore_nulls=False)).to_series()
