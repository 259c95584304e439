"""Readers of CSV and Parquet; loaders.sources chooses between them."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import InputError
from loaders.batches import (
    BATCH_BYTES,
    LIST_JOINT,
    LIST_MARK,
    MAX_FIELD_BYTES,
    ROW,
    BadCell,
    Batch,
    Options,
    not_in_encoding,
    open_bytes,
    oversized,
    oversized_cell,
)
from loaders.canonical import MAX_CELL_BYTES

_Encodings = tuple[str, str | None]
_NUMBERED = "Each row needs as many fields as the header; quote a field that holds the delimiter."


def read_csv(path: Path, options: Options, batch_rows: int) -> Iterator[Batch]:
    """Batches of a CSV file; see read_batches."""
    with open_bytes(path) as stream:
        encoding = _encoding_by_mark(stream.peek(4)[:4]) or options.encoding or "utf-8"
        text = io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline="")
        delimiter = options.delimiter or _seen_delimiter(stream.peek(8192), encoding)
        # A quote that is never closed swallows the rows behind it: strict tells at the next quote
        # or at the end, and the limit bounds what is held until then.
        csv.field_size_limit(MAX_FIELD_BYTES)
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            yield from _csv_batches(path, reader, (encoding, options.fallback), batch_rows)
        except csv.Error as error:
            raise InputError(
                f"{path}, line {reader.line_num}: {error}.",
                mend="Look above for a quote that is opened and never closed; write a quote inside "
                'a quoted cell twice ("").',
            ) from error
        except UnicodeError as error:
            raise InputError(
                f"{path} is not {encoding}: {error}.", mend="Name its encoding in the mapping."
            ) from error


def _csv_batches(
    path: Path, reader: Any, encodings: _Encodings, batch_rows: int
) -> Iterator[Batch]:
    header = _checked_header(path, next(reader, None))
    rows: list[list[str]] = []
    numbers: list[int] = []
    bad: list[BadCell] = []
    number, size = 0, 0
    for row in reader:
        if not row:
            continue
        number += 1
        if len(row) != len(header):
            value = f"{len(row)} fields where the header has {len(header)}"
            bad.append(BadCell(number, "(row)", value, "wrong-number-of-fields", _NUMBERED))
        elif (length := sum(map(len, row))) * 4 > MAX_CELL_BYTES and any(map(oversized, row)):
            column, value = next(p for p in zip(header, row, strict=True) if oversized(p[1]))
            bad.append(oversized_cell(number, column, value))
        else:
            rows.append(row)
            numbers.append(number)
            size += length
        if len(rows) + len(bad) >= batch_rows or size >= BATCH_BYTES:
            yield _csv_batch(header, rows, numbers, bad, encodings)
            rows, numbers, bad, size = [], [], [], 0
    yield _csv_batch(header, rows, numbers, bad, encodings)


def _csv_batch(
    header: list[str],
    rows: list[list[str]],
    numbers: list[int],
    bad: list[BadCell],
    encodings: _Encodings,
) -> Batch:
    try:
        return Batch(_text_frame(header, rows, numbers), bad)
    except UnicodeEncodeError:
        pass
    encoding, fallback = encodings
    good = []
    for number, row in zip(numbers, rows, strict=True):
        cells = [_decoded(cell, encoding, fallback) for cell in row]
        broken = next((p for p in zip(header, cells, strict=True) if _undecoded(p[1])), None)
        if broken is None:
            good.append((number, cells))
        else:
            shown = broken[1].encode("utf-8", "surrogateescape").decode("ascii", "backslashreplace")
            bad.append(not_in_encoding(number, broken[0], shown, encoding))
    return Batch(_text_frame(header, [row for _, row in good], [n for n, _ in good]), bad)


def _decoded(cell: str, encoding: str, fallback: str | None) -> str:
    if fallback is None or not _undecoded(cell):
        return cell
    return cell.encode(encoding, "surrogateescape").decode(fallback, "surrogateescape")


def _text_frame(header: list[str], rows: list[list[str]], numbers: list[int]) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) or [() for _ in header]
    data = {
        name: pl.Series(name, values, dtype=pl.String)
        for name, values in zip(header, columns, strict=True)
    }
    return pl.DataFrame({**data, ROW: pl.Series(ROW, numbers, dtype=pl.Int64)})


def _undecoded(value: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in value)


def _encoding_by_mark(start: bytes) -> str | None:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else None


def _seen_delimiter(start: bytes, encoding: str) -> str:
    line = start.decode(encoding, "ignore").splitlines()[:1]
    counts = {mark: line[0].count(mark) for mark in ",;\t|"} if line else {",": 1}
    return max(counts, key=lambda mark: counts[mark])


def _checked_header(path: Path, header: list[str] | None) -> list[str]:
    names = [name.strip() for name in header or []]
    if not any(names):
        raise InputError(f"{path} is empty.", mend="Its first line must name the columns.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or any(_undecoded(name) for name in names):
        raise InputError(
            f"{path} names a column twice or unreadably: {', '.join(map(ascii, twice or names))}.",
            mend="Give each column its own name, in UTF-8 or the mapping's encoding.",
        )
    return names


def read_parquet(path: Path, plain: Path, batch_rows: int) -> Iterator[Batch]:
    """Batches of a Parquet file that lies at ``plain``; ``path`` names it in errors."""
    done = 0
    try:
        with pq.ParquetFile(plain) as file:
            _check_types(path, file.schema_arrow)
            if file.metadata.num_rows == 0:
                yield _parquet_batch(file.schema_arrow.empty_table(), 0)
            for batch in file.iter_batches(batch_size=batch_rows):
                yield _parquet_batch(pa.Table.from_batches([batch]), done)
                done += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise InputError(
            f"{path} is not a whole Parquet file: {error}.", mend="Fetch or write the file again."
        ) from error


def _check_types(path: Path, schema: Any) -> None:
    for column in schema:
        if pa.types.is_nested(column.type) and not _is_list(column.type):
            raise InputError(
                f"{path}: column {column.name} is of type {column.type}.",
                mend="Flatten it into columns of text, numbers or times.",
            )


def _is_list(kind: Any) -> bool:
    # Polars writes large lists, others plain ones.
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _parquet_batch(table: Any, done: int) -> Batch:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame = frame.select(_plain(frame[name]) for name in frame.columns)
    frame = frame.with_columns(pl.int_range(done + 1, done + frame.height + 1).alias(ROW))
    bad: list[BadCell] = []
    for name, dtype in frame.schema.items():
        if dtype == pl.String:
            long = frame.filter(pl.col(name).str.len_bytes() > MAX_CELL_BYTES)
            bad += [oversized_cell(row, name, v) for row, v in long.select(ROW, name).iter_rows()]
    rejected = pl.Series([cell.row for cell in bad], dtype=pl.Int64)
    return Batch(frame.filter(~pl.col(ROW).is_in(rejected.implode())) if bad else frame, bad)


def _plain(series: pl.Series) -> pl.Series:
    """The column as text, a number, a time or joined items."""
    if isinstance(series.dtype, pl.List | pl.Array):
        joined = series.cast(pl.List(pl.String)).list.join(LIST_JOINT, ignore_nulls=True)
        return (LIST_MARK + joined).alias(series.name)
    if series.dtype in (pl.Categorical, pl.Enum, pl.Boolean, pl.Binary) or isinstance(
        series.dtype, pl.Decimal
    ):
        return series.cast(pl.String, strict=False)
    return series.cast(pl.String) if series.dtype == pl.Null else series
