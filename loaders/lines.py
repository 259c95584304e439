"""The book of lines: what became of every line that was read, and what is true of it besides.

A line is a data row of a source file; all lines of an import are numbered on from 0. Each gets
exactly one disposition; flags (tallies) may overlap. About 24 bytes a line are kept in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from loaders.problems import LINE

IMPORTED = "imported"
UPDATED = "updated"
PRESENT = "already there"
DUPLICATE = "duplicate dropped"
NOT_AN_OFFER = "not an offer"
LOOKED_UP = "looked up"
CANCELLED = "cancellation matched"
PARTLY = "cancellation partly matched"
UNMATCHED = "cancellation unmatched"
FILTERED = "filtered: "
REJECTED = "rejected: "

EXACT_DUPLICATE = "exact duplicate"
CANCELLATION = "cancellation"
_MAX_FLAGS = 32

Lines = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class FileLines:
    """The lines of one file: ``first`` is the number of its row 1."""

    source: str
    path: Path
    first: int
    rows: int = 0


@dataclass(slots=True)
class LineBook:
    """Dispositions and flags of all lines, filled file after file."""

    files: list[FileLines] = field(default_factory=list)
    _names: list[str] = field(default_factory=lambda: [""])
    _flags: list[str] = field(default_factory=list)
    _state: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(1024, np.int16))
    _bits: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(1024, np.uint32))
    _out: Mask = field(default_factory=lambda: np.zeros(1024, np.bool_))
    _hashes: list[pl.DataFrame] = field(default_factory=list)
    total: int = 0

    def start_file(self, source: str, path: Path) -> FileLines:
        """Begin a file; its row 1 gets the next number."""
        self.files.append(FileLines(source, path, self.total))
        return self.files[-1]

    def count(self, rows: int) -> None:
        """Account for that many further rows of the file begun last."""
        self.total += rows
        self.files[-1].rows += rows
        if self.total > len(self._state):
            size = max(self.total, 2 * len(self._state))
            self._state = np.concatenate([self._state, np.zeros(size - len(self._state), np.int16)])
            self._bits = np.concatenate([self._bits, np.zeros(size - len(self._bits), np.uint32)])
            self._out = np.concatenate([self._out, np.zeros(size - len(self._out), np.bool_)])

    def settle(self, lines: pl.Series | Lines, disposition: str) -> None:
        """Give the lines a disposition, except those that have one."""
        index = np.asarray(lines, dtype=np.int64)
        undecided = index[self._state[index] == 0]
        self._state[undecided] = self._code(disposition)

    def flag(self, lines: pl.Series | Lines, name: str) -> None:
        """Mark the lines for a tally that may overlap with others."""
        if name not in self._flags:
            if len(self._flags) == _MAX_FLAGS:
                raise AssertionError("a mapping with more than 32 tallies")
            self._flags.append(name)
        self._bits[np.asarray(lines, dtype=np.int64)] |= np.uint32(1 << self._flags.index(name))

    def flagged(self, name: str) -> Mask:
        """For each line whether it has that flag."""
        if name not in self._flags:
            return np.zeros(self.total, np.bool_)
        bit = np.uint32(1 << self._flags.index(name))
        return np.asarray((self._bits[: self.total] & bit) != 0)

    def keep_hashes(self, lines: pl.Series, rows: pl.DataFrame) -> None:
        """Remember two 64-bit hashes of the whole rows, to find exact duplicates by."""
        first, second = rows.hash_rows(seed=1), rows.hash_rows(seed=2)
        self._hashes.append(pl.DataFrame({LINE: lines, "a": first, "b": second}))

    def take_duplicates(self) -> Lines:
        """Lines whose whole row came before since the last call; forgets the hashes."""
        if not self._hashes:
            return np.zeros(0, np.int64)
        hashes = pl.concat(self._hashes)
        self._hashes = []
        hashes = hashes.filter(pl.col("a").is_duplicated())
        first = pl.struct("a", "b").is_first_distinct()
        return hashes.filter(~first)[LINE].to_numpy()

    def drop(self, lines: pl.Series | Lines, disposition: str) -> None:
        """Settle the lines, and let nothing that was staged of them be used any more."""
        self._out[np.asarray(lines, dtype=np.int64)] = True
        self.settle(lines, disposition)

    def reject(self, problems: pl.DataFrame) -> None:
        """Drop the lines of these problems, each with the reason of its first one."""
        first = problems.unique(LINE, keep="first", maintain_order=True)
        for (reason,), group in first.partition_by("reason", as_dict=True).items():
            self.drop(group[LINE], f"{REJECTED}{reason}")

    def open_lines(self) -> Lines:
        """The lines that have no disposition yet."""
        return np.flatnonzero(self._state[: self.total] == 0)

    def usable(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The staged rows whose line has not been dropped since."""
        return rows.filter(pl.Series(~self._out[rows[LINE].to_numpy()], dtype=pl.Boolean))

    def dispositions(self, file: FileLines | None = None) -> dict[str, int]:
        """How many lines have each disposition (of one file, or of all), most first.

        Lines without one are listed as "undecided": there are none after a whole import.
        """
        start, stop = (file.first, file.first + file.rows) if file else (0, self.total)
        codes, counts = np.unique(self._state[start:stop], return_counts=True)
        named = {self._names[c] or "undecided": int(n) for c, n in zip(codes, counts, strict=True)}
        return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))

    def tallies(self) -> dict[str, int]:
        """How many lines have each flag; these may overlap each other."""
        return {name: int(self.flagged(name).sum()) for name in self._flags}

    def overlaps(self) -> dict[str, int]:
        """How many lines have two flags at once, for the pairs that occur."""
        both = {
            f"{one} + {other}": int((self.flagged(one) & self.flagged(other)).sum())
            for one, other in combinations(self._flags, 2)
        }
        return {name: count for name, count in both.items() if count}

    def located(self, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems with ``file`` and ``row`` (data rows from 1) in place of the line number."""
        starts = np.array([file.first for file in self.files], dtype=np.int64)
        lines = problems[LINE].to_numpy()
        index = np.searchsorted(starts, lines, side="right") - 1
        names: list[Any] = [self.files[i].path.name for i in index]
        return problems.select(
            pl.Series("file", names, dtype=pl.String),
            pl.Series("row", lines - starts[index] + 1 if len(starts) else lines, dtype=pl.Int64),
            pl.exclude(LINE),
        )

    def _code(self, disposition: str) -> int:
        if disposition not in self._names:
            self._names.append(disposition)
        return self._names.index(disposition)
