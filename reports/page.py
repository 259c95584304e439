"""Self-contained HTML pages: headings, paragraphs, tables and figures, nothing fetched.

A page is one file that can be mailed or kept beside the data it speaks of. Figures are inlined
as SVG whose ink follows the page's own, so that dark and light both read well.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from numbers import Integral, Real
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.figure import Figure

from reports.svg import figure_to_svg

Table = tuple[Sequence[str], Sequence[Sequence[object]]]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page, shown in the order heading, paragraphs, table, figures.

    Args:
        heading: plain text, like every other text here: it is escaped.
        paragraphs: plain text, one paragraph each.
        table: (headers, rows); every row as long as the headers. None becomes an empty cell,
            numbers are grouped by thousands and aligned right.
        figures: matplotlib figures; the alternative text of each is its label
            (``figure.set_label``), else its titles.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    figures: Sequence[Figure] = ()


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    number: bool


@dataclass(frozen=True, slots=True)
class _Part:
    heading: str
    paragraphs: Sequence[str]
    headers: list[_Cell]
    rows: list[list[_Cell]]
    figures: list[Markup]


def render_page(title: str, intro: str, sections: Sequence[Section]) -> str:
    """The page as HTML text; the same input gives the same text.

    Raises:
        ValueError: when a table's row is not as long as its headers.
    """
    parts = [_part(section, number) for number, section in enumerate(sections, start=1)]
    return _template().render(title=title, intro=intro, sections=parts)


def write_page(path: Path, title: str, intro: str, sections: Sequence[Section]) -> Path:
    """Render the page into ``path``, whole or not at all; folders are made. Returns ``path``."""
    return write_whole(path, render_page(title, intro, sections))


def write_whole(path: Path, text: str) -> Path:
    """Write a page into ``path``, whole or not at all; folders are made. Returns ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, staged = tempfile.mkstemp(prefix=".page-", suffix=".html", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        # mkstemp makes the file private; a report is as readable as any other new file.
        Path(staged).chmod(0o644)
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise
    return path


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return environment.from_string(source)


def _part(section: Section, number: int) -> _Part:
    headers, rows = section.table if section.table is not None else ((), ())
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(
                f"{section.heading}: a row of {len(row)} cells under {len(headers)} headers."
            )
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [_is_numeric(row[column] for row in rows) for column in range(len(headers))]
    figures = [
        Markup(figure_to_svg(figure, prefix=f"s{number}f{order}-"))  # noqa: S704 - our own SVG
        for order, figure in enumerate(section.figures, start=1)
    ]
    heads = [_Cell(text, right) for text, right in zip(headers, numeric, strict=True)]
    return _Part(section.heading, section.paragraphs, heads, cells, figures)


def _is_numeric(values: Iterable[object]) -> bool:
    shown = [value for value in values if value is not None]
    return bool(shown) and all(_cell(value).number for value in shown)


def _cell(value: object) -> _Cell:
    if isinstance(value, Real) and not isinstance(value, bool):
        text = f"{int(value):,}" if isinstance(value, Integral) else _number(float(value))
        return _Cell(text, True)
    return _Cell(_words(value), False)


def _words(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
