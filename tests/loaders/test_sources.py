"""Readers: what is well formed comes through unchanged, what is not is named by its row."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from loaders.batches import ROW, BadCell, Options
from loaders.sources import columns_of, read_batches

PLAIN = Options()
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


def read(path: Path, options: Options = PLAIN, rows: int = 1000) -> pl.DataFrame:
    batches = list(read_batches(path, options, batch_rows=rows))
    assert all(not batch.bad for batch in batches)
    return pl.concat([batch.frame for batch in batches], how="diagonal")


def rejections(path: Path, options: Options = PLAIN) -> list[BadCell]:
    return [cell for batch in read_batches(path, options) for cell in batch.bad]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=12), st.integers(1, 5), st.booleans())
def test_csv_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], size: int, packed: bool
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    content = stream.getvalue().encode()
    path = tmp_path_factory.mktemp("csv") / ("x.csv.gz" if packed else "x.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    frame = read(path, Options(delimiter=","), size)
    assert frame.select("a", "b").rows() == rows
    assert frame[ROW].to_list() == list(range(1, len(rows) + 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": TEXT, "b": st.none() | TEXT}), min_size=1, max_size=12))
def test_jsonl_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert read(path, rows=4).select("a", "b").to_dicts() == rows
    assert sorted(columns_of(path)) == ["a", "b"]


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_keeps_its_types(tmp_path: Path, packed: bool) -> None:
    frame = pl.DataFrame({"n": [1, None], "x": [0.5, 2.0], "ids": [["a", "b"], []]})
    plain = tmp_path / "plain.parquet"
    frame.write_parquet(plain)
    path = plain
    if packed:
        path = tmp_path / "x.parquet.gz"
        path.write_bytes(gzip.compress(plain.read_bytes()))
    back = read(path, rows=1)
    assert back["n"].to_list() == [1, None]
    assert back["x"].to_list() == [0.5, 2.0]
    assert back["ids"].to_list() == ["\x1ea\x1fb", "\x1e"]


def test_a_mark_at_the_start_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    for name, content in (
        ("utf8.csv", b"\xef\xbb\xbfid\n1\n"),
        ("utf16.csv", "id\n1\n".encode("utf-16")),
        ("mark.jsonl", b'\xef\xbb\xbf{"id": "1"}\n'),
    ):
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path / name)["id"].to_list() == ["1"]


def test_mixed_encodings_are_named_or_read_by_the_fallback(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("id,name\n1,café\n".encode() + "2,café\n".encode("cp1252"))
    (bad,) = rejections(path)
    assert (bad.row, bad.column, bad.reason) == (2, "name", "not-in-the-encoding")
    assert "\\xe9" in bad.value
    assert read(path, Options(fallback="cp1252"))["name"].to_list() == ["café", "café"]


def test_a_huge_cell_is_rejected_and_its_neighbours_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,name\n1,a\n2," + "x" * 10_000_000 + "\n3,c\n", encoding="utf-8")
    (batch,) = read_batches(path)
    assert batch.frame["id"].to_list() == ["1", "3"]
    assert [(b.row, b.column, b.reason) for b in batch.bad] == [(2, "name", "cell-too-long")]
    assert batch.rows == 3
    parquet = tmp_path / "x.parquet"
    pl.DataFrame({"id": ["1", "2"], "name": ["a", "x" * 60_000]}).write_parquet(parquet)
    assert [(b.row, b.reason) for b in rejections(parquet)] == [(2, "cell-too-long")]
    lines = tmp_path / "x.jsonl"
    lines.write_text(json.dumps({"name": "x" * 60_000}), encoding="utf-8")
    assert [(b.row, b.reason) for b in rejections(lines)] == [(1, "cell-too-long")]


@pytest.mark.parametrize("name", ["x.csv.gz", "x.jsonl.gz", "x.parquet.gz"])
def test_a_cut_gzip_is_an_error(tmp_path: Path, name: str) -> None:
    content = b'{"id":"1"}\n' * 10_000 if "json" in name else b"id\n" + b"1\n" * 10_000
    (tmp_path / name).write_bytes(gzip.compress(content)[:-10])
    with pytest.raises(InputError, match=r"cut short or damaged.*again"):
        list(read_batches(tmp_path / name))


def test_files_that_are_none_are_errors(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and nothing else")
    (tmp_path / "x.csv.gz").write_bytes(b"id\n1\n")
    (tmp_path / "x.csv").write_bytes(b"")
    (tmp_path / "twice.csv").write_bytes(b"id,id\n1,2\n")
    for name, words in (
        ("x.parquet", "not a whole Parquet file"),
        ("x.csv.gz", "is not gzipped"),
        ("x.csv", "is empty"),
        ("twice.csv", "twice"),
        ("none.csv", "is not there"),
        ("x.xlsx", "neither CSV, JSONL nor Parquet"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            list(read_batches(tmp_path / name))
        assert caught.value.mend


@pytest.mark.parametrize(
    "content",
    [
        b'id,name\n1,"never closed\n2,b\n',
        b'id,name\n1,"never closed\n2,b\n3,"c"\n',
        b'id,name\n1,"' + b"x" * 65_000_000,
    ],
    ids=["end of the file", "next quote", "too much"],
)
def test_a_quote_never_closed_swallows_no_rows(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"line [0-9]+: .*never closed"):
        list(read_batches(path))


def test_a_quote_inside_a_cell_is_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('id,name\n1,a 15" screen\n2,"a 15"" screen"\n', encoding="utf-8")
    assert read(path)["name"].to_list() == ['a 15" screen'] * 2


def test_rows_of_another_width_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n\n1\n1,2,3\n", encoding="utf-8")
    assert [(b.row, b.reason) for b in rejections(path)] == [
        (2, "wrong-number-of-fields"),
        (3, "wrong-number-of-fields"),
    ]


def test_the_delimiter_is_seen(tmp_path: Path) -> None:
    for mark in ",;\t|":
        path = tmp_path / "x.csv"
        path.write_text(f"a{mark}b\n1{mark}2\n", encoding="utf-8")
        assert sorted(columns_of(path)) == ["a", "b"]


def test_json_rows_that_are_none_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = [
        b'{"a": 1.50}',
        b"[1]",
        b"{",
        b'{"a": {"b": 1}}',
        b'{"a": "\xe9"}',
        b'{"a": "\\ud800"}',
    ]
    path.write_bytes(b"\n".join(lines))
    (batch,) = read_batches(path)
    assert batch.frame["a"].to_list() == ["1.50"]
    assert [(b.row, b.reason) for b in batch.bad] == [
        (2, "not-an-object"),
        (3, "not-json"),
        (4, "nested-value"),
        (5, "not-in-the-encoding"),
        (6, "not-text"),
    ]
