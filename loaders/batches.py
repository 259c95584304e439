"""What the readers share: batches, rejected cells, options, and a file's bytes."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import polars as pl

from core.errors import InputError
from loaders.canonical import MAX_CELL_BYTES

ROW = "_row"
BATCH_ROWS = 65_536
BATCH_BYTES = 32_000_000
# A field longer than this is taken for a quote that was never closed.
MAX_FIELD_BYTES = 64_000_000
LIST_MARK, LIST_JOINT = "\x1e", "\x1f"


@dataclass(frozen=True, slots=True)
class Options:
    """How to read text.

    Attributes:
        encoding: None means UTF-8, or UTF-16 where the file starts with its mark.
        fallback: encoding of the cells that are not in the first one; None rejects them.
        delimiter: None means the one seen most in the header.
    """

    encoding: str | None = None
    fallback: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class BadCell:
    """A row that cannot be read as it stands; ``row`` counts data rows of the file from 1."""

    row: int
    column: str
    value: str
    reason: str
    mend: str


@dataclass(slots=True)
class Batch:
    """Readable rows (source columns and ``_row``) and the rows that are not."""

    frame: pl.DataFrame
    bad: list[BadCell] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows of the file this batch accounts for."""
        return self.frame.height + len({cell.row for cell in self.bad})


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """The file's bytes, unpacked when it is gzipped (told by its first bytes, not its name)."""
    with path.open("rb") as raw:
        magic = raw.read(2)
        raw.seek(0)
        if magic == b"\x1f\x8b":
            with gzip.open(raw) as unpacked:
                # A GzipFile can all that is asked of a buffered reader here: peek and readline.
                yield cast(io.BufferedReader, unpacked)
        elif path.name.lower().endswith(".gz"):
            raise InputError(f"{path} is not gzipped.", mend="Drop .gz from its name, or gzip it.")
        else:
            yield raw


@contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """A path that can be sought in: the file itself, or a temporary unpacked copy."""
    if not path.name.lower().endswith(".gz"):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="offerpath-") as folder:
        plain = Path(folder) / "plain"
        with open_bytes(path) as source, plain.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        yield plain


def oversized(value: str) -> bool:
    """Whether a cell is longer than a graph may hold."""
    limit = MAX_CELL_BYTES
    return len(value) > limit or (len(value) * 4 > limit and len(value.encode()) > limit)


def oversized_cell(row: int, column: str, value: str) -> BadCell:
    """The rejection of a cell that is too long."""
    size = f"{value[:40]}... ({len(value):,} characters)"
    mend = f"Shorten it to at most {MAX_CELL_BYTES:,} bytes."
    return BadCell(row, column, size, "cell-too-long", mend)


def not_in_encoding(row: int, column: str, shown: str, encoding: str) -> BadCell:
    """The rejection of bytes that are not text in the encoding the file is read in."""
    mend = f'Save the file as UTF-8, or name its encoding in the mapping (read as "{encoding}").'
    return BadCell(row, column, shown[:80], "not-in-the-encoding", mend)
