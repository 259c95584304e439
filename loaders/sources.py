"""Source files as batches of rows: CSV, JSONL and Parquet, also gzipped, in bounded memory.

A row that cannot be read is handed out by number, with what is wrong and the mend; a file that
cannot be read to its end (cut gzip, damaged Parquet) is an InputError, raised before anything has
been written anywhere.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import InputError
from loaders.batches import BATCH_ROWS, ROW, Batch, Options, plain_file
from loaders.jsonl import read_jsonl
from loaders.tabular import read_csv, read_parquet

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_DEFAULTS = Options()


def format_of(path: Path) -> str | None:
    """``csv``, ``jsonl`` or ``parquet`` by the file's name; None for any other name."""
    name = path.name.lower().removesuffix(".gz")
    return FORMATS.get(Path(name).suffix)


def read_batches(
    path: Path, options: Options = _DEFAULTS, *, batch_rows: int = BATCH_ROWS
) -> Iterator[Batch]:
    """Read a file in batches of at most ``batch_rows`` rows.

    CSV cells come as text (empty is ""), JSONL values as their text, Parquet columns in their own
    type. A list becomes text that starts with LIST_MARK, its items joined by LIST_JOINT.

    Raises:
        InputError: when the file is missing, has another format, is cut or damaged.
    """
    kind = format_of(path)
    if kind is None:
        raise InputError(
            f"{path} is neither CSV, JSONL nor Parquet.",
            mend=f"Give it one of the endings {', '.join(FORMATS)} (.gz may follow).",
        )
    with _reading(path):
        if kind == "csv":
            yield from read_csv(path, options, batch_rows)
        elif kind == "jsonl":
            yield from read_jsonl(path, options, batch_rows)
        else:
            with plain_file(path) as plain:
                yield from read_parquet(path, plain, batch_rows)


def columns_of(path: Path, options: Options = _DEFAULTS) -> list[str]:
    """The names of a file's columns; of JSON lines, those that any of them has."""
    names: dict[str, None] = {}
    for batch in read_batches(path, options):
        names |= dict.fromkeys(name for name in batch.frame.columns if name != ROW)
        if format_of(path) != "jsonl":
            break
    return list(names)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there.", mend="Check the path.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path} is cut short or damaged: {error}.", mend="Fetch or pack the file again."
        ) from error
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
