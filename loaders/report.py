"""What an import did: for programs (JSON), for people at a terminal, and as a page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console, ConsoleRenderable, Group
from rich.table import Table

from loaders.lines import REJECTED, LineBook
from loaders.plan import Counts
from loaders.quality import PRICE_EDGES, Quality

SHOWN_PROBLEMS = 1_000


class Outcome(StrEnum):
    """How an import ended."""

    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    VALID = "valid"


OUTCOMES = {
    Outcome.IMPORTED: "Imported",
    Outcome.UNCHANGED: "Nothing changed: all that can be imported is in the graph already",
    Outcome.REJECTED: "Nothing was written: rows were rejected and --on-error is reject-all",
    Outcome.VALID: "Dry run: nothing was written",
}


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: its data rows, and what became of them."""

    source: str
    file: str
    rows: int
    dispositions: dict[str, int]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The outcome of an import.

    Attributes:
        lines: data rows read; the dispositions add up to it.
        tallies: lines of which something is true besides; these may overlap.
        overlaps: lines of which two of the tallies are true.
        tables: canonical table -> rows new, changed and unchanged.
        problems: file, row, table, column, value, reason, mend: every one that was found.
        seq: the log's seq after an import that wrote, else None.
    """

    outcome: Outcome
    batch_id: str
    mapping: str
    lines: int
    files: tuple[FileReport, ...]
    dispositions: dict[str, int]
    tallies: dict[str, int]
    overlaps: dict[str, int]
    tables: dict[str, Counts]
    problems: pl.DataFrame
    quality: Quality
    seq: int | None = None

    @property
    def rejected(self) -> int:
        """How many lines were rejected."""
        return sum(n for name, n in self.dispositions.items() if name.startswith(REJECTED))

    @property
    def sentence(self) -> str:
        """How it ended, with the lines that stayed out."""
        said = OUTCOMES[self.outcome]
        if not self.rejected or self.outcome is Outcome.REJECTED:
            return f"{said}."
        lines = "1 line" if self.rejected == 1 else f"{self.rejected:,} lines"
        if self.outcome is Outcome.VALID:
            return f"{said}; {lines} would be rejected."
        return f"{said}; {lines} {'was' if self.rejected == 1 else 'were'} rejected."

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values; at most SHOWN_PROBLEMS problems."""
        return {
            "outcome": self.outcome.value,
            "batch": self.batch_id,
            "mapping": self.mapping,
            "lines": self.lines,
            "files": [asdict(file) for file in self.files],
            "dispositions": self.dispositions,
            "tallies": self.tallies,
            "overlaps": self.overlaps,
            "tables": {name: asdict(counts) for name, counts in self.tables.items()},
            "rejectedLines": self.rejected,
            "problems": self.problems.head(SHOWN_PROBLEMS).to_dicts(),
            "problemsInAll": self.problems.height,
            "quality": quality_json(self.quality),
            "seq": self.seq,
        }

    def as_renderable(self) -> ConsoleRenderable:
        """Tables for a terminal."""
        read = "1 line" if self.lines == 1 else f"{self.lines:,} lines"
        lines = _table(read, ("what became of them", "lines"))
        for name, count in self.dispositions.items():
            lines.add_row(name, f"{count:,}")
        parts: list[ConsoleRenderable | str] = [lines]
        if self.tallies:
            beside = _table("beside (these overlap)", ("of which", "lines"))
            for name, count in {**self.tallies, **self.overlaps}.items():
                beside.add_row(name, f"{count:,}")
            parts.append(beside)
        graph = _table("rows in the graph", ("table", "new", "changed", "already there"))
        for name, counts in self.tables.items():
            if counts.new or counts.changed or counts.unchanged:
                graph.add_row(
                    name, f"{counts.new:,}", f"{counts.changed:,}", f"{counts.unchanged:,}"
                )
        if graph.row_count:
            parts.append(graph)
        if self.problems.height:
            parts.append(self._problem_table())
        return Group(*parts, self.sentence)

    def print_to(self, console: Console) -> None:
        """Print the report."""
        console.print(self.as_renderable())

    def _problem_table(self) -> Table:
        shown = self.problems.head(20)
        title = f"problems ({shown.height} of {self.problems.height:,})"
        table = _table(title, ("file", "row", "column", "value", "reason", "mend"))
        for row in shown.iter_rows(named=True):
            column = f"{row['table']}.{row['column']}"
            table.add_row(
                row["file"], str(row["row"]), column, row["value"], row["reason"], row["mend"]
            )
        return table


def make_report(
    outcome: Outcome,
    batch_id: str,
    mapping: str,
    book: LineBook,
    quality: Quality,
    *,
    tables: dict[str, Counts],
    problems: pl.DataFrame,
    seq: int | None = None,
) -> ImportReport:
    """Put a report together from the book of lines."""
    files = tuple(
        FileReport(file.source, file.path.name, file.rows, book.dispositions(file))
        for file in book.files
    )
    return ImportReport(
        outcome, batch_id, mapping, book.total, files, book.dispositions(), book.tallies(),
        book.overlaps(), tables, book.located(problems), quality, seq,
    )  # fmt: skip


def write_report(report: ImportReport, folder: Path) -> Path:
    """Write report.json, report.html and, with problems, problems.csv; returns the page's path."""
    from loaders.quality_page import quality_page  # noqa: PLC0415 - matplotlib takes a second

    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_json(), indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(text, encoding="utf-8")
    problems = folder / "problems.csv"
    problems.unlink(missing_ok=True)
    if report.problems.height:
        report.problems.write_csv(problems)
    page = folder / "report.html"
    page.write_text(quality_page(report), encoding="utf-8")
    return page


def quality_json(quality: Quality) -> dict[str, Any]:
    """The figures of what came in, as JSON values."""
    return {
        "rows": quality.rows,
        "missing": quality.missing,
        "timeZone": quality.zone,
        "days": {
            table: {day.isoformat(): count for day, count in sorted(days.items())}
            for table, days in quality.days.items()
        },
        "priceEdgesMinor": [round(float(edge), 2) for edge in PRICE_EDGES],
        "prices": {table: counts.tolist() for table, counts in quality.prices.items()},
    }


def _table(title: str, headers: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    numbers = {"lines", "row", "new", "changed", "already there"}
    for header in headers:
        # What does not fit goes on in the next line: an ellipsis would hide file names and mends.
        table.add_column(header, justify="right" if header in numbers else "left", overflow="fold")
    return table
