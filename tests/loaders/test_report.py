"""The report: one disposition a line, JSON that is JSON, a page that stands alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from loaders.lines import DUPLICATE, LineBook
from loaders.mapping import load_mapping
from loaders.problems import LINE, problems
from loaders.quality import Quality
from loaders.report import Outcome, make_report, write_report
from tests.loaders.markets import run_import, write_csv, write_market

STEP = st.tuples(st.sampled_from(["a", "b", "c"]), st.sets(st.integers(0, 29)), st.booleans())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 15), min_size=1, max_size=4), st.lists(STEP, max_size=8))
def test_a_line_keeps_the_first_disposition_it_gets(
    sizes: list[int], steps: list[tuple[str, set[int], bool]]
) -> None:
    book = LineBook()
    for number, size in enumerate(sizes):
        book.start_file("s", Path(f"{number}.csv"))
        book.count(size)
    assert book.total == sum(sizes)
    said: dict[int, str] = {}
    marked: dict[str, set[int]] = {}
    for name, lines, drop in steps:
        known = [line for line in lines if line < book.total]
        (book.drop if drop else book.settle)(np.array(known, dtype=np.int64), name)
        book.flag(np.array(known, dtype=np.int64), name)
        marked.setdefault(name, set()).update(known)
        for line in known:
            said.setdefault(line, name)
    counts = book.dispositions()
    assert sum(counts.values()) == book.total
    assert counts.pop("undecided", 0) == book.total - len(said) == len(book.open_lines())
    assert counts == {n: list(said.values()).count(n) for n in set(said.values())}
    assert book.tallies() == {name: len(lines) for name, lines in marked.items()}
    for pair, count in book.overlaps().items():
        one, other = pair.split(" + ")
        assert count == len(marked[one] & marked[other])
    by_file = [book.dispositions(file) for file in book.files]
    assert sum(sum(each.values()) for each in by_file) == book.total


def test_problems_are_located_by_file_and_row() -> None:
    book = LineBook()
    for number, size in enumerate([3, 0, 2]):
        book.start_file("s", Path(f"{number}.csv"))
        book.count(size)
    cells = pl.Series(["x" * 200, "y"])
    found = problems(pl.Series([2, 3]), cells, table="t", column="c", reason="r", mend="m")
    assert book.located(found).select("file", "row").rows() == [("0.csv", 3), ("2.csv", 1)]
    assert len(found["value"][0]) == 80
    book.reject(found)
    assert book.usable(pl.DataFrame({LINE: [0, 2, 3, 4]}))[LINE].to_list() == [0, 4]
    book.drop(np.array([4]), DUPLICATE)
    assert book.dispositions() == {"rejected: r": 2, "undecided": 2, DUPLICATE: 1}


async def test_the_report_is_written_for_programs_and_for_people(
    data: Path, tmp_path: Path
) -> None:
    write_market(data)
    header = "buyer_id offer_id at quantity unit_price currency"
    bad = "<script>alert(1)</script>"
    rows = [("b1", "o1", f"2024-01-0{n}", 1, "2.50", "GBP") for n in range(1, 6)]
    write_csv(data, "purchases.csv", header, [*rows, ("b1", "o1", bad, 1, None, None)])
    report = await run_import(None, data, dry_run=True)
    page = write_report(report, tmp_path / "report")
    answer = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert answer["lines"] == sum(answer["dispositions"].values()) == 15
    assert answer["quality"]["days"]["purchases"]["2024-01-03"] == 1
    assert answer["quality"]["missing"]["purchases"]["unit_price"] == 1
    assert sum(answer["quality"]["prices"]["purchases"]) == 5
    assert answer["problems"][0]["reason"] == "not-a-time"
    assert answer["rejectedLines"] == 1
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") >= 5
    assert bad not in text
    assert "not-a-time" in text
    assert "1 line was rejected. Every problem:" in text
    assert "mathdefault" not in text
    assert ">1,000<" in text  # the price axis, in figures
    assert "Purchases a day (days in UTC)" in text
    assert "1 line would be rejected" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    listed = pl.read_csv(tmp_path / "report" / "problems.csv")
    assert listed.select("file", "row", "column").rows() == [("purchases.csv", 6, "at")]
    stream = io.StringIO()
    report.print_to(Console(file=stream, width=120))
    assert "not-a-time" in stream.getvalue()
    assert "nothing was written" in stream.getvalue()
    narrow = io.StringIO()
    report.print_to(Console(file=narrow, width=70))
    assert "…" not in narrow.getvalue()


@pytest.mark.parametrize(
    ("outcome", "rejected", "expected"),
    [
        (Outcome.IMPORTED, 0, "Imported."),
        (Outcome.IMPORTED, 1, "Imported; 1 line was rejected."),
        (Outcome.IMPORTED, 1200, "Imported; 1,200 lines were rejected."),
        (Outcome.VALID, 2, "Dry run: nothing was written; 2 lines would be rejected."),
        (
            Outcome.REJECTED,
            2,
            "Nothing was written: rows were rejected and --on-error is reject-all.",
        ),
    ],
)
def test_the_outcome_says_how_many_lines_stayed_out(
    outcome: Outcome, rejected: int, expected: str
) -> None:
    book = LineBook()
    book.start_file("s", Path("s.csv"))
    book.count(2000)
    lines = pl.Series(range(rejected), dtype=pl.Int64)
    cells = pl.Series(["x"] * rejected, dtype=pl.String)
    found = problems(lines, cells, table="t", column="c", reason="r", mend="m")
    book.reject(found)
    report = make_report(outcome, "b", "m", book, Quality(), tables={}, problems=found)
    assert report.sentence == expected


async def test_days_are_those_of_the_mappings_time_zone(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        'name = "m"\ntime_zone = "Europe/Berlin"\n[sources.s]\nfiles = "s.csv"\n'
        '[tables.buyers]\nsource = "s"\ncolumns.id = "b"\n'
        '[tables.offers]\nsource = "s"\ncolumns.id = "o"\n'
        '[tables.interactions]\nsource = "s"\ncolumns.buyer_id = "b"\n'
        'columns.offer_id = "o"\ncolumns.at = "at"\ncolumns.kind = { value = "CLICKED" }\n',
        encoding="utf-8",
    )
    rows = [("b1", "o1", "2024-05-31 00:30"), ("b1", "o1", "2024-05-31T22:30:00Z")]
    write_csv(data, "s.csv", "b o at", rows)
    report = await run_import(None, data, mapping=load_mapping(path), dry_run=True)
    page = write_report(report, tmp_path / "report").read_text(encoding="utf-8")
    quality = report.as_json()["quality"]
    assert quality["timeZone"] == "Europe/Berlin"
    assert quality["days"] == {"interactions": {"2024-05-31": 1, "2024-06-01": 1}}
    assert "Interactions a day (days in Europe/Berlin)" in page
