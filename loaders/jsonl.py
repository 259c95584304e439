"""Reader of JSON lines; loaders.sources calls it."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

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

_MEND = 'Write one JSON object a line: {"id": "b1", "name": "..."}.'


def read_jsonl(path: Path, options: Options, batch_rows: int) -> Iterator[Batch]:
    """Batches of a JSON-lines file; numbers keep their text, so that amounts stay exact."""
    encoding = options.encoding or "utf-8"
    rows: list[dict[str, str | None]] = []
    numbers: list[int] = []
    bad: list[BadCell] = []
    number, size = 0, 0
    with open_bytes(path) as stream:
        for line in _lines(path, stream):
            number += 1
            row = _row(line, number, encoding)
            if isinstance(row, BadCell):
                bad.append(row)
            else:
                rows.append(row)
                numbers.append(number)
                size += len(line)
            if len(rows) + len(bad) >= batch_rows or size >= BATCH_BYTES:
                yield _batch(rows, numbers, bad)
                rows, numbers, bad, size = [], [], [], 0
    yield _batch(rows, numbers, bad)


def _lines(path: Path, stream: io.BufferedReader) -> Iterator[bytes]:
    while line := stream.readline(MAX_FIELD_BYTES):
        if len(line) == MAX_FIELD_BYTES and not line.endswith(b"\n"):
            raise InputError(
                f"{path} has a line over {MAX_FIELD_BYTES:,} bytes.",
                mend="Write one JSON object a line.",
            )
        line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield line


def _row(line: bytes, number: int, encoding: str) -> dict[str, str | None] | BadCell:
    try:
        value = json.loads(
            line.decode(encoding), parse_float=str, parse_int=str, parse_constant=str
        )
    except UnicodeDecodeError as error:
        shown = line[max(0, error.start - 20) : error.end + 20].decode("ascii", "backslashreplace")
        return not_in_encoding(number, "(row)", shown, encoding)
    except (ValueError, RecursionError):
        return BadCell(number, "(row)", _shown(line), "not-json", _MEND)
    if not isinstance(value, dict):
        return BadCell(number, "(row)", _shown(line), "not-an-object", _MEND)
    return _checked_row(value, number)


def _checked_row(value: dict[str, object], number: int) -> dict[str, str | None] | BadCell:
    row: dict[str, str | None] = {}
    for name, cell in value.items():
        if isinstance(cell, dict) or (
            isinstance(cell, list) and any(isinstance(item, dict | list) for item in cell)
        ):
            mend = "Use text, a number, true, false, null or a list of texts."
            return BadCell(number, name, _shown(json.dumps(cell).encode()), "nested-value", mend)
        text = _text(cell)
        if text is not None and not _encodable(text):
            return BadCell(number, name, ascii(text)[:80], "not-text", "Drop lone surrogates.")
        if text is not None and oversized(text):
            return oversized_cell(number, name, text)
        row[name] = text
    return row


def _text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    assert isinstance(cell, list)
    return LIST_MARK + LIST_JOINT.join(_text(item) or "" for item in cell)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").strip()[:80]


def _batch(rows: list[dict[str, str | None]], numbers: list[int], bad: list[BadCell]) -> Batch:
    names = list(dict.fromkeys(name for row in rows for name in row))
    data = {
        name: pl.Series(name, [row.get(name) for row in rows], dtype=pl.String) for name in names
    }
    return Batch(pl.DataFrame({**data, ROW: pl.Series(ROW, numbers, dtype=pl.Int64)}), bad)
