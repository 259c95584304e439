"""Exporting: the canonical files back out, one a table, in bounded memory.

What is exported and imported again, into either engine, is the same graph: ids, net quantities,
cancellations matched or not. Events, models, keys and match states are not in it: see backup.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow.parquet as pq

from core.errors import InputError
from core.progress import SILENT, Progress
from graph.store import GraphStore
from loaders.canonical import LIST_SEPARATOR, TABLES
from loaders.dataset import canonical_mapping, has_files

_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


class ExportFormat(StrEnum):
    """How files are written; Parquet keeps types, the others are text."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


async def export_files(
    store: GraphStore,
    folder: Path,
    *,
    format: ExportFormat = ExportFormat.PARQUET,
    progress: Progress = SILENT,
) -> dict[str, int]:
    """Write the graph's canonical files into a folder; a table without rows has no file.

    Args:
        store: the graph.
        folder: made when absent; files appear in it whole.
        format: how they are written.
        progress: who shows how far it is.

    Returns:
        Rows written, by table.

    Raises:
        InputError: when the folder has canonical files already, or CSV cannot hold an id.
    """
    _make_ready(folder)
    written: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as staging:
        for table in TABLES:
            with progress.task(f"Exporting {table}") as task:
                path = Path(staging) / f"{table}.{format.value}"
                with path.open("wb") as stream:
                    sink = _SINKS[format](stream)
                    rows = 0
                    async for frame in store.stream_table(table):
                        sink.write(_ordered(table, frame))
                        rows += frame.height
                        task.advance(frame.height)
                    sink.close()
                if rows:
                    written[table] = rows
        for table in written:
            name = f"{table}.{format.value}"
            (Path(staging) / name).replace(folder / name)
    return written


def _make_ready(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if has_files(folder, canonical_mapping()):
        raise InputError(
            f"{folder} has canonical files already.", mend="Export into an empty folder."
        )


def _ordered(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    names = [name for name in TABLES[table].names if name in frame.columns]
    return frame.select(names)


class _ParquetSink:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._writer: Any = None

    def write(self, frame: pl.DataFrame) -> None:
        rows = frame.to_arrow()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._stream, rows.schema, compression="zstd")
        self._writer.write_table(rows)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _CsvSink:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._begun = False

    def write(self, frame: pl.DataFrame) -> None:
        _as_text(_joined(frame)).write_csv(self._stream, include_header=not self._begun)
        self._begun = True

    def close(self) -> None:
        """Nothing is kept back."""


class _JsonSink:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, frame: pl.DataFrame) -> None:
        _as_text(frame).write_ndjson(self._stream)

    def close(self) -> None:
        """Nothing is kept back."""


_SINKS: dict[ExportFormat, Callable[[IO[bytes]], _ParquetSink | _CsvSink | _JsonSink]] = {
    ExportFormat.PARQUET: _ParquetSink,
    ExportFormat.CSV: _CsvSink,
    ExportFormat.JSONL: _JsonSink,
}


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    return frame.with_columns(pl.col(name).dt.strftime(_TIME) for name in times)


def _joined(frame: pl.DataFrame) -> pl.DataFrame:
    for name in [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]:
        items = frame[name].explode().drop_nulls()
        wrong = items.filter(items.str.contains(LIST_SEPARATOR, literal=True))
        if len(wrong):
            raise InputError(
                f"The id {wrong[0]!r} holds {LIST_SEPARATOR!r}, which separates ids in CSV.",
                mend="Export as parquet or jsonl.",
            )
        frame = frame.with_columns(pl.col(name).list.join(LIST_SEPARATOR))
    return frame
