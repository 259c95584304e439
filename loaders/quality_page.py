"""The quality report as one self-contained page with plots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from loaders.quality import PRICE_EDGES
from loaders.report import OUTCOMES, ImportReport
from reports.page import Section, render_page

_SHOWN = 200
_FEW_DAYS = 31


def quality_page(report: ImportReport) -> str:
    """HTML: what became of the lines, lines a day, prices, missing values, rejections."""
    sections = [_lines(report), _days(report), _prices(report), _missing(report)]
    sections.append(_rejections(report))
    intro = f"{OUTCOMES[report.outcome]} {report.lines:,} lines by the mapping {report.mapping}."
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
        _line(f"{table.capitalize()} a day (in UTC)", days)
        for table, days in report.quality.days.items()
        if days
    ]
    return Section("Lines a day", figures=figures) if figures else None


def _prices(report: ImportReport) -> Section | None:
    figures = [
        _histogram(f"Prices of {table}, in minor units", counts)
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
    figure = Figure(figsize=(8, 0.8 + 0.3 * len(counts)), layout="constrained")
    axes = figure.subplots()
    names = list(counts)[::-1]
    axes.barh(names, [counts[name] for name in names])
    axes.set_title(title)
    axes.set_xlabel("lines")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _line(title: str, days: Mapping[date, int]) -> Figure:
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    first, last = min(days), max(days)
    span = (last - first).days + 1
    counts = np.zeros(span)
    for day, count in days.items():
        counts[(day - first).days] = count
    # A line through few days shows slopes where nothing happened, and one day not at all.
    days_shown = np.datetime64(first) + np.arange(span)
    if span <= _FEW_DAYS:
        axes.bar(days_shown, counts)
        axes.set_xticks(days_shown[:: span // 7 + 1])
    else:
        axes.plot(days_shown, counts, linewidth=0.8)
    axes.set_title(title)
    axes.set_ylabel("lines")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _histogram(title: str, counts: npt.NDArray[np.int64]) -> Figure:
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.stairs(counts, PRICE_EDGES, fill=True)
    axes.set_xscale("log")
    # The log scale's own labels are mathematics, which a page does not typeset.
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(title)
    axes.set_xlabel("minor units")
    axes.set_ylabel("rows")
    return figure
