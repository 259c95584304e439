"""The quality report as one self-contained page with plots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from matplotlib.figure import Figure

from loaders.quality import PRICE_EDGES
from loaders.report import ImportReport
from reports.figures import bars, binned, lines_over_time
from reports.page import Section, render_page

_SHOWN = 200


def quality_page(report: ImportReport) -> str:
    """HTML: what became of the lines, lines a day, prices, missing values, rejections."""
    sections = [_lines(report), _days(report), _prices(report), _missing(report)]
    sections.append(_rejections(report))
    intro = f"{report.sentence} {report.lines:,} lines by the mapping {report.mapping}."
    title = f"Import of {report.mapping}"
    return render_page(title, intro, [part for part in sections if part])


def _lines(report: ImportReport) -> Section:
    files = ", ".join(f"{file.file} ({file.rows:,} lines)" for file in report.files)
    rows = [(name, count) for name, count in report.dispositions.items()]
    beside = [f"{name}: {count:,}" for name, count in {**report.tallies, **report.overlaps}.items()]
    paragraphs = [f"Read: {files}. Batch {report.batch_id}."]
    if beside:
        paragraphs.append(f"Beside, overlapping each other: {'; '.join(beside)}.")
    return Section(
        "What became of each line", paragraphs, (("what became of it", "lines"), rows),
        [_bars("Lines by what became of them", report.dispositions)],
    )  # fmt: skip


def _days(report: ImportReport) -> Section | None:
    figures = [
        _over_days(f"{table.capitalize()} a day (days in {report.quality.zone})", days)
        for table, days in report.quality.days.items()
        if days
    ]
    return Section("Lines a day", figures=figures) if figures else None


def _prices(report: ImportReport) -> Section | None:
    figures = [
        binned(
            f"Prices of {table}",
            counts,
            PRICE_EDGES,
            "price in minor units",
            y_label="lines",
            log_x=True,
        )
        for table, counts in report.quality.prices.items()
        if counts.any()
    ]
    return Section("Prices", figures=figures) if figures else None


def _missing(report: ImportReport) -> Section:
    rows = [
        (source, column, count, f"{count / max(report.quality.rows[source], 1):.1%}")
        for source, columns in report.quality.missing.items()
        for column, count in columns.items()
    ]
    shares = {
        f"{source}.{column}": count
        for source, column, count, _ in sorted(rows, key=lambda row: -row[2])[:30]
        if count
    }
    figures = [_bars("Empty cells by column", shares)] if shares else []
    return Section("Missing values", (), (("source", "column", "empty", "share"), rows), figures)


def _rejections(report: ImportReport) -> Section:
    problems = report.problems
    if not problems.height:
        return Section("What was rejected, and why", ["Nothing was rejected."])
    reasons = dict(
        problems["reason"].value_counts().sort("count", "reason", descending=True).iter_rows()
    )
    rows = problems.head(_SHOWN).select("file", "row", "table", "column", "value", "reason", "mend")
    lines = "1 line was" if report.rejected == 1 else f"{report.rejected:,} lines were"
    every = rows.height == problems.height
    text = f"{lines} rejected. {'Every problem' if every else f'The first {rows.height} problems'}:"
    return Section(
        "What was rejected, and why", [text], (tuple(rows.columns), rows.rows()),
        [_bars("Problems by reason", reasons)],
    )  # fmt: skip


def _bars(title: str, counts: Mapping[str, int]) -> Figure:
    return bars(title, list(counts), list(counts.values()), "lines")


def _over_days(title: str, days: Mapping[date, int]) -> Figure:
    first, last = min(days), max(days)
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    counts = [days.get(day, 0) for day in every]
    return lines_over_time(title, every, {"lines": counts}, "lines")
